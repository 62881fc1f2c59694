//! Node's libraries that rotate, from the npm registry: `rotate.cjs` logs through them.

use super::Mode::{Down, Once};
use super::Row;
use super::languages::library;
use super::writers::Clock::{Always, Seconds};
use super::writers::{Clock, Rotator};
use crate::programs;

const LIVE: &[&str] = &["log/app.log"];
const FAMILY: &[&str] = &["log/app*"];
const ALL: &[&str] = &["log/*"];
const LINK: &[&str] = &["log/current.log"];

/// Returns a row of a library with its own options, in JSON.
fn node(library: &str, name: &str, patterns: &'static [&'static str], clock: Clock, options: &str) -> Row {
    let script = programs::checkout().join("tests/src/rotators/rotate.cjs");
    let script = script.display().to_string();
    let command = ["node", &script, library, "{}/log", options];
    let command = command.map(str::to_owned).to_vec();
    Row::new(
        &format!("{library} {name}"),
        patterns,
        Rotator::Program { command, clock },
    )
}

fn winston_daily_rotate_file() -> Vec<Row> {
    const SECONDS: &str = r#""datePattern":"YYYYMMDD-HHmmss""#;
    const SIZE: &str = r#""datePattern":"YYYY-MM-DD","maxSize":"4k""#;
    const GZIP: &str = r#","zippedArchive":true"#;
    const WITH_LINK: &str = r#","createSymlink":true"#;
    const DATED: &[&str] = &["log/app-*"];
    let row = |name: &str, patterns, clock, options: &str, more: &str| {
        let options = format!(r#"{{"filename":"app-%DATE%.log",{options}{more}}}"#);
        node("winston-daily-rotate-file", name, patterns, clock, &options)
    };
    vec![
        row("gz *", ALL, Seconds(1), SECONDS, GZIP),
        row("dates", &["log/app-*.log"], Seconds(1), SECONDS, ""),
        row("link", LINK, Seconds(1), SECONDS, WITH_LINK),
        row("maxFiles", ALL, Seconds(1), SECONDS, r#","maxFiles":3"#).destroys(&[Down]),
        row("size gz", DATED, Always, SIZE, GZIP),
        row("size link", LINK, Always, SIZE, WITH_LINK),
    ]
}

fn winston() -> Vec<Row> {
    const TAILABLE: &str = r#","tailable":true,"maxFiles":20,"zippedArchive":true"#;
    let row = |name: &str, patterns, more: &str| {
        let options = format!(r#"{{"filename":"app.log","maxsize":4096{more}}}"#);
        node("winston", name, patterns, Always, &options)
    };
    // For all that their names say, app1.log and app2.log may be two logs.
    let deleting = |name: &str, more: &str| {
        let row = row(name, &["log/app*.log"], more);
        row.destroys(&[Down]).unsure(&[Once])
    };
    vec![
        row("tailable gz", FAMILY, TAILABLE),
        row("forward", &["log/app*.log"], ""),
        deleting("forward maxFiles", r#","maxFiles":3"#),
        deleting("tailable maxFiles", r#","tailable":true,"maxFiles":3"#),
    ]
}

fn rotating_file_stream() -> Vec<Row> {
    let row = |name: &str, patterns, clock, options: &str| {
        node("rotating-file-stream", name, patterns, clock, options)
    };
    const DATED: &[&str] = &["log/*app.log*"];
    const CLASSICAL: &str = r#"{"size":"4K","rotate":20,"compress":"gzip"}"#;
    vec![
        row(
            "maxFiles",
            &["log/*app.log"],
            Always,
            r#"{"size":"4K","maxFiles":3}"#,
        )
        .destroys(&[Down]),
        row("gz", DATED, Always, r#"{"size":"4K","compress":"gzip"}"#),
        row("interval", LIVE, Seconds(1), r#"{"interval":"1s"}"#),
        row("classical gz", FAMILY, Always, CLASSICAL),
    ]
}

fn pino_roll() -> Vec<Row> {
    const NUMBERS: &[&str] = &["log/app.*.log"];
    let row = |name: &str, patterns, clock, options: &str| node("pino-roll", name, patterns, clock, options);
    vec![
        row("link", LINK, Always, r#"{"size":"4k","symlink":true}"#),
        row("limit", NUMBERS, Always, r#"{"size":"4k","limit":{"count":3}}"#).destroys(&[Down]),
        row("frequency", NUMBERS, Seconds(1), r#"{"frequency":1000}"#),
    ]
}

fn log4js() -> Vec<Row> {
    const SIZE: &str = r#""type":"file","maxLogSize":4096"#;
    const DATE: &str = r#""type":"dateFile","pattern":"yyyy-MM-dd-hh-mm-ss","numBackups":20,"compress":true"#;
    const DATE_LAST: &str = r#","alwaysIncludePattern":true,"keepFileExt":true"#;
    let row = |name: &str, patterns, clock, kind: &str, more: &str| {
        node("log4js", name, patterns, clock, &format!("{{{kind}{more}}}"))
    };
    vec![
        row(
            "gz",
            FAMILY,
            Always,
            SIZE,
            r#","backups":20,"compress":true,"keepFileExt":true"#,
        ),
        row("size 2", LIVE, Always, SIZE, r#","backups":2"#).destroys(&[Down]),
        row("date gz", LIVE, Seconds(1), DATE, ""),
        row("date in all names", FAMILY, Seconds(1), DATE, DATE_LAST),
    ]
}

fn bunyan() -> Vec<Row> {
    let options = r#"{"period":"1000ms","count":60}"#;
    vec![node("bunyan", "live", LIVE, Seconds(1), options)]
}

/// Returns the rows of each library.
pub fn libraries() -> Vec<Vec<Row>> {
    if !library("node/rotators/node_modules") {
        return Vec::new();
    }
    vec![
        winston_daily_rotate_file(),
        winston(),
        rotating_file_stream(),
        pino_roll(),
        log4js(),
        bunyan(),
    ]
}
