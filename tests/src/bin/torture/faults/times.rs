//! Records whose times are far from the present.

use anyhow::Result;
use fastrand::Rng;
use jiff::SignedDuration;
use logwatch_tests::wait::wait_for;

use super::Scene;
use crate::stage::SOON;

/// How far away the records of this round are.
pub fn offset(random: &mut Rng) -> SignedDuration {
    SignedDuration::from_hours([-24, -1, 1, 24][random.usize(..4)])
}

/// The status counts records that are too late to alert; a record from the future is flagged; a
/// record that is an hour late counts where it belongs.
pub fn look(scene: &mut Scene) -> Result<(String, String)> {
    let source = &scene.sources[0];
    let hours = source.offset.as_hours();
    // The time as the record says it: those of the future keep it in their text only.
    let far = wait_for_row(
        scene,
        &format!(
            "SELECT 'a record has ' || logged_at FROM logwatch.entries WHERE source_id = logwatch_private.source_id('{}')
                AND (logged_at < now() - interval '50 minutes' OR 'time_future' = ANY (flags)) LIMIT 1",
            source.name
        ),
    )?;
    let seen = match hours {
        // Each round has sources of its own, and the status itself has room for a hundred.
        -24 => wait_for_row(
            scene,
            &format!(
                "SELECT 'source ' || state || ': ' || message FROM logwatch_private.source_status(now(), 100000) \
                 WHERE name = '{}' AND state = 'ok' AND message LIKE '%later than logwatch.max_lateness%'",
                source.name
            ),
        ),
        -1 => wait_for_row(
            scene,
            &format!(
                "SELECT 'alert since ' || started_at FROM logwatch.alerts WHERE state = 'firing' AND rule LIKE '{} %' \
                 AND started_at < now() - interval '50 minutes' LIMIT 1",
                source.round
            ),
        ),
        _ => wait_for_row(
            scene,
            &format!(
                "SELECT 'entries.flags: ' || flags::text FROM logwatch.entries \
                 WHERE source_id = logwatch_private.source_id('{}') AND 'time_future' = ANY (flags) LIMIT 1",
                source.name
            ),
        ),
    }?;
    Ok((format!("{hours:+} h: {far}"), seen))
}

fn wait_for_row(scene: &Scene, query: &str) -> Result<String> {
    wait_for(SOON, &format!("a row of {query}"), || {
        let row = scene.stage.server.sql(query)?;
        Ok((!row.is_empty()).then_some(row))
    })
}
