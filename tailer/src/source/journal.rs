//! The systemd journal, read by `journalctl` as a child process.
//!
//! The journal's cursor takes the place of an offset: it names the last line that is stored, and
//! moves in the transaction that stores it. So a restart loses and repeats nothing. Lines that the
//! journal deletes before they are read become a gap.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

const KEY: &[u8] = b"\"__CURSOR\":\"";

/// The longest part of a line in which its cursor is looked for: keys have no fixed order.
const MOST: usize = 1024 * 1024;

/// Where `journalctl` starts.
#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    Beginning,
    /// At the last line, which is not read.
    End,
    /// At the line with this cursor, which is stored already. `--after-cursor` would skip the first
    /// line that is left when the journal has deleted that one (systemd 252).
    At(String),
}

/// A running `journalctl`. Dropping it ends it.
pub struct Journalctl(Child);

/// The end of a `journalctl`.
pub enum End {
    /// There is nothing more to read.
    Complete,
    /// Somebody stopped it, perhaps together with the tailer.
    Stopped(String),
    Failed(String),
}

impl Journalctl {
    /// `once`: it ends with the journal's last line.
    pub fn start(start: &Start, once: bool) -> io::Result<(Journalctl, File)> {
        let mut command = Command::new("journalctl");
        command.args(["--output=json", "--all", "--quiet", "--no-pager"]);
        match start {
            Start::Beginning => command.arg("--lines=all"),
            Start::End => command.arg("--lines=1"),
            Start::At(cursor) => command.arg(format!("--cursor={cursor}")),
        };
        if !once {
            command.arg("--follow");
            if matches!(start, Start::At(_)) {
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

    /// Waits for its end.
    pub fn end(&mut self) -> End {
        match self.0.wait() {
            Ok(status) if status.success() => End::Complete,
            Ok(status) if status.signal().is_some() => {
                End::Stopped(format!("journalctl ended with {status}"))
            }
            Ok(status) => End::Failed(format!("journalctl ended with {status}")),
            Err(error) => End::Failed(format!("journalctl: {error}")),
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
    /// How to recognise a first line that is not to be read, until it has arrived.
    first: Option<Start>,
}

/// The bytes of a piece that are to be read.
pub struct Taken {
    pub bytes: Vec<u8>,
    /// The journal has deleted the line at which it was to start.
    pub is_gap: bool,
}

impl Cursors {
    pub fn new(offset: u64, start: Start) -> Cursors {
        Cursors {
            end: offset,
            first: (start != Start::Beginning).then_some(start),
            ..Cursors::default()
        }
    }

    /// Takes bytes as they come.
    pub fn take(&mut self, piece: Vec<u8>) -> Taken {
        let Some(start) = &self.first else {
            self.push(&piece);
            return Taken {
                bytes: piece,
                is_gap: false,
            };
        };
        self.partial.extend_from_slice(&piece);
        let cursor = cursor_of(&self.partial);
        let is_gap = matches!((start, &cursor), (Start::At(stored), Some(cursor)) if stored != cursor);
        let end = memchr::memchr(b'\n', &self.partial);
        if is_gap || end.is_some() {
            self.first = None;
            let held = std::mem::take(&mut self.partial);
            let skipped = match end {
                Some(end) if !is_gap => end + 1,
                _ => 0,
            };
            if skipped > 0 {
                self.lines.extend(cursor.map(|cursor| (self.end, cursor)));
            }
            let bytes = held[skipped..].to_vec();
            self.push(&bytes);
            return Taken { bytes, is_gap };
        }
        // Only the cursor of a very long line matters, and it has not arrived.
        if self.partial.len() > MOST {
            self.partial.drain(..self.partial.len() - MOST / 2);
        }
        Taken {
            bytes: Vec::new(),
            is_gap: false,
        }
    }

    fn push(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.end += part.len() as u64;
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

    /// Returns the cursor of the last line that ends at the offset or before.
    pub fn at(&self, offset: u64) -> Option<&str> {
        let last = self.index_at(offset)?;
        Some(&self.lines[last].1)
    }

    /// Forgets the cursors before the one of this offset.
    pub fn stored(&mut self, offset: u64) {
        if let Some(last) = self.index_at(offset) {
            self.lines.drain(..last);
        }
    }

    fn index_at(&self, offset: u64) -> Option<usize> {
        self.lines
            .partition_point(|(end, _)| *end <= offset)
            .checked_sub(1)
    }
}

fn cursor_of(line: &[u8]) -> Option<String> {
    let start = memchr::memmem::find(line, KEY)? + KEY.len();
    let length = memchr::memchr(b'"', &line[start..])?;
    String::from_utf8(line[start..start + length].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str =
        "{\"__CURSOR\":\"a\",\"X\":\"1\"}\n{\"X\":\"2\",\"__CURSOR\":\"b\"}\n{\"__CURSOR\":\"c\"}\n";

    /// Feeds the lines in small pieces; returns the bytes to read and whether there was a gap.
    fn fed(cursors: &mut Cursors) -> (String, bool) {
        let (mut bytes, mut is_gap) = (Vec::new(), false);
        for piece in LINES.as_bytes().chunks(7) {
            let taken = cursors.take(piece.to_vec());
            bytes.extend(taken.bytes);
            is_gap |= taken.is_gap;
        }
        (String::from_utf8(bytes).unwrap(), is_gap)
    }

    #[test]
    fn the_cursor_is_that_of_the_last_line_that_is_stored() {
        let mut cursors = Cursors::new(100, Start::Beginning);
        let ends: Vec<u64> = LINES.match_indices('\n').map(|(at, _)| 101 + at as u64).collect();
        assert_eq!(fed(&mut cursors), (LINES.to_owned(), false));
        assert_eq!(cursors.at(100), None);
        assert_eq!(cursors.at(ends[0]), Some("a"));
        assert_eq!(cursors.at(ends[2] - 1), Some("b"));
        cursors.stored(ends[2] - 1);
        assert_eq!(cursors.at(ends[0]), None);
        assert_eq!(cursors.at(ends[2] - 1), Some("b"));
        assert_eq!(cursors.at(ends[2] + 5), Some("c"));
    }

    #[test]
    fn the_line_that_is_stored_is_not_read_again() {
        let rest = LINES.split_once('\n').unwrap().1;
        for start in [Start::At("a".to_owned()), Start::End] {
            let mut cursors = Cursors::new(100, start);
            assert_eq!(fed(&mut cursors), (rest.to_owned(), false));
            assert_eq!(cursors.at(100), Some("a"));
            assert_eq!(cursors.at(100 + rest.len() as u64), Some("c"));
        }
    }

    #[test]
    fn another_first_line_is_read_and_is_a_gap() {
        let mut cursors = Cursors::new(100, Start::At("deleted".to_owned()));
        assert_eq!(fed(&mut cursors), (LINES.to_owned(), true));
        assert_eq!(cursors.at(100), None);
    }
}
