//! A fleet on one machine: what goes through edges to their centre, what a row costs there, and how
//! long a line takes to the centre's mail.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::fleet::{Edge, centre, subscribe, wait_for_state};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;

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
    let mut alone = 0.0;
    for count in [1, 2, 4, 8] {
        let rate = through(table, &centre, &edges[..count], alone)?;
        if count == 1 {
            alone = rate;
        }
    }
    Ok(())
}

/// From a line on an edge to the end of the centre's mail.
fn lag(table: &mut Table, centre: &Server, edge: &Edge, sink: &MailSink) -> Result<()> {
    let samples = usize::try_from(input::size("BENCH_FLEET_MAILS", 50)?)?;
    let mut times = latency::mails(samples, &edge.server, centre, sink)?;
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

/// Stores records on some edges at once, and measures until the centre has them all. Returns rows
/// per second.
fn through(table: &mut Table, centre: &Server, edges: &[Edge], alone: f64) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let total = input::size("BENCH_FLEET_RECORDS", 200_000)?;
    let each = total * 5 / 3 / edges.len() as u64;
    let files = edges
        .iter()
        .map(|edge| input::log(directory.path(), &format!("{}.log", edge.name), each, 1.0, None))
        .collect::<Result<Vec<_>>>()?;
    let sources: Vec<String> = edges
        .iter()
        .map(|edge| format!("{}-of-{}", edge.name, edges.len()))
        .collect();
    let stored = "SELECT count(*) FROM logwatch.entries";
    let number = |server: &Server| -> Result<u64> { server.sql(stored)?.parse().context("no number") };
    let before = number(centre)?;
    let cpu_before = apply_cpu(centre)?;
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
    let mut rows = 0;
    for (edge, source) in edges.iter().zip(&sources) {
        rows += edge
            .server
            .sql(&format!(
                "SELECT count(*) FROM logwatch.entries WHERE source_id = logwatch_private.source_id('{source}')"
            ))?
            .parse::<u64>()?;
    }
    wait_until(LIMIT, "all rows at the centre", || {
        Ok(number(centre)? == before + rows)
    })?;
    let through = started.elapsed();
    let cpu = apply_cpu(centre)?.saturating_sub(cpu_before);
    let rate = rows as f64 / through.as_secs_f64();
    table.ratio(
        &format!(
            "{} edge{} through to the centre",
            edges.len(),
            if edges.len() == 1 { "" } else { "s" }
        ),
        &format!(
            "{} rows/s, {:.1} µs of an apply worker per row",
            short(rate),
            cpu.as_secs_f64() * 1e6 / rows as f64
        ),
        &format!(
            "at the edges alone: {} rows/s",
            short(rows as f64 / at_edges.as_secs_f64())
        ),
        if alone > 0.0 { rate / alone } else { 1.0 },
        Contract::None,
    );
    Ok(rate)
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
