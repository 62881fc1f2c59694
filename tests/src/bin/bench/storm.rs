//! The cost of a check where much comes: the cookbook's rule for each host with many hosts and
//! patterns, and a storm of records under a thousand rules. The first edition runs beside.
//!
//! A thread checks as the worker does, 50 ms after the last check or as long after it as that took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::manuals;
use logwatch_tests::server::Server;

use crate::edition::Edition;
use crate::input;
use crate::latency;
use crate::measure::{ms, percentile};
use crate::table::{Contract, Table, in_unit};

const SOURCES: u64 = 100;
const PATTERNS: u64 = 100_000;
const RULES: &str = "
    INSERT INTO logwatch.rules (name, source, threshold, match, group_by, kind, within, channels)
    SELECT 'rule ' || n, CASE WHEN n <= 180 THEN '*' ELSE 'load' || n % 100 END, CASE WHEN n BETWEEN 51 AND 150 THEN 1000 WHEN n % 50 = 0 THEN 20 ELSE 100000000 END,
           CASE WHEN n <= 50 THEN 'module ([a-m]+|x' || n || ')[n-z]* failed' END,
           CASE WHEN n BETWEEN 51 AND 150 THEN 'pattern' WHEN n = 1000 THEN 'source' ELSE 'none' END,
           CASE WHEN n BETWEEN 151 AND 170 THEN 'new_pattern' WHEN n BETWEEN 171 AND 180 THEN 'spike' ELSE 'threshold' END,
           make_interval(secs => 240 + n % 60), '{log}'
      FROM generate_series(1, 1000) AS n";
/// Records a second.
const RATE: u64 = 800;
const PER_CALL: u64 = 8;
/// Lines whose mails are waited for.
const MAILS: usize = 100;

/// Milliseconds.
struct Checks {
    p50: f64,
    p99: f64,
    longest: f64,
    /// When the longest check began, in seconds.
    longest_at: f64,
}

pub fn run(table: &mut Table) -> Result<()> {
    let (now, first) = (Edition::now()?, Edition::first()?);
    if first.is_none() {
        table.skipped("the first edition", "its commit is not in this clone");
    }
    for (hosts, patterns) in [(100, 500), (300, 500), (500, 500)] {
        let ours = host_rule(&now.server(&[])?, hosts, patterns)?;
        // Its checks take minutes where there are more.
        let theirs = match first {
            Some(first) if hosts <= 300 => Some(host_rule(&first.server(&[])?, hosts, patterns)?),
            _ => None,
        };
        for (what, number, limit) in [("first check of a new rule", 0, 1000.0), ("check", 1, 100.0)] {
            let added = table.value(
                &format!("{what} for each host, {hosts} hosts × {patterns} patterns"),
                ours[number],
                "ms",
                "–",
                Contract::AtMost(limit),
            );
            if let Some(theirs) = theirs {
                added.first(&in_unit(theirs[number], "ms"));
            }
        }
    }
    let time = Duration::from_secs(input::size("BENCH_STORM_SECONDS", 600)?);
    let ours = storm(&now.server(&[])?, time)?;
    // Its checks do not end where the storm is long; a tenth of it shows that.
    let theirs = match first {
        Some(first) => Some(storm(&first.server(&[])?, time / 10)?),
        None => None,
    };
    let began = format!("began {:.0} s into the storm", ours.longest_at);
    for (what, read, beside, contract) in [
        (
            "p50",
            (|checks: &Checks| checks.p50) as fn(&Checks) -> f64,
            "–",
            Contract::None,
        ),
        ("p99", |checks| checks.p99, "–", Contract::AtMost(100.0)),
        ("the longest", |checks| checks.longest, &*began, Contract::None),
    ] {
        let added = table.value(
            &format!("check in a storm, 1 000 rules, 100 k patterns, 800 records/s: {what}"),
            read(&ours),
            "ms",
            beside,
            contract,
        );
        if let Some(theirs) = &theirs {
            added.first(&in_unit(read(theirs), "ms"));
        }
    }
    let cookbook = manuals::block_with("Anything fatal, at once")?;
    let mut mails = line_to_mail(&now, &cookbook, time / 5, MAILS)?;
    // Its checks may be so slow that no mail comes in time.
    let mut first_mails = first.map(|first| line_to_mail(first, "", time / 10, MAILS / 10));
    for (name, part, contract) in [
        ("p50", 0.5, Contract::None),
        ("p99", 0.99, Contract::AtMost(300.0)),
    ] {
        let added = table.value(
            &format!("line to mail in this storm, with the cookbook's rules, {name}"),
            percentile(&mut mails, part),
            "ms",
            "–",
            contract,
        );
        if let Some(times) = &mut first_mails {
            added.first_measured(
                times
                    .as_mut()
                    .map(|times| percentile(times, part))
                    .map_err(|why| &*why),
                "ms",
            );
        }
    }
    Ok(())
}

/// Milliseconds from a line to its mail while such records come, with more rules. The windows fill
/// first.
fn line_to_mail(edition: &Edition, rules: &str, time: Duration, samples: usize) -> Result<Vec<f64>> {
    let sink = MailSink::pipelining()?;
    let server = latency::mailing_server(edition, &sink)?;
    server.sql(RULES)?;
    server.sql(rules)?;
    latency::add_rules(&server, samples)?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&server, &over));
        std::thread::sleep(time);
        let times = latency::mails(edition, samples, &server, &sink);
        over.store(true, Ordering::Relaxed);
        writer
            .join()
            .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        times
    })
}

/// The first check of the cookbook's rule for each host, and the median of those that follow a new
/// record.
fn host_rule(server: &Server, hosts: u64, patterns: u64) -> Result<[f64; 2]> {
    let mut client = server.client()?;
    for host in 0..hosts {
        client.execute(
            "SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(secs => n % 240), 'YYYY-MM-DD HH24:MI:SSTZH:TZM') || ' ERROR module '
                                              || chr((103 + n / 400 % 20)::integer) || chr((103 + n / 20 % 20)::integer) || chr((103 + n % 20)::integer) || ' failed'), $1)
               FROM generate_series(0, $2::bigint - 1) AS n",
            &[&format!("host-{host}"), &patterns.cast_signed()],
        )?;
    }
    let mut check = || -> Result<f64> {
        let started = Instant::now();
        client.batch_execute("SELECT * FROM logwatch_check()")?;
        Ok(ms(started.elapsed()))
    };
    check()?;
    check()?;
    server.sql("VACUUM ANALYZE")?;
    server.sql("INSERT INTO logwatch.rules (name, group_by, threshold, within) VALUES ('each host', 'source', 20, '10 minutes')")?;
    let first = check()?;
    let mut times = Vec::new();
    for _ in 0..5 {
        server.sql("SELECT logwatch_ingest('ERROR one more', 'host-1')")?;
        times.push(check()?);
    }
    Ok([first, percentile(&mut times, 0.5)])
}

/// Checks while records come, for this long.
fn storm(server: &Server, time: Duration) -> Result<Checks> {
    server.sql(RULES)?;
    let over = AtomicBool::new(false);
    let (mut times, mut longest, mut longest_at) = (Vec::new(), 0.0, 0.0);
    std::thread::scope(|scope| -> Result<()> {
        let writer = scope.spawn(|| write(server, &over));
        let mut client = server.client()?;
        let started = Instant::now();
        let mut checked = || -> Result<()> {
            while started.elapsed() < time {
                let began = Instant::now();
                client.batch_execute("SELECT * FROM logwatch_check()")?;
                let took = began.elapsed();
                times.push(ms(took));
                if ms(took) > longest {
                    (longest, longest_at) = (ms(took), (began - started).as_secs_f64());
                }
                std::thread::sleep(took.max(Duration::from_millis(50)).min(Duration::from_secs(10)));
            }
            Ok(())
        };
        let result = checked();
        over.store(true, Ordering::Relaxed);
        writer
            .join()
            .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        result
    })?;
    Ok(Checks {
        p50: percentile(&mut times, 0.5),
        p99: percentile(&mut times, 0.99),
        longest,
        longest_at,
    })
}

/// Writes records of many patterns under many sources, so many a second.
fn write(server: &Server, over: &AtomicBool) -> Result<()> {
    let mut client = server.client()?;
    let statement = client
        .prepare("SELECT logwatch_ingest($1::text[], $2)")
        .context("prepare")?;
    let mut random = fastrand::Rng::with_seed(7);
    let started = Instant::now();
    let mut calls = 0;
    while !over.load(Ordering::Relaxed) {
        let due = Duration::from_micros(calls * PER_CALL * 1_000_000 / RATE);
        if let Some(early) = due.checked_sub(started.elapsed()) {
            std::thread::sleep(early);
        }
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let lines: Vec<String> = (0..PER_CALL)
            .map(|_| format!("{now} ERROR module {} failed", word(random.u64(..PATTERNS))))
            .collect();
        client.execute(&statement, &[&lines, &format!("load{}", random.u64(..SOURCES))])?;
        calls += 1;
    }
    Ok(())
}

/// Letters that no mask hides, others for each pattern.
fn word(mut pattern: u64) -> String {
    (0..5)
        .map(|_| {
            let letter = u8::try_from(pattern % 20).unwrap_or_default();
            pattern /= 20;
            char::from(b'g' + letter)
        })
        .collect()
}
