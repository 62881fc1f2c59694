//! The decisions that need to know what stands before a line.

use super::{continues, tagged, without_colour};
use crate::level::detect::level;
use crate::level::words::word_level;
use crate::level::{Level, crash};
use crate::structured::container;
use crate::time;

/// A record that may still grow.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    pub headline: &'a [u8],
    /// The last line of it that is not empty; the headline if it has no other.
    pub last: &'a [u8],
    /// Empty lines stand between the last line and the one to decide about.
    pub blank: bool,
}

/// A line that a container's runtime has wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// `stdout` or `stderr`.
    pub stream: &'a [u8],
    /// The next line of the same stream goes on with this one.
    pub partial: bool,
}

/// Returns the stream of a line in the format of CRI or of Docker's json-file, None for any other.
pub fn piece(line: &[u8]) -> Option<Piece<'_>> {
    container::piece(line).map(|(stream, partial)| Piece { stream, partial })
}

/// Returns true if a line belongs to the open record. An empty line does not; the reader asks again
/// with the line after it.
pub fn joins(line: &[u8], open: Open) -> bool {
    if let Some(last) = piece(open.last).filter(|last| last.partial && !open.blank) {
        return piece(line).is_some_and(|this| this.stream == last.stream);
    }
    if line.trim_ascii().is_empty() {
        return false;
    }
    if continues(line) {
        // Aligned to the right, the level ends in the column where that of the headline ends.
        return !(open.headline.first().is_some_and(|b| !b.is_ascii_whitespace())
            && level_column(line).is_some_and(|end| level_column(open.headline) == Some(end)));
    }
    if open.blank && !is_open_ended(open.headline) {
        return false;
    }
    repeats_head(line, open.headline)
        || tagged::continues_after(line, open.last)
        || is_open_ended(open.headline) && !is_timed(line)
        || (announces(open.headline) || announces(open.last)) && is_bare(line)
}

/// Returns true if a line stands between two pieces of the open record: a container's runtime mixes
/// the lines of both streams.
pub fn passes(line: &[u8], open: Open) -> bool {
    piece(open.last)
        .filter(|last| last.partial && !open.blank)
        .is_some_and(|last| piece(line).is_some_and(|this| this.stream != last.stream))
}

/// Returns true if a line that has a level may begin a record where none is open. Only a crash
/// depends on the last line before it that is not empty: after a warning, or in a trace, it belongs
/// to that.
pub fn begins(line: &[u8], previous: Option<&[u8]>) -> bool {
    if let Some(text) = tagged::text(line).filter(|text| crash::level(text).is_some()) {
        return begins(
            text,
            previous.and_then(|previous| tagged::text_of_same(previous, line)),
        );
    }
    if !continues(line) {
        return true;
    }
    let mut buffer = [0; 256];
    let inner = container::inner_start(line, &mut buffer).unwrap_or(line);
    if crash::level(inner).is_none() {
        return false;
    }
    let Some(previous) = previous else {
        return true;
    };
    if inner.starts_with(b"Traceback ") {
        !continues(previous) && level(previous).is_none_or(|level| level < Level::Warn)
    } else {
        // Node points at the error before it names it.
        previous.trim_ascii().iter().all(|b| matches!(b, b'^' | b'~'))
    }
}

/// Returns true for a line that neither a time nor a level begins.
fn is_bare(line: &[u8]) -> bool {
    !is_timed(line) && level(line).is_none()
}

fn is_timed(line: &[u8]) -> bool {
    let line = without_colour(line);
    let bracket = usize::from(matches!(line.first(), Some(b'[' | b'(')));
    time::scan(&line[bracket..]).is_some()
}

/// Returns true for a line whose text follows on the next lines: it ends in a colon, or is the
/// empty detail of another.
fn announces(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.ends_with(b":") || line.ends_with(b"[DETAIL]") || line.ends_with(b"[HINT]")
}

/// Returns true for a headline with a time, one of whose brackets is closed on a later line:
/// Tomcat's `threw exception [An exception occurred at line [1]`.
fn is_open_ended(headline: &[u8]) -> bool {
    let count = |byte| memchr::memchr_iter(byte, headline).count();
    let timed = time::scan(headline).is_some();
    timed && headline.ends_with(b"]") && count(b'[') > count(b']')
}

/// Returns the end of the level word that a line begins with, in columns. None if it does not stand
/// alone, or if the line begins with anything else.
fn level_column(line: &[u8]) -> Option<usize> {
    let indent = line.iter().take(8).take_while(|b| **b == b' ').count();
    let len = line[indent..]
        .iter()
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    let stands = line.get(indent + len) == Some(&b' ');
    word_level(&line[indent..indent + len]).filter(|_| stands)?;
    Some(indent + len)
}

/// Returns true if a line has the time of the headline to the microsecond, its level and its pid,
/// as RabbitMQ and other programs on Erlang begin each line of one event.
fn repeats_head(line: &[u8], headline: &[u8]) -> bool {
    head_with_pid(headline).is_some_and(|len| {
        let head = headline[..len].trim_ascii_end();
        line.starts_with(head) && head_with_pid(line).is_some()
    })
}

/// Returns the length of `2026-11-28 01:51:57.133995+00:00 [error] <0.660.0>`.
fn head_with_pid(line: &[u8]) -> Option<usize> {
    let (_, time) = time::scan(line)?;
    let point = line[..time].iter().position(|b| matches!(b, b'.' | b','))?;
    let fraction = line[point + 1..time].iter().take_while(|b| b.is_ascii_digit());
    let exact = fraction.clone().count() >= 6 && fraction.clone().any(|b| *b != b'0');
    let mut at = time
        + line[time..]
            .iter()
            .take_while(|b| matches!(b, b' ' | b'['))
            .count();
    let word = line[at..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
    word_level(&line[at..at + word]).filter(|_| exact)?;
    at += word;
    at += line[at..].iter().take_while(|b| matches!(b, b']' | b' ')).count();
    let close = match line.get(at)? {
        b'<' => b'>',
        b'[' => b']',
        b'(' => b')',
        _ => return None,
    };
    let len = line[at + 1..]
        .iter()
        .take_while(|b| b.is_ascii_digit() || **b == b'.')
        .count();
    (len > 0 && line.get(at + 1 + len) == Some(&close)).then_some(at + len + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(headline: &str, last: &str, line: &str) -> bool {
        let open = Open {
            headline: headline.as_bytes(),
            last: last.as_bytes(),
            blank: false,
        };
        joins(line.as_bytes(), open)
    }

    #[test]
    fn lines_that_repeat_the_head_are_one_record() {
        let head = "2026-11-28 01:51:57.133995+00:00 [error] <0.660.0>";
        let line = |text: &str| format!("{head} {text}");
        assert!(joined(&line("a:"), &line("a:"), &line("    b")));
        assert!(joined(&line(""), &line(""), &line("b")));
        let other_pid = line("b").replace("660", "661");
        let other_time = line("b").replace("133995", "133996");
        let other_level = line("b").replace("error", "info");
        for other in [other_pid, other_time, other_level] {
            assert!(!joined(&line("a"), &line("a"), &other), "{other}");
        }
        // Milliseconds do not tell events apart.
        let short = "2026-11-28 01:51:57.133 [error] <0.660.0> a";
        assert!(!joined(short, short, short));
    }

    #[test]
    fn a_colon_and_an_open_bracket_take_the_lines_without_a_time() {
        let colon = "[2026-11-28 01:48:29] [ERROR] the following errors were found:";
        assert!(joined(colon, colon, "\"node_id\" is invalid"));
        assert!(!joined(colon, colon, "[2026-11-28 01:48:29] [INFO] x"));
        let empty = "[2026-11-28 01:48:28] [DETAIL] ";
        assert!(joined(
            "[2026-11-28 01:48:28] [ERROR] x",
            empty,
            "connection refused"
        ));
        let open = "28-Nov-2026 01:41:06.645 SEVERE [main] a.B.c threw exception [An exception at line [1]";
        assert!(joined(open, open, "1: <%@ page %>"));
        let closed = "28-Nov-2026 01:41:06.645 SEVERE [main] a.B.c threw exception [x]";
        assert!(!joined(closed, closed, "1: <%@ page %>"));
    }

    #[test]
    fn an_empty_line_does_not_end_a_trace() {
        let open = Open {
            headline: b"panic: boom",
            last: b"goroutine 1 [running]:",
            blank: true,
        };
        assert!(joins(b"goroutine 6 [select]:", open) && joins(b"\tmain.go:3", open));
        assert!(!joins(b"next record", open));
    }

    #[test]
    fn pieces_of_one_stream_are_one_record() {
        let first = "2026-11-22T10:00:00.123456789Z stderr P ERROR begin";
        let end = "2026-11-22T10:00:00.123456790Z stderr F ning of a line";
        let other = "2026-11-22T10:00:00.123456790Z stdout F ning of a line";
        assert!(joined(first, first, end) && !joined(first, first, other) && !joined(end, end, end));
        let open = |last: &'static str| Open {
            headline: first.as_bytes(),
            last: last.as_bytes(),
            blank: false,
        };
        assert!(passes(other.as_bytes(), open(first)) && !passes(end.as_bytes(), open(first)));
        assert!(!passes(other.as_bytes(), open(end)));
        let docker = r#"{"log":"ERROR begin","stream":"stderr","time":"2026-11-22T10:00:00Z"}"#;
        let last = r#"{"log":"ning\n","stream":"stderr","time":"2026-11-22T10:00:00Z"}"#;
        assert!(joined(docker, docker, last) && !joined(last, last, last));
    }

    #[test]
    fn right_aligned_levels_begin_records() {
        assert!(!joined("ERROR a", "ERROR a", " WARN b"));
        assert!(!joined("ERROR a", "ERROR a", " INFO b"));
        assert!(joined("ERROR a", "ERROR a", "   WARN b"));
    }

    #[test]
    fn a_crash_begins_a_record_unless_it_belongs_to_the_line_before() {
        let trace = b"Traceback (most recent call last):";
        assert!(begins(trace, None));
        assert!(begins(trace, Some(b"2026-11-28 01:00:00 INFO started")));
        assert!(!begins(trace, Some(b"2026-11-28 01:00:00 WARNING retry")));
        assert!(!begins(trace, Some(b"ValueError: x")));
        let node = b"TypeError: x is not a function";
        assert!(begins(node, Some(b"    ^")) && begins(node, None));
        assert!(!begins(node, Some(b"  File \"x.py\", line 3, in f")));
        assert!(!begins(b"\tat a.B.c(B.java:1)", None));
    }
}
