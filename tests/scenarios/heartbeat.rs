//! The dead man's switch: requests that stop when checks stop, and a rule that always fires.

use std::time::Duration;

use anyhow::{Result, ensure};
use logwatch_tests::manuals;
use logwatch_tests::server::Server;
use logwatch_tests::wait::{stays, wait_until};
use logwatch_tests::web_sink::WebSink;

use crate::SOON;

const STATUS: &str =
    "SELECT state, message FROM logwatch_status() WHERE component = 'channel' AND name = 'heartbeat'";

fn beating_server(url: &str) -> Result<Server> {
    Server::with_worker(&[("logwatch.check_interval", "1s"), ("logwatch.heartbeat_url", url)])
}

#[test]
fn the_url_is_requested_after_each_check_interval() -> Result<()> {
    let sink = WebSink::answering(&[])?;
    let server = beating_server(&sink.url())?;
    let began = std::time::Instant::now();
    let before = sink.posts().len();
    sink.wait_for_posts(SOON, before + 4)?;
    ensure!(
        began.elapsed() > Duration::from_secs(2),
        "4 requests in {:?}",
        began.elapsed()
    );
    assert_eq!(server.sql(STATUS)?, "ok|requested every 1 s while checks run");
    Ok(())
}

#[test]
fn no_request_is_sent_while_checks_cannot_run() -> Result<()> {
    let sink = WebSink::answering(&[])?;
    let server = beating_server(&sink.url())?;
    sink.wait_for_posts(SOON, 1)?;
    let mut client = server.client()?;
    client.batch_execute("BEGIN; LOCK TABLE logwatch.rules IN ACCESS EXCLUSIVE MODE")?;
    // The request of the tick that had read the table may still come.
    server.wait_for_sql(
        SOON,
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'logwatch worker' AND wait_event_type = 'Lock'",
        "t",
    )?;
    let before = sink.posts().len() + 1;
    stays(Duration::from_secs(4), "no request", || {
        Ok(sink.posts().len() <= before)
    })?;
    client.batch_execute("COMMIT")?;
    sink.wait_for_posts(SOON, before + 2)?;
    Ok(())
}

#[test]
fn a_request_that_fails_is_in_the_status_without_its_url() -> Result<()> {
    let sink = WebSink::answering(&[200, 503])?;
    let server = beating_server(&format!("{}/S3CRET", sink.url()))?;
    server.wait_for_log(SOON, "the heartbeat failed: its server replied 503")?;
    server.wait_for_sql(SOON, STATUS, "ok|requested every 1 s while checks run")?;
    drop(sink);
    wait_until(SOON, "an error", || Ok(server.sql(STATUS)?.starts_with("error|")))?;
    let shown = server.sql("SELECT * FROM logwatch_status()")? + &server.log();
    ensure!(!shown.contains("S3CRET"), "{shown}");
    Ok(())
}

#[test]
fn plain_http_to_another_host_is_not_requested() -> Result<()> {
    let server = beating_server("http://hc.example.com/S3CRET")?;
    let shown = server.sql(STATUS)?;
    ensure!(
        shown.starts_with("error|logwatch.heartbeat_url: ")
            && shown.contains("https://")
            && !shown.contains("S3CRET"),
        "{shown}"
    );
    server.wait_for_log(SOON, "the heartbeat failed: logwatch.heartbeat_url: ")
}

#[test]
fn without_the_setting_there_is_no_row() -> Result<()> {
    let server = Server::without_worker(&[])?;
    assert_eq!(server.sql(STATUS)?, "");
    Ok(())
}

#[test]
fn the_watchdog_of_the_manual_fires_and_repeats() -> Result<()> {
    let sink = WebSink::answering(&[])?;
    let url = sink.url();
    let server = Server::with_worker(&[
        ("logwatch.check_interval", "1s"),
        ("logwatch.webhook_url", url.as_str()),
    ])?;
    server.psql_script(&manuals::block_with("ERROR watchdog")?)?;
    let posts = sink.wait_for_posts(SOON, 1)?;
    assert_eq!(posts[0].body["status"], "firing");
    // Five minutes later.
    server.sql("UPDATE logwatch.alerts SET notified_at = notified_at - interval '5 minutes'")?;
    let posts = sink.wait_for_posts(SOON, 2)?;
    assert_eq!(posts[1].body["status"], "firing");
    // Retention does not end it.
    server.sql(
        "UPDATE logwatch.sources SET first_seen = now() - interval '60 days';
         UPDATE logwatch.arrivals SET last_at = now() - interval '60 days';
         UPDATE logwatch.progress SET maintained_at = now() - interval '1 day'",
    )?;
    server.sql("SELECT logwatch_maintain()")?;
    assert_eq!(
        server.sql("SELECT name FROM logwatch.sources; SELECT state FROM logwatch.alerts")?,
        "watchdog\nfiring"
    );
    Ok(())
}
