//! The cost of logwatch while no record arrives.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::tailer::Tailer;

use crate::input;
use crate::measure::cpu_of;
use crate::table::{Contract, Table};

const LIMIT: Duration = Duration::from_secs(30);
const FILES: usize = 100;

pub fn run(table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let watched = Duration::from_secs(input::size("BENCH_IDLE_SECONDS", 30)?);
    let server = input::server(&[
        ("logwatch.check_interval", "1s"),
        ("autovacuum", "off"),
        // PostgreSQL itself writes some bytes for standbys now and then, which are not the
        // worker's.
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
    ])?;
    let worker = server.wait_for_worker(LIMIT, None)?;
    // The first tick may have partitions to make.
    server.wait_for_sql(
        LIMIT,
        "SELECT count(*) > 0 FROM logwatch.progress WHERE maintained_at IS NOT NULL",
        "t",
    )?;
    server.sql("CHECKPOINT")?;
    std::thread::sleep(Duration::from_secs(2));
    let look = || -> Result<(f64, f64)> {
        Ok((
            server
                .sql("SELECT pg_snapshot_xmax(pg_current_snapshot())")?
                .parse()?,
            server
                .sql("SELECT pg_current_wal_insert_lsn() - '0/0'")?
                .parse()?,
        ))
    };
    let (before, cpu) = (look()?, cpu_of(worker)?);
    std::thread::sleep(watched);
    let (after, cpu) = (look()?, cpu_of(worker)? - cpu);
    let seconds = watched.as_secs();
    table.value(
        &format!("idle worker, {seconds} ticks: transaction ids"),
        after.0 - before.0,
        "xids",
        "–",
        Contract::AtMost(0.0),
    );
    table.value(
        &format!("idle worker, {seconds} ticks: WAL"),
        after.1 - before.1,
        "bytes",
        "–",
        Contract::AtMost(0.0),
    );
    table.value(
        "idle worker, a tick a second: processor",
        100.0 * cpu.as_secs_f64() / watched.as_secs_f64(),
        "% of a core",
        "–",
        Contract::None,
    );

    for number in 0..FILES {
        std::fs::write(
            directory.path().join(format!("{number}.log")),
            "INFO all is well\n",
        )?;
    }
    let pattern = directory.path().join("*.log").display().to_string();
    let tailer = Tailer::start(&server, &["--source", "bench", &pattern])?;
    server.wait_for_sql(LIMIT, "SELECT count(*) FROM logwatch.files", &FILES.to_string())?;
    std::thread::sleep(Duration::from_secs(2));
    let cpu = cpu_of(tailer.pid())?;
    std::thread::sleep(watched);
    let cpu = cpu_of(tailer.pid())? - cpu;
    table.value(
        &format!("idle tailer on {FILES} files: processor"),
        100.0 * cpu.as_secs_f64() / watched.as_secs_f64(),
        "% of a core",
        "–",
        Contract::AtMost(0.5),
    );
    table.value(
        "idle tailer: memory",
        tailer.peak_memory()? as f64 / (1 << 20) as f64,
        "MiB",
        "–",
        Contract::AtMost(64.0),
    );
    Ok(())
}
