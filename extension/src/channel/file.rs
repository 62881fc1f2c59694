//! The alert file: the present status, replaced as a whole, so that a reader never sees half of it.

use std::ffi::CString;
use std::fs::{Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::with_limit::Place;

/// How long a process waits for the file's file system.
const LIMIT: Duration = Duration::from_millis(500);

/// The file system that the alert file is in, which may hang.
static PLACE: Place = Place::new();

/// Why the alert file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    #[error("must be an absolute path")]
    Relative,
    #[error("its directory does not exist")]
    NoDirectory,
    #[error("the server's user may not write into its directory; type: chown or chmod {}", .0.display())]
    NotWritable(PathBuf),
    #[error("it exists and is no file; name another one")]
    NoFile,
    #[error("cannot be written: {0}")]
    Io(#[from] io::Error),
    #[error("its file system does not answer; is a mount dead?")]
    Hangs,
}

/// Checks what keeps the file from being written, as far as its path tells.
pub fn check_alert_file(file: &Path) -> Result<(), FileProblem> {
    let file = file.to_owned();
    PLACE
        .run(LIMIT, move || check(&file))
        .unwrap_or(Err(FileProblem::Hangs))
}

/// Replaces the file with a text that everybody on the host may read, whatever the umask.
pub fn write_alert_file(file: &Path, text: String) -> Result<(), FileProblem> {
    let file = file.to_owned();
    PLACE
        .run(LIMIT, move || write(&file, &text))
        .unwrap_or(Err(FileProblem::Hangs))
}

/// May hang where the file system does.
fn check(file: &Path) -> Result<(), FileProblem> {
    if !file.is_absolute() {
        return Err(FileProblem::Relative);
    }
    let folder = file.parent().filter(|folder| folder.is_dir());
    let folder = folder.ok_or(FileProblem::NoDirectory)?;
    if !may_write(folder) {
        return Err(FileProblem::NotWritable(folder.to_owned()));
    }
    // A FIFO or a device would be replaced by a file, and its reader would wait for ever.
    let replaceable = |meta: &Metadata| meta.is_file() || meta.is_symlink();
    match std::fs::symlink_metadata(file) {
        Ok(meta) if !replaceable(&meta) => Err(FileProblem::NoFile),
        _ => Ok(()),
    }
}

/// Whether this process's user may make files in a directory.
fn may_write(folder: &Path) -> bool {
    CString::new(folder.as_os_str().as_bytes())
        // SAFETY: access(2) reads a terminated path and changes nothing.
        .is_ok_and(|path| unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) } == 0)
}

/// May hang where the file system does. A symbolic link is replaced, not followed.
fn write(file: &Path, text: &str) -> Result<(), FileProblem> {
    check(file)?;
    let folder = file.parent().ok_or(FileProblem::NoDirectory)?;
    // A new file under a name that nobody can guess (O_EXCL, which follows no link), removed again
    // when a step fails.
    let mut part = tempfile::Builder::new()
        .prefix(".logwatch-")
        .suffix(".part")
        .tempfile_in(folder)?;
    part.write_all(text.as_bytes())?;
    part.as_file().set_permissions(Permissions::from_mode(0o644))?;
    part.persist(file).map_err(|failed| failed.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_file_is_replaced_as_a_whole_and_readable_for_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alerts.txt");
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "untouched").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
        write(&file, "a long first text\n").unwrap();
        write(&file, "second\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "second\n");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
        let mode = fs::symlink_metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_path_that_cannot_be_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &Path| check(path).unwrap_err().to_string();
        assert_eq!(check(Path::new("alerts.txt")), "must be an absolute path");
        assert_eq!(
            check(&folder.path().join("no/such")),
            "its directory does not exist"
        );
        assert_eq!(check(folder.path()), "it exists and is no file; name another one");
    }
}
