//! A systemd journal of its own in a directory: written by `systemd-journal-remote`, read by the
//! real `journalctl`. No daemon runs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use tempfile::TempDir;

const WRITER: &str = "/lib/systemd/systemd-journal-remote";
const BOOT: &str = "0123456789abcdef0123456789abcdef";

/// One journal.
pub struct SystemdJournal {
    folder: TempDir,
    lines: u128,
}

impl SystemdJournal {
    /// Makes an empty journal; None where the programs are not installed.
    pub fn new() -> Result<Option<SystemdJournal>> {
        if !Path::new(WRITER).exists() || Command::new("journalctl").arg("--version").output().is_err() {
            println!("skipped: systemd-journal-remote is not installed");
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        for part in ["journal", "bin"] {
            fs::create_dir(folder.path().join(part))?;
        }
        let program = folder.path().join("bin/journalctl");
        let directory = folder.path().join("journal");
        let script = format!(
            "#!/bin/sh\nexec /usr/bin/journalctl --directory={} \"$@\"\n",
            directory.display()
        );
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Some(SystemdJournal { folder, lines: 0 }))
    }

    /// The journal's only file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("journal/x.journal")
    }

    /// A search path whose `journalctl` reads this journal.
    pub fn search_path(&self) -> OsString {
        let mut path = self.folder.path().join("bin").into_os_string();
        path.push(":/usr/bin:/bin");
        path
    }

    /// Appends lines: priority, identifier and message of each.
    pub fn append<M: AsRef<[u8]>>(&mut self, lines: &[(u8, &str, M)]) -> Result<()> {
        let mut export = Vec::new();
        for (priority, identifier, message) in lines {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() + self.lines;
            let (n, message) = (self.lines, message.as_ref());
            export.extend_from_slice(
                format!(
                    "__REALTIME_TIMESTAMP={now}\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID={BOOT}\nPRIORITY={priority}\n\
                     SYSLOG_IDENTIFIER={identifier}\n_HOSTNAME=web1\n"
                )
                .as_bytes(),
            );
            // A field with line ends is sent by its length.
            export.extend_from_slice(b"MESSAGE\n");
            export.extend_from_slice(&(message.len() as u64).to_le_bytes());
            export.extend_from_slice(message);
            export.extend_from_slice(b"\n\n");
            self.lines += 1;
        }
        let path = self.folder.path().join("export");
        fs::write(&path, export)?;
        let written = Command::new(WRITER)
            .args(["--split-mode=none", "-o"])
            .args([self.file(), path])
            .output()?;
        ensure!(
            written.status.success(),
            "{}",
            String::from_utf8_lossy(&written.stderr)
        );
        Ok(())
    }

    /// Deletes all lines, as `journalctl --vacuum-time` does.
    pub fn vacuum(&self) -> Result<()> {
        Ok(fs::remove_file(self.file())?)
    }
}
