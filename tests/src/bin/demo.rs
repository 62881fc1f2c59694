//! The whole job before your eyes, in half a minute: a throw-away server, a mail sink, a log
//! generator and the tailer; then the log, the status before, during and after, the alerts, the
//! mails and the alert file. Stops everything that it started.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::{Mail, MailSink};
use logwatch_tests::programs;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::tailer::{Tailer, generate};
use logwatch_tests::wait::{interrupt, wait_for};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long any step may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match Signals::new([SIGINT, SIGTERM, SIGHUP]) {
        Ok(mut signals) => {
            // Every wait then fails, and the way out of main stops what runs.
            std::thread::spawn(move || signals.forever().for_each(|_| interrupt()));
        }
        Err(error) => eprintln!("demo: signals are not handled: {error}"),
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let started = Instant::now();
    let step = |text: &str| println!("[{:4.1} s] {text}", started.elapsed().as_secs_f32());
    let dir = DemoDir::new()?;

    step("starting a throw-away PostgreSQL and a mail sink");
    let sink = MailSink::plain()?;
    let url = sink.url();
    let mut server = Server::create_in(&dir.0, &[("shared_preload_libraries", "logwatch")])?;
    let alert_file = server.dir().join("alerts.txt");
    server.set(&[
        ("logwatch.check_interval", "1s"),
        ("logwatch.smtp_url", &url),
        ("logwatch.email_from", "logwatch@example.com"),
        ("logwatch.email_to", "ops@example.com"),
        ("logwatch.alert_file", &alert_file.display().to_string()),
    ])?;
    server.start_with_extension()?;
    // The built-in rules count over five minutes. Nobody wants to wait that long for RESOLVED here.
    server.sql("UPDATE logwatch.rules SET within = '5 seconds', keep_firing_for = '2 seconds'")?;

    step("starting the tailer on app.log");
    let log = dir.0.join("app.log");
    fs::write(&log, "")?;
    let mut tailer = Tailer::start(&server, &["--source", "shop", &log.display().to_string()])?;
    wait_for(LIMIT, "the tailer to attach", || {
        Ok((server.sql("SELECT count(*) FROM logwatch.sources")? == "1").then_some(()))
    })
    .with_context(|| tailer.output())?;
    let status = || server.psql("SELECT * FROM logwatch_status()");
    let before = status()?;

    step("the application writes 200 lines a second for 10 seconds, 2 % of them errors");
    let mut generator = generate(&log, 200, 10, 0.02)?;
    // Alerts that are due at once are one mail: the subject may name another one.
    let mail_about = |words: &str| {
        wait_for(LIMIT, &format!("a mail with {words:?}"), || {
            Ok(sink.mails().into_iter().find(|mail| mail.text().contains(words)))
        })
    };
    let firing = mail_about("error is firing")?;
    step(&format!("mail: {}", firing.subject()));
    wait_for_outbox(&server)?;
    let during = status()?;
    let (generated, _) = generator.wait(LIMIT)?;
    anyhow::ensure!(generated.success(), "the log generator ended with {generated}");

    step("the application is healthy again");
    let resolved = mail_about("error is resolved")?;
    step(&format!("mail: {}", resolved.subject()));
    wait_for(LIMIT, "all alerts to resolve", || {
        Ok(
            (server.sql("SELECT count(*) FROM logwatch.alerts WHERE state <> 'resolved'")? == "0")
                .then_some(()),
        )
    })?;
    wait_for_outbox(&server)?;
    let after = status()?;
    let quiet = wait_for(LIMIT, "the alert file without an alert", || {
        Ok(Some(fs::read_to_string(&alert_file)?).filter(|text| text.contains("No threshold is met")))
    })?;

    section("The log's tail", &tail(&log, 12)?);
    section("SELECT * FROM logwatch_status(): before", &before);
    section("SELECT * FROM logwatch_status(): during", &during);
    section("SELECT * FROM logwatch_status(): after", &after);
    section(
        "The alert rows",
        &server.psql(
            "SELECT id, rule, state, level, count, peak, threshold, within,
                    date_trunc('second', started_at) AS started_at, date_trunc('second', resolved_at) AS resolved_at
               FROM logwatch.alerts ORDER BY id",
        )?,
    );
    section("The FIRING mail", &as_arrived(&firing));
    section("The RESOLVED mail", &as_arrived(&resolved));
    section("The alert file", &quiet);

    tailer.terminate()?;
    server.stop(Stop::Fast)?;
    println!();
    step("all stopped");
    Ok(())
}

/// Waits until nothing is on its way, so that the status shows what was sent.
fn wait_for_outbox(server: &Server) -> Result<()> {
    let query = "SELECT count(*) FROM logwatch.notifications WHERE state <> 'sent'";
    wait_for(LIMIT, "all notifications to be sent", || {
        Ok((server.sql(query)? == "0").then_some(()))
    })
}

fn section(title: &str, text: &str) {
    println!(
        "\n──── {title} {}\n\n{}",
        "─".repeat(90_usize.saturating_sub(title.chars().count())),
        text.trim_end()
    );
}

fn as_arrived(mail: &Mail) -> String {
    format!("{}\n\n{}", mail.headers(), mail.text())
}

fn tail(log: &Path, lines: usize) -> Result<String> {
    let text = fs::read_to_string(log)?;
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}

/// `target/demo`, or its stand-in where user postgres cannot read the checkout; removed on the way
/// out.
struct DemoDir(std::path::PathBuf);

impl DemoDir {
    fn new() -> Result<DemoDir> {
        let dir = programs::private_dir()?.join("demo");
        // A killed demo left this directory.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(DemoDir(dir))
    }
}

impl Drop for DemoDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
