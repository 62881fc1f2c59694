//! Reads the log that a server writes, and waits for a text in it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Server;
use crate::wait::wait_until;

impl Server {
    /// Everything that the server has logged since it was made.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the server's log.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Waits until the server's log has `text`.
    pub fn wait_for_log(&self, limit: Duration, text: &str) -> Result<()> {
        wait_until(limit, &format!("{text:?} in the server's log"), || {
            Ok(self.log().contains(text))
        })
        .with_context(|| format!("the server's log ends with:\n{}", self.log_tail(20)))
    }

    /// The file that the server logs to.
    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}
