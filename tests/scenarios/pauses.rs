//! Commands that need a database without sessions, and databases that the worker cannot or must not
//! connect to.

use std::time::{Duration, Instant};

use anyhow::Result;
use logwatch_tests::mail_sink::{Action, MailSink, Step};
use logwatch_tests::server::Server;
use logwatch_tests::wait::{stays, wait_until};
use postgres::error::SqlState;

use crate::{INGEST_FATAL, PROMPTLY, SOON, mailing_server};

const WORKER: &str = "SELECT state, message FROM logwatch_status() WHERE component = 'worker'";
/// The worker that is connected to a database.
const CONNECTED: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'logwatch worker' AND datname IS NOT NULL";

/// A server whose worker serves the database appdb.
fn server() -> Result<Server> {
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.database", "appdb"),
        ("logwatch.check_interval", "1s"),
    ])?;
    server.start()?;
    server.sql("CREATE DATABASE appdb")?;
    let mut appdb = server.client_as("postgres", "appdb")?;
    appdb.batch_execute("CREATE EXTENSION logwatch")?;
    server.wait_for_sql(SOON, CONNECTED, "1")?;
    Ok(server)
}

fn in_database(server: &Server, database: &str, statements: &str) -> Result<String> {
    logwatch_tests::server::run(&mut server.client_as("postgres", database)?, statements)
}

#[test]
fn a_paused_worker_lets_a_database_be_copied_renamed_and_dropped() -> Result<()> {
    let mut server = server()?;
    let refused = server.sql_error("CREATE DATABASE copy TEMPLATE appdb")?;
    assert_eq!(refused.code, SqlState::OBJECT_IN_USE.code(), "{refused}");
    let told = in_database(&server, "appdb", WORKER)?;
    assert!(
        told.starts_with("running|") && told.contains("SELECT public.logwatch_pause(interval '10 minutes');"),
        "{told}"
    );

    let told = in_database(&server, "appdb", "SELECT logwatch_pause('10 minutes')")?;
    assert!(
        told.contains(" and has disconnected; to end the pause: "),
        "{told}"
    );
    server.sql("CREATE DATABASE copy TEMPLATE appdb")?;
    server.sql("ALTER DATABASE appdb RENAME TO renamed")?;
    server.sql("ALTER DATABASE renamed RENAME TO appdb")?;
    assert_eq!(server.sql(CONNECTED)?, "0");
    let told = in_database(&server, "appdb", WORKER)?;
    assert!(told.starts_with("paused|The worker is paused until "), "{told}");
    assert_eq!(
        in_database(&server, "appdb", "SELECT state FROM logwatch_nagios()")?,
        "3"
    );
    // The copy is no business of the worker's.
    let told = in_database(&server, "copy", WORKER)?;
    assert!(told.contains("The worker does not serve this database"), "{told}");

    assert_eq!(
        in_database(&server, "appdb", "SELECT logwatch_pause('0')")?,
        "the worker is not paused"
    );
    server.wait_for_sql(SOON, CONNECTED, "1")?;
    in_database(&server, "appdb", INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;

    in_database(&server, "appdb", "SELECT logwatch_pause()")?;
    server.sql("DROP DATABASE appdb")?;
    // A restart ends the pause, and a paused worker does not hold it up.
    let began = Instant::now();
    server.restart()?;
    assert!(began.elapsed() < PROMPTLY, "{:?}", began.elapsed());
    server.wait_for_log(SOON, "waiting for database \"appdb\"")?;
    Ok(())
}

#[test]
fn a_pause_ends_by_itself() -> Result<()> {
    let server = server()?;
    in_database(&server, "appdb", "SELECT logwatch_pause('2 seconds')")?;
    assert_eq!(server.sql(CONNECTED)?, "0");
    server.wait_for_sql(SOON, CONNECTED, "1")?;
    Ok(())
}

#[test]
fn a_pause_lets_the_mail_under_way_end_and_sends_it_once() -> Result<()> {
    let sink = MailSink::plain()?;
    sink.times(1, Step::EndOfData, Action::Delay(Duration::from_secs(2)));
    let server = mailing_server(&sink, &[])?;
    server.wait_for_sql(SOON, CONNECTED, "1")?;
    server.sql(INGEST_FATAL)?;
    wait_until(SOON, "the mail under way", || {
        Ok(sink.reached(&Step::EndOfData) > 0)
    })?;
    let told = server.sql("SELECT logwatch_pause('1 minute')")?;
    assert!(told.contains(" and has disconnected; "), "{told}");
    assert_eq!(
        server.sql("SELECT state FROM logwatch.notifications WHERE channel = 'email'")?,
        "sent"
    );
    server.sql("SELECT logwatch_pause('0')")?;
    server.wait_for_sql(SOON, CONNECTED, "1")?;
    assert_eq!(sink.mails().len(), 1);
    // The worker notices nothing of so short a pause: nobody waits 10 s until it has left.
    assert_eq!(
        server.sql("SET statement_timeout = '8s'; SELECT logwatch_pause('1 microsecond')")?,
        "the worker is not paused"
    );
    Ok(())
}

#[test]
fn a_pause_has_limits_and_needs_a_worker() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for (call, code) in [
        ("SELECT logwatch_pause('2 days')", "22023"),
        ("SELECT logwatch_pause('-1 second')", "22023"),
        ("SELECT logwatch_pause(NULL)", "22023"),
        ("SELECT logwatch_pause('1 minute')", "55000"),
    ] {
        let refused = server.sql_error(call)?;
        assert_eq!(refused.code, code, "{call}: {refused}");
    }
    Ok(())
}

#[test]
fn a_misspelt_database_costs_the_log_few_lines_and_is_found_once_it_exists() -> Result<()> {
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.database", "apdb"),
    ])?;
    server.start()?;
    server.wait_for_log(SOON, "waiting for database \"apdb\" to accept connections")?;
    let lines = server.log().lines().count();
    stays(Duration::from_secs(15), "the log", || {
        Ok(server.log().lines().count() == lines)
    })?;
    assert_eq!(
        server.log().matches("database \"apdb\" does not exist").count(),
        1
    );

    server.sql("CREATE EXTENSION logwatch")?;
    let told = server.sql(WORKER)?;
    assert!(
        told.starts_with("elsewhere|The worker waits for database apdb, which does not exist."),
        "{told}"
    );
    // While it waits it is in nobody's way.
    server.sql("CREATE DATABASE other; ")?;
    server.sql("DROP DATABASE other")?;
    server.sql("CREATE DATABASE apdb")?;
    server.wait_for_sql(SOON, CONNECTED, "1")?;
    Ok(())
}

#[test]
fn a_template_is_refused_with_the_reason() -> Result<()> {
    let mut server = Server::create(&[
        ("shared_preload_libraries", "logwatch"),
        ("logwatch.database", "template1"),
    ])?;
    server.start_with_extension()?;
    server.wait_for_log(SOON, "is a template: the worker does not start")?;
    assert_eq!(server.sql(CONNECTED)?, "0");
    server.sql("CREATE DATABASE other")?;
    let told = server.sql(WORKER)?;
    assert!(
        told.starts_with("off|The worker does not start: logwatch.database = 'template1' is a template"),
        "{told}"
    );
    assert!(told.contains("restart: logwatch.database = 'postgres'"), "{told}");
    Ok(())
}
