//! logfmt lines: `key=value key="quoted value"`. Their level is found without allocating.

use std::borrow::Cow;

use memchr::memchr;
use serde_json::Value;

use super::json_level::{blanks, string};
use super::{Parts, STACK, TIME, take_text};
use crate::level::Level;
use crate::level::words::value_level;
use crate::{Context, text, time};

/// One `key=value` of a logfmt line, as written; `quoted` values are still escaped.
struct Pair<'a> {
    key: &'a [u8],
    value: &'a [u8],
    quoted: bool,
}

/// Returns the pair at the start of `bytes` and the position after it with its blanks. None when
/// what stands there is no pair.
fn pair(bytes: &[u8]) -> Option<(Pair<'_>, usize)> {
    let key_len = bytes
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'@' | b'/')))
        .filter(|len| *len > 0 && bytes[*len] == b'=')?;
    let key = &bytes[..key_len];
    let start = key_len + 1;
    let (value, end, quoted) = if bytes.get(start) == Some(&b'"') {
        let (value, end) = string(bytes, start)?;
        (value, end, true)
    } else {
        let len = bytes[start..]
            .iter()
            .position(|b| matches!(b, b' ' | b'\t'))
            .unwrap_or(bytes.len() - start);
        (&bytes[start..start + len], start + len, false)
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
    )
}

/// Returns true for the keys that hold the message.
pub(crate) fn names_message(key: &[u8]) -> bool {
    matches!(key, b"msg" | b"message")
}

/// Returns the level of a line that starts with `key=value` pairs, two at least or nothing else.
pub(crate) fn level(bytes: &[u8]) -> Option<Level> {
    let mut rest = bytes;
    let mut level = None;
    let mut pairs = 0;
    while let Some((pair, next)) = pair(rest) {
        pairs += 1;
        if level.is_none() && names_level(pair.key) {
            level = value_level(pair.value);
        }
        if level.is_some() && pairs >= 2 {
            break;
        }
        rest = &rest[next..];
    }
    level.filter(|_| pairs >= 2)
}

/// Reads a line that is wholly `key=value` pairs, at least two, one of them the level or the
/// message.
pub(crate) fn read(line: &str, context: &Context) -> Option<Parts> {
    let bytes = line.as_bytes();
    // Most lines are told by their first word.
    pair(bytes)?;
    let mut pairs = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (pair, next) = pair(&bytes[at..])?;
        pairs.push(pair);
        at += next;
    }
    if pairs.len() < 2
        || !pairs
            .iter()
            .any(|pair| names_level(pair.key) || names_message(pair.key))
    {
        return None;
    }
    let mut parts = Parts::default();
    for pair in pairs {
        let key = String::from_utf8_lossy(pair.key);
        let value = if pair.quoted {
            unquote(&String::from_utf8_lossy(pair.value)).into_owned()
        } else {
            String::from_utf8_lossy(pair.value).into_owned()
        };
        let value = match text::without_nul(&value) {
            Some(clean) => {
                parts.nul = true;
                clean
            }
            None => value,
        };
        if parts.time.is_none()
            && TIME.contains(&&*key)
            && let Some(moment) = time::whole(&value, context)
        {
            parts.time = Some(moment);
        } else if parts.message.is_none() && names_message(pair.key) && !value.trim().is_empty() {
            parts.message = Some(value);
        } else if parts.detail.is_none() && STACK.contains(&&*key) && value.contains('\n') {
            parts.detail = Some(value);
        } else if !(names_level(pair.key) && value_level(value.as_bytes()).is_some()) {
            parts.fields.insert(key.into_owned(), Value::String(value));
        }
    }
    if parts.message.is_none() {
        parts.message = take_text(&mut parts.fields, &["event", "error", "err"]);
    }
    Some(parts)
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
