//! Sessions of other roles that hold locks and stay: neither a check nor a mail waits for them.

use anyhow::{Result, ensure};
use logwatch_tests::server::run;
use logwatch_tests::wait::{wait_for, wait_until};

use super::Scene;
use super::channels::mails_are_sent;
use crate::stage::SOON;

/// Any role may take advisory locks. This one may do nothing else.
const GUEST: &str = "guest";
/// Keys of one number and of two, as many as the lock table of a small server holds.
const LOCKS: &str =
    "SELECT count(pg_advisory_lock(i)), count(pg_advisory_lock(i, i)) FROM generate_series(-500, 500) AS i";

pub fn hold_advisory_locks(scene: &mut Scene) -> Result<(String, String)> {
    scene.stage.server.sql(&format!(
        "DO $$ BEGIN CREATE ROLE {GUEST} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    ))?;
    let mut guest = scene.stage.server.client_as(GUEST, "postgres")?;
    run(&mut guest, LOCKS)?;
    checks_go_on(scene)?;
    let held = scene
        .stage
        .server
        .sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")?;
    ensure!(held == "2002", "{held} advisory locks are held");
    let seen = scene
        .stage
        .wait_for_status("worker", "worker", "running", "The last check ran")?;
    mails_are_sent(scene)?;
    Ok((format!("{held} advisory locks are held"), seen))
}

pub fn hold_acknowledgement(scene: &mut Scene) -> Result<(String, String)> {
    let server = &scene.stage.server;
    let open = format!(
        "SELECT min(id) FROM logwatch.alerts WHERE rule LIKE '{} by %' AND state = 'firing'",
        scene.sources[0].round
    );
    let alert = wait_for(SOON, "an alert of the round", || {
        Ok(server.sql(&open)?.parse::<i64>().ok())
    })?;
    let mut operator = server.client()?;
    run(
        &mut operator,
        &format!("BEGIN; SELECT public.logwatch_ack({alert}, 'looking')"),
    )?;
    // The alert itself is evaluated: its count grows with the records that are still written.
    let peak = format!("SELECT peak FROM logwatch.alerts WHERE id = {alert}");
    let before: i64 = server.sql(&peak)?.parse()?;
    wait_until(SOON, "the acknowledged alert to count on", || {
        Ok(server.sql(&peak)?.parse::<i64>()? > before)
    })?;
    checks_go_on(scene)?;
    let seen = scene
        .stage
        .wait_for_status("worker", "worker", "running", "The last check ran")?;
    mails_are_sent(scene)?;
    let acknowledged = format!("SELECT count(*) FROM logwatch.acknowledgements WHERE alert_id = {alert}");
    ensure!(
        scene.stage.server.sql(&acknowledged)? == "0",
        "the acknowledgement is not committed yet"
    );
    let held = scene.stage.server.sql(
        "SELECT state || ', ' || mode || ' on logwatch.acknowledgements' FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE relation = 'logwatch.acknowledgements'::regclass AND mode = 'RowExclusiveLock' AND state = 'idle in transaction'",
    )?;
    run(
        &mut operator,
        if scene.random.bool() { "COMMIT" } else { "ROLLBACK" },
    )?;
    Ok((held, seen))
}

/// Waits until a check has begun and ended since now.
fn checks_go_on(scene: &Scene) -> Result<()> {
    let server = &scene.stage.server;
    let now = server.sql("SELECT clock_timestamp()")?;
    wait_until(SOON, "a check beside the held locks", || {
        Ok(server.sql(&format!(
            "SELECT checked_at - took > '{now}' FROM logwatch.progress"
        ))? == "t")
    })
}
