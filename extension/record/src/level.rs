//! The levels and the words that programs use for them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// How severe a record is. The order is the one of the SQL enum `logwatch.level`.
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
    /// The level's name in SQL and in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }

    /// The level that a whole word names, in any case; None when it names none. Does not allocate.
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

    /// Any word that programs use for a level, in any case: `error`, `err`, `SEVERE`, `critical`, `warning` …
    fn from_str(word: &str) -> Result<Level, UnknownLevel> {
        Level::of_word(word.as_bytes().trim_ascii()).ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

/// How much the look of a word must say before it counts as a level in a line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proof {
    /// Counts wherever it stands alone: `error`, `Warning`.
    Word,
    /// Is also a common word: counts in capitals, in brackets or before a colon (`[crit]`, `ALERT`, `fail:`).
    Shape,
    /// Is a common heading too: counts in brackets, or in capitals before a colon (`LOG:`, `[Note]`).
    Heading,
    /// Counts only as the value of a level key.
    Key,
}

/// The level that a word names, whatever its case, and the proof it needs in a line of text.
pub(crate) fn word_level(word: &[u8]) -> Option<(Level, Proof)> {
    const LONGEST: usize = 13;
    let first = word.first()?.to_ascii_lowercase();
    if word.len() > LONGEST || LENGTHS[usize::from(first.wrapping_sub(b'a')).min(26)] & 1 << word.len() == 0 {
        return None;
    }
    let mut lower = [0; LONGEST];
    let lower = &mut lower[..word.len()];
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    use Level::*;
    use Proof::*;
    Some(match &*lower {
        b"error" => (Error, Word),
        b"info" | b"information" | b"informational" => (Info, Word),
        b"warn" | b"warning" => (Warn, Word),
        b"debug" => (Debug, Word),
        b"fatal" => (Fatal, Word),
        b"err" | b"eror" | b"erro" | b"severe" | b"fail" | b"failure" => (Error, Shape),
        b"critical" | b"crit" | b"alert" | b"emerg" | b"emergency" | b"panic" | b"pani" | b"dpanic"
        | b"fata" | b"ftl" => (Fatal, Shape),
        b"wrn" => (Warn, Shape),
        b"notice" | b"inf" => (Info, Shape),
        b"trace" | b"trc" | b"trce" | b"dbg" | b"dbug" | b"debu" | b"vrb" | b"finer" | b"finest"
        | b"verbose" => (Debug, Shape),
        b"debug1" | b"debug2" | b"debug3" | b"debug4" | b"debug5" => (Debug, Shape),
        // PostgreSQL's LOG and its companions, MySQL's [Note] and [System], java.util.logging's CONFIG and FINE.
        b"log" | b"note" | b"system" | b"config" | b"statement" | b"detail" | b"hint" | b"context" => {
            (Info, Heading)
        }
        b"fine" => (Debug, Heading),
        b"http" | b"default" | b"success" => (Info, Key),
        b"silly" => (Debug, Key),
        _ => return None,
    })
}

/// For each first letter, a bit for each length that its words below have: most words of a line are told by these two.
const LENGTHS: [u16; 27] = {
    const fn bits(lengths: &[u16]) -> u16 {
        let mut bits = 0;
        let mut i = 0;
        while i < lengths.len() {
            bits |= 1 << lengths[i];
            i += 1;
        }
        bits
    }
    let mut table = [0; 27];
    table[0] = bits(&[5]); // alert
    table[2] = bits(&[4, 6, 7, 8]); // crit config context critical
    table[3] = bits(&[3, 4, 5, 6, 7]); // dbg dbug debug dpanic default
    table[4] = bits(&[3, 4, 5, 9]); // err eror error emergency
    table[5] = bits(&[3, 4, 5, 6, 7]); // ftl fail fatal finest failure
    table[7] = bits(&[4]); // hint http
    table[8] = bits(&[3, 4, 11, 13]); // inf info information informational
    table[11] = bits(&[3]); // log
    table[13] = bits(&[4, 6]); // note notice
    table[15] = bits(&[4, 5]); // pani panic
    table[18] = bits(&[5, 6, 7, 9]); // silly severe success statement
    table[19] = bits(&[3, 4, 5]); // trc trce trace
    table[21] = bits(&[3, 7]); // vrb verbose
    table[22] = bits(&[3, 4, 7]); // wrn warn warning
    table
};

/// The level of a letter: glog, Android, MongoDB, Ruby.
pub(crate) fn letter_level(letter: u8) -> Option<Level> {
    Some(match letter {
        b'F' | b'C' | b'A' => Level::Fatal,
        b'E' => Level::Error,
        b'W' => Level::Warn,
        b'I' => Level::Info,
        b'D' | b'V' => Level::Debug,
        _ => return None,
    })
}

/// The level of a syslog severity, 0 to 7 (RFC 5424 §6.2.1).
pub(crate) fn syslog_level(severity: u64) -> Option<Level> {
    Some(match severity {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        7 => Level::Debug,
        _ => return None,
    })
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
