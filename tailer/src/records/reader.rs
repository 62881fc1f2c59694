//! From the bytes of a file to records. No input or output happens here: bytes come in windows of
//! any size, records go out, and the same file gives the same records however it is cut into
//! windows.
//!
//! Lines that cannot matter are never looked at one by one: `Candidates` jumps from hit to hit. A
//! *record* is a headline with the level that is wanted and the lines that continue it. Between two
//! calls a reader holds at most one open record and a few anchors, never a part of the file: an
//! unfinished line is read again when it has grown.
//!
//! The *boundary* is the offset that may be stored: the end of the last whole record, or of the
//! last line that is none. Whatever is after it will be read again by the next run.

mod record;
mod search;

use logwatch_record::{Flags, MAX_MESSAGE, line};

use crate::records::multiline::Multiline;
use crate::source::identity::{HEAD, Proof, TAIL};
use record::Open;

pub use record::{Batch, Found};
pub use search::Search;

/// Why `feed` came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// All whole lines were looked at: more bytes are needed.
    Hungry,
    /// The batch is full: call again with the same window.
    Full,
    /// The line begins with NULs that reach the end of the window: find their end and `skip_nuls`.
    Nuls,
}

/// Bytes of the file, first some before the reader's position, so that anchors can be taken.
pub struct Window<'a> {
    pub bytes: &'a [u8],
    /// Offset of the first byte in the file.
    pub offset: u64,
    /// No more bytes will ever come: a last line without newline is a line.
    pub last: bool,
}

/// How far a file has been read.
pub struct Reader {
    position: u64,
    /// Set inside a line that is too long to hold: where it starts, and whether it belongs to the
    /// open record.
    long_line: Option<LongLine>,
    open: Option<Open>,
    /// The last record that was let go before the next line had come.
    let_go: Option<LetGo>,
    /// A record was cut in two in this file, so records wait longer.
    split_before: bool,
    head: Vec<u8>,
    recent: Vec<u8>,
    /// The bytes before the boundary, and the boundary that they were taken for.
    anchor: Vec<u8>,
    anchor_at: u64,
}

/// A record that was let go. Lines that belong to it are passed over.
struct LetGo {
    /// The end of its last line.
    at: u64,
    headline: Vec<u8>,
    last: Vec<u8>,
    blank: bool,
    /// The line that was just read belongs to it.
    goes_on: bool,
}

impl LetGo {
    fn so_far(&self) -> line::Open<'_> {
        line::Open {
            headline: &self.headline,
            last: &self.last,
            blank: self.blank,
        }
    }
}

#[derive(Clone, Copy)]
struct LongLine {
    start: u64,
    joined: bool,
}

impl Reader {
    /// A reader that starts at `position`, with the bytes before it that prove the file.
    pub fn new(position: u64, head: Vec<u8>, tail: Vec<u8>) -> Reader {
        Reader {
            position,
            long_line: None,
            open: None,
            let_go: None,
            split_before: false,
            head,
            anchor: tail.clone(),
            anchor_at: position,
            recent: tail,
        }
    }

    /// Where the next byte is wanted from.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The first bytes of the file, as they were read.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The bytes right before the position, as they were read.
    pub fn recent(&self) -> &[u8] {
        &self.recent
    }

    /// The offset that may be stored.
    pub fn boundary(&self) -> u64 {
        match (&self.open, self.long_line) {
            (Some(open), _) => open.start,
            (None, Some(line)) => line.start,
            (None, None) => self.position,
        }
    }

    /// The proof of the file at the boundary.
    pub fn proof(&self) -> Proof {
        Proof::of(self.boundary(), &self.head, &self.anchor)
    }

    /// How long the open record waits for more lines. None: there is none, or its last line is not
    /// whole.
    pub fn wait(&self, multiline: &Multiline) -> Option<std::time::Duration> {
        let open = self.open.as_ref().filter(|_| self.long_line.is_none())?;
        let split_before =
            self.split_before || line::piece(open.so_far().last).is_some_and(|last| last.partial);
        Some(multiline.wait(&open.raw[..open.headline], open.lines, split_before))
    }

    /// Looks at the window's bytes from the position on.
    pub fn feed(&mut self, window: &Window, search: &mut Search, batch: &mut Batch) -> Fed {
        let bytes = window.bytes;
        let mut at = usize::try_from(self.position - window.offset)
            .unwrap_or(bytes.len())
            .min(bytes.len());
        let fed = loop {
            if batch.is_full() {
                break Fed::Full;
            }
            if at == bytes.len() {
                break Fed::Hungry;
            }
            if let Some(line) = self.long_line {
                let end = memchr::memchr(b'\n', &bytes[at..]).map(|newline| at + newline + 1);
                at = end.unwrap_or(bytes.len());
                if end.is_some() || window.last {
                    self.long_line = None;
                    if let (true, Some(open)) = (line.joined, &mut self.open) {
                        open.end = window.offset + at as u64;
                    }
                }
                continue;
            }
            if bytes[at] == 0 {
                match bytes[at..].iter().position(|&byte| byte != 0) {
                    Some(count) => at += count,
                    None => break Fed::Nuls,
                }
            }
            // With an open record, or after one that was let go, the next line counts; otherwise
            // the next hit does.
            let offset = window.offset + at as u64;
            let counts = self.let_go.as_ref().is_some_and(|gone| gone.at == offset);
            let start = if self.open.is_some() || counts {
                at
            } else {
                match search.next(bytes, at) {
                    Some(hit) => {
                        memchr::memrchr(b'\n', &bytes[at..hit]).map_or(at, |newline| at + newline + 1)
                    }
                    None => memchr::memrchr(b'\n', &bytes[at..]).map_or(at, |newline| at + newline + 1),
                }
            };
            if start > at {
                at = start;
                continue;
            }
            let newline = memchr::memchr(b'\n', &bytes[at..]);
            let length = newline.unwrap_or(bytes.len() - at);
            let whole = newline.is_some() || window.last;
            if !whole && length <= MAX_MESSAGE {
                break Fed::Hungry;
            }
            let offset = window.offset + at as u64;
            let joined = self.line(&bytes[at..at + length], &bytes[..at], offset, search, batch);
            if whole {
                at += length + usize::from(newline.is_some());
                if let Some(open) = &mut self.open {
                    open.end_line(window.offset + at as u64, joined);
                }
                if let Some(gone) = self.let_go.as_mut().filter(|gone| gone.goes_on) {
                    gone.at = window.offset + at as u64;
                    gone.goes_on = false;
                }
            } else {
                self.long_line = Some(LongLine {
                    start: offset,
                    joined,
                });
            }
        };
        self.settle(window, at);
        fed
    }

    /// Looks at one line, without its newline; of a long one at least the first `MAX_MESSAGE` bytes
    /// are there. True when it now belongs to the open record.
    fn line(&mut self, line: &[u8], before: &[u8], offset: u64, search: &Search, batch: &mut Batch) -> bool {
        let too_long = line.len() > MAX_MESSAGE;
        let line = &line[..line.len().min(MAX_MESSAGE)];
        let line = line.strip_suffix(b"\r").filter(|_| !too_long).unwrap_or(line);
        let cut = if too_long {
            Flags::TRUNCATED
        } else {
            Flags::empty()
        };
        if let Some(open) = &mut self.open {
            if search.is_blank(line) && open.skip_blank() {
                return false;
            }
            if offset > 0 && search.joins(line, open.so_far()) {
                open.append(line, cut);
                return true;
            }
            if offset > 0 && !too_long && search.passes(line, open.so_far()) && open.pass() {
                if search.is_wanted(line) && search.begins(line, before) {
                    let (raw, flags) = search.headline(line);
                    open.put_beside(Open::new(offset, raw, flags));
                }
                return false;
            }
            self.close(batch);
        } else if let Some(gone) = self.let_go.as_mut().filter(|gone| gone.at == offset) {
            if search.is_blank(line) {
                gone.blank = true;
                gone.goes_on = true;
                return false;
            }
            if offset > 0 && search.joins(line, gone.so_far()) {
                self.split_before = true;
                gone.last = line.to_vec();
                gone.blank = false;
                gone.goes_on = true;
                return false;
            }
        }
        // The level first: it is known sooner, and most lines end here.
        let begins = |search: &Search| offset == 0 || search.begins(line, before);
        let is_wanted = search.is_wanted(line);
        if !is_wanted && !search.opens_object(line) || !begins(search) {
            return false;
        }
        let (raw, flags) = search.headline(line);
        self.open = Some(if is_wanted {
            Open::new(offset, raw, flags | cut)
        } else {
            Open::object(offset, raw, flags | cut, search.least)
        });
        true
    }

    pub fn has_open_record(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the lines at the start of another file that go on with the open record, and returns
    /// how many bytes they are.
    pub fn adopt(&mut self, bytes: &[u8], search: &Search) -> usize {
        let Some(open) = self.open.as_mut().filter(|_| self.long_line.is_none()) else {
            return 0;
        };
        let mut used = 0;
        while let Some(newline) = memchr::memchr(b'\n', &bytes[used..]) {
            let line = &bytes[used..used + newline];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let is_piece = line::piece(open.so_far().last).is_some_and(|last| last.partial);
            let goes_on = if is_piece {
                search.joins(line, open.so_far())
            } else {
                search.continues(line)
            };
            if line.len() > MAX_MESSAGE || !goes_on {
                break;
            }
            open.append(line, Flags::empty());
            used += newline + 1;
        }
        used
    }

    /// Goes on after bytes that another file's record has adopted.
    pub fn pass_over(&mut self, bytes: &[u8]) {
        let offset = self.position - self.recent.len() as u64;
        let bytes = [&self.recent, bytes].concat();
        let window = Window {
            bytes: &bytes,
            offset,
            last: false,
        };
        self.settle(&window, bytes.len());
    }

    /// The open record has waited long enough: it is whole as it is.
    pub fn let_go(&mut self, batch: &mut Batch) {
        if self.long_line.is_none() && self.open.is_some() {
            if let Some(open) = &self.open {
                let so_far = open.so_far();
                self.let_go = Some(LetGo {
                    at: self.position,
                    headline: so_far.headline.to_vec(),
                    last: so_far.last.to_vec(),
                    blank: so_far.blank,
                    goes_on: false,
                });
            }
            self.close(batch);
            self.anchor.clone_from(&self.recent);
            self.anchor_at = self.position;
        }
    }

    fn close(&mut self, batch: &mut Batch) {
        if let Some(open) = self.open.take() {
            open.finish(batch);
        }
    }

    /// Goes on after NULs.
    pub fn skip_nuls(&mut self, position: u64) {
        while self.head.len() < HEAD && (self.head.len() as u64) < position {
            self.head.push(0);
        }
        let nuls = usize::try_from(position - self.position)
            .unwrap_or(TAIL)
            .min(TAIL);
        self.recent.resize(self.recent.len() + nuls, 0);
        self.recent.drain(..self.recent.len().saturating_sub(TAIL));
        self.position = position;
        if self.open.is_none() {
            self.anchor.clone_from(&self.recent);
            self.anchor_at = position;
        }
    }

    /// Remembers what proves the file at the new position and at the new boundary.
    fn settle(&mut self, window: &Window, at: usize) {
        self.position = window.offset + at as u64;
        if self.head.len() < HEAD
            && let Some(from) = (self.head.len() as u64).checked_sub(window.offset)
            && let Some(fresh) = usize::try_from(from)
                .ok()
                .and_then(|from| window.bytes[..at].get(from..))
        {
            let room = HEAD - self.head.len();
            self.head.extend_from_slice(&fresh[..fresh.len().min(room)]);
        }
        let before = |at: usize| window.bytes[at.saturating_sub(TAIL)..at].to_vec();
        self.recent = before(at);
        let boundary = self.boundary();
        if boundary != self.anchor_at
            && let Some(index) = boundary.checked_sub(window.offset)
        {
            self.anchor = before(usize::try_from(index).unwrap_or(at).min(at));
            self.anchor_at = boundary;
        }
    }
}

#[cfg(test)]
pub(crate) mod model;
#[cfg(test)]
mod tests;
