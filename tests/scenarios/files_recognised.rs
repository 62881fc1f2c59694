//! Which file is which: a file is known by its bytes, so a reused inode, a copy, a restored or a
//! compressed file is never taken for another one and never read twice.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use logwatch_tests::journal::{Journal, numbered};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::stays;

use crate::SOON;

/// F1: whatever inode the new file gets, the old offset is not its offset.
#[test]
fn a_new_file_larger_than_the_old_offset_is_read_from_its_beginning() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f1", &["app.log"])?;
    files.write("app.log", &numbered("before", 100))?;
    files.once(&server)?;
    files.write("app.log", &numbered("late", 3))?;
    files.rename("app.log", "app.log.1")?;
    files.gzip("app.log.1")?;
    files.write("app.log", &numbered("after", 300))?;
    files.catch_up(&server)
}

/// F1: the same file system object with other bytes in it, which is what a reused inode looks like.
#[test]
fn a_reused_inode_with_other_bytes_is_another_file() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f1", &["app.log"])?;
    files.write("app.log", &numbered("before", 50))?;
    files.once(&server)?;
    fs::copy(files.path("app.log"), files.path("app.log.1"))?;
    files.truncate("app.log")?;
    files.write("app.log", &numbered("after", 200))?;
    files.catch_up(&server)?;
    assert_eq!(files.gaps(&server)?, Vec::<String>::new());
    Ok(())
}

/// F2
#[test]
fn a_file_of_twenty_bytes_is_a_row_within_one_poll() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f2", &["app.log"])?;
    let tailer = files.follow(&server)?;
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.sources", "1")?;
    fs::write(files.path("app.log"), "ERROR small as this\n")?;
    assert_eq!(fs::metadata(files.path("app.log"))?.len(), 20);
    files.expect("small as this");
    files.wait(&server, Duration::from_secs(20))?;
    drop(tailer);
    Ok(())
}

/// F3
#[test]
fn files_with_the_same_beginning_are_all_read() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f3", &["*.log"])?;
    let mut head = String::new();
    while head.len() < 64 * 1024 {
        writeln!(head, "2026-11-22 09:59:59 INFO starting, nothing is wrong yet")?;
    }
    for n in 0..10 {
        fs::write(files.path(&format!("{n}.log")), &head)?;
        files.write(&format!("{n}.log"), &[format!("only in {n}")])?;
    }
    files.once(&server)?;
    files.check(&server)?;
    for n in 0..10 {
        files.write(&format!("{n}.log"), &[format!("later in {n}")])?;
    }
    files.once(&server)?;
    files.check(&server)
}

/// F10: the offsets are in the database, so there is no file that could be lost or corrupt. The
/// kernel refuses this tailer every byte that it would write to a file.
#[test]
fn the_tailer_runs_and_goes_on_without_a_writable_path() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f10", &["app.log"])?;
    for round in 0..3 {
        files.write("app.log", &numbered(&format!("round {round}"), 20))?;
        let mut command = Tailer::command(&server, &files.args(&["--once"]))?;
        command
            .current_dir(files.dir())
            .env("HOME", "/nonexistent")
            .env("TMPDIR", "/nonexistent");
        forbid_writing(&mut command);
        let output = command.output()?;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        files.check(&server)?;
        assert_eq!(files.listing().lines().count(), 1, "{}", files.listing());
    }
    Ok(())
}

fn forbid_writing(command: &mut Command) {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: between fork and exec only setrlimit is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_FSIZE, &none) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// F19, while the tailer runs
#[test]
fn a_file_replaced_by_its_copy_is_not_sent_again() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f19", &["app.log"])?;
    files.write("app.log", &numbered("before", 50))?;
    let tailer = files.follow(&server)?;
    files.wait(&server, SOON)?;
    fs::copy(files.path("app.log"), files.path("app.new"))?;
    files.rename("app.new", "app.log")?;
    files.write("app.log", &["one more"])?;
    files.wait(&server, SOON)?;
    stays(Duration::from_secs(2), "each record once", || {
        Ok(files.stored(&server)? == *files.written())
    })?;
    drop(tailer);
    Ok(())
}

/// F19, while the tailer is stopped: a restored backup, an editor's save
#[test]
fn a_file_restored_under_another_inode_goes_on_where_it_was() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f19", &["app.log"])?;
    files.write("app.log", &numbered("before", 50))?;
    files.once(&server)?;
    fs::copy(files.path("app.log"), files.path("app.new"))?;
    files.rename("app.new", "app.log")?;
    files.write("app.log", &["one more"])?;
    files.once(&server)?;
    files.check(&server)
}

/// F16: a name that is not UTF-8
#[test]
fn a_file_whose_name_is_not_utf_8_is_read() -> Result<()> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f16", &["*.log"])?;
    let name = files.dir().join(OsStr::from_bytes(b"caf\xe9\xff.log"));
    for round in 0..2 {
        let text = format!("from an odd place {round}");
        logwatch_tests::tailer::append(&name, &[format!("ERROR {text}")])?;
        files.expect(&text);
        files.once(&server)?;
        files.check(&server)?;
    }
    Ok(())
}
