//! The alert file: readable for all, replaced as a whole, and never a reason for anything else to
//! wait.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Result, ensure};
use logwatch_tests::server::{Server, run};
use logwatch_tests::wait::wait_until;

use crate::{INGEST_FATAL, SOON};

const FILE: &str =
    "SELECT state, message FROM logwatch_status() WHERE component = 'channel' AND name = 'file'";

#[test]
fn the_file_is_readable_for_all_whatever_the_umask() -> Result<()> {
    let mut server = Server::create(&[])?;
    let file = server.data().join("alerts.txt");
    server.set(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.check_interval", "1s"),
        ("logwatch.alert_file", &file.display().to_string()),
    ])?;
    // The server's own umask is 077.
    server.start_with_extension()?;
    wait_until(SOON, "the alert file", || Ok(file.exists()))?;
    assert_eq!(std::fs::metadata(&file)?.permissions().mode() & 0o777, 0o644);
    let left: Vec<_> = std::fs::read_dir(server.data())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".part"))
        .collect();
    ensure!(left.len() <= 1, "{left:?}");
    Ok(())
}

#[test]
fn a_check_in_another_database_leaves_the_file_to_the_workers() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let file = server.data().join("alerts.txt");
    server.set(&[("logwatch.alert_file", &file.display().to_string())])?;
    server.reload();
    let is_the_workers = || -> Result<bool> {
        Ok(std::fs::read_to_string(&file)?
            .lines()
            .next()
            .is_some_and(|line| line.contains("/postgres at ")))
    };
    wait_until(SOON, "the worker's file", || {
        Ok(file.exists() && is_the_workers()?)
    })?;
    server.sql("CREATE DATABASE other")?;
    let mut other = server.client_as("postgres", "other")?;
    run(&mut other, "CREATE EXTENSION logwatch")?;
    for _ in 0..20 {
        run(&mut other, "SELECT FROM logwatch_check()")?;
        ensure!(is_the_workers()?, "{}", std::fs::read_to_string(&file)?);
    }
    Ok(())
}

#[test]
fn a_fifo_in_its_place_is_refused_and_holds_nobody() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let fifo = server.data().join("alerts.txt");
    let made = Command::new("mkfifo").arg(&fifo).status()?;
    ensure!(made.success(), "mkfifo ended with {made}");
    server.set(&[("logwatch.alert_file", &fifo.display().to_string())])?;
    server.reload();
    server.wait_for_sql(SOON, &FILE.replace("state, message", "state"), "error")?;
    let status = server.sql(FILE)?;
    ensure!(status.contains("it exists and is no file"), "{status}");
    server.wait_for_log(SOON, "it exists and is no file")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    // The test refuses what the status refuses.
    let error = server.sql_error("SELECT logwatch_test('file')")?;
    ensure!(
        error.code == "55000" && error.to_string().contains("it exists and is no file"),
        "{error}"
    );
    Ok(())
}

#[test]
fn the_test_refuses_what_the_status_refuses() -> Result<()> {
    for (file, problem) in [
        ("alerts.txt", "must be an absolute path"),
        ("/nonexistent/alerts.txt", "its directory does not exist"),
        ("/proc/alerts.txt", "may not write into its directory"),
        ("/dev/null", "may not write into its directory"),
    ] {
        let server = Server::without_worker(&[("logwatch.alert_file", file)])?;
        let status = server.sql(FILE)?;
        ensure!(
            status.starts_with("error|") && status.contains(problem),
            "{status}"
        );
        let error = server.sql_error("SELECT logwatch_test('file')")?;
        ensure!(
            error.code == "55000" && error.to_string().contains(problem),
            "{error}"
        );
    }
    Ok(())
}
