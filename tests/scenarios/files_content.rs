//! Odd content of files: too long, broken, without a year or a zone. (A thousand records
//! with odd ones among them: F12 in `tailing`.)

use std::fs::File;
use std::io::Write as _;

use anyhow::Result;
use logwatch_tests::journal::{Journal, PREFIX};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};

use crate::SOON;

/// F13
#[test]
fn a_line_of_200_megabytes_neither_blinds_nor_bloats_the_tailer() -> Result<()> {
    const MEMORY: u64 = 64 * 1024 * 1024;
    let server = Server::without_worker(&[])?;
    let files = Journal::new("f13", &["app.log"])?;
    let mut file = File::create(files.path("app.log"))?;
    file.write_all(PREFIX.as_bytes())?;
    let part = vec![b'z'; 1 << 20];
    for _ in 0..200 {
        file.write_all(&part)?;
    }
    file.write_all(format!("\n{PREFIX}y\n").as_bytes())?;
    drop(file);
    let tailer = files.follow(&server)?;
    let count = "SELECT count(*) FROM logwatch.entries";
    server.wait_for_sql(SOON * 2, count, "2")?;
    let memory = tailer.peak_memory()?;
    assert!(memory < MEMORY, "{memory} bytes of memory");
    let stored = server.sql(
        "SELECT message = 'y', message ~ '^z+$' AND length(message) BETWEEN 60000 AND 65536, coalesce('truncated' = ANY (flags), false) \
         FROM logwatch.entries ORDER BY id",
    )?;
    assert_eq!(stored, "f|t|t\nt|f|f");
    Ok(())
}

/// F16
#[test]
fn bytes_that_are_no_utf_8_are_stored_with_a_mark_and_a_flag() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f16", &["app.log"])?;
    let mut file = files.open("app.log")?;
    file.write_all(b"ERROR caf\xe9 closed\nERROR caf\xc3\xa9 open\n")?;
    files.expect("caf\u{FFFD} closed");
    files.expect("café open");
    files.once(&server)?;
    files.check(&server)?;
    let flags = server.sql(
        "SELECT message, flags FROM logwatch.entries WHERE flags IS NOT NULL AND flags <> '{time_missing}'",
    )?;
    assert!(
        flags.starts_with("caf\u{FFFD} closed|") && flags.contains("bad_utf8"),
        "{flags}"
    );
    assert_eq!(flags.lines().count(), 1, "{flags}");
    Ok(())
}

/// F17: an hour that comes twice, one that never comes, and a time that says its zone.
#[test]
fn times_without_a_zone_are_those_of_tz() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("f17", &["app.log"])?;
    append(
        &files.path("app.log"),
        &[
            "2026-07-01 12:00:00 ERROR summer",
            "2026-01-01 12:00:00 ERROR winter",
            "2025-10-26 02:30:00 ERROR the first 02:30, or the second",
            "2025-10-26T02:30:00+02:00 ERROR the first 02:30",
            "2025-10-26T02:30:00+01:00 ERROR the second 02:30",
            "2026-03-29 02:30:00 ERROR no such time",
            "2026-01-01T12:00:00Z ERROR says its zone",
        ],
    )?;
    Tailer::once(&server, &files.args(&["--tz", "Europe/Berlin"]))?;
    let stored = server.sql("SELECT message, to_char(logged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM logwatch.entries ORDER BY id")?;
    assert_eq!(
        stored.lines().collect::<Vec<_>>(),
        [
            "summer|2026-07-01 10:00",
            "winter|2026-01-01 11:00",
            "the first 02:30, or the second|2025-10-26 00:30",
            "the first 02:30|2025-10-26 00:30",
            "the second 02:30|2025-10-26 01:30",
            "no such time|2026-03-29 01:30",
            "says its zone|2026-01-01 12:00",
        ]
    );
    Ok(())
}

/// F17: a syslog date is of this year, or of the last one when it would be in the future.
#[test]
fn dates_without_a_year_are_never_in_the_future() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("f17", &["app.log"])?;
    // Yesterday and the day after tomorrow, as syslog writes them: one of them may be beyond a 31
    // December.
    let days = server.sql(
        "SELECT to_char(now() - interval '1 day', 'Mon FMDD'), to_char(now() + interval '2 days', 'Mon FMDD')",
    )?;
    let (yesterday, later) = days.split_once('|').expect("two columns");
    let line = |day: &str, text: &str| {
        let (month, day) = day.split_once(' ').expect("a month and a day");
        format!("{month} {day:>2} 12:00:00 db1 app[7]: ERROR {text}")
    };
    append(
        &files.path("app.log"),
        &[
            line(yesterday, "yesterday"),
            line(later, "last year"),
            line("Dec 31", "new year's eve"),
        ],
    )?;
    Tailer::once(&server, &files.args(&["--tz", "UTC"]))?;
    let years = server.sql(
        "SELECT logged_at <= now() + interval '1 day' AND logged_at > now() - interval '367 days', flags IS NULL, \
         to_char(logged_at AT TIME ZONE 'UTC', 'HH24:MI') FROM logwatch.entries ORDER BY id",
    )?;
    assert_eq!(
        years,
        "t|t|12:00\nt|t|12:00\nt|t|12:00",
        "{}",
        server.sql("SELECT logged_at, message, flags FROM logwatch.entries")?
    );
    Ok(())
}

/// F16: UTF-16, told by its byte order mark
#[test]
fn a_file_in_utf_16_is_read_as_text() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f16", &["app.log"])?;
    for round in 0..2 {
        let text = format!("café closed {round}");
        let mark = if round == 0 { "\u{FEFF}" } else { "" };
        let line: Vec<u8> = format!("{mark}{PREFIX}{text}\n")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        files.open("app.log")?.write_all(&line)?;
        files.expect(&text);
        files.once(&server)?;
        files.check(&server)?;
    }
    Ok(())
}
