//! Many edges at one centre: real subscriptions, one apply worker each, at the rate of real edges.
//! It finds what grows with their number, and what the centre runs out of first.
//!
//! The edges are databases of one server, so that memory carries hundreds. Each sends a beat and a
//! few records a minute, as an edge without a worker does whose cron job runs once a minute.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::server::{Server, run as in_session};
use logwatch_tests::wait::wait_until;

use crate::input;
use crate::measure::{cpu_of, ms, percentile};
use crate::table::{Contract, Table};

const LIMIT: Duration = Duration::from_secs(600);
/// Records of an edge in a minute.
const RECORDS: usize = 5;
const LOOKS: usize = 15;

pub fn run(table: &mut Table) -> Result<()> {
    let most = usize::try_from(input::size("BENCH_EDGES", 20)?)?;
    let minutes = u32::try_from(input::size("BENCH_EDGES_MINUTES", 1)?)?;
    let workers = (most + 8).to_string();
    let slots = (most + 8).to_string();
    let settings = [
        ("max_worker_processes", workers.as_str()),
        ("max_logical_replication_workers", &workers),
        ("max_replication_slots", &slots),
        ("max_wal_senders", &slots),
        ("wal_level", "logical"),
        ("shared_buffers", "256MB"),
        ("logwatch.check_interval", "10s"),
    ];
    let centre = Server::with_worker(&settings)?;
    let mut edges = Server::create(&settings)?;
    edges.start()?;
    // Copies of a database come sooner than new ones.
    edges.sql("CREATE DATABASE edge0")?;
    in_edge(&edges, 0, "CREATE EXTENSION logwatch")?;
    in_edge(
        &edges,
        0,
        "SELECT logwatch_publish(execute => true, entries => false)",
    )?;
    let mut joined = 0;
    for count in [most / 4, most / 2, most] {
        let started = Instant::now();
        for number in joined + 1..=count {
            edges.sql(&format!("CREATE DATABASE edge{number} TEMPLATE edge0"))?;
            centre.psql_script(&format!(
                "SELECT logwatch_subscribe('edge{number}', 'host={} port={} dbname=edge{number} user=postgres', copy => false) \\gexec",
                edges.sockets().display(),
                edges.port()
            ))?;
        }
        joined = count;
        // Their first beats tell the centre that they are there.
        wait_until(LIMIT, "all edges at the centre", || {
            minute(&edges, count)?;
            Ok(centre.sql("SELECT count(*) FROM logwatch_fleet WHERE state = 'ok'")? == count.to_string())
        })?;
        measure(table, &centre, &edges, count, minutes, started.elapsed())?;
    }
    Ok(())
}

fn in_edge(edges: &Server, number: usize, statements: &str) -> Result<String> {
    in_session(
        &mut edges.client_as("postgres", &format!("edge{number}"))?,
        statements,
    )
}

/// Stores records on each edge and sends its beat, as its cron job does once a minute.
fn minute(edges: &Server, count: usize) -> Result<()> {
    for number in 1..=count {
        in_edge(
            edges,
            number,
            &format!(
                "SELECT logwatch_ingest(ARRAY(SELECT format('ERROR request %s failed', i) FROM generate_series(1, {RECORDS}) AS i), 'app{number}');
                 SELECT logwatch_check()"
            ),
        )?;
    }
    Ok(())
}

fn measure(
    table: &mut Table,
    centre: &Server,
    edges: &Server,
    count: usize,
    minutes: u32,
    took: Duration,
) -> Result<()> {
    let apply = workers(
        centre,
        "SELECT pid FROM pg_stat_subscription WHERE pid IS NOT NULL",
    )?;
    let worker = workers(
        centre,
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'logwatch worker'",
    )?;
    let (apply_before, worker_before) = (cpu(&apply)?, cpu(&worker)?);
    let started = Instant::now();
    for passed in 1..=minutes {
        minute(edges, count)?;
        std::thread::sleep((Duration::from_secs(60) * passed).saturating_sub(started.elapsed()));
    }
    let part = |before: Duration, now: Duration| {
        100.0 * now.saturating_sub(before).as_secs_f64() / started.elapsed().as_secs_f64()
    };
    let (apply_cpu, worker_cpu) = (
        part(apply_before, cpu(&apply)?),
        part(worker_before, cpu(&worker)?),
    );
    let memory = apply.iter().map(|pid| memory_of(*pid)).sum::<Result<f64>>()? / apply.len().max(1) as f64;
    let fleet = time(centre, "SELECT count(*) FROM logwatch_fleet")?;
    let status = time(centre, "SELECT count(*) FROM logwatch_status()")?;
    let page = time(centre, "SELECT length(logwatch_report_html())")?;
    let tick = time(centre, "SELECT logwatch_private.fleet_due(clock_timestamp())")?;
    table.ratio(
        &format!("{count} edges, a beat and {RECORDS} records a minute each"),
        &format!(
            "apply workers {apply_cpu:.1} % of a processor and {memory:.1} MiB each, logwatch worker {worker_cpu:.1} %"
        ),
        &format!(
            "what each tick asks {tick:.1} ms, logwatch_fleet {fleet:.0} ms, status {status:.0} ms, page {page:.0} ms; joined in {:.0} s",
            took.as_secs_f64()
        ),
        count as f64,
        Contract::None,
    );
    Ok(())
}

fn workers(server: &Server, query: &str) -> Result<Vec<i32>> {
    server.sql(query)?.lines().map(|pid| Ok(pid.parse()?)).collect()
}

fn cpu(pids: &[i32]) -> Result<Duration> {
    pids.iter().map(|pid| cpu_of(*pid)).sum()
}

/// The memory that is a process's own, and its part of what it shares, in MiB.
fn memory_of(pid: i32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let pss = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib: f64 = pss
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .context("smaps_rollup has no Pss")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// The median time of a query, in milliseconds.
fn time(server: &Server, query: &str) -> Result<f64> {
    let mut client = server.client()?;
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let started = Instant::now();
        client.simple_query(query)?;
        times.push(ms(started.elapsed()));
    }
    Ok(percentile(&mut times, 0.5))
}
