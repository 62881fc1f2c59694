//! Ten thousand mails: a hundred rules with a hundred addresses each, all different, fire at once.

use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::mail_sink::MailSink;

use crate::input;
use crate::measure::{ms, percentile, short};
use crate::table::{Contract, Table};

const RULES: u64 = 100;
const LIMIT: Duration = Duration::from_secs(300);

pub fn run(table: &mut Table) -> Result<()> {
    let each = input::size("BENCH_MAILS_EACH", 100)?;
    let sink = MailSink::plain()?;
    let url = sink.url();
    let server = input::server(&[
        ("logwatch.smtp_url", url.as_str()),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    server.sql(&format!(
        "UPDATE logwatch.rules SET enabled = false;
         INSERT INTO logwatch.rules (name, threshold, recipients)
         SELECT 'rule ' || r, 1, (SELECT array_agg('r' || r || 'a' || a || '@example.com') FROM generate_series(1, {each}) AS a)
           FROM generate_series(1, {RULES}) AS r;
         SELECT logwatch_ingest('ERROR the disk is full', 'bench')"
    ))?;
    let all = RULES * each;
    let mut client = server.client()?;
    let mut ticks = Vec::new();
    // Looks at the checks too: they go on while mails are sent.
    logwatch_tests::wait::wait_until(LIMIT, "all mails", || {
        client.batch_execute("SELECT logwatch_ingest('ERROR the disk is full', 'bench')")?;
        let row = client.query_one(
            "SELECT (SELECT count(*) FROM logwatch.notifications WHERE state = 'sent'), (SELECT extract(epoch FROM took)::float8 FROM logwatch.progress)",
            &[],
        )?;
        ticks.extend(row.get::<_, Option<f64>>(1).map(|took| 1000.0 * took));
        Ok(row.get::<_, i64>(0).cast_unsigned() >= all)
    })?;
    let mails = sink.mails();
    let first = mails.iter().map(|mail| mail.at).min().context("no mail")?;
    let last = mails.iter().map(|mail| mail.at).max().context("no mail")?;
    let took = ms(last.duration_since(first)?) / 1000.0;
    table.value(
        &format!(
            "{} mails to different addresses, a local server",
            short(all as f64)
        ),
        mails.len() as f64 / took,
        "mails/s",
        &format!("checks meanwhile: {:.0} ms, p99", percentile(&mut ticks, 0.99)),
        Contract::AtLeast(500.0),
    );
    Ok(())
}
