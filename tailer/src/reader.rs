//! From the bytes of a file to records. No input or output happens here: bytes come in windows of any size, records go out, and
//! the same file gives the same records however it is cut into windows.
//!
//! Lines that cannot matter are never looked at one by one: `Candidates` jumps from hit to hit. A *record* is a headline with the
//! level that is wanted and the lines that continue it. Between two calls a reader holds at most one open record and a few anchors, never
//! a part of the file: an unfinished line is read again when it has grown.
//!
//! The *boundary* is the offset that may be stored: the end of the last whole record, or of the last line that is none. Whatever is
//! after it will be read again by the next run.

use logwatch_record::{Flags, Level, MAX_MESSAGE, clean};

use crate::candidates::Candidates;
use crate::format::Format;
use crate::identity::{HEAD, Proof, TAIL};
use crate::multiline::Multiline;

/// The most bytes of a record, continuation lines included. More is dropped and flagged.
const MAX_RECORD: usize = 4 * MAX_MESSAGE;
/// A batch is full at this many records or bytes.
pub const BATCH_RECORDS: usize = 1000;
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What to look for. One for all files: the search's buffer is shared.
pub struct Search {
    pub multiline: Multiline,
    pub format: Option<Format>,
    pub least: Level,
    pub candidates: Candidates,
}

impl Search {
    pub fn new(multiline: Multiline, format: Option<Format>, least: Level) -> Search {
        // What a format calls an error may look like anything.
        let shown = if format.is_some() { Level::Debug } else { least };
        Search {
            multiline,
            format,
            least,
            candidates: Candidates::new(shown),
        }
    }

    /// True when the line belongs to the record before it.
    pub fn continues(&self, line: &[u8]) -> bool {
        match (&self.format, &self.multiline) {
            (Some(format), Multiline::Auto) => !format.is_match(line),
            _ => self.multiline.continues(line),
        }
    }

    fn level(&self, line: &[u8]) -> Option<Level> {
        match &self.format {
            Some(format) => format.level(line),
            None => logwatch_record::level(line),
        }
    }

    fn headline(&self, line: &[u8]) -> (Vec<u8>, Flags) {
        match &self.format {
            Some(format) => format.headline(line),
            None => (line.to_vec(), Flags::empty()),
        }
    }
}

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

    fn push(&mut self, record: Found) {
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

/// A record whose end is not known yet.
struct Open {
    start: u64,
    end: u64,
    raw: Vec<u8>,
    headline: usize,
    lines: usize,
    flags: Flags,
}

/// How far a file has been read.
pub struct Reader {
    position: u64,
    /// Set inside a line that is too long to hold: where it starts, and whether it belongs to the open record.
    long_line: Option<LongLine>,
    open: Option<Open>,
    /// NULs were skipped right before the position.
    after_nuls: bool,
    /// The end of the last record that was let go before the next line had come.
    let_go: Option<u64>,
    /// A record was cut in two in this file, so records wait longer.
    split_before: bool,
    head: Vec<u8>,
    recent: Vec<u8>,
    /// The bytes before the boundary, and the boundary that they were taken for.
    anchor: Vec<u8>,
    anchor_at: u64,
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
            after_nuls: false,
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

    /// How long the open record waits for more lines. None: there is none, or its last line is not whole.
    pub fn wait(&self, multiline: &Multiline) -> Option<std::time::Duration> {
        let open = self.open.as_ref().filter(|_| self.long_line.is_none())?;
        Some(multiline.wait(&open.raw[..open.headline], open.lines, self.split_before))
    }

    /// Looks at the window's bytes from the position on.
    pub fn feed(&mut self, window: &Window, search: &mut Search, batch: &mut Batch) -> Fed {
        let bytes = window.bytes;
        let mut at = usize::try_from(self.position - window.offset)
            .unwrap_or(bytes.len())
            .min(bytes.len());
        search.candidates.begin(at);
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
                    Some(count) => {
                        at += count;
                        self.after_nuls = true;
                    }
                    None => break Fed::Nuls,
                }
            }
            // With an open record, or after one that was let go, the next line counts; otherwise the next hit does.
            let start = if self.open.is_some() || self.let_go == Some(window.offset + at as u64) {
                at
            } else {
                match search.candidates.next(bytes, at) {
                    Some(hit) => {
                        memchr::memrchr(b'\n', &bytes[at..hit]).map_or(at, |newline| at + newline + 1)
                    }
                    None => memchr::memrchr(b'\n', &bytes[at..]).map_or(at, |newline| at + newline + 1),
                }
            };
            if start > at {
                at = start;
                self.after_nuls = false;
                continue;
            }
            let newline = memchr::memchr(b'\n', &bytes[at..]);
            let length = newline.unwrap_or(bytes.len() - at);
            let whole = newline.is_some() || window.last;
            if !whole && length <= MAX_MESSAGE {
                break Fed::Hungry;
            }
            let offset = window.offset + at as u64;
            let joined = self.line(&bytes[at..at + length], offset, search, batch);
            self.after_nuls = false;
            if whole {
                at += length + usize::from(newline.is_some());
                if let (true, Some(open)) = (joined, &mut self.open) {
                    open.end = window.offset + at as u64;
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

    /// Looks at one line, without its newline; of a long one at least the first `MAX_MESSAGE` bytes are there. True when it now belongs
    /// to the open record.
    fn line(&mut self, line: &[u8], offset: u64, search: &Search, batch: &mut Batch) -> bool {
        let too_long = line.len() > MAX_MESSAGE;
        let line = &line[..line.len().min(MAX_MESSAGE)];
        let line = line.strip_suffix(b"\r").filter(|_| !too_long).unwrap_or(line);
        let cut = if too_long {
            Flags::TRUNCATED
        } else {
            Flags::empty()
        };
        // What follows nothing continues nothing.
        let continues = |search: &Search| offset > 0 && search.continues(line);
        if let Some(open) = &mut self.open {
            if continues(search) {
                open.append(line, cut);
                return true;
            }
            self.close(batch);
        } else if self.let_go == Some(offset) && continues(search) {
            self.split_before = true;
            return false;
        }
        // The level first: it is known sooner, and most lines end here.
        if search.level(line).is_none_or(|level| level < search.least) || continues(search) {
            return false;
        }
        let (raw, flags) = search.headline(line);
        let flags = flags | cut;
        self.open = Some(Open {
            start: offset,
            end: offset,
            headline: raw.len(),
            raw,
            lines: 1,
            flags: if self.after_nuls {
                flags | Flags::NUL
            } else {
                flags
            },
        });
        true
    }

    pub fn has_open_record(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the lines at the start of another file that go on with the open record, and returns how many bytes they are.
    pub fn adopt(&mut self, bytes: &[u8], search: &Search) -> usize {
        let Some(open) = self.open.as_mut().filter(|_| self.long_line.is_none()) else {
            return 0;
        };
        let mut used = 0;
        while let Some(newline) = memchr::memchr(b'\n', &bytes[used..]) {
            let line = &bytes[used..used + newline];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > MAX_MESSAGE || !search.continues(line) {
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
            self.let_go = Some(self.position);
            self.close(batch);
            self.anchor.clone_from(&self.recent);
            self.anchor_at = self.position;
        }
    }

    fn close(&mut self, batch: &mut Batch) {
        if let Some(open) = self.open.take() {
            let (text, flags) = clean(&open.raw);
            batch.push(Found {
                start: open.start,
                end: open.end,
                text: text.into_owned(),
                flags: flags | open.flags,
            });
        }
    }

    /// Goes on after a hole. `recent`: the bytes before `position`.
    pub fn skip_nuls(&mut self, position: u64, recent: Vec<u8>) {
        while self.head.len() < HEAD && (self.head.len() as u64) < position {
            self.head.push(0);
        }
        self.position = position;
        self.after_nuls = true;
        if self.open.is_none() {
            self.anchor.clone_from(&recent);
            self.anchor_at = position;
        }
        self.recent = recent;
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

impl Open {
    fn append(&mut self, line: &[u8], cut: Flags) {
        self.lines += 1;
        self.flags |= cut;
        let room = MAX_RECORD.saturating_sub(self.raw.len() + 1);
        if room == 0 {
            self.flags |= Flags::TRUNCATED;
            return;
        }
        self.raw.push(b'\n');
        self.raw.extend_from_slice(&line[..line.len().min(room)]);
        if line.len() > room {
            self.flags |= Flags::TRUNCATED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: &[&str] = &[
        "2026-11-22 10:00:00 INFO all is well",
        "2026-11-22 10:00:00 INFO no error here",
        "2026-11-22 10:00:00 ERROR disk full",
        "2026-11-22 10:00:00 FATAL out of memory\r",
        "{\"level\":\"error\",\"msg\":\"x\"}",
        "{\"level\":\"info\",\"msg\":\"error\"}",
        "\tat com.example.Main.run(Main.java:3)",
        "    raise ValueError('error')",
        "Caused by: java.io.IOException: fatal",
        "",
        "error",
    ];

    /// All records of a text, line by line, with nothing clever.
    fn plainly(text: &[u8]) -> Vec<(u64, u64, String)> {
        let mut records: Vec<(u64, u64, String)> = Vec::new();
        let mut open = false;
        let mut start = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let end = start + line.len();
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
            let shown = String::from_utf8_lossy(bare).into_owned();
            if start > 0 && logwatch_record::line::continues(bare) {
                if let (true, Some(record)) = (open, records.last_mut()) {
                    record.1 = end as u64;
                    record.2 = format!("{}\n{shown}", record.2);
                }
            } else {
                open = logwatch_record::level(bare).is_some_and(|level| level >= Level::Error);
                if open {
                    records.push((start as u64, end as u64, shown));
                }
            }
            start = end;
        }
        records
    }

    /// Reads a text as a tailer does that is handed `step` bytes at a time.
    fn read(text: &[u8], mut step: impl FnMut() -> usize) -> Vec<Found> {
        let mut search = Search::new(Multiline::Auto, None, Level::Error);
        let mut reader = Reader::new(0, Vec::new(), Vec::new());
        let mut batch = Batch::default();
        let mut there = 0;
        loop {
            there = (there + step()).min(text.len());
            let position = usize::try_from(reader.position()).unwrap();
            let from = position - reader.recent().len();
            assert_eq!(reader.recent(), &text[from..position]);
            let window = Window {
                bytes: &text[from..there],
                offset: from as u64,
                last: there == text.len(),
            };
            let fed = reader.feed(&window, &mut search, &mut batch);
            let boundary = usize::try_from(reader.boundary()).unwrap();
            assert_eq!(
                reader.proof(),
                Proof::of(boundary as u64, text, &text[..boundary]),
                "the proof is of the boundary"
            );
            match fed {
                Fed::Nuls if there < text.len() => {
                    let at = usize::try_from(reader.position()).unwrap();
                    if let Some(nuls) = text[at..].iter().position(|byte| *byte != 0) {
                        let to = at + nuls;
                        reader.skip_nuls(to as u64, text[to.saturating_sub(TAIL)..to].to_vec());
                        there = there.max(to);
                    }
                }
                _ if there == text.len() => break,
                _ => {}
            }
        }
        reader.let_go(&mut batch);
        batch.records
    }

    fn texts(found: &[Found]) -> Vec<(u64, u64, String)> {
        found
            .iter()
            .map(|found| (found.start, found.end, found.text.clone()))
            .collect()
    }

    proptest! {
        #[test]
        fn any_windows_give_the_records_of_reading_line_by_line(
            lines in prop::collection::vec(prop::sample::select(LINES), 0..60),
            newline in any::<bool>(),
            steps in prop::collection::vec(1usize..200, 1..50),
        ) {
            let mut text = lines.join("\n").into_bytes();
            if newline {
                text.push(b'\n');
            }
            let mut steps = steps.into_iter().cycle();
            let found = read(&text, || steps.next().unwrap());
            prop_assert_eq!(texts(&found), plainly(&text));
        }

        #[test]
        fn any_bytes_are_read_to_the_end(text in prop::collection::vec(prop::sample::select(&b"\0\0\n\n\r\xff E<3>{\"error:l"[..]), 0..400)) {
            read(&text, || 7);
        }
    }

    #[test]
    fn an_over_long_line_is_one_record_cut_and_flagged() {
        let long = 3 * MAX_MESSAGE;
        let text = [b"ERROR ".to_vec(), vec![b'x'; long], b"\nERROR y\n".to_vec()].concat();
        let found = read(&text, || 50_000);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].text.len(), MAX_MESSAGE);
        assert_eq!((found[0].start, found[0].end), (0, long as u64 + 7));
        assert!(found[0].flags.contains(Flags::TRUNCATED));
        assert_eq!(found[1].text, "ERROR y");
        assert!(found[1].flags.is_empty());
    }

    #[test]
    fn an_over_long_line_that_is_no_record_is_passed_over_whole() {
        let text = [
            b"INFO ".to_vec(),
            vec![b'x'; 3 * MAX_MESSAGE],
            b" ERROR inside\nERROR y\n".to_vec(),
        ]
        .concat();
        assert_eq!(
            texts(&read(&text, || 50_000))
                .into_iter()
                .map(|record| record.2)
                .collect::<Vec<_>>(),
            ["ERROR y"]
        );
    }

    #[test]
    fn a_record_has_a_most_and_says_so() {
        let mut text = b"ERROR x\n".to_vec();
        while text.len() < 2 * MAX_RECORD {
            text.extend_from_slice(b"\tat com.example.Deep.recurse(Deep.java:1)\n");
        }
        let found = read(&text, || 4096);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].end, text.len() as u64);
        assert!(found[0].text.len() <= MAX_RECORD && found[0].flags.contains(Flags::TRUNCATED));
    }

    #[test]
    fn nuls_before_a_line_are_dropped_and_flagged() {
        for count in [1, 5000] {
            let text = [vec![0; count], b"ERROR x\n".to_vec()].concat();
            let found = read(&text, || 100);
            assert_eq!(found[0].text, "ERROR x");
            assert!(found[0].flags.contains(Flags::NUL));
        }
    }

    #[test]
    fn bad_utf8_is_replaced_and_flagged() {
        let found = read(b"ERROR a\xffb\n", || 100);
        assert_eq!(found[0].text, "ERROR a\u{FFFD}b");
        assert!(found[0].flags.contains(Flags::BAD_UTF8));
    }

    #[test]
    fn a_record_that_was_cut_in_two_makes_the_next_ones_wait_longer() {
        let mut search = Search::new(Multiline::Auto, None, Level::Error);
        let mut reader = Reader::new(0, Vec::new(), Vec::new());
        let mut batch = Batch::default();
        let text = b"ERROR x\n\tat a\nERROR y\n";
        let mut feed = |reader: &mut Reader, to: usize, batch: &mut Batch| {
            let from = usize::try_from(reader.position()).unwrap() - reader.recent().len();
            reader.feed(
                &Window {
                    bytes: &text[from..to],
                    offset: from as u64,
                    last: false,
                },
                &mut search,
                batch,
            );
        };
        feed(&mut reader, 8, &mut batch);
        assert_eq!(reader.wait(&Multiline::Auto), Some(crate::multiline::SHORT_WAIT));
        reader.let_go(&mut batch);
        feed(&mut reader, text.len(), &mut batch);
        assert_eq!(reader.wait(&Multiline::Auto), Some(crate::multiline::LONG_WAIT));
    }

    #[test]
    fn a_full_batch_stops_the_reading_and_loses_nothing() {
        let text = "ERROR x\n".repeat(2 * BATCH_RECORDS + 10).into_bytes();
        let mut search = Search::new(Multiline::Auto, None, Level::Error);
        let mut reader = Reader::new(0, Vec::new(), Vec::new());
        let mut sizes = Vec::new();
        loop {
            let mut batch = Batch::default();
            let from = usize::try_from(reader.position()).unwrap() - reader.recent().len();
            let fed = reader.feed(
                &Window {
                    bytes: &text[from..],
                    offset: from as u64,
                    last: true,
                },
                &mut search,
                &mut batch,
            );
            sizes.push(batch.records.len());
            assert_eq!(reader.boundary(), batch.records.last().unwrap().end);
            if fed != Fed::Full {
                break;
            }
        }
        assert_eq!(sizes, [BATCH_RECORDS, BATCH_RECORDS, 9]);
        assert_eq!(reader.position(), text.len() as u64);
    }
}
