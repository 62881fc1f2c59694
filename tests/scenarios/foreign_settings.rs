//! Settings that a server, a database or a role carries for its own sake. The worker keeps its own
//! values, and SQL functions are right under all of them.

use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::server::Server;
use logwatch_tests::wait::stays;

use crate::{INGEST_FATAL, SOON};

const WORKER_MESSAGE: &str = "SELECT state, message FROM logwatch_status() WHERE component = 'worker'";

/// The server log's lines by which the worker reports a failed tick.
fn complaints(server: &Server) -> Vec<String> {
    server
        .log()
        .lines()
        .filter(|line| line.contains("logwatch worker: ") || line.contains("could not serialize"))
        .map(str::to_owned)
        .collect()
}

/// A session that may write and waits for other writers, whatever the server or the database sets.
fn writer(server: &Server) -> Result<postgres::Client> {
    let mut client = server.client()?;
    client.batch_execute(
        "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'",
    )?;
    Ok(client)
}

#[test]
fn the_worker_keeps_its_own_values_of_what_a_database_sets() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    for setting in [
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "default_transaction_read_only = on",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1s'",
        "row_security = off",
        "session_replication_role = replica",
        "exit_on_error = on",
        "DateStyle = 'German, DMY'",
        "IntervalStyle = iso_8601",
        "standard_conforming_strings = off",
        "client_encoding = 'LATIN1'",
        "search_path = ''",
        "quote_all_identifiers = on",
        "transform_null_equals = on",
    ] {
        writer(&server)?.batch_execute(&format!("ALTER DATABASE postgres SET {setting}"))?;
    }
    server.restart()?;
    let pid = server.wait_for_worker(SOON, None)?;
    writer(&server)?.batch_execute(
        "SET session_replication_role = origin; SET lock_timeout = 0; SELECT public.logwatch_ingest('FATAL out of disk space'); SELECT public.logwatch_maintain()",
    )?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    stays(Duration::from_secs(4), "the worker's pid", || {
        Ok(server.worker()? == Some(pid))
    })?;
    assert_eq!(complaints(&server), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_role_that_the_database_sets_does_not_become_the_workers() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql("CREATE ROLE nobody IN ROLE pg_monitor; ALTER DATABASE postgres SET role = nobody")?;
    server.restart()?;
    server.wait_for_worker(SOON, None)?;
    server.sql(&format!("SET ROLE NONE; {INGEST_FATAL}"))?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    assert_eq!(complaints(&server), Vec::<String>::new());
    Ok(())
}

/// The setting is new in PostgreSQL 17.
#[test]
fn a_transaction_timeout_does_not_restart_the_worker() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    if server.sql("SELECT current_setting('server_version_num')::integer < 170000")? == "t" {
        return Ok(());
    }
    server.set(&[("transaction_timeout", "20ms")])?;
    server.restart()?;
    let pid = server.wait_for_worker(SOON, None)?;
    server.sql(&format!("SET transaction_timeout = 0; {INGEST_FATAL}"))?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    assert_eq!(server.worker()?, Some(pid));
    assert_eq!(complaints(&server), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_disk_guard_that_makes_the_server_read_only_is_named_in_the_status() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.wait_for_worker(SOON, None)?;
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on")?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW default_transaction_read_only", "on")?;

    let refused = server.sql_error(INGEST_FATAL)?;
    assert_eq!(refused.code, "25006", "{refused}");
    let told = server.sql(WORKER_MESSAGE)?;
    assert!(told.starts_with("running|"), "{told}");
    assert!(
        told.ends_with(
            "Tailers and applications cannot store records, because default_transaction_read_only is on; to end it: \
             SET default_transaction_read_only = off; ALTER SYSTEM SET default_transaction_read_only = off; SELECT pg_reload_conf();"
        ),
        "{told}"
    );
    // The worker itself goes on: what was stored before is sent.
    writer(&server)?.batch_execute(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    assert_eq!(complaints(&server), Vec::<String>::new());

    writer(&server)?.batch_execute("ALTER SYSTEM SET default_transaction_read_only = off")?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW default_transaction_read_only", "off")?;
    let told = server.sql(WORKER_MESSAGE)?;
    assert!(!told.contains("read_only"), "{told}");
    Ok(())
}

#[test]
fn a_database_that_makes_sessions_read_only_is_named_with_its_command() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql("ALTER DATABASE postgres SET default_transaction_read_only = on")?;
    let told = server.sql(WORKER_MESSAGE)?;
    assert!(
        told.ends_with("ALTER DATABASE postgres RESET default_transaction_read_only;"),
        "{told}"
    );
    Ok(())
}

/// Every function is called once, under the setting that makes PostgreSQL warn of backslashes.
#[test]
fn functions_do_not_depend_on_standard_conforming_strings() -> Result<()> {
    let server = Server::without_worker(&[("standard_conforming_strings", "off"), ("wal_level", "logical")])?;
    let told = server.psql(
        "SELECT logwatch_ingest('FATAL out of disk space'), logwatch_check(), logwatch_maintain();
         SELECT count(*) FROM logwatch_status(); SELECT * FROM logwatch_publish(true); SELECT * FROM logwatch_fleet;
         SELECT line FROM logwatch_nagios(); SELECT count(*) FROM logwatch.metrics; SELECT length(logwatch_report_html()) > 0",
    )?;
    assert!(told.contains(r"\gexec"), "{told}");
    assert!(!told.contains("WARNING"), "{told}");
    assert!(
        !server.log().contains("nonstandard use"),
        "{}",
        server.log_tail(20)
    );
    Ok(())
}

/// Each session stores the same lines and calls the functions for readers. `public` has operators
/// and functions that would win if a function of logwatch looked there.
#[test]
fn sessions_of_any_kind_store_and_read_the_same() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(
        "CREATE SCHEMA evil;
         CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
         CREATE FUNCTION evil.lie(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
         CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.lie);
         CREATE FUNCTION evil.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT -1::bigint'",
    )?;
    let settings = [
        "application_name = 'plain'",
        "search_path = evil, pg_catalog, public",
        "DateStyle = 'German, DMY'",
        "IntervalStyle = iso_8601",
        "client_encoding = 'LATIN1'",
        "session_replication_role = replica",
        "work_mem = '64kB'",
        "plan_cache_mode = force_generic_plan",
        "bytea_output = escape",
        "quote_all_identifiers = on",
    ];
    for (number, setting) in settings.iter().enumerate() {
        let told = server
            .psql(&format!(
                "SET {setting};
                 SELECT public.logwatch_ingest(ARRAY[U&'20.11.2025 10:00:00 ERROR caf\\00e9 closed\\000a  at door 7', '2025-11-20T10:00:00Z FATAL full'], 's{number}');
                 SELECT public.logwatch_check(); SELECT * FROM public.logwatch_status(); SELECT * FROM logwatch.metrics;
                 SELECT length(public.logwatch_report_html()), public.logwatch_maintain();
                 SELECT * FROM public.logwatch_backtest('error'); SELECT line FROM public.logwatch_nagios()"
            ))
            .context(*setting)?;
        assert!(!told.contains("WARNING"), "{setting}: {told}");
    }
    let kinds = server.sql(
        "SELECT count(*), string_agg(DISTINCT e.level || ' ' || e.message || ' ' || COALESCE(e.detail, '') || ' ' || e.logged_at, '; ')
           FROM logwatch.entries AS e GROUP BY e.fingerprint, e.level, e.logged_at ORDER BY e.level",
    )?;
    let sessions = settings.len();
    assert_eq!(
        kinds,
        format!(
            "{sessions}|ERROR caf\u{e9} closed   at door 7 2025-11-20 10:00:00+00\n{sessions}|FATAL full  2025-11-20 10:00:00+00"
        )
    );
    Ok(())
}

/// A million records stored by one session left 6 MB in it. This stores 60 000.
#[test]
fn a_session_that_stores_for_long_keeps_its_size() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut client = server.client()?;
    let mut size_after = |calls: usize| -> Result<i64> {
        for call in 0..calls {
            client.execute(
                "SELECT logwatch_ingest(ARRAY(SELECT format('ERROR number %s of word%s', i, $1::integer % 50) FROM generate_series(1, 1000) AS i))",
                &[&i32::try_from(call)?],
            )?;
        }
        let size = client.query_one(
            "SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts",
            &[],
        )?;
        Ok(size.get(0))
    };
    let before = size_after(10)?;
    let after = size_after(50)?;
    assert!(after < before + 1024 * 1024, "{before} bytes, then {after}");
    assert!(after < 16 * 1024 * 1024, "{after} bytes");
    Ok(())
}

/// PostgreSQL replaces an error by another one when a character has no place in the encoding.
#[test]
fn hints_reach_a_client_of_an_old_encoding() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let told = server
        .psql("SET client_encoding = 'LATIN1'; SELECT logwatch_silence('*', '1 hour', schedule => 'none')")
        .expect_err("there is no such schedule")
        .to_string();
    assert!(
        told.contains("HINT:  To make one: INSERT INTO logwatch.schedules"),
        "{told}"
    );
    assert_eq!(
        server.sql(
            "SELECT proname FROM pg_proc WHERE proname ~ 'logwatch' AND prosrc ~ 'HINT[^;]*[^[:ascii:]]'"
        )?,
        ""
    );
    Ok(())
}
