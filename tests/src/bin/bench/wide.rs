//! A wide installation: many sources, and many patterns of which each is new to the windows. What a
//! check, the status and the report page cost there.

use std::time::Instant;

use anyhow::{Context, Result};
use logwatch_tests::server::Server;
use postgres::error::SqlState;

use crate::edition::Edition;
use crate::measure::{ms, percentile, short};
use crate::table::{Contract, Table, in_unit};

const SOURCES: u64 = 5000;
const PATTERNS: u64 = 200_000;
/// Each source is in the status, has an open file, and stores its patterns within four minutes.
const FILL: &str = "
    INSERT INTO logwatch.sources (id, name, path, host, first_seen, attached_at, seen_at, watched_since)
    SELECT logwatch_private.source_id('host-' || s), 'host-' || s, '/var/log/app.log', 'host-' || s, now() - interval '2 days', now(), now(), now() - interval '2 days'
      FROM generate_series(1, {sources}) AS s;
    INSERT INTO logwatch.files (source_id, id, path, dev, inode, head_bytes, head_hash, tail_bytes, tail_hash, next_byte, size)
    SELECT s.id, 1, '/var/log/app.log', 1, 1, 0, 0, 0, 0, 1000, 1000 FROM logwatch.sources AS s;
    INSERT INTO logwatch.batches (source_id, first_at, last_at, n, source, seconds, fingerprints, levels, new_patterns, new_seconds, new_levels, templates, samples)
    SELECT logwatch_private.source_id('host-' || s), now() - interval '4 minutes', now(), p.n, 'host-' || s,
           p.seconds, p.fingerprints, '{4}', p.fingerprints, p.seconds, p.levels, p.templates, p.templates
      FROM generate_series(1, {sources}) AS s
     CROSS JOIN LATERAL (SELECT count(*) AS n, array_agg(i * 6) AS seconds, array_agg(hashint8extended(s * 1000 + i, 1)) AS fingerprints,
                                array_agg(4::smallint) AS levels, array_agg('module ' || s || ' failed at step ' || i) AS templates
                           FROM generate_series(0, {each} - 1) AS i) AS p";
/// The same records in the first edition, which has other tables: by its own ingest.
const FILL_FIRST: &str = "
    SELECT count(logwatch_ingest(ARRAY(SELECT to_char(now() - make_interval(secs => i * 6), 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ERROR module m' || translate((s * 1000 + i)::text, '0123456789', 'ghijklmnop') || ' failed'
                                         FROM generate_series(0, {each} - 1) AS i), 'host-' || s))
      FROM generate_series(1, {sources}) AS s";
const RULE: &str = "INSERT INTO logwatch.rules (name, group_by, threshold, within) VALUES ('each host', 'source', 20, '10 minutes')";
const ONE_MORE: &str = "SELECT logwatch_ingest('ERROR one more', 'host-1')";
const CHECK: &str = "SELECT * FROM logwatch_check()";
const CALLS: usize = 9;
/// The first edition's checks take minutes here.
const PATIENCE: &str = "SET statement_timeout = '60s'";

/// Calls after one more record, and their limits in milliseconds.
const SUBJECTS: [(&str, &str, f64); 3] = [
    ("check", CHECK, 500.0),
    ("status", "SELECT * FROM logwatch_status()", 50.0),
    ("report page", "SELECT logwatch_report_html()", 500.0),
];

pub fn run(table: &mut Table) -> Result<()> {
    let now = Edition::now()?.server(&[])?;
    let mut ours = costs(&now, FILL, CALLS)?.into_iter();
    let mut theirs = match Edition::first()? {
        Some(first) => costs(&first.server(&[])?, FILL_FIRST, 1)?,
        None => Vec::new(),
    }
    .into_iter();
    let what = format!(
        "{} sources × {} patterns",
        short(SOURCES as f64),
        short(PATTERNS as f64)
    );
    let first_check = (
        "first check of a rule for each host that fires for all",
        CHECK,
        500.0,
    );
    for (name, _, limit) in std::iter::once(first_check).chain(SUBJECTS) {
        let ours = ours.next().flatten().context("this edition was not in time")?;
        let added = table.value(
            &format!("{name}, {what}"),
            ours,
            "ms",
            "–",
            Contract::AtMost(limit),
        );
        match theirs.next() {
            Some(Some(time)) => added.first(&in_unit(time, "ms")),
            Some(None) => added.first("> 60 s"),
            None => {}
        }
    }
    let bytes: f64 = now.sql("SELECT octet_length(logwatch_report())")?.parse()?;
    table.value(
        &format!("alert file, {what}"),
        bytes / 1024.0,
        "KiB",
        "–",
        Contract::AtMost(64.0),
    );
    Ok(())
}

/// Milliseconds of the first check of a rule, and medians of the other subjects; None for what the
/// server did not do in time.
fn costs(server: &Server, fill: &str, calls: usize) -> Result<Vec<Option<f64>>> {
    let mut client = server.client()?;
    client.batch_execute(
        &fill
            .replace("{sources}", &SOURCES.to_string())
            .replace("{each}", &(PATTERNS / SOURCES).to_string()),
    )?;
    client.batch_execute(CHECK)?;
    client.batch_execute("VACUUM ANALYZE")?;
    client.batch_execute(RULE)?;
    client.batch_execute(PATIENCE)?;
    let mut timed = |query: &str| -> Result<Option<f64>> {
        let started = Instant::now();
        match client.batch_execute(query) {
            Ok(()) => Ok(Some(ms(started.elapsed()))),
            Err(why) if why.code() == Some(&SqlState::QUERY_CANCELED) => Ok(None),
            Err(why) => Err(why.into()),
        }
    };
    let mut found = vec![timed(CHECK)?];
    for (_, query, _) in SUBJECTS {
        let mut times = Vec::new();
        for _ in 0..calls {
            timed(ONE_MORE)?;
            times.extend(timed(query)?);
        }
        found.push((!times.is_empty()).then(|| percentile(&mut times, 0.5)));
    }
    Ok(found)
}
