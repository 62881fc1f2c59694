//! The receivers of `logwatch.receivers_file`: formats, templates, authorities, a queue for each.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use logwatch_tests::certificate::Certificate;
use logwatch_tests::server::Server;
use logwatch_tests::web_sink::{WebSink, encrypted_web_server};

use crate::{INGEST_FATAL, SOON};

/// Starts a server with these receivers, which the rule `fatal` names.
fn server_with(receivers: &str, channels: &str) -> Result<Server> {
    let mut server = Server::with_worker(&[("logwatch.check_interval", "1s")])?;
    let file = server.write_file("receivers.toml", receivers)?;
    server.set(&[("logwatch.receivers_file", &file.to_string_lossy())])?;
    server.reload();
    server.wait_for_sql(SOON, "SHOW logwatch.receivers_file", &file.to_string_lossy())?;
    server.sql("DELETE FROM logwatch.rules WHERE name <> 'fatal'")?;
    server.sql(&format!("UPDATE logwatch.rules SET channels = '{channels}'"))?;
    Ok(server)
}

fn status(server: &Server, channel: &str) -> Result<String> {
    server.sql(&format!(
        "SELECT state, message FROM logwatch_status() WHERE component = 'channel' AND name = '{channel}'"
    ))
}

#[test]
fn each_receiver_gets_the_alert_in_its_format() -> Result<()> {
    let (chat, pager) = (WebSink::answering(&[])?, WebSink::answering(&[])?);
    let server = server_with(
        &format!(
            "[chat]\nformat = 'slack'\nurl = '{}/S3CRET'\nheaders = {{ X-Team = 'T0KEN' }}\n\n\
             [pager]\nformat = 'pagerduty'\nurl = '{}'\nparams = {{ routing_key = 'R0UTE' }}\nseverities = {{ critical = 'error' }}\n",
            chat.url(),
            pager.url()
        ),
        "{webhook:chat,webhook:pager}",
    )?;
    assert!(status(&server, "webhook:chat")?.starts_with("ok|"));

    server.sql(INGEST_FATAL)?;

    let post = &chat.wait_for_posts(SOON, 1)?[0];
    assert_eq!(post.header("X-Team"), Some("T0KEN"));
    assert_eq!(post.body["blocks"][0]["type"], "header");
    let title = post.body["blocks"][0]["text"]["text"]
        .as_str()
        .unwrap_or_default();
    ensure!(title.starts_with("[FIRING:1] fatal"), "{title}");
    let post = &pager.wait_for_posts(SOON, 1)?[0];
    assert_eq!(post.body["event_action"], "trigger");
    assert_eq!(post.body["routing_key"], "R0UTE");
    assert_eq!(post.body["payload"]["severity"], "error");
    server.wait_for_sql(
        SOON,
        "SELECT channel, state FROM logwatch.notifications ORDER BY 1",
        "webhook:chat|sent\nwebhook:pager|sent",
    )?;
    let shown = server.sql("SELECT * FROM logwatch_status()")? + &server.log();
    for secret in ["S3CRET", "T0KEN", "R0UTE"] {
        ensure!(!shown.contains(secret), "{secret} in {shown}");
    }
    Ok(())
}

#[test]
fn a_receiver_can_be_tested() -> Result<()> {
    let web = WebSink::answering(&[200, 403])?;
    let server = server_with(
        &format!(
            "[ops]\nformat = 'ntfy'\nurl = '{}'\nparams = {{ topic = 'ops' }}\n",
            web.url()
        ),
        "{log}",
    )?;
    assert_eq!(
        server.sql("SELECT logwatch_test('webhook:ops')")?,
        "webhook:ops accepted the test alert: 200 heard"
    );
    assert_eq!(web.posts()[0].body["topic"], "ops");
    let error = server.sql_error("SELECT logwatch_test('webhook:ops')")?;
    ensure!(
        error.code == "08000" && error.to_string().contains("403"),
        "{error}"
    );
    let error = server.sql_error("SELECT logwatch_test('webhook:oops')")?;
    ensure!(
        error.code == "55000"
            && error
                .to_string()
                .contains("it has no receiver [oops]; it has ops"),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_receiver_that_hangs_delays_no_other() -> Result<()> {
    // Accepts connections and never replies.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let quick = WebSink::answering(&[])?;
    let server = server_with(
        &format!(
            "[silent]\nurl = 'http://{}/'\n[quick]\nurl = '{}'\n",
            silent.local_addr()?,
            quick.url()
        ),
        "{webhook:silent,webhook:quick}",
    )?;
    server.sql("UPDATE logwatch.rules SET group_by = 'source'")?;
    for number in 1..=3 {
        server.sql(&format!(
            "SELECT logwatch_ingest('FATAL out of disk space', 'host{number}')"
        ))?;
        quick.wait_for_posts(SOON, number)?;
    }
    assert_eq!(
        server.sql(
            "SELECT count(*) FROM logwatch.notifications WHERE channel = 'webhook:silent' AND state = 'sending'"
        )?,
        "3"
    );
    Ok(())
}

#[test]
fn a_name_that_the_file_lacks_stays_queued_until_it_is_added() -> Result<()> {
    let web = WebSink::answering(&[])?;
    let server = server_with(&format!("[ops]\nurl = '{}'\n", web.url()), "{webhook:opps}")?;
    let shown = status(&server, "webhook:opps")?;
    ensure!(
        shown.starts_with("error|") && shown.contains("it has no receiver [opps]; it has ops"),
        "{shown}"
    );
    server.sql(INGEST_FATAL)?;
    server.wait_for_sql(
        SOON,
        "SELECT state, attempts FROM logwatch.notifications",
        "queued|1",
    )?;
    server.write_file("receivers.toml", &format!("[opps]\nurl = '{}'\n", web.url()))?;
    server.reload();
    web.wait_for_posts(SOON, 1)?;
    server.wait_for_sql(SOON, "SELECT state FROM logwatch.notifications", "sent")
}

#[test]
fn a_receiver_named_default_is_the_webhook() -> Result<()> {
    let web = WebSink::answering(&[])?;
    let server = server_with(
        &format!("[default]\nformat = 'discord'\nurl = '{}'\n", web.url()),
        "{webhook:default,webhook}",
    )?;
    server.sql(INGEST_FATAL)?;
    let post = &web.wait_for_posts(SOON, 1)?[0];
    ensure!(post.body["embeds"][0]["title"].is_string(), "{}", post.body);
    server.wait_for_sql(
        SOON,
        "SELECT channel, state FROM logwatch.notifications",
        "webhook|sent",
    )
}

/// The group that has most records changes, and the rule is gone at the end.
#[test]
fn many_groups_stay_one_alert_of_a_receiver_until_their_end() -> Result<()> {
    let web = WebSink::answering(&[])?;
    let server = server_with(
        &format!("[am]\nformat = 'alertmanager'\nurl = '{}'\n", web.url()),
        "{webhook:am}",
    )?;
    server.sql("UPDATE logwatch.rules SET group_by = 'source', severity = 'critical', within = '1 hour'")?;
    server.sql("SELECT logwatch_ingest('FATAL disk full', 'web' || n) FROM generate_series(1, 12) AS n")?;
    web.wait_for_posts(SOON, 1)?;
    server.sql("SELECT logwatch_ingest(ARRAY['FATAL disk full', 'FATAL disk full'], 'web12')")?;
    server.wait_for_sql(SOON, "SELECT max(peak) FROM logwatch.alerts", "3")?;
    server.sql("DELETE FROM logwatch.rules")?;
    let posts = web.wait_for_posts(SOON, 2)?;
    let [firing, resolved] = [&posts[0].body, &posts[1].body];
    assert_eq!(
        (&firing["status"], &resolved["status"]),
        (&"firing".into(), &"resolved".into())
    );
    for member in ["/groupKey", "/commonLabels", "/alerts/0/fingerprint"] {
        assert_eq!(firing.pointer(member), resolved.pointer(member), "{member}");
    }
    Ok(())
}

#[test]
fn a_template_makes_any_body_and_its_errors_are_in_the_status() -> Result<()> {
    let web = WebSink::answering(&[])?;
    let receivers = |template: &str| {
        format!(
            "[own]\nformat = 'template'\nurl = '{}'\ntemplate = '''{template}'''\n",
            web.url()
        )
    };
    let server = server_with(
        &receivers(
            "{\"what\": {{ rule }}, \"n\": {{ count }}, \"top\": {{ patterns[0].sample if patterns else none }}}",
        ),
        "{webhook:own}",
    )?;
    server.sql("SELECT logwatch_ingest('FATAL \"quoted\" password=hunter2')")?;
    let post = &web.wait_for_posts(SOON, 1)?[0];
    assert_eq!(
        post.body,
        serde_json::json!({"what": "fatal", "n": 1, "top": "\"quoted\" password=***"})
    );
    server.write_file("receivers.toml", &receivers("{\n{{ rulle }}}"))?;
    let shown = status(&server, "webhook:own")?;
    ensure!(
        shown.starts_with("error|") && shown.contains("[own]: template, line 2: undefined value"),
        "{shown}"
    );
    Ok(())
}

#[test]
fn the_file_is_for_the_server_alone() -> Result<()> {
    let server = server_with(
        "[ops]\nurl = 'https://hooks.example.com/S3CRET'\n",
        "{webhook:ops}",
    )?;
    let file = server.sql("SHOW logwatch.receivers_file")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let shown = status(&server, "webhook:ops")?;
    ensure!(
        shown.starts_with("error|") && shown.contains("chmod 600"),
        "{shown}"
    );
    server.reload();
    server.wait_for_log(SOON, "logwatch.receivers_file")?;
    ensure!(!server.log().contains("S3CRET"));
    Ok(())
}

#[test]
fn a_private_authority_is_trusted_for_its_receiver_alone() -> Result<()> {
    let certificate = Certificate::new()?;
    let port = encrypted_web_server(&certificate)?;
    let server = server_with("", "{log}")?;
    let authority = server.write_file("authority.pem", &certificate.authority)?;
    let authority = authority.display();
    server.write_file(
        "receivers.toml",
        &format!(
            "[own]\nurl = 'https://localhost:{port}/'\nca_file = '{authority}'\n[other]\nurl = 'https://localhost:{port}/'\n"
        ),
    )?;
    assert_eq!(
        server.sql("SELECT logwatch_test('webhook:own')")?,
        "webhook:own accepted the test alert: 200 heard"
    );
    let error = server.sql_error("SELECT logwatch_test('webhook:other')")?;
    ensure!(
        error.code == "08000" && error.to_string().contains("UnknownIssuer"),
        "{error}"
    );
    Ok(())
}

#[test]
fn plain_http_to_another_host_needs_allow_plain() -> Result<()> {
    let server = server_with(
        "[no]\nurl = 'http://hooks.example.com/'\n[yes]\nurl = 'http://hooks.example.com/'\nallow_plain = true\n",
        "{log}",
    )?;
    let shown = status(&server, "webhook:no")?;
    ensure!(
        shown.starts_with("error|") && shown.contains("allow_plain = true"),
        "{shown}"
    );
    assert!(status(&server, "webhook:yes")?.starts_with("ok|"));
    Ok(())
}

#[test]
fn a_channel_that_cannot_be_named_is_refused() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for channel in ["webhook:", "webhook:Ops", "webhook:a b", "pigeon"] {
        let error = server.sql_error(&format!(
            "INSERT INTO logwatch.rules (name, channels) VALUES ('x', ARRAY['{channel}'])"
        ))?;
        ensure!(error.code == "23514", "{channel}: {error}");
    }
    server.sql("INSERT INTO logwatch.rules (name, channels) VALUES ('x', '{webhook:ops-2}')")?;
    Ok(())
}
