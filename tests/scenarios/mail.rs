//! Mail as it should be: encryption, login, form and threading.

use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use logwatch_tests::certificate::Certificate;
use logwatch_tests::mail_sink::{MailSink, Step};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::wait_until;

use crate::{INGEST_FATAL, SOON, mailing_server, shorten_rules};

const LOGIN: (&str, &str) = ("logwatch", "correct horse battery");

/// A mailing server that trusts `certificate` and logs in.
fn server_with_login(sink: &MailSink, certificate: &Certificate) -> Result<Server> {
    let mut server = mailing_server(sink, &[])?;
    let ca = server.write_file("ca.pem", &certificate.authority)?;
    let password = server.write_file("password", &format!("{}\n", LOGIN.1))?;
    server.set(&[
        ("logwatch.smtp_ca_file", &ca.display().to_string()),
        ("logwatch.smtp_user", LOGIN.0),
        ("logwatch.smtp_password_file", &password.display().to_string()),
    ])?;
    server.reload();
    // The reload reaches other processes by and by; the next session and the worker must have it.
    server.wait_for_sql(SOON, "SHOW logwatch.smtp_user", LOGIN.0)?;
    Ok(server)
}

#[test]
fn starttls_and_login() -> Result<()> {
    let certificate = Certificate::new()?;
    let sink = MailSink::starttls(&certificate, Some(LOGIN))?;
    let server = server_with_login(&sink, &certificate)?;
    server.sql(INGEST_FATAL)?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert!(mail.encrypted);
    assert_eq!(mail.user.as_deref(), Some(LOGIN.0));
    Ok(())
}

#[test]
fn tls_from_the_first_byte_and_login() -> Result<()> {
    let certificate = Certificate::new()?;
    let sink = MailSink::implicit_tls(&certificate, Some(LOGIN))?;
    let server = server_with_login(&sink, &certificate)?;
    server.sql(INGEST_FATAL)?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert!(mail.encrypted);
    assert_eq!(mail.user.as_deref(), Some(LOGIN.0));
    Ok(())
}

#[test]
fn plain_text_to_this_host() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(INGEST_FATAL)?;
    assert!(!sink.wait_for_subject(SOON, "[FIRING:1] fatal")?.encrypted);
    Ok(())
}

#[test]
fn smtp_urls_demand_starttls_from_a_server_that_does_not_offer_it() -> Result<()> {
    let sink = MailSink::plain()?;
    let mut server = mailing_server(&sink, &[])?;
    server.set(&[("logwatch.smtp_url", &format!("smtp://localhost:{}", sink.port()))])?;
    server.restart()?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch.notifications WHERE channel = 'email' AND last_error IS NOT NULL",
        "queued",
    )?;
    assert_eq!(sink.reached(&Step::MailFrom), 0);
    assert!(sink.mails().is_empty());
    Ok(())
}

#[test]
fn a_certificate_of_another_authority_is_refused() -> Result<()> {
    let sink = MailSink::implicit_tls(&Certificate::new()?, Some(LOGIN))?;
    let server = server_with_login(&sink, &Certificate::new()?)?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT state, last_error ~* 'certificate' FROM logwatch.notifications WHERE channel = 'email' AND last_error IS NOT NULL",
        "queued|t",
    )?;
    assert!(sink.mails().is_empty());
    Ok(())
}

#[test]
fn a_wrong_password_is_told_and_shown_nowhere() -> Result<()> {
    let certificate = Certificate::new()?;
    let sink = MailSink::starttls(&certificate, Some((LOGIN.0, "another password")))?;
    let mut server = server_with_login(&sink, &certificate)?;
    let alert_file = server.dir().join("alerts.txt");
    server.set(&[
        ("logwatch.alert_file", &alert_file.display().to_string()),
        ("log_min_messages", "debug1"),
        ("log_statement", "all"),
    ])?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW log_statement", "all")?;
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT last_code FROM logwatch.notifications WHERE channel = 'email' AND last_error IS NOT NULL",
        "535",
    )?;
    assert!(
        server
            .sql("SELECT logwatch_test('email')")
            .is_err_and(|e| !e.to_string().contains(LOGIN.1))
    );

    let secrets = [
        LOGIN.1.to_owned(),
        BASE64.encode(LOGIN.1),
        BASE64.encode(format!("\0{}\0{}", LOGIN.0, LOGIN.1)),
    ];
    let everything = [
        server.log(),
        server.sql("SELECT n FROM logwatch.notifications AS n")?,
        server.sql("SELECT a FROM logwatch.attempts AS a")?,
        server.sql("SELECT a, logwatch_alert_json(a.id) FROM logwatch.alerts AS a")?,
        server.sql("SELECT m FROM logwatch.metrics AS m")?,
        server.sql("SELECT logwatch_report()")?,
        std::fs::read_to_string(&alert_file)?,
        server.sql("SELECT s FROM logwatch_status() AS s")?,
        server.sql("SELECT name, setting FROM pg_settings")?,
        server.sql("SELECT * FROM pg_stat_activity")?,
    ];
    for text in &everything {
        for secret in &secrets {
            assert!(!text.contains(secret), "the password is shown in\n{text}");
        }
    }
    Ok(())
}

#[test]
fn a_mail_has_the_form_that_mail_programs_want() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[("cluster_name", "x")])?;
    server.sql("UPDATE logwatch.rules SET runbook = 'https://wiki.example.com/disk'")?;
    server.sql(INGEST_FATAL)?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;

    assert_eq!(
        mail.subject(),
        "[FIRING:1] fatal (critical) on sql: out of disk space"
    );
    let header = |name: &str| {
        mail.header(name)
            .unwrap_or_else(|| panic!("no {name} in\n{}", mail.headers()))
    };
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert!(header("From").contains("logwatch@db.test"));
    assert!(header("To").contains("ops@example.com"));
    assert!(header("Content-Type").starts_with("multipart/alternative"));
    header("Date");
    header("List-Id");
    assert_eq!(mail.headers_named("Message-ID").len(), 1);
    for part in [mail.text(), mail.html()] {
        assert!(part.contains("out of disk space"), "{part}");
        assert!(part.contains("https://wiki.example.com/disk"), "{part}");
    }
    assert!(mail.html().starts_with("<!DOCTYPE html>"));
    let text = String::from_utf8_lossy(&mail.raw).into_owned();
    assert!(
        text.find("text/plain") < text.find("text/html"),
        "plain text must come first"
    );
    for line in mail.text().lines() {
        assert!(line.chars().count() <= 78, "{line:?}");
    }
    let text = mail.text();
    let top: Vec<&str> = text.lines().take(3).collect();
    assert!(
        top[0].starts_with("fatal is firing: 1 record")
            && top[1].contains("Since ")
            && top[2] == "FATAL out of disk space",
        "{top:?}"
    );
    assert!(mail.raw.len() < 64 * 1024);
    assert!(
        text.split("\r\n").all(|line| line.len() <= 998),
        "RFC 5321: lines of at most 998 bytes"
    );
    Ok(())
}

#[test]
fn the_resolved_mail_answers_the_firing_one() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    shorten_rules(&server)?;
    server.sql(INGEST_FATAL)?;
    let firing = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    let resolved = sink.wait_for_subject(SOON, "[RESOLVED] fatal")?;
    assert_eq!(resolved.header("In-Reply-To"), Some(firing.message_id()));
    assert!(
        resolved
            .header("References")
            .is_some_and(|ids| ids.contains(&firing.message_id()))
    );
    assert_ne!(resolved.message_id(), firing.message_id());
    Ok(())
}

#[test]
fn log_text_reaches_no_header() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql("INSERT INTO logwatch.rules (name, level, threshold, group_by) VALUES ('per source', 'ERROR', 1, 'source')")?;
    for (level, subject) in [("ERROR", "[FIRING:1] per source"), ("FATAL", "[FIRING:1] fatal")] {
        server.sql(&format!(
            "SELECT logwatch_ingest(E'{level} x\\r\\nBcc: victim@example.com\\r\\n\\r\\n<script>alert(1)</script>', E'app\\r\\nBcc: victim@example.com')"
        ))?;
        let mail = sink.wait_for_subject(SOON, subject)?;
        assert_eq!(mail.header("Bcc"), None, "{}", mail.headers());
        assert_eq!(mail.to, ["ops@example.com"]);
        assert_eq!(mail.headers_named("Subject").len(), 1);
        assert!(!mail.html().contains("<script>"), "{}", mail.html());
        assert!(!mail.text().contains('\r'), "{}", mail.text());
    }
    // One line in the server log too: nothing in it may look like a record of its own.
    assert!(
        !server.log().lines().any(|line| line.starts_with("Bcc:")),
        "{}",
        server.log()
    );
    Ok(())
}

#[test]
fn a_rule_may_have_its_own_recipients() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(
        "UPDATE logwatch.rules SET recipients = '{dba@example.com,night@example.com}' WHERE name = 'fatal'",
    )?;
    server.sql(INGEST_FATAL)?;
    wait_until(SOON, "two mails", || Ok(sink.mails().len() == 2))?;
    let mut to: Vec<String> = sink.mails().iter().flat_map(|mail| mail.to.clone()).collect();
    to.sort();
    assert_eq!(to, ["dba@example.com", "night@example.com"]);
    Ok(())
}

#[test]
fn a_test_mail_returns_the_servers_answer() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let answer = server.sql("SELECT logwatch_test('email')")?;
    assert!(answer.contains("250"), "{answer}");
    assert_eq!(sink.mails().len(), 1);
    let answer = server.sql("SELECT logwatch_test('email', 'someone@example.com')")?;
    assert!(answer.contains("250"), "{answer}");
    assert_eq!(sink.mails()[1].to, ["someone@example.com"]);
    let error = server.sql_error("SELECT logwatch_test('email', 'someone')")?;
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("22023", "\"someone\" is not an e-mail address")
    );
    Ok(())
}

#[test]
fn a_report_is_mailed_whether_a_threshold_is_met_or_not() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let text = server.sql("SELECT logwatch_report('email')")?;
    assert!(text.contains("No threshold is met"), "{text}");
    let mail = sink.wait_for_subject(SOON, "status of")?;
    assert!(mail.text().contains("No threshold is met"), "{}", mail.text());

    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, "SELECT state FROM logwatch.alerts", "firing")?;
    let text = server.sql("SELECT logwatch_report()")?;
    assert!(text.contains("1 rule is firing"), "{text}");
    Ok(())
}

#[test]
fn a_storm_is_one_mail_per_rule_and_recipient() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(
        &sink,
        &[("logwatch.email_to", "one@example.com, two@example.com")],
    )?;
    // 10 000 records of six hours in one call (CASES A5).
    server.sql(
        "SELECT logwatch_ingest(array_agg(to_char(now() - n * interval '2.1 seconds', 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR request ' || n))
           FROM generate_series(1, 10000) AS n",
    )?;
    server.wait_for_sql(
        SOON,
        "SELECT count(*) > 0 AND bool_and(state = 'sent') FROM logwatch.notifications WHERE channel = 'email'",
        "t",
    )?;
    logwatch_tests::wait::stays(Duration::from_secs(3), "at most two mails", || {
        Ok(sink.mails().len() <= 2)
    })?;
    assert_eq!(sink.mails().len(), 2);
    Ok(())
}

#[test]
fn a_mail_shows_the_newest_record_its_patterns_and_the_commands_to_type() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let port = server.sql("SHOW port")?;
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, threshold, group_by) VALUES ('orders', 4, 'source');
         SELECT logwatch_ingest(to_char(now() - interval '1 day', 'YYYY-MM-DD HH24:MI:SSOF') || ' ERROR order 7 failed', 'shop');
         UPDATE logwatch.sources SET path = '/var/log/shop.log', first_seen = now() - interval '2 days 1 hour'",
    )?;
    server.wait_for_sql(SOON, "SELECT count(*) FROM logwatch.patterns", "1")?;
    server.sql(
        "UPDATE logwatch.patterns SET first_seen = now() - interval '1 day';
         SELECT logwatch_ingest(ARRAY['ERROR order 8 failed', 'ERROR order 9 failed', 'ERROR order 10 failed',
             E'ERROR card reader gone token=hunter2\\n' || (SELECT string_agg(E'\\tat com.example.Shop.f' || n, E'\\n' ORDER BY n) FROM generate_series(1, 30) AS n)], 'shop')",
    )?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:4] orders on shop: order <*> failed")?;
    for part in [
        mail.text(),
        mail.html()
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#39;", "'"),
    ] {
        for wanted in [
            "ERROR card reader gone token=***",
            "at com.example.Shop.f20",
            "… and 10 more lines",
            "Newest record",
            "order <*> failed",
            "first seen ",
            "shop (4), /var/log/shop.log",
            "1, 0 in 5 minutes at this time on the days before",
            &format!("-p {port} -d postgres"),
            "SELECT * FROM public.logwatch_alert_entries(1::bigint);",
            "SELECT public.logwatch_ack(1::bigint, 'note'::text);",
            "'shop'::text, NULL::text,",
        ] {
            let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat(&part).contains(&flat(wanted)), "{wanted}\n{part}");
        }
        assert!(!part.contains("Shop.f21") && !part.contains("hunter2"), "{part}");
    }
    let text = mail.text();
    assert_eq!(text.matches("(new)").count(), 1, "{text}");
    assert_eq!(
        text.matches("card reader gone").count(),
        2,
        "record and pattern\n{text}"
    );
    assert_eq!(
        server.sql("SELECT count(*), count(detail), min(source) FROM logwatch_alert_entries(1)")?,
        "4|1|shop"
    );
    Ok(())
}

#[test]
fn a_mail_names_the_file_that_its_records_came_from() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    let folder = tempfile::tempdir()?;
    let (shop, bank) = (folder.path().join("shop.log"), folder.path().join("bank.log"));
    server.sql(
        "DELETE FROM logwatch.rules; INSERT INTO logwatch.rules (name, threshold) VALUES ('orders', 4);
         SELECT logwatch_ingest('ERROR order lost', 'sql')",
    )?;
    append(&shop, &["ERROR order lost", "ERROR order lost"])?;
    Tailer::once(
        &server,
        &[
            "--source",
            "web1",
            "--from-beginning",
            &shop.display().to_string(),
        ],
    )?;
    append(&bank, &["ERROR order lost"])?;
    let both = folder.path().join("*.log").display().to_string();
    Tailer::once(&server, &["--source", "web1", "--from-beginning", &both])?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:4] orders")?;
    for part in [mail.text(), mail.html()] {
        let part = part.replace("=\n", "");
        for wanted in [
            format!("web1, {}, ", bank.display()),
            format!("web1 (3), {}, {}", shop.display(), bank.display()),
        ] {
            let flat = |text: &str| text.split_whitespace().collect::<String>();
            assert!(flat(&part).contains(&flat(&wanted)), "{wanted}\n{part}");
        }
    }
    assert_eq!(
        server.sql("SELECT source, file FROM logwatch_alert_entries(1)")?,
        format!(
            "sql|\nweb1|{0}\nweb1|{0}\nweb1|{1}",
            shop.display(),
            bank.display()
        )
    );
    assert_eq!(
        server.sql("SELECT logwatch_alert_json(1) #>> '{newest,file}'")?,
        bank.display().to_string()
    );
    assert!(server.sql("SELECT logwatch_report_html()")?.contains(&format!(
        "{}, {}",
        bank.display(),
        shop.display()
    )));
    let sizes = server.sql("SELECT pg_column_size(e) FROM logwatch.entries AS e")?;
    let first = sizes.lines().next();
    assert!(
        sizes.lines().all(|size| Some(size) == first),
        "the path's id costs no bytes: {sizes}"
    );
    Ok(())
}

#[test]
fn a_subject_without_detail_has_no_log_text() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[("logwatch.subject_detail", "off")])?;
    server.sql(INGEST_FATAL)?;
    let mail = sink.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    assert_eq!(mail.subject(), "[FIRING:1] fatal (critical) on sql");
    Ok(())
}
