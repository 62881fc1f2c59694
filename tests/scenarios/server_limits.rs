//! Calls of a tailer that exceed a limit of its server: fewer records go in one call, a record that
//! alone is too large is stored cut, and a lock in the way changes nothing.

use anyhow::Result;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::SOON;

/// A server on which storing a record takes `time`, an expression over NEW; the tailer's role is
/// limited to half a second a statement.
fn slow_server(time: &str) -> Result<Server> {
    let server = Server::without_worker(&[])?;
    server.sql(&format!(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({time}); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON logwatch.entries FOR EACH ROW EXECUTE FUNCTION slow();
         CREATE ROLE feeder LOGIN; SELECT logwatch_grant('feeder', 'tailer');
         ALTER ROLE feeder SET statement_timeout = '500ms'"
    ))?;
    Ok(server)
}

fn once(server: &Server, args: &[&str]) -> Result<(Option<i32>, String)> {
    let output = Tailer::command(
        server,
        &[&["--once", "--source", "app", "--from-beginning"], args].concat(),
    )?
    .env("PGUSER", "feeder")
    .output()?;
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

/// Stores 64 records, each once, by one run of the tailer; returns what the tailer printed.
fn store_64_records(server: &Server) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let lines: Vec<String> = (0..64).map(|number| format!("ERROR number {number}")).collect();
    append(&log, &lines)?;
    let (code, told) = once(server, &[&log.display().to_string()])?;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        server.sql("SELECT count(*), count(DISTINCT message) FROM logwatch.entries")?,
        "64|64"
    );
    Ok(told)
}

#[test]
fn a_batch_that_exceeds_statement_timeout_is_stored_in_parts() -> Result<()> {
    let server = slow_server("0.02")?;
    let told = store_64_records(&server)?;
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.gaps")?, "0");
    assert!(
        told.contains("the server cannot store 64 records at once: "),
        "{told}"
    );
    assert!(
        told.contains("SQLSTATE 57014")
            && told.contains("type: ALTER ROLE \"feeder\" SET statement_timeout = 0;"),
        "{told}"
    );
    Ok(())
}

/// The setting is new in PostgreSQL 17. It ends the connection.
#[test]
fn a_batch_that_exceeds_transaction_timeout_is_stored_in_parts() -> Result<()> {
    let server = slow_server("0.02")?;
    if server.sql("SELECT current_setting('server_version_num')::integer < 170000")? == "t" {
        return Ok(());
    }
    server.sql(
        "ALTER ROLE feeder SET statement_timeout = 0; ALTER ROLE feeder SET transaction_timeout = '500ms'",
    )?;
    let told = store_64_records(&server)?;
    assert!(
        told.contains("type: ALTER ROLE \"feeder\" SET transaction_timeout = 0;"),
        "{told}"
    );
    Ok(())
}

#[test]
fn a_record_that_alone_exceeds_the_limit_is_stored_cut_and_flagged() -> Result<()> {
    let server = slow_server("CASE WHEN length(NEW.message) > 10000 THEN 10 ELSE 0 END")?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    append(
        &log,
        &[
            "ERROR before".to_owned(),
            format!("ERROR large {}", "x".repeat(50_000)),
            "ERROR after".to_owned(),
        ],
    )?;
    let (code, told) = once(&server, &[&log.display().to_string()])?;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        server.sql("SELECT left(message, 6), length(message), flags FROM logwatch.entries ORDER BY id")?,
        "before|6|{time_missing}\nlarge |8186|{time_missing,truncated}\nafter|5|{time_missing}"
    );
    assert!(
        told.contains("the record at byte 13 is stored cut to 8192 bytes: "),
        "{told}"
    );
    Ok(())
}

#[test]
fn a_lock_in_the_way_cuts_nothing() -> Result<()> {
    let server = slow_server("0")?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let path = log.display().to_string();
    let mut command = Tailer::command(&server, &["--source", "app", "--from-beginning", &path])?;
    command.env("PGUSER", "feeder");
    let mut locker = server.client()?;
    locker.batch_execute("BEGIN; LOCK TABLE logwatch.batches")?;
    append(&log, &[format!("ERROR large {}", "x".repeat(50_000))])?;
    let tailer = Tailer::spawn(command)?;
    wait_until(SOON, "the tailer to wait", || {
        Ok(tailer.output().contains("trying again in"))
    })?;
    locker.batch_execute("ROLLBACK")?;
    server.wait_for_sql(
        SOON,
        "SELECT length(message), flags FROM logwatch.entries",
        "50006|{time_missing}",
    )
}

#[test]
fn a_backend_that_is_killed_makes_no_batch_smaller() -> Result<()> {
    let server = slow_server("CASE WHEN EXISTS (SELECT FROM public.held) THEN 60 ELSE 0 END")?;
    server.sql(
        "CREATE TABLE held AS SELECT 1; GRANT SELECT ON held TO PUBLIC; ALTER ROLE feeder SET statement_timeout = 0",
    )?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let lines: Vec<String> = (0..64).map(|number| format!("ERROR number {number}")).collect();
    append(&log, &lines)?;
    let path = log.display().to_string();
    let mut command = Tailer::command(&server, &["--source", "app", "--from-beginning", &path])?;
    command.env("PGUSER", "feeder");
    let tailer = Tailer::spawn(command)?;
    let is_storing = "usename = 'feeder' AND wait_event = 'PgSleep'";
    server.wait_for_sql(
        SOON,
        &format!("SELECT count(*) FROM pg_stat_activity WHERE {is_storing}"),
        "1",
    )?;
    server.sql(&format!(
        "DELETE FROM held; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {is_storing}"
    ))?;
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "64")?;
    let told = tailer.output();
    assert!(
        told.contains("trying again in") && !told.contains("records at once"),
        "{told}"
    );
    Ok(())
}

#[test]
fn the_grant_goes_to_the_role_that_the_login_becomes() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "CREATE ROLE shippers; CREATE ROLE feeder LOGIN IN ROLE shippers; ALTER ROLE feeder SET role = shippers",
    )?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    append(&log, &["ERROR one"])?;
    let path = log.display().to_string();
    let (code, told) = once(&server, &[&path])?;
    let grant = "SELECT public.logwatch_grant('\"shippers\"'::regrole, 'tailer'::text);";
    assert_eq!(code, Some(77), "{told}");
    assert!(told.contains(grant), "{told}");
    let check = Tailer::command(&server, &["--check", &path])?
        .env("PGUSER", "feeder")
        .output()?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(said.contains(grant), "{said}");

    server.sql(grant)?;
    let (code, told) = once(&server, &[&path])?;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(server.sql("SELECT message FROM logwatch.entries")?, "one");
    Ok(())
}
