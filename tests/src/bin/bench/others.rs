//! The programs that do a part of the same job. The scripts in tests/bench/ write their
//! configuration and become them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use logwatch_tests::process::Process;
use logwatch_tests::programs;

/// Whether a program is there.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|directory| directory.join(program).is_file())
}

/// The command that runs a script of tests/bench/ in a directory of its own.
pub fn script(name: &str, directory: &Path) -> Command {
    let mut command = Command::new("bash");
    command
        .arg(programs::checkout().join("tests/bench").join(name))
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Starts a script; it and what it became end with the result.
pub fn start(mut command: Command) -> Result<Process> {
    Process::spawn(&mut command, libc::SIGTERM)
}
