//! From a growing file to everything that people see of it.

use std::fs;

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append, generate};
use logwatch_tests::wait::wait_until;

use crate::{SOON, mailing_server, shorten_rules};

#[test]
fn a_growing_log_becomes_rows_an_alert_mails_an_alert_file_and_log_lines() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    let alert_file = server.dir().join("alerts.txt");
    server.set(&[("logwatch.alert_file", &alert_file.display().to_string())])?;
    server.reload();
    shorten_rules(&server)?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["2026-01-01 00:00:00 INFO the application starts"])?;
    let _tailer = Tailer::start(&server, &["--source", "shop", &log.display().to_string()])?;

    generate(&log, 200, 4, 0.1)?.wait(SOON)?;

    let firing = sink.wait_for_subject(SOON, "[FIRING:")?;
    assert_eq!(
        (firing.from.as_str(), firing.to.join(" ").as_str()),
        ("logwatch@db.test", "ops@example.com")
    );
    assert!(firing.text().contains("shop"), "{}", firing.text());
    // It can be one mail with the end of another alert.
    wait_until(SOON, "the mail about the end", || {
        Ok(sink.mails().iter().any(|mail| {
            mail.subject().starts_with("[RESOLVED]")
                && mail.text().contains("error is resolved")
                && mail.header("In-Reply-To").is_some()
        }))
    })?;

    // Each record of the file is stored once.
    let expected = records_of(&server, &log)?;
    assert!(expected > 10, "the generator made only {expected} records");
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.entries",
        &expected.to_string(),
    )?;
    server.wait_for_sql(SOON, "SELECT sum(n) FROM logwatch.counts", &expected.to_string())?;

    let alerts = server.sql("SELECT DISTINCT state FROM logwatch.alerts WHERE rule = 'error'")?;
    assert_eq!(alerts, "resolved");
    wait_until(SOON, "an alert file without an alert", || {
        Ok(fs::read_to_string(&alert_file)?.contains("No threshold is met"))
    })?;
    let log = server.log();
    assert!(
        log.contains("[FIRING:") && log.contains("[RESOLVED] error"),
        "{log}"
    );
    let status = server.sql("SELECT component, name, state FROM logwatch_status()")?;
    for row in [
        "rule|error|ok",
        "rule|fatal|ok",
        "source|shop|ok",
        "channel|email|ok",
        "channel|file|ok",
    ] {
        assert!(status.contains(row), "{row} is missing in\n{status}");
    }
    Ok(())
}

/// The records that the tailer finds in a file when it needs no database.
fn records_of(server: &Server, log: &std::path::Path) -> Result<usize> {
    let path = log.display().to_string();
    let output = Tailer::once(server, &["--dry-run", &path]).context("a dry run")?;
    Ok(output.lines().filter(|line| line.starts_with('{')).count())
}

#[test]
fn an_alert_is_mailed_within_a_second_of_the_line() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[("logwatch.check_interval", "1h")])?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["INFO nothing"])?;
    let _tailer = Tailer::start(&server, &["--source", "shop", &log.display().to_string()])?;
    server.wait_for_sql(SOON, "SELECT count(*) > 0 FROM logwatch.files", "t")?;

    append(&log, &["FATAL the disk is full"])?;

    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert!(mail.text().contains("the disk is full"), "{}", mail.text());
    Ok(())
}
