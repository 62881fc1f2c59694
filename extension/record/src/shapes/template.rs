//! The templates of the table, and the comparison of a line with one.
//!
//! `{time}` is any time, `{epoch}` one in seconds, `{mmdd}` glog's. `{level}` is a word, letter or
//! number that the row explains. `{message}` is the rest; `{here}` says that it begins before the
//! last parts. Any other `{name}` is a part without blanks, which is kept in `fields` unless its
//! name begins with `_`. It may be narrowed: `{pid.digits}`, `{thread.hex}`, `{logger.dotted}`
//! (`com.example.Class`), `{logger.method}` (`com.example.Class.method`), `{id.upper}` (capitals,
//! digits, `_` and `-`), `{caller.place}` (`cmd/web.go:123:runWeb()`), `{program.from:postfix}`
//! (`postfix/smtpd`), or widened: `{thread.any}` goes up to the next character of the template,
//! over blanks. A blank stands for one or more blanks or tabs, `~` for none or more, `^` for one
//! blank, every other character for itself.

use super::{Lead, MOST_FIELDS, Row, Says, Shaped};
use crate::level::{Level, words};
use crate::names::is_dotted;
use crate::time;

/// The longest part of a head that is believed.
const LONGEST: usize = 100;
/// A word of such parts is shorter than this.
const LONGEST_WORD: usize = 1024;

pub(super) struct Template {
    parts: Vec<Part>,
}

/// The bytes that may stand in a place. Most places have any or one, which makes the index of all
/// rows sooner.
pub(super) enum Bytes {
    Any,
    One(u8),
    Some(Vec<u8>),
}

impl Bytes {
    fn of(may_be: impl Fn(u8) -> bool) -> Bytes {
        Bytes::Some((0..=255).filter(|byte| may_be(*byte)).collect())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(Vec<u8>),
    Blank,
    AnyBlank,
    Time,
    Epoch,
    GlogTime,
    Level,
    Field(&'static str, Kind),
    /// The message begins here, although the template goes on.
    Here,
    Message,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Token,
    Digits,
    Hex,
    Dotted,
    Method,
    Upper,
    Place,
    /// Begins with this text.
    From(&'static str),
    Any,
}

impl Template {
    /// Reads a template; the table's own test reads every one.
    pub(super) fn new(like: &'static str) -> Template {
        let mut parts = Vec::new();
        let mut rest = like;
        while let Some(first) = rest.chars().next() {
            let mut len = first.len_utf8();
            match first {
                '{' => {
                    let inside = rest[1..].split('}').next().unwrap_or_default();
                    len = inside.len() + 2;
                    parts.push(field(inside));
                }
                ' ' => parts.push(Part::Blank),
                '^' => text(&mut parts, b" "),
                '~' => parts.push(Part::AnyBlank),
                _ => text(&mut parts, &rest.as_bytes()[..len]),
            }
            rest = rest.get(len..).unwrap_or_default();
        }
        Template { parts }
    }

    /// Returns the bracket before the time that the template begins with, as [`Lead`] counts them.
    pub(super) fn lead(&self) -> Option<usize> {
        match &self.parts[..] {
            [Part::Time | Part::Epoch, ..] => Some(0),
            [Part::Text(open), Part::Time, ..] if open == b"[" => Some(1),
            [Part::Text(open), Part::Time, ..] if open == b"(" => Some(2),
            _ => None,
        }
    }

    /// Returns the parts behind the time that the template begins with.
    pub(super) fn after_lead(&self) -> &[Part] {
        match self.lead() {
            None => &self.parts,
            Some(0) => &self.parts[1..],
            Some(_) => &self.parts[2..],
        }
    }

    /// Returns the names of the parts that are kept.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name, _) if !name.starts_with('_') => Some(*name),
            _ => None,
        })
    }

    /// Returns the bytes that a line of this template may have in each of these places: the first
    /// two and the last of its first word, then of its second word, and the first of its third.
    /// Behind a time these are the words of the text after it and its blanks.
    pub(super) fn may_have(&self, says: Says) -> [Bytes; 7] {
        let parts = self.after_lead().iter().filter(|part| **part != Part::Here);
        let mut parts: Vec<Part> = parts.flat_map(Part::split_at_blanks).collect();
        if self.lead().is_some() && matches!(parts.first(), Some(Part::Blank | Part::AnyBlank)) {
            parts.remove(0);
        }
        // Nothing is known behind a part that may hold blanks.
        let known = parts
            .iter()
            .position(Part::may_hold_blanks)
            .unwrap_or(parts.len());
        let blank = |from: usize| {
            let word = parts.get(from..known)?;
            Some(from + word.iter().position(|part| *part == Part::Blank)?)
        };
        let begins = |at: usize| match parts.get(at) {
            None | Some(Part::Field(_, Kind::Any) | Part::AnyBlank | Part::Message) => Bytes::Any,
            Some(Part::Text(text)) => Bytes::One(text[0]),
            Some(part) => Bytes::of(|byte| part.may_begin_with(says, byte)),
        };
        let second = |at: usize| match parts.get(at) {
            Some(Part::Text(text)) if text.len() > 1 => Bytes::One(text[1]),
            Some(part) if part.is_one_byte(says) => begins(at + 1),
            _ => Bytes::Any,
        };
        let ends = |blank: usize| match &parts[blank - 1] {
            Part::Text(text) => Bytes::One(text[text.len() - 1]),
            part => Bytes::of(|byte| part.may_end_with(says, byte)),
        };
        let first_end = blank(0);
        let next = first_end.map(|blank| blank + 1);
        let next_end = next.and_then(blank);
        [
            begins(0),
            second(0),
            first_end.map_or(Bytes::Any, ends),
            next.map_or(Bytes::Any, begins),
            next.map_or(Bytes::Any, second),
            next_end.map_or(Bytes::Any, ends),
            next_end.map_or(Bytes::Any, |blank| begins(blank + 1)),
        ]
    }

    /// Compares a line with the template.
    pub(super) fn read(&'static self, row: &'static Row, line: &[u8], lead: Option<&Lead>) -> Option<Shaped> {
        let mut ends = [(0, 0); MOST_FIELDS];
        let (mut stamp, mut level) = (None, None);
        let mut count = 0;
        let mut at = 0;
        let mut parts = &self.parts[..];
        if self.lead().is_some() {
            let lead = lead?;
            let seconds = self.parts[0] == Part::Epoch;
            (!seconds || lead.end == 10).then_some(())?;
            (stamp, at) = (Some(lead.stamp), lead.end);
            parts = self.after_lead();
        }
        let mut named = false;
        let mut here = None;
        while let [part, following @ ..] = parts {
            parts = following;
            let rest = &line[at..];
            at += match part {
                Part::Text(text) => rest.starts_with(text).then_some(text.len())?,
                Part::Blank => Some(blanks(rest)).filter(|len| *len > 0)?,
                Part::AnyBlank => blanks(rest),
                Part::Time | Part::Epoch => {
                    let (read, len) = time::scan(rest)?;
                    stamp = Some(read);
                    len
                }
                Part::GlogTime => {
                    let (read, len) = time::glog(rest)?;
                    stamp = Some(read);
                    len
                }
                Part::Level => {
                    let len = match row.says {
                        Says::Letter => rest.len().min(1),
                        Says::Only(_) => rest
                            .iter()
                            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                            .count(),
                        _ => rest
                            .iter()
                            .take_while(|b| b.is_ascii_alphanumeric() || !b.is_ascii())
                            .count(),
                    };
                    named = true;
                    level = Some(row.says.of_word(&rest[..len])?);
                    len
                }
                Part::Field(name, kind) => {
                    let len = field_len(rest, *kind, following.first())?;
                    if !name.starts_with('_') {
                        // A head further on than this is none.
                        *ends.get_mut(count)? = (u8::try_from(at).ok()?, u8::try_from(at + len).ok()?);
                        count += 1;
                    }
                    len
                }
                Part::Here => {
                    here = Some(at);
                    0
                }
                Part::Message => break,
            };
        }
        if !named {
            level = row.says.of_message(&line[at..]);
        }
        Some(Shaped {
            row,
            template: self,
            level,
            stamp,
            ends,
            message: here.unwrap_or(at),
        })
    }
}

fn text(parts: &mut Vec<Part>, bytes: &[u8]) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.extend_from_slice(bytes),
        _ => parts.push(Part::Text(bytes.to_vec())),
    }
}

fn field(inside: &'static str) -> Part {
    let (name, kind) = inside.split_once('.').unwrap_or((inside, ""));
    let kind = match kind {
        "digits" => Kind::Digits,
        "hex" => Kind::Hex,
        "dotted" => Kind::Dotted,
        "method" => Kind::Method,
        "upper" => Kind::Upper,
        "place" => Kind::Place,
        "any" => Kind::Any,
        kind => kind.strip_prefix("from:").map_or(Kind::Token, Kind::From),
    };
    match name {
        "time" => Part::Time,
        "epoch" => Part::Epoch,
        "mmdd" => Part::GlogTime,
        "level" => Part::Level,
        "message" => Part::Message,
        "here" => Part::Here,
        _ => Part::Field(name, kind),
    }
}

pub(super) fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// Returns the length of the word at the start.
pub(super) fn word_len(text: &[u8]) -> usize {
    let text = &text[..text.len().min(LONGEST_WORD)];
    memchr::memchr2(b' ', b'\t', text).unwrap_or(text.len())
}

/// Returns the length of a field at the start of `rest`, which ends before the next part.
fn field_len(rest: &[u8], kind: Kind, next: Option<&Part>) -> Option<usize> {
    let head = &rest[..rest.len().min(LONGEST + 1)];
    let len = match (kind, next) {
        (Kind::Any, Some(Part::Text(text))) => {
            memchr::memchr_iter(text[0], head).find(|at| head[*at..].starts_with(text))?
        }
        (Kind::Digits, _) => head.iter().take_while(|b| b.is_ascii_digit()).count(),
        (Kind::Hex, _) => head.iter().take_while(|b| b.is_ascii_hexdigit()).count(),
        (Kind::Upper, _) => head.iter().take_while(|b| is_upper(**b)).count(),
        (_, Some(Part::Text(text))) => head
            .iter()
            .position(|b| *b == text[0] || b.is_ascii_whitespace())
            .unwrap_or(head.len()),
        _ => head
            .iter()
            .position(|b| b.is_ascii_whitespace())
            .unwrap_or(head.len()),
    };
    let fits = (1..=LONGEST).contains(&len)
        && match kind {
            Kind::Dotted => std::str::from_utf8(&rest[..len]).is_ok_and(is_dotted),
            Kind::Method => std::str::from_utf8(&rest[..len]).is_ok_and(is_method),
            Kind::Place => is_place(&rest[..len]),
            Kind::From(text) => rest.starts_with(text.as_bytes()),
            _ => true,
        };
    fits.then_some(len)
}

/// Returns true for a class and its method: `org.apache.catalina.Lifecycle.init`.
fn is_method(text: &str) -> bool {
    let mut parts = text.rsplit('.');
    let starts = |part: Option<&str>, kind: fn(&char) -> bool| {
        part.and_then(|part| part.chars().next())
            .is_some_and(|c| kind(&c))
    };
    starts(parts.next(), |c| c.is_ascii_lowercase() || *c == '_') && parts.count() >= 3 && is_dotted(text)
}

/// Returns true for a file, a line and perhaps a function: `cmd/web.go:123:runWeb()`.
fn is_place(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b':');
    let file = parts.next().unwrap_or_default();
    let line = parts.next().unwrap_or_default();
    file.contains(&b'.') && !line.is_empty() && line.iter().all(u8::is_ascii_digit)
}

impl Part {
    /// Returns the words and the blanks of a text, any other part as it is.
    fn split_at_blanks(&self) -> Vec<Part> {
        let Part::Text(text) = self else {
            return vec![self.clone()];
        };
        let runs = text.chunk_by(|a, b| (*a == b' ') == (*b == b' '));
        runs.map(|run| match run[0] {
            b' ' => Part::Blank,
            _ => Part::Text(run.to_vec()),
        })
        .collect()
    }

    /// Returns true for a part that is one byte long in every line.
    fn is_one_byte(&self, says: Says) -> bool {
        match self {
            Part::Text(text) => text.len() == 1,
            Part::Level => match says {
                Says::Only(words) => words.iter().all(|(word, _)| word.len() == 1),
                says => matches!(says, Says::Letter),
            },
            _ => false,
        }
    }

    fn may_hold_blanks(&self) -> bool {
        matches!(
            self,
            Part::AnyBlank
                | Part::Message
                | Part::Time
                | Part::Epoch
                | Part::GlogTime
                | Part::Field(_, Kind::Any)
        )
    }

    /// Returns true if a line's part may begin with this byte.
    fn may_begin_with(&self, says: Says, byte: u8) -> bool {
        match self {
            Part::Text(text) => text[0] == byte,
            Part::Blank => matches!(byte, b' ' | b'\t'),
            // Months, days of the week, TAI64N.
            Part::Time => {
                matches!(byte, b'0'..=b'9' | b'@' | b'A' | b'D' | b'F' | b'J' | b'M'..=b'O' | b'S' | b'T' | b'W')
            }
            Part::Epoch | Part::GlogTime | Part::Field(_, Kind::Digits) => byte.is_ascii_digit(),
            Part::Field(_, Kind::Hex) => byte.is_ascii_hexdigit(),
            Part::Field(_, Kind::Upper) => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Part::Field(_, Kind::Dotted | Kind::Method) => {
                byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$')
            }
            Part::Level => {
                let begins =
                    |words: &[(&str, Level)]| words.iter().any(|(word, _)| word.as_bytes()[0] == byte);
                match says {
                    Says::Only(words) => begins(words),
                    Says::Letter => byte.is_ascii_uppercase(),
                    Says::Words(words) => words::may_begin_with(byte) || begins(words),
                    _ => words::may_begin_with(byte),
                }
            }
            Part::Field(_, Kind::From(text)) => text.as_bytes()[0] == byte,
            Part::Field(_, Kind::Token | Kind::Place) => !byte.is_ascii_whitespace(),
            Part::Field(_, Kind::Any) | Part::AnyBlank | Part::Here | Part::Message => true,
        }
    }

    /// Returns true if a line's part may end with this byte.
    fn may_end_with(&self, says: Says, byte: u8) -> bool {
        match self {
            Part::Text(text) => text.last() == Some(&byte),
            Part::Field(_, Kind::Digits) => byte.is_ascii_digit(),
            Part::Field(_, Kind::Hex) => byte.is_ascii_hexdigit(),
            Part::Field(_, Kind::Upper) => is_upper(byte),
            Part::Level => match says {
                Says::Letter => byte.is_ascii_uppercase(),
                Says::Only(words) => words
                    .iter()
                    .any(|(word, _)| word.as_bytes().last() == Some(&byte)),
                _ => byte.is_ascii_alphanumeric() || byte == b'_',
            },
            _ => !matches!(byte, b' ' | b'\t'),
        }
    }
}

fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
}
