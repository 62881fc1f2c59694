//! The level that a JSON record names by a key, found without allocating: this runs for each line
//! near a hit.

use memchr::{memchr2, memmem};

use crate::level::Level;
use crate::level::translated;
use crate::level::words::{letter_level, syslog_level, value_level};

/// The outcome of the scan of a JSON object.
pub(crate) enum Json<'a> {
    /// A key names the level.
    Level(Level),
    /// No key does, but this raw (still escaped) string is the text of the record: a container's or
    /// a shipper's line.
    Text { raw: &'a [u8], container: bool },
    /// A whole object that says nothing about its level.
    Silent,
    /// Not a whole object, and no key named the level up to where it breaks off.
    Broken,
}

/// Looks for the level in the JSON object at the start of `bytes`.
pub(crate) fn json(bytes: &[u8]) -> Json<'_> {
    let mut seen = Seen::default();
    let whole = object(bytes, &mut seen, 0, 0);
    match (seen.level, whole) {
        (Some(Level::Info), _) => Json::Level(postgres_record(bytes).unwrap_or(Level::Info)),
        (Some(level), _) => Json::Level(level),
        (None, None) => Json::Broken,
        (None, Some(_)) => seen.verdict(),
    }
}

/// Returns the severity of a record of PostgreSQL that CloudNativePG has put into one of its own:
/// `{"level":"info",…,"msg":"record",…,"record":{…,"error_severity":"ERROR",…}}`. A text in a JSON
/// string cannot look so, as its quotes are escaped.
fn postgres_record(bytes: &[u8]) -> Option<Level> {
    const SEVERITY: &[u8] = br#""error_severity":"#;
    let mut at = memmem::find(bytes, br#""msg":"record""#)?;
    at += memmem::find(&bytes[at..], br#""record":{"#)?;
    at += memmem::find(&bytes[at..], SEVERITY)? + SEVERITY.len();
    let (severity, _) = string(bytes, at)?;
    value_level(severity).or_else(|| translated::severity(severity))
}

/// Objects are read this deep for a level.
const DEEPEST: u8 = 3;

#[derive(Default)]
struct Seen<'a> {
    level: Option<Level>,
    /// `"level": 3` means syslog's error in GELF and nothing elsewhere.
    gelf_level: Option<u64>,
    gelf: bool,
    log: Option<&'a [u8]>,
    stream: bool,
    message: Option<&'a [u8]>,
    serilog: u8,
    /// Kibana 7 puts the level first among the tags of a line of the type `log`.
    tag: Option<Level>,
    logged: bool,
    /// Nextcloud counts 0 to 4.
    nextcloud: bool,
    /// This object is the level itself: its name is the level.
    of_level: bool,
}

impl<'a> Seen<'a> {
    fn verdict(self) -> Json<'a> {
        if let Some(level) = self.gelf_level.filter(|_| self.gelf).and_then(syslog_level) {
            return Json::Level(level);
        }
        if let Some(level) = self.tag.filter(|_| self.logged) {
            return Json::Level(level);
        }
        if let Some(number) = self.gelf_level.filter(|_| self.nextcloud) {
            return Json::Level(match number {
                0 => Level::Debug,
                1 => Level::Info,
                2 => Level::Warn,
                3 => Level::Error,
                _ => Level::Fatal,
            });
        }
        match self {
            Seen {
                log: Some(raw),
                stream: true,
                ..
            } => Json::Text { raw, container: true },
            // Serilog's compact format leaves @l out for Information.
            Seen { serilog: 3, .. } => Json::Level(Level::Info),
            Seen {
                message: Some(raw), ..
            }
            | Seen { log: Some(raw), .. } => Json::Text {
                raw,
                container: false,
            },
            _ => Json::Silent,
        }
    }

    fn key(&mut self, key: &[u8], value: Value<'a>) {
        match (key, value) {
            (b"log", Value::String(raw)) => self.log = Some(raw),
            (b"stream", Value::String(_)) => self.stream = true,
            (b"tags", Value::String(word)) => self.tag = value_level(word),
            (b"type", Value::String(b"log")) => self.logged = true,
            (b"reqId", Value::String(_)) => self.nextcloud = true,
            (b"short_message", Value::String(raw)) => {
                self.gelf = true;
                self.message = self.message.or(Some(raw));
            }
            (b"message" | b"msg" | b"MESSAGE" | b"Message", Value::String(raw)) => {
                self.message = self.message.or(Some(raw));
            }
            (b"@t", _) => self.serilog |= 1,
            (b"@mt" | b"@m", _) => self.serilog |= 2,
            (b"level", Value::Number(number @ 0..=7)) => self.gelf_level = Some(number),
            (b"name" | b"label" | b"text" | b"value", Value::String(word)) if self.of_level => {
                self.level = self.level.or(value_level(word));
            }
            (key, value) if self.level.is_none() => self.level = keyed(key, value),
            _ => {}
        }
    }
}

#[derive(Clone, Copy)]
enum Value<'a> {
    String(&'a [u8]),
    Number(u64),
    Other,
}

/// Returns the level that a key gives. Keys of slog, zap, logrus, zerolog, pino, winston, bunyan,
/// Python, Monolog, Serilog, .NET, log4j, ECS, GELF, GCP, OpenTelemetry, MongoDB, hclog and
/// journald.
fn keyed(key: &[u8], value: Value) -> Option<Level> {
    let named = matches!(
        key,
        b"level"
            | b"Level"
            | b"LEVEL"
            | b"lvl"
            | b"severity"
            | b"Severity"
            | b"SEVERITY"
            | b"error_severity"
            | b"severityText"
            | b"severity_text"
            | b"SeverityText"
            | b"log.level"
            | b"log_level"
            | b"loglevel"
            | b"logLevel"
            | b"LogLevel"
            | b"levelname"
            | b"level_name"
            | b"levelName"
            | b"@l"
            | b"@level"
            | b"s"
            | b"sev"
    );
    let syslog = matches!(key, b"severity" | b"priority" | b"PRIORITY");
    match value {
        Value::String(word) if named || syslog => {
            match word {
                [letter] if named && letter.is_ascii_alphabetic() => {
                    letter_level(letter.to_ascii_uppercase())
                }
                // MongoDB's D1 to D5.
                [b'D', b'1'..=b'5'] => Some(Level::Debug),
                // No level has more digits as a string; what has is a time or an order's number.
                [b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9'] => number(word).and_then(|n| numbered(key, n)),
                _ => value_level(word).or_else(|| translated::severity(word)),
            }
        }
        Value::Number(n) => numbered(key, n),
        _ => None,
    }
}

fn numbered(key: &[u8], n: u64) -> Option<Level> {
    match key {
        // Google Cloud's.
        b"severity" if n >= 100 && n.is_multiple_of(100) => match n / 100 {
            1 => Some(Level::Debug),
            2 | 3 => Some(Level::Info),
            4 => Some(Level::Warn),
            5 => Some(Level::Error),
            6..=8 => Some(Level::Fatal),
            _ => None,
        },
        b"severity" | b"priority" | b"PRIORITY" => syslog_level(n),
        // Python's 10 to 50.
        b"levelno" => match n {
            0..20 => Some(Level::Debug),
            20..30 => Some(Level::Info),
            30..40 => Some(Level::Warn),
            40..50 => Some(Level::Error),
            _ => Some(Level::Fatal),
        },
        // OpenTelemetry's 1 to 24.
        b"severityNumber" | b"severity_number" | b"SeverityNumber" => match n {
            1..=8 => Some(Level::Debug),
            9..=12 => Some(Level::Info),
            13..=16 => Some(Level::Warn),
            17..=20 => Some(Level::Error),
            21..=24 => Some(Level::Fatal),
            _ => None,
        },
        // pino and bunyan count 10 to 60, Monolog 100 to 600.
        b"level" | b"lvl" => match n {
            10..30 | 100..200 => Some(Level::Debug),
            30..40 | 200..300 => Some(Level::Info),
            40..50 | 300..400 => Some(Level::Warn),
            50..60 | 400..500 => Some(Level::Error),
            60..100 | 500..=600 => Some(Level::Fatal),
            _ => None,
        },
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

/// Reads an object's keys; returns the position after it, None when it is broken. Stops early once
/// the level is known.
fn object<'a>(bytes: &'a [u8], seen: &mut Seen<'a>, start: usize, depth: u8) -> Option<usize> {
    let mut at = blanks(bytes, start + 1);
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let (key, next) = string(bytes, at)?;
        // The quick search (the tailer's `candidates`) knows a key by one blank at most before its
        // colon, and blanks, no tabs, after it.
        at = next + usize::from(bytes.get(next) == Some(&b' '));
        (bytes.get(at) == Some(&b':')).then_some(())?;
        at += 1;
        at += bytes[at..].iter().take_while(|b| **b == b' ').count();
        let value;
        match bytes.get(at)? {
            b'"' => {
                let (raw, next) = string(bytes, at)?;
                (value, at) = (Value::String(raw), next);
            }
            // ECS nests: {"log":{"level":"error"}}; loguru: {"record":{"level":{"name":"ERROR"}}}.
            b'{' if depth < DEEPEST
                && matches!(key, b"log" | b"record" | b"body" | b"level" | b"severity") =>
            {
                let mut inner = Seen {
                    of_level: matches!(key, b"level" | b"severity"),
                    ..Seen::default()
                };
                let next = object(bytes, &mut inner, at, depth + 1);
                seen.level = seen.level.or(inner.level);
                at = if seen.level.is_some() { at } else { next? };
                value = Value::Other;
            }
            // journald's field that is set twice: {"PRIORITY":["3","3"]}.
            b'[' if matches!(key, b"PRIORITY" | b"tags") => {
                let first = string(bytes, blanks(bytes, at + 1)).map(|(raw, _)| raw);
                value = first.map_or(Value::Other, Value::String);
                at = nested(bytes, at)?;
            }
            b'{' | b'[' => (value, at) = (Value::Other, nested(bytes, at)?),
            _ => {
                let len = bytes[at..]
                    .iter()
                    .position(|b| matches!(b, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n'))?;
                value = number(&bytes[at..at + len]).map_or(Value::Other, Value::Number);
                at += len;
            }
        }
        seen.key(key, value);
        if seen.level.is_some() {
            return Some(at);
        }
        at = blanks(bytes, at);
        match bytes.get(at)? {
            b',' => at = blanks(bytes, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

pub(crate) fn blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take_while(|b| b.is_ascii_whitespace())
        .count()
}

/// Returns the raw content of the string that starts at `at`, and the position after it.
pub(crate) fn string(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    (bytes.get(at) == Some(&b'"')).then_some(())?;
    let start = at + 1;
    let mut end = start;
    loop {
        end += memchr2(b'"', b'\\', bytes.get(end..)?)?;
        if bytes[end] == b'"' {
            return Some((&bytes[start..end], end + 1));
        }
        end += 2;
    }
}

/// Returns the position after the nested value that starts at `at`.
fn nested(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string(bytes, at)?.1;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Undoes JSON's escapes into `buffer` as far as it reaches. Only good for looking at: what is not
/// ASCII may become `?`.
pub(crate) fn unescape<'b>(raw: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let mut len = 0;
    let mut at = 0;
    while at < raw.len() && len < buffer.len() {
        let mut byte = raw[at];
        at += 1;
        if byte == b'\\' {
            byte = match raw.get(at) {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'u') => {
                    let hex = raw
                        .get(at + 1..at + 5)
                        .and_then(|hex| std::str::from_utf8(hex).ok());
                    at += 4;
                    hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())
                        .filter(u8::is_ascii)
                        .unwrap_or(b'?')
                }
                Some(other) => *other,
                None => break,
            };
            at += 1;
        }
        buffer[len] = byte;
        len += 1;
    }
    &buffer[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Level> {
        match json(line.as_bytes()) {
            Json::Level(level) => Some(level),
            _ => None,
        }
    }

    #[test]
    fn numbers_mean_what_their_program_means() {
        assert_eq!(
            of(r#"{"level":50,"time":1531171074631,"msg":"x","pid":657,"hostname":"h"}"#),
            Some(Level::Error)
        );
        assert_eq!(
            of(r#"{"version":"1.1","host":"h","short_message":"x","level":3}"#),
            Some(Level::Error)
        );
        assert_eq!(of(r#"{"level":3,"what":"a game"}"#), None);
        assert_eq!(
            of(r#"{"message":"x","context":{},"level":400,"level_name":"ERROR"}"#),
            Some(Level::Error)
        );
        assert_eq!(of(r#"{"PRIORITY":"3","MESSAGE":"x"}"#), Some(Level::Error));
        assert_eq!(of(r#"{"severityNumber":17,"body":"x"}"#), Some(Level::Error));
        assert_eq!(of(r#"{"levelno":50,"message":"x"}"#), Some(Level::Fatal));
    }

    #[test]
    fn only_keys_of_the_record_itself_count() {
        assert_eq!(
            of(r#"{"job":{"level":"error"},"level":"info"}"#),
            Some(Level::Info)
        );
        assert_eq!(of(r#"{"a":[{"level":"error"}],"msg":"level: \"error\""}"#), None);
        assert_eq!(
            of(r#"{"@timestamp":"x","log":{"level":"error","logger":"a"},"message":"m"}"#),
            Some(Level::Error)
        );
        assert_eq!(
            of(
                r#"{"text":"x","record":{"elapsed":{"repr":"0"},"level":{"icon":"x","name":"ERROR","no":40}}}"#
            ),
            Some(Level::Error)
        );
        assert_eq!(of(r#"{"level":{"name":"fatal"},"msg":"x"}"#), Some(Level::Fatal));
        assert_eq!(of(r#"{"ts":"x","body":{"level":"error"}}"#), Some(Level::Error));
        assert_eq!(of(r#"{"PRIORITY":["3","3"],"MESSAGE":"x"}"#), Some(Level::Error));
        let wrapped = r#"{"level":"info","msg":"record","record":{"error_severity":"FATAL"}}"#;
        assert_eq!(of(wrapped), Some(Level::Fatal));
        assert_eq!(of(&wrapped.replace("\"msg\"", "\"x\"")), Some(Level::Info));
    }

    #[test]
    fn coloured_and_shifted_values_name_a_level() {
        assert_eq!(
            of(r#"{"level":"\u001b[31merror\u001b[39m","message":"x"}"#),
            Some(Level::Error)
        );
        assert_eq!(of(r#"{"level":"ERROR+4","msg":"x"}"#), Some(Level::Error));
        assert_eq!(of(r#"{"level":"INFO-2","msg":"x"}"#), Some(Level::Info));
        assert_eq!(of(r#"{"level":"ERROR-42x","msg":"x"}"#), None);
    }

    #[test]
    fn broken_objects_are_told_apart() {
        assert!(matches!(json(br#"{"msg":"cut of"#), Json::Broken));
        assert!(matches!(json(br#"{"a":1}"#), Json::Silent));
        assert!(matches!(json(br#"{"#), Json::Broken));
        assert!(matches!(json(br#"{"a":{"b":[]]}}"#), Json::Broken | Json::Silent));
        assert_eq!(of(r#"{"level":"error","msg":"cut of"#), Some(Level::Error));
    }

    #[test]
    fn escapes_are_undone_as_far_as_the_buffer_reaches() {
        let mut buffer = [0; 8];
        assert_eq!(unescape(br"a\n\u0041\\b", &mut buffer), b"a\nA\\b");
        assert_eq!(unescape(b"0123456789", &mut buffer), b"01234567");
        assert_eq!(unescape(br"a\", &mut buffer), b"a");
        assert_eq!(unescape(br"\u00", &mut buffer), b"?");
    }
}
