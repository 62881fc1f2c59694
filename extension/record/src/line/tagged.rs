//! Texts in several lines of which syslog has stored each line by itself, with a head of its own:
//! `Nov 28 01:35:33 web1 app[42]:   File "/app/x.py", line 3, in f`.

use memchr::memchr;

use super::continues;
use crate::time;

/// The longest host or program.
const LONGEST: usize = 64;

/// Returns the positions of a line's tag (`web1 app[42]:`) and of the text behind it.
fn tag(line: &[u8]) -> Option<(usize, usize)> {
    if !line.first()?.is_ascii_alphanumeric() {
        return None;
    }
    time::scan(line).and_then(|(_, time)| tag_behind(line, time))
}

fn tag_behind(line: &[u8], time: usize) -> Option<(usize, usize)> {
    let start = time + 1;
    (line.get(time) == Some(&b' ')).then_some(())?;
    let host = word_len(&line[start..]);
    (host > 0 && line.get(start + host) == Some(&b' ')).then_some(())?;
    let program = start + host + 1;
    let open = program + word_len(&line[program..]);
    (open > program && line.get(open) == Some(&b'[')).then_some(())?;
    let digits = line[open + 1..]
        .iter()
        .take(10)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let close = open + 1 + digits;
    (digits > 0 && line[close..].starts_with(b"]:")).then_some(())?;
    let text = close + 2;
    match line.get(text) {
        None => Some((start, text)),
        Some(b' ') => Some((start, text + 1)),
        Some(_) => None,
    }
}

fn word_len(text: &[u8]) -> usize {
    text.iter()
        .take(LONGEST)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b'@'))
        .count()
}

/// Returns the length of PostgreSQL's number of a message and of its part, with the blank behind
/// it, and the part: `[5-2] `.
pub(crate) fn sequence(text: &[u8]) -> Option<(usize, usize)> {
    let number = |from: usize| {
        let digits = text.get(from..)?.iter().take(10);
        let len = digits.take_while(|b| b.is_ascii_digit()).count();
        (len > 0).then_some(from + len)
    };
    (text.first() == Some(&b'[')).then_some(())?;
    let dash = number(1)?;
    (text.get(dash) == Some(&b'-')).then_some(())?;
    let end = number(dash + 1)?;
    let part = std::str::from_utf8(&text[dash + 1..end]).ok()?.parse().ok()?;
    text[end..].starts_with(b"] ").then_some((end + 2, part))
}

/// Returns a text without its sequence, and which part of a message it is.
fn part(text: &[u8]) -> (usize, &[u8]) {
    sequence(text).map_or((1, text), |(len, part)| (part, &text[len..]))
}

/// Returns the text behind the tag of a line.
pub(crate) fn text(line: &[u8]) -> Option<&[u8]> {
    tag(line).map(|(_, text)| part(&line[text..]).1)
}

/// Returns the same of a line that begins with a time of this length.
pub(crate) fn text_behind(line: &[u8], time: usize) -> Option<&[u8]> {
    part_behind(line, time).map(|(_, text)| text)
}

/// Returns the same with the number of its part.
pub(crate) fn part_behind(line: &[u8], time: usize) -> Option<(usize, &[u8])> {
    tag_behind(line, time).map(|(_, text)| part(&line[text..]))
}

/// Returns the text of a line that has the tag of another one.
pub(super) fn text_of_same<'a>(line: &'a [u8], other: &[u8]) -> Option<&'a [u8]> {
    let ((start, text), (begin, end)) = (tag(line)?, tag(other)?);
    (line[start..text].trim_ascii() == other[begin..end].trim_ascii()).then_some(&line[text..])
}

/// Returns true if a line has the tag of the last one and its text continues a record.
pub(super) fn continues_after(line: &[u8], last: &[u8]) -> bool {
    text_of_same(line, last).is_some_and(|text| {
        if let Some((_, part)) = sequence(text) {
            return part > 1 && is_of_message(last, text);
        }
        // rsyslog writes a tab as `#011`.
        text.trim_ascii().is_empty() || text.starts_with(b"#011") || continues(text)
    })
}

/// Returns true if a line is a part of the same message as a text with a sequence.
fn is_of_message(line: &[u8], text: &[u8]) -> bool {
    let number = |text: &[u8]| text.iter().position(|b| *b == b'-');
    tag(line).is_some_and(|(_, start)| {
        let other = &line[start..];
        sequence(other).is_some()
            && number(other).map(|at| &other[..at]) == number(text).map(|at| &text[..at])
    })
}

/// Returns a record in several lines without the tags that repeat the one of its first line. None
/// if it has none of those.
pub(crate) fn without_tags(text: &str) -> Option<String> {
    // Most records have one line.
    let (first, rest) = text.split_at(memchr(b'\n', text.as_bytes())?);
    let (begin, end) = tag(first.as_bytes())?;
    let wanted = first.get(begin..end)?.trim_end();
    let mut plain = first.to_owned();
    let mut found = false;
    for line in rest[1..].split('\n') {
        plain.push('\n');
        let inner = tag(line.as_bytes())
            .filter(|(start, text)| {
                line.get(*start..*text)
                    .is_some_and(|tag| tag.trim_end() == wanted)
            })
            .and_then(|(_, text)| line.get(text..))
            .map(|inner| &inner[sequence(inner.as_bytes()).map_or(0, |(len, _)| len)..]);
        found |= inner.is_some();
        plain.push_str(&inner.unwrap_or(line).replace("#011", "\t"));
    }
    found.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Nov 28 01:35:33 web1 app[42]: ";

    #[test]
    fn the_lines_of_one_process_are_one_text() {
        let last = format!("{HEAD}Traceback (most recent call last):");
        for text in [
            "  File \"x.py\", line 3, in f",
            "ValueError: x",
            "#011at a.B.c(B.java:1)",
            "",
        ] {
            assert!(
                continues_after(format!("{HEAD}{text}").as_bytes(), last.as_bytes()),
                "{text}"
            );
        }
        let later = "Nov 28 01:35:34 web1 app[42]:   File \"x.py\"";
        assert!(continues_after(later.as_bytes(), last.as_bytes()));
        for other in [
            "Nov 28 01:35:33 web1 app[43]:   File \"x.py\"",
            "Nov 28 01:35:33 web2 app[42]:   File \"x.py\"",
            "Nov 28 01:35:33 web1 app[42]: started",
        ] {
            assert!(!continues_after(other.as_bytes(), last.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_parts_of_a_message_of_postgresql_are_one_text() {
        let last = format!("{HEAD}[5-1] ERROR:  x");
        for (text, expected) in [
            ("[5-2] STATEMENT:  SELECT", true),
            ("[5-12] #011FROM a", true),
            ("[6-1] LOG:  y", false),
            ("[6-2] y", false),
        ] {
            let line = format!("{HEAD}{text}");
            assert_eq!(
                continues_after(line.as_bytes(), last.as_bytes()),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            without_tags(&format!("{last}\n{HEAD}[5-2] #011y")).as_deref(),
            Some(&*format!("{last}\n\ty"))
        );
        assert_eq!(sequence(b"[5-2]"), None);
        assert_eq!(sequence(b"[-2] x"), None);
    }

    #[test]
    fn a_record_loses_the_tags_of_its_later_lines() {
        let text = format!("{HEAD}panic: x\n{HEAD}\n{HEAD}#011main.go:8");
        assert_eq!(
            without_tags(&text),
            Some(format!("{HEAD}panic: x\n\n\tmain.go:8"))
        );
        assert_eq!(without_tags("ERROR x\n  y"), None);
    }
}
