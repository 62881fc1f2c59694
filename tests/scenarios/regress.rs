//! The SQL regression tests of `make installcheck`, on a server of our own.

use std::process::Command;

use anyhow::Result;
use logwatch_tests::programs;
use logwatch_tests::server::Server;

#[test]
fn make_installcheck_passes() -> Result<()> {
    let mut server = Server::create(&[])?;
    server.start()?;
    let output = Command::new("make")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .args([
            "-C",
            &programs::checkout().display().to_string(),
            "--no-print-directory",
            "installcheck",
        ])
        .arg(format!("PG_CONFIG={}", programs::pg_config()?.display()))
        .envs(server.env())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let diffs = std::fs::read_to_string(programs::checkout().join("target/regress/regression.diffs"));
    assert!(
        output.status.success(),
        "{text}\n{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        diffs.unwrap_or_default()
    );
    println!("{text}");
    Ok(())
}
