//! From a file to committed rows, beside COPY of the same rows, rsyslog and a shell loop; and what
//! the rows take on disk.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;

use crate::input::{self, settle};
use crate::measure::short;
use crate::others;
use crate::table::{Contract, Table};

const ROUNDS: usize = 2;
const COLUMNS: &str = "source_id, received_at, logged_at, level, fingerprint, message, detail, fields, flags";
/// COPY as it is mostly used; it is also given as many rows in each transaction as the tailer's
/// largest batch had.
const COPY_BATCH: usize = 1000;
/// How many lines the slow ones are given.
const RSYSLOG_LINES: usize = 20_000;
const SHELL_LINES: usize = 100;

pub fn run(table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let records = input::size("BENCH_RECORDS", 1_000_000)?;
    // With as many bursts as fit some three in five records are errors.
    let path = input::log(directory.path(), "errors.log", records * 5 / 3, 1.0, None)?;
    let file = path.display().to_string();
    let server = input::server(&[])?;
    let (mut ours, mut copy) = (vec![], vec![]);
    let mut rows = String::new();
    let (mut count, mut batch) = (0.0, 1000);
    for _ in 0..ROUNDS {
        forget(&server)?;
        let started = Instant::now();
        Tailer::once(&server, &["--source", "bench", &file])?;
        ours.push(started.elapsed());
        count = number(&server, "SELECT count(*) FROM logwatch.entries")?;
        batch = number(
            &server,
            "SELECT max(n) FROM (SELECT count(*) AS n FROM logwatch.entries GROUP BY received_at, source_id) AS b",
        )? as usize;
        if rows.is_empty() {
            storage(table, &server, count)?;
            rows = dump(&server)?;
        }
        forget(&server)?;
        copy.push(copy_rows(&server, &rows, batch)?);
    }
    forget(&server)?;
    let copy_small = copy_rows(&server, &rows, COPY_BATCH)?;
    let rate = |times: &[Duration]| {
        let best = times.iter().min().copied().unwrap_or_default();
        count / best.as_secs_f64()
    };
    let (ours, copy, copy_small) = (rate(&ours), rate(&copy), rate(&[copy_small]));
    table.ratio(
        &format!("file to rows, {} error records, default rules on", short(count)),
        &format!("{} rows/s", short(ours)),
        &format!("COPY, {batch} rows each: {} rows/s", short(copy)),
        ours / copy,
        Contract::AtLeast(0.8),
    );
    table.ratio(
        "the same beside COPY in smaller transactions",
        &format!("{} rows/s", short(ours)),
        &format!("COPY, {COPY_BATCH} rows each: {} rows/s", short(copy_small)),
        ours / copy_small,
        Contract::None,
    );
    rsyslog(table, &server, directory.path(), &file, ours)?;
    shell(table, &server, directory.path(), &file, ours)
}

fn number(server: &Server, query: &str) -> Result<f64> {
    server
        .sql(query)?
        .parse()
        .with_context(|| format!("no number: {query}"))
}

/// Takes the server back to before the first record.
fn forget(server: &Server) -> Result<()> {
    server.sql(
        "TRUNCATE logwatch.entries, logwatch.minutes, logwatch.batches, logwatch.patterns, logwatch.files, logwatch.alerts, logwatch.notifications",
    )?;
    settle(server)
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

/// The same rows into the same table, so many in each transaction.
fn copy_rows(server: &Server, rows: &str, batch: usize) -> Result<Duration> {
    let mut client = server.client()?;
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

fn storage(table: &mut Table, server: &Server, count: f64) -> Result<()> {
    server.sql(
        "CREATE TABLE plain AS SELECT logged_at, 'bench'::text AS host, level::text AS level, message, detail FROM logwatch.entries;
         CREATE INDEX ON plain (logged_at);",
    )?;
    let entries = number(
        server,
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'logwatch.entries'::regclass",
    )? / count;
    let beside = number(
        server,
        "SELECT pg_total_relation_size('logwatch.minutes') + pg_total_relation_size('logwatch.patterns') + pg_total_relation_size('logwatch.batches')",
    )? / count;
    let plain = number(server, "SELECT pg_total_relation_size('plain')")? / count;
    server.sql("DROP TABLE plain")?;
    table.ratio(
        "bytes on disk per entry",
        &format!("{entries:.0} + {beside:.0} for counts"),
        &format!("plain table, one index: {plain:.0}"),
        (entries + beside) / plain,
        Contract::None,
    );
    Ok(())
}

/// The first lines of a file, in a file of their own.
fn head(directory: &std::path::Path, file: &str, lines: usize) -> Result<String> {
    use std::io::{BufRead, BufReader};
    let text: Vec<String> = BufReader::new(std::fs::File::open(file)?)
        .lines()
        .take(lines)
        .collect::<std::io::Result<_>>()?;
    let path = directory.join(format!("head-{lines}.log"));
    std::fs::write(&path, text.join("\n") + "\n")?;
    Ok(path.display().to_string())
}

fn rsyslog(
    table: &mut Table,
    server: &Server,
    directory: &std::path::Path,
    file: &str,
    ours: f64,
) -> Result<()> {
    let what = "file to rows: × rsyslog imfile + ompgsql";
    if !others::installed("rsyslogd")
        || !std::path::Path::new("/usr/lib/x86_64-linux-gnu/rsyslog/ompgsql.so").is_file()
    {
        table.skipped(what, "rsyslog or rsyslog-pgsql is not installed");
        return Ok(());
    }
    server.sql("CREATE TABLE syslog (received_at timestamptz DEFAULT now(), message text)")?;
    let mut command = others::script("rsyslog.sh", directory);
    command
        .arg(head(directory, file, RSYSLOG_LINES)?)
        .envs(server.env());
    let started = Instant::now();
    let mut daemon = others::start(command)?;
    let expected = RSYSLOG_LINES.to_string();
    let waited = wait_until(Duration::from_secs(120), "rsyslog's rows", || {
        Ok(server.sql("SELECT count(*) FROM syslog")? == expected)
    });
    let rate = RSYSLOG_LINES as f64 / started.elapsed().as_secs_f64();
    daemon.stop(libc::SIGTERM, Duration::from_secs(20))?;
    waited?;
    table.ratio(
        what,
        &format!("{} rows/s", short(ours)),
        &format!("{} rows/s", short(rate)),
        ours / rate,
        Contract::AtLeast(20.0),
    );
    Ok(())
}

fn shell(
    table: &mut Table,
    server: &Server,
    directory: &std::path::Path,
    file: &str,
    ours: f64,
) -> Result<()> {
    server.sql("CREATE TABLE shell (received_at timestamptz DEFAULT now(), message text)")?;
    let mut command = others::script("psql_loop.sh", directory);
    command
        .arg(head(directory, file, SHELL_LINES)?)
        .envs(server.env());
    let started = Instant::now();
    others::start(command)?.wait(Duration::from_secs(120))?;
    let rows = number(server, "SELECT count(*) FROM shell")?;
    let rate = rows / started.elapsed().as_secs_f64();
    table.ratio(
        "file to rows: × a shell loop with one psql per line",
        &format!("{} rows/s", short(ours)),
        &format!("{} rows/s", short(rate)),
        ours / rate,
        Contract::None,
    );
    Ok(())
}
