//! The pictures of the README: an alert mail and the report page, from the data of the demo's log
//! generator. The test leaves them in `target/pages`; `make pictures` copies them into
//! `extension/`.

use std::fs;

use anyhow::Result;
use logwatch_tests::browser;
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::tailer::{Tailer, append, generate};
use logwatch_tests::wait::wait_for;

use crate::{SOON, mailing_server};

/// A day of errors before the burst that the tailer reads, in the words of the log generator.
const THE_DAY_BEFORE: &str = r"
    SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(mins => i), 'YYYY-MM-DD HH24:MI:SSTZH:TZM')
               || CASE i % 3 WHEN 0 THEN ' ERROR order ' || 41000 + i || ': payment provider answered 503 after ' || 90 + i % 70 || ' ms'
                             WHEN 1 THEN ' ERROR connection to 10.0.3.7:5432 refused'
                             ELSE ' ERROR user carol: permission denied for resource /admin/' || i END), 'shop')
      FROM generate_series(60, 1430) AS i WHERE i % 23 = 0 OR i BETWEEN 500 AND 540 OR i BETWEEN 900 AND 912 AND i % 2 = 0;
    SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(mins => i), 'YYYY-MM-DD HH24:MI:SSTZH:TZM')
               || ' ERROR could not write /var/lib/app/data/' || i || '.tmp: No space left on device'), 'billing')
      FROM generate_series(200, 1400, 53) AS i";

/// GitHub shows a picture of this size without delay.
const MAX_BYTES: usize = 200 * 1024;

#[test]
fn the_readmes_pictures_show_a_mail_and_the_page() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[("logwatch.email_from", "logwatch@db1.example.com")])?;
    server.sql(THE_DAY_BEFORE)?;
    // Alerts that are due at once are one mail; the picture shows that of one.
    server.sql("DELETE FROM logwatch.rules WHERE name = 'fatal'")?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) > 0 AND bool_and(state = 'resolved') FROM logwatch.alerts",
        "t",
    )?;
    let files = tempfile::tempdir()?;
    let log = files.path().join("app.log");
    append(&log, &["INFO started"])?;
    let _tailer = Tailer::start(&server, &["--source", "shop", &log.display().to_string()])?;
    server.wait_for_sql(SOON, "SELECT count(*) > 0 FROM logwatch.files", "t")?;
    let mut generator = generate(&log, 200, 5, 0.02)?;
    let mail = wait_for(SOON, "the mail of rule error", || {
        let firing = sink.mails_with_subject("[FIRING:");
        Ok(firing.into_iter().find(|mail| mail.subject().contains("] error")))
    })?;
    generator.wait(SOON)?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.notifications WHERE state <> 'sent'",
        "0",
    )?;

    let pages = browser::pictures()?;
    for (name, html, width, height) in [
        ("alert_mail", mail.html(), 600, 560),
        (
            "report_page",
            server.sql("SELECT logwatch_report_html()")?,
            1000,
            1200,
        ),
    ] {
        let page = pages.join(name).with_extension("html");
        fs::write(&page, html)?;
        let picture = browser::draw_as(&page.with_extension("png"), &page, width, height, "light")?;
        assert!(
            picture.len() <= MAX_BYTES,
            "{name}.png has {} bytes",
            picture.len()
        );
    }
    Ok(())
}
