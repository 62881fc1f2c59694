//! A fleet: edges and a centre, each a server of its own, on PostgreSQL's logical replication.

use anyhow::{Context, Result};
use logwatch_tests::fleet::{
    Edge, centre, copy_data, counts, entries, mailing_centre, subscribe, unsubscribe, wait_for_state,
};
use logwatch_tests::link::Condition;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::SOON;

/// Waits until the centre has exactly the entries of these edges, and the sums that belong to them.
fn wait_for_union(centre: &Server, edges: &[&Edge]) -> Result<()> {
    let mut expected = Vec::new();
    for edge in edges {
        expected.extend(entries(&edge.server)?);
    }
    expected.sort();
    let mut found = Vec::new();
    wait_until(SOON, "the union of the edges at the centre", || {
        found = entries(centre)?;
        found.sort();
        Ok(found == expected)
    })
    .with_context(|| format!("the edges have\n{expected:#?}\nthe centre has\n{found:#?}"))?;
    let servers: Vec<&Server> = edges.iter().map(|edge| &edge.server).collect();
    let expected = counts(&servers)?;
    wait_until(SOON, "the sums of the edges at the centre", || {
        Ok(counts(&[centre])? == expected)
    })
}

#[test]
fn two_edges_and_a_centre_survive_kills_and_cuts_with_the_exact_union() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut centre = mailing_centre(&sink)?;
    centre.sql("DELETE FROM logwatch.rules; INSERT INTO logwatch.rules (name, threshold, within, keep_firing_for) VALUES ('fleet', 20, '1 hour', '1 hour')")?;
    let mut berlin = Edge::start("berlin", &[])?;
    let mut paris = Edge::start("paris", &[])?;
    let files = tempfile::tempdir()?;
    let (in_berlin, in_paris) = (files.path().join("berlin.log"), files.path().join("paris.log"));
    let write = |from: usize| -> Result<()> {
        for (file, place) in [(&in_berlin, "berlin"), (&in_paris, "paris")] {
            let lines: Vec<String> = (from..from + 4)
                .map(|i| format!("ERROR job {i} of {place} failed"))
                .collect();
            append(file, &lines)?;
        }
        Ok(())
    };
    write(0)?;
    let mut tailers = Vec::new();
    for (edge, file) in [(&berlin, &in_berlin), (&paris, &in_paris)] {
        tailers.push(Tailer::start(
            &edge.server,
            &[
                "--from-beginning",
                "--source",
                edge.name,
                &file.display().to_string(),
            ],
        )?);
    }
    for edge in [&berlin, &paris] {
        edge.server
            .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "4")?;
        // The batches brought the path; the centre copies only the entries.
        edge.server
            .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.batches", "0")?;
        subscribe(&centre, edge)?;
    }
    wait_for_union(&centre, &[&berlin, &paris])?;
    assert!(sink.mails().is_empty(), "8 records are below the threshold");

    // kill -9 of an edge, of the centre, and a network that first stalls and then is cut.
    berlin.server.kill()?;
    write(4)?;
    berlin.server.start()?;
    centre.kill()?;
    write(8)?;
    centre.start()?;
    berlin.link.set(Condition::Stalled);
    paris.link.set(Condition::Down);
    write(12)?;
    paris
        .server
        .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "16")?;
    paris.server.stop(Stop::Immediate)?;
    wait_for_state(&centre, &berlin, SOON, "silent")?;
    berlin.link.set(Condition::Down);
    paris.server.start()?;
    berlin.link.set(Condition::Up);
    paris.link.set(Condition::Up);
    write(16)?;
    for edge in [&berlin, &paris] {
        edge.server
            .wait_for_sql(SOON, "SELECT count(*) FROM logwatch.entries", "20")?;
    }

    wait_for_union(&centre, &[&berlin, &paris])?;
    for edge in [&berlin, &paris] {
        wait_for_state(&centre, edge, SOON, "ok")?;
    }
    // The tailers' signs of life came with the beats.
    assert_eq!(
        centre.sql("SELECT count(*) FROM logwatch.sources WHERE seen_at > now() - interval '1 minute'")?,
        "2"
    );
    let mail = sink.wait_for_subject(SOON, "[FIRING:")?;
    assert!(
        mail.text().contains("berlin") && mail.text().contains("paris"),
        "{}",
        mail.text()
    );
    centre.wait_for_sql(
        SOON,
        "SELECT count FROM logwatch.alerts WHERE state = 'firing'",
        "40",
    )?;
    centre.wait_for_sql(
        SOON,
        "SELECT file, count(*) FROM logwatch_alert_entries(1) GROUP BY file ORDER BY file",
        &format!("{}|20\n{}|20", in_berlin.display(), in_paris.display()),
    )?;
    assert_eq!(sink.mails().len(), 1, "one rule, one mail");
    assert_eq!(
        centre.sql("SELECT count(*), sum(errors) FROM logwatch_fleet")?,
        "2|0"
    );
    assert_eq!(centre.sql("SELECT count(*) FROM logwatch.gaps")?, "0");
    Ok(())
}

/// PostgreSQL 14 to 18: the worker that copies a table commits "copied" and then drops the slot of
/// its copy at the edge. Where a crash can forget that commit, the table waits for that slot
/// for ever.
#[test]
fn a_crash_of_the_centre_during_the_first_copy_leaves_no_table_behind() -> Result<()> {
    for _ in 0..3 {
        let mut centre = centre(&[("wal_writer_delay", "10s")])?;
        let edge = Edge::start("berlin", &[])?;
        edge.ingest(&["ERROR one", "FATAL two"], "shop")?;
        subscribe(&centre, &edge)?;
        wait_until(SOON, "a table whose copy is durable", || {
            // This commit flushes what was committed before it.
            centre.sql("SELECT pg_current_xact_id()")?;
            Ok(centre.sql("SELECT bool_or(srsubstate IN ('f', 's', 'r')) FROM pg_subscription_rel")? == "t")
        })?;
        wait_until(SOON, "the end of all copies", || {
            Ok(
                centre.sql("SELECT bool_and(srsubstate IN ('s', 'r')) FROM pg_subscription_rel")? == "t"
                    && edge.server.sql(
                        "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pg_%_sync_%'",
                    )? == "0",
            )
        })?;
        centre.kill()?;
        centre.start()?;
        wait_for_state(&centre, &edge, SOON, "ok")?;
        wait_for_union(&centre, &[&edge])?;
    }
    Ok(())
}

#[test]
fn a_lost_slot_is_told_at_both_ends_and_joining_again_makes_no_doubles() -> Result<()> {
    let mut centre = centre(&[])?;
    let edge = Edge::start("berlin", &[("max_slot_wal_keep_size", "1MB")])?;
    edge.ingest(&["ERROR one", "ERROR one", "FATAL two"], "shop")?;
    centre.sql("INSERT INTO logwatch.rules (name, threshold, within) VALUES ('doubled', 8, '1 hour')")?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    wait_for_union(&centre, &[&edge])?;

    // The centre stays away while the edge writes more WAL than it may keep.
    centre.stop(Stop::Fast)?;
    edge.ingest(&["ERROR while the centre is away"], "shop")?;
    lose_slot(&edge)?;
    let told = edge
        .server
        .sql("SELECT message FROM logwatch_status() WHERE component = 'centre' AND state = 'lost'")?;
    assert!(told.contains("unsubscribe and subscribe again"), "{told}");
    edge.server.wait_for_sql(
        SOON,
        "SELECT path FROM logwatch.gaps WHERE reason ~ 'max_slot_wal_keep_size'",
        "logwatch_berlin",
    )?;
    centre.start()?;
    wait_for_state(&centre, &edge, SOON, "silent")?;
    let told = centre.sql("SELECT message FROM logwatch_status() WHERE component = 'edge'")?;
    assert!(told.contains("unsubscribe and subscribe again"), "{told}");

    // The initial copy brings the rows that the edge still has, each once.
    unsubscribe(&centre, &edge)?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    wait_for_union(&centre, &[&edge])?;
    assert_eq!(
        centre.sql("SELECT count(*) FROM logwatch.gaps WHERE path = 'berlin'")?,
        "0"
    );

    // Without the copy something is missing, and that is told; with it the gap is filled.
    unsubscribe(&centre, &edge)?;
    let beats = "SELECT number FROM logwatch.beats";
    let last: i64 = edge.server.sql(beats)?.parse()?;
    edge.ingest(&["ERROR between", "ERROR between"], "bank")?;
    edge.server.wait_for_sql(
        SOON,
        &format!("SELECT number > {last} + 1 FROM logwatch.beats"),
        "t",
    )?;
    centre.psql_script(&format!(
        "SELECT logwatch_subscribe('berlin', '{}', copy => false) \\gexec",
        edge.conninfo()
    ))?;
    wait_for_state(&centre, &edge, SOON, "gap")?;
    let gap =
        "SELECT reason ~ '^filled by a copy: ', to_byte > from_byte FROM logwatch.gaps WHERE path = 'berlin'";
    assert_eq!(centre.sql(gap)?, "f|t");
    unsubscribe(&centre, &edge)?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    wait_for_union(&centre, &[&edge])?;
    assert_eq!(centre.sql(gap)?, "t|t");
    // The patterns' totals are those of the entries, however often they were copied.
    centre.wait_for_sql(
        SOON,
        "SELECT total, template FROM logwatch.patterns ORDER BY template",
        "2|between\n2|one\n1|two\n1|while the centre is away",
    )?;

    // Retention is each server's own.
    edge.server.sql(
        "DELETE FROM logwatch.minutes; DELETE FROM logwatch.batches; DO $$ DECLARE part regclass; BEGIN
             FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass LOOP
                 EXECUTE 'TRUNCATE ' || part;
                 IF part <> 'logwatch.entries_default'::regclass THEN EXECUTE 'DROP TABLE ' || part; END IF;
             END LOOP; END $$",
    )?;
    edge.ingest(&["ERROR after retention"], "shop")?;
    centre.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.entries WHERE message = 'after retention'",
        "1",
    )?;
    assert_eq!(
        centre.sql("SELECT (SELECT count(*) FROM logwatch.entries), (SELECT sum(n) FROM logwatch.counts)")?,
        "7|7"
    );

    assert_eq!(
        centre.sql("SELECT count(*) FROM logwatch.alerts WHERE rule = 'doubled'")?,
        "0",
        "there were 7 records"
    );

    // Nothing is left of it but what was sent.
    unsubscribe(&centre, &edge)?;
    assert_eq!(
        centre.sql("SELECT (SELECT count(*) FROM pg_subscription), (SELECT count(*) FROM pg_replication_origin), (SELECT count(*) FROM logwatch_fleet)")?,
        "0|0|0"
    );
    assert_eq!(edge.server.sql("SELECT count(*) FROM pg_replication_slots")?, "0");
    edge.server.sql("SELECT logwatch_unpublish()")?;
    assert_eq!(
        edge.server.sql(
            "SELECT (SELECT count(*) FROM pg_publication), logwatch_private.fleet_due(now() + interval '1 hour')"
        )?,
        "0|f"
    );
    Ok(())
}

/// Writes WAL until the edge drops what it held for its centre.
fn lose_slot(edge: &Edge) -> Result<()> {
    wait_until(SOON, "the slot to be lost", || {
        edge.server
            .sql("SELECT pg_switch_wal(); SELECT txid_current(); SELECT pg_switch_wal(); CHECKPOINT")?;
        Ok(edge
            .server
            .sql("SELECT state FROM logwatch_fleet WHERE role = 'centre'")?
            == "lost")
    })
}

#[test]
fn a_centre_restored_from_a_backup_says_what_is_missing_and_gets_it() -> Result<()> {
    let mut centre = centre(&[])?;
    let edge = Edge::start("berlin", &[])?;
    subscribe(&centre, &edge)?;
    edge.ingest(&["ERROR before the backup"], "shop")?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    wait_for_union(&centre, &[&edge])?;
    let backup = centre.dir().join("backup");
    centre.stop(Stop::Fast)?;
    copy_data(&centre.data(), &backup)?;
    centre.start()?;
    edge.ingest(&["ERROR after the backup", "ERROR after the backup"], "shop")?;
    wait_for_union(&centre, &[&edge])?;
    let confirmed = "SELECT number FROM logwatch.edges";
    let known: i64 = centre.sql(confirmed)?.parse()?;
    centre.wait_for_sql(
        SOON,
        &format!("SELECT number > {known} + 2 FROM logwatch.edges"),
        "t",
    )?;

    centre.stop(Stop::Fast)?;
    std::fs::rename(centre.data(), centre.dir().join("lost"))?;
    std::fs::rename(&backup, centre.data())?;
    centre.start()?;

    wait_for_state(&centre, &edge, SOON, "gap")?;
    assert_eq!(
        entries(&centre)?.len(),
        1,
        "the edge does not send it again by itself"
    );
    unsubscribe(&centre, &edge)?;
    subscribe(&centre, &edge)?;
    wait_for_state(&centre, &edge, SOON, "ok")?;
    wait_for_union(&centre, &[&edge])?;
    assert_eq!(
        centre.sql("SELECT reason ~ '^filled by a copy: ' FROM logwatch.gaps")?,
        "t"
    );
    Ok(())
}

#[test]
fn a_centre_may_be_the_edge_of_a_larger_one() -> Result<()> {
    let edge = Edge::start("berlin", &[])?;
    let germany = Edge::start("germany", &[])?;
    let europe = centre(&[])?;
    subscribe(&germany.server, &edge)?;
    edge.ingest(&["ERROR first"], "shop")?;
    wait_for_state(&germany.server, &edge, SOON, "ok")?;
    subscribe(&europe, &germany)?;
    wait_for_state(&europe, &germany, SOON, "ok")?;
    edge.ingest(&["ERROR second", "ERROR second"], "shop")?;
    germany.ingest(&["ERROR third"], "bank")?;

    let all = "SELECT s.name, p.template, sum(c.n) FROM logwatch.counts AS c JOIN logwatch.sources AS s ON s.id = c.source_id
                 JOIN logwatch.patterns AS p ON p.fingerprint = c.fingerprint GROUP BY 1, 2 ORDER BY 1, 2";
    europe.wait_for_sql(SOON, all, "bank|third|1\nshop|first|1\nshop|second|2")?;
    let report = germany.server.sql("SELECT logwatch_report()")?;
    assert!(
        report.contains("\nEdges\n") && report.contains("\nCentres\n"),
        "{report}"
    );
    // The beats of an edge end at its own centre.
    assert_eq!(europe.sql("SELECT name FROM logwatch.edges")?, "germany");
    let fleet = "SELECT role, name, state FROM logwatch_fleet ORDER BY role";
    assert_eq!(
        germany.server.sql(fleet)?,
        "centre|logwatch_germany|ok\nedge|berlin|ok"
    );
    let metrics = germany
        .server
        .sql("SELECT DISTINCT metric FROM logwatch.metrics WHERE metric ~ 'fleet' ORDER BY 1")?;
    assert!(
        metrics.contains("logwatch_fleet_lag_seconds") && metrics.contains("logwatch_fleet_wal_held_bytes"),
        "{metrics}"
    );
    Ok(())
}

#[test]
fn rules_at_the_centre_see_the_fleet() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = sink.url();
    let centre = centre(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
        // Only replication wakes the worker: it must not be the timer that finds things.
        ("logwatch.check_interval", "1h"),
    ])?;
    centre.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, kind, min_sources, learn_for) VALUES ('everywhere', 'new_pattern', 3, '0');
         INSERT INTO logwatch.rules (name, threshold, group_by, match) VALUES ('each', 2, 'source', 'pool');
         INSERT INTO logwatch.rules (name, threshold, match) VALUES ('cut off', 6, 'payment')",
    )?;
    // The server that is upgraded first may have columns that the others do not have.
    centre.sql("ALTER TABLE logwatch.entries ADD COLUMN newer text DEFAULT 'unknown'")?;
    centre.sql("ALTER TABLE logwatch.batches ADD COLUMN newer integer")?;
    let mut edges = Vec::new();
    for name in ["berlin", "paris"] {
        let edge = Edge::start(name, &[])?;
        edge.server
            .sql("ALTER TABLE logwatch.batches ADD COLUMN later integer NOT NULL DEFAULT 7")?;
        edge.server
            .sql("ALTER TABLE logwatch.entries ADD COLUMN later text")?;
        subscribe(&centre, &edge)?;
        edges.push(edge);
    }
    let [berlin, paris] = &edges[..] else {
        unreachable!("two were made")
    };
    for edge in &edges {
        edge.ingest(&["ERROR warm up"], edge.name)?;
        // The worker's timer is an hour away: a person looks.
        wait_until(SOON, "the join", || {
            centre.sql("SELECT * FROM logwatch_check()")?;
            Ok(centre.sql(&format!(
                "SELECT joining FROM logwatch.edges WHERE name = '{}'",
                edge.name
            ))? == "f")
        })?;
    }
    assert_eq!(
        centre.sql("SELECT DISTINCT newer FROM logwatch.entries")?,
        "unknown"
    );

    // Two sources of the same edge, then the same source name at the other edge: still two sources.
    for source in ["web1", "web2"] {
        berlin.ingest(&["ERROR disk /dev/sda is full"], source)?;
    }
    paris.ingest(&["ERROR disk /dev/sda is full"], "web1")?;
    centre.wait_for_sql(
        SOON,
        "SELECT (SELECT COALESCE(sum(b.n), 0) FROM logwatch.batches AS b WHERE b.source ~ 'web')
              + (SELECT COALESCE(sum(v.n), 0) FROM logwatch.arrivals AS v JOIN logwatch.sources AS s ON s.id = v.source_id WHERE s.name ~ 'web')",
        "3",
    )?;
    assert_eq!(centre.sql("SELECT * FROM logwatch_check()")?, "");
    assert_eq!(
        centre.sql("SELECT count(*) FROM logwatch.sources WHERE name ~ '^web'")?,
        "2"
    );
    paris.ingest(&["ERROR disk /dev/sda is full"], "web3")?;
    let mail = sink.wait_for_subject(SOON, "everywhere")?;
    assert!(mail.text().contains("web3"), "{}", mail.text());

    // Per source, over the edges: web1 is in Berlin and in Paris.
    berlin.ingest(&["ERROR pool exhausted"], "web1")?;
    paris.ingest(&["ERROR pool exhausted"], "web1")?;
    sink.wait_for_subject(SOON, "each")?;
    assert_eq!(
        centre.sql("SELECT group_key, count FROM logwatch.alerts WHERE rule = 'each'")?,
        "web1|2"
    );

    // Late rows of an edge that was cut off count at their own time, and cause one mail.
    paris.link.set(Condition::Down);
    let hour_ago = centre.sql("SELECT to_char(now() - interval '1 hour', 'YYYY-MM-DD HH24:MI:')")?;
    for second in 10..20 {
        paris.ingest(&[&format!("{hour_ago}{second}Z ERROR payment refused")], "bank")?;
    }
    paris.link.set(Condition::Up);
    let mail = sink.wait_for_subject(SOON, "cut off")?;
    assert!(mail.subject().contains("[LATE:"), "{}", mail.subject());
    wait_for_union(&centre, &[berlin, paris])?;
    centre.sql("SELECT * FROM logwatch_check()")?;
    centre.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.notifications WHERE state IN ('queued', 'sending')",
        "0",
    )?;
    assert_eq!(sink.mails_with_subject("cut off").len(), 1);
    assert_eq!(
        centre.sql("SELECT peak, episodes, state FROM logwatch.alerts WHERE rule = 'cut off'")?,
        "10|1|resolved"
    );

    // A whole edge that is silent.
    centre.sql("INSERT INTO logwatch.rules (name, kind, absence_of, within, source) VALUES ('edge gone', 'absence', 'edge', '3 seconds', 'par*')")?;
    paris.link.set(Condition::Stalled);
    wait_until(SOON, "the alert of the silent edge", || {
        centre.sql("SELECT * FROM logwatch_check()")?;
        Ok(centre
            .sql("SELECT group_key FROM logwatch.alerts WHERE rule = 'edge gone' AND state = 'firing'")?
            == "paris")
    })?;
    let mail = sink.wait_for_subject(SOON, "edge gone")?;
    assert!(mail.text().contains("edge paris"), "{}", mail.text());
    Ok(())
}
