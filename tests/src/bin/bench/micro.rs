//! Single steps of reading a record, by divan: extension/record/benches.

use std::process::Command;

use anyhow::{Result, bail};
use logwatch_tests::programs;

use crate::table::Table;

pub fn run(table: &mut Table) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "bench",
            "--quiet",
            "--package",
            "logwatch-record",
            "--bench",
            "record",
        ])
        .current_dir(programs::checkout())
        .status()?;
    if !status.success() {
        bail!("cargo bench ended with {status}");
    }
    table.note("micro: times of single steps are above, by divan".to_owned());
    Ok(())
}
