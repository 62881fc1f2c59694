//! Files that no run of the tailer has seen under their own name, and files that look like others:
//! what is nobody's stays so, what was missed is found, and nothing is read twice.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use logwatch_tests::journal::{Journal, numbered};
use logwatch_tests::server::Server;

use crate::SOON;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Files that were rotated before the first run are not read, compressed later or not.
#[test]
fn what_was_rotated_before_the_first_run_is_left_alone() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("missed", &["app.log"])?;
    for name in ["app.log.2", "app.log.1"] {
        writeln!(
            files.open(name)?,
            "2026-11-22 09:00:00 ERROR before logwatch in {name}"
        )?;
    }
    files.gzip("app.log.2")?;
    files.write("app.log", &numbered("first", 5))?;
    files.once(&server)?;
    files.check(&server)?;
    files.gzip("app.log.1")?;
    files.shift("app.log")?;
    files.write("app.log", &numbered("second", 5))?;
    files.rename("app.log", "app.log.1")?;
    files.write("app.log", &numbered("third", 5))?;
    files.catch_up(&server)
}

#[test]
fn a_file_rotated_while_the_last_run_saw_an_empty_one_is_read() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for known in [true, false] {
        let mut files = Journal::new(&format!("missed {known}"), &["app.log"])?;
        if known {
            files.write("app.log", &numbered("done", 5))?;
            files.once(&server)?;
            files.rename("app.log", "app.log.1")?;
        }
        files.open("app.log")?;
        files.once(&server)?;
        for round in ["missed", "missed too"] {
            files.write("app.log", &numbered(round, 5))?;
            files.shift("app.log")?;
            files.rename("app.log", "app.log.1")?;
        }
        files.gzip("app.log.2")?;
        files.write("app.log", &numbered("live", 5))?;
        files.catch_up(&server)?;
        assert_eq!(files.gaps(&server)?, Vec::<String>::new());
    }
    Ok(())
}

/// The names of rotating-file-stream (npm), WebLogic and log4net.
#[test]
fn a_file_that_went_to_a_name_of_another_shape_is_read() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for (shape, name) in [
        (
            "date first",
            (|n| format!("20261128-0101-0{n}-app.log")) as fn(u8) -> String,
        ),
        ("number", |n| format!("app.log0000{n}")),
        ("date", |n| format!("app.log2026112{n}")),
    ] {
        let mut files = Journal::new(shape, &["app.log"])?;
        writeln!(files.open(&name(1))?, "2026-11-28 01:01:00 ERROR before logwatch")?;
        files.open("app.log")?;
        files.once(&server)?;
        for number in 2..5 {
            files.write("app.log", &numbered(&format!("file {number}"), 5))?;
            files.rename("app.log", &name(number))?;
        }
        files.gzip(&name(3))?;
        files.write("app.log", &numbered("live", 5))?;
        files.catch_up(&server)?;
        assert_eq!(files.gaps(&server)?, Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn late_lines_of_a_renamed_file_are_read() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for empty in [true, false] {
        let mut files = Journal::new(&format!("late {empty}"), &["app.log"])?;
        let mut writer = files.open("app.log")?;
        if !empty {
            files.write_to(&mut writer, &numbered("early", 5))?;
        }
        files.once(&server)?;
        files.rename("app.log", "app.log.1")?;
        files.write("app.log", &numbered("live", 5))?;
        // This run reads the renamed file to its end.
        files.once(&server)?;
        files.check(&server)?;
        files.write_to(&mut writer, &numbered("late", 5))?;
        files.catch_up(&server)?;
    }
    Ok(())
}

/// Renamed while empty, written to through the old handle and compressed at once: the plain and the
/// compressed file are the same.
#[test]
fn a_file_compressed_right_after_its_first_lines_is_read_once() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("twin", &["app.log*"])?;
    files.write("app.log", &["first"])?;
    let tailer = files.follow(&server)?;
    files.wait(&server, SOON)?;
    for round in 0..8 {
        files.shift("app.log")?;
        files.rename("app.log", "app.log.1")?;
        let mut writer = files.open("app.log")?;
        files.shift("app.log")?;
        files.rename("app.log", "app.log.1")?;
        files.write_to(&mut writer, &numbered(&format!("round {round}"), 5))?;
        drop(writer);
        files.gzip("app.log.1")?;
        files.write("app.log", &[format!("live {round}")])?;
        if round % 2 == 0 {
            files.wait(&server, SOON)?;
        }
    }
    files.wait(&server, SOON)?;
    drop(tailer);
    files.catch_up(&server)
}

/// Files that all begin with the same line: that line proves nothing.
#[test]
fn a_truncated_file_is_not_taken_for_an_older_one_with_the_same_first_line() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("header", &["app.log"])?;
    let open =
        |files: &Journal| -> Result<()> { Ok(writeln!(files.open("app.log")?, "=== log opened ===")?) };
    open(&files)?;
    files.write("app.log", &numbered("first", 5))?;
    files.once(&server)?;
    files.rename("app.log", "app.log.1")?;
    open(&files)?;
    let tailer = files.follow(&server)?;
    let read = "SELECT count(*) FROM logwatch.files WHERE state = 'open' AND next_byte = 19";
    server.wait_for_sql(SOON, read, "1")?;
    files.truncate("app.log")?;
    files.write("app.log", &numbered("second", 5))?;
    files.wait(&server, SOON)?;
    drop(tailer);
    open(&files)?;
    files.shift("app.log")?;
    files.rename("app.log", "app.log.1")?;
    open(&files)?;
    files.write("app.log", &numbered("third", 5))?;
    files.shift("app.log")?;
    files.rename("app.log", "app.log.1")?;
    files.gzip("app.log.1")?;
    open(&files)?;
    files.catch_up(&server)
}

/// People copy log files, too.
#[test]
fn a_copy_is_not_read_when_the_file_itself_is_gone() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for input in ["app.log", "app.log*"] {
        let mut files = Journal::new(&format!("copy of {input}"), &[input])?;
        files.write("app.log", &numbered("first", 5))?;
        files.once(&server)?;
        fs::copy(files.path("app.log"), files.path("app.log.9"))?;
        files.age("app.log.9", DAY)?;
        files.once(&server)?;
        files.check(&server)?;
        files.write("app.log", &numbered("second", 5))?;
        files.once(&server)?;
        fs::remove_file(files.path("app.log"))?;
        files.write("app.log", &numbered("third", 5))?;
        files.once_warned(&server)?;
        files.check(&server)?;
    }
    Ok(())
}

/// Retention deletes what is old, not the knowledge of what has been read.
#[test]
fn maintenance_does_not_make_an_old_file_new() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("old", &["app.log*"])?;
    files.write("app.log", &numbered("first", 5))?;
    files.once(&server)?;
    files.rename("app.log", "app.log.1")?;
    files.write("app.log", &numbered("second", 5))?;
    files.once(&server)?;
    server.sql("UPDATE logwatch.files SET updated_at = now() - interval '400 days'")?;
    server.sql("SELECT logwatch_maintain()")?;
    files.once(&server)?;
    files.check(&server)?;
    // A file that was deleted after it was read is forgotten some day.
    fs::remove_file(files.path("app.log.1"))?;
    files.once(&server)?;
    let states = "SELECT string_agg(state, ' ' ORDER BY first_seen) FROM logwatch.files";
    assert_eq!(server.sql(states)?, "removed open");
    server.sql("UPDATE logwatch.files SET updated_at = now() - interval '400 days'")?;
    server.sql("SELECT logwatch_maintain()")?;
    assert_eq!(server.sql(states)?, "open");
    Ok(())
}
