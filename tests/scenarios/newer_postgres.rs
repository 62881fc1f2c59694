//! News of PostgreSQL 17 and 18: `make test-18` and `make test-pg PG=17` run these. Under an
//! older version they do nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use logwatch_tests::fleet::{Edge, centre, wait_for_state};
use logwatch_tests::link::Link;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::{INGEST_FATAL, SOON};

/// The standby's slot worker sleeps for up to 30 s when nothing happens.
const TWO_MINUTES: Duration = Duration::from_secs(120);

fn is_older_than(major: u32) -> Result<bool> {
    Ok(programs::major_version(programs::pg_config()?)? < major)
}

/// A running standby with a slot of its own, that copies the slots of its primary.
fn standby_of(primary: &Server) -> Result<Server> {
    primary.sql("SELECT pg_create_physical_replication_slot('standby')")?;
    let mut standby = Server::backup_of(
        primary,
        &[
            "--write-recovery-conf",
            "--slot=standby",
            "--dbname=dbname=postgres",
        ],
    )?;
    standby.set(&[
        ("sync_replication_slots", "on"),
        ("hot_standby_feedback", "on"),
        ("synchronized_standby_slots", ""),
    ])?;
    standby.start()?;
    Ok(standby)
}

/// Nothing is lost and nothing arrives twice, also with every line of log_connections and with the
/// old way of I/O.
#[test]
fn a_failover_slot_follows_to_the_edges_standby() -> Result<()> {
    if is_older_than(17)? {
        return Ok(());
    }
    let centre = centre(&[])?;
    let mut settings = vec![("synchronized_standby_slots", "standby")];
    if !is_older_than(18)? {
        settings.extend([
            (
                "log_connections",
                "receipt, authentication, authorization, setup_durations",
            ),
            ("io_method", "sync"),
        ]);
    }
    let mut edge = Edge::start("berlin", &settings)?;
    edge.ingest(&["ERROR before", "ERROR before"], "shop")?;
    let standby = standby_of(&edge.server)?;
    centre.psql_script(&format!(
        "SELECT logwatch_subscribe('berlin', '{}', failover => true) \\gexec",
        edge.conninfo()
    ))?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    edge.ingest(&["ERROR streamed"], "shop")?;
    let received = "SELECT count(*), count(DISTINCT message) FROM logwatch.entries";
    centre.wait_for_sql(SOON, received, "3|2")?;
    wait_until(TWO_MINUTES, "the slot on the standby", || {
        edge.server.sql("SELECT pg_log_standby_snapshot()")?;
        let slot = "SELECT bool_and(synced AND NOT temporary AND failover) FROM pg_replication_slots WHERE slot_name LIKE 'logwatch%'";
        Ok(standby.sql(slot)? == "t")
    })?;

    edge.server.kill()?;
    standby.promote()?;
    let link = Link::to(&standby.socket())?;
    centre.sql(&format!(
        "ALTER SUBSCRIPTION logwatch_berlin CONNECTION 'host=127.0.0.1 port={} dbname=postgres user=logwatch_centre connect_timeout=3'",
        link.port()
    ))?;
    standby.wait_for_worker(SOON, None)?;
    standby.sql("SELECT logwatch_ingest('ERROR after', 'shop')")?;
    centre.wait_for_sql(SOON, received, "4|3")?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    assert_eq!(
        centre.sql("SELECT count(*) FROM logwatch.gaps WHERE path = 'berlin'")?,
        "0"
    );
    // The standby's beats go on where the primary's ended.
    assert_eq!(
        centre.sql("SELECT sum(n) FROM logwatch.counts")?,
        "4",
        "each record counts once"
    );
    Ok(())
}

/// It is a copy of a server, recovered to a target.
#[test]
fn a_server_made_by_pg_createsubscriber_sends_nothing_until_adopted() -> Result<()> {
    if is_older_than(17)? {
        return Ok(());
    }
    let primary = Server::with_worker(&[("wal_level", "logical"), ("logwatch.check_interval", "1s")])?;
    primary.sql("CREATE TABLE orders (id integer PRIMARY KEY); INSERT INTO orders VALUES (1)")?;
    let mut subscriber = Server::backup_of(&primary, &["--write-recovery-conf"])?;
    subscriber.set(&[("hot_standby", "on")])?;
    subscriber.start()?;
    subscriber.stop(logwatch_tests::server::Stop::Fast)?;
    subscriber.create_subscriber(&primary)?;
    subscriber.start()?;
    primary.sql("INSERT INTO orders VALUES (2)")?;
    subscriber.wait_for_sql(SOON, "SELECT count(*) FROM orders", "2")?;
    let worker = "SELECT state FROM logwatch_status() WHERE component = 'worker'";
    subscriber.wait_for_sql(SOON, worker, "copied")?;
    primary.sql(INGEST_FATAL)?;
    primary.wait_for_log(SOON, "[FIRING:1] fatal")?;
    // The publication takes logwatch's tables along, and the status of the publisher says so.
    subscriber.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "1")?;
    assert!(!subscriber.log().contains("[FIRING:1] fatal"));
    let told = primary.sql("SELECT message FROM logwatch_status() WHERE component = 'worker'")?;
    ensure!(told.contains("takes logwatch's tables along"), "{told}");
    Ok(())
}

/// `idle_replication_slot_timeout` is new in PostgreSQL 18.
#[test]
fn a_slot_that_was_idle_for_too_long_is_reported_as_lost() -> Result<()> {
    if is_older_than(18)? {
        return Ok(());
    }
    let centre = centre(&[])?;
    let edge = Edge::start("berlin", &[])?;
    logwatch_tests::fleet::subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    drop(centre);
    edge.server
        .sql("ALTER SYSTEM SET idle_replication_slot_timeout = '1s'")?;
    edge.server.reload();
    wait_until(TWO_MINUTES, "the slot to be lost", || {
        edge.server.sql("SELECT pg_switch_wal(); CHECKPOINT")?;
        Ok(edge
            .server
            .sql("SELECT state FROM logwatch_fleet WHERE role = 'centre'")?
            == "lost")
    })?;
    edge.server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.gaps WHERE path = 'logwatch_berlin' AND reason ~ 'idle_replication_slot_timeout'",
        "1",
    )
}
