//! Text from outside – log lines, names – made fit to be sent around: one line, no control characters, no secrets, not too long.

use std::sync::LazyLock;

use regex::Regex;

/// Longest pattern or sample that a message prints, in characters.
const MAX_TEXT: usize = 500;

/// A log text as it may be sent around: what looks like a secret is masked.
pub fn log_text(text: &str) -> String {
    static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)\b((?:[\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|credentials?))["']?\s*[=:]\s*|authorization["']?\s*[=:]\s*(?:(?:basic|bearer)\s+)?|(?:basic|bearer)\s+|://[^\s/:@]*:)("[^"]*"|'[^']*'|[^\s,;&@]+)"#,
        )
        .ok()
    });
    let text = clean(text);
    match &*SECRET {
        Some(secret) => secret.replace_all(&text, "$1***").into_owned(),
        None => text,
    }
}

/// A log text, a name, anything that came from outside: one line, no control characters, not too long.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(MAX_TEXT));
    for (i, c) in text.chars().enumerate() {
        if i == MAX_TEXT {
            clean.push('…');
            break;
        }
        // Also the invisible characters that reorder or hide text.
        let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        clean.push(if c.is_control() || hidden { ' ' } else { c });
    }
    clean
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
