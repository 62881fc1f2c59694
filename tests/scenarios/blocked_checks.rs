//! Other sessions' locks: none stops the checks unseen.

use anyhow::Result;
use logwatch_tests::server::Server;

use crate::{INGEST_FATAL, SOON};

#[test]
fn advisory_locks_of_others_stop_no_check() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql("CREATE ROLE nobody LOGIN")?;
    let mut session = server.client_as("nobody", "postgres")?;
    // The keys of earlier versions.
    session.batch_execute(
        "SELECT pg_advisory_lock(7236278, 1), pg_advisory_lock(7236278, 2), pg_advisory_lock(7236278, 3),
                pg_advisory_lock(7236279, hashtext('app'))",
    )?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    // The worker may be at it.
    server.wait_for_sql(SOON, "SELECT logwatch_maintain() LIKE 'partitions made %'", "t")?;
    assert_eq!(server.sql("SELECT epoch FROM logwatch_attach('app', '/x')")?, "1");
    assert_eq!(
        server.sql("SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'logwatch_private'::regnamespace AND p.prosrc LIKE '%advisory%'")?,
        "",
        "no function takes a lock that anybody may take"
    );
    Ok(())
}

#[test]
fn one_session_at_a_time_has_the_turn() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut session = server.client_as("postgres", "postgres")?;
    session.batch_execute(
        "BEGIN; SELECT logwatch_private.take_turn('fold'), logwatch_private.take_turn('fold')",
    )?;
    assert_eq!(
        server.sql("SELECT logwatch_maintain()")?,
        "another logwatch_maintain() is running"
    );
    session.batch_execute("COMMIT")?;
    assert_eq!(server.sql("SELECT logwatch_private.take_turn('fold')")?, "t");
    let error = server.sql_error("SELECT logwatch_private.take_turn('tea')")?;
    assert_eq!(error.code, "22023", "{error}");
    Ok(())
}

#[test]
fn an_uncommitted_acknowledgement_keeps_no_alert_open() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    crate::shorten_rules(&server)?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    let mut session = server.client_as("postgres", "postgres")?;
    session.batch_execute("BEGIN; SELECT logwatch_ack((SELECT max(id) FROM logwatch.alerts))")?;
    server.wait_for_sql(SOON, "SELECT state FROM logwatch.alerts", "resolved")?;
    session.batch_execute("COMMIT")?;
    assert_eq!(
        server.sql("SELECT acked_by FROM logwatch.acknowledgements")?,
        "postgres"
    );
    Ok(())
}

#[test]
fn a_locked_alert_holds_up_no_other_and_is_done_later() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let state = "SELECT rule, state, peak, announced FROM logwatch.alerts ORDER BY rule";
    server.sql(
        "INSERT INTO logwatch.rules (name, match) VALUES ('disk', 'disk'), ('net', 'network');
         UPDATE logwatch.rules SET enabled = false WHERE builtin;
         SELECT logwatch_silence('disk', '1 hour'); SELECT logwatch_ingest('ERROR disk full', 'web')",
    )?;
    server.wait_for_sql(SOON, state, "disk|firing|1|")?;
    let mut session = server.client_as("postgres", "postgres")?;
    session.batch_execute("BEGIN; SELECT FROM logwatch.alerts WHERE rule = 'disk' FOR UPDATE")?;

    // It is due now, a new pattern joins it, and another rule fires.
    server.sql(
        "SELECT logwatch_unsilence(id) FROM logwatch.silences;
         SELECT logwatch_ingest('{ERROR disk broken,FATAL network away}'::text[], 'web')",
    )?;
    server.wait_for_log(SOON, "[FIRING:1] net")?;
    assert_eq!(server.sql(state)?, "disk|firing|1|\nnet|firing|1|firing");

    session.batch_execute("COMMIT")?;
    server.wait_for_sql(SOON, state, "disk|firing|2|firing\nnet|firing|1|firing")?;
    server.wait_for_log(SOON, "[FIRING:2] disk")
}

#[test]
fn upkeep_deletes_nothing_that_an_open_transaction_uses() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "INSERT INTO logwatch.rules (name, source) VALUES ('web', 'web1'); SELECT logwatch_check();
         UPDATE logwatch.rules SET source = 'elsewhere' WHERE name = 'web'; SELECT logwatch_check();
         UPDATE logwatch.rules SET source = 'web1' WHERE name = 'web';
         SELECT logwatch_attach('old', '/var/log/a.log');
         SELECT logwatch_ingest('old', 1, 7, '/var/log/a.log', 1, 1, 0, 100, 0, 0, 0, 0, '{}', '{}');
         UPDATE logwatch.sources SET first_seen = now() - interval '400 days', attached_at = now() - interval '400 days',
                                     seen_at = now() - interval '400 days', written_at = NULL WHERE name = 'old'",
    )?;
    let mut check = server.client()?;
    check.batch_execute("BEGIN; SELECT logwatch_check()")?;
    let mut tailer = server.client()?;
    tailer.batch_execute("BEGIN; SELECT logwatch_attach('old', '/var/log/a.log')")?;
    server.sql("SELECT logwatch_private.maintain_part('folding')")?;
    server.sql("SELECT logwatch_private.maintain_part('retention')")?;
    check.batch_execute("COMMIT")?;
    tailer.batch_execute("COMMIT")?;

    // The rule goes on counting, and the tailer has its offset.
    assert_eq!(
        server.sql(
            "SELECT logwatch_ingest('ERROR boom', 'web1'); SELECT rule, transition FROM logwatch_check()"
        )?,
        "1\nweb|firing"
    );
    assert_eq!(
        server.sql("SELECT logwatch_ingest('old', 2, 7, '/var/log/a.log', 1, 1, 100, 110, 0, 0, 0, 0, '{ERROR one}', '{0}')")?,
        "1"
    );
    Ok(())
}

#[test]
fn a_record_that_arrives_during_a_recount_is_counted_once() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql("SELECT logwatch_ingest('ERROR one', 'edge'); SELECT logwatch_check()")?;
    // The recount waits in its midst.
    let mut other = server.client()?;
    other.batch_execute("BEGIN; SELECT FROM logwatch.minutes FOR UPDATE")?;
    std::thread::scope(|scope| -> Result<()> {
        let recount = scope.spawn(|| {
            server.sql("SELECT logwatch_private.recount(ARRAY[logwatch_private.source_id('edge')], now() - interval '1 hour', 0)")
        });
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        server.wait_for_sql(SOON, waiting, "1")?;
        server.sql("SELECT logwatch_ingest('ERROR another one', 'edge')")?;
        other.batch_execute("COMMIT")?;
        recount.join().expect("the thread does not panic").map(drop)
    })?;
    server.sql("SELECT logwatch_check()")?;
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.entries; SELECT sum(n) FROM logwatch.counts; SELECT sum(total) FROM logwatch.patterns; SELECT count(*) FROM logwatch.batches")?,
        "2\n2\n2\n0"
    );
    Ok(())
}
