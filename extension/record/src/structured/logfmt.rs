//! logfmt lines: `key=value key="quoted value"`. Their level is found without allocating.

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;
use memchr::{memchr, memchr2};
use serde_json::{Map, Value};

use super::json_level::{blanks, string};
use super::{Parts, STACK, TIME, take_text};
use crate::bytes::{self, KEY};
use crate::level::Level;
use crate::level::words::value_level;
use crate::{Context, text, time};

/// The places of one `key=value` of a logfmt line; `quoted` values are still escaped. Keys and
/// values begin and end beside ASCII.
struct Pair {
    key: Range<usize>,
    value: Range<usize>,
    quoted: bool,
}

/// Returns the pair that begins at `at`, and the position after it with its blanks. None when what
/// stands there is no pair.
fn pair(bytes: &[u8], at: usize) -> Option<(Pair, usize)> {
    let key = at..at + bytes::run(KEY, &bytes[at..]);
    if key.is_empty() || bytes.get(key.end) != Some(&b'=') {
        return None;
    }
    let start = key.end + 1;
    let quoted = bytes.get(start) == Some(&b'"');
    let (value, end) = if quoted {
        let (value, end) = string(bytes, start)?;
        (start + 1..start + 1 + value.len(), end)
    } else {
        let end = memchr2(b' ', b'\t', &bytes[start..]).map_or(bytes.len(), |len| start + len);
        (start..end, end)
    };
    let next = blanks(bytes, end);
    // `a="b"c` is no pair.
    (next > end || end == bytes.len()).then_some((Pair { key, value, quoted }, next))
}

/// Returns true for the keys that name the level in logfmt.
pub(crate) fn names_level(key: &[u8]) -> bool {
    matches!(
        key,
        b"level"
            | b"lvl"
            | b"severity"
            | b"log.level"
            | b"loglevel"
            | b"log_level"
            | b"levelname"
            | b"LEVEL"
            | b"Level"
            | b"prio"
            | b"pri"
    )
}

/// Returns true for the keys that hold the message.
pub(crate) fn names_message(key: &[u8]) -> bool {
    matches!(key, b"msg" | b"message")
}

/// Returns the level of a line that starts with `key=value` pairs, two at least or nothing else.
pub(crate) fn level(bytes: &[u8]) -> Option<Level> {
    let mut at = 0;
    let mut level = None;
    let mut pairs = 0;
    while let Some((pair, next)) = pair(bytes, at) {
        pairs += 1;
        if level.is_none() && names_level(&bytes[pair.key]) {
            level = value_level(&bytes[pair.value]);
        }
        if level.is_some() && pairs >= 2 {
            break;
        }
        at = next;
    }
    level.filter(|_| pairs >= 2)
}

/// Reads a line that is wholly `key=value` pairs, at least two, one of them the level or the
/// message.
pub(crate) fn read(line: &str, context: &Context) -> Option<Parts> {
    let bytes = line.as_bytes();
    // Most lines are told by their first word.
    let (first, mut at) = pair(bytes, 0)?;
    let mut pairs = vec![first];
    while at < bytes.len() {
        let (pair, next) = pair(bytes, at)?;
        pairs.push(pair);
        at = next;
    }
    let names = |pair: &Pair| {
        let key = &bytes[pair.key.clone()];
        names_level(key) || names_message(key)
    };
    if pairs.len() < 2 || !pairs.iter().any(names) {
        return None;
    }
    let mut parts = Parts::default();
    for pair in pairs {
        let (key, value) = (line.get(pair.key)?, line.get(pair.value)?);
        let value = if pair.quoted {
            unquote(value).into_owned()
        } else {
            value.to_owned()
        };
        let value = match text::without_nul(&value) {
            Some(clean) => {
                parts.nul = true;
                clean
            }
            None => value,
        };
        let bytes = key.as_bytes();
        if parts.time.is_none()
            && TIME.contains(&key)
            && let Some(moment) = time::whole(&value, context)
        {
            parts.time = Some(moment);
        } else if parts.message.is_none() && names_message(bytes) && !value.trim().is_empty() {
            parts.message = Some(value);
        } else if parts.detail.is_none() && STACK.contains(&key) && value.contains('\n') {
            parts.detail = Some(value);
        } else if !(names_level(bytes) && value_level(value.as_bytes()).is_some()) {
            parts.fields.insert(key.to_owned(), Value::String(value));
        }
    }
    if parts.time.is_none() {
        parts.time = date_and_time(&mut parts.fields, context);
    }
    if parts.message.is_none() {
        parts.message = take_text(&mut parts.fields, &["event", "error", "err"]);
    }
    Some(parts)
}

/// Takes the time of FortiGate's `date=2026-11-28 time=01:35:33 … tz="+0100"`.
fn date_and_time(fields: &mut Map<String, Value>, context: &Context) -> Option<Timestamp> {
    let part = |key| fields.get(key).and_then(Value::as_str);
    let zone = part("tz").unwrap_or_default();
    let moment = time::whole(&format!("{} {}{zone}", part("date")?, part("time")?), context)?;
    for key in ["date", "time", "tz"] {
        fields.remove(key);
    }
    Some(moment)
}

/// Undoes the escapes of a quoted logfmt value, which are Go's.
fn unquote(raw: &str) -> Cow<'_, str> {
    if memchr(b'\\', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some('r') => value.push('\r'),
            Some(kind @ ('x' | 'u' | 'U')) => {
                let len = match kind {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let rest = chars.as_str();
                let decoded = rest
                    .get(..len)
                    .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                    .and_then(char::from_u32);
                match decoded {
                    Some(decoded) => {
                        value.push(decoded);
                        chars = rest[len..].chars();
                    }
                    None => value.push(kind),
                }
            }
            Some(other) => value.push(other),
            None => {}
        }
    }
    Cow::Owned(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as value;

    fn context() -> Context {
        Context {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            ..Context::of(jiff::tz::TimeZone::UTC)
        }
    }

    #[test]
    fn logfmt_needs_two_pairs() {
        assert_eq!(
            level(br#"time="2026-11-22T10:00:00Z" level=error msg="x""#),
            Some(Level::Error)
        );
        assert_eq!(level(b"lvl=eror msg=x"), Some(Level::Error));
        assert_eq!(level(b"level=error"), None);
        assert_eq!(level(b"a=1 b=2"), None);
    }

    #[test]
    fn logfmt_of_slog_and_logrus() {
        let line = r#"time=2022-11-08T15:28:26.000-05:00 level=ERROR msg="hello \"world\"" count=3 empty="#;
        let parts = read(line, &context()).unwrap();
        assert_eq!(parts.time.unwrap().to_string(), "2022-11-08T20:28:26Z");
        assert_eq!(parts.message.as_deref(), Some("hello \"world\""));
        assert_eq!(Value::Object(parts.fields), value!({"count":"3", "empty":""}));
    }

    #[test]
    fn a_sentence_with_an_equals_sign_is_no_logfmt() {
        for line in [
            "a=1 b=2",
            "level=error",
            "level=error this failed x=1",
            "level=error msg=\"open",
            "connect to x=1",
        ] {
            assert!(read(line, &context()).is_none(), "{line}");
        }
    }

    #[test]
    fn logfmt_escapes_are_undone() {
        assert_eq!(unquote(r"a\nb\x41\u00e9\\"), "a\nbAé\\");
        assert_eq!(unquote(r"\u12"), "u12");
    }
}
