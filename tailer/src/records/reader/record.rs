//! A record while it is read, when it is whole, and on its way to the database. None of them is larger than its limit.

use std::borrow::Cow;

use logwatch_record::{Flags, MAX_MESSAGE, clean, line};

/// The most bytes of a record, continuation lines included. More is dropped and flagged.
pub(super) const MAX_RECORD: usize = 4 * MAX_MESSAGE;
/// A record does not go on after more empty lines than these.
const MAX_BLANKS: usize = 20;
/// A batch is full at this many records or bytes. While the file has no more it goes as it is: the busier, the larger, and the fewer
/// commits have to wait for the disk.
pub const BATCH_RECORDS: usize = 5000;
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A record of a file, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Offset of its first byte in the file.
    pub start: u64,
    /// Offset after its last line's newline.
    pub end: u64,
    /// Headline, then continuation lines, joined by newlines.
    pub text: String,
    pub flags: Flags,
}

/// Records on their way to the database.
#[derive(Default)]
pub struct Batch {
    pub records: Vec<Found>,
    pub bytes: usize,
}

impl Batch {
    pub fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    pub(super) fn push(&mut self, record: Found) {
        self.bytes += record.text.len();
        self.records.push(record);
    }

    /// Drops the records that are stored up to this offset.
    pub fn keep_from(&mut self, offset: u64) {
        self.records.retain(|record| record.start >= offset);
        self.bytes = self.records.iter().map(|record| record.text.len()).sum();
    }

    pub fn clear(&mut self) {
        self.records.clear();
        self.bytes = 0;
    }
}

/// A record whose end is not known yet.
pub(super) struct Open {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) raw: Vec<u8>,
    pub(super) headline: usize,
    pub(super) lines: usize,
    /// The start of the last line in `raw`.
    last: usize,
    /// The empty lines after it, which belong to the record only if another line does.
    blanks: usize,
    flags: Flags,
}

impl Open {
    /// A record of one line so far.
    pub(super) fn new(start: u64, headline: Vec<u8>, flags: Flags) -> Open {
        Open {
            start,
            end: start,
            headline: headline.len(),
            raw: headline,
            lines: 1,
            last: 0,
            blanks: 0,
            flags,
        }
    }

    /// Returns the record as the decision about its next line needs it.
    pub(super) fn so_far(&self) -> line::Open<'_> {
        line::Open {
            headline: &self.raw[..self.headline],
            last: &self.raw[self.last..],
            blank: self.blanks > 0,
        }
    }

    /// Notes an empty line. Returns false if there are too many for a record to go on after them.
    pub(super) fn skip_blank(&mut self) -> bool {
        self.blanks += 1;
        self.blanks <= MAX_BLANKS
    }

    pub(super) fn append(&mut self, line: &[u8], cut: Flags) {
        for _ in 0..std::mem::take(&mut self.blanks) {
            self.append_one(b"", Flags::empty());
        }
        self.append_one(line, cut);
    }

    fn append_one(&mut self, line: &[u8], cut: Flags) {
        self.lines += 1;
        self.flags |= cut;
        let room = MAX_RECORD.saturating_sub(self.raw.len() + 1);
        if room == 0 {
            self.flags |= Flags::TRUNCATED;
            return;
        }
        self.raw.push(b'\n');
        self.last = self.raw.len();
        self.raw.extend_from_slice(&line[..line.len().min(room)]);
        if line.len() > room {
            self.flags |= Flags::TRUNCATED;
        }
    }

    pub(super) fn finish(self) -> Found {
        // Text as it should be is not copied.
        let (text, flags) = match String::from_utf8(self.raw) {
            Ok(text) if memchr::memchr(0, text.as_bytes()).is_none() => (text, Flags::empty()),
            Ok(text) => owned(clean(text.as_bytes())),
            Err(error) => owned(clean(error.as_bytes())),
        };
        Found {
            start: self.start,
            end: self.end,
            text,
            flags: flags | self.flags,
        }
    }
}

fn owned((text, flags): (Cow<str>, Flags)) -> (String, Flags) {
    (text.into_owned(), flags)
}
