//! Disks that have no byte left.

use anyhow::{Context, Result};
use logwatch_tests::wait::wait_until;

use super::Scene;
use crate::stage::SOON;

const FULL: &str = "No space left on device";
const MISSING: &str = "this fault needs disks";

/// PostgreSQL panics when it needs a new segment and has no room for it, and may not come up again
/// before there is some.
pub fn fill_wal(scene: &mut Scene) -> Result<(String, String)> {
    let from = scene.stage.server.log().len();
    let disks = scene.stage.disks.as_ref().context(MISSING)?;
    disks.wal.fill()?;
    wait_until(SOON, "a new segment to be refused", || {
        // A session that asks for a new segment until the server ends it.
        let refused = scene
            .stage
            .server
            .sql("SELECT pg_switch_wal(); SELECT pg_logical_emit_message(false, '', 'x')")
            .is_err();
        Ok(refused)
    })?;
    let full = scene.stage.wait_for_log(from, FULL)?;
    let said = scene.tailers.wait_for_words("trying again")?;
    disks.wal.empty()?;
    wait_until(SOON, "the server to answer again", || {
        // It may still be on its way down, with the word that it is ready left from before.
        scene.stage.server.start()?;
        Ok(scene.stage.server.sql("SELECT").is_ok())
    })?;
    Ok((full, said))
}

/// Reading goes on, storing does not. The server's log is on that disk, too: the error reaches the
/// tailer only.
pub fn fill_data(scene: &mut Scene) -> Result<(String, String)> {
    let disks = scene.stage.disks.as_ref().context(MISSING)?;
    disks.data.fill()?;
    let full = scene.tailers.wait_for_words("SQLSTATE 53100")?;
    let said = scene.tailers.wait_for_words(FULL)?;
    disks.data.empty()?;
    Ok((full, said))
}

/// Alerts and mails go on without the file.
pub fn fill_alerts(scene: &mut Scene) -> Result<(String, String)> {
    let from = scene.stage.server.log().len();
    let disks = scene.stage.disks.as_ref().context(MISSING)?;
    disks.alerts.fill()?;
    let full = scene.stage.wait_for_log(from, FULL)?;
    let said = scene.stage.wait_for_status("channel", "file", "error", FULL)?;
    disks.alerts.empty()?;
    scene.stage.wait_for_status("channel", "file", "ok", "")?;
    Ok((full, said))
}
