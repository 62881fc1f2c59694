//! Where the programs under test are: the private PostgreSQL tree and what cargo has built. Builds
//! nothing; `make build` (or any other target that needs it) does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

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
    let path = private_postgres(&mut Command::new(private_postgres_script()))?;
    Ok(FOUND.get_or_init(|| path))
}

/// The pg_config of the private copy of this machine's own PostgreSQL, whichever one is tested.
pub fn machines_pg_config() -> Result<PathBuf> {
    private_postgres(Command::new(private_postgres_script()).env_remove("PG_CONFIG"))
}

/// The pg_config of a PostgreSQL of this major version from PyPI.
pub fn pypi_pg_config(major: u32) -> Result<PathBuf> {
    private_postgres(Command::new(private_postgres_script()).args(["--pypi", &major.to_string()]))
}

fn private_postgres_script() -> PathBuf {
    checkout().join("extension/package/private_postgres.sh")
}

/// Runs the script that makes private trees, which prints the path of a pg_config.
fn private_postgres(command: &mut Command) -> Result<PathBuf> {
    Ok(PathBuf::from(printed(command)?))
}

/// Returns the output of a program, without the end of the line.
fn printed(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Asks a pg_config for its `sharedir`, `pkglibdir` or `version`.
pub fn ask_pg_config(pg_config: &Path, what: &str) -> Result<String> {
    printed(Command::new(pg_config).arg(format!("--{what}")))
}

/// The major version of the PostgreSQL of a pg_config.
pub fn major_version(pg_config: &Path) -> Result<u32> {
    let version = ask_pg_config(pg_config, "version")?;
    let digits: String = version
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits
        .parse()
        .with_context(|| format!("no version in {version:?}"))
}

/// The directory that holds the private tree and may hold what else the server's user must be able
/// to read: `target/`, or its stand-in where user postgres cannot get there.
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

/// Fails when the PostgreSQL of a pg_config has no logwatch, and names the command that installs it
/// there.
pub fn require_extension(pg_config: &Path) -> Result<()> {
    let control = PathBuf::from(ask_pg_config(pg_config, "sharedir")?).join("extension/logwatch.control");
    ensure!(
        control.is_file(),
        "{} is missing: the extension is not built; type `make build`, then run the test again",
        control.display()
    );
    Ok(())
}

/// Puts the logwatch of one tree into another one of the same major version.
pub fn copy_extension(from: &Path, to: &Path) -> Result<()> {
    let library = |pg_config: &Path| -> Result<PathBuf> {
        Ok(PathBuf::from(ask_pg_config(pg_config, "pkglibdir")?).join("logwatch.so"))
    };
    fs::copy(library(from)?, library(to)?)?;
    let scripts = |pg_config: &Path| -> Result<PathBuf> {
        Ok(PathBuf::from(ask_pg_config(pg_config, "sharedir")?).join("extension"))
    };
    for entry in fs::read_dir(scripts(from)?)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("logwatch") {
            fs::copy(entry.path(), scripts(to)?.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A binary (`logwatch-tailer`) or example (`examples/generate_logs`) built with the same profile
/// as this program. `LOGWATCH_TAILER` names another tailer, that of an earlier release.
pub fn built(name: &str) -> Result<PathBuf> {
    if name == "logwatch-tailer"
        && let Some(other) = std::env::var_os("LOGWATCH_TAILER")
    {
        return Ok(PathBuf::from(other));
    }
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
            "{name} is not built beside {}; type `make build`, then run the test again",
            this.display()
        )
    })
}

/// A monitoring program that `install_missing.sh test` has unpacked; nothing, and a line of output,
/// where it is not there.
pub fn monitoring(name: &str) -> Option<PathBuf> {
    let tree = checkout().join("target/monitoring/usr");
    let found = ["bin", "sbin"]
        .map(|folder| tree.join(folder).join(name))
        .into_iter()
        .find(|path| path.exists());
    if found.is_none() {
        println!("skipped: {name} is not unpacked (extension/package/install_missing.sh test)");
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_the_extension_names_the_command_that_builds_it() {
        // echo stands in for pg_config: it prints its argument, which names no directory.
        let error = require_extension(Path::new("/bin/echo")).expect_err("nothing is installed");

        assert_eq!(
            error.to_string(),
            "--sharedir/extension/logwatch.control is missing: \
             the extension is not built; type `make build`, then run the test again"
        );
    }
}
