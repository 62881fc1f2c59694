//! A base backup that is started beside the original, with the original's mail server and queue.

use std::time::Duration;

use anyhow::{Result, ensure};
use logwatch_tests::mail_sink::Mail;
use logwatch_tests::server::Server;
use logwatch_tests::wait::{stays, wait_until};

use super::Scene;
use crate::plan::PATTERNS;
use crate::stage::{SOON, Stage};

/// The port of the clone, which `logwatch.only_on` of the original does not name.
const PORT: &str = "5433";

/// More than two check intervals of the worker.
const SILENCE: Duration = Duration::from_millis(2500);

/// The clone gets records that meet the rules of the round, and keeps silent until it is adopted.
pub fn look(scene: &mut Scene) -> Result<(String, String)> {
    let stage = &*scene.stage;
    // Clones of earlier rounds have sent mails.
    let before = stage.mail.mails().len();
    let mut clone = Server::backup_of(&stage.server, &[])?;
    let alert_file = clone.dir().join("alerts.txt").display().to_string();
    clone.set(&[("port", PORT), ("logwatch.alert_file", &alert_file)])?;
    clone.start()?;
    clone.wait_for_worker(SOON, None)?;
    clone.wait_for_sql(
        SOON,
        "SELECT state FROM logwatch_status() WHERE component = 'worker'",
        "copied",
    )?;
    let seen = clone.sql("SELECT message FROM logwatch_status() WHERE component = 'worker'")?;

    let source = &scene.sources[0];
    let ingest = format!(
        "SELECT logwatch_ingest('ERROR {} failed', '{}') FROM generate_series(1, 20)",
        PATTERNS[0], source.name
    );
    clone.sql(&ingest)?;
    stays(SILENCE, "the clone's silence", || {
        Ok(sent_by_clone(stage, before).is_empty())
    })?;

    // The recipients of the round have their mails from the original.
    let adopter = format!("clone.{}@example.com", source.round);
    clone.sql(&format!(
        "UPDATE logwatch.rules SET recipients = '{{{adopter}}}';
         DELETE FROM logwatch.notifications WHERE state <> 'sent'"
    ))?;
    clone.sql("SELECT logwatch_adopt()")?;
    clone.sql(&format!(
        "INSERT INTO logwatch.rules (name, source, recipients) VALUES ('{} clone', '{}', '{{{adopter}}}')",
        source.round, source.name
    ))?;
    wait_until(SOON, "a mail of the adopted clone", || {
        Ok(!sent_by_clone(stage, before).is_empty())
    })?;
    let strangers: Vec<_> = sent_by_clone(stage, before)
        .into_iter()
        .flat_map(|mail| mail.to)
        .filter(|to| *to != adopter)
        .collect();
    ensure!(strangers.is_empty(), "the clone has sent mails to {strangers:?}");
    Ok((
        format!("the clone sent nothing for {SILENCE:?}, and a mail once it was adopted"),
        seen,
    ))
}

/// The mails of the clone after the first so many: mails end with host and port of the server that
/// sends.
fn sent_by_clone(stage: &Stage, after: usize) -> Vec<Mail> {
    let clone = format!(":{PORT}, system ");
    let mut mails = stage.mail.mails().split_off(after);
    mails.retain(|mail| mail.text().contains(&clone));
    mails
}
