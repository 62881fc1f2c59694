//! A network that fails between the tailer and the server.

use std::time::Duration;

use anyhow::Result;
use logwatch_tests::proxy::Network;
use logwatch_tests::wait::wait_until;

use super::Scene;
use crate::stage::SOON;

const RETRIES: &str = "trying again";

pub fn reset(scene: &mut Scene) -> Result<String> {
    scene.stage.network.set(Network::Resets);
    let said = scene.wait_for_silence()?;
    scene.tailers.wait_for_words(RETRIES)?;
    scene.stage.network.set(Network::Passes);
    Ok(said)
}

/// Nothing goes through, then all of it does, or the connection is reset after all.
pub fn stall(scene: &mut Scene) -> Result<String> {
    scene.stage.network.set(Network::Stalls);
    let said = scene.wait_for_silence()?;
    std::thread::sleep(Duration::from_millis(scene.random.u64(0..500)));
    if scene.random.bool() {
        scene.stage.network.set(Network::Resets);
        scene.tailers.wait_for_words(RETRIES)?;
    }
    scene.stage.network.set(Network::Passes);
    Ok(said)
}

pub fn cut_request(scene: &mut Scene) -> Result<String> {
    let bytes = scene.random.usize(0..4000);
    once(scene, Network::CutsRequest(bytes))
}

pub fn lose_answer(scene: &mut Scene) -> Result<String> {
    once(scene, Network::LosesAnswer)
}

/// Sets the network so until it has struck one connection.
fn once(scene: &mut Scene, network: Network) -> Result<String> {
    let before = scene.stage.network.struck();
    scene.stage.network.set(network);
    wait_until(SOON, "a call to be cut", || {
        Ok(scene.stage.network.struck() > before)
    })?;
    scene.stage.network.set(Network::Passes);
    scene.tailers.wait_for_words(RETRIES)
}
