//! The words and bytes of which a line of ERROR or worse has at least one, for a quick search.
//!
//! [`level`](crate::level) decides; a search for these must not pass over a line that it would call
//! an error. Rows of the table of shapes whose level is no usual word need a needle here.

use super::words::word_level;
use super::{Level, translated};

/// Returns the level that a whole word can give to a line; `next` is the byte behind it.
pub fn word(word: &[u8], next: Option<&u8>) -> Option<Level> {
    if let Some((level, _)) = word_level(word) {
        return Some(level);
    }
    if let Some(level) = translated::severity(word).or_else(|| translated::java(word)) {
        return Some(level);
    }
    PLURALS
        .iter()
        .find(|(plural, _)| plural.as_bytes() == word && next.is_none_or(|b| *b == b':'))
        .map(|(_, level)| *level)
}

const PLURALS: [(&str, Level); 4] = [
    ("errors", Level::Error),
    ("alerts", Level::Fatal),
    ("emergencies", Level::Fatal),
    ("warnings", Level::Warn),
];

/// Texts of crashes, of the kernel and of rows of the table. A search looks for the four bytes at
/// the offset beside a text: they are rare in logs.
pub const PHRASES: [(&[u8], usize); 12] = [
    (b"Traceback (most recent call last):", 3),
    (b"Exception in thread ", 0),
    (b"Unhandled exception", 10),
    (b"Unhandled Exception", 10),
    (b"panicked at ", 0),
    (b"Kernel panic", 7),
    (b"emory: Kill", 5),
    (b"core-dump", 3),
    (b"dumped core", 0),
    (b"BUG: ", 0),
    (b" REPORT====", 6),
    (b"FAILED ASSERTION ", 0),
];

/// Returns true if a phrase stands around `at`.
pub fn is_phrase(text: &[u8], at: usize) -> bool {
    PHRASES.iter().any(|(phrase, offset)| {
        at.checked_sub(*offset)
            .and_then(|start| text.get(start..))
            .is_some_and(|rest| rest.starts_with(phrase) || phrase.starts_with(rest))
    })
}

/// Returns true for a letter beyond ASCII that a severity of another language has as its first.
pub fn begins_translated(text: &[u8], at: usize, least: Level) -> bool {
    // Most letters are told by the one before: the word began earlier.
    at.checked_sub(1).is_none_or(|before| text[before].is_ascii()) && translated::is_around(text, at, least)
}

/// The classes of BIRD without a usual word.
pub const CLASSES: [&[u8]; 1] = [b"<BUG>"];

/// The letters of ERROR or worse of any program in the table of shapes.
pub const LETTERS: &[u8] = b"EFCAXM";

/// The masks of ERROR or worse of sssd, behind a bracket.
pub const MASKS: [&[u8]; 3] = [b"(0x0010)", b"(0x0020)", b"(0x0040)"];
