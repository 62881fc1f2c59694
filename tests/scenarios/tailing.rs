//! From file to row exactly once: rotation, two tailers, odd bytes. Kills on either side are in
//! `files_crashes`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::{PROMPTLY, SOON};

const COUNT: &str = "SELECT count(*) FROM logwatch.entries";

/// Lines `ERROR line FROM` to `ERROR line TO`.
fn lines(from: usize, to: usize) -> Vec<String> {
    (from..=to)
        .map(|n| format!("2026-11-22 10:00:00 ERROR line {n}"))
        .collect()
}

/// Demands that lines 1 to `n` are stored, each once and in order.
fn expect_lines(server: &Server, n: usize) -> Result<()> {
    let stored = server.sql("SELECT message FROM logwatch.entries ORDER BY id")?;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for message in stored.lines() {
        *seen.entry(message).or_default() += 1;
    }
    let wrong: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "stored more than once: {wrong:?}");
    let expected: Vec<String> = (1..=n).map(|i| format!("line {i}")).collect();
    let missing: Vec<_> = expected
        .iter()
        .filter(|line| !seen.contains_key(line.as_str()))
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!(seen.len(), n, "rows that nobody wrote");
    Ok(())
}

fn follow(server: &Server, log: &Path) -> Result<Tailer> {
    Tailer::start(server, &["--source", "app", &log.display().to_string()])
}

/// Renames as logrotate does: app.log.1 becomes app.log.2, app.log becomes app.log.1. The writer
/// keeps its handle for a moment and writes `last` through it; `first` goes to the new file.
fn rotate(log: &Path, last: &[String], first: &[String]) -> Result<()> {
    let name = |n: usize| log.with_file_name(format!("app.log.{n}"));
    let mut old = File::options().append(true).open(log)?;
    for n in (1..9).rev().filter(|n| name(*n).exists()) {
        fs::rename(name(n), name(n + 1))?;
    }
    fs::rename(log, name(1))?;
    writeln!(old, "{}", last.join("\n"))?;
    append(log, first)
}

#[test]
fn rotation_by_rename_loses_and_repeats_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &lines(1, 10))?;
    let tailer = follow(&server, &log)?;
    for round in 1..=5 {
        server
            .wait_for_sql(SOON, COUNT, &(round * 10).to_string())
            .with_context(|| tailer.output())?;
        rotate(
            &log,
            &lines(round * 10 + 1, round * 10 + 5),
            &lines(round * 10 + 6, round * 10 + 10),
        )?;
    }
    server
        .wait_for_sql(SOON, COUNT, "60")
        .with_context(|| tailer.output())?;
    expect_lines(&server, 60)
}

#[test]
fn two_rotations_in_a_row_lose_and_repeat_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &lines(1, 10))?;
    let tailer = follow(&server, &log)?;
    server.wait_for_sql(SOON, COUNT, "10")?;
    rotate(&log, &lines(11, 15), &lines(16, 20))?;
    rotate(&log, &lines(21, 25), &lines(26, 30))?;
    server
        .wait_for_sql(SOON, COUNT, "30")
        .with_context(|| tailer.output())?;
    expect_lines(&server, 30)
}

#[test]
fn once_from_cron_goes_on_where_the_last_run_ended() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    let args = ["--source", "app", &log.display().to_string()];
    for round in 0..4 {
        append(&log, &lines(round * 5 + 1, round * 5 + 5))?;
        for _ in 0..2 {
            assert_eq!(Tailer::once(&server, &args)?, "", "silent when all is well");
        }
        if round == 1 {
            fs::rename(&log, files.path().join("app.log.1"))?;
        }
    }
    expect_lines(&server, 20)
}

#[test]
fn a_second_tailer_takes_the_source_over() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &lines(1, 10))?;
    let mut first = follow(&server, &log)?;
    server.wait_for_sql(SOON, COUNT, "10")?;
    let _second = follow(&server, &log)?;
    server.wait_for_sql(SOON, "SELECT epoch FROM logwatch.sources", "2")?;
    append(&log, &lines(11, 20))?;
    assert_eq!(first.wait(SOON * 2)?.code(), Some(75), "{}", first.output());
    server.wait_for_sql(SOON, COUNT, "20")?;
    expect_lines(&server, 20)
}

/// F21
#[test]
fn sigterm_ends_the_tailer_promptly_with_and_without_a_database() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &lines(1, 10))?;
    for database in [true, false] {
        let mut tailer = follow(&server, &log)?;
        server.wait_for_sql(SOON, COUNT, "10")?;
        if !database {
            server.stop(Stop::Fast)?;
            append(&log, &lines(11, 20))?;
            wait_until(SOON, "a word about the lost database", || {
                Ok(!tailer.output().is_empty())
            })?;
        }
        let (status, took) = tailer.terminate()?;
        assert!(took < PROMPTLY, "it took {took:?}");
        assert!(status.success(), "{status}: {}", tailer.output());
    }
    Ok(())
}

/// F12
#[test]
fn odd_bytes_cost_no_other_record() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    let mut file = File::create(&log)?;
    for n in 0..1000 {
        match n {
            100 => file.write_all(b"ERROR with a \0 in it\n")?,
            200 => file.write_all(b"ERROR with \xff\xfe bad bytes\n")?,
            300 => writeln!(file, "ERROR {}", "x".repeat(10_000_000))?,
            _ => writeln!(file, "ERROR record {n}")?,
        }
    }
    writeln!(file, "\n\n")?;
    Tailer::once(&server, &["--source", "app", &log.display().to_string()])?;
    assert_eq!(server.sql(COUNT)?, "1000");
    let plain =
        server.sql("SELECT message FROM logwatch.entries WHERE message LIKE 'record %' ORDER BY id")?;
    let expected: Vec<String> = (0..1000)
        .filter(|n| ![100, 200, 300].contains(n))
        .map(|n| format!("record {n}"))
        .collect();
    assert_eq!(plain.lines().collect::<Vec<_>>(), expected);
    for flag in ["nul", "bad_utf8", "truncated"] {
        let flagged = server.sql(&format!(
            "SELECT count(*) FROM logwatch.entries WHERE '{flag}' = ANY (flags)"
        ))?;
        assert_eq!(flagged, "1", "{flag}");
    }
    Ok(())
}

#[test]
fn a_stack_trace_is_one_record() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(
        &log,
        &[
            "2026-11-22 10:00:00,123 ERROR [main] shop.Pay - payment failed",
            "java.lang.IllegalStateException: no money",
            "\tat shop.Pay.run(Pay.java:7)",
            "Caused by: java.io.IOException: ERROR 500",
            "\t... 3 more",
            "2026-11-22 10:00:01,000 INFO [main] shop.Pay - next",
        ],
    )?;
    Tailer::once(&server, &["--source", "app", &log.display().to_string()])?;
    let stored = server
        .sql("SELECT count(*), max(message), max(detail) LIKE '%Caused by%3 more' FROM logwatch.entries")?;
    assert!(
        stored.starts_with("1|") && stored.contains("payment failed") && stored.ends_with("|t"),
        "{stored}"
    );
    Ok(())
}

#[test]
fn a_role_that_loses_its_grant_is_told_and_the_servers_log_is_not_flooded() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("CREATE ROLE feeder LOGIN")?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &lines(1, 3))?;
    let mut command = Tailer::command(&server, &["--source", "app", &log.display().to_string()])?;
    let output = command.env("PGUSER", "feeder").output()?;
    assert_eq!(
        output.status.code(),
        Some(77),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        server.log().matches("permission denied").count() <= 3,
        "{}",
        server.log()
    );
    Ok(())
}
