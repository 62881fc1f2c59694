//! A channel in trouble that must delay no mail: a webhook that hangs, a flooded server log.

use anyhow::{Result, ensure};
use logwatch_tests::wait::wait_until;

use super::{Fault, Scene};
use crate::stage::{SOON, Stage};

/// More lines for the server log than the worker writes while the round lasts.
const FLOOD: usize = 3000;

/// The longest time from an alert to its mail. A busy machine needs far less, a mail that waits for
/// the other channel far more.
const LATE: &str = "10 seconds";
/// The webhook may take longer than that.
const WEBHOOK_TIMEOUT: &str = "'30s'";

/// The first alerts of the round meet the fault.
pub fn prepare(fault: Fault, stage: &Stage) -> Result<()> {
    if fault == Fault::WebhookHanging {
        set_webhook(stage, &format!("'{}'", stage.hanging_url()?), WEBHOOK_TIMEOUT)?;
        return Ok(());
    }
    stage.server.sql("SELECT logwatch_report('log')")?;
    stage.server.sql(&format!(
        "INSERT INTO logwatch.notifications (channel, reason, urgency, message_id, payload)
         SELECT n.channel, n.reason, 3, gen_random_uuid()::text, n.payload
           FROM (SELECT * FROM logwatch.notifications WHERE channel = 'log' AND reason = 'report' LIMIT 1) AS n,
                generate_series(1, {FLOOD})"
    ))?;
    Ok(())
}

pub fn look_at_webhook(scene: &mut Scene) -> Result<(String, String)> {
    let (request, open) = scene.stage.hanging_request()?;
    mails_are_on_time(scene)?;
    drop(open);
    let stage = &*scene.stage;
    let seen = stage.wait_for_status_while("channel", "webhook", "failing", "last error: ", || {
        stage.hang_up()
    })?;
    set_webhook(stage, "DEFAULT", "DEFAULT")?;
    let sending = "DELETE FROM logwatch.notifications WHERE channel = 'webhook' AND state <> 'sending';
                   SELECT count(*) FROM logwatch.notifications WHERE channel = 'webhook'";
    wait_until(SOON, "the webhook to be left alone", || {
        stage.hang_up()?;
        Ok(stage.server.sql(sending)? == "0")
    })?;
    Ok((format!("no reply to: {request}"), seen))
}

pub fn look_at_log(scene: &mut Scene) -> Result<(String, String)> {
    let (_, waiting) = scene.stage.status("channel", "log")?;
    let lines: usize = waiting
        .split(' ')
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap_or_default();
    ensure!(lines > FLOOD / 10, "the flood is not in the status: {waiting}");
    mails_are_on_time(scene)?;
    scene.stage.server.sql(
        "DELETE FROM logwatch.notifications WHERE channel = 'log' AND reason = 'report' AND state = 'queued'",
    )?;
    Ok((format!("{lines} lines queued"), format!("channel log: {waiting}")))
}

fn set_webhook(stage: &Stage, url: &str, timeout: &str) -> Result<()> {
    for (name, value) in [("smtp_timeout", timeout), ("webhook_url", url)] {
        stage
            .server
            .sql(&format!("ALTER SYSTEM SET logwatch.{name} = {value}"))?;
    }
    stage.server.sql("SELECT pg_reload_conf()")?;
    Ok(())
}

/// Waits for a mail of the round; none may be late.
pub fn mails_are_on_time(scene: &Scene) -> Result<()> {
    let of_round = format!(
        "channel = 'email' AND alert_id IN (SELECT id FROM logwatch.alerts WHERE rule LIKE '{} %')",
        scene.sources[0].round
    );
    let sent = format!("SELECT count(*) > 0 FROM logwatch.notifications WHERE {of_round} AND state = 'sent'");
    wait_until(SOON, "a mail of the round", || {
        Ok(scene.stage.server.sql(&sent)? == "t")
    })?;
    let late = scene.stage.server.sql(&format!(
        "SELECT max(COALESCE(sent_at, clock_timestamp()) - created_at) > interval '{LATE}',
                max(COALESCE(sent_at, clock_timestamp()) - created_at)
           FROM logwatch.notifications WHERE {of_round}"
    ))?;
    ensure!(late.starts_with("f|"), "a mail was late: {late}");
    Ok(())
}
