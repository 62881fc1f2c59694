//! The head of a plain line (time, level, host, program, thread, logger) told from its message.
//!
//! Only what is certain leaves the message: a part whose shape no sentence has. Nothing is lost:
//! what leaves it goes into `fields`.

mod around_level;
mod before_level;
mod cursor;
mod syslog;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::level::detect::{self, Word};
use crate::level::long_prefix;
use crate::line::tagged;
use crate::shapes::{self, Shaped};
use crate::{Context, Level, time};
use cursor::Cursor;

/// A level further behind the start of a line than this does not end a head.
const LONGEST_HEAD: usize = 200;

/// A plain line in its parts.
#[derive(Debug, Default)]
pub(crate) struct Head<'a> {
    pub(crate) time: Option<Timestamp>,
    /// The date can be read in two orders, and neither gives a time of the last day.
    pub(crate) doubtful: bool,
    /// The rest of the line. May be empty.
    pub(crate) body: &'a str,
    pub(crate) fields: Map<String, Value>,
    /// The level, unless a container has wrapped the line.
    pub(crate) level: Option<Level>,
}

/// Reads the head of a line.
pub(crate) fn read<'a>(line: &'a str, context: &Context) -> Head<'a> {
    let bytes = line.as_bytes();
    let mut cursor = Cursor {
        line,
        bytes,
        at: 0,
        end: line.len(),
        head: Head::default(),
        timed: false,
        lead: None,
        first: None,
        context,
    };
    if let Some((len, level)) = detect::pri_head(bytes) {
        cursor.head.level = Some(level);
        cursor.at = len;
        cursor.syslog_after_pri();
        cursor.worded();
    } else {
        cursor.plain();
    }
    // Monolog's empty message: the head took blanks that stand after its end.
    cursor.head.body = line[cursor.at.min(cursor.end)..cursor.end].trim();
    cursor.head
}

impl<'a> Cursor<'a, '_> {
    /// Takes the head of a line without a syslog priority.
    fn plain(&mut self) {
        let lead = shapes::lead(self.bytes);
        let shaped = shapes::read(self.bytes, lead.as_ref());
        (self.head.level, self.first) = detect::plain_of(self.bytes, lead.as_ref(), shaped.as_ref());
        self.lead = lead;
        match shaped {
            Some(shaped) => self.shaped(&shaped),
            None => self.worded(),
        }
    }

    /// Takes the parts of a head that a row of the table describes.
    fn shaped(&mut self, shaped: &Shaped) {
        if let Some(stamp) = shaped.stamp {
            self.resolve(stamp);
        }
        let text = self.at;
        for (name, start, end) in shaped.fields() {
            // Fields end at ASCII bytes, and so does a head.
            self.keep(name, self.line.get(text + start..text + end).unwrap_or_default());
        }
        self.at = text + shaped.message;
        if shaped.has_level_in_message() {
            self.timed = true;
            self.worded();
        }
        // The quote that the head opened closes at the end.
        let message = self.line.get(self.at..).unwrap_or_default();
        if message.ends_with('"') && message.matches('"').count() % 2 == 1 {
            self.end -= 1;
        }
    }

    /// RFC 5424's `1 time host program pid id [data] `, or RFC 3164's `time host program[pid]: `.
    fn syslog_after_pri(&mut self) {
        if let Some(rest) = self.rest().strip_prefix(b"1 ") {
            let start = self.at;
            self.at += 2;
            let nil = rest.starts_with(b"- ");
            if nil || self.time() {
                self.at += usize::from(nil);
                if syslog::rfc5424(self).is_some() {
                    self.timed = false;
                    return;
                }
            }
            (self.at, self.timed) = (start, false);
        }
        self.blanks();
        let year_less = self.rest().first().is_some_and(u8::is_ascii_alphabetic);
        if self.time() {
            self.timed = !syslog::host_and_program(self, true);
        } else if year_less {
            syslog::program(self);
        }
    }

    /// Takes time, level and what certainly belongs to them, part by part.
    fn worded(&mut self) {
        // Ruby's `E, [time #pid] ERROR -- program: `.
        if matches!(self.rest(), [b'A'..=b'Z', b',', b' ', b'[', ..]) {
            self.at += 3;
        }
        let mut word = self.level_word();
        if word.is_none()
            && self.at == 0
            && let Some((_, end)) = long_prefix::severity(self.bytes)
        {
            return self.far(end);
        }
        // Each turn takes at least a byte; a real head has few parts.
        for _ in 0..8 {
            self.separators();
            let start = self.at;
            if self.timestamp(word) {
                if !self.timed {
                    self.blanks();
                    if let Some((len, _)) = tagged::sequence(self.rest()) {
                        self.keep("sequence", &self.rest_str()[1..len - 2]);
                        self.at += len;
                    }
                    if let Some(shaped) = detect::timed_shape(self.rest()) {
                        return self.shaped(&shaped);
                    }
                }
                continue;
            }
            if self.level(&mut word) || self.before_level(word) {
                continue;
            }
            self.at = start;
            break;
        }
        if self.head.time.is_none() && self.at == 0 {
            self.access_log();
        }
    }

    /// Takes a long prefix of PostgreSQL up to the colon behind its severity.
    fn far(&mut self, end: usize) {
        self.timestamp(None);
        let prefix = self.line.get(self.at..end).unwrap_or_default();
        let session = prefix.rsplit_once(' ').map_or(prefix, |(session, _)| session);
        self.keep("session", session);
        self.at = end;
    }

    /// Returns the time of `192.0.2.1 - - [22/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" …`, whose
    /// whole line is the message.
    fn access_log(&mut self) {
        let Some(open) = self.bytes.iter().take(LONGEST_HEAD).position(|b| *b == b'[') else {
            return;
        };
        let Some((stamp, len)) = time::scan(&self.bytes[open + 1..]) else {
            return;
        };
        if self.bytes[open + 1 + len..].starts_with(b"] \"") {
            self.head.time = stamp.resolve(self.context);
        }
    }

    /// Returns the first level word from the cursor on, if it looks like one and no key said the
    /// level before it.
    fn level_word(&self) -> Option<Word> {
        let first = if self.at == 0 {
            self.first
        } else {
            detect::first(self.rest(), None)
        };
        let word = first?.word.filter(|word| word.shaped)?;
        let (start, end) = (word.start + self.at, word.end + self.at);
        // `level=error` is part of the message.
        let value = start > 0 && self.bytes[start - 1] == b'=' && start > self.at + 1;
        (!value).then_some(Word { start, end, ..word })
    }

    /// Blanks and the separators between parts of a head.
    fn separators(&mut self) {
        loop {
            self.blanks();
            match self.rest() {
                [b'-' | b':' | b'|' | b',', b' ' | b'\t', ..] if self.at > 0 => self.at += 1,
                [b'-', b'-', b' ', ..] if self.at > 0 => self.at += 2,
                [b'-', b'-', b'>', b' ', ..] if self.at > 0 => self.at += 3,
                [b'|', ..] if self.at > 0 => self.at += 1,
                _ => return,
            }
        }
    }

    /// Returns a time, perhaps in brackets that hold more: `[2026-11-22T10:00:00Z ERROR main]`.
    fn timestamp(&mut self, word: Option<Word>) -> bool {
        if self.timed {
            return false;
        }
        let start = self.at;
        let open = match self.rest().first() {
            Some(b'[') => Some(b']'),
            Some(b'(') => Some(b')'),
            _ => None,
        };
        self.at += usize::from(open.is_some());
        let bare_clock =
            self.rest().first().is_some_and(u8::is_ascii_digit) && self.rest().get(2) == Some(&b':');
        let year_less = self.rest().first().is_some_and(u8::is_ascii_alphabetic);
        let iso = !year_less && !bare_clock;
        if !self.time() {
            self.at = start;
            return false;
        }
        if let Some(close) = open {
            if self.rest().first() == Some(&close) {
                self.at += 1;
            } else {
                around_level::rest_of_group(self, close, word);
            }
            return true;
        }
        if (year_less || iso) && syslog::host_and_program(self, year_less) {
            // The program may write its own time after syslog's.
            self.timed = false;
            return true;
        }
        if self.rest().first() == Some(&b':') {
            self.at += 1;
        }
        true
    }

    /// Returns the level word at the cursor, in its brackets or with its colon, and what follows it
    /// in known shapes.
    fn level(&mut self, word: &mut Option<Word>) -> bool {
        let Some(Word { start, end, .. }) = *word else {
            return false;
        };
        let group = match self.rest().first() {
            Some(b'[') => Some(b']'),
            Some(b'(') => Some(b')'),
            Some(b'<') => Some(b'>'),
            _ => None,
        };
        let close = group.and_then(|close| {
            let len = self.rest().iter().take(64).position(|b| *b == close)?;
            Some(self.at + len)
        });
        let glued;
        if start == self.at {
            self.at = end;
            glued = true;
        } else if let Some(close) =
            close.filter(|close| (self.at + 1..*close).contains(&start) && end <= *close)
        {
            // `[core:error]`, `[ERROR]`, `[ERROR main]`.
            let inside = (&self.line[self.at + 1..start], &self.line[end..close]);
            self.keep("logger", inside.0.trim_end_matches([':', ' ', '.']));
            self.keep("logger", inside.1.trim_start_matches([':', ' ', '.']));
            self.at = close + 1;
            glued = false;
        } else if start == self.at + 1 && self.bytes[self.at] == b'=' {
            // Erlang's `=ERROR REPORT==== 22-Nov-2026::10:00:00 ===`.
            let report = &self.bytes[end..];
            let Some(len) = report.strip_prefix(b" REPORT====").map(|_| 11) else {
                return false;
            };
            self.at = end + len;
            self.blanks();
            self.time();
            self.blanks();
            self.at += self.rest().iter().take_while(|b| **b == b'=').count();
            *word = None;
            return true;
        } else {
            return false;
        }
        *word = None;
        let colon = glued && self.rest().first() == Some(&b':');
        if glued {
            around_level::glued_to_level(self);
        }
        around_level::after_level(self, colon);
        true
    }

    /// Takes the text between the time and the level, if all of it has the shape of a head.
    fn before_level(&mut self, word: Option<Word>) -> bool {
        let Some(word) = word.filter(|word| word.start > self.at && word.start - self.at <= LONGEST_HEAD)
        else {
            return false;
        };
        // Brackets around the level belong to it.
        let mut end = word.start;
        let mut from = word.start;
        if let Some(open) = self.bytes[self.at..word.start]
            .iter()
            .rposition(|b| matches!(b, b'[' | b'(' | b'<'))
        {
            let open = self.at + open;
            let closed = self.bytes[open..word.start]
                .iter()
                .any(|b| matches!(b, b']' | b')' | b'>'));
            if !closed {
                (end, from) = (open, open);
            }
        }
        if end <= self.at || !before_level::all_certain(self, end, self.timed) {
            return false;
        }
        self.at = from;
        true
    }
}
