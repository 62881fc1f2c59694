//! From a line in a log to the end of the mail's DATA at the mail server.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_for;

use crate::edition::Edition;
use crate::input;
use crate::measure::{ms, percentile};
use crate::others;
use crate::table::{Contract, Table, in_unit};

const LIMIT: Duration = Duration::from_secs(30);

/// Lines so far apart that each finds all parts at rest; the pause is no multiple of any timer.
fn pause(number: usize) -> Duration {
    Duration::from_millis(170 + (number as u64 * 37) % 101)
}

pub fn run(table: &mut Table) -> Result<()> {
    let samples = usize::try_from(input::size("BENCH_MAILS", 100)?)?;
    let mut ours = logwatch(&Edition::now()?, samples)?;
    let (p50, p99) = (percentile(&mut ours, 0.5), percentile(&mut ours, 0.99));
    let mut first = match Edition::first()? {
        Some(first) => logwatch(first, samples)?,
        None => Vec::new(),
    };
    let beside = [
        compared(
            "Prometheus + Alertmanager + mtail",
            "prometheus.sh",
            &["prometheus", "prometheus-alertmanager", "mtail"],
            5,
        ),
        compared("SEC + curl", "sec.sh", &["sec", "curl"], 20),
    ];
    let fsync = fsync()?;
    let added = table.value(
        "line written to end of DATA, p50",
        p50,
        "ms",
        &beside.join(", "),
        Contract::AtMost(((10.0 + 2.0 * fsync) * 10.0).round() / 10.0),
    );
    if !first.is_empty() {
        added.first(&in_unit(percentile(&mut first, 0.5), "ms"));
    }
    let added = table.ratio(
        "line written to end of DATA, p99",
        &format!("{p99:.1} ms"),
        &format!("p50; an fdatasync takes {fsync:.2} ms by pg_test_fsync"),
        p99 / p50,
        Contract::AtMost(3.0),
    );
    if !first.is_empty() {
        added.first(&in_unit(percentile(&mut first, 0.99), "ms"));
    }
    Ok(())
}

/// Milliseconds of an fdatasync of 8 kB on the disk that the servers are on.
fn fsync() -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let program = programs::pg_config()?.with_file_name("pg_test_fsync");
    let output = Command::new(&program)
        .args(["-s", "1", "-f"])
        .arg(directory.path().join("fsync"))
        .output()
        .with_context(|| program.display().to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let micros = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("fdatasync ")?.split_whitespace().nth(2))
        .context("pg_test_fsync printed no fdatasync")?;
    Ok(micros.parse::<f64>()? / 1000.0)
}

/// Words that no mask hides, one for each sample.
fn word(number: usize) -> String {
    let letter = |n: usize| char::from(b'k' + (n % 10) as u8);
    [number / 100, number / 10, number]
        .map(letter)
        .iter()
        .collect::<String>()
        + "zone"
}

fn logwatch(edition: &Edition, samples: usize) -> Result<Vec<f64>> {
    let sink = MailSink::pipelining()?;
    let server = mailing_server(edition, &sink)?;
    server.sql("UPDATE logwatch.rules SET enabled = false")?;
    add_rules(&server, samples)?;
    mails(edition, samples, &server, &sink)
}

/// A server of an edition that sends mail to the sink.
pub fn mailing_server(edition: &Edition, sink: &MailSink) -> Result<Server> {
    edition.server_with_worker(&[
        ("logwatch.smtp_url", &sink.url()),
        ("logwatch.email_to", "ops@example.com"),
    ])
}

/// Adds a rule with a recipient of its own for each line of `mails()`: what repeats is not mailed
/// again.
pub fn add_rules(server: &Server, samples: usize) -> Result<()> {
    for number in 0..samples {
        let word = word(number);
        server.sql(&format!(
            "INSERT INTO logwatch.rules (name, match, recipients) VALUES ('{word}', '{word}', '{{{word}@example.com}}')"
        ))?;
    }
    Ok(())
}

/// Times in milliseconds from a line that a tailer sends to `reading` to the mail that the sink
/// receives. Each line is a message of its own.
pub fn mails(edition: &Edition, samples: usize, reading: &Server, sink: &MailSink) -> Result<Vec<f64>> {
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("app.log");
    let mut file = OpenOptions::new().create(true).append(true).open(&log)?;
    let _tailer = edition.start_tailer(reading, &["--source", "bench", &log.display().to_string()])?;
    reading.wait_for_sql(
        LIMIT,
        "SELECT count(*) FROM logwatch.sources WHERE name = 'bench'",
        "1",
    )?;
    let mut times = Vec::new();
    for number in 0..samples {
        std::thread::sleep(pause(number));
        let word = word(number);
        let began = SystemTime::now();
        file.write_all(format!("ERROR the {word} broke\n").as_bytes())?;
        let recipient = format!("{word}@example.com");
        let arrived = wait_for(LIMIT, "the mail", || {
            Ok(sink.mail_to(&recipient).map(|mail| mail.at))
        })?;
        times.push(ms(arrived
            .duration_since(began)
            .context("the clock went back")?));
    }
    Ok(times)
}

/// The median of another program's times, in words.
fn compared(name: &str, script: &str, needs: &[&str], samples: usize) -> String {
    if let Some(missing) = needs.iter().find(|program| !others::installed(program)) {
        return format!("{name}: {missing} is not installed");
    }
    match other(script, samples) {
        Ok(mut times) => format!("{name}: {:.0} ms", percentile(&mut times, 0.5)),
        Err(error) => format!("{name}: {error:#}"),
    }
}

fn other(script: &str, samples: usize) -> Result<Vec<f64>> {
    let directory = tempfile::tempdir()?;
    let sink = MailSink::plain()?;
    let log = directory.path().join("app.log");
    let mut file = OpenOptions::new().create(true).append(true).open(&log)?;
    let mut command = others::script(script, directory.path());
    command.arg(&log).arg(sink.port().to_string());
    let _programs = others::start(command)?;
    // Lines until one is seen: the programs may begin at the end of the file.
    let mut number = 0;
    let mut write = |file: &mut std::fs::File| -> Result<SystemTime> {
        number += 1;
        let began = SystemTime::now();
        file.write_all(format!("ERROR the {} broke\n", word(number)).as_bytes())?;
        Ok(began)
    };
    let mut last = SystemTime::UNIX_EPOCH;
    wait_for(LIMIT, "the first mail", || {
        if last.elapsed().is_ok_and(|age| age > Duration::from_secs(2)) {
            last = write(&mut file)?;
        }
        Ok((!sink.mails().is_empty()).then_some(()))
    })?;
    std::thread::sleep(Duration::from_secs(4));
    let mut times = Vec::new();
    for sample in 0..samples {
        let known = sink.mails().len();
        let began = write(&mut file)?;
        let arrived = wait_for(LIMIT, "the mail", || {
            Ok(sink.mails().get(known).map(|mail| mail.at))
        })?;
        times.push(ms(arrived
            .duration_since(began)
            .context("the clock went back")?));
        std::thread::sleep(pause(sample));
    }
    Ok(times)
}
