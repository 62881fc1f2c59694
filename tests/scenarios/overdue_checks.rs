//! Checks that do not run: the status, Nagios, the metrics, the page and the server log say so, and
//! who blocks them.

use std::time::{Duration, Instant};

use anyhow::Result;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::{INGEST_FATAL, SOON};

/// Checks are overdue after 30 seconds.
const OVERDUE: Duration = Duration::from_secs(45);
const WORKER_STATE: &str = "SELECT state FROM logwatch_status() WHERE component = 'worker'";
const WORKER_MESSAGE: &str = "SELECT message FROM logwatch_status() WHERE component = 'worker'";

#[test]
fn an_author_who_locks_the_rules_is_named_everywhere() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql("CREATE ROLE author LOGIN; SELECT logwatch_grant('author', 'author')")?;
    let checked =
        "SELECT count(*) FROM logwatch.metrics WHERE metric = 'logwatch_last_check_timestamp_seconds'";
    server.wait_for_sql(SOON, checked, "1")?;
    let mut author = server.client_as("author", "postgres")?;
    author.batch_execute("SET application_name = 'nightly job'; BEGIN; LOCK TABLE logwatch.rules")?;
    let pid: i32 = author.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let locked = Instant::now();

    // Nobody can say at once whether all is well, and nothing waits for the author.
    assert!(
        server
            .sql("SELECT line FROM logwatch_nagios()")?
            .starts_with("LOGWATCH ")
    );
    assert!(
        locked.elapsed() < Duration::from_secs(10),
        "{:?}",
        locked.elapsed()
    );
    server.wait_for_sql(OVERDUE, WORKER_STATE, "overdue")?;
    let names = format!(
        "pid {pid} (role author, application nightly job) holds AccessExclusiveLock on logwatch.rules"
    );
    for query in [
        WORKER_MESSAGE,
        "SELECT line FROM logwatch_nagios()",
        "SELECT logwatch_report_html()",
    ] {
        let answer = server.sql(query)?;
        assert!(answer.contains(&names), "{query}: {answer}");
        assert!(
            answer.contains(&format!("pg_terminate_backend({pid})")),
            "{query}: {answer}"
        );
    }
    assert_eq!(server.sql("SELECT state FROM logwatch_nagios()")?, "2");
    assert_eq!(
        server.sql("SELECT state, message FROM logwatch_status() WHERE component = 'rule'")?,
        "unknown|Rules, sources and channels cannot be read: another session has locked a table for more than 0.5 s. See the worker's row."
    );
    assert_eq!(
        server.sql("SELECT value FROM logwatch.metrics WHERE metric = 'logwatch_worker_up'")?,
        "0"
    );
    let age = "SELECT extract(epoch FROM now()) - value BETWEEN 30 AND 120 FROM logwatch.metrics WHERE metric = 'logwatch_last_check_timestamp_seconds'";
    server.wait_for_sql(SOON, age, "t")?;
    server.wait_for_log(SOON, "logwatch worker: no check has been completed for 3")?;
    server.wait_for_log(SOON, &names)?;

    author.batch_execute("ROLLBACK")?;
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    server.wait_for_log(SOON, "logwatch worker: checks run again after ")?;
    assert_eq!(server.sql("SELECT state FROM logwatch_nagios()")?, "0");
    Ok(())
}

#[test]
fn an_open_transaction_that_has_the_turn_to_check_is_named() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    let mut session = server.client_as("postgres", "postgres")?;
    session.batch_execute("BEGIN")?;
    wait_until(SOON, "the worker to be between two checks", || {
        Ok(session
            .query_one("SELECT logwatch_private.take_turn('check')", &[])?
            .get(0))
    })?;
    session.batch_execute("SELECT logwatch_check()")?;
    let pid: i32 = session.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(OVERDUE, WORKER_STATE, "overdue")?;
    let message = server.sql(WORKER_MESSAGE)?;
    assert!(
        message.contains(&format!("pid {pid} (role postgres, application unnamed) holds"))
            && message.contains("the turn to check, in an open transaction"),
        "{message}"
    );
    // Without a check there is no alert, and the rule is not called ok either.
    assert_eq!(
        server.sql("SELECT state, message FROM logwatch_status() WHERE name = 'fatal'")?,
        "unchecked|fatal is unchecked: 1 record of FATAL in 5 minutes, threshold 1, threshold met, not checked yet"
    );
    session.batch_execute("COMMIT")?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(SOON, WORKER_STATE, "running")
}

#[test]
fn an_idle_worker_is_seen_to_check_and_assigns_no_transaction_id() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let checked = "SELECT value FROM logwatch.metrics WHERE metric = 'logwatch_last_check_timestamp_seconds'";
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    server.wait_for_sql(
        SOON,
        &format!("SELECT ({checked}) > extract(epoch FROM pg_postmaster_start_time()) + 3"),
        "t",
    )?;
    let before = server.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())")?;
    let first: f64 = server.sql(checked)?.parse()?;
    server.wait_for_sql(SOON, &format!("SELECT ({checked}) > {first} + 2"), "t")?;
    assert_eq!(
        server.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())")?,
        before
    );
    let message = server.sql(WORKER_MESSAGE)?;
    assert!(
        message.contains("The last check ran 00:00:0") && message.ends_with(" ms."),
        "{message}"
    );
    Ok(())
}

#[test]
fn without_a_worker_the_last_call_of_a_check_counts() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(INGEST_FATAL)?;
    let message = server.sql(WORKER_MESSAGE)?;
    assert!(message.ends_with("No check has run yet."), "{message}");
    assert_eq!(
        server.sql("SELECT state FROM logwatch_status() WHERE name = 'fatal'")?,
        "unchecked"
    );
    assert!(
        server
            .sql("SELECT logwatch_report()")?
            .contains("1 rule is met and not checked yet.")
    );
    assert_eq!(server.sql("SELECT state FROM logwatch_nagios()")?, "3");

    // As pg_cron does.
    server
        .sql("SELECT logwatch_check(); UPDATE logwatch.rules SET enabled = false; SELECT logwatch_check()")?;
    assert_eq!(server.sql(WORKER_STATE)?, "scheduled");
    assert_eq!(
        server.sql("SELECT state, line FROM logwatch_nagios()")?,
        "0|LOGWATCH OK - nothing fires | firing=0"
    );
    // Three minutes without one.
    server.sql("UPDATE logwatch.progress SET checked_at = checked_at - interval '4 minutes'")?;
    assert_eq!(server.sql(WORKER_STATE)?, "off");
    let message = server.sql(WORKER_MESSAGE)?;
    assert!(message.contains("The last check ran 00:04:0"), "{message}");
    assert_eq!(server.sql("SELECT state FROM logwatch_nagios()")?, "3");
    Ok(())
}

#[test]
fn a_prepared_transaction_that_locks_the_rules_is_named() -> Result<()> {
    let server = Server::without_worker(&[("max_prepared_transactions", "1")])?;
    let mut session = server.client_as("postgres", "postgres")?;
    session
        .batch_execute("BEGIN; LOCK TABLE logwatch.rules IN SHARE MODE; PREPARE TRANSACTION 'forgotten'")?;
    assert_eq!(
        server.sql("SELECT logwatch_private.check_blockers(0, now())")?,
        "prepared transaction 'forgotten' (role postgres) holds ShareLock on logwatch.rules; to end it: ROLLBACK PREPARED 'forgotten';"
    );
    server.sql("ROLLBACK PREPARED 'forgotten'")?;
    Ok(())
}
