//! What people look at: the HTML mail as a browser draws it, and nothing of our own that a tailer would take for trouble.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::{browser, programs};

use crate::{SOON, mailing_server};

#[test]
fn the_html_mail_is_drawn_for_desks_and_phones_in_light_and_dark() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(
        "SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(secs => i * i), 'YYYY-MM-DD HH24:MI:SSTZH:TZM')
                    || ' ERROR order ' || i || ' <b>failed</b>: ' || repeat('averylongword', 20)), 'shop')
           FROM generate_series(1, 15) AS i",
    )?;
    let mail = sink.wait_for_subject(SOON, "error on")?;
    assert!(!mail.html().contains("<b>failed"), "log text is escaped");
    let page = browser::pictures()?.join("mail.html");
    fs::write(&page, mail.html())?;
    let phone = browser::on_a_phone(&page)?;
    for (page, width) in [(&page, 600), (&phone, 500)] {
        let light = browser::draw(page, width, "light")?;
        let dark = browser::draw(page, width, "dark")?;
        assert_ne!(light, dark, "dark is not light");
    }
    Ok(())
}

/// Case A16: with the mail server down and the server's log tailed, no line of logwatch's own is an error to a tailer.
#[test]
fn our_own_lines_in_the_servers_log_never_match() -> Result<()> {
    let sink = MailSink::plain()?;
    let url = sink.url();
    let server = mailing_server(&sink, &[("logwatch.smtp_url", url.as_str())])?;
    drop(sink);
    server.sql("SELECT logwatch_ingest(ARRAY['FATAL a', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'])")?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) FROM logwatch.notifications WHERE channel = 'email' AND attempts > 0 AND last_error IS NOT NULL",
        "2",
    )?;
    server.wait_for_log(SOON, "logwatch: [FIRING:1] fatal")?;
    server.sql("SELECT logwatch_report('log')")?;
    server.wait_for_log(SOON, "status of")?;
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("postgresql.log");
    fs::write(&copy, server.log())?;
    let output = Command::new(programs::built("logwatch-tailer")?)
        .args(["--once", "--dry-run"])
        .arg(&copy)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let records = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!records.contains("logwatch"), "{records}");
    Ok(())
}
