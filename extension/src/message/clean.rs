//! Text from outside, such as log lines and names, made fit for messages: one line, no control
//! characters, no secrets, not too long.

use std::sync::LazyLock;

use regex::Regex;

/// Longest pattern or sample that a message prints, in characters.
const MAX_TEXT: usize = 500;

/// Returns a log text with everything masked that looks like a secret.
pub fn log_text(text: &str) -> String {
    masked(clean(text))
}

/// Returns a log text as `log_text` does, at full length.
pub fn whole_log_text(text: &str) -> String {
    masked(printable(text))
}

fn masked(text: String) -> String {
    static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)\b((?:[\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|credentials?))["']?\s*[=:]\s*|authorization["']?\s*[=:]\s*(?:(?:basic|bearer)\s+)?|(?:basic|bearer)\s+|://[^\s/:@]*:)("[^"]*"|'[^']*'|[^\s,;&@]+)"#,
        )
        .ok()
    });
    match &*SECRET {
        Some(secret) => secret.replace_all(&text, "$1***").into_owned(),
        None => text,
    }
}

/// Returns a text from outside as one line, without control characters, cut to a length.
pub fn clean(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((cut, _)) => printable(&text[..cut]) + "…",
        None => printable(text),
    }
}

/// Returns a text with blanks in place of control characters and of the invisible ones that reorder
/// or hide text.
pub fn printable(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        for (text, masked) in [
            (
                "login failed password=hunter2 for bob",
                "login failed password=*** for bob",
            ),
            ("db_password: 'a b', user x", "db_password: ***, user x"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            (
                "connect to postgres://u:secret@db/x",
                "connect to postgres://u:***@db/x",
            ),
            ("{\"api_key\":\"k\",\"n\":1}", "{\"api_key\":***,\"n\":1}"),
            ("nothing to hide", "nothing to hide"),
        ] {
            assert_eq!(log_text(text), masked);
        }
    }
}
