//! The buffer that all files share: a window of the file that is being read.

use std::io;

use crate::records::reader::{Reader, Window};
use crate::source::bytes::Bytes;
use crate::source::identity::{Sample, TAIL};

/// How much is read at once: larger buffers leave the processor's cache, smaller ones cost more
/// system calls.
const CHUNK: usize = 512 * 1024;

pub struct Buffer {
    bytes: Vec<u8>,
    /// The offset of the window in the file, and its length.
    offset: u64,
    length: usize,
}

impl Buffer {
    pub fn new() -> Buffer {
        Buffer {
            bytes: vec![0; TAIL + CHUNK],
            offset: 0,
            length: 0,
        }
    }

    /// Returns how much is read at once.
    pub fn chunk(&self) -> usize {
        CHUNK
    }

    /// Reads from the reader's position on, together with the bytes before it, which must still be
    /// there, and returns how many bytes are new. `None`: it is not the same file any more. The
    /// anchor and the new bytes come from one read, so that no truncation fits between.
    pub fn fill(&mut self, file: &mut Bytes, reader: &Reader) -> io::Result<Option<usize>> {
        let recent = reader.recent();
        let (history, position) = (recent.len(), reader.position());
        self.offset = position - history as u64;
        let space = &mut self.bytes[..history + CHUNK];
        if file.is_fixed() {
            if let Some(stream) = file.stream() {
                stream.pass(position);
            }
            space[..history].copy_from_slice(recent);
            let count = file.read_at(position, &mut space[history..])?;
            self.length = history + count;
            return Ok(Some(count));
        }
        let count = loop {
            match file.read_at(self.offset, space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if count < history || space[..history] != *recent {
            return Ok(None);
        }
        self.length = count;
        let mut head = vec![0; reader.head().len()];
        let is_same = file.fill_at(0, &mut head)? && head == reader.head();
        // Without history an empty file is not known to be another one.
        let is_long_enough = !file.is_plain() || file.metadata()?.len() >= position;
        Ok((is_same && is_long_enough).then_some(count - history))
    }

    /// Returns the window. `last`: no more bytes will ever come.
    pub fn window(&self, last: bool) -> Window<'_> {
        Window {
            bytes: &self.bytes[..self.length],
            offset: self.offset,
            last,
        }
    }
}
