//! A network that fails between the tailer and the server.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::link::Condition;
use logwatch_tests::wait::wait_until;

use super::Scene;
use crate::stage::SOON;

const RETRIES: &str = "trying again";

pub fn reset(scene: &mut Scene) -> Result<String> {
    scene.stage.network.set(Condition::Down);
    let said = scene.wait_for_silence()?;
    scene.tailers.wait_for_words(RETRIES)?;
    scene.stage.network.set(Condition::Up);
    Ok(said)
}

/// Nothing goes through, then all of it does, or the connection is reset after all.
pub fn stall(scene: &mut Scene) -> Result<String> {
    scene.stage.network.set(Condition::Stalled);
    let said = scene.wait_for_silence()?;
    std::thread::sleep(Duration::from_millis(scene.random.u64(0..500)));
    if scene.random.bool() {
        scene.stage.network.set(Condition::Down);
        scene.tailers.wait_for_words(RETRIES)?;
    }
    scene.stage.network.set(Condition::Up);
    Ok(said)
}

pub fn cut_request(scene: &mut Scene) -> Result<String> {
    let bytes = scene.random.usize(0..4000);
    once(scene, Condition::CutsRequest(bytes))
}

pub fn lose_answer(scene: &mut Scene) -> Result<String> {
    once(scene, Condition::LosesAnswer)
}

/// Sets the network so until it has struck one connection.
fn once(scene: &mut Scene, condition: Condition) -> Result<String> {
    let before = scene.stage.network.struck();
    scene.stage.network.set(condition);
    wait_until(SOON, "a call to be cut", || {
        Ok(scene.stage.network.struck() > before)
    })?;
    scene.stage.network.set(Condition::Up);
    scene.tailers.wait_for_words(RETRIES)
}
