//! Entries that Citus distributes. These scenarios run where the PostgreSQL under test has Citus:
//! `PG_CONFIG=… LOGWATCH_TREE=postgres-citus make build`, and the same variables for `cargo test`.

use std::process::Command;

use anyhow::Result;
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};

use crate::SOON;

const STORAGE: &str = "SELECT state, message FROM logwatch_status() WHERE component = 'storage'";
const ENTRIES: &str = "SELECT count(*), count(DISTINCT id), count(DISTINCT message) FROM logwatch.entries";

/// A coordinator with logwatch, and the nodes that have its entries.
struct Cluster {
    coordinator: Server,
    nodes: [Server; 2],
}

impl Cluster {
    /// Returns None where Citus is not installed.
    fn start() -> Result<Option<Self>> {
        let pg_config = programs::pg_config()?;
        let share = programs::ask_pg_config(pg_config, "sharedir")?;
        if !std::fs::exists(format!("{share}/extension/citus.control"))? {
            println!("skipped: the PostgreSQL under test has no Citus");
            return Ok(None);
        }
        let server = |preloaded: &str| -> Result<Server> {
            let mut server = Server::create(&[
                ("shared_preload_libraries", preloaded),
                ("wal_level", "logical"),
                ("logwatch.check_interval", "1s"),
            ])?;
            server.start()?;
            server.sql("CREATE EXTENSION citus")?;
            Ok(server)
        };
        let coordinator = server("citus,logwatch")?;
        let nodes = [server("citus")?, server("citus")?];
        let place = |server: &Server| format!("'{}', {}", server.sockets().display(), server.port());
        coordinator.sql(&format!(
            "SELECT citus_set_coordinator_host({})",
            place(&coordinator)
        ))?;
        for node in &nodes {
            coordinator.sql(&format!("SELECT citus_add_node({})", place(node)))?;
        }
        coordinator.sql("CREATE EXTENSION logwatch")?;
        Ok(Some(Self { coordinator, nodes }))
    }

    fn distribute(&self) -> Result<()> {
        self.coordinator.sql(
            "SELECT create_distributed_table('logwatch.entries', 'source_id');
             SELECT truncate_local_data_after_distributing_table('logwatch.entries')",
        )?;
        Ok(())
    }

    /// Returns a source whose entries a node has.
    fn source_on(&self, node: &Server) -> Result<String> {
        self.coordinator.sql(&format!(
            "SELECT min(s) FROM (SELECT 'app' || i FROM generate_series(1, 100) AS i) AS t (s)
              WHERE (SELECT n.nodename FROM pg_dist_placement AS p JOIN pg_dist_node AS n USING (groupid)
                      WHERE p.shardid = get_shard_id_for_distribution_column('logwatch.entries', logwatch_private.source_id(s))) = '{}'",
            node.sockets().display()
        ))
    }
}

#[test]
fn distributed_entries_are_stored_checked_shown_dropped_and_restored() -> Result<()> {
    let Some(cluster) = Cluster::start()? else {
        return Ok(());
    };
    let coordinator = &cluster.coordinator;
    coordinator.sql("SELECT logwatch_ingest('ERROR before Citus', 'shop')")?;
    cluster.distribute()?;
    for (records, source) in [(5000, "shop"), (500, "till"), (1, "door")] {
        coordinator.sql(&format!(
            "SELECT logwatch_ingest(ARRAY(SELECT format('ERROR order %s of {source}', i) FROM generate_series(1, {records}) AS i), '{source}')"
        ))?;
    }
    coordinator.sql("SELECT logwatch_ingest('FATAL disk full', 'door')")?;
    assert_eq!(coordinator.sql(ENTRIES)?, "5503|5503|5503");

    // The worker's check has a sample, and the page and the alert's records are there.
    coordinator.wait_for_sql(
        SOON,
        "SELECT n.payload -> 'newest' ->> 'message' FROM logwatch.notifications AS n JOIN logwatch.alerts AS a ON a.id = n.alert_id WHERE a.rule = 'fatal' LIMIT 1",
        "disk full",
    )?;
    assert_eq!(
        coordinator.sql("SELECT r.message FROM logwatch.alerts AS a CROSS JOIN logwatch_alert_entries(a.id) AS r WHERE a.rule = 'fatal'")?,
        "disk full"
    );
    assert!(
        coordinator
            .sql("SELECT logwatch_report_html()")?
            .contains("disk full")
    );
    // A check can find a pattern gone that ingest still knew.
    coordinator.sql(
        "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; DELETE FROM logwatch.patterns;
         SELECT logwatch_private.add_patterns(ARRAY(SELECT (e.logged_at, e.source_id, e.level, e.fingerprint, 1)::logwatch_private.tally FROM logwatch.entries AS e WHERE e.level = 'FATAL'));
         COMMIT",
    )?;
    assert_eq!(
        coordinator.sql("SELECT sample FROM logwatch.patterns")?,
        "disk full"
    );
    let told = coordinator.sql(STORAGE)?;
    assert!(
        told.starts_with("ok|")
            && told.contains(" kB a day, on 2 nodes of Citus, whose disks logwatch cannot see"),
        "{told}"
    );
    assert!(!told.contains("entries take 0 bytes"), "{told}");

    // The worker would do the same beside this.
    coordinator.sql("SELECT logwatch_pause('1 hour'); SELECT logwatch_maintain()")?;
    // Partitions come and go, and the default partition loses its old rows.
    coordinator.sql(
        "DO $$ DECLARE today date := (now() AT TIME ZONE 'UTC')::date; BEGIN
           EXECUTE format('DROP TABLE logwatch.entries_%s', to_char(today + 3, 'YYYYMMDD'));
           EXECUTE format('CREATE TABLE logwatch.entries_%s PARTITION OF logwatch.entries FOR VALUES FROM (%L) TO (%L)',
                          to_char(today - 40, 'YYYYMMDD'), (today - 40)::timestamp AT TIME ZONE 'UTC', (today - 39)::timestamp AT TIME ZONE 'UTC'); END $$;
         INSERT INTO logwatch.entries (received_at, logged_at, source_id, level, fingerprint, message)
         VALUES (now() - interval '50 days', now() - interval '50 days', 1, 'ERROR', 1, 'once upon a time')",
    )?;
    assert_eq!(
        coordinator.sql("SELECT logwatch_maintain()")?,
        "partitions made 1, dropped 1; minutes folded 0"
    );
    assert_eq!(coordinator.sql(ENTRIES)?, "5503|5503|5503");

    // No other table can be distributed, or it is named.
    for table in ["batches", "minutes"] {
        let error = coordinator.sql_error(&format!(
            "SELECT create_distributed_table('logwatch.{table}', 'source_id')"
        ))?;
        assert!(error.message.ends_with("because it has triggers"), "{error}");
    }
    assert_eq!(
        coordinator.sql(
            "BEGIN; SELECT create_reference_table('logwatch.patterns');
             SELECT w.message LIKE '%Citus distributes logwatch.patterns, which checks cannot use: only logwatch.entries can be distributed.%' FROM logwatch_private.worker_status() AS w;
             ROLLBACK"
        )?,
        "\nt"
    );
    for call in [
        "SELECT logwatch_publish()",
        "SELECT logwatch_publish(entries => false)",
        "SELECT logwatch_subscribe('berlin', 'host=berlin')",
    ] {
        let error = coordinator.sql_error(call)?;
        assert_eq!(error.code, "0A000", "{error}");
        assert_eq!(
            error.message,
            "a server that distributes logwatch.entries by Citus cannot be part of a fleet"
        );
    }

    // A logwatch without Citus restores the dump.
    let dump = coordinator.dir().join("logwatch.dump");
    let mut plain = Server::create(&[])?;
    plain.start()?;
    for (server, program, args) in [
        (
            coordinator,
            "pg_dump",
            vec!["--extension=logwatch", "--format=custom", "--file"],
        ),
        (&plain, "pg_restore", vec!["--dbname=postgres", "--exit-on-error"]),
    ] {
        let status = Command::new(coordinator.program_path(program))
            .args(args)
            .arg(&dump)
            .envs(server.env())
            .status()?;
        assert!(status.success(), "{program}: {status}");
    }
    assert_eq!(plain.sql(ENTRIES)?, "5503|5503|5503");
    assert!(plain.sql(STORAGE)?.contains(" are free"));
    plain.sql("SELECT logwatch_check(); SELECT logwatch_ingest('ERROR after Citus', 'shop')")?;
    assert_eq!(plain.sql(ENTRIES)?, "5504|5504|5504");
    Ok(())
}

#[test]
fn a_node_that_is_down_is_named_and_the_sources_of_the_others_go_on() -> Result<()> {
    let Some(mut cluster) = Cluster::start()? else {
        return Ok(());
    };
    cluster.distribute()?;
    let [near, far] = [&cluster.nodes[0], &cluster.nodes[1]].map(|node| cluster.source_on(node));
    let (near, far) = (near?, far?);
    let name = format!(
        "{}:{}",
        cluster.nodes[1].sockets().display(),
        cluster.nodes[1].port()
    );
    let fatal = |source: &str, number: u32| {
        format!(
            "SELECT logwatch_ingest(ARRAY(SELECT 'FATAL disk {number} full' FROM generate_series(1, 30)), '{source}')"
        )
    };
    // The worker would do the same beside this.
    cluster
        .coordinator
        .sql("SELECT logwatch_pause('1 hour'); SELECT logwatch_maintain()")?;
    cluster.nodes[1].stop(Stop::Fast)?;

    let coordinator = &cluster.coordinator;
    let error = coordinator.sql_error(&fatal(&far, 1))?;
    // The class of errors after which a tailer sends its records again.
    assert_eq!(error.code, "08006", "{error}");
    coordinator.sql(&fatal(&near, 2))?;
    coordinator.sql("SELECT logwatch_check()")?;
    assert_eq!(
        coordinator
            .sql("SELECT DISTINCT n.payload -> 'newest' ->> 'message' FROM logwatch.notifications AS n")?,
        "disk 2 full"
    );
    let told = coordinator.sql(STORAGE)?;
    assert!(
        told.starts_with("unreachable|")
            && told.contains(&format!(
                ", {name} cannot be reached: records of its sources wait in their files until it is back"
            )),
        "{told}"
    );
    let told = coordinator.sql("SELECT logwatch_maintain()")?;
    assert!(
        told.starts_with("partitions made 0, dropped 0; minutes folded 0; old partitions: ")
            && told.contains("(08006)")
            && told.matches("; ").count() == 2,
        "{told}"
    );
    // An alert about records that are away is sent without them.
    coordinator.sql(&format!(
        "UPDATE logwatch.rules SET enabled = false WHERE name = 'fatal'; INSERT INTO logwatch.rules (name, threshold, within, source) VALUES ('far', 1, '1 hour', '{far}');
         INSERT INTO logwatch.batches (source_id, first_at, last_at, n, source, seconds, fingerprints, levels, numbers, new_patterns, new_seconds, new_levels, templates, samples)
         VALUES (logwatch_private.source_id('{far}'), now(), now(), 1, '{far}', '{{0}}', '{{1}}', '{{4}}', '{{}}', '{{1}}', '{{0}}', '{{4}}', '{{tape <*> torn}}', '{{tape 9 torn}}')"
    ))?;
    coordinator.sql("SELECT logwatch_check()")?;
    assert_eq!(
        coordinator.sql(
            "SELECT DISTINCT n.payload -> 'newest', n.payload #>> '{patterns,0,sample}'
               FROM logwatch.notifications AS n JOIN logwatch.alerts AS a ON a.id = n.alert_id WHERE a.rule = 'far'"
        )?,
        "null|tape 9 torn"
    );

    cluster.nodes[1].start()?;
    let coordinator = &cluster.coordinator;
    coordinator.sql(&fatal(&far, 3))?;
    assert!(coordinator.sql(STORAGE)?.starts_with("ok|"));
    assert_eq!(
        coordinator.sql("SELECT logwatch_maintain()")?,
        "partitions made 0, dropped 0; minutes folded 0"
    );
    assert_eq!(coordinator.sql("SELECT count(*) FROM logwatch.entries")?, "60");
    Ok(())
}
