//! The Debian packages: built, looked at by lintian, installed into a root of their own, used and
//! removed.

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
