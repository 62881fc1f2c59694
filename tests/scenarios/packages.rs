//! The Debian packages: built, looked at by lintian, installed into a root of their own, used and
//! removed; and the tailer installed alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Result, ensure};
use logwatch_tests::programs;

#[test]
fn the_packages_install_work_and_leave_nothing() -> Result<()> {
    if !programs::is_root() {
        println!("skipped: dpkg unpacks as root only");
        return Ok(());
    }
    let output = Command::new(programs::checkout().join("extension/package/package_test.sh")).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{said}");
    ensure!(said.contains("the packages are good"), "{said}");
    Ok(())
}

#[test]
fn install_tailer_asks_postgresql_for_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    // A host without PostgreSQL has no pg_config. This one tells that it was called.
    let calls = path("calls");
    for program in ["pg_config", "cargo-pgrx"] {
        let file = path(program);
        fs::write(
            &file,
            format!("#!/bin/sh\necho $0 >>{}\nexit 1\n", calls.display()),
        )?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    let search = format!("{}:{}", folder.path().display(), std::env::var("PATH")?);
    let output = Command::new("make")
        .arg("install-tailer")
        .arg(format!("PREFIX={}", path("prefix").display()))
        .current_dir(programs::checkout())
        .env("PATH", search)
        .env("PROFILE", "dev")
        .env_remove("PGRX_PG_CONFIG_PATH")
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{said}");
    ensure!(!calls.exists(), "{}", fs::read_to_string(&calls)?);
    for file in [
        "bin/logwatch-tailer",
        "share/man/man8/logwatch-tailer.8",
        "share/bash-completion/completions/logwatch-tailer",
        "share/zsh/site-functions/_logwatch-tailer",
        "share/fish/vendor_completions.d/logwatch-tailer.fish",
    ] {
        let size = fs::metadata(path("prefix").join(file))?.len();
        ensure!(size > 0, "{file} is empty");
    }
    let version = Command::new(path("prefix/bin/logwatch-tailer"))
        .arg("--version")
        .output()?;
    ensure!(version.status.success());
    Ok(())
}
