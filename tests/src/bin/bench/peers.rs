//! Beside a program that does the same job: lines of a file into a PostgreSQL table, how fast, at
//! which cost, and what is lost or repeated when the server is killed once.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::process::Process;
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::wait::wait_until;

use crate::edition::Edition;
use crate::input;
use crate::measure::{cpu_of, short};
use crate::others;
use crate::table::{Contract, Table};

const LIMIT: Duration = Duration::from_secs(300);

/// A program that stores the lines of a file.
struct Peer {
    name: &'static str,
    /// The table's name, whose column `message` has the lines.
    table: &'static str,
    /// A file without which it cannot run, below the root or this checkout.
    needs: Option<&'static str>,
    start: fn(&Server, &Path, &Path) -> Result<Process>,
}

const PEERS: [Peer; 3] = [
    Peer {
        name: "logwatch",
        table: "logwatch.entries",
        needs: None,
        start: logwatch,
    },
    Peer {
        name: "rsyslog, ompgsql in batches",
        table: "public.syslog",
        needs: Some("/usr/sbin/rsyslogd"),
        start: rsyslog,
    },
    Peer {
        name: "syslog-ng, sql() in batches",
        table: "public.syslog",
        needs: Some("target/syslog-ng-sql/usr/sbin/syslog-ng"),
        start: syslog_ng,
    },
];

pub fn run(table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let lines = input::size("BENCH_PEER_LINES", 100_000)?;
    let file = input::spread_log(directory.path(), lines)?;
    let mut ours = 0.0;
    for peer in &PEERS {
        let is_missing = |file: &&str| !programs::checkout().join(file).exists();
        if let Some(file) = peer.needs.filter(is_missing) {
            table.skipped(
                peer.name,
                &format!("there is no {file} (extension/package/install_missing.sh bench)"),
            );
            continue;
        }
        let rate = speed(table, peer, &file, lines, ours)?;
        if ours == 0.0 {
            ours = rate;
        }
        killed(table, peer, &file, lines)?;
    }
    table.skipped(
        "Vector, Fluent Bit, Filebeat, the OpenTelemetry Collector",
        "neither Debian 12 nor PyPI, npm or crates.io has one that writes to PostgreSQL",
    );
    Ok(())
}

fn logwatch(server: &Server, file: &Path, _: &Path) -> Result<Process> {
    let mut command = Command::new(Edition::now()?.tailer_path());
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(server.env())
        .args(["--source", "bench"])
        .arg(file);
    Process::spawn(&mut command, libc::SIGTERM)
}

fn rsyslog(server: &Server, file: &Path, directory: &Path) -> Result<Process> {
    script("rsyslog.sh", server, file, directory)
}

fn syslog_ng(server: &Server, file: &Path, directory: &Path) -> Result<Process> {
    script("syslog_ng.sh", server, file, directory)
}

fn script(name: &str, server: &Server, file: &Path, directory: &Path) -> Result<Process> {
    let mut command = others::script(name, directory);
    command.arg(file).envs(server.env());
    others::start(command)
}

fn server() -> Result<Server> {
    let server = Edition::now()?.server_with_worker(&[])?;
    server.sql("CREATE TABLE syslog (message text)")?;
    Ok(server)
}

fn count(server: &Server, peer: &Peer) -> Result<u64> {
    server
        .sql(&format!("SELECT count(*) FROM {}", peer.table))?
        .parse()
        .context("no number")
}

/// Returns rows per second, from the start of the program to its last row.
fn speed(table: &mut Table, peer: &Peer, file: &Path, lines: u64, ours: f64) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let server = server()?;
    let started = Instant::now();
    let mut process = (peer.start)(&server, file, directory.path())?;
    wait_until(LIMIT, "all rows", || Ok(count(&server, peer)? >= lines))?;
    let rate = lines as f64 / started.elapsed().as_secs_f64();
    let cpu = 1e6 * cpu_of(process.pid())?.as_secs_f64() / lines as f64;
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
    let memory = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
        .context("no VmHWM")?
        .parse::<f64>()?
        / 1024.0;
    process.stop(libc::SIGTERM, LIMIT)?;
    table.ratio(
        &format!("lines into a table: {}", peer.name),
        &format!(
            "{} rows/s, {cpu:.1} CPU-seconds per million lines, {memory:.0} MiB",
            short(rate)
        ),
        "logwatch",
        if ours > 0.0 { rate / ours } else { 1.0 },
        Contract::None,
    );
    Ok(rate)
}

/// Kills the server once a third of the lines is stored, and counts.
fn killed(table: &mut Table, peer: &Peer, file: &Path, lines: u64) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut server = server()?;
    let mut process = (peer.start)(&server, file, directory.path())?;
    wait_until(LIMIT, "a third of the rows", || {
        Ok(count(&server, peer)? >= lines / 3)
    })?;
    server.stop(Stop::Immediate)?;
    server.start()?;
    // The table has as many rows as lines, or grows no more.
    let (mut rows, mut since) = (0, Instant::now());
    wait_until(LIMIT, "the last row", || {
        let now = count(&server, peer)?;
        if now != rows {
            (rows, since) = (now, Instant::now());
        }
        Ok(since.elapsed() > Duration::from_secs(10))
    })?;
    let different: u64 = server
        .sql(&format!("SELECT count(DISTINCT message) FROM {}", peer.table))?
        .parse()?;
    process.stop(libc::SIGTERM, LIMIT)?;
    table.ratio(
        &format!("the server killed once: {}", peer.name),
        &format!(
            "{} lines lost, {} repeated",
            lines.saturating_sub(different),
            rows.saturating_sub(different)
        ),
        "–",
        different as f64 / lines as f64,
        Contract::None,
    );
    Ok(())
}
