//! A short `make torture`, so that it stays playable: its rounds judge records, alerts and mails by
//! themselves.

use std::process::Command;

use anyhow::Result;

/// Enough for half of the faults; their order is the order of the seeds.
const ROUNDS: &str = "9";

#[test]
fn a_few_rounds_of_torture_lose_and_repeat_nothing() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_torture"))
        .env("ROUNDS", ROUNDS)
        .env("SEED", "1")
        .env("MINUTES", "0")
        .output()?;
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{printed}");
    let all = printed
        .lines()
        .find(|line| line.starts_with("| all "))
        .unwrap_or_default();
    assert!(
        all.starts_with(&format!("| all | {ROUNDS} |")) && all.contains("| 0 / 0 |"),
        "{printed}"
    );
    Ok(())
}
