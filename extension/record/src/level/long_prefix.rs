//! The severity of PostgreSQL behind a `log_line_prefix` of any length.

use super::Level;
use super::detect::LEVEL_WITHIN;
use super::translated;
use super::words::word_level;

/// The severity starts within this many bytes.
const LONGEST_PREFIX: usize = 1024;

/// Returns the severity that PostgreSQL writes behind a long `log_line_prefix`, and the position
/// after its colon. Two blanks after the colon tell it from a word of a sentence.
pub(crate) fn severity(line: &[u8]) -> Option<(Level, usize)> {
    if line.len() <= LEVEL_WITHIN {
        return None;
    }
    let head = &line[..line.len().min(LONGEST_PREFIX)];
    csv(head).or_else(|| behind_prefix(head))
}

/// Returns the severity of a line of csvlog, in front of its SQLSTATE, and the position after both.
fn csv(line: &[u8]) -> Option<(Level, usize)> {
    let mut start = 0;
    memchr::memchr_iter(b',', line).find_map(|comma| {
        let word = &line[std::mem::replace(&mut start, comma + 1)..comma];
        if !translated::is_state(&line[comma + 1..]) {
            return None;
        }
        let level = word_level(word).map(|(level, _)| level);
        Some((level.or_else(|| translated::severity(word))?, comma + 7))
    })
}

fn behind_prefix(head: &[u8]) -> Option<(Level, usize)> {
    let mut colons = memchr::memchr_iter(b':', head).filter(|at| head[*at..].starts_with(b":  "));
    colons.find_map(|colon| {
        let word = head[..colon]
            .iter()
            .rposition(|b| !(b.is_ascii_uppercase() || b.is_ascii_digit()))
            .map_or(0, |at| at + 1);
        let stands = word == 0 || matches!(head[word - 1], b' ' | b']' | b':' | b',' | b'|' | b'>');
        let (level, _) = word_level(&head[word..colon]).filter(|_| stands)?;
        Some((level, colon + 1))
    })
}
