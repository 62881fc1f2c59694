//! What a log record is: its level, time, message and pattern.
//!
//! The tailer and the extension both use this crate, so that they can never disagree. It knows no PostgreSQL and does no I/O.
//! Nothing here fails or panics, whatever a line holds: what cannot be understood is kept as plain text.

mod flags;
mod level;
pub mod line;
pub mod pattern;
pub mod source;
mod text;

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

pub use flags::Flags;
pub use level::{Level, UnknownLevel, level};
pub use text::clean;

/// The most bytes of a message. A longer one is cut at a character's boundary and flagged.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// How to read a time that says no zone or no year.
#[derive(Clone, Debug)]
pub struct Context {
    pub zone: TimeZone,
    pub now: Timestamp,
}

/// A record as read from its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    pub level: Option<Level>,
    /// Microsecond precision at most.
    pub logged_at: Option<Timestamp>,
    /// The headline without time and level. Never empty when the text is not blank.
    pub message: Cow<'a, str>,
    /// The continuation lines.
    pub detail: Option<Cow<'a, str>>,
    /// The other keys of a structured record. No string holds U+0000.
    pub fields: Option<Map<String, Value>>,
    pub flags: Flags,
}

/// Reads a record: its headline, then any continuation lines.
pub fn parse<'a>(text: &'a str, _context: &Context) -> Record<'a> {
    let text = text.trim_end();
    let text = text.trim_start_matches(['\r', '\n']);
    let (headline, detail) = match text.split_once('\n') {
        Some((headline, detail)) => (headline.trim_end(), Some(Cow::Borrowed(detail))),
        None => (text, None),
    };
    let mut flags = Flags::TIME_MISSING;
    let message = text::cut(headline, MAX_MESSAGE);
    if message.len() < headline.len() {
        flags |= Flags::TRUNCATED;
    }
    Record {
        level: level(headline.as_bytes()),
        logged_at: None,
        message: Cow::Borrowed(message),
        detail,
        fields: None,
        flags,
    }
}
