//! A network that fails between the tailer and the server.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::link::Condition;
use logwatch_tests::wait::wait_until;

use super::{CALL_ENDED, RETRIES, Scene};
use crate::stage::SOON;

pub fn reset(scene: &mut Scene) -> Result<(String, String)> {
    let before = scene.stage.network.struck();
    scene.stage.network.set(Condition::Down);
    let said = scene.wait_for_silence()?;
    scene.tailers.wait_for_words(RETRIES)?;
    let reset = struck(scene, before)?;
    scene.stage.network.set(Condition::Up);
    Ok((reset, said))
}

/// Waits until the network has ended a connection of those that there were.
fn struck(scene: &Scene, before: usize) -> Result<String> {
    let network = &scene.stage.network;
    wait_until(SOON, "a connection to be cut", || Ok(network.struck() > before))?;
    Ok(format!("{} connections cut", network.struck() - before))
}

/// Nothing goes through, then all of it does, or the connection is reset after all.
pub fn stall(scene: &mut Scene) -> Result<(String, String)> {
    let before = scene.stage.network.held();
    scene.stage.network.set(Condition::Stalled);
    let said = scene.wait_for_silence()?;
    let network = &scene.stage.network;
    wait_until(SOON, "data to be held back", || Ok(network.held() > before))?;
    let held = network.held() - before;
    std::thread::sleep(Duration::from_millis(scene.random.u64(0..500)));
    if scene.random.bool() {
        scene.stage.network.set(Condition::Down);
        scene.tailers.wait_for_words(RETRIES)?;
    }
    scene.stage.network.set(Condition::Up);
    Ok((format!("{held} pieces of data held back"), said))
}

pub fn cut_request(scene: &mut Scene) -> Result<(String, String)> {
    let bytes = scene.random.usize(0..4000);
    once(scene, Condition::CutsRequest(bytes))
}

pub fn lose_answer(scene: &mut Scene) -> Result<(String, String)> {
    once(scene, Condition::LosesAnswer)
}

/// Sets the network so until it has struck one connection.
fn once(scene: &mut Scene, condition: Condition) -> Result<(String, String)> {
    let before = scene.stage.network.struck();
    scene.stage.network.set(condition);
    let cut = struck(scene, before)?;
    scene.stage.network.set(Condition::Up);
    Ok((cut, scene.tailers.wait_for_one_of(&CALL_ENDED)?))
}
