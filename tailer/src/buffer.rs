//! The buffer that all files share: a window of the file that is being read, and what is read ahead of it.
//!
//! Where a file has much to read, the windows follow each other without being asked for (see `readahead`): the rest of the last one, then
//! a piece. This is a *run*, and it ends with whatever is not as usual. Who goes on with a run has to show its number, so that
//! a file which began again, or another file, never takes it.

use std::fs::File;

use logwatch_record::MAX_MESSAGE;

use crate::readahead::{Piece, ROOM, ReadAhead};
use crate::records::level_scan::Candidates;
use crate::records::reader::{Hits, Reader, Window};
use crate::source::identity::{HEAD, TAIL};

/// How much is read at once. Larger buffers leave the processor's cache, smaller ones wake other threads too often.
pub const CHUNK: usize = 512 * 1024;
/// Below this many bytes it is not worth to wake other threads.
const MUCH: u64 = 8 * CHUNK as u64;

pub struct Buffer {
    piece: Piece,
    /// The window in the piece's bytes, and its offset in the file.
    start: usize,
    end: usize,
    offset: u64,
    ahead: ReadAhead,
    /// The window is of a run, and its hits are known.
    searched: bool,
    /// Counts the runs and the windows outside of them.
    run: u64,
    much: u64,
}

impl Buffer {
    pub fn new() -> Buffer {
        Buffer::of(CHUNK, MUCH)
    }

    /// With pieces of so many bytes, which are read ahead where so many bytes are there.
    pub fn of(length: usize, much: u64) -> Buffer {
        Buffer {
            piece: Piece::new(length),
            start: ROOM,
            end: ROOM,
            offset: 0,
            ahead: ReadAhead::default(),
            searched: false,
            run: 0,
            much,
        }
    }

    /// How much is read at once.
    pub fn length(&self) -> usize {
        self.piece.bytes.len() - ROOM
    }

    /// The place for a new window, which begins with `history` bytes before the reader's position. A run ends with it.
    pub fn space(&mut self, history: usize) -> &mut [u8] {
        self.ahead.stop();
        self.run += 1;
        self.searched = false;
        self.start = ROOM - history.min(ROOM);
        self.end = self.start;
        &mut self.piece.bytes[self.start..]
    }

    /// So many bytes were put into the place, from `offset` in the file on.
    pub fn filled(&mut self, offset: u64, count: usize) {
        self.offset = offset;
        self.end = self.start + count;
    }

    pub fn window(&self, last: bool) -> Window<'_> {
        let from = ROOM - self.start;
        Window {
            bytes: &self.piece.bytes[self.start..self.end],
            offset: self.offset,
            last,
            hits: self
                .searched
                .then(|| Hits::new(&self.piece.places, self.piece.first, from)),
        }
    }

    /// The number of the run that the window belongs to.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Begins to read ahead of the window, of which the reader has seen all, when there is much to read up to `size`.
    pub fn read_ahead(&mut self, file: &File, reader: &Reader, size: u64, candidates: Candidates) {
        let end = self.offset + (self.end - self.start) as u64;
        if !self.ahead.is_running() && size.saturating_sub(end) >= self.much && reader.head().len() == HEAD {
            self.ahead
                .start(file, reader.head(), candidates, end, size, self.length());
        }
    }

    /// Goes on with the run: the window is what the reader has not seen yet of the last one, and the next piece unless the reader
    /// stopped on its way. False: the run is over.
    pub fn go_on(&mut self, reader: &Reader, stopped: bool, candidates: Candidates) -> bool {
        if !self.ahead.is_running() {
            return false;
        }
        let end = self.offset + (self.end - self.start) as u64;
        let Some(rest) = end.checked_sub(reader.position()) else {
            return false;
        };
        let rest = usize::try_from(rest).unwrap_or(usize::MAX);
        if stopped {
            return rest <= self.end - self.start;
        }
        let recent = reader.recent();
        let before = &self.piece.bytes[..self.end];
        match self.ahead.take(candidates) {
            // What was read before and what is read now are of the same file.
            Some(mut piece)
                if rest <= MAX_MESSAGE && recent.len() <= TAIL && before.ends_with(piece.anchor()) =>
            {
                let start = ROOM - rest;
                piece.bytes[start..ROOM].copy_from_slice(&before[self.end - rest..]);
                piece.bytes[start - recent.len()..start].copy_from_slice(recent);
                self.offset = reader.position() - recent.len() as u64;
                self.start = start - recent.len();
                self.end = piece.bytes.len();
                self.searched = true;
                self.ahead.give_back(std::mem::replace(&mut self.piece, piece));
                true
            }
            _ => false,
        }
    }

    /// Lets go of the file that is read ahead.
    pub fn stop(&mut self) {
        self.ahead.stop();
    }
}
