//! The directory is the unit: whatever a file is called, its bytes say which one it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use logwatch_tests::journal::{Journal, numbered};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::stays;

use crate::SOON;

fn run(files: &Journal, program: &str, args: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(args)
        .current_dir(files.dir())
        .status()?;
    ensure!(status.success(), "{program}: {status}");
    Ok(())
}

fn no_gaps(files: &Journal, server: &Server) -> Result<()> {
    assert_eq!(files.gaps(server)?, Vec::<String>::new());
    Ok(())
}

/// logback, svlogd and s6-log compress under a name of another kind.
#[test]
fn the_same_bytes_compressed_under_any_name_are_stored_once() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for follow in [true, false] {
        let mut files = Journal::new(&format!("p1 {follow}"), &["*"])?;
        let tailer = if follow {
            Some(files.follow(&server)?)
        } else {
            None
        };
        for round in 0..4 {
            files.write("app.log", &numbered(&format!("round {round}"), 20))?;
            if follow {
                files.wait(&server, SOON)?;
            } else {
                files.once(&server)?;
            }
            let renamed = format!("app.log.D.{round}49502938.tmp");
            files.rename("app.log", &renamed)?;
            files.write("app.log", &[format!("next {round}")])?;
            files.gzip(&renamed)?;
            files.rename(&format!("{renamed}.gz"), &format!("{round}-app.done"))?;
        }
        if follow {
            files.wait(&server, SOON)?;
            stays(Duration::from_secs(2), "each record once", || {
                Ok(files.stored(&server)? == *files.written())
            })?;
        }
        drop(tailer);
        files.catch_up(&server)?;
        no_gaps(&files, &server)?;
    }
    Ok(())
}

/// F24
#[test]
fn a_file_compressed_by_any_program_while_stopped_is_read_on() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for (program, args) in [
        ("gzip", &["app.log.1"][..]),
        ("xz", &["app.log.1"]),
        ("zstd", &["-q", "--rm", "app.log.1"]),
        ("bzip2", &["app.log.1"]),
    ] {
        let mut files = Journal::new(&format!("f24 {program}"), &["app.log"])?;
        files.write("app.log", &numbered("read", 20))?;
        files.once(&server)?;
        files.write("app.log", &numbered("not read", 20))?;
        files.rename("app.log", "app.log.1")?;
        run(&files, program, args)?;
        files.write("app.log", &numbered("live", 5))?;
        files.catch_up(&server)?;
        no_gaps(&files, &server)?;
    }
    Ok(())
}

/// F23: the target of a link is rotated beside itself.
#[test]
fn a_log_behind_a_link_is_rotated_while_stopped_without_loss() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f23", &["link.log"])?;
    fs::create_dir(files.path("real"))?;
    symlink("real/app.log", files.path("link.log"))?;
    files.write("real/app.log", &numbered("read", 5))?;
    files.once(&server)?;
    files.write("real/app.log", &numbered("not read", 5))?;
    files.rename("real/app.log", "real/app.log.1")?;
    files.write("real/app.log", &numbered("live", 5))?;
    files.catch_up(&server)?;
    no_gaps(&files, &server)
}

/// F27: the link moves to the next dated file, also while stopped, and the old one gets one more
/// line.
#[test]
fn a_link_that_moves_loses_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for follow in [true, false] {
        let mut files = Journal::new(&format!("f27 {follow}"), &["current.log"])?;
        let tailer = if follow {
            Some(files.follow(&server)?)
        } else {
            None
        };
        for day in 10..16 {
            let name = format!("app-2026-11-{day}.log");
            files.write(&name, &numbered(&format!("day {day}"), 10))?;
            symlink(&name, files.path("new"))?;
            files.rename("new", "current.log")?;
            if day > 10 {
                files.write(&format!("app-2026-11-{}.log", day - 1), &[format!("late {day}")])?;
            }
            match follow {
                true => files.wait(&server, SOON)?,
                false => files.once(&server)?,
            }
        }
        drop(tailer);
        files.catch_up(&server)?;
        no_gaps(&files, &server)?;
    }
    Ok(())
}

/// F26
#[test]
fn files_rotated_to_another_directory_are_read_there() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f26", &["app.log"])?;
    fs::create_dir(files.path("old"))?;
    let old = files.path("old").display().to_string();
    let once =
        |files: &Journal| logwatch_tests::tailer::Tailer::once(&server, &files.args(&["--rotated-to", &old]));
    files.write("app.log", &numbered("read", 5))?;
    once(&files)?;
    files.write("app.log", &numbered("not read", 5))?;
    files.rename("app.log", "old/app.log.1")?;
    files.write("app.log", &numbered("second", 5))?;
    files.rename("old/app.log.1", "old/app.log.2")?;
    files.rename("app.log", "old/app.log.1")?;
    files.write("app.log", &numbered("live", 5))?;
    for _ in 0..2 {
        assert_eq!(once(&files)?, "");
        files.check(&server)?;
    }
    no_gaps(&files, &server)
}

/// Rotates twice while stopped, under a suffix that gives no order.
#[test]
fn files_of_the_same_kind_of_name_as_a_proved_one_are_read() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("p5", &["app.log"])?;
    files.write("app.log", &numbered("read", 5))?;
    files.once(&server)?;
    files.write("app.log", &numbered("not read", 5))?;
    files.rename("app.log", "app.log.1.x")?;
    for round in 0..3 {
        files.write("app.log", &numbered(&format!("round {round}"), 5))?;
        for n in (1..=round + 1).rev() {
            files.rename(&format!("app.log.{n}.x"), &format!("app.log.{}.x", n + 1))?;
        }
        files.rename("app.log", "app.log.1.x")?;
    }
    files.write("app.log", &numbered("live", 5))?;
    files.catch_up(&server)?;
    no_gaps(&files, &server)
}

#[test]
fn what_lies_beside_current_is_its_rotation() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("p6", &["current"])?;
    files.write("current", &numbered("first", 5))?;
    files.once(&server)?;
    for round in 0..4 {
        files.write("current", &numbered(&format!("round {round}"), 5))?;
        files.rename("current", &format!("@400000006928f0b{round}1a2b3c4d.s"))?;
    }
    files.write("current", &numbered("live", 5))?;
    files.catch_up(&server)?;
    no_gaps(&files, &server)
}

#[test]
fn deleting_what_was_read_to_its_end_is_no_gap() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("p3", &["app-*.log"])?;
    for day in 10..16 {
        files.write(
            &format!("app-2026-11-{day}.log"),
            &numbered(&format!("day {day}"), 5),
        )?;
        files.once(&server)?;
        if day > 12 {
            fs::remove_file(files.path(&format!("app-2026-11-{}.log", day - 2)))?;
        }
    }
    files.catch_up(&server)?;
    no_gaps(&files, &server)
}

#[test]
fn archives_are_named_and_not_read() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("p8", &["*"])?;
    files.write("app.log", &numbered("live", 50))?;
    run(&files, "tar", &["-czf", "app.1.tar.gz", "app.log"])?;
    let said = files.once_warned(&server)?;
    assert!(said.contains("a tar archive"), "{said:?}");
    files.check(&server)?;
    let mut excluded = files.args(&["--exclude", "*.tar.gz"]);
    excluded.push("--once".into());
    assert_eq!(
        logwatch_tests::tailer::Tailer::once(&server, &excluded[..excluded.len() - 1])?,
        ""
    );
    files.check(&server)
}

#[test]
fn the_gap_of_a_file_in_an_archive_names_the_archive() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("p8", &["app.log"])?;
    files.write("app.log", &numbered("read", 20))?;
    files.once(&server)?;
    logwatch_tests::tailer::append(&files.path("app.log"), &numbered("ERROR packed", 5))?;
    let _writer = files.open("app.log")?;
    fs::remove_file(files.path("app.log"))?;
    fs::write(
        files.path("app.log.1.zip"),
        b"PK\x03\x04 and what zip makes of it",
    )?;
    files.write("app.log", &numbered("new", 20))?;
    let said = files.once_warned(&server)?;
    let archive = files.path("app.log.1.zip").display().to_string();
    let reason = format!("removed; {archive} is a zip archive, which is not read");
    assert_eq!(files.gaps(&server)?, [reason]);
    assert!(said.contains("is a zip archive, which is not read"), "{said:?}");
    files.check(&server)
}

#[test]
fn one_log_in_several_formats_is_named_at_the_start() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("p8", &["*"])?;
    files.write("postgresql-1.log", &numbered("one", 5))?;
    files.write("postgresql-1.csv", &numbered("two", 5))?;
    let said = files.once_warned(&server)?;
    assert!(said.contains("seem to be one log in several formats"), "{said:?}");
    assert!(said.contains("postgresql-1.csv, "), "{said:?}");
    files.check(&server)
}

/// Stores the first record of the file that took the name at once.
#[test]
fn the_first_record_after_a_rotation_is_stored_at_once() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("p2", &["app.log"])?;
    files.write("app.log", &["before"])?;
    let tailer = files.follow(&server)?;
    files.wait(&server, SOON)?;
    // Without the look at once each of them waits for the next one, 0.7 s later. A busy machine may
    // keep some of them waiting.
    let mut late = Vec::new();
    while late.iter().all(|took| *took >= 0.3) {
        let round = late.len();
        ensure!(round < 20, "{late:?}");
        files.shift("app.log")?;
        files.rename("app.log", "app.log.1")?;
        fs::write(files.path("app.log"), "")?;
        std::thread::sleep(Duration::from_millis(300));
        let before = server.sql("SELECT clock_timestamp()")?;
        files.write("app.log", &[format!("first {round}")])?;
        files.wait(&server, SOON)?;
        let took: f64 = server
            .sql(&format!(
                "SELECT extract(epoch FROM received_at - '{before}') FROM logwatch.entries WHERE message = 'first {round}'"
            ))?
            .parse()?;
        late.push(took);
    }
    drop(tailer);
    Ok(())
}

#[test]
fn more_files_than_may_be_open_are_all_read_on() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("many", &["*.log"])?;
    let names: Vec<String> = (0..200).map(|n| format!("{n}.log")).collect();
    for name in &names {
        files.write(name, &[format!("first of {name}")])?;
    }
    let tailer = Tailer::command(&server, &files.args(&[]))?;
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""])
        .arg(tailer.get_program())
        .args(tailer.get_args())
        .envs(server.env());
    let tailer = Tailer::spawn(limited)?;
    files.wait(&server, SOON * 2)?;
    for name in &names {
        files.write(name, &[format!("second of {name}")])?;
    }
    files.wait(&server, SOON * 2)?;
    ensure!(tailer.open_files()? <= 64, "{}", tailer.open_files()?);
    assert_eq!(tailer.output(), "");
    no_gaps(&files, &server)
}
