//! Processes that die: without notice (SIGKILL, SIGQUIT) or by request.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::process::signal_pid;
use logwatch_tests::server::{Server, Stop};
use logwatch_tests::wait::wait_for;

use super::{CALL_ENDED, RETRIES, Scene};
use crate::stage::SOON;

/// A while of an outage.
fn last(scene: &mut Scene) {
    std::thread::sleep(Duration::from_millis(scene.random.u64(0..800)));
}

pub fn kill_tailers(scene: &mut Scene) -> Result<(String, String)> {
    let killed = scene.tailers.kill()?;
    let said = scene.wait_for_silence()?;
    last(scene);
    scene.tailers.start_missing(&scene.stage.server)?;
    Ok((killed, said))
}

/// Tailer and server die, in either order, and come back in either order.
pub fn kill_both(scene: &mut Scene) -> Result<(String, String)> {
    if scene.random.bool() {
        let tailer = scene.tailers.kill()?;
        let silence = scene.wait_for_silence()?;
        let server = kill_server(scene)?;
        last(scene);
        scene.tailers.start_missing(&scene.stage.server)?;
        scene.tailers.wait_for_words(RETRIES)?;
        scene.stage.server.start()?;
        return Ok((format!("{tailer}, then {server}"), silence));
    }
    let server = kill_server(scene)?;
    let said = scene.tailers.wait_for_words(RETRIES)?;
    let tailer = scene.tailers.kill()?;
    last(scene);
    scene.stage.server.start()?;
    scene.tailers.start_missing(&scene.stage.server)?;
    Ok((format!("{server}, then {tailer}"), said))
}

/// To PostgreSQL a killed worker is a crash: every session ends, the server recovers.
pub fn kill_worker(scene: &mut Scene) -> Result<(String, String)> {
    let from = scene.stage.server.log().len();
    let pid = scene.stage.server.wait_for_worker(SOON, None)?;
    signal_pid(pid, libc::SIGKILL);
    let killed = scene
        .stage
        .wait_for_log(from, &format!("(PID {pid})"))
        .context("the end of the worker")?;
    anyhow::ensure!(
        killed.contains("logwatch worker") && killed.contains("signal 9"),
        "the log has {killed}"
    );
    let said = scene.tailers.wait_for_one_of(&CALL_ENDED)?;
    scene.stage.server.wait_for_worker(SOON, Some(pid))?;
    Ok((killed, said))
}

pub fn terminate_worker(scene: &mut Scene) -> Result<(String, String)> {
    let from = scene.stage.server.log().len();
    let pid = scene.stage.server.wait_for_worker(SOON, None)?;
    signal_pid(pid, libc::SIGTERM);
    // The next worker may be there before anyone has looked.
    let said = wait_for(SOON, "the status of the worker that has ended", || {
        let (state, message) = scene.stage.status("worker", "worker")?;
        if state == "starting" {
            return Ok(Some(format!("worker {state}: {message}")));
        }
        let next = scene.stage.server.sql(&format!(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'logwatch worker' AND pid <> {pid}"
        ))?;
        Ok((!next.is_empty()).then(|| format!("worker {state}: as PID {next}")))
    })?;
    scene.stage.server.wait_for_worker(SOON, Some(pid))?;
    scene.stage.wait_for_status("worker", "worker", "running", "")?;
    let ended = scene
        .stage
        .wait_for_log(from, &format!("(PID {pid}) exited with exit code 1"))?;
    Ok((ended, said))
}

pub fn kill_ingest(scene: &mut Scene) -> Result<(String, String)> {
    let from = scene.stage.server.log().len();
    let server = &scene.stage.server;
    let mut blocker = server.client()?;
    let pid = if scene.random.bool() {
        // Held by a lock in the middle of its transaction, so that the kill surely meets it there.
        blocker.batch_execute(&format!(
            "BEGIN; SELECT FROM logwatch.sources WHERE name = '{}' FOR UPDATE",
            scene.sources[0].name
        ))?;
        ingesting(
            server,
            "AND wait_event_type = 'Lock' AND query LIKE '%logwatch_ingest%'",
        )?
    } else {
        ingesting(server, "")?
    };
    signal_pid(pid, libc::SIGKILL);
    let killed = scene.stage.wait_for_log(from, &format!("(PID {pid})"))?;
    anyhow::ensure!(killed.contains("signal 9"), "the log has {killed}");
    Ok((killed, scene.tailers.wait_for_one_of(&CALL_ENDED)?))
}

/// The backend of a tailer.
fn ingesting(server: &Server, more: &str) -> Result<i32> {
    let query =
        format!("SELECT pid FROM pg_stat_activity WHERE application_name = 'logwatch-tailer' {more} LIMIT 1");
    wait_for(SOON, "a backend in ingest", || {
        Ok(server.sql(&query)?.parse().ok())
    })
}

pub fn kill_postmaster(scene: &mut Scene) -> Result<(String, String)> {
    Ok((kill_server(scene)?, away(scene)?))
}

fn kill_server(scene: &mut Scene) -> Result<String> {
    let status = scene.stage.server.kill()?;
    anyhow::ensure!(status.signal() == Some(libc::SIGKILL), "the postmaster: {status}");
    Ok(format!("the postmaster: {status}"))
}

pub fn shut_down(scene: &mut Scene) -> Result<(String, String)> {
    let from = scene.stage.server.log().len();
    scene.stage.server.stop(Stop::Immediate)?;
    let stopped = scene.stage.wait_for_log(from, "immediate shutdown")?;
    Ok((stopped, away(scene)?))
}

/// The server is gone for a while.
fn away(scene: &mut Scene) -> Result<String> {
    let said = scene.tailers.wait_for_words(RETRIES)?;
    last(scene);
    scene.stage.server.start()?;
    Ok(said)
}
