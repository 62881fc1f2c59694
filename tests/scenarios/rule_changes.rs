//! A rule is edited, renamed, disabled or deleted while its alert fires.

use anyhow::Result;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::{INGEST_FATAL, SOON};

/// Without the worker, so that nothing happens between two steps; mails go through `sink`.
fn ready_server(sink: &MailSink) -> Result<Server> {
    let url = sink.url();
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(
        "UPDATE logwatch.rules SET channels = '{email}', recipients = '{dba@example.com,night@example.com}'",
    )?;
    server.sql(INGEST_FATAL)?;
    Ok(server)
}

fn firing_server(sink: &MailSink) -> Result<Server> {
    let server = ready_server(sink)?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "fatal|firing"
    );
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(sink.mails().len(), 2);
    Ok(server)
}

fn told_of(server: &Server, reason: &str) -> Result<String> {
    server.sql(&format!(
        "SELECT recipient FROM logwatch.notifications WHERE reason = '{reason}' ORDER BY 1"
    ))
}

#[test]
fn disabling_a_firing_rule_closes_its_alert_and_says_so() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = firing_server(&sink)?;
    server.sql("UPDATE logwatch.rules SET enabled = false")?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "fatal|resolved"
    );
    server.sql("CALL logwatch_deliver()")?;
    let mail = &sink.mails_with_subject("[RESOLVED] fatal")[0];
    assert!(mail.text().contains("The rule was disabled"), "{}", mail.text());
    assert_eq!(
        server.sql("SELECT state, closed FROM logwatch.alerts")?,
        "resolved|disabled"
    );
    // A condition that still holds is a new alert when the rule is enabled again.
    server.sql("UPDATE logwatch.rules SET enabled = true")?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "fatal|firing"
    );
    Ok(())
}

#[test]
fn deleting_a_firing_rule_tells_those_who_were_told() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = firing_server(&sink)?;
    server.sql("DELETE FROM logwatch.rules")?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "fatal|resolved"
    );
    assert_eq!(
        told_of(&server, "resolved")?,
        "dba@example.com\nnight@example.com"
    );
    assert_eq!(server.sql("SELECT closed FROM logwatch.alerts")?, "deleted");
    server.sql("CALL logwatch_deliver()")?;
    let mail = &sink.mails_with_subject("[RESOLVED] fatal")[0];
    assert!(mail.text().contains("The rule was deleted"), "{}", mail.text());
    Ok(())
}

#[test]
fn a_renamed_rule_keeps_its_alerts() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = firing_server(&sink)?;
    server.sql("UPDATE logwatch.rules SET name = 'worst' WHERE name = 'fatal'")?;
    assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    assert_eq!(
        server.sql("SELECT rule, state, seq FROM logwatch.alerts")?,
        "worst|firing|1"
    );
    // Also where the new name is one that a deleted rule has just left.
    server.sql(
        "DELETE FROM logwatch.rules WHERE name = 'worst';
         UPDATE logwatch.rules SET name = 'worst', threshold = 1 WHERE name = 'error'",
    )?;
    assert_eq!(
        server.sql("SELECT rule, state, closed FROM logwatch.alerts")?,
        "worst|resolved|deleted"
    );
    Ok(())
}

/// Asserts that the alert was announced once, and goes on under the new name.
fn assert_renamed_once(server: &Server, sink: &MailSink) -> Result<()> {
    assert_eq!(server.sql("SELECT * FROM logwatch_check()")?, "");
    assert_eq!(
        server.sql("SELECT rule, state, seq FROM logwatch.alerts")?,
        "worst|firing|1"
    );
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(sink.mails().len(), 2, "one mail to each recipient");
    assert_eq!(sink.mails_with_subject("[FIRING:1] ").len(), 2);
    Ok(())
}

const RENAME: &str = "BEGIN; UPDATE logwatch.rules SET name = 'worst' WHERE name = 'fatal'";
const CHECK: &str = "BEGIN; SELECT logwatch_check()";

#[test]
fn a_rule_renamed_beside_its_first_alert_keeps_it() -> Result<()> {
    for check_begins in [true, false] {
        let sink = MailSink::plain()?;
        let server = ready_server(&sink)?;
        let (mut check, mut rename) = (server.client()?, server.client()?);
        if check_begins {
            check.batch_execute(CHECK)?;
        }
        rename.batch_execute(RENAME)?;
        if !check_begins {
            check.batch_execute(CHECK)?;
        }
        std::thread::scope(|scope| -> Result<()> {
            let renamed = scope.spawn(|| rename.batch_execute("COMMIT"));
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            wait_until(SOON, "the rename to end, or to wait", || {
                Ok(renamed.is_finished() || server.sql(waiting)? == "1")
            })?;
            check.batch_execute("COMMIT")?;
            Ok(renamed.join().expect("the thread does not panic")?)
        })?;
        assert_renamed_once(&server, &sink)?;
    }
    Ok(())
}

#[test]
fn a_rename_that_is_not_committed_holds_up_no_check() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = ready_server(&sink)?;
    let mut rename = server.client()?;
    rename.batch_execute(RENAME)?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "fatal|firing"
    );
    rename.batch_execute("COMMIT")?;
    assert_renamed_once(&server, &sink)
}

#[test]
fn a_check_sees_the_renames_of_its_own_transaction() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = firing_server(&sink)?;
    server.sql(&format!("{RENAME}; {CHECK}; COMMIT"))?;
    assert_renamed_once(&server, &sink)
}

/// All its statements see the database as it was before the check.
#[test]
fn a_rename_in_repeatable_read_misses_no_alert() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = ready_server(&sink)?;
    let mut rename = server.client()?;
    rename.batch_execute("SET default_transaction_isolation = 'repeatable read'")?;
    rename.batch_execute(RENAME)?;
    server.sql("SELECT logwatch_check()")?;
    let error = rename.batch_execute("COMMIT").unwrap_err();
    assert_eq!(
        error.code().map(postgres::error::SqlState::code),
        Some("40001"),
        "{error}"
    );
    rename.batch_execute(RENAME)?;
    rename.batch_execute("COMMIT")?;
    assert_renamed_once(&server, &sink)
}

#[test]
fn what_waits_for_a_locked_alert_is_renamed_too() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = firing_server(&sink)?;
    let mut session = server.client()?;
    session.batch_execute("BEGIN; SELECT FROM logwatch.alerts FOR UPDATE")?;
    server.sql(
        "SELECT logwatch_ingest(to_char(now() - interval '4 minutes', 'YYYY-MM-DD HH24:MI:SSOF') || ' FATAL late');
         SELECT logwatch_check()",
    )?;
    session.batch_execute("COMMIT")?;
    server.sql("UPDATE logwatch.rules SET name = 'worst' WHERE name = 'fatal'")?;
    server.sql("SELECT logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT rule, state, now() - started_at > interval '3 minutes' FROM logwatch.alerts")?,
        "worst|firing|t"
    );
    Ok(())
}

#[test]
fn new_recipients_get_the_repetition_and_the_old_ones_still_the_end() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = firing_server(&sink)?;
    server.sql(
        "UPDATE logwatch.rules SET recipients = '{day@example.com,dba@example.com}', keep_firing_for = '0'",
    )?;
    // Four hours later; the records are as old by then.
    server.sql(
        "UPDATE logwatch.alerts SET notified_at = now() - interval '4 hours 1 minute';
         UPDATE logwatch.patterns SET first_seen = now() - interval '1 day'",
    )?;
    server.sql("SELECT logwatch_check()")?;
    assert_eq!(told_of(&server, "repeat")?, "day@example.com\ndba@example.com");
    server.sql("SELECT logwatch_private.check(now() + interval '10 minutes')")?;
    assert_eq!(
        told_of(&server, "resolved")?,
        "day@example.com\ndba@example.com\nnight@example.com"
    );
    Ok(())
}

/// Each pause is so many times the one before.
#[test]
fn a_larger_factor_for_an_alert_that_was_often_repeated_stops_no_check() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(INGEST_FATAL)?;
    server.sql("SELECT FROM logwatch_check()")?;
    server.sql(
        "UPDATE logwatch.alerts SET repeats = 25;
         UPDATE logwatch.rules SET repeat_factor = 1000, repeat_every = '3660 days'",
    )?;
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'])")?;
    assert_eq!(
        server.sql("SELECT rule, transition FROM logwatch_check()")?,
        "error|firing"
    );
    assert_eq!(
        server
            .sql("SELECT count(*) FROM logwatch_check_rule('fatal') WHERE verdict LIKE '%repeated at 20%'")?,
        "1"
    );
    Ok(())
}
