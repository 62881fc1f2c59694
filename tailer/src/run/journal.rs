//! The systemd journal, read by `journalctl` as a child process.
//!
//! The journal's cursor takes the place of an offset: it names the last line that is stored, and moves in the transaction that stores it.
//! So a restart loses and repeats nothing, as long as the journal still has what comes after the cursor.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

const KEY: &[u8] = b"\"__CURSOR\":\"";

/// A running `journalctl`. Dropping it ends it.
pub struct Journalctl(Child);

impl Journalctl {
    /// Starts it after the cursor, or at the beginning or the end of the journal. `once`: it ends with the journal's last line.
    pub fn start(cursor: Option<&str>, once: bool, from_end: bool) -> io::Result<(Journalctl, File)> {
        let mut command = Command::new("journalctl");
        command.args(["--output=json", "--all", "--quiet", "--no-pager"]);
        match cursor {
            Some(cursor) => command.arg(format!("--after-cursor={cursor}")),
            None => command.arg(if from_end { "--lines=0" } else { "--lines=all" }),
        };
        if !once {
            command.arg("--follow");
            if cursor.is_some() {
                command.arg("--no-tail");
            }
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("journalctl has no output"))?;
        Ok((Journalctl(child), File::from(OwnedFd::from(output))))
    }

    /// Waits for its end; returns what went wrong, if anything did.
    pub fn end(&mut self) -> Option<String> {
        match self.0.wait() {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("journalctl ended with {status}")),
            Err(error) => Some(format!("journalctl: {error}")),
        }
    }
}

impl Drop for Journalctl {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The cursors of the lines that are not stored yet.
#[derive(Default)]
pub struct Cursors {
    /// The offset after the line, and its cursor.
    lines: VecDeque<(u64, String)>,
    /// The start of a line whose end has not arrived.
    partial: Vec<u8>,
    end: u64,
}

impl Cursors {
    pub fn new(offset: u64) -> Cursors {
        Cursors {
            end: offset,
            ..Cursors::default()
        }
    }

    /// Takes bytes as they come.
    pub fn push(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.end += part.len() as u64;
            // The cursor is among the first keys; the whole of a long line is not kept.
            let room = MOST.saturating_sub(self.partial.len()).min(part.len());
            self.partial.extend_from_slice(&part[..room]);
            if part.ends_with(b"\n") {
                if let Some(cursor) = cursor_of(&self.partial) {
                    self.lines.push_back((self.end, cursor));
                }
                self.partial.clear();
            }
        }
    }

    /// Returns the cursor of the last line that ends at the offset or before, and forgets the ones before it.
    pub fn at(&mut self, offset: u64) -> Option<String> {
        let count = self.lines.partition_point(|(end, _)| *end <= offset);
        self.lines.drain(..count.checked_sub(1)?);
        self.lines.front().map(|(_, cursor)| cursor.clone())
    }
}

/// Keys have no fixed order, so a line is kept up to this length.
const MOST: usize = 1024 * 1024;

fn cursor_of(line: &[u8]) -> Option<String> {
    let start = memchr::memmem::find(line, KEY)? + KEY.len();
    let length = memchr::memchr(b'"', &line[start..])?;
    String::from_utf8(line[start..start + length].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_that_of_the_last_line_that_is_stored() {
        let mut cursors = Cursors::new(100);
        let lines =
            "{\"__CURSOR\":\"a\",\"X\":\"1\"}\n{\"X\":\"2\",\"__CURSOR\":\"b\"}\n{\"__CURSOR\":\"c\"}\n";
        let ends: Vec<u64> = lines.match_indices('\n').map(|(at, _)| 101 + at as u64).collect();
        for piece in lines.as_bytes().chunks(7) {
            cursors.push(piece);
        }
        assert_eq!(cursors.at(100), None);
        assert_eq!(cursors.at(ends[0]).as_deref(), Some("a"));
        assert_eq!(cursors.at(ends[2] - 1).as_deref(), Some("b"));
        assert_eq!(cursors.at(ends[2] + 5).as_deref(), Some("c"));
        assert_eq!(cursors.at(ends[2] + 5).as_deref(), Some("c"));
    }
}
