//! Servers under valgrind (`make test-valgrind`): all processes of theirs are watched, and what is
//! found fails the test.
//!
//! The server must be the one of `private_postgres.sh --cassert`, which tells valgrind what of its
//! memory is in use.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs;

/// The prefix of the reports' names in the server's directory.
const REPORT: &str = "valgrind.";

/// Valgrind and its arguments, to be followed by the server's own; None where it is not asked for.
pub fn command(server_dir: &Path) -> Result<Option<Vec<String>>> {
    if std::env::var_os("LOGWATCH_VALGRIND").is_none() {
        return Ok(None);
    }
    let known = programs::pg_config()?
        .ancestors()
        .map(|dir| dir.join("valgrind.supp"))
        .find(|path| path.is_file())
        .context(
            "this PostgreSQL was not built for valgrind; use extension/package/private_postgres.sh --cassert",
        )?;
    Ok(Some(vec![
        "/usr/bin/valgrind".to_owned(),
        "--quiet".to_owned(),
        "--leak-check=no".to_owned(),
        "--num-callers=30".to_owned(),
        format!("--suppressions={}", known.display()),
        format!(
            "--suppressions={}",
            programs::checkout().join("tests/valgrind.supp").display()
        ),
        format!("--log-file={}", server_dir.join(format!("{REPORT}%p")).display()),
    ]))
}

/// Returns valgrind's findings in the processes of a server so far.
pub fn findings(server_dir: &Path) -> Result<String> {
    let mut all = String::new();
    for entry in fs::read_dir(server_dir)? {
        let path: PathBuf = entry?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(REPORT))
        {
            all += &String::from_utf8_lossy(&fs::read(path)?);
        }
    }
    Ok(all)
}
