//! A pipe or the journal: bytes that come once, and are held until they are read.
//!
//! They come piece by piece from a thread, because a read can block for ever. A piece is taken only
//! when it is asked for: while the database is away the pipe fills, and its writer waits.

use std::fs::File;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::journal::{Cursors, End, Journalctl};

/// As much as a pipe holds.
const CHUNK: usize = 64 * 1024;

pub struct Stream {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// The bytes from `offset` on.
    held: Vec<u8>,
    offset: u64,
    journal: Option<(Journalctl, Cursors)>,
}

/// The result of a wait for bytes.
pub enum Received {
    Nothing,
    Bytes,
    /// The journal has deleted lines before these bytes.
    BytesAfterGap,
    /// No more bytes will come.
    End,
    /// Somebody stopped the writer, perhaps together with the tailer.
    Stopped(String),
    Failed(String),
}

impl Stream {
    /// Reads from now on. `offset`: that of the next byte.
    pub fn new(mut file: File, offset: u64, journal: Option<(Journalctl, Cursors)>) -> io::Result<Stream> {
        let (sender, pieces) = sync_channel(0);
        thread::Builder::new().name("pipe".to_owned()).spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                let piece = match file.read(&mut buffer) {
                    Ok(count) => Ok(buffer[..count].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_end = piece.as_ref().map_or(true, Vec::is_empty);
                if sender.send(piece).is_err() || is_end {
                    return;
                }
            }
        })?;
        Ok(Stream {
            pieces,
            held: Vec::new(),
            offset,
            journal,
        })
    }

    /// Waits for the next piece, at most for `limit`.
    pub fn receive(&mut self, limit: Duration) -> Received {
        let piece = match self.pieces.recv_timeout(limit) {
            Ok(Err(error)) => return Received::Failed(error.to_string()),
            Err(RecvTimeoutError::Timeout) => return Received::Nothing,
            Ok(Ok(piece)) => piece,
            Err(RecvTimeoutError::Disconnected) => Vec::new(),
        };
        let Some((child, cursors)) = &mut self.journal else {
            self.held.extend_from_slice(&piece);
            return if piece.is_empty() {
                Received::End
            } else {
                Received::Bytes
            };
        };
        if piece.is_empty() {
            return match child.end() {
                End::Complete => Received::End,
                End::Stopped(problem) => Received::Stopped(problem),
                End::Failed(problem) => Received::Failed(problem),
            };
        }
        let taken = cursors.take(piece);
        self.held.extend_from_slice(&taken.bytes);
        if taken.is_gap {
            Received::BytesAfterGap
        } else {
            Received::Bytes
        }
    }

    /// Returns the offset after the last byte that came.
    pub fn end(&self) -> u64 {
        self.offset + self.held.len() as u64
    }

    /// Forgets the bytes before the offset.
    pub fn pass(&mut self, offset: u64) {
        let passed = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.held.drain(..passed.min(self.held.len()));
        self.offset = self.offset.max(offset);
    }

    /// Reads bytes that are held, as `read_at` of a file does.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let at = offset
            .checked_sub(self.offset)
            .and_then(|at| usize::try_from(at).ok());
        let rest = at.and_then(|at| self.held.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        count
    }

    /// Returns the journal's cursor at the offset, if a line has come that ends there or before.
    pub fn cursor_at(&self, offset: u64) -> Option<&str> {
        self.journal.as_ref().and_then(|(_, cursors)| cursors.at(offset))
    }

    /// Forgets the cursors before the one of the stored offset.
    pub fn stored(&mut self, offset: u64) {
        if let Some((_, cursors)) = &mut self.journal {
            cursors.stored(offset);
        }
    }
}
