//! Rules that expect a line: it is kept whatever its level, and its absence is an alert.

use std::fs;

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};

use crate::SOON;

/// A server with only the rule `backup`, which expects a line each hour since yesterday.
fn server(columns: &str) -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql(&format!(
        "CREATE FUNCTION at(minute integer) RETURNS timestamptz LANGUAGE sql AS
             $$ SELECT date_trunc('hour', now()) - interval '20 hours' + make_interval(mins => minute) $$;
         CREATE FUNCTION minute(at timestamptz) RETURNS numeric LANGUAGE sql AS $$ SELECT round(extract(epoch FROM at - at(0)) / 60, 2) $$;
         CREATE FUNCTION line(minute integer, text text, source text DEFAULT 'db') RETURNS bigint LANGUAGE sql AS
             $$ SELECT logwatch_ingest(to_char(at(minute), 'YYYY-MM-DD HH24:MI:SSOF ') || text, source) $$;
         CREATE VIEW live AS SELECT a.group_key, a.state, minute(a.started_at) AS starts, minute(a.met_until) AS ends FROM logwatch.alerts AS a ORDER BY a.id;
         CREATE VIEW back AS SELECT b.group_key, minute(b.started_at) AS starts, minute(b.met_until) AS ends
                               FROM logwatch_backtest('backup', at(-60), at(600)) AS b;
         DELETE FROM logwatch.rules WHERE name <> 'error';
         UPDATE logwatch.rules SET threshold = 1;
         INSERT INTO logwatch.rules (name, kind, absence_of, match, within, channels, expected_since{}",
        columns
    ))?;
    Ok(server)
}

const HOURLY: &str =
    ") VALUES ('backup', 'absence', 'match', 'backup (of \\w+ )?finished', '1 hour', '{log}', at(0))";

#[test]
fn a_line_that_does_not_come_in_time_is_an_alert_until_it_comes() -> Result<()> {
    let server = server(HOURLY)?;
    server.sql("SELECT line(50, 'INFO backup of shop finished'), line(51, 'INFO backup started')")?;
    server.sql("SELECT FROM logwatch_private.check(at(109))")?;
    assert_eq!(
        server.sql("SELECT level, message FROM logwatch.entries")?,
        "INFO|backup of shop finished"
    );
    assert_eq!(server.sql("SELECT * FROM live")?, "");
    assert_eq!(
        server.sql("SELECT rule, transition, message FROM logwatch_private.check(at(111))")?,
        "backup|firing|backup is firing: no line that matches \"backup (of \\w+ )?finished\" has come in time"
    );
    // The line came before the check at 115 and is stored after it.
    server.sql("SELECT FROM logwatch_private.check(at(115)); SELECT line(113, 'backup finished')")?;
    assert_eq!(
        server.sql("SELECT rule, transition, message FROM logwatch_private.check(at(116))")?,
        "backup|resolved|backup is resolved: a line that matches \"backup (of \\w+ )?finished\" has come"
    );
    assert_eq!(server.sql("SELECT * FROM live")?, "|resolved|110.00|113.00");
    // A line without a level is stored as INFO; none of them counts for `error`.
    assert_eq!(
        server.sql("SELECT level, message FROM logwatch.entries ORDER BY id DESC LIMIT 1")?,
        "INFO|backup finished"
    );
    // Two stretches that one check finds.
    server.sql("SELECT line(180, 'DEBUG backup finished'), line(250, 'ERROR backup finished with errors'), line(300, 'backup finished')")?;
    server.sql("DELETE FROM logwatch.rules WHERE name = 'error'")?;
    server.sql("SELECT FROM logwatch_private.check(at(301)); SELECT FROM logwatch_private.check(at(303))")?;
    assert_eq!(
        server.sql("SELECT * FROM live")?,
        "|resolved|110.00|113.00\n|resolved|173.00|250.00"
    );
    assert_eq!(
        server.sql("SELECT * FROM back")?,
        "|110.00|113.00\n|173.00|180.00\n|240.00|250.00\n|360.00|600.00"
    );
    Ok(())
}

const NIGHTLY: &str = ", expected_during) VALUES ('backup', 'absence', 'match', '^backup finished$', '5 minutes', '{log}', at(0), 'night')";

#[test]
fn a_line_may_be_expected_in_the_hours_of_a_schedule() -> Result<()> {
    let server = server(NIGHTLY)?;
    // From minute 30 to 90 and from 390 to 450, by the clock of a zone with half hours.
    server.sql(
        "INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends)
         SELECT 'night', 'Asia/Kolkata', '{mon,tue,wed,thu,fri,sat,sun}', (at(m) AT TIME ZONE 'Asia/Kolkata')::time, (at(m + 60) AT TIME ZONE 'Asia/Kolkata')::time
           FROM unnest('{30,390}'::integer[]) AS m",
    )?;
    // One that came before the hours does not count.
    server.sql("SELECT line(20, 'INFO backup finished'); SELECT FROM logwatch_private.check(at(89))")?;
    assert_eq!(server.sql("SELECT * FROM live")?, "");
    server.sql("SELECT FROM logwatch_private.check(at(91)); SELECT line(200, 'INFO backup finished')")?;
    server.sql("SELECT FROM logwatch_private.check(at(202))")?;
    assert_eq!(server.sql("SELECT * FROM live")?, "|resolved|90.00|200.00");
    server.sql("SELECT line(400, 'INFO backup finished'); SELECT FROM logwatch_private.check(at(500))")?;
    assert_eq!(server.sql("SELECT * FROM live")?, "|resolved|90.00|200.00");
    assert_eq!(server.sql("SELECT * FROM back")?, "|90.00|200.00");
    Ok(())
}

#[test]
fn the_hours_in_which_a_line_is_expected_follow_the_clock() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "INSERT INTO logwatch.schedules (name, time_zone, weekdays, starts, ends)
         VALUES ('night', 'Europe/Berlin', '{sat,sun}', '22:00', '06:00'), ('day', 'Europe/Berlin', '{mon}', '00:00', '24:00')",
    )?;
    let hours = |schedule: &str, from: &str, to: &str| {
        server.sql(&format!(
            "SELECT begins AT TIME ZONE 'UTC', ends AT TIME ZONE 'UTC' FROM logwatch_private.hours_between('{schedule}', '{from}', '{to}') ORDER BY 1"
        ))
    };
    // Over the change to winter time a night has nine hours, to summer time seven.
    assert_eq!(
        hours("night", "2026-10-24 12:00Z", "2026-10-26 12:00Z")?,
        "2026-10-24 20:00:00|2026-10-25 05:00:00\n2026-10-25 21:00:00|2026-10-26 05:00:00"
    );
    assert_eq!(
        hours("night", "2026-03-28 12:00Z", "2026-03-29 12:00Z")?,
        "2026-03-28 21:00:00|2026-03-29 04:00:00"
    );
    assert_eq!(
        hours("day", "2026-11-23 00:00Z", "2026-11-24 00:00Z")?,
        "2026-11-22 23:00:00|2026-11-23 23:00:00"
    );
    Ok(())
}

#[test]
fn a_tailer_keeps_the_lines_that_rules_expect() -> Result<()> {
    let server = server(HOURLY)?;
    server.sql("UPDATE logwatch.rules SET expected_since = now() - interval '2 hours', channels = '{}' WHERE name = 'backup'")?;
    server.sql("SELECT FROM logwatch_check()")?;
    let told = server.sql("SELECT state, count, verdict FROM logwatch_check_rule('backup')")?;
    ensure!(
        told.starts_with("firing|0|")
            && told.contains("; the line has not come since ")
            && told.contains("; missing since ")
            && told.ends_with("; no tailer watches: only lines that logwatch_ingest() is given count"),
        "{told}"
    );
    server.sql("DELETE FROM logwatch.alerts; UPDATE logwatch.rules SET expected_since = now() - interval '1 minute', channels = '{log}' WHERE name = 'backup'")?;
    let log = server.dir().join("app.log");
    fs::write(&log, "INFO backup started\nbackup of shop finished\n")?;
    let mut tailer = Tailer::start(&server, &["--source", "app", &log.display().to_string()])?;
    server.wait_for_sql(
        SOON,
        "SELECT level, message FROM logwatch.entries",
        "INFO|backup of shop finished",
    )?;
    let verdict = "SELECT verdict FROM logwatch_check_rule('backup')";
    // With its first heartbeat it says what it keeps.
    server.wait_for_sql(
        SOON,
        "SELECT expected FROM logwatch.sources WHERE name = 'app'",
        "{\"backup (of \\\\w+ )?finished\"}",
    )?;
    server.sql("SELECT FROM logwatch_check()")?;
    let told = server.sql(verdict)?;
    ensure!(
        told.starts_with("the line last came at ") && told.ends_with(" unless it comes"),
        "{told}"
    );

    // A rule that is made meanwhile is taken with a heartbeat.
    server.sql("INSERT INTO logwatch.rules (name, kind, absence_of, match) VALUES ('vacuum', 'absence', 'match', '^vacuum done: \"ok\"$')")?;
    // A file that grows has the next heartbeat sooner.
    append(&log, &["INFO nothing"])?;
    server.wait_for_sql(
        4 * SOON,
        "SELECT cardinality(expected) FROM logwatch.sources WHERE name = 'app'",
        "2",
    )?;
    append(
        &log,
        &[
            "ERROR disk full",
            r#"{"level":"debug","msg":"vacuum done: \"ok\""}"#,
            "INFO backup finished",
            "  on time",
        ],
    )?;
    server.wait_for_sql(
        SOON,
        "SELECT level, message, detail FROM logwatch.entries ORDER BY id OFFSET 1",
        "ERROR|disk full|\nDEBUG|vacuum done: \"ok\"|\nINFO|backup finished|  on time",
    )?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.batches WHERE expected IS NOT NULL",
        "2",
    )?;
    assert_eq!(tailer.exited()?, None);

    // A tailer that is too old says nothing of such lines.
    tailer.terminate()?;
    server.sql("SELECT FROM logwatch_attach('old', '/var/log/old.log'); UPDATE logwatch.sources SET seen_at = NULL WHERE name = 'app'")?;
    let told = server.sql(verdict)?;
    ensure!(
        told.contains(
            "; the tailer of source \"old\" does not keep such lines: update it (it has version unknown)"
        ),
        "{told}"
    );
    server.sql("UPDATE logwatch.sources SET expected = '{other}' WHERE name = 'old'")?;
    let told = server.sql(verdict)?;
    ensure!(
        told.ends_with(
            "; the tailer of source \"old\" takes the rule with its next heartbeat, within a minute"
        ),
        "{told}"
    );
    server.sql("UPDATE logwatch.sources SET seen_at = NULL WHERE name = 'old'")?;
    let told = server.sql(verdict)?;
    ensure!(
        told.ends_with("; no tailer watches: only lines that logwatch_ingest() is given count"),
        "{told}"
    );
    Ok(())
}

#[test]
fn a_rule_that_expects_a_line_and_cannot_work_is_refused() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let refused = |columns: &str, values: &str| -> Result<String> {
        let error = server.sql_error(&format!(
            "INSERT INTO logwatch.rules (name, kind{columns}) VALUES ('r', 'absence'{values})"
        ))?;
        Ok(format!("{} {}", error.code, error.message))
    };
    let match_kind = ", absence_of, match";
    for (columns, values, told) in [
        (
            ", absence_of",
            ", 'match'",
            "23514 rule \"r\": absence_of = match needs match",
        ),
        (
            ", match",
            ", 'x'",
            "23514 rule \"r\": match has no meaning with absence_of = tailer",
        ),
        (
            match_kind,
            ", 'match', '('",
            "2201B rule \"r\": bad regular expression \"(\"",
        ),
        (
            match_kind,
            ", 'match', 'a*'",
            "2201B rule \"r\": bad regular expression \"a*\"",
        ),
        (
            match_kind,
            ", 'match', '(\\w{1,100}){1,100}'",
            "2201B rule \"r\": bad regular expression \"(\\w{1,100}){1,100}\"",
        ),
        (
            ", absence_of, match, exclude",
            ", 'match', 'x', 'y'",
            "23514 rule \"r\": exclude has no meaning with absence_of = match",
        ),
        (
            ", absence_of, match, group_by",
            ", 'match', 'x', 'pattern'",
            "23514 rule \"r\": unknown group_by \"pattern\"",
        ),
        (
            ", expected_during",
            ", 'night'",
            "23514 rule \"r\": expected_during is for kind absence with absence_of = match",
        ),
    ] {
        assert_eq!(refused(columns, values)?, told);
    }
    let error = server
        .sql_error("INSERT INTO logwatch.rules (name, absence_of, match) VALUES ('r', 'match', 'x')")?;
    assert_eq!(
        error.message,
        "rule \"r\": absence_of = match is for kind absence, and its kind is threshold"
    );
    // Lines are tested in another syntax than templates.
    server.sql("INSERT INTO logwatch.rules (name, kind, absence_of, match, expected_during) VALUES ('r', 'absence', 'match', '\\bdone\\b', 'nights')")?;
    server.sql("SELECT FROM logwatch_check(); SELECT FROM logwatch_status()")?;
    let told = server.sql("SELECT verdict FROM logwatch_check_rule('r')")?;
    ensure!(
        told.contains("; schedule \"nights\" has no hours in the next 9 days: the rule never fires; "),
        "{told}"
    );
    Ok(())
}
