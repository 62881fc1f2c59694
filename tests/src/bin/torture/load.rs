//! The load: many tailers in bursts, many sources, many patterns, many rules, for minutes; and what
//! that does to time, memory, locks, autovacuum and disk.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use fastrand::Rng;
use jiff::Timestamp;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::{wait_for, wait_until};

use crate::gauges::Gauges;

const TAILERS: usize = 20;
/// The other sources are applications that log by SQL.
const SOURCES: usize = 100;
const PATTERNS: u64 = 100_000;
const RULES: usize = 1000;
/// The number of rules whose condition holds at times; that of the others never holds.
const FIRING: usize = 20;

/// Time between two lines whose mails are waited for. Each has a rule and a recipient of its own.
const BETWEEN_PROBES: Duration = Duration::from_secs(10);
/// Time between two looks at the last check.
const LOOK: Duration = Duration::from_millis(25);

/// Records in a burst, and the pause after it. Together some 700 records a second from files and
/// 200 by SQL.
const BURST: usize = 100;
const BETWEEN_BURSTS: std::ops::Range<u64> = 1000..5000;
const LINES_PER_CALL: usize = 10;

/// How many records are stored, as the batches tell: those that were checked are added up.
pub const STORED: &str = "SELECT (SELECT coalesce(sum(n), 0) FROM logwatch.batches) + (SELECT coalesce(sum(n), 0) FROM logwatch.arrivals)";

/// After the writers have stopped, what is behind must come in within this time.
const CATCH_UP: Duration = Duration::from_secs(180);
/// A mail that takes longer is lost.
const LONGEST_MAIL: Duration = Duration::from_secs(120);

/// Runs the load for `minutes` and prints what it did. True when everything stayed within its
/// bounds.
pub fn run(minutes: u64) -> Result<bool> {
    let mail = MailSink::pipelining()?;
    let probes = usize::try_from(60 * minutes / BETWEEN_PROBES.as_secs())?;
    let url = mail.url();
    let server = Server::with_worker(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
        ("logwatch.mails_per_hour", "10000"),
        ("max_connections", "200"),
        // PostgreSQL's own word on every lock that somebody waits for longer than this.
        ("log_lock_waits", "on"),
        ("deadlock_timeout", "1s"),
        // So that minutes are enough to see whether autovacuum keeps up.
        ("autovacuum_naptime", "10s"),
    ])?;
    insert_rules(&server, probes)?;
    let dir = tempfile::Builder::new().prefix("logwatch-load-").tempdir()?;
    let file = |n: usize| dir.path().join(format!("app{n}.log"));
    let tailers = (0..TAILERS)
        .map(|n| {
            File::create(file(n))?;
            let file = file(n).display().to_string();
            Tailer::start(&server, &["--tz", "UTC", "--source", &format!("load{n}"), &file])
        })
        .collect::<Result<Vec<_>>>()?;

    let time = Duration::from_secs(60 * minutes);
    let written = AtomicU64::new(0);
    let (over, started) = (AtomicBool::new(false), Instant::now());
    let mut gauges = Gauges::new(&server, &tailers);
    let (checks, mails) = std::thread::scope(|scope| -> Result<_> {
        let (over, written, server) = (&over, &written, &server);
        let (mail, first) = (&mail, file(0));
        let checks = scope.spawn(move || times_of_checks(server, over));
        let mails = scope.spawn(move || times_to_mail(&first, mail, probes, written, over));
        let mut writers = Vec::new();
        for n in 0..TAILERS {
            let path = file(n);
            writers.push(scope.spawn(move || write_bursts(&path, Rng::with_seed(n as u64), written, over)));
        }
        for n in TAILERS..SOURCES {
            writers.push(scope.spawn(move || call_in_bursts(server, n, written, over)));
        }
        let gauged = gauges.read_until(started + time);
        over.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().expect("a writer does not panic")?;
        }
        gauged?;
        let checks = checks.join().expect("the looker does not panic")?;
        Ok((checks, mails.join().expect("the prober does not panic")?))
    })?;
    let written = written.load(Ordering::Relaxed);
    let stopped = Instant::now();
    wait_until(CATCH_UP, &format!("all {written} records"), || {
        Ok(server.sql(STORED)?.parse::<u64>()? >= written)
    })
    .with_context(|| format!("{} are stored", server.sql(STORED).unwrap_or_default()))?;
    let behind = stopped.elapsed();
    let exact = server.sql("SELECT count(*) || ' ' || count(DISTINCT message) FROM logwatch.entries")?;
    let report = gauges.report(written, behind, checks, mails)?;
    println!("{report}");
    for fault in report.faults() {
        println!("{fault}");
    }
    let mut good = report.faults().is_empty();
    if exact != format!("{written} {written}") {
        println!("{written} records were written, stored (and different ones): {exact}");
        good = false;
    }
    let firing = server.sql("SELECT count(*) FROM logwatch.alerts WHERE rule LIKE 'met %'")?;
    if firing != FIRING.to_string() {
        println!("{firing} alerts of the {FIRING} rules that are met");
        good = false;
    }
    Ok(good)
}

/// Most rules look at one source each, a tenth at the text as well.
fn insert_rules(server: &Server, probes: usize) -> Result<()> {
    server.sql("UPDATE logwatch.rules SET enabled = false")?;
    server.sql(&format!(
        "INSERT INTO logwatch.rules (name, source, threshold, match, channels) \
         SELECT 'quiet ' || n, 'load' || n % {SOURCES}, 100000000, CASE WHEN n % 10 = 0 THEN 'never written' END, '{{log}}' \
           FROM generate_series(1, {RULES} - {FIRING}) AS n; \
         INSERT INTO logwatch.rules (name, source, channels) \
         SELECT 'met ' || n, 'load' || n, '{{log}}' FROM generate_series(0, {FIRING} - 1) AS n"
    ))?;
    for probe in 0..probes {
        let word = word(probe as u64);
        server.sql(&format!(
            "INSERT INTO logwatch.rules (name, match, channels, recipients) \
             VALUES ('probe {word}', 'probe {word}', '{{email}}', '{{{word}@example.com}}')"
        ))?;
    }
    Ok(())
}

/// Reads how long each check took, in milliseconds, as long as the load lasts.
fn times_of_checks(server: &Server, over: &AtomicBool) -> Result<Vec<f64>> {
    let mut client = server.client()?;
    let (mut times, mut last) = (Vec::new(), String::new());
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        let row = client.query_one(
            "SELECT checked_at::text, 1000 * extract(epoch FROM took)::float8 FROM logwatch.progress",
            &[],
        )?;
        let at: String = row.get(0);
        if let Some(took) = row.get::<_, Option<f64>>(1).filter(|_| at != last) {
            times.push(took);
            last = at;
        }
    }
    Ok(times)
}

/// Writes lines for which a rule waits; returns the milliseconds from each to its mail.
fn times_to_mail(
    path: &Path,
    sink: &MailSink,
    probes: usize,
    written: &AtomicU64,
    over: &AtomicBool,
) -> Result<Vec<f64>> {
    let mut file = File::options().append(true).open(path)?;
    let mut times = Vec::new();
    let mut next = Instant::now();
    for probe in 0..probes {
        next += BETWEEN_PROBES;
        while Instant::now() < next && !over.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        if over.load(Ordering::Relaxed) {
            break;
        }
        let (word, number) = (word(probe as u64), written.fetch_add(1, Ordering::Relaxed));
        let began = SystemTime::now();
        let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S%.3f");
        file.write_all(format!("{now} ERROR probe {word} failed for order {number}\n").as_bytes())?;
        let recipient = format!("{word}@example.com");
        let arrived = wait_for(LONGEST_MAIL, &format!("the mail about {word}"), || {
            Ok(sink.mail_to(&recipient).map(|mail| mail.at))
        })?;
        times.push(arrived.duration_since(began)?.as_secs_f64() * 1000.0);
    }
    Ok(times)
}

/// Five letters that no hexadecimal number could have: those are masked.
fn word(mut number: u64) -> String {
    let mut word = String::new();
    for _ in 0..5 {
        let letter = u8::try_from(number % 20).unwrap_or_default();
        word.push(char::from(b'g' + letter));
        number /= 20;
    }
    word
}

/// A line of one of the patterns; no two lines are the same.
fn line(random: &mut Rng, number: u64) -> String {
    // The first hundred thousand records have a pattern each, the later ones any of them.
    let pattern = if number < PATTERNS {
        number
    } else {
        random.u64(..PATTERNS)
    };
    format!(
        "{} ERROR module {} failed for order {number}",
        Timestamp::now().strftime("%Y-%m-%d %H:%M:%S%.3f"),
        word(pattern)
    )
}

fn pause(random: &mut Rng, over: &AtomicBool) {
    let until = Instant::now() + Duration::from_millis(random.u64(BETWEEN_BURSTS));
    while Instant::now() < until && !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn write_bursts(path: &Path, mut random: Rng, written: &AtomicU64, over: &AtomicBool) -> Result<()> {
    let mut file = File::options().append(true).open(path)?;
    while !over.load(Ordering::Relaxed) {
        let count = random.usize(1..=2 * BURST);
        let first = written.fetch_add(count as u64, Ordering::Relaxed);
        let mut lines = String::new();
        for number in first..first + count as u64 {
            writeln!(lines, "{}", line(&mut random, number))?;
        }
        file.write_all(lines.as_bytes())?;
        pause(&mut random, over);
    }
    Ok(())
}

fn call_in_bursts(server: &Server, n: usize, written: &AtomicU64, over: &AtomicBool) -> Result<()> {
    let mut random = Rng::with_seed(n as u64);
    let mut client = server.client()?;
    let source = format!("load{n}");
    while !over.load(Ordering::Relaxed) {
        let count = random.usize(1..=LINES_PER_CALL);
        let first = written.fetch_add(count as u64, Ordering::Relaxed);
        let lines: Vec<String> = (first..first + count as u64)
            .map(|number| line(&mut random, number))
            .collect();
        client.execute("SELECT logwatch_ingest($1::text[], $2)", &[&lines, &source])?;
        pause(&mut random, over);
    }
    Ok(())
}

/// Returns the anonymous memory of a process in bytes.
pub fn anonymous_memory(pid: i32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .context("no RssAnon in /proc/PID/status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
