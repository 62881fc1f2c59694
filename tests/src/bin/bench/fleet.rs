//! A fleet on one machine: how many records a second full and light edges bring to their centre,
//! what a record costs at both ends, and how long a line takes to the centre's mail.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::fleet::{Edge, centre, subscribe, subscribe_light, unsubscribe, wait_for_state};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;

use crate::edition::Edition;
use crate::measure::{cpu_of, percentile, short};
use crate::table::{Contract, Table};
use crate::{input, latency};

const EDGES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const LIMIT: Duration = Duration::from_secs(600);
/// As in `input::server`, with the workers that eight edges need.
const SETTINGS: [(&str, &str); 6] = [
    ("fsync", "on"),
    ("shared_buffers", "256MB"),
    ("max_wal_size", "4GB"),
    ("max_worker_processes", "32"),
    ("max_replication_slots", "32"),
    ("logwatch.check_interval", "10s"),
];

pub fn run(table: &mut Table) -> Result<()> {
    let sink = MailSink::plain()?;
    let url = sink.url();
    let mut settings = SETTINGS.to_vec();
    settings.extend([
        ("logwatch.smtp_url", url.as_str()),
        ("logwatch.email_to", "ops@example.com"),
    ]);
    let centre = centre(&settings)?;
    let edges = EDGES
        .iter()
        .map(|name| Edge::start(name, &SETTINGS))
        .collect::<Result<Vec<_>>>()?;
    for edge in &edges {
        subscribe(&centre, edge)?;
    }
    for edge in &edges {
        wait_for_state(&centre, edge, LIMIT, "ok")?;
    }
    lag(table, &centre, &edges[0], &sink)?;
    for kind in [Kind::Full, Kind::Light] {
        if let Kind::Light = kind {
            for edge in &edges {
                unsubscribe(&centre, edge)?;
                subscribe_light(&centre, edge)?;
            }
            for edge in &edges {
                wait_for_state(&centre, edge, LIMIT, "ok")?;
            }
        }
        let mut alone = 0.0;
        for count in [1, 2, 4, 8] {
            let rate = through(table, &centre, &edges[..count], kind, alone)?;
            if count == 1 {
                alone = rate;
            }
        }
    }
    Ok(())
}

/// Whether edges send their entries.
#[derive(Clone, Copy)]
enum Kind {
    Full,
    Light,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::Light => "light",
        }
    }
}

/// From a line on an edge to the end of the centre's mail.
fn lag(table: &mut Table, centre: &Server, edge: &Edge, sink: &MailSink) -> Result<()> {
    let samples = usize::try_from(input::size("BENCH_FLEET_MAILS", 50)?)?;
    centre.sql("UPDATE logwatch.rules SET enabled = false")?;
    latency::add_rules(centre, samples)?;
    let mut times = latency::mails(&Edition::now()?, samples, &edge.server, sink)?;
    centre.sql("DELETE FROM logwatch.rules WHERE NOT builtin; UPDATE logwatch.rules SET enabled = true")?;
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        table.value(
            &format!("line on an edge to the centre's mail, {name}"),
            percentile(&mut times, part),
            "ms",
            "–",
            Contract::None,
        );
    }
    Ok(())
}

/// Stores records on some edges at once, and measures until the centre has counted them all.
/// Returns records per second.
fn through(table: &mut Table, centre: &Server, edges: &[Edge], kind: Kind, alone: f64) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let total = input::size("BENCH_FLEET_RECORDS", 200_000)?;
    let each = total * 5 / 3 / edges.len() as u64;
    let files = edges
        .iter()
        .map(|edge| input::log(directory.path(), &format!("{}.log", edge.name), each, 1.0, None))
        .collect::<Result<Vec<_>>>()?;
    let sources: Vec<String> = edges
        .iter()
        .map(|edge| format!("{}-of-{}-{}", edge.name, edges.len(), kind.name()))
        .collect();
    let received = |server: &Server| number(server, RECEIVED);
    let stored = || {
        edges
            .iter()
            .map(|edge| received(&edge.server))
            .sum::<Result<u64>>()
    };
    let servers: Vec<&Server> = edges.iter().map(|edge| &edge.server).collect();
    let (edges_before, centre_before) = (Used::of(&servers)?, Used::of(&[centre])?);
    let (before, stored_before, cpu_before) = (received(centre)?, stored()?, apply_cpu(centre)?);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let running: Vec<_> = edges
            .iter()
            .zip(files.iter().zip(&sources))
            .map(|(edge, (file, source))| {
                scope.spawn(move || {
                    Tailer::once(&edge.server, &["--source", source, &file.display().to_string()])
                })
            })
            .collect();
        running.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended.map(drop),
            Err(_) => Err(anyhow::anyhow!("a tailer's thread panicked")),
        })
    })?;
    let at_edges = started.elapsed();
    let records = stored()? - stored_before;
    wait_until(LIMIT, "all records at the centre", || {
        Ok(received(centre)? == before + records)
    })?;
    let through = started.elapsed();
    let cpu = apply_cpu(centre)?.saturating_sub(cpu_before);
    // The queue of the checks is not what stays.
    for server in servers.iter().copied().chain([centre]) {
        server.wait_for_sql(LIMIT, "SELECT count(*) FROM logwatch.batches", "0")?;
    }
    let rate = records as f64 / through.as_secs_f64();
    table.ratio(
        &format!(
            "{} {} edge{} through to the centre",
            edges.len(),
            kind.name(),
            if edges.len() == 1 { "" } else { "s" }
        ),
        &format!(
            "{} records/s; a record: {:.2} µs of an apply worker, at the edge {}, at the centre {}",
            short(rate),
            cpu.as_secs_f64() * 1e6 / records as f64,
            Used::of(&servers)?.since(&edges_before, records),
            Used::of(&[centre])?.since(&centre_before, records),
        ),
        &format!(
            "at the edges alone: {} records/s",
            short(records as f64 / at_edges.as_secs_f64())
        ),
        if alone > 0.0 { rate / alone } else { 1.0 },
        Contract::None,
    );
    Ok(rate)
}

/// All records that a server knows of, counted by their batches, which all edges send.
const RECEIVED: &str = "SELECT COALESCE(sum(n), 0) FROM (SELECT n FROM logwatch.arrivals UNION ALL SELECT n FROM logwatch.batches) AS b";
/// The tables that grow with the records; the queue of the checks does not.
const DISK: &str = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c
     WHERE c.relnamespace = 'logwatch'::regnamespace AND c.relkind = 'r' AND c.relname <> 'batches'";

fn number(server: &Server, query: &str) -> Result<u64> {
    server.sql(query)?.parse().context("no number")
}

/// Bytes that servers have written so far.
struct Used {
    wal: u64,
    disk: u64,
}

impl Used {
    fn of(servers: &[&Server]) -> Result<Self> {
        let sum = |query: &str| {
            servers
                .iter()
                .map(|server| number(server, query))
                .sum::<Result<u64>>()
        };
        Ok(Self {
            wal: sum("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")?,
            disk: sum(DISK)?,
        })
    }

    fn since(&self, before: &Self, records: u64) -> String {
        let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / records as f64;
        format!(
            "{:.0} bytes of WAL and {:.0} on disk",
            each(self.wal, before.wal),
            each(self.disk, before.disk)
        )
    }
}

/// Time of processors that the centre's apply workers have had so far.
fn apply_cpu(centre: &Server) -> Result<Duration> {
    let pids = centre.sql("SELECT pid FROM pg_stat_subscription WHERE pid IS NOT NULL")?;
    let mut sum = Duration::ZERO;
    for pid in pids.lines() {
        sum += cpu_of(pid.parse()?)?;
    }
    Ok(sum)
}
