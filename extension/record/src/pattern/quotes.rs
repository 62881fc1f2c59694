//! Names behind the words of a cause, which stay, and texts in the quotes of other languages.

use memchr::{memchr2, memchr3};

use super::MASK;

/// Returns true if the template so far ends with a word that names the cause of an error.
fn names_cause(out: &str) -> bool {
    let out = out.as_bytes();
    let end = out
        .iter()
        .rposition(|b| !matches!(b, b' ' | b'=' | b':' | b'[' | b'('));
    let out = &out[..end.map_or(0, |last| last + 1)];
    out.ends_with(b"constraint")
        || out.ends_with(b"SQLSTATE")
        || out.ends_with(b"errno")
        || out.ends_with(b"sqlstate")
}

/// Returns the length of the name or code of a cause (`"users_pkey"`, `23505`), if the template so
/// far ends with the word for it.
pub(super) fn cause_len(bytes: &[u8], out: &str) -> Option<usize> {
    // A word in capitals is a code behind a bracket only: `SQLSTATE[HY000]`.
    if bytes[0].is_ascii_uppercase() && !out.ends_with('[') || !names_cause(out) {
        return None;
    }
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$');
    let quote = bytes.first().filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    let open = usize::from(quote.is_some());
    let len = bytes[open..].iter().take_while(|b| is_name(b)).count();
    let closed = quote.is_none_or(|quote| bytes.get(open + len) == Some(quote));
    // A name made of digits alone is a number of its own; a code has five.
    let fits = (1..=64).contains(&len) && closed && (quote.is_some() || len <= 5);
    fits.then_some(len + 2 * open)
}

/// Returns the length of the opening quote, of the whole and of the closing quote of a text in the
/// quotes of other languages: `»x«`, `«x»`, `“x”`, `„x“`.
pub(super) fn curly(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    const QUOTES: [(&str, &str); 4] = [("»", "«"), ("«", "»"), ("“", "”"), ("„", "“")];
    QUOTES.iter().find_map(|(open, close)| {
        let inside = bytes.strip_prefix(open.as_bytes())?;
        let len = memchr::memmem::find(inside, close.as_bytes()).filter(|len| *len > 0)?;
        Some((open.len(), open.len() + len + close.len(), close.len()))
    })
}

/// Returns the length of the quoted text that opens at `at`, with its quotes. An apostrophe inside
/// a word opens nothing.
pub(super) fn quoted(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = bytes[at];
    if !matches!(quote, b'"' | b'\'' | b'`') || ends_word(&bytes[..at]) {
        return None;
    }
    // PostgreSQL and GNU write `x' too.
    let close = |text: &[u8]| match quote {
        b'`' => memchr3(b'`', b'\'', b'\\', text),
        _ => memchr2(quote, b'\\', text),
    };
    let mut end = at + 1;
    loop {
        end += close(bytes.get(end..)?)?;
        if bytes[end] == b'\\' {
            end += 2;
        } else if starts_word(&bytes[end + 1..]) {
            end += 1;
        } else {
            return (end > at + 1 && bytes[end] == quote).then_some(end + 1 - at);
        }
    }
}

/// Returns true if a text ends with a word. A mask counts as the word that it stands for, here and
/// in [`starts_word`], so that a template is its own template (but for texts whose quotes do not
/// pair up).
fn ends_word(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(u8::is_ascii_alphanumeric) || bytes.ends_with(MASK.as_bytes())
}

fn starts_word(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_alphanumeric) || bytes.starts_with(MASK.as_bytes())
}
