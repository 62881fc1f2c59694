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

/// Returns the text behind the tag of a line.
pub(crate) fn text(line: &[u8]) -> Option<&[u8]> {
    tag(line).map(|(_, text)| &line[text..])
}

/// Returns the same of a line that begins with a time of this length.
pub(crate) fn text_behind(line: &[u8], time: usize) -> Option<&[u8]> {
    tag_behind(line, time).map(|(_, text)| &line[text..])
}

/// Returns the text of a line that has the tag of another one.
pub(super) fn text_of_same<'a>(line: &'a [u8], other: &[u8]) -> Option<&'a [u8]> {
    let ((start, text), (begin, end)) = (tag(line)?, tag(other)?);
    (line[start..text].trim_ascii() == other[begin..end].trim_ascii()).then_some(&line[text..])
}

/// Returns true if a line has the tag of the last one and its text continues a record.
pub(super) fn continues_after(line: &[u8], last: &[u8]) -> bool {
    text_of_same(line, last).is_some_and(|text| {
        // rsyslog writes a tab as `#011`.
        text.trim_ascii().is_empty() || text.starts_with(b"#011") || continues(text)
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
            .and_then(|(_, text)| line.get(text..));
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
    fn a_record_loses_the_tags_of_its_later_lines() {
        let text = format!("{HEAD}panic: x\n{HEAD}\n{HEAD}#011main.go:8");
        assert_eq!(
            without_tags(&text),
            Some(format!("{HEAD}panic: x\n\n\tmain.go:8"))
        );
        assert_eq!(without_tags("ERROR x\n  y"), None);
    }
}
