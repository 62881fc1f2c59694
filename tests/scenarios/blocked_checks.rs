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
