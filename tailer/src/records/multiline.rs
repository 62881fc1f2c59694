//! Which lines belong together, and how long a record waits for more of its lines.
//!
//! The last record of a file may still grow: the next line tells, and while there is none only time
//! does. Waiting long is safe and late, waiting short is quick and may cut a stack trace in two.
//! Most records are one line, and those that are more are mostly written in one piece; so a record
//! waits
//!
//! - `SHORT_WAIT` after the file's last byte when it is one plain line;
//! - `LONG_WAIT` when it has continuation lines already – traces come in bursts –, when its
//!   headline announces more (it ends with a colon or names an exception), and always in a file
//!   where waiting short was wrong once: there a continuation line was found right after a record
//!   that had been let go.
//!
//! A record that was passed on is final: it is stored once and never changed.

use std::str::FromStr;
use std::time::Duration;

use regex::bytes::Regex;

use crate::timing::{LONG_WAIT, SHORT_WAIT};

/// How lines are joined.
#[derive(Clone, Debug)]
pub enum Multiline {
    /// By the shapes of known traces.
    Auto,
    /// Each line is a record.
    Off,
    /// Each line that matches begins a record.
    FirstLine(Regex),
}

impl Multiline {
    /// True when the line belongs to the record before it.
    pub fn continues(&self, line: &[u8]) -> bool {
        match self {
            Multiline::Auto => logwatch_record::line::continues(line),
            Multiline::Off => false,
            Multiline::FirstLine(pattern) => !pattern.is_match(line),
        }
    }

    /// How long a record waits for more lines. `lines` counts those it has; `split_before`: this
    /// file has proved short waits wrong.
    pub fn wait(&self, headline: &[u8], lines: usize, split_before: bool) -> Duration {
        match self {
            Multiline::Off => Duration::ZERO,
            _ if lines > 1 || split_before || announces_more(headline) => LONG_WAIT,
            _ => SHORT_WAIT,
        }
    }
}

impl FromStr for Multiline {
    type Err = String;

    fn from_str(text: &str) -> Result<Multiline, String> {
        match text {
            "auto" => Ok(Multiline::Auto),
            "off" => Ok(Multiline::Off),
            pattern => Regex::new(pattern)
                .map(Multiline::FirstLine)
                .map_err(|error| format!("use auto, off or a pattern that can be read: {error}")),
        }
    }
}

/// True when the headline looks like the start of a stack trace.
fn announces_more(headline: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [
        b"Exception",
        b"Throwable",
        b"Traceback",
        b"traceback",
        b"panic:",
        b"stack trace",
    ];
    let trimmed = headline.trim_ascii_end();
    trimmed.ends_with(b":")
        || trimmed == b"{"
        || NAMES
            .iter()
            .any(|name| memchr::memmem::find(trimmed, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_waits_short_and_a_trace_long() {
        let auto = Multiline::Auto;
        assert_eq!(
            auto.wait(b"2026-11-22 10:00:00 ERROR disk full", 1, false),
            SHORT_WAIT
        );
        assert_eq!(
            auto.wait(b"2026-11-22 10:00:00 ERROR disk full", 2, false),
            LONG_WAIT
        );
        assert_eq!(
            auto.wait(b"2026-11-22 10:00:00 ERROR disk full", 1, true),
            LONG_WAIT
        );
        assert_eq!(auto.wait(b"ERROR request failed:", 1, false), LONG_WAIT);
        assert_eq!(
            auto.wait(b"ERROR java.lang.IllegalStateException: closed\r", 1, false),
            LONG_WAIT
        );
        assert_eq!(
            Multiline::Off.wait(b"ERROR request failed:", 1, true),
            Duration::ZERO
        );
    }

    #[test]
    fn a_pattern_says_which_lines_are_first() {
        let pattern: Multiline = r"^\d{4}-".parse().unwrap();
        assert!(!pattern.continues(b"2026-11-22 ERROR x"));
        assert!(pattern.continues(b"anything else"));
        assert!(!Multiline::Off.continues(b"\tat here"));
        assert!(Multiline::Auto.continues(b"\tat here"));
    }
}
