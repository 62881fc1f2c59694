//! The look of a logger, a thread or a source position, and the brackets around it.

use memchr::memchr;

/// The longest host, program, thread or logger that is believed.
pub(crate) const LONGEST: usize = 80;

/// Returns the inside of the bracketed group at the start, which may hold groups itself, and the
/// text after it.
pub(crate) fn group(text: &str) -> Option<(&str, &str)> {
    let (open, close) = match text.as_bytes().first()? {
        b'[' => (b'[', b']'),
        b'(' => (b'(', b')'),
        b'<' => (b'<', b'>'),
        _ => return None,
    };
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate().take(2 * LONGEST) {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth -= 1;
            if depth == 0 {
                return Some((&text[1..at], &text[at + 1..]));
            }
        }
    }
    None
}

pub(crate) fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'.' | b'_' | b'$' | b'-' | b':' | b'/' | b'@' | b'#' | b'<' | b'>'
        )
}

/// Returns a name without blanks: a logger, a module, a source position.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST
        && text.bytes().all(is_name_byte)
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && !text.ends_with(':')
}

/// Returns a logger that no sentence would hold: `com.example.Class`, `o.a.k.Foo`,
/// `my_crate::module`, `Acme\Foo`.
pub(crate) fn is_dotted(text: &str) -> bool {
    if memchr(b':', text.as_bytes()).is_some() {
        return is_name(text)
            && text.contains("::")
            && !text.bytes().any(|b| matches!(b, b'@' | b'/' | b'<' | b'>'))
            && text.split("::").all(|part| !part.is_empty());
    }
    let mut dots = 0;
    let mut before = b'.';
    let mut last = b'.';
    for byte in text.bytes() {
        let begins = before == b'.';
        let fits = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$' => true,
            b'0'..=b'9' | b'-' | b'#' | b'.' => !begins,
            _ => false,
        };
        if !fits {
            return false;
        }
        if begins {
            last = byte;
        }
        dots += usize::from(byte == b'.');
        before = byte;
    }
    let is_class = last.is_ascii_uppercase();
    before != b'.'
        && text.len() <= LONGEST
        && (dots >= 2 || dots == 1 && is_class)
        && (is_class || text.bytes().any(|b| b.is_ascii_alphabetic()))
}

/// Returns true for `file.go:12`, `src/main.rs:3`.
pub(crate) fn is_position(text: &str) -> bool {
    text.len() <= LONGEST
        && is_name(text)
        && text.rsplit_once(':').is_some_and(|(file, line)| {
            !line.is_empty()
                && line.bytes().all(|b| b.is_ascii_digit())
                && file.contains('.')
                && !file.contains(':')
        })
        && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}
