//! The input `journal:`, read by the real `journalctl`.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use logwatch_tests::server::Server;
use logwatch_tests::systemd_journal::SystemdJournal;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;

use crate::{PROMPTLY, SOON};

const STORED: &str = "SELECT message FROM logwatch.entries ORDER BY id";
const GAPS: &str = "SELECT path, to_byte - from_byte, reason FROM logwatch.gaps ORDER BY id";

fn tailer(server: &Server, journal: &SystemdJournal, args: &[&str]) -> Result<Command> {
    let mut command = Tailer::command(server, &["--source", "journal"])?;
    command
        .env("PATH", journal.search_path())
        .args(args)
        .arg("journal:");
    Ok(command)
}

/// Runs it to the journal's end; it must succeed. Returns what it prints.
fn once(server: &Server, journal: &SystemdJournal, more: &[&str]) -> Result<String> {
    let output = tailer(server, journal, &[&["--once"], more].concat())?.output()?;
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{}: {printed}", output.status);
    Ok(printed)
}

/// `TAG 0` and so on, all errors.
fn errors(tag: &str, count: usize) -> Vec<(u8, &'static str, String)> {
    (0..count).map(|n| (3, "shop", format!("{tag} {n}"))).collect()
}

fn messages(lines: &[(u8, &str, String)]) -> Vec<String> {
    lines.iter().map(|(_, _, message)| message.clone()).collect()
}

#[test]
fn the_journal_is_read_on_from_its_cursor() -> Result<()> {
    let Some(mut journal) = SystemdJournal::new()? else {
        return Ok(());
    };
    let server = Server::without_worker(&[])?;
    journal.append(&[
        (3, "shop", &b"disk is failing"[..]),
        (6, "shop", b"all is well"),
        (2, "kernel", b"out of memory"),
        (3, "trace", b"first\nsecond"),
        // journalctl prints these bytes as an array of numbers.
        (3, "shop", b"\x1b[31mred\x1b[0m alarm"),
    ])?;
    assert_eq!(once(&server, &journal, &[])?, "");
    assert_eq!(
        server.sql(
            "SELECT level, message, detail, logged_at > now() - interval '10 minutes' FROM logwatch.entries ORDER BY id"
        )?,
        "ERROR|disk is failing||t\nFATAL|out of memory||t\nERROR|first|second|t\nERROR|\u{1b}[31mred\u{1b}[0m alarm||t"
    );
    assert_eq!(once(&server, &journal, &[])?, "");
    journal.append(&[(6, "shop", "all is well")])?;
    assert_eq!(once(&server, &journal, &[])?, "");
    journal.append(&[(3, "shop", "disk has failed")])?;
    assert_eq!(once(&server, &journal, &[])?, "");
    assert_eq!(
        server.sql(STORED)?,
        "disk is failing\nout of memory\nfirst\n\u{1b}[31mred\u{1b}[0m alarm\ndisk has failed"
    );
    assert_eq!(server.sql(GAPS)?, "");
    Ok(())
}

/// Each kill comes at another moment of storing 500 lines.
#[test]
fn a_killed_reader_of_the_journal_loses_and_repeats_nothing() -> Result<()> {
    let Some(mut journal) = SystemdJournal::new()? else {
        return Ok(());
    };
    let server = Server::without_worker(&[])?;
    let mut expected = Vec::new();
    for round in 0..6 {
        let mut running = Tailer::spawn(tailer(&server, &journal, &[])?)?;
        let lines = errors(&format!("round {round}"), 500);
        journal.append(&lines)?;
        expected.extend(messages(&lines));
        let some = expected.len() - 500 + 80 * round;
        wait_until(SOON, "some records", || {
            Ok(server
                .sql("SELECT count(*) FROM logwatch.entries")?
                .parse::<usize>()?
                >= some)
        })
        .with_context(|| running.output())?;
        running.kill()?;
    }
    assert_eq!(once(&server, &journal, &[])?, "");
    assert_eq!(server.sql(STORED)?.lines().collect::<Vec<_>>(), expected);
    assert_eq!(server.sql(GAPS)?, "");
    Ok(())
}

#[test]
fn a_reader_of_the_journal_stops_together_with_journalctl() -> Result<()> {
    let Some(mut journal) = SystemdJournal::new()? else {
        return Ok(());
    };
    let server = Server::without_worker(&[])?;
    journal.append(&errors("line", 1))?;
    let mut running = Tailer::spawn(tailer(&server, &journal, &[])?)?;
    wait_until(SOON, "the record", || Ok(server.sql(STORED)? == "line 0"))
        .with_context(|| running.output())?;
    let child = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", running.pid()))?;
    let child: i32 = child.trim().parse()?;
    // systemd sends both the signal, in any order.
    // SAFETY: kill only sends a signal, to a child of a process of this test.
    unsafe { libc::kill(child, libc::SIGTERM) };
    let (status, took) = running.terminate()?;
    ensure!(status.success(), "{status}: {}", running.output());
    ensure!(took < PROMPTLY, "SIGTERM took {took:?}");
    assert_eq!(running.output(), "");
    Ok(())
}

/// `journalctl --after-cursor` would skip the first line that is left (systemd 252).
#[test]
fn lines_that_the_journal_deleted_are_a_gap() -> Result<()> {
    let Some(mut journal) = SystemdJournal::new()? else {
        return Ok(());
    };
    let server = Server::without_worker(&[])?;
    journal.append(&errors("old", 2))?;
    assert_eq!(once(&server, &journal, &[])?, "");
    journal.vacuum()?;
    journal.append(&errors("new", 2))?;
    let reason =
        "the journal has deleted the last line that was read, and perhaps lines after it that were not";
    let printed = once(&server, &journal, &[])?;
    ensure!(printed.contains(reason), "{printed}");
    assert_eq!(once(&server, &journal, &[])?, "");
    assert_eq!(server.sql(STORED)?, "old 0\nold 1\nnew 0\nnew 1");
    assert_eq!(server.sql(GAPS)?, format!("journal:|0|{reason}"));
    Ok(())
}

#[test]
fn from_the_end_of_the_journal_each_run_goes_on() -> Result<()> {
    let Some(mut journal) = SystemdJournal::new()? else {
        return Ok(());
    };
    let server = Server::without_worker(&[])?;
    journal.append(&errors("old", 3))?;
    assert_eq!(once(&server, &journal, &["--from-end"])?, "");
    journal.append(&errors("new", 2))?;
    assert_eq!(once(&server, &journal, &["--from-end"])?, "");
    assert_eq!(server.sql(STORED)?, "new 0\nnew 1");
    Ok(())
}

#[test]
fn check_reads_the_journal() -> Result<()> {
    let Some(mut journal) = SystemdJournal::new()? else {
        return Ok(());
    };
    let server = Server::without_worker(&[])?;
    let check = |journal: &SystemdJournal| -> Result<String> {
        let output = tailer(&server, journal, &["--check"])?.output()?;
        Ok(String::from_utf8(output.stdout)?
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned())
    };
    assert_eq!(
        check(&journal)?,
        "note  the journal has no lines that this user may read"
    );
    journal.append(&errors("line", 1))?;
    assert_eq!(check(&journal)?, "ok    journalctl reads the journal");
    Ok(())
}
