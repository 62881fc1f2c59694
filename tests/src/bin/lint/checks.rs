//! The rules that need one line or one file.

use std::sync::LazyLock;

use regex::Regex;

use crate::prose::{Kind, Line};

/// The widest line of prose.
pub const COLUMNS: usize = 100;

/// The longest source file.
pub const LINES: usize = 500;

/// Words that texts for users avoid, each with a plain one.
pub const BANNED: &[(&str, &str)] = &[
    ("told", "sent, notified, reported"),
    ("hears? of", "receives, learns"),
    ("say|says|said", "type, reports, replies, names"),
    ("stands?", "is, is written"),
    ("done with", "finished"),
    ("for good", "permanently"),
    ("dear", "expensive"),
    ("(?:is|are) met from", "starts at"),
    ("go(?:es)? by", "uses, follows"),
    ("whoever|whatever", "the user, any value"),
    ("so (?:many|long)", "the number, this long"),
    ("must be there|is there|are there", "exist, is present"),
];

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern compiles")
}

/// A comment that begins with a nominal clause makes its reader wait for the subject. A question
/// may begin so.
pub fn opening(line: &Line) -> Option<String> {
    static NOMINAL: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^(What|Who|Whom|Whose|Whoever|Whatever|So many|So much|So long|None:)(\W|$)")
    });
    let opening = NOMINAL.captures(line.text)?;
    let applies =
        matches!(line.kind, Kind::Comment | Kind::Help | Kind::Markdown) && !line.text.ends_with('?');
    applies.then(|| format!("begins with \"{}\"; start with the thing that acts", &opening[1]))
}

/// A text for users has none of the [`BANNED`] words.
pub fn words(line: &Line) -> Option<String> {
    static WORDS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        BANNED
            .iter()
            .map(|(word, instead)| (pattern(&format!(r"(?i)\b(?:{word})\b")), *instead))
            .collect()
    });
    if line.kind == Kind::Comment {
        return None;
    }
    let text = without_code(line.text);
    WORDS.iter().find_map(|(word, instead)| {
        let found = word.find(&text)?;
        Some(format!(
            "\"{}\" in a text for users; write: {instead}",
            found.as_str()
        ))
    })
}

/// Prose is at most [`COLUMNS`] columns wide, but for a link that cannot be broken.
pub fn width(line: &Line) -> Option<String> {
    let link = line.text.contains("://") || line.text.contains("](");
    (line.width > COLUMNS && !link).then(|| format!("{} columns; wrap at {COLUMNS}", line.width))
}

/// A source file has at most [`LINES`] lines.
pub fn length(path: &str, text: &str) -> Option<String> {
    let counted = [".rs", ".sql", ".sh"]
        .iter()
        .any(|extension| path.ends_with(extension));
    let lines = text.lines().count();
    (counted && lines > LINES && !path.contains("/corpus/")).then(|| format!("{lines} lines; split it"))
}

/// Removes `code` between backquotes and the placeholders of format strings.
fn without_code(text: &str) -> String {
    static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"`[^`]*`|\{[^}]*\}"));
    CODE.replace_all(text, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: Kind, text: &str) -> Line<'_> {
        Line {
            number: 1,
            kind,
            text,
            width: text.chars().count(),
        }
    }

    #[test]
    fn nominal_openings_are_found() {
        for text in [
            "What a copy lacks",
            "Whoever reads",
            "So many of",
            "None: all.",
            "What",
        ] {
            assert!(opening(&line(Kind::Comment, text)).is_some(), "{text}");
        }
    }

    #[test]
    fn plain_openings_and_questions_pass() {
        for text in [
            "Returns what is left.",
            "Whatsoever",
            "What is new?",
            "Someone",
            "None of the rows",
        ] {
            assert_eq!(opening(&line(Kind::Comment, text)), None, "{text}");
        }
        assert_eq!(opening(&line(Kind::Text, "Who")), None, "a string may be data");
    }

    #[test]
    fn banned_words_of_user_texts_are_found() {
        for text in [
            "the server says no",
            "it is done with",
            "Told twice",
            "x stands here",
        ] {
            assert!(words(&line(Kind::Text, text)).is_some(), "{text}");
        }
    }

    #[test]
    fn banned_words_pass_in_code_and_in_comments_and_as_parts_of_words() {
        for text in [
            "type `say hello`",
            "understands",
            "essays",
            "outstanding",
            "foretold",
        ] {
            assert_eq!(words(&line(Kind::Markdown, text)), None, "{text}");
        }
        assert_eq!(words(&line(Kind::Comment, "RFC 5321 says so")), None);
    }

    #[test]
    fn wide_prose_is_found_and_links_pass() {
        assert!(width(&line(Kind::Comment, &"x".repeat(COLUMNS + 1))).is_some());
        assert_eq!(width(&line(Kind::Comment, &"x".repeat(COLUMNS))), None);
        assert_eq!(
            width(&line(Kind::Markdown, &format!("https://{}", "x".repeat(COLUMNS)))),
            None
        );
    }

    #[test]
    fn long_sources_are_found_and_the_corpus_passes() {
        let text = "\n".repeat(LINES + 1);
        assert!(length("a.rs", &text).is_some());
        assert_eq!(length("a.rs", &text[1..]), None);
        assert_eq!(length("tests/fuzz/corpus/a.sql", &text), None);
        assert_eq!(length("a.md", &text), None);
    }
}
