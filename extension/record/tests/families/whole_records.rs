//! Records of several lines, odd times, lengths and bytes.

use logwatch_record::{Flags, Level, MAX_MESSAGE, parse};

use crate::{all, context};

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
fn a_json_object_over_several_lines_is_one_record() {
    let text = "{\n  \"time\": \"2026-11-22T09:00:00Z\",\n  \"level\": \"error\",\n  \"msg\": \"x\",\n  \"order\": {\n    \"id\": 7\n  }\n}";
    let record = parse(text, &context());
    assert_eq!(record.level, Some(Level::Error));
    assert_eq!(record.logged_at.unwrap().to_string(), "2026-11-22T09:00:00Z");
    assert_eq!((record.message.as_ref(), record.detail), ("x", None));
    assert_eq!(
        serde_json::to_string(&record.fields).unwrap(),
        r#"{"order":{"id":7}}"#
    );
    let record = parse("{\n  \"level\": \"error\"\n}", &context());
    assert_eq!(record.message, "{ \"level\": \"error\" }");
    assert_eq!(parse("{\n  error: ENOENT\n}", &context()).level, None);
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
fn a_bare_trace_of_python_is_its_exception() {
    let worker = "Traceback (most recent call last):\n  File \"ok.py\", line 4, in application\n    raise ValueError('x')\nValueError: no such order";
    let record = parse(worker, &context());
    assert_eq!(record.level, Some(Level::Error));
    assert_eq!(record.message, "ValueError: no such order");
    assert_eq!(record.detail.as_deref(), Some(worker));
    let record_level = |text: &str| parse(text, &context()).level;
    assert_eq!(
        record_level(&worker.replace("application", "<module>")),
        Some(Level::Fatal)
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
fn a_date_in_two_orders_far_from_now_is_flagged() {
    let flags = |text: &str| parse(text, &context()).flags;
    assert_eq!(flags("03/12/2025 10:00:00 ERROR x"), Flags::TIME_DOUBTFUL);
    assert_eq!(flags("11/22/2026 10:00:00 ERROR x"), Flags::empty());
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
