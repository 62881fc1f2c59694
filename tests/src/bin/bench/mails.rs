//! Ten thousand mails: a hundred rules with a hundred addresses each, all different, fire at once.
//! Checks go on meanwhile, and a critical alert's mail overtakes those that wait.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::server::Server;
use logwatch_tests::wait::{wait_for, wait_until};

use crate::edition::Edition;
use crate::input;
use crate::measure::{ms, percentile, short};
use crate::table::{Contract, Table};

const RULES: u64 = 100;
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
const URGENT: &str = "
    INSERT INTO logwatch.rules (name, severity, match, recipients) VALUES ('urgent', 'critical', 'meteor', '{urgent@example.com}');
    SELECT logwatch_ingest('ERROR a meteor struck', 'bench')";

/// Mails a second, and the milliseconds until a critical one that came late had arrived.
struct Delivery {
    rate: f64,
    urgent: f64,
    checks: Vec<f64>,
}

pub fn run(table: &mut Table) -> Result<()> {
    let each = input::size("BENCH_MAILS_EACH", 100)?;
    let now = Edition::now()?;
    let limit = (RULES * each * 2).to_string();
    let mut ours = deliver(&now, &[("logwatch.mails_per_hour", &limit)], each, true)?;
    let first = Edition::first()?.map(|first| deliver(first, &[], each, false));
    let mails = short((RULES * each) as f64);
    let added = table.value(
        &format!("{mails} mails to different addresses, a server that answers at once"),
        ours.rate,
        "mails/s",
        "–",
        Contract::AtLeast(500.0),
    );
    if let Some(first) = &first {
        added.first_measured(first.as_ref().map(|first| first.rate), "mails/s");
    }
    table.value(
        &format!("checks while {mails} mails are sent, p99"),
        percentile(&mut ours.checks, 0.99),
        "ms",
        "–",
        Contract::AtMost(100.0),
    );
    let added = table.value(
        "line to mail of a critical alert that overtakes them",
        ours.urgent,
        "ms",
        "–",
        Contract::None,
    );
    if let Some(first) = &first {
        added.first_measured(first.as_ref().map(|first| first.urgent), "ms");
    }
    Ok(())
}

fn deliver(edition: &Edition, more: &[(&str, &str)], each: u64, notes_checks: bool) -> Result<Delivery> {
    let sink = MailSink::pipelining()?;
    let url = sink.url();
    let mut settings = vec![
        ("logwatch.smtp_url", url.as_str()),
        ("logwatch.email_to", "ops@example.com"),
    ];
    settings.extend_from_slice(more);
    let server = edition.server_with_worker(&settings)?;
    server.sql(&format!(
        "UPDATE logwatch.rules SET enabled = false;
         INSERT INTO logwatch.rules (name, threshold, recipients)
         SELECT 'rule ' || r, 1, (SELECT array_agg('r' || r || 'a' || a || '@example.com') FROM generate_series(1, {each}) AS a)
           FROM generate_series(1, {RULES}) AS r;
         SELECT logwatch_ingest('ERROR the disk is full', 'bench')"
    ))?;
    wait_until(LIMIT, "the first mails", || Ok(sink.count() > 0))?;
    let began = SystemTime::now();
    server.sql(URGENT)?;
    let checks = if notes_checks {
        watch(&server, &sink, each)?
    } else {
        Vec::new()
    };
    let urgent = wait_for(LIMIT, "the urgent mail", || {
        Ok(sink.mail_to("urgent@example.com").map(|mail| mail.at))
    })?;
    wait_until(LIMIT, "all mails", || {
        std::thread::sleep(LOOK);
        Ok(sink.count() as u64 > RULES * each)
    })
    .with_context(|| format!("{} mails came", sink.count()))?;
    let mails = sink.mails();
    let first = mails.iter().map(|mail| mail.at).min().context("no mail")?;
    let last = mails.iter().map(|mail| mail.at).max().context("no mail")?;
    Ok(Delivery {
        rate: mails.len() as f64 / last.duration_since(first)?.as_secs_f64(),
        urgent: ms(urgent.duration_since(began)?),
        checks,
    })
}

/// Times of checks, each of which finds a new record, until all mails have come.
fn watch(server: &Server, sink: &MailSink, each: u64) -> Result<Vec<f64>> {
    let mut client = server.client()?;
    let (mut checks, started) = (Vec::new(), Instant::now());
    // The check that queued the mails is another matter.
    let from: SystemTime = client.query_one("SELECT clock_timestamp()", &[])?.get(0);
    while (sink.count() as u64) < RULES * each && started.elapsed() < LIMIT {
        client.batch_execute("SELECT logwatch_ingest('ERROR the disk is full', 'bench')")?;
        std::thread::sleep(LOOK);
        let row = client.query_opt(
            "SELECT extract(epoch FROM took)::float8 FROM logwatch.progress WHERE checked_at > $1",
            &[&from],
        )?;
        checks.extend(row.map(|row| 1000.0 * row.get::<_, f64>(0)));
    }
    Ok(checks)
}
