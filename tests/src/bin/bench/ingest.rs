//! From a file to committed rows, beside COPY of the same rows into the same table; and what the
//! rows take on disk.
//!
//! *dense*: a generated log with few patterns. *spread*: nearly every record has a second and
//! pattern of its own, the worst case for counting. The sides of a round run in turns, and its
//! ratios are taken round by round: a busy machine slows all of them.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_until;

use crate::edition::Edition;
use crate::input::{self, settle};
use crate::measure::{Cost, percentile, run as run_program, short};
use crate::table::{Contract, Table};

const ROUNDS: usize = 3;
const COLUMNS: &str =
    "source_id, received_at, logged_at, level, path_id, fingerprint, message, detail, fields, flags";
/// Tables that are emptied between two runs; the first edition has `counts` where later ones have
/// `minutes` and `arrivals`.
const TABLES: [&str; 8] = [
    "entries", "counts", "minutes", "batches", "arrivals", "patterns", "files", "alerts",
];

pub fn run(table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let records = input::size("BENCH_RECORDS", 500_000)?;
    // With as many bursts as fit some three in five records are errors.
    let dense = input::log(directory.path(), "dense.log", records * 5 / 3, 1.0, None)?;
    let spread = input::spread_log(directory.path(), records)?;
    let (now, first) = (Side::of(&Edition::now()?)?, Edition::first()?.map(Side::of));
    let first = first.transpose()?;
    kind(table, "dense", &dense, &now, first.as_ref())?;
    kind(table, "spread", &spread, &now, first.as_ref())
}

/// An edition and its server.
struct Side {
    server: Server,
    tailer: std::path::PathBuf,
}

impl Side {
    fn of(edition: &Edition) -> Result<Self> {
        Ok(Self {
            server: edition.server_with_worker(&[])?,
            tailer: edition.tailer_path().to_owned(),
        })
    }

    /// Takes the server back to before the first record.
    fn forget(&self) -> Result<()> {
        let there = self.server.sql(&format!(
            "SELECT string_agg('logwatch.' || relname, ', ') FROM pg_class
              WHERE relnamespace = 'logwatch'::regnamespace AND relkind IN ('r', 'p') AND relname IN ('{}')",
            TABLES.join("', '")
        ))?;
        self.server.sql(&format!("TRUNCATE {there} CASCADE"))?;
        settle(&self.server)
    }

    /// Reads a file to its end; returns the tailer's cost.
    fn ingest(&self, file: &str) -> Result<Cost> {
        self.forget()?;
        let mut command = std::process::Command::new(&self.tailer);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(self.server.env());
        run_program(command.args(["--once", "--source", "bench", file]))
    }

    /// Stores rows by COPY, so many in each transaction.
    fn copy(&self, rows: &str, batch: usize) -> Result<Duration> {
        self.forget()?;
        let mut client = self.server.client()?;
        let lines: Vec<&str> = rows.split_inclusive('\n').collect();
        let batches: Vec<String> = lines.chunks(batch).map(<[&str]>::concat).collect();
        let started = Instant::now();
        for batch in batches {
            let mut writer = client.copy_in(&format!("COPY logwatch.entries ({COLUMNS}) FROM STDIN"))?;
            writer.write_all(batch.as_bytes())?;
            writer.finish()?;
        }
        Ok(started.elapsed())
    }

    fn number(&self, query: &str) -> Result<f64> {
        number(&self.server, query)
    }
}

/// Medians of rates in rows a second, and of their ratios to COPY's of the same round.
#[derive(Default)]
struct Rates {
    rates: Vec<f64>,
    ratios: Vec<f64>,
}

impl Rates {
    fn add(&mut self, rate: f64, copy: f64) {
        self.rates.push(rate);
        self.ratios.push(rate / copy);
    }

    fn median(&mut self) -> (f64, f64) {
        (
            percentile(&mut self.rates, 0.5),
            percentile(&mut self.ratios, 0.5),
        )
    }
}

fn kind(table: &mut Table, name: &str, file: &Path, now: &Side, first: Option<&Side>) -> Result<()> {
    let file = file.display().to_string();
    let (mut ours, mut theirs, mut copies) = (Rates::default(), Rates::default(), vec![]);
    let (mut rows, mut count, mut batch) = (String::new(), 0.0, 1000);
    let (mut tailer, mut checked) = (vec![], vec![]);
    for round in 0..ROUNDS {
        let cost = now.ingest(&file)?;
        checked.push(time_until_checked(&now.server)?);
        count = now.number("SELECT count(*) FROM logwatch.entries")?;
        if round == 0 {
            batch = now.number(
                "SELECT max(n) FROM (SELECT count(*) AS n FROM logwatch.entries GROUP BY received_at, source_id) AS b",
            )? as usize;
            rows = dump(&now.server)?;
            disk(table, name, now, count)?;
        }
        let copy = count / now.copy(&rows, batch)?.as_secs_f64();
        ours.add(count / cost.wall.as_secs_f64(), copy);
        copies.push(copy);
        tailer.push(1e6 * cost.cpu.as_secs_f64() / count);
        if let Some(first) = first {
            let rate = count / first.ingest(&file)?.wall.as_secs_f64();
            theirs.add(rate, copy);
        }
    }
    let (rate, ratio) = ours.median();
    let added = table.ratio(
        &format!("file to rows, {name}: {} records, default rules on", short(count)),
        &format!("{} rows/s", short(rate)),
        &format!(
            "COPY, {batch} rows each: {} rows/s",
            short(percentile(&mut copies, 0.5))
        ),
        ratio,
        Contract::AtLeast(1.0),
    );
    if first.is_some() {
        let (rate, ratio) = theirs.median();
        added.first(&format!("{} rows/s, {ratio:.2} of COPY", short(rate)));
    }
    table.value(
        &format!("file to rows, {name}: checked after the last row"),
        percentile(&mut checked, 0.5),
        "ms",
        &format!(
            "the tailer's processor time: {:.1} µs per record",
            percentile(&mut tailer, 0.5)
        ),
        Contract::None,
    );
    Ok(())
}

/// Waits until no batch waits for a check; returns milliseconds.
fn time_until_checked(server: &Server) -> Result<f64> {
    let started = Instant::now();
    wait_until(Duration::from_secs(120), "the check of all batches", || {
        Ok(server.sql("SELECT count(*) FROM logwatch.batches")? == "0")
    })?;
    Ok(1000.0 * started.elapsed().as_secs_f64())
}

fn number(server: &Server, query: &str) -> Result<f64> {
    server
        .sql(query)?
        .parse()
        .with_context(|| format!("no number: {query}"))
}

fn dump(server: &Server) -> Result<String> {
    use std::io::Read;
    let mut client = server.client()?;
    let mut text = String::new();
    client
        .copy_out(&format!(
            "COPY (SELECT {COLUMNS} FROM logwatch.entries) TO STDOUT"
        ))?
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Measures the disk space of the rows by subject, once all are checked.
fn disk(table: &mut Table, name: &str, side: &Side, count: f64) -> Result<()> {
    let server = &side.server;
    server.sql("SELECT logwatch_maintain()")?;
    for queue in ["batches", "minutes", "arrivals"] {
        server.sql(&format!("VACUUM logwatch.{queue}"))?;
    }
    server.sql(
        "CREATE TABLE plain AS SELECT logged_at, 'bench'::text AS host, level::text AS level, message, detail FROM logwatch.entries;
         CREATE INDEX ON plain (logged_at);",
    )?;
    let size = |what: &str, tables: &str| -> Result<f64> {
        number(
            server,
            &format!("SELECT COALESCE(sum({what}), 0) FROM pg_class WHERE {tables}"),
        )
    };
    let partitions =
        "oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass)";
    let (heap, indexes) = (
        size("pg_table_size(oid)", partitions)? / count,
        size("pg_indexes_size(oid)", partitions)? / count,
    );
    let whole = |table: &str| -> Result<f64> {
        Ok(size(
            "pg_total_relation_size(oid)",
            &format!("oid = to_regclass('{table}')"),
        )? / count)
    };
    let counts = whole("logwatch.minutes")? + whole("logwatch_private.rolled")?;
    let others = whole("logwatch.batches")?
        + whole("logwatch.patterns")?
        + whole("logwatch.arrivals")?
        + whole("logwatch_private.matches")?;
    let plain = number(server, "SELECT pg_total_relation_size('plain')")? / count;
    server.sql("DROP TABLE plain")?;
    let all = heap + indexes + counts + others;
    table.ratio(
        &format!("bytes on disk per entry, {name}"),
        &format!("{all:.0}: entries {heap:.0}, their index {indexes:.0}, counts {counts:.0}, batches and patterns {others:.0}"),
        &format!("plain table, one index: {plain:.0}"),
        all / plain,
        if name == "spread" {
            Contract::AtMost(1.3)
        } else {
            Contract::None
        },
    );
    Ok(())
}
