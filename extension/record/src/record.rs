//! A record read from its text.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use memchr::memchr;
use serde_json::{Map, Value};

use crate::head::{self, Head};
use crate::level::detect;
use crate::line;
use crate::structured::container::Unwrapped;
use crate::structured::{Parts, container, json, logfmt};
use crate::time::{self, DateOrder};
use crate::{Flags, Level, text};

/// The most bytes of a message. A longer one is cut at a character's boundary and flagged.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// A time further ahead than this is flagged.
pub(crate) const FUTURE: SignedDuration = SignedDuration::from_mins(5);

/// Completes a time that names no zone or no year, or whose day may be its month.
#[derive(Clone, Debug)]
pub struct Context {
    pub zone: TimeZone,
    pub now: Timestamp,
    /// A time of the same file, if one is known.
    pub near: Option<Timestamp>,
    pub date_order: DateOrder,
}

impl Context {
    /// Returns the context of a reader in this zone, now.
    pub fn of(zone: TimeZone) -> Context {
        Context {
            zone,
            now: Timestamp::now(),
            near: None,
            date_order: DateOrder::default(),
        }
    }
}

/// A record as read from its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// The level of the headline, as [`level`](crate::level) reads it.
    pub level: Option<Level>,
    /// Microsecond precision at most. None when there is no time or it is not certain.
    pub logged_at: Option<Timestamp>,
    /// The headline without time, level and what else certainly belongs to its head. At most
    /// [`MAX_MESSAGE`] bytes, never empty when the text is not blank.
    pub message: Cow<'a, str>,
    /// The continuation lines, or the stack trace of a structured record.
    pub detail: Option<Cow<'a, str>>,
    /// The other keys of a JSON or logfmt record; of a plain one the parts of its head: `host`,
    /// `program`, `pid`, `thread`, `logger`, `caller`. No string holds U+0000.
    pub fields: Option<Map<String, Value>>,
    pub flags: Flags,
}

/// Reads a record: its headline, then any continuation lines. Total: any text gives a record.
pub fn parse<'a>(text: &'a str, context: &Context) -> Record<'a> {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let text = trim(text);
    let undressed = undressed(text);
    // The head of a plain line that nothing wraps has its level.
    let is_plain = undressed.is_none()
        && detect::unwrapped(first.as_bytes())
            .is_some_and(|line| line[0] != b'{' && std::ptr::eq(line, first.trim().as_bytes()));
    let mut record = match undressed {
        Some(inner) if !inner.text.trim().is_empty() => {
            let mut record = owned(read(trim(&inner.text), context));
            if record.logged_at.is_none() {
                record.logged_at = inner.time.and_then(|outer| time::whole(&outer, context));
            }
            if let Some((field, name)) = inner.name {
                let fields = record.fields.get_or_insert_default();
                fields.entry(field).or_insert(Value::String(name));
            }
            record
        }
        _ => read(text, context),
    };
    if line::opens_object(first.as_bytes()) {
        record.level = detect::object_level(text.as_bytes());
    } else if !is_plain {
        record.level = detect::level(first.as_bytes());
    }
    if record.message.starts_with(TRACEBACK) {
        traceback(&mut record);
    }
    match record.logged_at {
        None => record.flags |= Flags::TIME_MISSING,
        Some(time) if time.duration_since(context.now) > FUTURE => record.flags |= Flags::TIME_FUTURE,
        Some(_) => {}
    }
    record
}

/// The first line of a trace of Python.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// Takes the exception, which Python writes last, for the message of a bare trace. The process has
/// ended if the error came from the module that was started.
fn traceback(record: &mut Record) {
    let Some(detail) = record.detail.take() else {
        return;
    };
    let frame = detail.lines().find(|line| line.trim_start().starts_with("File "));
    if record.level == Some(Level::Error) && frame.is_some_and(|frame| frame.ends_with("in <module>")) {
        record.level = Some(Level::Fatal);
    }
    let exception = detail
        .lines()
        .rfind(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()) && line.contains([':', '.']))
        .map(str::to_owned);
    let whole = format!("{}\n{detail}", record.message);
    if let Some(exception) = exception {
        record.message = stored(Cow::Owned(exception), &mut record.flags);
    }
    record.detail = Some(Cow::Owned(whole));
}

/// Returns the text without blank lines before it and blanks after it.
fn trim(text: &str) -> &str {
    let text = text.trim_end();
    let blank = text.len() - text.trim_start().len();
    // Only whole lines go: a continuation line keeps its indent.
    let start = text[..blank].rfind('\n').map_or(0, |at| at + 1);
    let text = &text[start..];
    text.strip_prefix('\u{FEFF}')
        .filter(|rest| !rest.trim().is_empty())
        .unwrap_or(text)
}

fn headline(text: &str) -> (&str, &str) {
    match memchr(b'\n', text.as_bytes()) {
        Some(at) => (text[..at].trim_end(), &text[at + 1..]),
        None => (text, ""),
    }
}

/// Returns the text without a container's wrapper, repeated heads of syslog and a terminal's
/// colours. None when it has none of these.
fn undressed(text: &str) -> Option<Unwrapped> {
    let unwrapped = container::unwrap(text).or_else(|| {
        line::tagged::without_tags(text).map(|text| Unwrapped {
            text,
            ..Unwrapped::default()
        })
    });
    let inner = unwrapped.as_ref().map_or(text, |unwrapped| &unwrapped.text);
    match text::without_escapes(inner) {
        Some(plain) => Some(Unwrapped {
            text: plain,
            ..unwrapped.unwrap_or_default()
        }),
        None => unwrapped,
    }
}

fn owned(record: Record) -> Record<'static> {
    Record {
        level: record.level,
        logged_at: record.logged_at,
        message: Cow::Owned(record.message.into_owned()),
        detail: record.detail.map(|detail| Cow::Owned(detail.into_owned())),
        fields: record.fields,
        flags: record.flags,
    }
}

/// Reads a text that nothing wraps. The level is that of a plain headline.
fn read<'a>(text: &'a str, context: &Context) -> Record<'a> {
    let (headline, rest) = headline(text);
    let line = headline.trim();
    if line::opens_object(line.as_bytes())
        && let Some(mut parts) = json::json(text, context)
    {
        parts
            .message
            .get_or_insert_with(|| text.split_whitespace().collect::<Vec<_>>().join(" "));
        return structured_record(line, Head::default(), parts, "");
    }
    let head = if line.starts_with('{') {
        Head {
            body: line,
            ..Head::default()
        }
    } else {
        head::read(line, context)
    };
    let body = head.body;
    let parts = if body.starts_with('{') {
        json::json(body, context)
    } else {
        logfmt::read(body, context)
    };
    match parts {
        Some(parts) => structured_record(line, head, parts, rest),
        None => plain_record(line, head, rest),
    }
}

fn plain_record<'a>(line: &'a str, head: Head<'a>, rest: &'a str) -> Record<'a> {
    let mut flags = if head.doubtful {
        Flags::TIME_DOUBTFUL
    } else {
        Flags::empty()
    };
    let mut fields = head.fields;
    let mut message = head.body;
    let mut rest = rest;
    // .NET's console writes `fail: Category[0]` and the message below; Erlang's reports have only a
    // head in the first line.
    let category = dotnet_category(line);
    if (category.is_some() || message.is_empty()) && !rest.trim().is_empty() {
        let first = trim(rest);
        let (line, others) = self::headline(first);
        (message, rest) = (line.trim(), others);
        if let Some((name, event)) = category {
            fields.insert("logger".to_owned(), Value::String(name.to_owned()));
            fields.insert("event".to_owned(), Value::String(event.to_owned()));
        }
    }
    if message.is_empty() {
        message = line;
    }
    let message = stored(Cow::Borrowed(message), &mut flags);
    let detail = detail(rest).map(|detail| without_nul(detail, &mut flags));
    if fields.values().any(|value| {
        value
            .as_str()
            .is_some_and(|text| memchr(0, text.as_bytes()).is_some())
    }) {
        flags |= Flags::NUL;
        for value in fields.values_mut() {
            if let Value::String(text) = value {
                *text = text.replace('\0', "\u{FFFD}");
            }
        }
    }
    let fields = (!fields.is_empty()).then_some(fields);
    Record {
        level: head.level,
        logged_at: head.time,
        message,
        detail,
        fields,
        flags,
    }
}

/// Reads `fail: Microsoft.AspNetCore.Server.Kestrel[13]`: the category and the event's number.
fn dotnet_category(line: &str) -> Option<(&str, &str)> {
    let rest = ["fail: ", "crit: ", "warn: ", "info: ", "dbug: ", "trce: "]
        .iter()
        .find_map(|level| line.strip_prefix(level))?;
    let (name, event) = rest.strip_suffix(']')?.rsplit_once('[')?;
    let fits =
        !name.is_empty() && !name.contains(' ') && event.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    fits.then_some((name, event))
}

fn structured_record<'a>(line: &'a str, head: Head<'a>, parts: Parts, rest: &'a str) -> Record<'a> {
    let mut flags = if parts.nul { Flags::NUL } else { Flags::empty() };
    let mut fields = parts.fields;
    for (key, value) in head.fields {
        fields.entry(key).or_insert(value);
    }
    let mut below: Vec<Cow<str>> = Vec::new();
    let message = match parts.message {
        None => Cow::Borrowed(line),
        Some(text) => {
            let text = text.trim();
            match text.split_once('\n') {
                Some((first, others)) => {
                    below.push(Cow::Owned(others.to_owned()));
                    Cow::Owned(first.trim_end().to_owned())
                }
                None => Cow::Owned(text.to_owned()),
            }
        }
    };
    below.extend(parts.detail.map(Cow::Owned));
    below.extend((!rest.trim().is_empty()).then_some(Cow::Borrowed(rest)));
    let joined = below.join("\n");
    let detail = detail(&joined).map(|detail| without_nul(Cow::Owned(detail.into_owned()), &mut flags));
    let message = stored(message, &mut flags);
    let fields = (!fields.is_empty()).then_some(fields);
    Record {
        level: head.level,
        logged_at: parts.time.or(head.time),
        message,
        detail,
        fields,
        flags,
    }
}

/// Returns a message as it may be stored: no NUL, no more than [`MAX_MESSAGE`] bytes.
fn stored<'a>(message: Cow<'a, str>, flags: &mut Flags) -> Cow<'a, str> {
    let message = without_nul(message, flags);
    if message.len() <= MAX_MESSAGE {
        return message;
    }
    *flags |= Flags::TRUNCATED;
    match message {
        Cow::Borrowed(message) => Cow::Borrowed(text::cut(message, MAX_MESSAGE)),
        Cow::Owned(mut message) => {
            message.truncate(text::cut(&message, MAX_MESSAGE).len());
            Cow::Owned(message)
        }
    }
}

fn without_nul<'a>(text: Cow<'a, str>, flags: &mut Flags) -> Cow<'a, str> {
    match text::without_nul(&text) {
        Some(clean) => {
            *flags |= Flags::NUL;
            Cow::Owned(clean)
        }
        None => text,
    }
}

/// Continuation lines as they are stored: without the carriage returns of Windows and blank lines
/// at both ends.
fn detail(lines: &str) -> Option<Cow<'_, str>> {
    let lines = trim(lines);
    if lines.is_empty() {
        return None;
    }
    Some(match memchr(b'\r', lines.as_bytes()) {
        Some(_) => Cow::Owned(lines.replace("\r\n", "\n")),
        None => Cow::Borrowed(lines),
    })
}
