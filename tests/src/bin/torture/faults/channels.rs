//! A channel in trouble that must delay no mail: a webhook that hangs, a flooded server log.

use anyhow::{Result, ensure};
use logwatch_tests::wait::wait_until;

use super::{Fault, Scene};
use crate::stage::{SOON, Stage};

/// More lines for the server log than the worker writes while the round lasts.
const FLOOD: usize = 3000;

/// Longer than any mail of the round may take.
const WEBHOOK_TIMEOUT: &str = "'60s'";

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
    mails_are_sent(scene)?;
    let stage = &*scene.stage;
    let ended =
        "SELECT count(*) FROM logwatch.notifications WHERE channel = 'webhook' AND last_error IS NOT NULL";
    ensure!(
        stage.server.sql(ended)? == "0",
        "the mails waited for the webhook's answer"
    );
    drop(open);
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
    mails_are_sent(scene)?;
    let later = scene.stage.server.sql(&format!(
        "SELECT count(*) FROM logwatch.notifications
          WHERE channel = 'log' AND reason = 'report'
            AND (state = 'queued' OR sent_at > (SELECT max(sent_at) FROM logwatch.notifications WHERE {}))",
        mails_of_round(scene)
    ))?;
    ensure!(later != "0", "the mails waited for {FLOOD} lines");
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

/// A condition for the round's notifications by e-mail.
fn mails_of_round(scene: &Scene) -> String {
    format!(
        "channel = 'email' AND alert_id IN (SELECT id FROM logwatch.alerts WHERE rule LIKE '{} %')",
        scene.sources[0].round
    )
}

/// Waits for the mails of the round's alerts. The fault still lasts then: a busy machine may be
/// slow, but a mail that waits for the end of the fault is not sent.
pub fn mails_are_sent(scene: &Scene) -> Result<()> {
    let sent = format!(
        "SELECT count(*) > 0 AND count(*) FILTER (WHERE state IN ('queued', 'sending')) = 0
           FROM logwatch.notifications WHERE {}",
        mails_of_round(scene)
    );
    wait_until(SOON, "the mails of the round", || {
        Ok(scene.stage.server.sql(&sent)? == "t")
    })
}
