//! When and to whom an alert is announced: hours, escalation, inhibition.

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;

use crate::INGEST_FATAL;

/// Makes a schedule of one hour that begins in an hour.
const SOON_SCHEDULE: &str =
    "INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends)
     SELECT 'soon', 'UTC', '{mon,tue,wed,thu,fri,sat,sun}', (t + interval '1 hour')::time, (t + interval '2 hours')::time
       FROM (SELECT now() AT TIME ZONE 'UTC' AS t) AS u";

/// A server with that schedule, and only the rule `fatal`, which fires for a day.
fn server() -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql(SOON_SCHEDULE)?;
    server.sql(
        "DELETE FROM logwatch.rules WHERE name <> 'fatal';
         UPDATE logwatch.rules SET channels = '{log}', keep_firing_for = '1 day', repeat_every = NULL, notify_during = 'soon'",
    )?;
    Ok(server)
}

/// Checks as if it were so much later, and returns the reasons of all notifications so far.
fn check_after(server: &Server, time: &str) -> Result<String> {
    server.sql(&format!(
        "SELECT FROM logwatch_private.check(clock_timestamp() + interval '{time}')"
    ))?;
    reasons(server)
}

fn reasons(server: &Server) -> Result<String> {
    server.sql("SELECT string_agg(reason, ' ' ORDER BY id) FROM logwatch.notifications")
}

#[test]
fn hours_follow_the_clock_on_the_wall_and_cross_midnight() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends) VALUES
             ('office', 'Europe/Berlin', '{mon,tue,wed,thu,fri}', '09:00', '17:00'),
             ('office', 'Europe/Berlin', '{sat}', '10:00', '12:00'),
             ('night', 'Europe/Berlin', '{fri}', '22:00', '06:00'),
             ('sunday', 'Europe/Berlin', '{sun}', '00:00', '24:00'),
             ('two', 'Europe/Berlin', '{sun}', '02:00', '03:00')",
    )?;
    for (schedule, time, holds) in [
        ("office", "2026-11-27 08:00Z", true),
        ("office", "2026-11-27 07:59:59Z", false),
        ("office", "2026-11-27 16:00Z", false),
        // In summer the office opens an hour earlier by UTC.
        ("office", "2026-07-03 07:00Z", true),
        ("office", "2026-11-28 09:30Z", true),
        ("office", "2026-11-29 09:30Z", false),
        ("night", "2026-11-27 21:00Z", true),
        ("night", "2026-11-28 04:59:59Z", true),
        ("night", "2026-11-28 05:00Z", false),
        ("night", "2026-11-28 21:00Z", false),
        ("sunday", "2026-11-29 22:59:59Z", true),
        ("sunday", "2026-11-29 23:00Z", false),
        // The clock goes from 02:00 to 03:00: that hour does not occur.
        ("two", "2026-03-29 00:59:59Z", false),
        ("two", "2026-03-29 01:00Z", false),
        // It goes from 03:00 to 02:00: the hour occurs twice.
        ("two", "2026-10-25 00:30Z", true),
        ("two", "2026-10-25 01:30Z", true),
        ("two", "2026-10-25 02:00Z", false),
        ("none", "2026-10-25 02:00Z", true),
    ] {
        assert_eq!(
            server.sql(&format!(
                "SELECT logwatch_private.schedule_holds('{schedule}', '{time}')"
            ))?,
            if holds { "t" } else { "f" },
            "{schedule} {time}"
        );
    }
    Ok(())
}

#[test]
fn an_alert_outside_the_hours_is_announced_when_they_begin() -> Result<()> {
    let server = server()?;
    server.sql(INGEST_FATAL)?;
    assert_eq!(check_after(&server, "0")?, "");
    assert_eq!(check_after(&server, "59 minutes")?, "");
    assert_eq!(check_after(&server, "61 minutes")?, "first");
    // It ends outside: the end waits too.
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '0'")?;
    assert_eq!(check_after(&server, "3 hours")?, "first");
    assert_eq!(check_after(&server, "25 hours 30 minutes")?, "first resolved");
    Ok(())
}

#[test]
fn all_that_was_held_is_one_mail_when_the_hours_begin() -> Result<()> {
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", "smtp+plain://127.0.0.1:1"),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(SOON_SCHEDULE)?;
    server.sql(
        "UPDATE logwatch.rules SET channels = '{email}', keep_firing_for = '1 day', notify_during = 'soon', threshold = 1;
         INSERT INTO logwatch.rules (name, match, threshold, channels, keep_firing_for, notify_during, severity)
         VALUES ('over', 'paper', 1, '{email}', '0', 'soon', 'critical')",
    )?;
    server.sql("SELECT logwatch_ingest('ERROR no paper'), logwatch_ingest('FATAL disk full', 'db')")?;
    assert_eq!(check_after(&server, "0")?, "");
    assert_eq!(check_after(&server, "10 minutes")?, "");
    check_after(&server, "61 minutes")?;
    assert_eq!(
        server.sql(
            "SELECT n.payload ->> 'rule', n.reason, n.message_id = l.message_id, n.id = l.id
               FROM logwatch.notifications AS n JOIN logwatch.notifications AS l ON l.id = COALESCE(n.sent_with, n.id)
              ORDER BY logwatch_private.mail_order(n)"
        )?,
        "fatal|first|t|t\nerror|first|t|f\nover|held|t|f"
    );
    Ok(())
}

#[test]
fn what_was_over_before_the_hours_began_is_told_then() -> Result<()> {
    let server = server()?;
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '0', group_by = 'source'")?;
    server.sql("SELECT logwatch_silence('*', '30 minutes', 'known', source => 'silent')")?;
    server.sql(
        "SELECT logwatch_ingest('FATAL disk full', 'web1'), logwatch_ingest('FATAL disk full', 'silent')",
    )?;
    assert_eq!(check_after(&server, "0")?, "");
    assert_eq!(check_after(&server, "10 minutes")?, "");
    assert_eq!(check_after(&server, "61 minutes")?, "held");
    assert_eq!(check_after(&server, "62 minutes")?, "held");
    assert_eq!(
        server.sql("SELECT payload ->> 'group_key', payload ->> 'state' FROM logwatch.notifications")?,
        "web1|resolved"
    );
    Ok(())
}

#[test]
fn a_rule_may_drop_what_comes_outside_its_hours() -> Result<()> {
    let server = server()?;
    server.sql("UPDATE logwatch.rules SET outside_hours = 'drop', repeat_every = '30 minutes'")?;
    server.sql(INGEST_FATAL)?;
    assert_eq!(check_after(&server, "0")?, "");
    assert_eq!(check_after(&server, "40 minutes")?, "");
    // Still firing in the hours: repeated as if it had been announced.
    assert_eq!(check_after(&server, "71 minutes")?, "repeat");
    // The end of what was announced is not dropped.
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '0'")?;
    assert_eq!(check_after(&server, "3 hours")?, "repeat");
    assert_eq!(check_after(&server, "25 hours 30 minutes")?, "repeat resolved");
    Ok(())
}

#[test]
fn a_silence_takes_a_schedule() -> Result<()> {
    let server = server()?;
    server.sql("UPDATE logwatch.rules SET notify_during = NULL")?;
    server.sql("SELECT logwatch_silence('*', '30 days', 'backup hour', schedule => 'soon')")?;
    server.sql(INGEST_FATAL)?;
    assert_eq!(check_after(&server, "61 minutes")?, "");
    assert_eq!(check_after(&server, "121 minutes")?, "first");
    let error = server.sql_error("SELECT logwatch_silence('*', '1 day', schedule => 'none')")?;
    ensure!(error.code == "42704", "{error}");
    Ok(())
}

#[test]
fn nobody_acknowledges_and_others_are_notified() -> Result<()> {
    let server = server()?;
    server.sql(
        "UPDATE logwatch.rules SET notify_during = NULL, escalate_after = '30 minutes', escalate_to = '{log}', channels = '{log}', group_by = 'source'",
    )?;
    server.sql(
        "SELECT logwatch_ingest('FATAL disk full', 'web1'), logwatch_ingest('FATAL disk full', 'web2')",
    )?;
    assert_eq!(check_after(&server, "0")?, "first first");
    assert_eq!(check_after(&server, "29 minutes")?, "first first");
    server.sql("SELECT logwatch_ack(id, 'on it') FROM logwatch.alerts WHERE group_key = 'web2'")?;
    assert_eq!(check_after(&server, "31 minutes")?, "first first escalated");
    assert_eq!(check_after(&server, "90 minutes")?, "first first escalated");
    assert_eq!(
        server
            .sql("SELECT payload ->> 'group_key' FROM logwatch.notifications WHERE reason = 'escalated'")?,
        "web1"
    );
    Ok(())
}

#[test]
fn escalation_reaches_its_own_people_and_tells_them_the_end() -> Result<()> {
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", "smtp+plain://127.0.0.1:1"),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(
        "DELETE FROM logwatch.rules WHERE name <> 'fatal';
         UPDATE logwatch.rules SET channels = '{email}', escalate_after = '30 minutes', escalate_to = '{boss@example.com,log}', keep_firing_for = '1 day'",
    )?;
    server.sql(INGEST_FATAL)?;
    check_after(&server, "0")?;
    check_after(&server, "31 minutes")?;
    let told =
        "SELECT reason, channel, recipient FROM logwatch.notifications ORDER BY reason, channel, recipient";
    assert_eq!(
        server.sql(told)?,
        "escalated|email|boss@example.com\nescalated|log|\nfirst|email|ops@example.com"
    );
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '0'")?;
    check_after(&server, "60 minutes")?;
    assert_eq!(
        server.sql(&told.replace("ORDER", "WHERE reason = 'resolved' ORDER"))?,
        "resolved|email|boss@example.com\nresolved|email|ops@example.com\nresolved|log|"
    );
    Ok(())
}

#[test]
fn a_rule_is_quiet_while_the_one_that_explains_it_fires() -> Result<()> {
    let server = server()?;
    server.sql(
        "UPDATE logwatch.rules SET notify_during = NULL;
         INSERT INTO logwatch.rules (name, match, channels, keep_firing_for, inhibited_by) VALUES ('app', 'refused', '{log}', '1 day', 'fatal')",
    )?;
    server.sql("SELECT logwatch_ingest(ARRAY['FATAL database is down', 'ERROR connection refused'])")?;
    let told = "SELECT payload ->> 'rule', reason FROM logwatch.notifications ORDER BY id";
    check_after(&server, "0")?;
    assert_eq!(server.sql(told)?, "fatal|first");
    // The name follows.
    server.sql("UPDATE logwatch.rules SET name = 'down' WHERE name = 'fatal'")?;
    assert_eq!(
        server.sql("SELECT inhibited_by FROM logwatch.rules WHERE name = 'app'")?,
        "down"
    );
    check_after(&server, "10 minutes")?;
    assert_eq!(server.sql(told)?, "fatal|first");
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '0' WHERE name = 'down'")?;
    check_after(&server, "20 minutes")?;
    assert_eq!(server.sql(told)?, "fatal|first\napp|first\ndown|resolved");
    Ok(())
}

#[test]
fn what_cannot_work_is_refused_with_a_hint() -> Result<()> {
    let server = Server::without_worker(&[("logwatch.email_domains", "example.com")])?;
    for (values, code) in [
        ("outside_hours = 'wait'", "23514"),
        ("escalate_after = '1 hour'", "23514"),
        ("escalate_to = '{boss@example.com}'", "23514"),
        (
            "escalate_after = '1 second', escalate_to = '{boss@example.com}'",
            "23514",
        ),
        ("escalate_after = '1 hour', escalate_to = '{pigeon}'", "23514"),
        (
            "escalate_after = '1 hour', escalate_to = '{a b@example.com}'",
            "23514",
        ),
        (
            "escalate_after = '1 hour', escalate_to = '{boss@elsewhere.org}'",
            "23514",
        ),
        ("inhibited_by = 'fatal'", "23514"),
    ] {
        let error = server.sql_error(&format!(
            "UPDATE logwatch.rules SET {values} WHERE name = 'fatal'"
        ))?;
        ensure!(error.code == code, "{values}: {error}");
    }
    for values in [
        "('x', 'Mars/Base', '{mon}', '00:00', '24:00')",
        "('x', 'UTC', '{monday}', '00:00', '24:00')",
        "('x', 'UTC', '{}', '00:00', '24:00')",
        "('', 'UTC', '{mon}', '00:00', '24:00')",
    ] {
        let error = server.sql_error(&format!("INSERT INTO logwatch.schedules VALUES {values}"))?;
        ensure!(error.code == "23514", "{values}: {error}");
    }
    Ok(())
}
