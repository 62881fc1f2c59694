//! A file's bytes made into text that PostgreSQL can store. Nothing is lost silently: every change
//! is flagged.

use std::borrow::Cow;

use memchr::memchr;

use crate::Flags;

/// Bytes to text without NULs. Invalid UTF-8 becomes U+FFFD (flag `BAD_UTF8`); leading NULs, the
/// hole that a truncation under a writer leaves, are dropped and others become U+FFFD (flag `NUL`).
/// Allocates only when something had to change.
pub fn clean(bytes: &[u8]) -> (Cow<'_, str>, Flags) {
    let content = without_hole(bytes);
    let mut flags = if content.len() < bytes.len() {
        Flags::NUL
    } else {
        Flags::empty()
    };
    let text = match std::str::from_utf8(content) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            flags |= Flags::BAD_UTF8;
            String::from_utf8_lossy(content)
        }
    };
    match without_nul(&text) {
        None => (text, flags),
        Some(text) => (Cow::Owned(text), flags | Flags::NUL),
    }
}

/// Returns the bytes after any leading NULs.
pub(crate) fn without_hole(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Returns the text with each NUL as U+FFFD, None when it has none.
pub(crate) fn without_nul(text: &str) -> Option<String> {
    memchr(0, text.as_bytes()).map(|_| text.replace('\0', "\u{FFFD}"))
}

/// Returns the text without a terminal's escape sequences (`ESC [ … letter`), None when it has
/// none.
pub(crate) fn without_escapes(text: &str) -> Option<String> {
    memchr(0x1b, text.as_bytes())?;
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split('\x1b');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let rest = part.strip_prefix('[').map(|sequence| {
            let end = sequence
                .find(|c: char| ('\x40'..='\x7e').contains(&c))
                .map_or(sequence.len(), |at| at + 1);
            &sequence[end..]
        });
        plain.push_str(rest.unwrap_or(part));
    }
    Some(plain)
}

/// Returns the longest start of `text` that has at most `max` bytes and ends at a character's
/// boundary.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_text_is_borrowed() {
        let (text, flags) = clean("naïve ERROR".as_bytes());
        assert!(matches!(text, Cow::Borrowed("naïve ERROR")));
        assert!(flags.is_empty());
    }

    #[test]
    fn a_hole_of_nuls_is_dropped_and_other_nuls_stay_visible() {
        assert_eq!(clean(b"\0\0\0ERROR x"), (Cow::from("ERROR x"), Flags::NUL));
        assert_eq!(clean(b"\0a\0b"), (Cow::from("a\u{FFFD}b"), Flags::NUL));
        assert_eq!(clean(b"\0\0"), (Cow::from(""), Flags::NUL));
    }

    #[test]
    fn bad_utf8_is_replaced_and_flagged() {
        assert_eq!(clean(b"a\xFFb"), (Cow::from("a\u{FFFD}b"), Flags::BAD_UTF8));
        assert_eq!(
            clean(b"\0\xFF\0"),
            (Cow::from("\u{FFFD}\u{FFFD}"), Flags::NUL | Flags::BAD_UTF8)
        );
    }

    #[test]
    fn colours_are_removed() {
        assert_eq!(without_escapes("plain"), None);
        assert_eq!(
            without_escapes("\x1b[1;31mERROR\x1b[0m x").as_deref(),
            Some("ERROR x")
        );
        assert_eq!(without_escapes("a\x1b\x1b[").as_deref(), Some("a"));
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("añb", 3), "añ");
        assert_eq!(cut("a", 10), "a");
    }
}
