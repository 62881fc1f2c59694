//! Upgrades an older PostgreSQL to the one under test, with pg_upgrade and with a dump: no record
//! is lost, and no notification is repeated.
//!
//! The older one is this machine's, so these tests need a newer one (`make test-18`). pg_upgrade
//! itself starts from the same major version from PyPI: Debian's 15.20 stores an option with each
//! column, `pg_attver`, which 18.6 refuses even for an empty table.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Error, Result};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::process::signal_pid;
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};

use crate::backup::{contents, dump, give_work, goes_on, restore};
use crate::{SOON, hurry_retries, mail_through};

/// This machine's PostgreSQL with logwatch, if it is older than the one under test.
fn older() -> Result<Option<PathBuf>> {
    let (old, new) = (programs::machines_pg_config()?, programs::pg_config()?);
    if programs::major_version(&old)? < programs::major_version(new)? {
        return Ok(Some(old));
    }
    println!("skipped: the PostgreSQL under test is not newer than this machine's");
    Ok(None)
}

/// Returns PyPI's server of the machine's major version, so that the library fits, with logwatch.
/// Made once for all tests of this process, because they run side by side.
fn with_extension(machines: &Path) -> Result<PathBuf> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || {
        let old = programs::pypi_pg_config(programs::major_version(machines)?)?;
        programs::copy_extension(machines, &old)?;
        Ok(old)
    };
    let made = MADE.get_or_init(|| make().map_err(|error: Error| format!("{error:#}")));
    made.clone().map_err(Error::msg)
}

#[test]
fn pg_upgrade_takes_everything_along_and_the_tailer_follows() -> Result<()> {
    upgrade(&[])
}

/// The option is new in PostgreSQL 18.
#[test]
fn pg_upgrade_that_swaps_the_directories_takes_everything_along() -> Result<()> {
    if programs::major_version(programs::pg_config()?)? < 18 {
        return Ok(());
    }
    upgrade(&["--swap"])
}

fn upgrade(how: &[&str]) -> Result<()> {
    let Some(machines) = older()? else { return Ok(()) };
    let old = with_extension(&machines)?;
    let sink = MailSink::plain()?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let mut server = Server::create_of(&old, &[])?;
    mail_through(&mut server, &sink)?;
    server.start_with_extension()?;
    give_work(&server, &sink, &log)?;
    server.sql("UPDATE logwatch.rules SET threshold = 70 WHERE name = 'error'")?;

    // A second log is followed all the while, by a tailer that knows both servers.
    let mut upgraded = Server::create(&[])?;
    let followed = folder.path().join("followed.log");
    append(&followed, &["ERROR before"])?;
    let hosts = format!(
        "host={},{} port=5432,5432 dbname=postgres user=postgres target_session_attrs=read-write",
        server.sockets().display(),
        upgraded.sockets().display()
    );
    let path = followed.display().to_string();
    let mut command = Tailer::command(
        &server,
        &["-d", &hosts, "--source", "followed", "--from-beginning", &path],
    )?;
    command.env_remove("PGHOST").env_remove("PGPORT");
    let mut tailer = Tailer::spawn(command)?;
    let of_followed = "SELECT string_agg(message, ',' ORDER BY id) FROM logwatch.entries WHERE source_id = logwatch_private.source_id('followed')";
    server.wait_for_sql(SOON, of_followed, "before")?;
    // Neither tailer nor worker changes anything while both servers are looked at.
    signal_pid(tailer.pid(), libc::SIGSTOP);
    server.set(&[("shared_preload_libraries", "")])?;
    server.restart()?;
    let before = contents(&server)?;
    server.stop(Stop::Fast)?;
    append(&followed, &["ERROR meanwhile"])?;

    server.set(&[("shared_preload_libraries", "logwatch")])?;
    upgraded.upgrade_from(&server, how)?;
    upgraded.set(&[("shared_preload_libraries", "")])?;
    upgraded.start()?;
    assert_eq!(contents(&upgraded)?, before);
    upgraded.set(&[("shared_preload_libraries", "logwatch")])?;
    upgraded.restart()?;
    signal_pid(tailer.pid(), libc::SIGCONT);
    upgraded.wait_for_sql(SOON, of_followed, "before,meanwhile")?;
    assert!(tailer.exited()?.is_none(), "{}", tailer.output());

    // Queued notifications go out once; notifications sent before are not repeated.
    sink.behave();
    hurry_retries(&upgraded)?;
    upgraded.reload();
    sink.wait_for_subject(SOON, "[FIRING:1] two")?;
    upgraded.wait_for_sql(
        SOON,
        "SELECT DISTINCT state FROM logwatch.notifications WHERE channel = 'email'",
        "sent",
    )?;
    goes_on(&upgraded, &sink, &log)?;
    assert_eq!(
        sink.mails().len(),
        2,
        "the one of before, and the one that waited"
    );
    Ok(())
}

#[test]
fn a_dump_of_the_older_server_is_restored_whole() -> Result<()> {
    let Some(old) = older()? else { return Ok(()) };
    let sink = MailSink::plain()?;
    let folder = tempfile::tempdir()?;
    let (log, file) = (folder.path().join("app.log"), folder.path().join("dump"));
    let mut server = Server::create_of(&old, &[])?;
    mail_through(&mut server, &sink)?;
    server.start_with_extension()?;
    give_work(&server, &sink, &log)?;
    let before = dump(&server, &file, &[])?;
    drop(server);
    sink.behave();

    let mut newer = Server::create(&[])?;
    mail_through(&mut newer, &sink)?;
    newer.start()?;
    restore(&newer, &file)?;
    assert_eq!(contents(&newer)?, before);
    goes_on(&newer, &sink, &log)
}
