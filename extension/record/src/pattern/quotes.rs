//! Names behind the words of a cause, which stay, and texts in the quotes of other languages.

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

/// Returns the length of the opening quote, the end of the quoted text and the length of the closing
/// quote of a text in the quotes of other languages: `»x«`, `«x»`, `“x”`, `„x“`.
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
