//! The levels and the words that programs use for them.

pub(crate) mod crash;
pub(crate) mod detect;
mod device;
mod evidence;
pub(crate) mod long_prefix;
pub mod needles;
pub(crate) mod translated;
pub(crate) mod words;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use words::word_level;

/// The severity of a record. The order is the one of the SQL enum `logwatch.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    /// Returns the level's name in SQL and in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }

    /// Returns the level that a whole word names, in any case; None when it names none. Does not
    /// allocate.
    pub fn of_word(word: &[u8]) -> Option<Level> {
        word_level(word).map(|(level, _)| level)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel(String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is no level: use DEBUG, INFO, WARN, ERROR or FATAL",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for UnknownLevel {}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Returns any word that programs use for a level, in any case: `error`, `err`, `SEVERE`,
    /// `critical`, `warning` …
    fn from_str(word: &str) -> Result<Level, UnknownLevel> {
        Level::of_word(word.as_bytes().trim_ascii()).ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_of_every_family_have_their_meaning() {
        for (words, level) in [
            (
                "TRACE debug Verbose fine dbug trc trce dbg debu vrb finer finest debug5 silly",
                Level::Debug,
            ),
            (
                "info Information NOTICE log inf informational note system config statement detail hint context http default success",
                Level::Info,
            ),
            ("warn WARNING wrn", Level::Warn),
            ("error ERR eror erro SEVERE fail failure", Level::Error),
            (
                "fatal critical CRIT alert emerg emergency panic ftl fata pani dpanic",
                Level::Fatal,
            ),
        ] {
            for word in words.split(' ') {
                assert_eq!(word.parse(), Ok(level), "{word}");
            }
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_words_to_use() {
        let error = "bogus".parse::<Level>().unwrap_err().to_string();
        assert_eq!(
            error,
            "\"bogus\" is no level: use DEBUG, INFO, WARN, ERROR or FATAL"
        );
        assert!("".parse::<Level>().is_err());
    }

    #[test]
    fn levels_are_ordered_and_written_as_in_sql() {
        assert!(Level::Debug < Level::Info && Level::Error < Level::Fatal);
        assert_eq!(serde_json::to_string(&Level::Error).unwrap(), "\"ERROR\"");
        assert_eq!(format!("[{:5}]", Level::Info), "[INFO ]");
    }
}
