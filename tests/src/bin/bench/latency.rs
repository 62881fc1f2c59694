//! From a line in a log to the end of the mail's DATA at the mail server.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_for;

use crate::input;
use crate::measure::{ms, percentile};
use crate::others;
use crate::table::{Contract, Table};

const LIMIT: Duration = Duration::from_secs(30);

/// Lines so far apart that each finds all parts at rest; the pause is no multiple of any timer.
fn pause(number: usize) -> Duration {
    Duration::from_millis(170 + (number as u64 * 37) % 101)
}

pub fn run(table: &mut Table) -> Result<()> {
    let samples = usize::try_from(input::size("BENCH_MAILS", 100)?)?;
    let mut ours = logwatch(samples)?;
    let (p50, p99) = (percentile(&mut ours, 0.5), percentile(&mut ours, 0.99));
    let beside = [
        compared(
            "Prometheus + Alertmanager + mtail",
            "prometheus.sh",
            &["prometheus", "prometheus-alertmanager", "mtail"],
            5,
        ),
        compared("SEC + curl", "sec.sh", &["sec", "curl"], 20),
    ];
    table.value(
        "line written to end of DATA, p50",
        p50,
        "ms",
        &beside.join(", "),
        Contract::AtMost(25.0),
    );
    table.value(
        "line written to end of DATA, p99",
        p99,
        "ms",
        "–",
        Contract::AtMost(100.0),
    );
    Ok(())
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

/// Times in milliseconds. Each line is a message of its own, with a rule and a recipient of its own: what repeats is not mailed again.
fn logwatch(samples: usize) -> Result<Vec<f64>> {
    let directory = tempfile::tempdir()?;
    let sink = MailSink::plain()?;
    let url = sink.url();
    let server = input::server(&[
        ("logwatch.smtp_url", &url),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql("UPDATE logwatch.rules SET enabled = false")?;
    for number in 0..samples {
        let word = word(number);
        server.sql(&format!(
            "INSERT INTO logwatch.rules (name, match, recipients) VALUES ('{word}', '{word}', '{{{word}@example.com}}')"
        ))?;
    }
    let log = directory.path().join("app.log");
    let mut file = OpenOptions::new().create(true).append(true).open(&log)?;
    let _tailer = Tailer::start(&server, &["--source", "bench", &log.display().to_string()])?;
    server.wait_for_sql(LIMIT, "SELECT count(*) FROM logwatch.sources", "1")?;
    let mut times = Vec::new();
    for number in 0..samples {
        std::thread::sleep(pause(number));
        let word = word(number);
        let line =
            format!("2000-01-01 00:00:00 ERROR the {word} broke\n").replace("2000-01-01 00:00:00 ", "");
        let began = SystemTime::now();
        file.write_all(line.as_bytes())?;
        let recipient = format!("{word}@example.com");
        let arrived = wait_for(LIMIT, "the mail", || {
            Ok(sink
                .mails()
                .iter()
                .find(|mail| mail.to.contains(&recipient))
                .map(|mail| mail.at))
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
    let mut times = Vec::new();
    // The first line only shows that it runs.
    for number in 0..=samples {
        let began = SystemTime::now();
        file.write_all(format!("ERROR the {} broke\n", word(number)).as_bytes())?;
        let before = number;
        let arrived = wait_for(LIMIT, "the mail", || {
            Ok(sink.mails().get(before).map(|mail| mail.at))
        })?;
        if number > 0 {
            times.push(ms(arrived
                .duration_since(began)
                .context("the clock went back")?));
        }
        std::thread::sleep(pause(number));
    }
    Ok(times)
}
