//! A record while it is read, when it is whole, and on its way to the database. None of them is
//! larger than its limit.

use std::borrow::Cow;

use logwatch_record::{Flags, Level, MAX_MESSAGE, clean, line, object_level};

/// The most bytes of a record, continuation lines included. More is dropped and flagged.
pub(super) const MAX_RECORD: usize = 4 * MAX_MESSAGE;
/// A record does not go on after more empty lines than these.
const MAX_BLANKS: usize = 20;
/// Lines of the other stream that may stand between two pieces of a record.
const MOST_BETWEEN: usize = 100;
/// A batch is full at this many records or bytes. While the file has no more it goes as it is: the
/// busier, the larger, and the fewer commits have to wait for the disk.
pub const BATCH_RECORDS: usize = 5000;
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Records after which another thread or process that waits for the processor goes first.
const YIELD_EVERY: usize = 32;

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
        // On a busy machine the server may wait for this processor, and its turn comes first.
        if self.records.len().is_multiple_of(YIELD_EVERY) {
            std::thread::yield_now();
        }
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
    /// The record counts only if all of it, a JSON object, has this level.
    least: Option<Level>,
    /// The lines of the other stream between its pieces, and the records among them.
    passed: usize,
    beside: Vec<Open>,
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
            least: None,
            passed: 0,
            beside: Vec::new(),
        }
    }

    /// A JSON object over several lines, whose level a later line names.
    pub(super) fn object(start: u64, headline: Vec<u8>, flags: Flags, least: Level) -> Open {
        Open {
            least: Some(least),
            ..Open::new(start, headline, flags)
        }
    }

    /// Notes a line of the other stream. Returns false if there are too many between two pieces.
    pub(super) fn pass(&mut self) -> bool {
        self.passed += 1;
        self.passed <= MOST_BETWEEN
    }

    /// Keeps a record of the other stream until this one is whole.
    pub(super) fn put_beside(&mut self, record: Open) {
        self.beside.push(record);
    }

    /// Sets the end of the last line, which was joined to this record or put beside it.
    pub(super) fn end_line(&mut self, end: u64, joined: bool) {
        if joined {
            self.end = end;
        } else if let Some(record) = self.beside.last_mut().filter(|record| record.end == record.start) {
            record.end = end;
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

    /// Passes the record on, and those beside it.
    pub(super) fn finish(mut self, batch: &mut Batch) {
        let beside = std::mem::take(&mut self.beside);
        if self
            .least
            .is_none_or(|least| object_level(&self.raw) >= Some(least))
        {
            batch.push(self.found());
        }
        for record in beside {
            record.finish(batch);
        }
    }

    fn found(self) -> Found {
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
