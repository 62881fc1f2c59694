//! Rules of kind absence and the time in which nobody could report: it does not count.

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::SOON;

const RULE: &str = "DELETE FROM logwatch.rules;
    INSERT INTO logwatch.rules (name, kind, within, keep_firing_for) VALUES ('silent', 'absence', '10 minutes', '0')";

const ABSENT: &str =
    "SELECT string_agg(group_key, ' ' ORDER BY group_key) FROM logwatch.alerts WHERE state = 'firing'";

const LAST_CHECK: &str = "UPDATE logwatch.progress SET checked_at = checked_at - interval '1 hour'";

/// Moves all that was heard and interrupted into the past, as if checks had gone on since.
fn age(server: &Server, by: &str) -> Result<String> {
    server.sql(&format!(
        "UPDATE logwatch.sources SET first_seen = first_seen - interval '{by}', attached_at = attached_at - interval '{by}', seen_at = seen_at - interval '{by}';
         UPDATE logwatch_private.interruptions SET from_at = from_at - interval '{by}', to_at = to_at - interval '{by}'"
    ))
}

fn attach(server: &Server, source: &str) -> Result<String> {
    server.sql(&format!(
        "SELECT count(*) FROM logwatch_attach('{source}', '/var/log/app.log')"
    ))
}

fn check(server: &Server) -> Result<String> {
    server.sql("SELECT group_key, transition FROM logwatch_check() ORDER BY 1")
}

#[test]
fn a_server_that_was_down_calls_no_living_source_absent() -> Result<()> {
    let mut server = Server::without_worker(&[])?;
    server.sql(RULE)?;
    attach(&server, "dead")?;
    age(&server, "11 minutes")?;
    attach(&server, "alive")?;
    assert_eq!(check(&server)?, "dead|firing");

    // Down for an hour, in which neither could report.
    age(&server, "1 hour")?;
    server.sql(LAST_CHECK)?;
    server.restart()?;
    assert_eq!(check(&server)?, "");
    assert_eq!(server.sql(ABSENT)?, "dead");
    let due =
        server.sql("SELECT group_key, verdict FROM logwatch_check_rule('silent') WHERE state = 'ok'")?;
    ensure!(due.starts_with("alive|last heard of at "), "{due}");

    // From the restart on it has the whole time, and that of a tailer to connect again.
    age(&server, "9 minutes")?;
    assert_eq!(check(&server)?, "");
    age(&server, "75 seconds")?;
    assert_eq!(check(&server)?, "alive|firing");
    Ok(())
}

#[test]
fn a_clock_that_jumps_ahead_calls_no_living_source_absent() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql(RULE)?;
    attach(&server, "alive")?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch_private.known_rules WHERE name = 'silent'",
        "1",
    )?;
    // The same distance as if all clocks went ahead. A check that runs would note its time.
    let jump = "DO $$ BEGIN
        FOR look IN 1 .. 3000 LOOP
            EXIT WHEN logwatch_private.take_turn('check');
            ASSERT look < 3000, 'another check never ends';
            PERFORM pg_sleep(0.01);
        END LOOP;
        UPDATE logwatch.sources SET first_seen = first_seen - interval '1 hour', attached_at = attached_at - interval '1 hour', seen_at = seen_at - interval '1 hour';
        UPDATE logwatch.progress SET checked_at = checked_at - interval '1 hour';
        END $$";
    server.sql(jump)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch_private.interruptions WHERE to_at - from_at > interval '59 minutes'",
        "1",
    )?;
    let now = server.sql("SELECT clock_timestamp()")?;
    wait_until(SOON, "another check", || {
        let after = format!("SELECT checked_at - took > '{now}' FROM logwatch.progress");
        Ok(server.sql(&after)? == "t")
    })?;
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.alerts")?, "0");

    // A source that stays silent is absent once the time is over without the jump.
    age(&server, "11 minutes")?;
    server.wait_for_sql(SOON, ABSENT, "alive")
}

#[test]
fn a_clock_that_is_set_back_hides_no_dead_source() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(RULE)?;
    attach(&server, "heard ahead")?;
    server.sql("SELECT logwatch_ingest('ERROR disk full', 'heard ahead')")?;
    assert_eq!(check(&server)?, "");
    // As if all of that had been while the clock was a day ahead.
    server.sql(
        "UPDATE logwatch.sources SET first_seen = first_seen + interval '1 day', seen_at = seen_at + interval '1 day';
         UPDATE logwatch.arrivals SET since = since + interval '1 day', last_at = last_at + interval '1 day';
         UPDATE logwatch.progress SET checked_at = checked_at + interval '1 day'",
    )?;
    assert_eq!(check(&server)?, "");
    assert_eq!(
        server.sql("SELECT seen_at <= now() AND first_seen <= now(), (SELECT string_agg(n || ' ' || (last_at <= now()), ' ') FROM logwatch.arrivals) FROM logwatch.sources")?,
        "t|1 true"
    );
    server.sql("UPDATE logwatch.arrivals SET last_at = last_at - interval '11 minutes'")?;
    age(&server, "11 minutes")?;
    assert_eq!(check(&server)?, "heard ahead|firing");
    Ok(())
}

/// An interruption counts from its first to its last second, once, and only if it began before the
/// source was due.
#[test]
fn a_deadline_moves_by_the_interruptions_before_it() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "INSERT INTO logwatch_private.interruptions VALUES
             ('2026-03-01 10:05Z', '2026-03-01 10:10Z'), ('2026-03-01 10:08Z', '2026-03-01 10:15Z'),
             ('2026-03-01 10:19Z', '2026-03-01 10:29Z'), ('2026-03-01 10:31Z', '2026-03-01 10:39Z')",
    )?;
    for (heard, within, due) in [
        ("10:00", "5 minutes", "10:05"),
        ("10:00", "6 minutes", "10:16"),
        ("10:00", "9 minutes", "10:19"),
        ("10:00", "10 minutes", "10:30"),
        ("10:00", "12 minutes", "10:40"),
        ("10:12", "2 minutes", "10:17"),
        ("10:40", "2 minutes", "10:42"),
    ] {
        let query = format!(
            "SELECT to_char(logwatch_private.deadline('2026-03-01 {heard}Z', '{within}') AT TIME ZONE 'UTC', 'HH24:MI')"
        );
        assert_eq!(server.sql(&query)?, due, "heard {heard}, within {within}");
    }
    server.sql("INSERT INTO logwatch_private.interruptions VALUES ('-infinity', '2026-03-01 12:00Z')")?;
    assert_eq!(
        server.sql("SELECT to_char(logwatch_private.deadline('2026-03-01 10:40Z', '2 minutes') AT TIME ZONE 'UTC', 'HH24:MI')")?,
        "12:02"
    );
    Ok(())
}
