//! The level that a line says. It runs for each line near a hit: it never allocates and looks only
//! at the head of plain text.
//!
//! A structured line says its level by key; anything else by its first level word among the first
//! 128 bytes, so that an INFO line that mentions ERROR is no error. The table of
//! [`shapes`] knows the programs that say it in another way.

use super::words::{Evidence, syslog_level, word_level};
use super::{Level, crash, device, evidence, long_prefix, translated};
use crate::bytes::{self, WORD};
use crate::line::{self, tagged};
use crate::shapes::{self, Lead, Shaped};
use crate::structured::json_level::{self, Json};
use crate::structured::{container, logfmt};
use crate::text;

/// A level word starts within this many bytes.
pub(super) const LEVEL_WITHIN: usize = 128;
/// The bytes of a container's line that are looked at.
const UNESCAPED: usize = 4096;

/// Returns the level of a record by its first line, None when there is none. Does not allocate.
pub fn level(line: &[u8]) -> Option<Level> {
    let line = start(line);
    let line = container::line_inside(line).map_or(line, start);
    match line.first()? {
        b'{' => match json_level::json(line) {
            Json::Level(level) => Some(level),
            Json::Silent => None,
            Json::Broken => plain(line),
            Json::Text { raw, container } => {
                let mut buffer = [0; UNESCAPED];
                // Docker's text ends with the line's newline.
                let text = start(json_level::unescape(raw, &mut buffer));
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                match text.first()? {
                    b'{' if container => match json_level::json(text) {
                        Json::Level(level) => Some(level),
                        _ => plain(text),
                    },
                    b'<' if container => pri(text).or_else(|| plain(text)),
                    _ => plain(text),
                }
            }
        },
        b'<' => pri(line).or_else(|| plain(line)),
        _ => plain(line),
    }
}

/// Returns the text of a line that no container has wrapped, as [`level`] reads it; None for an
/// empty one.
pub(crate) fn unwrapped(line: &[u8]) -> Option<&[u8]> {
    let line = start(line);
    (!line.is_empty() && container::line_inside(line).is_none()).then_some(line)
}

/// Returns the level of a JSON object that is printed over several lines.
pub fn object_level(text: &[u8]) -> Option<Level> {
    match json_level::json(start(text)) {
        Json::Level(level) => Some(level),
        Json::Text { .. } => level(text),
        Json::Silent | Json::Broken => None,
    }
}

/// Returns the line without what may stand before its text: a truncation's NULs, a byte order mark,
/// blanks, the colour of a time or a bracket.
fn start(line: &[u8]) -> &[u8] {
    let line = text::without_hole(line);
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let blanks = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let line = &line[blanks..];
    // Behind the others the quick search of the tailer would not know the start of a line.
    match line::without_colour(line) {
        plain @ [b'[' | b'0'..=b'9', ..] => plain,
        _ => line,
    }
}

/// Returns the length of a syslog `<PRI>` at the start of a line, and its severity.
pub(crate) fn pri_head(line: &[u8]) -> Option<(usize, Level)> {
    let digits = line
        .strip_prefix(b"<")?
        .iter()
        .take(4)
        .position(|b| *b == b'>')
        .filter(|n| (1..=3).contains(n))?;
    let mut pri = 0;
    for b in &line[1..=digits] {
        pri = pri * 10 + u64::from(b.is_ascii_digit().then(|| b - b'0')?);
    }
    // 23 facilities of 8 severities.
    if pri > 191 {
        return None;
    }
    Some((digits + 2, syslog_level(pri % 8)?))
}

fn pri(line: &[u8]) -> Option<Level> {
    pri_head(line).map(|(_, level)| level)
}

fn plain(line: &[u8]) -> Option<Level> {
    let lead = shapes::lead(line);
    let decided = shapes::decisive(line, lead.as_ref()).map(|shaped| shaped.level);
    match decided.or_else(|| behind_tag(line, lead.as_ref())) {
        Some(level) => level,
        None => unshaped(line, lead.as_ref(), first(line, lead.as_ref())),
    }
}

/// Returns the level of a text that syslog has stored with a head of its own, if the text has a
/// time and a row of the table decides: `Nov 28 01:35:33 node1 kubelet[42]: E1128 01:35:33.1 …`. A
/// later line of a message of PostgreSQL has none.
fn behind_tag(line: &[u8], lead: Option<&Lead>) -> Option<Option<Level>> {
    let lead = lead.filter(|lead| lead.start == 0)?;
    match tagged::part_behind(line, lead.end)? {
        (2.., text) if text.starts_with(b"#011") || text.starts_with(b"\t") => Some(None),
        (_, text) => timed_shape(text).map(|shaped| shaped.level),
    }
}

/// Returns the shape of a text behind a tag, if it has a time and decides the level.
pub(crate) fn timed_shape(text: &[u8]) -> Option<Shaped> {
    let shaped = shapes::decisive(text, shapes::lead(text).as_ref())?;
    shaped.stamp.is_some().then_some(shaped)
}

/// Returns the level of a line that no row of the table decides.
fn unshaped(line: &[u8], lead: Option<&Lead>, first: Option<FirstLevel>) -> Option<Level> {
    if lead.is_none()
        && let Some(level) = crash::level(line)
    {
        return Some(level);
    }
    if let Some(found) = first {
        return Some(found.level);
    }
    if let Some((level, _)) = long_prefix::severity(line) {
        return Some(level);
    }
    // The kernel and systemd write behind a time, the kernel's own in brackets.
    let behind = match lead {
        Some(lead) => lead.end,
        None if line.first() == Some(&b'[') => 0,
        None => return None,
    };
    crash::report(line, behind).or_else(|| {
        let lead = lead.filter(|lead| lead.start == 0)?;
        crash::level(tagged::text_behind(line, lead.end)?)
    })
}

/// Returns the level of a plain line whose time and row of the table are known, and the first level
/// that it names; the latter is None if a row decides the level.
pub(crate) fn plain_of(
    line: &[u8],
    lead: Option<&Lead>,
    shaped: Option<&Shaped>,
) -> (Option<Level>, Option<FirstLevel>) {
    // A row further down the table may decide the level of a line whose head is of another one.
    let decisive = match shaped {
        Some(shaped) if shaped.is_decisive() => Some(shaped.level),
        Some(_) => shapes::decisive(line, lead).map(|shaped| shaped.level),
        None => behind_tag(line, lead),
    };
    match decisive {
        Some(level) => (level, None),
        None => {
            let first = first(line, lead);
            (unshaped(line, lead, first), first)
        }
    }
}

/// The first level of a line of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FirstLevel {
    pub(crate) level: Level,
    /// The place of the word; None when a key of an embedded JSON or logfmt text said it.
    pub(crate) word: Option<Word>,
}

impl FirstLevel {
    /// Returns the level of a word that looks like one.
    fn shaped(level: Level, start: usize, end: usize) -> FirstLevel {
        let word = Word {
            start,
            end,
            shaped: true,
        };
        FirstLevel {
            level,
            word: Some(word),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Word {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// It looks like a level (capitals, brackets, a colon), not like a word of a sentence.
    pub(crate) shaped: bool,
}

/// Returns the first level word of a line, or the level of the structured text that starts before
/// it.
///
/// No word of a time names a level, so the search begins behind it.
pub(crate) fn first(line: &[u8], lead: Option<&Lead>) -> Option<FirstLevel> {
    let mut at = lead.map_or(0, |lead| lead.end);
    let mut looked_for_pairs = false;
    let mut level_key = false;
    while at < line.len().min(LEVEL_WITHIN) {
        let (start, byte) = (at, line[at]);
        let len = bytes::run(WORD, &line[at..]);
        if len == 0 {
            at += 1;
            if byte == b' ' {
                continue;
            } else if byte == 0x1b {
                at = after_escape(line, start);
            } else if byte == b'{'
                && line.get(at) == Some(&b'"')
                && let Json::Level(level) = json_level::json(&line[start..])
            {
                return Some(FirstLevel { level, word: None });
            } else if byte == b'%'
                && let Some(level) = device::severity(&line[at..])
            {
                return Some(FirstLevel { level, word: None });
            } else if !byte.is_ascii() {
                let end = start + letters(&line[start..]);
                if let Some(level) = translated::level(line, start, end) {
                    return Some(FirstLevel::shaped(level, start, end));
                }
                at = start + line[start..].iter().take_while(|b| !b.is_ascii()).count();
            }
            continue;
        }
        let mut end = start + len;
        at = end;
        // A digit or an underscore belongs to the word that it starts.
        if !byte.is_ascii_alphabetic() {
            continue;
        }
        let next = line.get(end).copied();
        if next == Some(b'=') && !matches!(line.get(end + 1), None | Some(b'=' | b' ')) {
            // A query's parameter is no key, and the text of a key says nothing:
            // `filter="(cn=error)"`.
            let before = start.checked_sub(1).map(|i| line[i]);
            if matches!(before, Some(b'?' | b'&')) {
                level_key = false;
                continue;
            }
            if !looked_for_pairs && start.checked_sub(1).is_none_or(|i| line[i] == b' ') {
                looked_for_pairs = true;
                if let Some(level) = logfmt::level(&line[start..]) {
                    return Some(FirstLevel { level, word: None });
                }
            }
            let key = &line[start..end];
            level_key = logfmt::names_level(key);
            if !level_key && line[end + 1] == b'"' && !logfmt::names_message(key) {
                at = after_quoted(line, end + 1);
            }
            continue;
        }
        let word = &line[start..end];
        if let Some((level, proof)) = word_level(word)
            && let Some(look) = evidence::of(line, start, end, level_key)
            && proof <= look
        {
            return Some(FirstLevel {
                level,
                word: Some(Word {
                    start,
                    end,
                    shaped: look >= Evidence::Shape,
                }),
            });
        }
        // The other words begin with a capital.
        if !byte.is_ascii_uppercase() {
            level_key = false;
            continue;
        }
        // `BŁĄD`, `PÂNICO`: the word goes on beyond ASCII.
        if next.is_some_and(|b| !b.is_ascii()) {
            end += letters(&line[end..]);
            if let Some(level) = translated::level(line, start, end) {
                return Some(FirstLevel::shaped(level, start, end));
            }
            continue;
        }
        let shaped = match next {
            Some(b':' | b',') => true,
            Some(b' ') => line.get(end + 1) == Some(&b'['),
            _ => false,
        };
        if shaped
            && len >= 3
            && let Some(level) = translated::level(line, start, end)
        {
            return Some(FirstLevel::shaped(level, start, end));
        }
        if evidence::is_request(line, start, word) {
            return None;
        }
        level_key = false;
    }
    None
}

/// Returns the position after the quoted text that opens at `at`, or after the quote if it never
/// closes.
fn after_quoted(line: &[u8], at: usize) -> usize {
    json_level::string(line, at).map_or(at + 1, |(_, end)| end)
}

/// Returns the length of a word of any language.
fn letters(bytes: &[u8]) -> usize {
    let letter = |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii();
    bytes.iter().take_while(|b| letter(b)).count()
}

/// Returns the position after the terminal's escape sequence at `at`.
fn after_escape(line: &[u8], at: usize) -> usize {
    if line.get(at + 1) != Some(&b'[') {
        return at + 1;
    }
    let len = line[at + 2..].iter().position(|b| matches!(b, 0x40..=0x7e));
    at + 2 + len.map_or(0, |len| len + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &[&str], expected: Option<Level>) {
        for line in lines {
            assert_eq!(level(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn the_first_level_word_decides() {
        all(
            &[
                "2026-11-22 10:00:00 INFO retry after ERROR",
                "[info] fatal error page rendered",
                "level=info msg=\"error in x\"",
                "{\"msg\":\"ERROR\",\"level\":\"info\"}",
                "2026-11-22 10:00:00 UTC [1] STATEMENT:  SELECT error",
            ],
            Some(Level::Info),
        );
        all(&["DEBUG: fatal", "dbug: X[0] error"], Some(Level::Debug));
    }

    #[test]
    fn a_word_of_a_name_a_path_or_a_query_is_no_level() {
        all(
            &[
                "reading /var/log/error.log",
                "GET /error?x=fatal 200",
                "see error_log and error-handler and myerror",
                "std::error::Error is a trait",
                "errors=0 error=nil done",
                "state=error",
                "192.0.2.1 - - [22/Nov/2026:10:00:00 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"fatal error\"",
                "192.0.2.1 - - [22/Nov/2026:10:00:00 +0100] \"HEAD / HTTP/1.1\" 200 5 \"-\" \"fatal error\"",
            ],
            None,
        );
    }

    #[test]
    fn a_denied_error_is_none() {
        all(
            &[
                "done, no error found",
                "finished without error",
                "with 0 error in it",
            ],
            None,
        );
        all(
            &["2026-11-22 10:00:00 0 [ERROR] x", "thread 0 ERROR x"],
            Some(Level::Error),
        );
    }

    #[test]
    fn common_words_need_the_look_of_a_level() {
        all(
            &[
                "entering a critical section",
                "we alert the team",
                "kernel panic button",
                "please note: all is well",
                "log: x",
            ],
            None,
        );
        all(
            &[
                "CRITICAL x",
                "[critical] x",
                "critical: x",
                "panic: x",
                "[emerg] 1#1: x",
                "x ALERT y",
            ],
            Some(Level::Fatal),
        );
    }

    #[test]
    fn letters_count_only_in_their_program_s_shape() {
        all(
            &[
                "E something",
                "E1122 is a part number",
                "F 10:00",
                "11-22 E Tag: x",
                "[E] x",
            ],
            None,
        );
        all(
            &[
                "E1122 10:00:00.1 1 a.go:1] x",
                "[E 261122 10:00:00 web:1] x",
                "E/Tag( 1): x",
            ],
            Some(Level::Error),
        );
    }

    #[test]
    fn a_container_s_newline_says_nothing() {
        all(
            &["fail:", r#"{"log":"fail:\n","stream":"stderr"}"#],
            Some(Level::Error),
        );
    }

    #[test]
    fn what_stands_before_the_line_does_not_hide_it() {
        all(
            &[
                "\0\0\0ERROR x",
                "\u{FEFF}ERROR x",
                "\u{1b}[31mERROR\u{1b}[0m x",
                "\u{1b}[31merror\u{1b}[0m x",
                "  error: x",
            ],
            Some(Level::Error),
        );
    }

    #[test]
    fn only_the_head_of_a_plain_line_counts() {
        assert_eq!(
            level(format!("{} ERROR", "x ".repeat(63)).as_bytes()),
            Some(Level::Error)
        );
        assert_eq!(level(format!("{} ERROR", "x ".repeat(64)).as_bytes()), None);
    }

    #[test]
    fn a_syslog_priority_decides() {
        all(
            &["<3>x", "<11>Nov 22 10:00:00 h a: x", "<187>x"],
            Some(Level::Error),
        );
        all(
            &["<30>Nov 22 10:00:00 h a: ERROR x", "<6>error"],
            Some(Level::Info),
        );
        all(&["<999>x", "<>x", "<a>x"], None);
    }

    #[test]
    fn an_embedded_structure_says_its_level_by_key() {
        all(
            &[
                "Nov 22 10:00:00 h a[1]: {\"msg\":\"info\",\"level\":\"error\"}",
                "Nov 22 10:00:00 h a[1]: msg=\"info: x\" level=error",
                "{\"log\":\"{\\\"msg\\\":\\\"info\\\",\\\"level\\\":\\\"error\\\"}\\n\",\"stream\":\"stdout\"}",
                "{\"message\":\"2026-11-22 ERROR unparsed by its shipper\"}",
            ],
            Some(Level::Error),
        );
    }
}
