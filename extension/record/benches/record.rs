//! Measures single steps of reading a record, per line and per byte: `make bench ONLY=micro`.
//!
//! The lines are those of common programs. Each step gets one whole line, as the tailer and the
//! extension call it.

use divan::Bencher;
use divan::counter::BytesCount;
use jiff::tz::TimeZone;
use logwatch_record::{Context, Level, level, line, parse, pattern};

const PLAIN: &str = "2026-11-22 10:00:00 ERROR order 482913: payment provider answered 503 after 1204 ms";
const LOG4J: &str = "2026-11-22 10:00:00,123 ERROR [http-nio-8080-exec-3] com.example.shop.OrderService - could not write /var/lib/app/data/482913.tmp: No space left on device";
const SYSLOG: &str = "<11>Nov 22 10:00:00 db01 postgres[4711]: FATAL: too many connections";
const JSON: &str = r#"{"time":"2026-11-22T10:00:00.123Z","level":"error","msg":"request failed: timeout after 1204 ms","service":"shop","request_id":"f47ac10b-58cc-4372-a567-0e02b2c3d479"}"#;
const LOGFMT: &str = r#"time=2026-11-22T10:00:00.123Z level=error msg="request failed: timeout after 1204 ms" service=shop request_id=f47ac10b-58cc-4372-a567-0e02b2c3d479"#;
const QUIET: &str = "2026-11-22 10:00:00 INFO job cleanup finished: 482 rows, 0 errors in 1204 ms";
const NO_LEVEL: &str = "GET /api/orders/482913 200 in 1204 ms, user alice from 192.0.2.17";
const TRACE: &str = "\tat com.example.shop.OrderService.commit(OrderService.java:217)";
const TIMES: [&str; 4] = [
    "2026-11-22T10:00:00.123456Z",
    "2026-11-22 10:00:00,123",
    "22/Nov/2026:10:00:00 +0100",
    "Sun Nov 22 10:00:00.123 2026",
];
const ALL: [&str; 7] = [PLAIN, LOG4J, SYSLOG, JSON, LOGFMT, QUIET, NO_LEVEL];

fn main() {
    divan::main();
}

fn context() -> Context {
    Context {
        now: jiff::Timestamp::now(),
        ..Context::of(TimeZone::UTC)
    }
}

/// Returns the level of a line, hit or not.
#[divan::bench(args = ALL)]
fn level_of(bencher: Bencher, line: &str) {
    bencher
        .counter(BytesCount::of_str(line))
        .bench(|| level(divan::black_box(line.as_bytes())));
}

/// Whether a line belongs to the record before it.
#[divan::bench(args = [PLAIN, JSON, TRACE])]
fn continues(bencher: Bencher, text: &str) {
    bencher
        .counter(BytesCount::of_str(text))
        .bench(|| line::continues(divan::black_box(text.as_bytes())));
}

/// Returns all of a record: level, time, message, fields. A plain, a JSON and a logfmt record are
/// read in different ways.
#[divan::bench(args = ALL)]
fn read(bencher: Bencher, line: &str) {
    let context = context();
    bencher
        .counter(BytesCount::of_str(line))
        .bench(|| parse(divan::black_box(line), &context));
}

/// Returns a record of only a time.
#[divan::bench(args = TIMES)]
fn time(bencher: Bencher, line: &str) {
    let context = context();
    bencher
        .counter(BytesCount::of_str(line))
        .bench(|| parse(divan::black_box(line), &context));
}

/// Returns the message with its variable parts masked.
#[divan::bench(args = ALL)]
fn template(bencher: Bencher, message: &str) {
    bencher
        .counter(BytesCount::of_str(message))
        .bench(|| pattern::template(divan::black_box(message)));
}

/// Returns the pattern's fingerprint.
#[divan::bench]
fn fingerprint(bencher: Bencher) {
    bencher
        .counter(BytesCount::of_str(PLAIN))
        .bench(|| pattern::fingerprint(Level::Error, divan::black_box(PLAIN)));
}
