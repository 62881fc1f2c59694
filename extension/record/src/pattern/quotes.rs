//! Names behind the words of a cause, which stay, and texts in the quotes of other languages.

use super::MASK;

/// Tells most bytes from the start of a cause's name: a quote, a digit, a code behind a bracket.
pub(super) fn may_be_cause(byte: u8, out: &str) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'0'..=b'9') || byte.is_ascii_uppercase() && out.ends_with('[')
}

/// Returns true if the template so far ends with a word that names the cause of an error.
pub(super) fn names_cause(out: &str) -> bool {
    let out = out.trim_end_matches([' ', '=', ':', '[', '(']);
    ["constraint", "SQLSTATE", "errno", "sqlstate"]
        .iter()
        .any(|word| out.ends_with(word))
}

/// Returns the length of the name or code of a cause: `"users_pkey"`, `23505`.
pub(super) fn cause_len(bytes: &[u8]) -> Option<usize> {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$');
    let quote = bytes.first().filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    let open = usize::from(quote.is_some());
    let len = bytes[open..].iter().take_while(|b| is_name(b)).count();
    let closed = quote.is_none_or(|quote| bytes.get(open + len) == Some(quote));
    // A name made of digits alone is a number of its own; a code has five.
    let fits = (1..=64).contains(&len) && closed && (quote.is_some() || len <= 5);
    fits.then_some(len + 2 * open)
}

/// Returns the length of the opening quote, the end of the quoted text and the length of the
/// closing quote of a text in the quotes of other languages: `»x«`, `«x»`, `“x”`, `„x“`.
pub(super) fn curly(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    const QUOTES: [(&str, &str); 4] = [("»", "«"), ("«", "»"), ("“", "”"), ("„", "“")];
    let rest = &bytes[at..];
    (!rest[0].is_ascii()).then_some(())?;
    QUOTES.iter().find_map(|(open, close)| {
        let inside = rest.strip_prefix(open.as_bytes())?;
        let len = memchr::memmem::find(inside, close.as_bytes()).filter(|len| *len > 0)?;
        let end = at + open.len() + len + close.len();
        Some((open.len(), end, close.len()))
    })
}

/// Returns the end of the quoted text that opens at `at`. An apostrophe inside a word opens
/// nothing.
pub(super) fn quoted(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = bytes[at];
    if !matches!(quote, b'"' | b'\'' | b'`') || ends_word(&bytes[..at]) {
        return None;
    }
    // PostgreSQL and GNU write `x' too.
    let close = if quote == b'`' {
        &b"`'"[..]
    } else {
        &bytes[at..=at]
    };
    let mut end = at + 1;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' => end += 1,
            b if close.contains(&b) && !starts_word(&bytes[end + 1..]) => {
                return (end > at + 1 && b == quote).then_some(end + 1);
            }
            _ => {}
        }
        end += 1;
    }
    None
}

/// Returns a mask counts as the word that it stands for, here and in [`starts_word`], so that a
/// template is its own template (but for texts whose quotes do not pair up).
fn ends_word(bytes: &[u8]) -> bool {
    bytes.ends_with(MASK.as_bytes()) || bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

fn starts_word(bytes: &[u8]) -> bool {
    bytes.starts_with(MASK.as_bytes()) || bytes.first().is_some_and(u8::is_ascii_alphanumeric)
}
