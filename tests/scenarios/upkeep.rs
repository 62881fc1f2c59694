//! Upkeep: parts that fail apart from each other and stay failing until they succeed, many old
//! partitions, and publications of others that take logwatch's tables along.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::server::{Server, run};
use logwatch_tests::wait::stays;

use crate::{INGEST_FATAL, SOON};

const WORKER: &str = "SELECT state, message FROM logwatch_status() WHERE component = 'worker'";
const WORKER_STATE: &str = "SELECT state FROM logwatch_status() WHERE component = 'worker'";

/// Makes retention fail, and nothing else.
const BREAK_RETENTION: &str =
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'gaps are evidence'; END $$;
     CREATE TRIGGER refuse BEFORE DELETE ON logwatch.gaps FOR EACH STATEMENT EXECUTE FUNCTION refuse()";

/// Makes the partitions of this many days, all of them older than the retention.
fn make_old_partitions(server: &Server, days: usize) -> Result<()> {
    // A transaction each: the lock table may be small.
    let mut client = server.client()?;
    for day in 0..days {
        client.batch_execute(&format!(
            "DO $$ DECLARE day date := date '2020-01-01' + {day}; BEGIN
               EXECUTE format('CREATE TABLE logwatch.entries_%s PARTITION OF logwatch.entries FOR VALUES FROM (%L) TO (%L)',
                              to_char(day, 'YYYYMMDD'), day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'); END $$"
        ))?;
    }
    Ok(())
}

const OLD_PARTITIONS: &str = "SELECT count(*) FROM pg_class WHERE relnamespace = 'logwatch'::regnamespace AND relkind = 'r' AND relname LIKE 'entries_2020%'";

#[test]
fn a_part_that_fails_stays_failing_until_it_succeeds_and_stops_no_other() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.wait_for_sql(
        SOON,
        "SELECT maintained_at IS NOT NULL FROM logwatch.progress",
        "t",
    )?;
    server.sql(BREAK_RETENTION)?;
    make_old_partitions(&server, 2)?;

    // A start is followed by maintenance, and it has something to do.
    server.restart()?;
    server.wait_for_sql(SOON, WORKER_STATE, "failing")?;
    let told = server.sql(WORKER)?;
    assert!(
        told.contains(
            "Upkeep fails and is tried again every minute: retention: gaps are evidence (P0001), since "
        ),
        "{told}"
    );
    assert_eq!(server.sql(OLD_PARTITIONS)?, "0", "the other parts were done");
    // It is failing at each look, and the log has one line.
    stays(Duration::from_secs(5), "failing", || {
        Ok(server.sql(WORKER_STATE)? == "failing")
    })?;
    assert_eq!(server.log().matches("gaps are evidence").count(), 1);

    server.sql("DROP TRIGGER refuse ON logwatch.gaps")?;
    assert_eq!(server.sql(WORKER_STATE)?, "failing", "it has not succeeded yet");
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(!told.contains("retention"), "{told}");
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    Ok(())
}

#[test]
fn upkeep_without_the_worker_says_which_part_failed() -> Result<()> {
    let server = Server::without_worker(&[])?;
    server.sql(BREAK_RETENTION)?;
    make_old_partitions(&server, 1)?;
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(
        told.ends_with("dropped 1; minutes folded 0; retention: gaps are evidence (P0001)"),
        "{told}"
    );
    let told = server.sql(WORKER)?;
    assert!(
        told.contains("Upkeep fails and is tried again every minute: retention: "),
        "{told}"
    );
    Ok(())
}

#[test]
fn four_hundred_old_partitions_are_dropped_under_a_small_lock_table() -> Result<()> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    server.wait_for_sql(
        SOON,
        "SELECT maintained_at IS NOT NULL FROM logwatch.progress",
        "t",
    )?;
    make_old_partitions(&server, 400)?;
    // Their number does not count for the status, which locks none of them.
    let mut reader = server.client()?;
    reader.batch_execute("BEGIN; SELECT count(*) FROM logwatch_status()")?;
    let locks = "SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation WHERE c.relname LIKE 'entries\\_2%'";
    let locked: i64 = run(&mut reader, locks)?.parse()?;
    assert!(locked < 20, "{locked} locks on partitions");
    drop(reader);
    server.set(&[("max_connections", "10"), ("max_locks_per_transaction", "10")])?;
    server.restart()?;
    server.wait_for_sql(SOON, OLD_PARTITIONS, "0")?;
    server.wait_for_sql(SOON, WORKER_STATE, "running")?;
    assert!(
        !server.log().contains("out of shared memory"),
        "{}",
        server.log_tail(20)
    );
    Ok(())
}

#[test]
fn a_call_drops_sixteen_partitions_and_says_how_many_are_left() -> Result<()> {
    let server = Server::without_worker(&[])?;
    make_old_partitions(&server, 20)?;
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(
        told.contains("dropped 16; 4 more are dropped by the next calls; "),
        "{told}"
    );
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(told.contains("dropped 4; minutes folded 0"), "{told}");
    Ok(())
}

/// PostgreSQL refuses UPDATE and DELETE on a published table whose rows it cannot identify.
#[test]
fn upkeep_goes_on_under_a_publication_for_all_tables() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.check_interval", "1s"), ("wal_level", "logical")])?;
    server.sql("CREATE PUBLICATION everything FOR ALL TABLES")?;
    let told = server.sql(WORKER)?;
    assert!(
        told.contains("Publication everything takes logwatch's tables along"),
        "{told}"
    );
    server.sql(INGEST_FATAL)?;
    server.wait_for_log(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.batches WHERE n > 0", "0")?;

    // Everything is older than the retention.
    server.sql(
        "INSERT INTO logwatch.attempts (notification_id, at, outcome) VALUES (1, '2020-01-01', 'sent')",
    )?;
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(!told.contains("retention"), "{told}");
    assert_eq!(
        server.sql("SELECT count(*) FROM logwatch.attempts WHERE at < '2021-01-01'")?,
        "0"
    );
    assert_eq!(server.sql(WORKER_STATE)?, "running");

    server.sql("DROP PUBLICATION everything")?;
    let told = server.sql(WORKER)?;
    assert!(!told.contains("ublication"), "{told}");
    Ok(())
}

/// A subscriber has the application's tables and not logwatch's. Publications for a schema are new
/// in PostgreSQL 15.
#[test]
fn a_subscriber_follows_a_publication_for_the_applications_schema_only() -> Result<()> {
    let publisher = Server::with_worker(&[("logwatch.check_interval", "1s"), ("wal_level", "logical")])?;
    if publisher.sql("SELECT current_setting('server_version_num')::integer < 150000")? == "t" {
        return Ok(());
    }
    const TABLE: &str = "CREATE TABLE orders (id integer PRIMARY KEY)";
    publisher.sql(&format!(
        "{TABLE}; INSERT INTO orders VALUES (1); CREATE PUBLICATION everything FOR ALL TABLES;
         CREATE PUBLICATION app FOR TABLES IN SCHEMA public"
    ))?;
    let subscriber = Server::without_worker(&[])?;
    subscriber.sql(&format!("DROP EXTENSION logwatch; {TABLE}"))?;
    let connection = format!(
        "host={} user=postgres dbname=postgres",
        publisher.sockets().display()
    );
    let refused = subscriber.sql_error(&format!(
        "CREATE SUBSCRIPTION follower CONNECTION '{connection}' PUBLICATION everything"
    ))?;
    assert_eq!(refused.code, "3F000", "{refused}");

    // The status and the manual name the remedy.
    assert!(
        publisher
            .sql(WORKER)?
            .contains("Publication everything takes logwatch's tables along"),
        "the other publication takes none along"
    );
    publisher.sql("DROP PUBLICATION everything")?;
    subscriber.sql(&format!(
        "CREATE SUBSCRIPTION follower CONNECTION '{connection}' PUBLICATION app"
    ))?;
    publisher.sql(&format!("{INGEST_FATAL}; INSERT INTO orders VALUES (2)"))?;
    publisher.wait_for_log(SOON, "[FIRING:1] fatal")?;
    publisher.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.batches WHERE n > 0", "0")?;
    publisher.sql("SELECT logwatch_maintain(); INSERT INTO orders VALUES (3)")?;
    subscriber.wait_for_sql(
        SOON,
        "SELECT string_agg(id::text, ',' ORDER BY id) FROM orders",
        "1,2,3",
    )?;
    assert_eq!(
        subscriber.sql("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'")?,
        "0"
    );
    subscriber.sql("DROP SUBSCRIPTION follower")?;
    Ok(())
}

#[test]
fn each_table_that_rows_are_deleted_from_has_a_replica_identity() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let without = server.sql(
        "SELECT c.oid::regclass FROM pg_class AS c
          WHERE c.relnamespace IN ('logwatch'::regnamespace, 'logwatch_private'::regnamespace)
            AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relname !~ '^entries_[0-9]{8}$' AND c.relreplident <> 'f'
            AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)",
    )?;
    assert_eq!(without, "");
    Ok(())
}
