//! The level of a record.

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
        named(word.trim().as_bytes()).ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

/// The level that a word names, whatever its case.
pub(crate) fn named(word: &[u8]) -> Option<Level> {
    const LONGEST: usize = 13;
    if word.len() < 3 || word.len() > LONGEST {
        return None;
    }
    let mut lower = [0; LONGEST];
    let lower = &mut lower[..word.len()];
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"trace" | b"trc" | b"trce" | b"debug" | b"dbg" | b"dbug" | b"debu" | b"verbose" | b"vrb"
        | b"fine" | b"finer" | b"finest" | b"silly" | b"debug1" | b"debug2" | b"debug3" | b"debug4"
        | b"debug5" => Level::Debug,
        b"info" | b"inf" | b"information" | b"informational" | b"notice" | b"note" | b"log" | b"config"
        | b"system" | b"http" | b"default" => Level::Info,
        b"warn" | b"warning" | b"wrn" => Level::Warn,
        b"error" | b"err" | b"eror" | b"erro" | b"severe" | b"fail" | b"failure" => Level::Error,
        b"fatal" | b"ftl" | b"fata" | b"crit" | b"critical" | b"alert" | b"emerg" | b"emergency"
        | b"panic" | b"pani" | b"dpanic" => Level::Fatal,
        _ => return None,
    })
}

/// The level of a record by its first line, None when there is none. Does not allocate.
pub fn level(line: &[u8]) -> Option<Level> {
    line.get(..128)
        .unwrap_or(line)
        .split(|b| !b.is_ascii_alphanumeric() && *b != b'_')
        .find_map(named)
}
