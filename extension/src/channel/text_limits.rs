//! Filters of templates: each escapes a text for one kind of place and keeps it within a length.

use std::borrow::Cow;

use minijinja::Environment;

/// The sign of a text that was cut.
const CUT: char = '…';

/// Adds the filters `cut`, `cut_bytes`, `slack`, `html`, `code` and `quoted`.
pub fn add_to(environment: &mut Environment) {
    environment.add_filter("cut", |text: Cow<'_, str>, most: usize| {
        within(&text, most, char::len_utf16, |_| None)
    });
    environment.add_filter("cut_bytes", |text: Cow<'_, str>, most: usize| {
        within(&text, most, char::len_utf8, |_| None)
    });
    environment.add_filter("slack", |text: Cow<'_, str>, most: usize| {
        within(&text, most, char::len_utf16, |c| match c {
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            _ => None,
        })
    });
    environment.add_filter("html", |text: Cow<'_, str>, most: usize| {
        within(&text, most, char::len_utf16, |c| match c {
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            '"' => Some("&quot;"),
            '\'' => Some("&#39;"),
            _ => None,
        })
    });
    environment.add_filter("code", |text: Cow<'_, str>, most: usize| {
        within(&text, most, char::len_utf16, |c| (c == '`').then_some("'"))
    });
    environment.add_filter("quoted", |text: Cow<'_, str>| {
        serde_json::Value::from(text.as_ref()).to_string()
    });
}

/// Returns a text with some characters replaced, cut to a length before an escape would be split.
fn within(
    text: &str,
    most: usize,
    length: fn(char) -> usize,
    escape: impl Fn(char) -> Option<&'static str>,
) -> String {
    let mut result = String::new();
    let mut used = 0;
    // Where to cut so that the sign fits.
    let mut cut_at = 0;
    for c in text.chars() {
        let size = escape(c).map_or(length(c), |escaped| escaped.chars().map(length).sum());
        if used + size > most {
            result.truncate(cut_at);
            result.push(CUT);
            return result;
        }
        match escape(c) {
            Some(escaped) => result.push_str(escaped),
            None => result.push(c),
        }
        used += size;
        if used + length(CUT) <= most {
            cut_at = result.len();
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_before_an_escape_and_within_its_length() {
        let cut = |text: &str, most| within(text, most, char::len_utf16, |c| (c == '&').then_some("&amp;"));
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("a&b", 5), "a…");
        assert_eq!(cut("a&b", 7), "a&amp;b");
        // A character outside the basic plane counts twice, as the services count.
        assert_eq!(cut("🔥🔥", 3), "🔥…");
        assert_eq!(within("ää", 3, char::len_utf8, |_| None), "…");
    }
}
