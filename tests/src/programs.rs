//! Where the programs under test are: the private PostgreSQL tree and what cargo has built. Builds nothing; `make build`
//! (or any other target that needs it) does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// The project's root folder.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the manifest lies in tests/")
}

/// The pg_config of the private tree, see `private_postgres.sh`.
pub fn pg_config() -> Result<&'static Path> {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = FOUND.get() {
        return Ok(path);
    }
    let script = checkout().join("tests/private_postgres.sh");
    let output = Command::new(&script)
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !output.status.success() {
        bail!(
            "{} failed: {}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let path = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
    Ok(FOUND.get_or_init(|| path))
}

/// The directory that holds the private tree and may hold what else the server's user must be able to read: `target/`, or
/// its stand-in where user postgres cannot get there.
pub fn private_dir() -> Result<PathBuf> {
    let tree = pg_config()?.ancestors().find(|dir| dir.join("stamp").is_file());
    let parent = tree
        .and_then(Path::parent)
        .context("the private PostgreSQL tree has no stamp")?;
    Ok(parent.to_owned())
}

/// One of PostgreSQL's programs in the private tree.
pub fn postgres_program(name: &str) -> Result<PathBuf> {
    Ok(pg_config()?.with_file_name(name))
}

/// Whether `make build` has put logwatch into the private tree.
pub fn extension_is_installed() -> Result<bool> {
    let output = Command::new(pg_config()?).arg("--sharedir").output()?;
    let sharedir = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
    Ok(sharedir.join("extension/logwatch.control").exists())
}

/// A binary (`logwatch-tailer`) or example (`examples/generate_logs`) built with the same profile as this program.
pub fn built(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    // Tests run from target/PROFILE/deps/, binaries from target/PROFILE/.
    let found = this
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "{name} is not built beside {}; run `make build` first",
            this.display()
        )
    })
}

/// Whether this process is root, who may not run a server but may become the users that do.
pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// The user and group id that user `name` has on this machine.
pub fn ids(name: &str) -> Result<(u32, u32)> {
    let id = |flag: &str| -> Result<u32> {
        let output = Command::new("id").args([flag, name]).output()?;
        if !output.status.success() {
            bail!("there is no user {name}");
        }
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    Ok((id("-u")?, id("-g")?))
}
