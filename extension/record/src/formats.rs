//! `--format`: the user's word on the time, level and message of a line, for programs whose shape
//! is not recognised or that name no severity.
//!
//! A format is a named one of `named`, a regular expression, or a file of lnav. It decides which
//! lines begin a record: a line that does not match belongs to the record before it.

mod error;
mod group;
mod lnav;
mod named;

use std::borrow::Cow;

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::level::translated;
use crate::level::words::{letter_level, word_level};
use crate::{Flags, Level, clean, line, shapes};

pub use error::FormatError;

/// A way to read the lines of a file.
#[derive(Clone, Debug)]
pub struct Format {
    patterns: Vec<Pattern>,
    /// Lines that look like a part of a trace belong to the record before, although they match.
    plain: bool,
    texts: Option<Texts>,
    /// The level of the lines that match and name none.
    otherwise: Option<Level>,
}

/// A regular expression with the groups `time`, `level`, `message`, `error` and `fatal`, all of
/// which may be missing. A line in which `error` or `fatal` takes part has that level.
#[derive(Clone, Debug)]
struct Pattern {
    regex: Regex,
    names: Names,
    /// The levels of an lnav file, each with the text that means it.
    levels: Vec<(Level, Regex)>,
    /// The ways to write the time in an lnav file.
    times: Vec<String>,
}

/// The names of the groups.
#[derive(Clone, Debug)]
struct Names {
    time: String,
    level: String,
    message: String,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            time: "time".to_owned(),
            level: "level".to_owned(),
            message: "message".to_owned(),
        }
    }
}

/// The texts by which messages without a level are told apart.
#[derive(Clone, Debug)]
struct Texts {
    quiet: Option<Regex>,
    fatal: Option<Regex>,
    error: Option<Regex>,
}

/// The parts of a headline that a format has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// The time as written, or in ISO 8601 if the format says how it is written.
    pub time: Option<String>,
    pub level: Level,
    /// Never empty: an empty message is the line.
    pub message: String,
    pub flags: Flags,
}

impl Format {
    /// Reads the name of a format, or a regular expression.
    pub fn parse(text: &str) -> Result<Format, FormatError> {
        match named::find(text) {
            Some(format) => Ok(format),
            None => Format::regex(text),
        }
    }

    /// Returns a format for lines of any shape: those that name no level have this one.
    pub fn any(level: Level) -> Format {
        Format {
            patterns: Vec::new(),
            plain: true,
            texts: None,
            otherwise: Some(level),
        }
    }

    /// Reads the text of an lnav format file.
    pub fn lnav(text: &str) -> Result<Format, FormatError> {
        lnav::read(text)
    }

    fn regex(text: &str) -> Result<Format, FormatError> {
        let regex = compile(text).map_err(|error| FormatError::Regex {
            names: named::names(),
            error: Box::new(error),
        })?;
        let groups: Vec<&str> = regex.capture_names().flatten().collect();
        if !groups
            .iter()
            .any(|name| ["time", "level", "message", "error", "fatal"].contains(name))
        {
            return Err(FormatError::NoGroup {
                text: text.to_owned(),
                names: named::names(),
            });
        }
        group::check(text, "level", |word| level_of(word).is_some())?;
        Ok(Format {
            patterns: vec![Pattern {
                regex,
                names: Names::default(),
                levels: Vec::new(),
                times: Vec::new(),
            }],
            plain: false,
            texts: None,
            otherwise: None,
        })
    }

    /// Gives the lines that match and name no level this one.
    pub fn with_level(mut self, level: Level) -> Format {
        self.otherwise = Some(level);
        self
    }

    /// Returns true for a line that begins a record.
    pub fn starts(&self, line: &[u8]) -> bool {
        let is_match = match &self.patterns[..] {
            [] => !line.trim_ascii().is_empty(),
            patterns => patterns.iter().any(|pattern| pattern.regex.is_match(line)),
        };
        is_match && !(self.plain && line::continues(line))
    }

    /// Returns the level of a line that begins a record, None if it names none.
    pub fn level(&self, line: &[u8]) -> Option<Level> {
        if self.patterns.is_empty() {
            return crate::level(line).or(self.otherwise);
        }
        let (pattern, found) = self.captures(line)?;
        self.level_in(pattern, &found, line)
            .or_else(|| crate::level(line))
            .or(self.otherwise)
    }

    /// Returns the parts of a line that begins a record. None if the general reading finds more in
    /// it than the format.
    pub fn headline(&self, line: &[u8]) -> Option<Headline> {
        if self.patterns.is_empty() {
            return self.any_headline(line);
        }
        let (pattern, found) = self.captures(line)?;
        let named = self.level_in(pattern, &found, line);
        let level = named.or(self.otherwise.filter(|_| crate::level(line).is_none()));
        let grouped = found.name(&pattern.names.message).is_some();
        // The program's own format knows less of a line whose level the general reading finds.
        let level = match (level, self.texts.is_some()) {
            (Some(level), _) => level,
            (None, false) if grouped || found.name(&pattern.names.time).is_some() => crate::level(line)?,
            (None, _) => return None,
        };
        let time = found
            .name(&pattern.names.time)
            .map(|time| clean(time.as_bytes()).0)
            .map(|time| pattern.iso(&time).unwrap_or_else(|| time.into_owned()));
        let message = found
            .name(&pattern.names.message)
            .map_or(line, |message| message.as_bytes());
        let (mut message, flags) = clean(message);
        if message.trim().is_empty() {
            message = Cow::Owned(clean(line).0.into_owned());
        }
        Some(Headline {
            time,
            level,
            message: message.trim().to_owned(),
            flags,
        })
    }

    /// Returns the time that a line begins with and the rest, unless the line names a level.
    fn any_headline(&self, line: &[u8]) -> Option<Headline> {
        let level = self.otherwise.filter(|_| crate::level(line).is_none())?;
        let lead = shapes::lead(line);
        let (start, end) = lead.map_or((0, 0), |lead| (lead.start, lead.end));
        let (rest, flags) = clean(&line[end..]);
        let message = rest
            .trim_start_matches([']', ')', ':', '|', ' ', '\t', '-'])
            .trim_end();
        let whole = clean(line).0;
        Some(Headline {
            time: (end > 0).then(|| clean(&line[start..end]).0.into_owned()),
            level,
            message: if message.is_empty() { whole.trim() } else { message }.to_owned(),
            flags,
        })
    }

    fn captures<'h>(&self, line: &'h [u8]) -> Option<(&Pattern, Captures<'h>)> {
        self.patterns
            .iter()
            .find_map(|pattern| Some((pattern, pattern.regex.captures(line)?)))
    }

    /// Returns the level that the format finds in a line.
    fn level_in(&self, pattern: &Pattern, found: &Captures, line: &[u8]) -> Option<Level> {
        if found.name("fatal").is_some() {
            return Some(Level::Fatal);
        }
        if found.name("error").is_some() {
            return Some(Level::Error);
        }
        if let Some(word) = found.name(&pattern.names.level) {
            return pattern.level(word.as_bytes());
        }
        let texts = self.texts.as_ref()?;
        let message = found
            .name(&pattern.names.message)
            .map_or(line, |message| message.as_bytes());
        let holds = |regex: &Option<Regex>| regex.as_ref().is_some_and(|regex| regex.is_match(message));
        match () {
            _ if holds(&texts.quiet) => None,
            _ if holds(&texts.fatal) => Some(Level::Fatal),
            _ if holds(&texts.error) => Some(Level::Error),
            _ => None,
        }
    }
}

impl Pattern {
    fn level(&self, word: &[u8]) -> Option<Level> {
        let mapped = self
            .levels
            .iter()
            .find(|(_, regex)| regex.is_match(word))
            .map(|(level, _)| *level);
        mapped.or_else(|| level_of(word))
    }

    /// Returns a time that is written in one of the ways of the format as ISO 8601.
    fn iso(&self, time: &str) -> Option<String> {
        self.times.iter().find_map(|way| lnav::iso(way, time))
    }
}

/// Returns the level that a word or a letter names.
fn level_of(word: &[u8]) -> Option<Level> {
    let word = word.trim_ascii();
    match word {
        b"N" => Some(Level::Info),
        b"T" => Some(Level::Debug),
        [letter @ b'A'..=b'Z'] => letter_level(*letter),
        _ => word_level(word)
            .map(|(level, _)| level)
            .or_else(|| translated::severity(word)),
    }
}

/// Compiles an expression over bytes: a message need not be UTF-8.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).build()
}

/// The formats of a file, tried in order for each line.
#[derive(Clone, Debug, Default)]
pub struct Formats(Vec<Format>);

impl Formats {
    /// Adds a format that is tried after the others.
    pub fn push(&mut self, format: Format) {
        self.0.push(format);
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true for a line that begins a record in one of the formats.
    pub fn starts(&self, line: &[u8]) -> bool {
        self.0.iter().any(|format| format.starts(line))
    }

    /// Returns the level of a line by the first format that matches.
    pub fn level(&self, line: &[u8]) -> Option<Level> {
        self.0
            .iter()
            .find(|format| format.starts(line))
            .and_then(|format| format.level(line))
    }

    /// Returns the parts of a line by the first format that matches.
    pub fn headline(&self, line: &[u8]) -> Option<Headline> {
        self.0
            .iter()
            .find(|format| format.starts(line))
            .and_then(|format| format.headline(line))
    }
}
