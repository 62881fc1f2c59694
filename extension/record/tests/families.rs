//! Lines as their programs write them, and what is read from each: level, time and message.

use jiff::tz::TimeZone;
use logwatch_record::{Context, Flags, Level, MAX_MESSAGE, parse};

fn context() -> Context {
    Context {
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
    }
}

/// Each case: text, level, time, message; `-` for none.
fn all(cases: &[(&str, &str, &str, &str)]) {
    for (text, level, time, message) in cases {
        let record = parse(text, &context());
        assert_eq!(record.level.map_or("-", Level::as_str), *level, "level of {text}");
        assert_eq!(
            record.logged_at.map_or("-".to_owned(), |time| time.to_string()),
            *time,
            "time of {text}"
        );
        assert_eq!(record.message, *message, "message of {text}");
    }
}

#[test]
fn log4j_logback_and_spring() {
    all(&[
        (
            "2026-11-22 10:00:00,123 ERROR [main] com.example.Foo - Connection refused",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Connection refused",
        ),
        (
            "2026-11-22 10:00:00,123 [main] ERROR com.example.Foo - Connection refused",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Connection refused",
        ),
        (
            "10:00:00.123 [main] ERROR com.example.Foo - Connection refused",
            "ERROR",
            "-",
            "Connection refused",
        ),
        (
            "2026-11-22T10:00:00.123+01:00 ERROR 12345 --- [app] [           main] o.s.boot.SpringApplication               : Application run failed",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Application run failed",
        ),
        (
            "2026-11-22 10:00:00.123  INFO 12345 --- [main] o.s.b.d.f.logexample.MyApplication : ERROR page registered",
            "INFO",
            "2026-11-22T09:00:00.123Z",
            "ERROR page registered",
        ),
    ]);
}

#[test]
fn python_and_django() {
    all(&[
        ("ERROR:root:division by zero", "ERROR", "-", "division by zero"),
        (
            "ERROR:django.request:Internal Server Error: /path",
            "ERROR",
            "-",
            "Internal Server Error: /path",
        ),
        (
            "2026-11-22 10:00:00,123 - my.logger - ERROR - something failed",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "something failed",
        ),
        (
            "2026-11-22 10:00:00,123 root ERROR something failed",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "root ERROR something failed",
        ),
        (
            "ERROR 2026-11-22 10:00:00,123 views 1234 140 Internal error",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "views 1234 140 Internal error",
        ),
        (
            "[22/Nov/2026 10:00:00] ERROR [django.request:241] Internal Server Error: /x",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Internal Server Error: /x",
        ),
        (
            r#"[22/Nov/2026 10:00:00] "GET /error HTTP/1.1" 500 145"#,
            "-",
            "2026-11-22T09:00:00Z",
            r#""GET /error HTTP/1.1" 500 145"#,
        ),
        (
            "Internal Server Error: /x",
            "ERROR",
            "-",
            "Internal Server Error: /x",
        ),
    ]);
}

#[test]
fn ruby() {
    all(&[
        (
            "E, [2026-11-22T10:00:00.123456 #1234] ERROR -- : undefined method",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "undefined method",
        ),
        (
            "E, [2026-11-22T10:00:00.123456 #1234] ERROR -- prog: undefined method",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "undefined method",
        ),
        (
            "F, [2026-11-22T10:00:00.123456 #1234] FATAL -- : [abc] boom",
            "FATAL",
            "2026-11-22T09:00:00.123456Z",
            "[abc] boom",
        ),
    ]);
}

#[test]
fn go_log_slog_logrus_zap_zerolog_klog_glog() {
    all(&[
        (
            "2026/11/22 10:00:00 main.go:12: error: connect refused",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "connect refused",
        ),
        (
            r#"2026/11/22 10:00:00 ERROR failed to connect err="x y" count=3"#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            r#"failed to connect err="x y" count=3"#,
        ),
        (
            r#"time=2026-11-22T10:00:00.000+01:00 level=ERROR msg="failed" err=EOF"#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            "failed",
        ),
        (
            r#"time="2026-11-22T10:00:00Z" level=error msg="The ice breaks!" number=100 omg=true"#,
            "ERROR",
            "2026-11-22T10:00:00Z",
            "The ice breaks!",
        ),
        (
            "ERRO[0004] The ice breaks!                           number=100 omg=true",
            "ERROR",
            "-",
            "The ice breaks!                           number=100 omg=true",
        ),
        (
            r#"{"level":"error","ts":1700000000.123,"caller":"a.go:1","msg":"boom","stacktrace":"main.f\n\ta.go:1"}"#,
            "ERROR",
            "2023-11-14T22:13:20.123Z",
            "boom",
        ),
        (
            "2026-11-22T10:00:00.123+0100\terror\tmylogger\tmain.go:12\tfailed to fetch URL\t{\"url\": \"x\"}",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "failed to fetch URL\t{\"url\": \"x\"}",
        ),
        (
            r#"10:00AM ERR main.go:12 > failed to connect error="x" foo=bar"#,
            "ERROR",
            "-",
            r#"failed to connect error="x" foo=bar"#,
        ),
        (
            r#"2026-11-22T10:00:00Z ERR failed to connect error="x""#,
            "ERROR",
            "2026-11-22T10:00:00Z",
            r#"failed to connect error="x""#,
        ),
        (
            "E1122 10:00:00.123456   12345 reflector.go:125] Failed to list *v1.Pod: x",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "Failed to list *v1.Pod: x",
        ),
        (
            "I1122 10:00:00.123456 1 a.go:1] error seen",
            "INFO",
            "2026-11-22T09:00:00.123456Z",
            "error seen",
        ),
        (
            "F20261122 10:00:00.123456 12345 main.cc:12] Check failed",
            "FATAL",
            "2026-11-22T09:00:00.123456Z",
            "Check failed",
        ),
    ]);
}

#[test]
fn rust_env_logger_and_tracing() {
    all(&[
        (
            "[2026-11-22T10:00:00Z ERROR my_crate::db] connection failed",
            "ERROR",
            "2026-11-22T10:00:00Z",
            "connection failed",
        ),
        (
            "2026-11-22T10:00:00.123456Z ERROR my_crate::db: connection failed retries=3",
            "ERROR",
            "2026-11-22T10:00:00.123456Z",
            "connection failed retries=3",
        ),
        (
            "  2026-11-22T10:00:00.123456Z  INFO my_crate: an error",
            "INFO",
            "2026-11-22T10:00:00.123456Z",
            "my_crate: an error",
        ),
    ]);
}

#[test]
fn dotnet_serilog_and_nlog() {
    all(&[
        (
            "fail: Microsoft.AspNetCore.Server.Kestrel[13]\n      Connection id \"0HL\" bad\n      System.Exception: x",
            "ERROR",
            "-",
            r#"Connection id "0HL" bad"#,
        ),
        ("[10:00:00 ERR] Failed to do x", "ERROR", "-", "Failed to do x"),
        (
            "2026-11-22 10:00:00.123 +01:00 [ERR] Failed to do x",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Failed to do x",
        ),
        (
            r#"{"@t":"2026-11-22T10:00:00.1234567Z","@mt":"Hello {User}","User":"x"}"#,
            "INFO",
            "2026-11-22T10:00:00.123456Z",
            "Hello {User}",
        ),
        (
            "2026-11-22 10:00:00.1234|ERROR|My.Namespace.Class|Something bad|System.Exception",
            "ERROR",
            "2026-11-22T09:00:00.1234Z",
            "Something bad|System.Exception",
        ),
    ]);
}

#[test]
fn monolog_laravel_and_php() {
    all(&[
        (
            r#"[2026-11-22T10:00:00.123456+01:00] app.ERROR: Something bad {"a":1} []"#,
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            r#"Something bad {"a":1}"#,
        ),
        (
            "[2026-11-22 10:00:00] app.ERROR:  [] []",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "[2026-11-22 10:00:00] app.ERROR:  [] []",
        ),
        (
            "[2026-11-22 10:00:00] production.ERROR: Undefined variable $x {\"exception\":\"[object] (ErrorException(code: 0): x at /a.php:1)\n[stacktrace]\n#0 /a.php(1): x()\n\"} ",
            "ERROR",
            "2026-11-22T09:00:00Z",
            r#"Undefined variable $x {"exception":"[object] (ErrorException(code: 0): x at /a.php:1)"#,
        ),
        (
            "[22-Nov-2026 10:00:00 UTC] PHP Fatal error:  Uncaught Exception: boom in /a.php:3",
            "FATAL",
            "2026-11-22T10:00:00Z",
            "PHP Fatal error:  Uncaught Exception: boom in /a.php:3",
        ),
        (
            "[22-Nov-2026 10:00:00 Europe/Berlin] PHP Warning:  Undefined variable",
            "WARN",
            "2026-11-22T09:00:00Z",
            "PHP Warning:  Undefined variable",
        ),
    ]);
}

#[test]
fn node_pino_bunyan_and_winston() {
    all(&[
        (
            r#"{"level":50,"time":1700000000000,"pid":1,"hostname":"h","msg":"boom"}"#,
            "ERROR",
            "2023-11-14T22:13:20Z",
            "boom",
        ),
        (
            r#"{"name":"app","hostname":"h","pid":1,"level":50,"msg":"boom","time":"2026-11-22T10:00:00.123Z","v":0}"#,
            "ERROR",
            "2026-11-22T10:00:00.123Z",
            "boom",
        ),
        (
            r#"error: something {"service":"x"}"#,
            "ERROR",
            "-",
            r#"something {"service":"x"}"#,
        ),
        (
            r#"{"level":"error","message":"x","timestamp":"2026-11-22T10:00:00.123Z"}"#,
            "ERROR",
            "2026-11-22T10:00:00.123Z",
            "x",
        ),
    ]);
}

#[test]
fn nginx_and_apache() {
    all(&[
        (
            r#"2026/11/22 10:00:00 [error] 1234#5678: *90 open() "/x" failed (2: No such file), client: 1.2.3.4, server: _"#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            r#"open() "/x" failed (2: No such file), client: 1.2.3.4, server: _"#,
        ),
        (
            "2026/11/22 10:00:00 [crit] 1234#5678: bind failed",
            "FATAL",
            "2026-11-22T09:00:00Z",
            "bind failed",
        ),
        (
            r#"1.2.3.4 - - [22/Nov/2026:10:00:00 +0100] "GET /error?x=fatal HTTP/1.1" 500 12 "-" "error agent""#,
            "-",
            "2026-11-22T09:00:00Z",
            r#"1.2.3.4 - - [22/Nov/2026:10:00:00 +0100] "GET /error?x=fatal HTTP/1.1" 500 12 "-" "error agent""#,
        ),
        (
            "[Sun Nov 22 10:00:00.123456 2026] [core:error] [pid 1234:tid 5678] [client 1.2.3.4:5] AH00124: Request exceeded",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "AH00124: Request exceeded",
        ),
        (
            "[Sun Nov 22 10:00:00 2026] [error] [client 1.2.3.4] File does not exist: /x",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "File does not exist: /x",
        ),
        (
            "[Sun Nov 22 10:00:00.123456 2026] [mpm_event:notice] [pid 1:tid 2] AH00489: Apache configured -- error",
            "INFO",
            "2026-11-22T09:00:00.123456Z",
            "AH00489: Apache configured -- error",
        ),
    ]);
}

#[test]
fn postgresql_mysql_and_mariadb() {
    all(&[
        (
            "2026-11-22 10:00:00.123 CET [1234] ERROR:  duplicate key value violates unique constraint \"x\"\n2026-11-22 10:00:00.123 CET [1234] DETAIL:  Key",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            r#"duplicate key value violates unique constraint "x""#,
        ),
        (
            r#"2026-11-22 10:00:00.123 UTC [1234] app@db FATAL:  password authentication failed for user "x""#,
            "FATAL",
            "2026-11-22T10:00:00.123Z",
            r#"password authentication failed for user "x""#,
        ),
        (
            "2026-11-22 10:00:00.123 UTC [1234] LOG:  error in x",
            "INFO",
            "2026-11-22T10:00:00.123Z",
            "error in x",
        ),
        (
            r#"2026-11-22 10:00:00 UTC:1.2.3.4(5432):u@d:[1234]:ERROR:  relation "x" does not exist"#,
            "ERROR",
            "2026-11-22T10:00:00Z",
            r#"relation "x" does not exist"#,
        ),
        (
            "2026-11-22T10:00:00.123456Z 0 [ERROR] [MY-010119] [Server] Aborting",
            "ERROR",
            "2026-11-22T10:00:00.123456Z",
            "Aborting",
        ),
        (
            "2026-11-22 10:00:00 0 [ERROR] InnoDB: Unable to lock",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "InnoDB: Unable to lock",
        ),
        (
            "2026-11-22 10:00:00 0 [Note] mysqld: error log",
            "INFO",
            "2026-11-22T09:00:00Z",
            "mysqld: error log",
        ),
        (
            "261122 10:00:00 [ERROR] Aborting",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Aborting",
        ),
    ]);
}

#[test]
fn mongodb() {
    all(&[
        (
            r#"{"t":{"$date":"2026-11-22T10:00:00.123+01:00"},"s":"E","c":"NETWORK","id":1,"ctx":"main","msg":"boom","attr":{"x":1}}"#,
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "boom",
        ),
        (
            "2026-11-22T10:00:00.123+0100 E STORAGE  [initandlisten] WiredTiger error",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "WiredTiger error",
        ),
        (
            "2026-11-22T10:00:00.123+0100 I NETWORK  [conn1] error x",
            "INFO",
            "2026-11-22T09:00:00.123Z",
            "error x",
        ),
    ]);
}

#[test]
fn kafka_zookeeper_hadoop_spark_and_hdfs() {
    all(&[
        (
            "[2026-11-22 10:00:00,123] ERROR [KafkaServer id=0] Fatal error during startup (kafka.server.KafkaServer)",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "[KafkaServer id=0] Fatal error during startup (kafka.server.KafkaServer)",
        ),
        (
            "2026-11-22 10:00:00,123 - ERROR [main:QuorumPeerMain@86] - Invalid config",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Invalid config",
        ),
        (
            "2026-11-22 10:00:00,123 [myid:1] - WARN  [SendWorker:188978561024:QuorumCnxManager$SendWorker@679] - Interrupted",
            "WARN",
            "2026-11-22T09:00:00.123Z",
            "Interrupted",
        ),
        (
            "2026-11-22 10:00:00,123 ERROR org.apache.hadoop.hdfs.server.datanode.DataNode: x: error",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "x: error",
        ),
        (
            "26/11/22 10:00:00 ERROR executor.Executor: Exception in task 0.0",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Exception in task 0.0",
        ),
        (
            "261122 100000 148 ERROR dfs.DataNode$PacketResponder: PacketResponder 1",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "PacketResponder 1",
        ),
    ]);
}

#[test]
fn elasticsearch_rabbitmq_erlang_and_elixir() {
    all(&[
        (
            "[2026-11-22T10:00:00,123][ERROR][o.e.b.Bootstrap          ] [node-1] Exception",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Exception",
        ),
        (
            "2026-11-22 10:00:00.123456+01:00 [error] <0.123.0> Error on AMQP connection",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "Error on AMQP connection",
        ),
        (
            "=ERROR REPORT==== 22-Nov-2026::10:00:00 ===\nError in process <0.1.0>",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Error in process <0.1.0>",
        ),
        (
            "10:00:00.123 [error] GenServer terminating\n** (RuntimeError) x",
            "ERROR",
            "-",
            "GenServer terminating",
        ),
    ]);
}

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

#[test]
fn clock_changes_and_the_turn_of_the_year() {
    all(&[
        (
            "2026-10-25 02:30:00 CEST ERROR fold",
            "ERROR",
            "2026-10-25T00:30:00Z",
            "fold",
        ),
        (
            "2026-10-25 02:30:00 CET ERROR fold",
            "ERROR",
            "2026-10-25T01:30:00Z",
            "fold",
        ),
        (
            "2026-10-25 02:30:00 ERROR fold",
            "ERROR",
            "2026-10-25T00:30:00Z",
            "fold",
        ),
        (
            "2026-03-29 02:30:00 ERROR gap",
            "ERROR",
            "2026-03-29T01:30:00Z",
            "gap",
        ),
        (
            "Dec 31 23:59:59 host a[1]: ERROR x",
            "ERROR",
            "2025-12-31T22:59:59Z",
            "x",
        ),
        (
            "Nov 22 14:00:00 host a[1]: ERROR soon",
            "ERROR",
            "2026-11-22T13:00:00Z",
            "soon",
        ),
    ]);
}

#[test]
fn a_word_of_a_sentence_stays_in_the_message() {
    all(&[
        (
            "2026-11-22 10:00:00 user login error for bob",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "user login error for bob",
        ),
        (
            "2026-11-22 10:00:00 Got ERROR from server",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Got ERROR from server",
        ),
        (
            "2026-11-22 10:00:00 no error found",
            "-",
            "2026-11-22T09:00:00Z",
            "no error found",
        ),
        ("ERROR", "ERROR", "-", "ERROR"),
        (
            "2026-11-22 10:00:00 ERROR",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "2026-11-22 10:00:00 ERROR",
        ),
    ]);
}

#[test]
fn other_programs() {
    all(&[
        (
            "1234:M 22 Nov 2026 10:00:00.123 # WARNING overcommit",
            "WARN",
            "2026-11-22T09:00:00.123Z",
            "WARNING overcommit",
        ),
        (
            "[E 2026-11-22 10:00:00.123 ServerApp] Uncaught error",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Uncaught error",
        ),
        (
            "[E 261122 10:00:00 web:2064] 500 GET /",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "500 GET /",
        ),
        (
            "2026-11-22 10:00:00 +0100 [error]: #0 unexpected error",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "#0 unexpected error",
        ),
        ("\x1b[31mERROR\x1b[0m something", "ERROR", "-", "something"),
        (
            "2026-11-22 10:00:00.123 | ERROR    | __main__:func:12 - boom",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "boom",
        ),
        (
            "2026-11-22 10:00:00,123 ERROR [org.jboss.msc.service.fail] (MSC service thread 1-1) MSC000001: Failed",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "MSC000001: Failed",
        ),
        (
            "panic: runtime error: index out of range [5] with length 3",
            "FATAL",
            "-",
            "runtime error: index out of range [5] with length 3",
        ),
        ("1700000000 ERROR x", "ERROR", "2023-11-14T22:13:20Z", "x"),
        (
            "[2026-11-22 10:00:00] ERROR[1234]: chan_sip.c:12 handle: bad",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "chan_sip.c:12 handle: bad",
        ),
        (
            "[2026-11-22 10:00:00 +0000] [1234] [ERROR] Exception in worker process",
            "ERROR",
            "2026-11-22T10:00:00Z",
            "Exception in worker process",
        ),
        ("【ERROR】 x", "ERROR", "-", "【ERROR】 x"),
    ]);
}

#[test]
fn what_leaves_the_message_is_kept_in_the_fields() {
    for (text, fields) in [
        (
            "2026-11-22 10:00:00,123 [main] ERROR com.example.Foo - x",
            r#"{"logger":"com.example.Foo","thread":"main"}"#,
        ),
        (
            "Nov 22 10:00:00 web1 sshd[1234]: error: x",
            r#"{"host":"web1","pid":"1234","program":"sshd"}"#,
        ),
        (
            "E1122 10:00:00.123456   12345 reflector.go:125] x",
            r#"{"caller":"reflector.go:125","pid":"12345"}"#,
        ),
        (
            "2026-11-22 10:00:00.123 UTC [1234] app@db FATAL:  x",
            r#"{"pid":"1234","session":"app@db"}"#,
        ),
    ] {
        let record = parse(text, &context());
        assert_eq!(serde_json::to_string(&record.fields).unwrap(), fields, "{text}");
    }
}

#[test]
fn continuation_lines_are_the_detail() {
    let text =
        "2026-11-22 10:00:00 ERROR com.example.Foo - x\r\njava.io.IOException: y\r\n\tat a.B.c(B.java:1)\r\n";
    let record = parse(text, &context());
    assert_eq!(record.message, "x");
    assert_eq!(
        record.detail.as_deref(),
        Some("java.io.IOException: y\n\tat a.B.c(B.java:1)")
    );

    let text = r#"{"level":"error","msg":"first\nsecond","stack":"at x"}"#;
    assert_eq!(parse(text, &context()).detail.as_deref(), Some("second\nat x"));

    let text = concat!(
        r#"{"log":"ERROR x\n","stream":"stderr","time":"2026-11-22T09:00:00Z"}"#,
        "\n",
        r#"{"log":"\tat y\n","stream":"stderr","time":"2026-11-22T09:00:01Z"}"#
    );
    let record = parse(text, &context());
    assert_eq!(
        (record.message.as_ref(), record.detail.as_deref()),
        ("x", Some("\tat y"))
    );
}

#[test]
fn a_long_message_is_cut_and_flagged() {
    let record_text = format!("ERROR {}", "é".repeat(MAX_MESSAGE));
    let record = parse(&record_text, &context());
    assert_eq!(record.message.len(), MAX_MESSAGE);
    assert!(record.flags.contains(Flags::TRUNCATED));
}

#[test]
fn an_impossible_time_counts_as_none() {
    for text in [
        "1969-12-31 10:00:00 ERROR x",
        "2201-01-01 10:00:00Z ERROR x",
        "2026-02-30 10:00:00 ERROR x",
    ] {
        let record = parse(text, &context());
        assert_eq!(record.logged_at, None, "{text}");
        assert!(record.flags.contains(Flags::TIME_MISSING));
    }
}

#[test]
fn a_time_ahead_is_kept_and_flagged() {
    let record = parse("2026-11-22T12:05:01Z ERROR x", &context());
    assert!(record.logged_at.is_some() && record.flags.contains(Flags::TIME_FUTURE));
    assert!(parse("2026-11-22T12:05:00Z ERROR x", &context()).flags.is_empty());
}

#[test]
fn a_nul_becomes_visible_everywhere() {
    let record = parse("ERROR [a\0b] - x\0y\n\0z", &context());
    assert_eq!(
        (record.message.as_ref(), record.detail.as_deref()),
        ("x\u{FFFD}y", Some("\u{FFFD}z"))
    );
    assert!(record.flags.contains(Flags::NUL));
    assert!(!serde_json::to_string(&record.fields).unwrap().contains("\\u0000"));
}
