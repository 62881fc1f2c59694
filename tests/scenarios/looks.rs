//! What people look at: the HTML mail as a browser draws it, and nothing of our own that a tailer would take for trouble.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::programs;

use crate::{SOON, mailing_server};

/// Width and height of a PNG picture, from its first chunk.
fn size_of_png(png: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    (png.get(1..4)? == b"PNG").then_some((number(16)?, number(20)?))
}

#[test]
fn the_html_mail_is_drawn_for_desks_and_phones() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(
        "SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(secs => i * i), 'YYYY-MM-DD HH24:MI:SSTZH:TZM')
                    || ' ERROR order ' || i || ' <b>failed</b>: ' || repeat('averylongword', 20)), 'shop')
           FROM generate_series(1, 15) AS i",
    )?;
    let mail = sink.wait_for_subject(SOON, "error on")?;
    let folder = tempfile::tempdir()?;
    let page = folder.path().join("mail.html");
    fs::write(&page, mail.html())?;
    assert!(!mail.html().contains("<b>failed"), "log text is escaped");
    for width in [600, 500] {
        let picture = folder.path().join(format!("mail-{width}.png"));
        let status = Command::new(programs::checkout().join("tests/render_html.sh"))
            .args([page.as_os_str(), width.to_string().as_ref(), picture.as_os_str()])
            .status()?;
        ensure!(status.success(), "render_html.sh ended with {status}");
        let png = fs::read(&picture)?;
        assert_eq!(size_of_png(&png).map(|(wide, _)| wide), Some(width));
        // A page that drew nothing compresses to almost nothing.
        assert!(png.len() > 10_000, "{} bytes at {width}", png.len());
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
