//! The cost of a check and of a status, with few and with many stored entries.

use std::time::Instant;

use anyhow::Result;
use logwatch_tests::server::Server;

use crate::input;
use crate::measure::{ms, percentile, short};
use crate::table::{Contract, Table};

const CALLS: usize = 40;
/// A storm: four hosts say the same ten things in a window of five minutes.
const SOURCES: u64 = 4;
const PATTERNS: u64 = 10;
const WINDOW: u64 = 300;

/// Medians in milliseconds.
struct Costs {
    check: f64,
    status: f64,
}

pub fn run(table: &mut Table) -> Result<()> {
    let many = input::size("BENCH_ENTRIES", 10_000_000)?;
    // Without the worker: nobody else checks meanwhile. Maintenance is called as the worker would.
    let server = input::server(&[("shared_preload_libraries", ""), ("autovacuum", "off")])?;
    let few = costs(&server, 10_000)?;
    let storm = costs(&server, many)?;
    let (few_text, many_text) = (short(10_000.0), short(many as f64));
    for (name, ours, beside) in [
        ("check", storm.check, few.check),
        ("status", storm.status, few.status),
    ] {
        table.value(
            &format!("logwatch_{name}() with {many_text} entries in the window"),
            ours,
            "ms",
            "–",
            Contract::AtMost(10.0),
        );
        table.ratio(
            &format!("logwatch_{name}(), {many_text} beside {few_text}"),
            &format!("{ours:.2} ms"),
            &format!("{beside:.2} ms"),
            ours / beside,
            Contract::AtMost(1.5),
        );
    }
    server.sql(
        "INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
         SELECT n, 'ERROR', 'old message ' || n, now() - interval '9 days', now() - interval '9 days', 'old' FROM generate_series(1, 100000) AS n;
         ANALYZE logwatch.patterns;",
    )?;
    both(
        table,
        "100 k patterns known",
        &measure(&server)?,
        Contract::AtMost(10.0),
    );
    server.sql(
        "INSERT INTO logwatch.minutes (minute, source_id, level, fingerprint, n, width)
         SELECT h, logwatch_private.source_id('host-' || s), 'ERROR', p, 1000, 3600
           FROM generate_series(now() - interval '365 days', now() - interval '10 days', interval '1 hour') AS h,
                generate_series(1, 4) AS s, generate_series(1, 10) AS p;
         ANALYZE logwatch.minutes;",
    )?;
    both(
        table,
        "a year of counts kept",
        &measure(&server)?,
        Contract::AtMost(10.0),
    );
    server.sql(
        "INSERT INTO logwatch.rules (name, match, threshold, within)
         SELECT 'rule ' || n, CASE WHEN n % 20 = 0 THEN 'message (no|nr)[.]? ' || n || '$' ELSE 'payment ' || n || ' failed' END, 3, '5 minutes'
           FROM generate_series(1, 1000) AS n",
    )?;
    both(
        table,
        "1 000 rules, one in 20 a regular expression",
        &measure(&server)?,
        Contract::AtMost(50.0),
    );
    Ok(())
}

fn both(table: &mut Table, what: &str, costs: &Costs, contract: Contract) {
    table.value(
        &format!("logwatch_check(), {what}"),
        costs.check,
        "ms",
        "–",
        contract,
    );
    table.value(
        &format!("logwatch_status(), {what}"),
        costs.status,
        "ms",
        "–",
        contract,
    );
}

/// Fills the window with so many entries and what ingest leaves with them, and measures.
fn costs(server: &Server, entries: u64) -> Result<Costs> {
    server.sql("TRUNCATE logwatch.entries, logwatch.minutes, logwatch.batches, logwatch.patterns, logwatch.alerts, logwatch.notifications")?;
    for source in 1..=SOURCES {
        server.sql(&format!("SELECT logwatch_ingest('INFO', 'host-{source}')"))?;
    }
    server.sql(&format!(
        "INSERT INTO logwatch.patterns (fingerprint, level, template, first_seen, last_seen, sample)
         SELECT -p, 'ERROR', 'message ' || chr(96 + p::int), now(), now(), 'x' FROM generate_series(1, {PATTERNS}) AS p;
         INSERT INTO logwatch.entries (logged_at, source_id, level, fingerprint, message)
         SELECT now() - interval '1 second' * (n % {WINDOW}), logwatch_private.source_id('host-' || 1 + n % {SOURCES}), 'ERROR', -1 - n % {PATTERNS},
                'request ' || n || ' to the payment provider failed after 3000 ms'
           FROM generate_series(1, {entries}) AS n"
    ))?;
    // Loading took a while: counts and batches are those of the window that ends now. Each batch of
    // a thousand leaves a row per pattern.
    server.sql(&format!(
        "INSERT INTO logwatch.batches (source_id, received_at, first_at, last_at, n, source, seconds, fingerprints, levels, numbers)
         SELECT logwatch_private.source_id('host-' || 1 + b % {SOURCES}), clock_timestamp(), v.at, v.at, 1000, 'host-' || 1 + b % {SOURCES},
                array_fill(0, ARRAY[{PATTERNS}]), (SELECT array_agg(-p::bigint) FROM generate_series(1, {PATTERNS}) AS p), '{{4}}',
                array_fill(1000 / {PATTERNS}, ARRAY[{PATTERNS}])
           FROM generate_series(1, {entries} / 1000) AS b
          CROSS JOIN LATERAL (SELECT date_trunc('second', now()) - interval '1 second' * (b % {WINDOW}) AS at) AS v;
         SELECT logwatch_check();
         SELECT logwatch_maintain();"
    ))?;
    server.sql("VACUUM ANALYZE logwatch.minutes")?;
    server.sql("VACUUM ANALYZE logwatch.batches")?;
    input::settle(server)?;
    measure(server)
}

/// Each check finds a new record.
fn measure(server: &Server) -> Result<Costs> {
    let mut client = server.client()?;
    let mut timed = |query: &str| -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..CALLS {
            client.batch_execute("SELECT logwatch_ingest('ERROR one more', 'host-1')")?;
            let started = Instant::now();
            client.batch_execute(query)?;
            times.push(ms(started.elapsed()));
        }
        Ok(percentile(&mut times, 0.5))
    };
    // The first calls of a session plan and compile.
    timed("SELECT * FROM logwatch_check()")?;
    Ok(Costs {
        check: timed("SELECT * FROM logwatch_check()")?,
        status: timed("SELECT * FROM logwatch_status()")?,
    })
}
