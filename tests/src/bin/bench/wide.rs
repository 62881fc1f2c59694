//! A wide installation: many sources, and many patterns of which each is new to the windows. What a
//! check, the status and the report page cost there.

use std::time::Instant;

use anyhow::Result;

use crate::edition::Edition;
use crate::measure::{ms, percentile, short};
use crate::table::{Contract, Table};

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
const CALLS: usize = 9;

pub fn run(table: &mut Table) -> Result<()> {
    let server = Edition::now()?.server(&[])?;
    let fill = FILL
        .replace("{sources}", &SOURCES.to_string())
        .replace("{each}", &(PATTERNS / SOURCES).to_string());
    server.sql(&fill)?;
    let mut client = server.client()?;
    let mut timed = |query: &str| -> Result<f64> {
        let started = Instant::now();
        client.batch_execute(query)?;
        Ok(ms(started.elapsed()))
    };
    let what = format!(
        "{} sources × {} patterns",
        short(SOURCES as f64),
        short(PATTERNS as f64)
    );
    timed("SELECT * FROM logwatch_check()")?;
    timed("VACUUM ANALYZE")?;
    timed(
        "INSERT INTO logwatch.rules (name, group_by, threshold, within) VALUES ('each host', 'source', 20, '10 minutes')",
    )?;
    let first = timed("SELECT * FROM logwatch_check()")?;
    table.value(
        &format!("first check of a rule for each host that fires for all, {what}"),
        first,
        "ms",
        "–",
        Contract::AtMost(500.0),
    );
    for (name, query, limit) in [
        ("check", "SELECT * FROM logwatch_check()", 500.0),
        ("status", "SELECT * FROM logwatch_status()", 50.0),
        ("report page", "SELECT logwatch_report_html()", 500.0),
    ] {
        let mut times = Vec::new();
        for _ in 0..CALLS {
            timed("SELECT logwatch_ingest('ERROR one more', 'host-1')")?;
            times.push(timed(query)?);
        }
        table.value(
            &format!("{name}, {what}"),
            percentile(&mut times, 0.5),
            "ms",
            "–",
            Contract::AtMost(limit),
        );
    }
    Ok(())
}
