//! `--format`: the user's word on what a line's time, level and message are, where the program's shape is not recognised or is mistaken.
//!
//! The database reads records with the same code as a dry run does, and knows no formats. So a headline that matches is handed on as a
//! JSON object of its three parts, which leaves nothing to recognise.

use std::str::FromStr;

use logwatch_record::{Flags, Level, clean};
use regex::bytes::{Captures, Regex, RegexBuilder};
use serde::Serialize;

use crate::failure::Failure;

/// The formats that have a name, each for lines that are sure to be this program's.
const NAMED: [(&str, &str); 8] = [
    (
        "apache",
        r"^\[(?<time>[^\]]+)\] \[(?:[^\]:]*:)?(?<level>[a-z]+)\d?\] (?<message>.*)$",
    ),
    (
        "laravel",
        r"^\[(?<time>\d{4}-[^\]]+)\] (?:[^ :]+\.)?(?<level>[A-Za-z]+): (?<message>.*)$",
    ),
    (
        "log4j",
        r"^(?<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) +(?:\[[^\]]*\] +)?(?<level>[A-Z]+) +(?<message>.*)$",
    ),
    (
        "nginx",
        r"^(?<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?<level>[a-z]+)\] (?<message>.*)$",
    ),
    (
        "postgresql",
        r"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [A-Z0-9+-]+)[ :].*?(?<level>DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC):  (?<message>.*)$",
    ),
    (
        // csvlog: eleven columns before the severity, the message after its SQLSTATE; the manual's table 20.4.
        "postgresql-csv",
        r#"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z0-9+:-]+)(?:,(?:"(?:[^"]|"")*"|[^",]*)){10},(?<level>[A-Z]+\d?),[0-9A-Z]{5},"?(?<message>(?:[^"]|"")*)"#,
    ),
    (
        "python",
        r"^(?<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?) - [^ ]+ - (?<level>[A-Z]+) - (?<message>.*)$",
    ),
    (
        "ruby",
        r"^[A-Z], \[(?<time>[^ \]]+)[^\]]*\] +(?<level>[A-Z]+) -- [^:]*: (?<message>.*)$",
    ),
];

#[derive(Clone, Debug)]
pub struct Format(Regex);

#[derive(Serialize)]
struct Headline<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    level: Level,
    message: &'a str,
}

impl Format {
    /// A line that does not match belongs to the record before it.
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.0.is_match(line)
    }

    /// The level of a line that matches, None when it says none.
    pub fn level(&self, line: &[u8]) -> Option<Level> {
        self.0.captures(line).and_then(|found| level(&found, line))
    }

    /// The line as its three parts, or as it is when it does not match.
    pub fn headline(&self, line: &[u8]) -> (Vec<u8>, Flags) {
        let found = self.0.captures(line);
        let parts = found
            .as_ref()
            .and_then(|found| Some((found, level(found, line)?)));
        let Some((found, level)) = parts else {
            return (line.to_vec(), Flags::empty());
        };
        let time = found.name("time").map(|time| clean(time.as_bytes()).0);
        let message = found.name("message").map_or(line, |message| message.as_bytes());
        let (message, flags) = clean(message);
        let headline = Headline {
            time: time.as_deref(),
            level,
            message: &message,
        };
        match serde_json::to_vec(&headline) {
            Ok(text) => (text, flags),
            Err(_) => (line.to_vec(), Flags::empty()),
        }
    }
}

/// What the group says; without such a group, what the line looks like.
fn level(found: &Captures, line: &[u8]) -> Option<Level> {
    let Some(word) = found.name("level") else {
        return logwatch_record::level(line);
    };
    let word = std::str::from_utf8(word.as_bytes()).ok()?.trim();
    if let Ok(level) = word.parse() {
        return Some(level);
    }
    match word {
        "F" | "C" => Some(Level::Fatal),
        "E" => Some(Level::Error),
        "W" => Some(Level::Warn),
        "I" | "N" => Some(Level::Info),
        "D" | "T" | "V" => Some(Level::Debug),
        _ => None,
    }
}

impl FromStr for Format {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Format, Failure> {
        let named = NAMED.iter().find(|(name, _)| *name == text);
        let pattern = named.map_or(text, |(_, pattern)| pattern);
        let names = || NAMED.map(|(name, _)| name).join(", ");
        // Bytes: a message need not be UTF-8.
        let pattern = RegexBuilder::new(pattern)
            .unicode(false)
            .build()
            .map_err(|error| {
                Failure::Usage(format!(
                    "--format: {}, or a pattern that can be read: {error}",
                    names()
                ))
            })?;
        let groups = ["time", "level", "message"];
        if !pattern
            .capture_names()
            .flatten()
            .any(|name| groups.contains(&name))
        {
            return Err(Failure::Usage(format!(
                "--format: \"{text}\" is none of {}, and as a pattern it has no group (?<time>…), (?<level>…) or (?<message>…)",
                names()
            )));
        }
        Ok(Format(pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headline(format: &str, line: &str) -> String {
        let (text, _) = format.parse::<Format>().unwrap().headline(line.as_bytes());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn named_formats_read_their_programs() {
        for (name, line, time, level, message) in [
            (
                "apache",
                "[Sun Nov 22 10:00:00.123 2026] [core:error] [pid 1] AH00037: x",
                "Sun Nov 22 10:00:00.123 2026",
                "ERROR",
                "[pid 1] AH00037: x",
            ),
            (
                "laravel",
                "[2026-11-22 10:00:00] production.CRITICAL: x",
                "2026-11-22 10:00:00",
                "FATAL",
                "x",
            ),
            (
                "log4j",
                "2026-11-22 10:00:00,123 [main] ERROR a.B - x",
                "2026-11-22 10:00:00,123",
                "ERROR",
                "a.B - x",
            ),
            (
                "nginx",
                "2026/11/22 10:00:00 [crit] 1#1: *1 x",
                "2026/11/22 10:00:00",
                "FATAL",
                "1#1: *1 x",
            ),
            (
                "postgresql",
                "2026-11-22 10:00:00.123 UTC [1] a@b ERROR:  x",
                "2026-11-22 10:00:00.123 UTC",
                "ERROR",
                "x",
            ),
            (
                "python",
                "2026-11-22 10:00:00,123 - a.b - ERROR - x",
                "2026-11-22 10:00:00,123",
                "ERROR",
                "x",
            ),
            (
                "ruby",
                "E, [2026-11-22T10:00:00.123456 #1] ERROR -- app: x",
                "2026-11-22T10:00:00.123456",
                "ERROR",
                "x",
            ),
        ] {
            let expected = format!(r#"{{"time":"{time}","level":"{level}","message":"{message}"}}"#);
            assert_eq!(headline(name, line), expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_may_name_some_of_the_parts() {
        let format: Format = r"^(?<level>\w) (?<message>.*)".parse().unwrap();
        assert_eq!(format.level(b"E x"), Some(Level::Error));
        assert_eq!(format.level(b"Q x"), None);
        assert_eq!(format.level(b"ERROR: x"), None);
        let (text, flags) = format.headline(b"E a\xffb");
        assert_eq!(
            text,
            "{\"level\":\"ERROR\",\"message\":\"a\u{FFFD}b\"}".as_bytes()
        );
        assert_eq!(flags, Flags::BAD_UTF8);
        assert_eq!(
            headline(r"^(?<time>\d+)", "1 ERROR x"),
            r#"{"time":"1","level":"ERROR","message":"1 ERROR x"}"#
        );
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for text in ["log5j", "(", "plain"] {
            assert!(matches!(text.parse::<Format>(), Err(Failure::Usage(_))), "{text}");
        }
    }
}
