//! Settings that cannot work: said in the server log and in the status, in words to type; the
//! worker goes on.

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::{INGEST_FATAL, SOON, mailing_server};

const EMAIL: &str =
    "SELECT state, message FROM logwatch_status() WHERE component = 'channel' AND name = 'email'";

/// Waits until the status of the e-mail channel is an error that contains `text`.
fn wait_for_email_error(server: &Server, text: &str) -> Result<()> {
    let query = format!(
        "SELECT state = 'error' AND strpos(message, '{text}') > 0 FROM logwatch_status() WHERE name = 'email'"
    );
    server.wait_for_sql(SOON, &query, "t")
}

#[test]
fn a_malformed_url_is_told_at_reload_and_its_correction_sends_what_waited() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    let worker = server.wait_for_worker(SOON, None)?;

    server.set(&[("logwatch.smtp_url", "mail.example.com:25")])?;
    server.reload();
    server.wait_for_log(SOON, "logwatch.smtp_url = 'mail.example.com:25'")?;
    wait_for_email_error(&server, "smtps://host:465")?;

    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT state, attempts FROM logwatch.notifications WHERE channel = 'email'",
        "queued|1",
    )?;
    assert_eq!(server.worker()?, Some(worker), "the worker did not keep running");

    server.set(&[("logwatch.smtp_url", &sink.url())])?;
    server.reload();
    sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert!(server.sql(EMAIL)?.starts_with("ok|"), "{}", server.sql(EMAIL)?);
    Ok(())
}

#[test]
fn what_was_under_way_at_a_reload_is_tried_again_by_the_new_settings_at_once() -> Result<()> {
    let (silent, good) = (MailSink::plain()?, MailSink::plain()?);
    silent.always(Step::Greeting, Action::Stall);
    let mut server = mailing_server(&silent, &[("logwatch.smtp_timeout", "3s")])?;
    server.sql(INGEST_FATAL)?;
    wait_until(SOON, "the attempt to begin", || {
        Ok(silent.reached(&Step::Greeting) > 0)
    })?;
    server.set(&[("logwatch.smtp_url", &good.url())])?;
    server.reload();
    // Sooner than the 30 s after which a first attempt is repeated.
    good.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    Ok(())
}

#[test]
fn a_missing_password_file_is_told_at_reload() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    let worker = server.wait_for_worker(SOON, None)?;
    server.set(&[
        ("logwatch.smtp_user", "me"),
        ("logwatch.smtp_password_file", "/nonexistent/password"),
    ])?;
    server.reload();
    server.wait_for_log(SOON, "/nonexistent/password")?;
    wait_for_email_error(&server, "smtp_password_file")?;
    assert_eq!(server.worker()?, Some(worker));
    Ok(())
}

#[test]
fn a_password_that_others_can_read_is_refused() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    let file = server.write_file("password", "secret\n")?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    server.set(&[
        ("logwatch.smtp_user", "me"),
        ("logwatch.smtp_password_file", &file.display().to_string()),
    ])?;
    server.reload();
    wait_for_email_error(&server, "chmod 600")
}

#[test]
fn an_unknown_setting_is_refused() -> Result<()> {
    let mut server = Server::with_worker(&[])?;
    server.set(&[("logwatch.chek_interval", "1s")])?;
    server.reload();
    server.wait_for_log(SOON, "logwatch.chek_interval")?;
    let error = server.sql_error("SET logwatch.chek_interval = '1s'")?;
    assert!(error.message.contains("logwatch.chek_interval"), "{error}");
    server.wait_for_worker(SOON, None)?;
    Ok(())
}

#[test]
fn a_value_out_of_range_keeps_the_old_one() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "7s")])?;
    server.set(&[("logwatch.check_interval", "-1s")])?;
    server.reload();
    server.wait_for_log(SOON, "logwatch.check_interval")?;
    assert_eq!(server.sql("SHOW logwatch.check_interval")?, "7s");
    Ok(())
}

#[test]
fn without_a_mail_server_alerts_are_rows_and_log_lines() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    let email = server.sql(EMAIL)?;
    assert!(
        email.starts_with("off|") && email.contains("logwatch.smtp_url"),
        "{email}"
    );
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.notifications WHERE channel = 'email'")?,
        "0"
    );
    Ok(())
}

#[test]
fn an_alert_file_that_cannot_be_written_is_told_and_stops_nothing() -> Result<()> {
    let server = Server::with_worker(&[
        ("logwatch.check_interval", "1s"),
        ("logwatch.alert_file", "/nonexistent/alerts.txt"),
    ])?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    let state = server.sql("SELECT state, message FROM logwatch_status() WHERE name = 'file'")?;
    assert!(
        state.starts_with("error|") && state.contains("/nonexistent/alerts.txt"),
        "{state}"
    );
    Ok(())
}

#[test]
fn settings_are_for_superusers() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.smtp_user", "me")])?;
    server.sql("CREATE ROLE nobody LOGIN")?;
    let seen = server.sql_as(
        "nobody",
        "SELECT count(*) FROM pg_settings WHERE name LIKE 'logwatch.%'",
    )?;
    assert_eq!(seen, "0");
    let error = server.sql_error_as("nobody", "SHOW logwatch.smtp_user")?;
    assert_eq!(error.code, "42501", "{error}");
    Ok(())
}

#[test]
fn create_extension_refuses_a_database_that_is_not_utf8() -> Result<()> {
    let mut server = Server::create(&[])?;
    server.start()?;
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")?;
    let mut client = server.client_as("postgres", "latin")?;
    let error = logwatch_tests::server::run_error(&mut client, "CREATE EXTENSION logwatch")?;
    assert_eq!(error.code, "0A000", "{error}");
    let hint = error.hint.unwrap_or_default();
    assert!(hint.contains("CREATE DATABASE"), "{hint}");
    Ok(())
}

#[test]
fn what_waits_for_a_malformed_list_of_recipients_goes_to_the_corrected_one() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(
        &sink,
        &[("logwatch.email_to", "ops@example.com; dba@example.com")],
    )?;
    server.sql(INGEST_FATAL)?;
    let states = "SELECT recipient, state FROM logwatch.notifications WHERE channel = 'email' AND attempts > 0 ORDER BY 1";
    server.wait_for_sql(SOON, states, "ops@example.com; dba@example.com|queued")?;
    server.set(&[("logwatch.email_to", "ops@example.com, dba@example.com")])?;
    server.reload();
    server.wait_for_sql(
        SOON,
        states,
        "dba@example.com|sent\nops@example.com|sent\nops@example.com; dba@example.com|failed",
    )?;
    assert_eq!(sink.mails_with_subject("[FIRING:1] fatal").len(), 2);
    Ok(())
}
