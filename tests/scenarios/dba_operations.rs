//! A DBA's operations beside the worker: activity views, terminate, cancel, reload, a crashed
//! session, DROP and CREATE DATABASE, and a long pg_dump. The worker obeys, comes back, and delays
//! nobody. Users of other extensions reported each of these cases.

use std::time::{Duration, Instant};

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::Server;
use logwatch_tests::wait::{stays, wait_until};
use postgres::error::SqlState;

use crate::{INGEST_FATAL, PROMPTLY, SOON, mailing_server};

#[test]
fn the_worker_shows_what_it_is_and_does() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1h")])?;
    server.wait_for_worker(SOON, None)?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;

    // Between ticks: idle, outside of any transaction, waiting in a place that belongs to
    // extensions.
    server.wait_for_sql(
        SOON,
        "SELECT application_name, datname, state, wait_event_type, xact_start IS NULL AND backend_xmin IS NULL
           FROM pg_stat_activity WHERE backend_type = 'logwatch worker'",
        "logwatch worker|postgres|idle|Extension|t",
    )?;
    // Its writes are counted; without them autovacuum would never start.
    server.wait_for_sql(
        SOON,
        "SELECT n_tup_ins >= 1 FROM pg_stat_user_tables WHERE schemaname = 'logwatch' AND relname = 'alerts'",
        "t",
    )?;
    Ok(())
}

/// A session that has locked the alerts, taken when the worker's first maintenance, which would
/// wait for it too, is over.
fn hold_alerts(server: &Server) -> Result<postgres::Client> {
    server.wait_for_sql(
        SOON,
        "SELECT maintained_at IS NOT NULL FROM logwatch.progress",
        "t",
    )?;
    let mut holder = server.client()?;
    holder.batch_execute("BEGIN; LOCK TABLE logwatch.alerts IN EXCLUSIVE MODE")?;
    Ok(holder)
}

#[test]
fn a_running_check_shows_itself_and_is_ended_by_a_terminate() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let first = server.wait_for_worker(SOON, None)?;
    // A lock that the check's UPDATE has to wait for keeps it where it is.
    let mut holder = hold_alerts(&server)?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT query, state, wait_event_type FROM pg_stat_activity WHERE backend_type = 'logwatch worker'",
        "logwatch: check|active|Lock",
    )?;

    let told = server.sql(&format!("SELECT pg_terminate_backend({first}, 10000)"))?;
    assert_eq!(told, "t", "the worker did not leave");
    holder.batch_execute("ROLLBACK")?;

    server.wait_for_worker(SOON, Some(first))?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")
}

#[test]
fn a_cancel_costs_one_check_at_most() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let first = server.wait_for_worker(SOON, None)?;
    let mut holder = hold_alerts(&server)?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT wait_event_type FROM pg_stat_activity WHERE backend_type = 'logwatch worker'",
        "Lock",
    )?;
    server.sql(&format!("SELECT pg_cancel_backend({first})"))?;
    server.wait_for_log(SOON, "canceling statement due to user request")?;
    holder.batch_execute("ROLLBACK")?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    assert_eq!(server.worker()?, Some(first), "the worker did not survive it");

    // While it waits for nothing but its latch there is nothing to cancel.
    server.wait_for_sql(
        SOON,
        "SELECT state FROM pg_stat_activity WHERE backend_type = 'logwatch worker'",
        "idle",
    )?;
    server.sql(&format!("SELECT pg_cancel_backend({first})"))?;
    stays(Duration::from_secs(2), "the worker's pid", || {
        Ok(server.worker()? == Some(first))
    })
}

#[test]
fn a_reload_counts_at_once_and_a_wrong_value_stops_nothing() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[("logwatch.check_interval", "1h")])?;
    let pid = server.wait_for_worker(SOON, None)?;
    server.set(&[
        ("logwatch.email_to", "dba@example.com"),
        ("logwatch.smtp_timeout", "5s"),
    ])?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW logwatch.email_to", "dba@example.com")?;
    server.sql(INGEST_FATAL)?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert_eq!(mail.to, ["dba@example.com"]);

    server.set(&[("logwatch.smtp_url", "gopher://mail")])?;
    server.reload();
    server.wait_for_log(SOON, "logwatch.smtp_url")?;
    server.wait_for_sql(
        SOON,
        "SELECT state, message LIKE '%logwatch.smtp_url%' FROM logwatch_status() WHERE component = 'channel' AND name = 'email'",
        "error|t",
    )?;
    assert_eq!(server.worker()?, Some(pid));
    Ok(())
}

#[test]
fn a_crashed_session_takes_the_worker_along_and_brings_it_back() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1h")])?;
    let first = server.wait_for_worker(SOON, None)?;
    let victim: i32 = {
        let mut client = server.client()?;
        let pid = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        server.signal(pid, libc::SIGKILL);
        pid
    };
    wait_until(SOON, "the session to be gone", || Ok(!server.is_alive(victim)))?;

    // The postmaster starts everything anew, shared memory included; a commit still finds the
    // worker in it.
    server.wait_for_worker(SOON, Some(first))?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")
}

#[test]
fn the_workers_own_database_can_be_dropped_and_made_again() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.always(Step::Greeting, Action::Stall);
    let url = sink.url();
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.database", "logs"),
        ("logwatch.check_interval", "1s"),
        ("logwatch.smtp_url", &url),
        ("logwatch.smtp_timeout", "60s"),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.start()?;
    // Missing at first: the worker says so and tries again; the server does not mind.
    server.wait_for_log(SOON, "database \"logs\" does not exist")?;
    server.sql("CREATE DATABASE logs")?;
    server.wait_for_worker(SOON, None)?;
    let mut logs = server.client_as("postgres", "logs")?;
    logs.batch_execute("CREATE EXTENSION logwatch; SELECT logwatch_ingest('FATAL out of disk space')")?;
    drop(logs);
    wait_until(SOON, "a mail under way", || Ok(sink.reached(&Step::Greeting) > 0))?;

    let refused = server.sql_error("DROP DATABASE logs")?;
    assert_eq!(refused.code, SqlState::OBJECT_IN_USE.code(), "{refused}");
    let began = Instant::now();
    server.sql("DROP DATABASE logs WITH (FORCE)")?;
    assert!(began.elapsed() < PROMPTLY, "{:?}", began.elapsed());

    server.sql("CREATE DATABASE logs")?;
    server.wait_for_worker(SOON, None)?;
    Ok(())
}

#[test]
fn a_database_is_copied_and_renamed_beside_the_worker() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1h")])?;
    let pid = server.wait_for_worker(SOON, None)?;
    server.sql("CREATE DATABASE one")?;
    server.sql("CREATE DATABASE two TEMPLATE one")?;
    server.sql("ALTER DATABASE two RENAME TO three")?;
    server.sql("DROP DATABASE three")?;
    assert_eq!(server.worker()?, Some(pid));
    Ok(())
}

/// A pg_dump holds its locks for as long as it runs; making and dropping partitions would wait for
/// it, and everybody for them.
#[test]
fn a_long_query_keeps_maintenance_waiting_and_nothing_else() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.wait_for_sql(
        SOON,
        "SELECT maintained_at IS NOT NULL FROM logwatch.progress",
        "t",
    )?;
    server.sql(
        "CREATE TABLE logwatch.entries_20200101 PARTITION OF logwatch.entries FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')",
    )?;
    let mut dump = server.client()?;
    dump.batch_execute("BEGIN; LOCK TABLE logwatch.entries IN ACCESS SHARE MODE")?;

    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(told.contains("partitions are in use"), "{told}");
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;

    dump.batch_execute("ROLLBACK")?;
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(told.contains("dropped 1"), "{told}");
    Ok(())
}
