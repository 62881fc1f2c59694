//! Splits Rust and SQL sources into comments and string literals. proc-macro2 and syn drop
//! comments, and rustc's own lexer is not on crates.io for a stable compiler; the few rules needed
//! here are below.

/// The languages with a lexer of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    Sql,
}

/// A part of a source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// From the marker (`//`, `--`, `/*`) to the end of the line or of the block.
    Comment(&'a str),
    /// A string literal's content, escapes as written.
    Text(&'a str),
}

/// Returns the comments and strings of a source with the byte offsets at which they start.
pub fn pieces(language: Language, source: &str) -> Vec<(usize, Piece<'_>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = source[at..].chars().next() {
        let rest = &source[at..];
        let line = match language {
            Language::Rust => "//",
            Language::Sql => "--",
        };
        let taken = if rest.starts_with(line) {
            let length = rest.find('\n').unwrap_or(rest.len());
            found.push((at, Piece::Comment(&rest[..length])));
            length
        } else if rest.starts_with("/*") {
            let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
            found.push((at, Piece::Comment(&rest[..length])));
            length
        } else if let Some((opening, length, closing)) = text(language, rest, &source[..at]) {
            found.push((at + opening, Piece::Text(&rest[opening..opening + length])));
            opening + length + closing
        } else {
            next.len_utf8()
        };
        at += taken;
    }
    found
}

/// Returns the lengths of a string literal's opening, content and closing, if one starts here.
fn text(language: Language, rest: &str, before: &str) -> Option<(usize, usize, usize)> {
    let part_of_a_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    match language {
        Language::Sql => {
            let opening = match rest.get(..2) {
                Some("E'" | "e'") if !part_of_a_word => 2,
                _ if rest.starts_with('\'') => 1,
                _ => return None,
            };
            let length = closed(&rest[opening..], '\'', opening == 2);
            Some((opening, length, 1.min(rest.len() - opening - length)))
        }
        Language::Rust => {
            let prefix = rest.len() - rest.trim_start_matches(['r', 'b', 'c']).len();
            let hashes = rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len();
            let quote = prefix + hashes;
            if rest[quote..].starts_with('"') && !(part_of_a_word && quote > 0) {
                let opening = quote + 1;
                if rest[..prefix].contains('r') {
                    let end = format!("\"{}", "#".repeat(hashes));
                    let length = rest[opening..].find(&end).unwrap_or(rest.len() - opening);
                    return Some((opening, length, end.len().min(rest.len() - opening - length)));
                }
                let length = closed(&rest[opening..], '"', true);
                return Some((opening, length, 1.min(rest.len() - opening - length)));
            }
            // A character literal may hold a quote or a slash; a lifetime has no second quote.
            let mut chars = rest.chars();
            if chars.next() == Some('\'') {
                let character = rest.find("'").and(chars.next())?;
                let length =
                    1 + character.len_utf8() + usize::from(character == '\\') * chars.next()?.len_utf8();
                return rest[length..].starts_with('\'').then_some((length + 1, 0, 0));
            }
            None
        }
    }
}

/// Returns the length of the content up to the closing quote. A doubled quote ends the first of two
/// literals, which is as good here.
fn closed(rest: &str, quote: char, escapes: bool) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if escapes => escaped = true,
            c if c == quote => return at,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::Piece::{Comment, Text};
    use super::*;

    fn of(language: Language, source: &str) -> Vec<Piece<'_>> {
        pieces(language, source)
            .into_iter()
            .map(|(_, piece)| piece)
            .collect()
    }

    #[test]
    fn rust_strings_and_comments_are_told_apart() {
        assert_eq!(
            of(
                Language::Rust,
                "let a = \"// no\"; // yes \"no\"\n/* block */ b\"x\\\"y\""
            ),
            [
                Text("// no"),
                Comment("// yes \"no\""),
                Comment("/* block */"),
                Text("x\\\"y")
            ]
        );
    }

    #[test]
    fn a_raw_string_ends_at_its_own_mark() {
        assert_eq!(
            of(Language::Rust, "r#\"a\" // b\"# // c"),
            [Text("a\" // b"), Comment("// c")]
        );
    }

    #[test]
    fn a_quote_as_a_character_opens_no_string() {
        assert_eq!(
            of(Language::Rust, "'\"' '\\'' '\\\\' fn f<'a>(x: &'a str) // c"),
            [Text(""), Text(""), Text(""), Comment("// c")]
        );
    }

    #[test]
    fn sql_strings_hold_no_comments() {
        assert_eq!(
            of(Language::Sql, "SELECT '-- no', E'it\\'s' -- yes"),
            [Text("-- no"), Text("it\\'s"), Comment("-- yes")]
        );
    }
}
