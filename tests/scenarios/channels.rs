//! Other ways to reach people and tools: the webhook, a second mail server, the hourly number of
//! mails, NOTIFY, the plugin.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use logwatch_tests::mail_sink::MailSink;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::wait_for;
use logwatch_tests::web_sink::WebSink;
use postgres::fallible_iterator::FallibleIterator;

use crate::{INGEST_FATAL, SOON, hurry_retries, mailing_server, shorten_rules};

fn posting_server(web: &WebSink, more: &[(&str, &str)]) -> Result<Server> {
    let url = web.url();
    let mut settings = vec![
        ("logwatch.check_interval", "1s"),
        ("logwatch.webhook_url", url.as_str()),
    ];
    settings.extend_from_slice(more);
    Server::with_worker(&settings)
}

#[test]
fn the_webhook_posts_what_alertmanager_would() -> Result<()> {
    let web = WebSink::answering(&[])?;
    let mut server = posting_server(&web, &[])?;
    let headers = server.write_file("headers", "Authorization: Bearer t0ken\nX-Team: ops\n")?;
    server.set(&[("logwatch.webhook_headers_file", &headers.to_string_lossy())])?;
    server.reload();
    server.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch_status() WHERE name = 'webhook'",
        "ok",
    )?;
    shorten_rules(&server)?;

    server.sql("SELECT logwatch_ingest('FATAL login with password=hunter2 failed')")?;

    let posts = web.wait_for_posts(SOON, 2)?;
    let (first, last) = (&posts[0], &posts[1]);
    assert_eq!(first.path, "/alerts");
    assert_eq!(first.header("Authorization"), Some("Bearer t0ken"));
    assert_eq!(first.header("Content-Type"), Some("application/json"));
    assert_eq!(first.body["version"], "4");
    assert_eq!(first.body["status"], "firing");
    let alert = &first.body["alerts"][0];
    assert_eq!(alert["labels"]["alertname"], "fatal");
    assert_eq!(alert["labels"]["severity"], "critical");
    assert_eq!(alert["endsAt"], "0001-01-01T00:00:00Z");
    assert!(!first.body.to_string().contains("hunter2"), "{}", first.body);
    assert_eq!(last.body["status"], "resolved");
    assert_eq!(last.body["alerts"][0]["fingerprint"], alert["fingerprint"]);
    assert_eq!(last.body["groupKey"], first.body["groupKey"]);
    // The secret of the headers' file is nowhere to be read.
    let shown = server.sql("SELECT * FROM logwatch_status()")? + &server.log();
    assert!(!shown.contains("t0ken"));
    Ok(())
}

#[test]
fn a_webhook_in_trouble_is_tried_again_and_a_refusal_is_final() -> Result<()> {
    let web = WebSink::answering(&[503, 429, 200, 400])?;
    let server = posting_server(&web, &[])?;
    server.sql(INGEST_FATAL)?;
    let posts = wait_for(SOON, "three attempts", || {
        hurry_retries(&server)?;
        Ok((web.posts().len() == 3).then(|| web.posts()))
    })?;
    let keys: Vec<_> = posts.iter().map(|post| post.header("Idempotency-Key")).collect();
    assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]));
    server.wait_for_sql(
        SOON,
        "SELECT string_agg(outcome || code, ' ' ORDER BY at) FROM logwatch.attempts
          JOIN logwatch.notifications AS n ON n.id = notification_id WHERE n.channel = 'webhook'",
        "retry503 retry429 sent200",
    )?;
    server.sql("SELECT logwatch_ingest(ARRAY['ERROR a', 'ERROR b', 'ERROR c', 'ERROR d', 'ERROR e'])")?;
    server.wait_for_sql(
        SOON,
        "SELECT state, last_code FROM logwatch.notifications WHERE channel = 'webhook' AND state = 'failed'",
        "failed|400",
    )
}

#[test]
fn a_test_of_the_webhook_returns_its_answer() -> Result<()> {
    let web = WebSink::answering(&[200, 403])?;
    let server = posting_server(&web, &[])?;
    let answer = server.sql("SELECT logwatch_test('webhook')")?;
    assert!(answer.contains("accepted the test alert: 200"), "{answer}");
    let post = &web.posts()[0];
    assert_eq!(post.body["alerts"][0]["labels"]["alertname"], "logwatch_test");
    assert_eq!(
        post.body["commonAnnotations"]["summary"],
        "Test notification of logwatch: nothing is wrong"
    );
    let error = server.sql_error("SELECT logwatch_test('webhook')")?;
    assert!(
        error.to_string().contains("403") && error.to_string().contains("webhook_headers_file"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_webhook_without_encryption_is_for_this_host_only() -> Result<()> {
    let server = Server::with_worker(&[("logwatch.webhook_url", "http://hooks.example.com/x")])?;
    let status = server.sql("SELECT state, message FROM logwatch_status() WHERE name = 'webhook'")?;
    assert!(
        status.starts_with("error|") && status.contains("https://"),
        "{status}"
    );
    server.wait_for_log(SOON, "logwatch.webhook_url")
}

#[test]
fn a_second_mail_server_takes_over() -> Result<()> {
    let (first, second) = (MailSink::plain()?, MailSink::plain()?);
    let urls = format!("{}, {}", first.url(), second.url());
    let server = mailing_server(&first, &[("logwatch.smtp_url", &urls)])?;
    drop(first);
    server.sql(INGEST_FATAL)?;
    second.wait_for_subject(SOON, "[FIRING:1] fatal")?;
    server.wait_for_sql(
        SOON,
        "SELECT state, attempts FROM logwatch.notifications WHERE channel = 'email'",
        "sent|1",
    )
}

#[test]
fn twenty_mails_an_hour_and_then_a_digest() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = Server::without_worker(&[
        ("logwatch.smtp_url", &sink.url()),
        ("logwatch.email_to", "ops@example.com"),
    ])?;
    // A rule and a check for each: what is due at once is one mail.
    server.sql(
        "DELETE FROM logwatch.rules;
         INSERT INTO logwatch.rules (name, source, channels) SELECT 'each' || n, 'host' || n, '{email}' FROM generate_series(1, 30) AS n",
    )?;
    for n in 1..=30 {
        server.sql(&format!("SELECT logwatch_ingest('ERROR disk full', 'host{n}')"))?;
        server.sql("SELECT FROM logwatch_check()")?;
    }
    server.sql("CALL logwatch_deliver()")?;
    let states = "SELECT string_agg(state || ' ' || n, ', ' ORDER BY state)
                    FROM (SELECT state, count(*) AS n FROM logwatch.notifications WHERE reason <> 'digest' GROUP BY state) AS s";
    assert_eq!(server.sql(states)?, "sent 20, suppressed 10");
    assert_eq!(sink.mails().len(), 20);

    // Others do not use up the limit of critical mails.
    server.sql(
        "INSERT INTO logwatch.rules (name, source, severity, channels) VALUES ('worst', 'host31', 'critical', '{email}');
         SELECT logwatch_ingest('ERROR disk full', 'host31')",
    )?;
    server.sql("SELECT FROM logwatch_check()")?;
    server.sql("CALL logwatch_deliver()")?;
    sink.wait_for_subject(SOON, "[FIRING:1] worst")?;
    assert_eq!(server.sql(states)?, "sent 21, suppressed 10");

    // The end of those that nobody has heard of is in the digest, too.
    server.sql("UPDATE logwatch.rules SET enabled = false WHERE name = 'each30'")?;
    server.sql("SELECT FROM logwatch_check()")?;
    server.sql("CALL logwatch_deliver()")?;
    assert_eq!(server.sql(states)?, "sent 21, suppressed 11");
    // An hour later.
    server.sql("UPDATE logwatch.notifications SET next_attempt_at = now() WHERE reason = 'digest'")?;
    server.sql("CALL logwatch_deliver()")?;
    let digest = sink.wait_for_subject(SOON, "[DIGEST:11]")?;
    let lines = digest.text().matches("1 x each").count();
    assert_eq!(lines, 11, "{}", digest.text());

    // The end of what a mail or a digest has announced is not kept back.
    for rule in ["each1", "each29"] {
        server.sql(&format!(
            "UPDATE logwatch.rules SET enabled = false WHERE name = '{rule}'"
        ))?;
        server.sql("SELECT FROM logwatch_check()")?;
        server.sql("CALL logwatch_deliver()")?;
        sink.wait_for_subject(SOON, &format!("[RESOLVED] {rule} on"))?;
    }
    Ok(())
}

#[test]
fn listeners_hear_of_an_alert() -> Result<()> {
    let server = Server::with_worker(&[])?;
    let mut client = server.client()?;
    client.batch_execute("LISTEN logwatch")?;
    server.sql(INGEST_FATAL)?;
    let heard = client
        .notifications()
        .timeout_iter(SOON)
        .next()?
        .context("no notification")?;
    let payload: serde_json::Value = serde_json::from_str(heard.payload())?;
    // Any role may LISTEN: nothing but these two.
    let id: i64 = server.sql("SELECT id FROM logwatch.alerts")?.parse()?;
    assert_eq!(payload, serde_json::json!({"alert_id": id, "state": "firing"}));
    Ok(())
}

#[test]
fn the_plugin_says_state_and_line() -> Result<()> {
    let server = Server::with_worker(&[])?;
    let check = || -> Result<(Option<i32>, String)> {
        let output = Command::new(programs::checkout().join("sql/integrations/check_logwatch"))
            .envs(server.env())
            .output()?;
        Ok((
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    };
    assert_eq!(
        check()?,
        (Some(0), "LOGWATCH OK - nothing fires | firing=0\n".to_owned())
    );
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(SOON, "SELECT state FROM logwatch.alerts", "firing")?;
    assert_eq!(
        check()?,
        (
            Some(2),
            "LOGWATCH CRITICAL - 1 firing: fatal | firing=1\n".to_owned()
        )
    );
    Ok(())
}

/// Case A16: with the mail server down and the server's log tailed, no line of logwatch's own is an
/// error to a tailer.
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
