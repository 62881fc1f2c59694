//! Entries go sooner than all else, the status says how long the disk lasts, and day partitions may
//! be foreign tables.

use std::fs::OpenOptions;

use anyhow::Result;
use logwatch_tests::server::{Server, Stop};

const STORAGE: &str = "SELECT state, message FROM logwatch_status() WHERE component = 'storage'";

#[test]
fn entries_go_after_days_while_alerts_patterns_and_the_report_stay() -> Result<()> {
    let server = Server::without_worker(&[
        ("logwatch.retention", "90d"),
        ("logwatch.entries_retention", "7d"),
    ])?;
    server.sql(
        "DO $$ DECLARE day date := (now() AT TIME ZONE 'UTC')::date - 9; BEGIN
           EXECUTE format('CREATE TABLE logwatch.entries_%s PARTITION OF logwatch.entries FOR VALUES FROM (%L) TO (%L)',
                          to_char(day, 'YYYYMMDD'), day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'); END $$;
         SELECT logwatch_ingest(format('%s FATAL disk full', to_char(now() AT TIME ZONE 'UTC' - interval '10 minutes', 'YYYY-MM-DD HH24:MI:SS')), 'shop');
         SELECT logwatch_ingest('ERROR printer on fire', 'shop'); SELECT logwatch_check();
         UPDATE logwatch.entries SET received_at = received_at - interval '9 days' WHERE message = 'disk full'",
    )?;
    assert_eq!(
        server.sql("SELECT tableoid::regclass::text LIKE '%entries_2%' FROM logwatch.entries WHERE message = 'disk full'")?,
        "t"
    );
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(told.contains("dropped 1"), "{told}");
    assert_eq!(
        server.sql("SELECT message FROM logwatch.entries")?,
        "printer on fire"
    );
    assert_eq!(
        server.sql("SELECT count(*), (SELECT sum(n) FROM logwatch.counts), (SELECT count(*) FROM logwatch.alerts WHERE rule = 'fatal') FROM logwatch.patterns")?,
        "2|2|1"
    );
    assert!(server.sql("SELECT logwatch_report_html()")?.contains("disk full"));
    let told = server.sql(STORAGE)?;
    assert!(
        told.starts_with("ok|entries are kept for 7 days, all else for 90 days, entries take "),
        "{told}"
    );
    Ok(())
}

#[test]
fn entries_stay_as_long_as_all_else_by_default_and_never_longer() -> Result<()> {
    for (entries, kept) in [("-1", "30 days"), ("90d", "30 days"), ("1min", "1 hour")] {
        let server = Server::without_worker(&[("logwatch.entries_retention", entries)])?;
        let told = server.sql(STORAGE)?;
        assert!(
            told.starts_with(&format!("ok|entries are kept for {kept}, all else for 30 days, ")),
            "{entries}: {told}"
        );
    }
    Ok(())
}

#[test]
fn a_disk_that_the_entries_will_fill_is_named_with_the_setting_that_helps() -> Result<()> {
    // 3 GB a day for 100 years are more than any disk has.
    let server = Server::without_worker(&[
        ("logwatch.retention", "36500d"),
        ("logwatch.entries_retention", "36500d"),
    ])?;
    server.sql("SELECT logwatch_ingest('ERROR printer on fire', 'shop')")?;
    assert!(server.sql(STORAGE)?.starts_with("ok|"));
    let table = server.sql("SELECT pg_relation_filepath('logwatch.entries_default')")?;
    // PostgreSQL counts these segments of the table, which take no space, and reads none of them.
    for segment in 1..=3 {
        let path = server.data().join(format!("{table}.{segment}"));
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(&path)?
            .set_len(1 << 30)?;
    }
    let told = server.sql(STORAGE)?;
    assert!(
        told.starts_with("filling|") && told.contains(" grow by 3072 MB a day, "),
        "{told}"
    );
    assert!(
        told.contains("at this rate the disk is full in ")
            && told.ends_with(" days, then: SELECT pg_reload_conf();"),
        "{told}"
    );
    Ok(())
}

/// A server on which the partition of 2020-01-01 is a table of another server.
fn with_foreign_partition() -> Result<(Server, Server)> {
    let far = Server::without_worker(&[])?;
    let near = Server::without_worker(&[("wal_level", "logical")])?;
    let columns = "id bigint NOT NULL, received_at timestamptz NOT NULL, logged_at timestamptz NOT NULL, source_id bigint NOT NULL, level text NOT NULL,
                   fingerprint bigint NOT NULL, message text NOT NULL, detail text, fields jsonb, flags text[]";
    far.sql(&format!(
        "CREATE TABLE public.old ({columns}); INSERT INTO public.old VALUES (1, '2020-01-01 12:00Z', '2020-01-01 12:00Z', 1, 'error', 1, 'once upon a time')"
    ))?;
    near.sql(&format!(
        "CREATE EXTENSION postgres_fdw;
         CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{}', port '{}', dbname 'postgres');
         CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '{}');
         CREATE FOREIGN TABLE logwatch.entries_20200101 PARTITION OF logwatch.entries
             FOR VALUES FROM ('2020-01-01Z') TO ('2020-01-02Z') SERVER far OPTIONS (schema_name 'public', table_name 'old')",
        far.sockets().display(),
        far.port(),
        far.sql("SELECT current_user")?
    ))?;
    Ok((near, far))
}

#[test]
fn a_foreign_partition_is_named_and_dropped_when_it_is_old() -> Result<()> {
    let (server, mut far) = with_foreign_partition()?;
    assert_eq!(
        server.sql("SELECT message FROM logwatch.entries")?,
        "once upon a time"
    );
    let told = server.sql(STORAGE)?;
    assert!(
        told.contains(", 1 of the partitions is on other servers, and pg_dump leaves them out"),
        "{told}"
    );
    // The other server may be gone by then.
    far.stop(Stop::Immediate)?;
    let told = server.sql("SELECT logwatch_maintain()")?;
    assert!(told.contains("dropped 1; "), "{told}");
    assert!(!told.contains("old partitions"), "{told}");
    assert!(server.sql(STORAGE)?.starts_with("ok|"));
    Ok(())
}

#[test]
fn a_fleet_refuses_a_server_with_a_foreign_partition() -> Result<()> {
    let (server, _far) = with_foreign_partition()?;
    if server.sql("SELECT current_setting('server_version_num')::integer < 150000")? == "t" {
        return Ok(());
    }
    for call in [
        "SELECT logwatch_publish()",
        "SELECT logwatch_subscribe('berlin', 'host=berlin')",
    ] {
        let error = server.sql(call).expect_err(call);
        let error = format!("{error:#}");
        assert!(
            error.contains("a server with foreign partitions of logwatch.entries cannot be part of a fleet")
                && error.contains("ALTER TABLE logwatch.entries DETACH PARTITION logwatch.entries_20200101;"),
            "{error}"
        );
    }
    Ok(())
}
