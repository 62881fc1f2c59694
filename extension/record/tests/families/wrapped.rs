//! Lines inside the formats of syslog, containers and devices.

use crate::all;

#[test]
fn syslog_rfc_3164_and_5424() {
    all(&[
        (
            "Nov 22 10:00:00 host sshd[1234]: error: PAM: Authentication failure",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "PAM: Authentication failure",
        ),
        (
            "Nov 22 10:00:00 host kernel: [12.3] EXT4-fs error (device sda1)",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "[12.3] EXT4-fs error (device sda1)",
        ),
        (
            "<11>Nov 22 10:00:00 host app[12]: could not connect",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "could not connect",
        ),
        (
            "<30>Nov 22 10:00:00 host app[12]: 2026-11-22 10:00:00,123 INFO x error",
            "INFO",
            "2026-11-22T09:00:00.123Z",
            "x error",
        ),
        (
            r#"<165>1 2026-11-22T10:00:00.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App"] An application event"#,
            "INFO",
            "2026-11-22T10:00:00.003Z",
            "An application event",
        ),
        (
            "<34>1 2026-11-22T10:00:00.003Z mymachine su - ID47 - 'su root' failed",
            "FATAL",
            "2026-11-22T10:00:00.003Z",
            "'su root' failed",
        ),
        (
            "2026-11-22T10:00:00.123456+01:00 host app[12]: ERROR com.example.Foo: bad",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "bad",
        ),
        (
            r#"Nov 22 10:00:00 host app[12]: {"level":"error","msg":"inner"}"#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            "inner",
        ),
        (
            r#"Nov 22 10:00:00 host app[12]: level=error msg="inner x""#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            "inner x",
        ),
    ]);
}

#[test]
fn android_logcat() {
    all(&[
        (
            "11-22 10:00:00.123  1234  1235 E ActivityManager: ANR in com.x",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "ANR in com.x",
        ),
        (
            "11-22 10:00:00.123 E/ActivityManager( 1234): ANR",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "ANR",
        ),
        ("E/Tag( 123): msg", "ERROR", "-", "msg"),
    ]);
}

#[test]
fn ecs_and_gcp_json() {
    all(&[
        (
            r#"{"@timestamp":"2026-11-22T10:00:00.000Z","log.level":"ERROR","message":"m","ecs.version":"1.2"}"#,
            "ERROR",
            "2026-11-22T10:00:00Z",
            "m",
        ),
        (
            r#"{"severity":"ERROR","message":"m","timestamp":{"seconds":1700000000,"nanos":5000}}"#,
            "ERROR",
            "2023-11-14T22:13:20.000005Z",
            "m",
        ),
    ]);
}

#[test]
fn docker_and_cri_wrappers() {
    all(&[
        (
            r#"{"log":"2026-11-22 10:00:00,5 ERROR inner boom\n","stream":"stderr","time":"2026-11-22T09:00:01.123456789Z"}"#,
            "ERROR",
            "2026-11-22T09:00:00.5Z",
            "inner boom",
        ),
        (
            r#"{"log":"{\"level\":\"error\",\"msg\":\"inner\"}\n","stream":"stdout","time":"2026-11-22T09:00:01.123456789Z"}"#,
            "ERROR",
            "2026-11-22T09:00:01.123456Z",
            "inner",
        ),
        (
            "2026-11-22T09:00:01.123456789Z stderr F ERROR inner boom",
            "ERROR",
            "2026-11-22T09:00:01.123456Z",
            "inner boom",
        ),
        (
            r#"2026-11-22T09:00:01.123456789Z stderr F {"level":"fatal","msg":"inner"}"#,
            "FATAL",
            "2026-11-22T09:00:01.123456Z",
            "inner",
        ),
    ]);
}

#[test]
fn postgresql_with_the_prefix_of_pgbadger() {
    all(&[(
        "2026-11-22 10:00:00 UTC [1234]: [1-1] user=x,db=y,app=z,client=1.2.3.4 ERROR:  bad",
        "ERROR",
        "2026-11-22T10:00:00Z",
        "bad",
    )]);
}
