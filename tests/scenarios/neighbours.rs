//! Servers that already have something: audit, statistics, jobs, partitions, poolers. logwatch does
//! its whole job beside them and disturbs none.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::manuals;
use logwatch_tests::pooler::Pooler;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::{wait_for, wait_until};

use crate::backup::{contents, dump, give_work, goes_on, restore};
use crate::{INGEST_FATAL, SOON, mail_through};

/// Whether the PostgreSQL under test has these extensions; else prints a line of output.
fn has_extensions(names: &[&str]) -> Result<bool> {
    let share = PathBuf::from(programs::ask_pg_config(programs::pg_config()?, "sharedir")?).join("extension");
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| !share.join(format!("{name}.control")).exists())
        .collect();
    if !missing.is_empty() {
        println!("skipped: this PostgreSQL has no {missing:?}");
    }
    Ok(missing.is_empty())
}

/// pgaudit logs each statement and each function outside pg_catalog. Six ticks a minute by default
/// and one look at the upkeep make eight lines.
#[test]
fn an_idle_worker_leaves_one_line_a_tick_in_an_audit_log() -> Result<()> {
    if !has_extensions(&["pgaudit"])? {
        return Ok(());
    }
    const LOOK: &str =
        "SELECT w.fleet, w.news, w.changes, w.announcements, w.deliveries FROM logwatch_private.work AS w";
    const UPKEEP: &str = "SELECT d FROM logwatch_private.maintenance_due(now()) AS d";
    let server = Server::with_worker(&[
        ("shared_preload_libraries", "pgaudit, logwatch"),
        ("pgaudit.log", "all"),
        ("logwatch.check_interval", "1s"),
    ])?;
    let worker = server.wait_for_worker(SOON, None)?;
    server.sql("SELECT logwatch_ingest('ERROR one')")?;
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.batches", "0")?;
    server.wait_for_sql(
        SOON,
        "SELECT maintained_at IS NOT NULL FROM logwatch.progress",
        "t",
    )?;

    // The lines of the worker after a tick that did nothing but look.
    let lines = || -> Vec<String> {
        let own = format!("[{worker}]");
        server
            .log()
            .lines()
            .filter(|line| line.contains(&own) && line.contains("AUDIT: "))
            .map(str::to_owned)
            .collect()
    };
    let is_look = |line: &String| line.contains(LOOK);
    wait_until(SOON, "two looks in a row", || {
        Ok(lines()
            .windows(2)
            .last()
            .is_some_and(|pair| pair.iter().all(is_look)))
    })?;
    let before = lines().len();
    wait_until(SOON, "eight ticks", || {
        Ok(lines().iter().skip(before).filter(|line| is_look(line)).count() >= 8)
    })?;
    let others: Vec<String> = lines()
        .into_iter()
        .skip(before)
        .filter(|line| !is_look(line) && !line.contains(UPKEEP))
        .collect();
    assert_eq!(others, Vec::<String>::new());

    // A record is still found at once.
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")
}

#[test]
fn beside_five_extensions_and_pgbouncer_the_whole_job_is_done_dumped_and_restored() -> Result<()> {
    if !has_extensions(&["pgaudit", "pg_stat_statements", "pg_cron", "pg_partman"])? {
        return Ok(());
    }
    let sink = MailSink::plain()?;
    let create = || -> Result<Server> {
        let mut server = Server::create(&[])?;
        mail_through(&mut server, &sink)?;
        server.set(&[
            (
                "shared_preload_libraries",
                "pgaudit, pg_stat_statements, auto_explain, pg_cron, pg_partman_bgw, logwatch",
            ),
            ("pgaudit.log", "all"),
            ("pg_stat_statements.track", "all"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_nested_statements", "on"),
            ("cron.database_name", "postgres"),
            ("cron.use_background_workers", "on"),
            ("pg_partman_bgw.dbname", "postgres"),
            ("pg_partman_bgw.interval", "1"),
            ("max_worker_processes", "16"),
        ])?;
        server.start()?;
        Ok(server)
    };
    let server = create()?;
    server.sql(
        "CREATE EXTENSION pgaudit; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_cron;
         CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; CREATE EXTENSION logwatch;
         CREATE TABLE orders (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
         SELECT partman.create_parent('public.orders', 'at', 'native', 'daily'); INSERT INTO orders VALUES (1, now())",
    )?;
    server.psql_script(&fs::read_to_string(
        programs::checkout().join("sql/integrations/pg_cron.sql"),
    )?)?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    give_work(&server, &sink, &log)?;
    // Through PgBouncer, where each statement may run in another session.
    let bouncer = Pooler::bouncer(&server, "statement")?;
    let pooled = folder.path().join("pooled.log");
    append(&pooled, &["INFO nothing", "ERROR pooled"])?;
    let path = pooled.display().to_string();
    let mut tailer =
        Tailer::spawn(bouncer.tailer(&server, &["--source", "pooled", "--from-beginning", &path])?)?;
    let of_pooled = "SELECT string_agg(message, ',' ORDER BY id) FROM logwatch.entries WHERE source_id = logwatch_private.source_id('pooled')";
    server.wait_for_sql(SOON, of_pooled, "pooled")?;
    assert!(tailer.terminate()?.0.success(), "{}", tailer.output());
    // Each of the others has seen logwatch and does its own work.
    server.wait_for_sql(
        SOON,
        "SELECT (SELECT count(*) > 5 FROM pg_inherits WHERE inhparent = 'orders'::regclass),
                (SELECT count(*) >= 4 FROM cron.job), (SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE '%logwatch_private.work%')",
        "t|t|t",
    )?;
    for words in ["AUDIT: SESSION", "Query Text: SELECT w.fleet"] {
        server.wait_for_log(SOON, words)?;
    }
    assert_eq!(errors(&server), Vec::<String>::new());

    let file = folder.path().join("dump");
    // A job of pg_cron may run meanwhile.
    server.sql("UPDATE cron.job SET active = false")?;
    wait_for(SOON, "the jobs to end", || {
        Ok((server
            .sql("SELECT count(*) FROM cron.job_run_details WHERE status IN ('starting', 'running')")?
            == "0")
            .then_some(()))
    })?;
    let before = dump(&server, &file, &[])?;
    drop((bouncer, server));
    sink.behave();

    let other = create()?;
    other.wait_for_worker(SOON, None)?;
    restore(&other, &file)?;
    assert_eq!(contents(&other)?, before);
    assert_eq!(
        other.sql("SELECT count(*), (SELECT count(*) >= 4 FROM cron.job), (SELECT count(*) FROM partman.part_config) FROM orders")?,
        "1|t|1"
    );
    goes_on(&other, &sink, &log)?;
    assert_eq!(errors(&other), Vec::<String>::new());
    Ok(())
}

/// The errors in the server log, but not those in the texts of functions that pgaudit logs, nor
/// pg_partman's about its own worker, which may end before its launcher looks.
fn errors(server: &Server) -> Vec<String> {
    let begins = |line: &&str| {
        line.starts_with("20")
            && line.contains(" ERROR:  ")
            && !line.ends_with("Could not start dynamic pg_partman background process")
    };
    server.log().lines().filter(begins).map(str::to_owned).collect()
}

/// The manual's recipe for a publisher that has plain tables only.
#[test]
fn a_managed_database_without_extensions_sends_each_row_once() -> Result<()> {
    let blocks: Vec<String> = manuals::blocks("sql/README.md")?
        .into_iter()
        .filter(|block| block.section == "A managed database without extensions")
        .map(|block| block.text)
        .collect();
    let [at_the_publisher, at_the_subscriber] = blocks.as_slice() else {
        bail!("the manual has {} blocks", blocks.len());
    };
    let mut publisher = Server::create(&[("wal_level", "logical")])?;
    publisher.start()?;
    publisher.psql_script(at_the_publisher)?;
    publisher.sql("INSERT INTO app_log (level, message) VALUES ('ERROR', 'before')")?;
    let mut subscriber = Server::with_worker(&[
        ("logwatch.check_interval", "1h"),
        ("wal_retrieve_retry_interval", "100ms"),
    ])?;
    subscriber.psql_script(&at_the_subscriber.replace(
        "host=db.example.com dbname=appdb user=replicator sslmode=require",
        &format!(
            "host={} dbname=postgres user=postgres",
            publisher.sockets().display()
        ),
    ))?;
    let stored = "SELECT string_agg(e.level || ' ' || e.message, ', ' ORDER BY e.message) FROM logwatch.entries AS e
                    JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = 'managed' AND e.flags IS NULL";
    subscriber.wait_for_sql(SOON, stored, "ERROR before")?;

    // A row wakes the worker, which looks once an hour by itself.
    publisher
        .sql("INSERT INTO app_log (level, message) VALUES ('info', 'nothing'), ('fatal', 'disk full')")?;
    subscriber.wait_for_log(SOON, "[FIRING:1] fatal")?;

    // Neither a crash of the subscriber nor a rollback at the publisher changes the number of rows.
    subscriber.kill()?;
    publisher.sql(
        "BEGIN; INSERT INTO app_log (level, message) VALUES ('error', 'undone'); ROLLBACK;
         INSERT INTO app_log (level, message) VALUES ('error', 'later'); DELETE FROM app_log",
    )?;
    subscriber.start()?;
    subscriber.wait_for_sql(SOON, stored, "ERROR before, FATAL disk full, ERROR later")?;
    assert_eq!(subscriber.sql("SELECT count(*) FROM app_log")?, "0");
    subscriber.sql("DROP SUBSCRIPTION app_log")?;
    Ok(())
}

/// Runs `body` while a session stores records, one after the other; returns how many it stored.
fn while_storing(server: &Server, body: impl FnOnce() -> Result<()>) -> Result<i64> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let storing = scope.spawn(|| -> Result<i64> {
            let mut client = server.client()?;
            let mut stored = 0;
            while !done.load(Ordering::Relaxed) {
                let line = format!("ERROR number {stored}");
                client.execute("SELECT logwatch_ingest($1, 'storm')", &[&line])?;
                stored += 1;
            }
            Ok(stored)
        });
        let outcome = body();
        done.store(true, Ordering::Relaxed);
        let stored = storing.join().expect("the storing thread returns its error")?;
        outcome.map(|()| stored)
    })
}

fn client_program(server: &Server, program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(server.program_path(program))
        .args(args)
        .envs(server.env())
        .output()?;
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{program} {args:?}: {told}");
    Ok(told)
}

#[test]
fn maintenance_commands_under_a_storm_lose_no_record() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.sql("SELECT logwatch_maintain()")?;
    let folder = tempfile::tempdir()?;
    let dump = folder.path().join("dump").display().to_string();
    let stored = while_storing(&server, || {
        let tables = "SELECT c.oid::regclass FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace IN ('logwatch'::regnamespace, 'logwatch_private'::regnamespace)";
        for table in server.sql(tables)?.lines() {
            server.sql(&format!("VACUUM FULL {table}"))?;
        }
        server.sql("CLUSTER logwatch.minutes USING minutes_minute_idx")?;
        for schema in ["logwatch", "logwatch_private"] {
            server.sql(&format!("REINDEX SCHEMA CONCURRENTLY {schema}"))?;
        }
        client_program(
            &server,
            "pg_amcheck",
            &["--install-missing", "--heapallindexed", "postgres"],
        )?;
        client_program(&server, "pg_dump", &["-Fd", "-j", "4", "-f", &dump, "postgres"])?;
        Ok(())
    })?;
    let counted = "SELECT (SELECT count(*) FROM logwatch.entries), (SELECT sum(n) FROM logwatch.counts)";
    server.wait_for_sql(SOON, counted, &format!("{stored}|{stored}"))?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch.alerts WHERE rule = 'error'",
        "firing",
    )?;
    assert_eq!(errors(&server), Vec::<String>::new());
    Ok(())
}

/// pg_repack rebuilds what has a key. pglogical refuses the tables without one.
#[test]
fn pg_repack_loses_no_record_and_pglogical_takes_no_table_by_default() -> Result<()> {
    if !has_extensions(&["pg_repack", "pglogical"])? {
        return Ok(());
    }
    let server = Server::with_worker(&[
        ("shared_preload_libraries", "pglogical, logwatch"),
        ("wal_level", "logical"),
        ("logwatch.check_interval", "1s"),
    ])?;
    server.sql("CREATE EXTENSION pg_repack; CREATE EXTENSION pglogical; SELECT logwatch_maintain()")?;
    let stored = while_storing(&server, || {
        client_program(&server, "pg_repack", &["-d", "postgres", "-c", "logwatch"])?;
        Ok(())
    })?;
    let counted = "SELECT (SELECT count(*) FROM logwatch.entries), (SELECT sum(n) FROM logwatch.counts)";
    server.wait_for_sql(SOON, counted, &format!("{stored}|{stored}"))?;

    server.sql("SELECT pglogical.create_node('here', 'dbname=postgres')")?;
    let refused =
        server.sql_error("SELECT pglogical.replication_set_add_all_tables('default', ARRAY['logwatch'])")?;
    assert_eq!(refused.code, "22023", "{refused}");
    assert_eq!(
        server.sql("SELECT count(*) FROM pglogical.tables WHERE set_name IS NOT NULL")?,
        "0"
    );
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")
}

#[test]
fn a_tailer_and_a_reader_go_through_pgpool() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let Some(pgpool) = Pooler::pgpool(&server)? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    append(&log, &["ERROR one"])?;
    let path = log.display().to_string();
    let mut tailer = Tailer::spawn(pgpool.tailer(&server, &["--source", "app", "--from-beginning", &path])?)?;
    let stored = "SELECT string_agg(message, ',' ORDER BY id) FROM logwatch.entries";
    server
        .wait_for_sql(SOON, stored, "one")
        .with_context(|| tailer.output())?;
    append(&log, &["ERROR two"])?;
    server
        .wait_for_sql(SOON, stored, "one,two")
        .with_context(|| tailer.output())?;
    assert!(tailer.terminate()?.0.success(), "{}", tailer.output());
    let checked = pgpool.tailer(&server, &["--check", &path])?.output()?;
    let told = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{told}");
    Ok(())
}
