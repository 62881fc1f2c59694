//! Notifications that wait, where two things meet that hold them back.

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;

use crate::INGEST_FATAL;

/// A server with only the rule `fatal`, which fires for a day and notifies the server log once.
fn server() -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "DELETE FROM logwatch.rules WHERE name <> 'fatal';
         UPDATE logwatch.rules SET channels = '{log}', keep_firing_for = '1 day', repeat_every = NULL",
    )?;
    Ok(server)
}

/// Checks as if it were so much later, and returns rule and reason of all notifications so far.
fn check_after(server: &Server, time: &str) -> Result<String> {
    server.sql(&format!(
        "SELECT FROM logwatch_private.check(clock_timestamp() + interval '{time}')"
    ))?;
    server.sql(
        "SELECT string_agg((payload ->> 'rule') || ' ' || reason, ', ' ORDER BY id) FROM logwatch.notifications",
    )
}

#[test]
fn a_silence_of_a_source_or_pattern_leaves_alerts_without_records_alone() -> Result<()> {
    let server = server()?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, kind, absence_of, match, within, channels) VALUES
             ('no backup', 'absence', 'match', 'backup finished', '1 minute', '{log}'),
             ('quiet', 'absence', 'records', NULL, '1 minute', '{log}');
         SELECT logwatch_ingest('ERROR x', 'web1');
         SELECT logwatch_silence('*', '2 hours', 'noise', pattern => 'abc'), logwatch_silence('*', '2 hours', 'move', source => 'mail*')",
    )?;
    check_after(&server, "0")?;
    assert_eq!(
        check_after(&server, "10 minutes")?,
        "no backup first, quiet first"
    );
    Ok(())
}

#[test]
fn what_a_silence_or_rule_held_into_the_night_is_told_in_the_morning() -> Result<()> {
    let server = server()?;
    server.sql(
        "INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends)
         SELECT v.name, 'UTC', '{mon,tue,wed,thu,fri,sat,sun}', (t + v.starts)::time, (t + v.ends)::time
           FROM (SELECT now() AT TIME ZONE 'UTC' AS t) AS u,
                (VALUES ('day', interval '23 hours', interval '1 hour')) AS v (name, starts, ends);
         UPDATE logwatch.rules SET notify_during = 'day', keep_firing_for = '3 hours';
         INSERT INTO logwatch.rules (name, channels, keep_firing_for, notify_during, inhibited_by)
         VALUES ('app', '{log}', '3 hours', 'day', 'down');
         INSERT INTO logwatch.rules (name, match, level, channels, keep_firing_for) VALUES ('down', 'gone', 'ERROR', '{log}', '90 minutes');
         SELECT logwatch_silence('fatal', '90 minutes');
         SELECT logwatch_ingest(ARRAY['FATAL disk full', 'ERROR network gone'])",
    )?;
    assert_eq!(check_after(&server, "0")?, "down first");
    assert_eq!(check_after(&server, "2 hours")?, "down first, down resolved");
    assert_eq!(check_after(&server, "4 hours")?, "down first, down resolved");
    assert_eq!(
        check_after(&server, "23 hours 30 minutes")?,
        "down first, down resolved, app held, fatal held"
    );
    Ok(())
}

#[test]
fn what_was_acknowledged_at_night_is_not_told_in_the_morning() -> Result<()> {
    let server = server()?;
    server.sql(
        "INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends)
         SELECT 'soon', 'UTC', '{mon,tue,wed,thu,fri,sat,sun}', (t + interval '1 hour')::time, (t + interval '2 hours')::time
           FROM (SELECT now() AT TIME ZONE 'UTC' AS t) AS u;
         UPDATE logwatch.rules SET notify_during = 'soon', keep_firing_for = '0', group_by = 'source';
         SELECT logwatch_ingest('FATAL disk full', 'seen'), logwatch_ingest('FATAL disk full', 'unseen')",
    )?;
    assert_eq!(check_after(&server, "0")?, "");
    server.sql("SELECT logwatch_ack(id, 'on it') FROM logwatch.alerts WHERE group_key = 'seen'")?;
    assert_eq!(check_after(&server, "61 minutes")?, "fatal held");
    assert_eq!(
        server.sql("SELECT payload ->> 'group_key' FROM logwatch.notifications")?,
        "unseen"
    );
    Ok(())
}

#[test]
fn rules_that_would_inhibit_each_other_are_refused() -> Result<()> {
    let server = server()?;
    server.sql("INSERT INTO logwatch.rules (name, inhibited_by) VALUES ('a', 'fatal'), ('b', 'a')")?;
    let error = server.sql_error("UPDATE logwatch.rules SET inhibited_by = 'b' WHERE name = 'fatal'")?;
    ensure!(error.code == "23514", "{error}");
    Ok(())
}

#[test]
fn a_mail_that_waited_while_the_server_was_down_is_retried() -> Result<()> {
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", "smtp+plain://127.0.0.1:1"),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(INGEST_FATAL)?;
    server.sql("SELECT FROM logwatch_check()")?;
    server.sql("UPDATE logwatch.notifications SET created_at = created_at - interval '3 days'")?;
    server.sql("CALL logwatch_deliver()")?;
    let state = "SELECT n.state, a.outcome FROM logwatch.notifications AS n JOIN logwatch.attempts AS a ON a.notification_id = n.id
                  WHERE n.channel = 'email' ORDER BY a.at DESC LIMIT 1";
    assert_eq!(server.sql(state)?, "queued|retry");
    // As many attempts take two days.
    server.sql("UPDATE logwatch.notifications SET attempts = 50, next_attempt_at = now()")?;
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(server.sql(state)?, "failed|failed");
    Ok(())
}

#[test]
fn the_end_of_an_alert_that_is_older_than_the_retention_is_told() -> Result<()> {
    let server = server()?;
    server.sql(INGEST_FATAL)?;
    assert_eq!(check_after(&server, "0")?, "fatal first");
    server.sql(
        "UPDATE logwatch.notifications SET state = 'sent', created_at = created_at - interval '1000 days';
         SELECT logwatch_maintain();
         UPDATE logwatch.rules SET keep_firing_for = '0'",
    )?;
    assert_eq!(check_after(&server, "1 hour")?, "fatal first, fatal resolved");
    Ok(())
}

#[test]
fn a_silence_whose_schedule_is_gone_holds_nothing_back() -> Result<()> {
    let server = server()?;
    server.sql(
        "INSERT INTO logwatch.schedules (name, weekdays) VALUES ('backup', '{mon,tue,wed,thu,fri,sat,sun}');
         SELECT logwatch_silence('*', '365 days', schedule => 'backup')",
    )?;
    server.sql(INGEST_FATAL)?;
    assert_eq!(check_after(&server, "0")?, "");
    server.sql("DELETE FROM logwatch.schedules")?;
    assert_eq!(check_after(&server, "1 minute")?, "fatal first");
    Ok(())
}

#[test]
fn a_receiver_that_only_an_escalation_names_is_in_the_status() -> Result<()> {
    let mut server = server()?;
    let file = server.write_file(
        "receivers.toml",
        "[pager]\nformat = 'ntfy'\nurl = 'http://127.0.0.1:1'\n",
    )?;
    server.set(&[("logwatch.receivers_file", &file.display().to_string())])?;
    server.restart()?;
    server.sql(
        "UPDATE logwatch.rules SET escalate_after = '1 minute', escalate_to = '{webhook:pagr,boss@example.com}'",
    )?;
    assert_eq!(
        server.sql(
            "SELECT name, state FROM logwatch_status() WHERE component = 'channel' AND name = 'webhook:pagr'"
        )?,
        "webhook:pagr|error"
    );
    Ok(())
}

#[test]
fn an_acknowledgement_of_a_mail_about_many_groups_counts_for_all_of_them() -> Result<()> {
    let server = server()?;
    server.sql(
        "UPDATE logwatch.rules SET group_by = 'source', repeat_every = '1 hour';
         SELECT logwatch_ingest('FATAL disk full', 'web' || n) FROM generate_series(1, 12) AS n",
    )?;
    assert_eq!(check_after(&server, "0")?, "fatal first");
    // The group that the first mail describes is over, and the other eleven are not.
    server.sql(
        "UPDATE logwatch.alerts SET state = 'resolved', resolved_at = now()
          WHERE id = (SELECT (payload ->> 'alert_id')::bigint FROM logwatch.notifications)",
    )?;
    assert_eq!(check_after(&server, "61 minutes")?, "fatal first, fatal repeat");
    server.sql("SELECT logwatch_ack((payload ->> 'thread')::bigint) FROM logwatch.notifications WHERE reason = 'repeat'")?;
    assert_eq!(check_after(&server, "122 minutes")?, "fatal first, fatal repeat");
    server.sql("UPDATE logwatch.rules SET keep_firing_for = '0'")?;
    assert_eq!(
        check_after(&server, "123 minutes")?,
        "fatal first, fatal repeat, fatal resolved"
    );
    let error = server.sql_error("SELECT logwatch_ack(1)")?;
    ensure!(error.code == "P0002", "{error}");
    Ok(())
}
