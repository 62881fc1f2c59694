//! Lines that rules expect: they are kept whatever their level.
//!
//! Such an expression is tested with a record's first line as it is written, and with its message.
//! The tailer and the extension test in the same way; the extension decides.

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};
use regex_syntax::hir::{Hir, HirKind, Repetition};

/// The most bytes of one compiled expression.
const MOST_BYTES: usize = 256 * 1024;

/// The expressions of lines that rules expect.
#[derive(Clone, Debug)]
pub struct ExpectedLines {
    expressions: Vec<String>,
    set: RegexSet,
}

impl ExpectedLines {
    /// Compiles expressions. Leaves out those that cannot be used; see [`ExpectedLines::problem`].
    pub fn new(expressions: impl IntoIterator<Item = String>) -> ExpectedLines {
        let expressions: Vec<String> = expressions
            .into_iter()
            .filter(|expression| ExpectedLines::problem(expression).is_none())
            .collect();
        let set = RegexSetBuilder::new(&expressions)
            .size_limit(MOST_BYTES * (1 + expressions.len()))
            .build();
        match set {
            Ok(set) => ExpectedLines { expressions, set },
            // Each has compiled alone, so that this does not happen.
            Err(_) => ExpectedLines {
                expressions: Vec::new(),
                set: RegexSet::empty(),
            },
        }
    }

    /// Returns why an expression cannot be used; None if it can.
    pub fn problem(expression: &str) -> Option<String> {
        // The tailer has no tables of Unicode's categories and scripts.
        if let Some(class) = ["\\p", "\\P"].iter().find(|class| expression.contains(**class)) {
            return Some(format!(
                "The class {class} is not supported; write [[:alpha:]] or \\w."
            ));
        }
        let compiled = RegexSetBuilder::new([expression]).size_limit(MOST_BYTES).build();
        match (compiled, relaxed(expression)) {
            (Ok(_), Some(hir)) if hir.properties().minimum_len() == Some(0) => {
                Some("It matches every line.".to_owned())
            }
            (Ok(_), Some(_)) => None,
            (Err(regex::Error::CompiledTooBig(_)), _) => {
                Some("It takes too much memory; write it without counted repetitions.".to_owned())
            }
            (Err(error), _) => Some(last_line(&error.to_string())),
            (Ok(_), None) => Some("It cannot be parsed.".to_owned()),
        }
    }

    /// Returns the expression of a number.
    pub fn expression(&self, number: usize) -> &str {
        self.expressions.get(number).map_or("", String::as_str)
    }

    /// Returns true if no line is expected.
    pub fn is_empty(&self) -> bool {
        self.expressions.is_empty()
    }

    /// Returns the numbers of the expressions that a record matches by its first line or message.
    pub fn matches<'a>(&'a self, line: &[u8], message: &str) -> impl Iterator<Item = usize> + use<'a> {
        let by_line = self.set.matches(line);
        let by_message = self.set.matches(message.as_bytes());
        (0..self.expressions.len()).filter(move |i| by_line.matched(*i) || by_message.matched(*i))
    }

    /// Returns true if a text matches any of the expressions.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.set.is_match(text)
    }

    /// Returns an expression that matches somewhere in each line that counts, and in others:
    /// without anchors, and with the backslash by which JSON escapes a part of the message.
    pub fn hints(&self) -> Option<Regex> {
        let mut parts: Vec<String> = self
            .expressions
            .iter()
            .filter_map(|expression| relaxed(expression))
            .map(|hir| format!("(?:{hir})"))
            .collect();
        if parts.is_empty() {
            return None;
        }
        parts.push(r"\\".to_owned());
        regex::bytes::RegexBuilder::new(&parts.join("|"))
            .size_limit(MOST_BYTES * (1 + parts.len()))
            .build()
            .ok()
    }
}

/// Returns the first line of a record that has any text.
pub fn first_line(record: &str) -> &str {
    record
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
}

/// Parses an expression and leaves out what asserts a place: the rest matches wherever the whole
/// does.
fn relaxed(expression: &str) -> Option<Hir> {
    regex_syntax::parse(expression)
        .ok()
        .map(|hir| without_anchors(&hir))
}

fn without_anchors(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
        HirKind::Look(_) => Hir::empty(),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(without_anchors(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => without_anchors(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_anchors).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(without_anchors).collect()),
    }
}

/// The last line of an error says what is wrong; those before it draw where.
fn last_line(error: &str) -> String {
    let line = error.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(expressions: &[&str]) -> ExpectedLines {
        ExpectedLines::new(expressions.iter().map(|text| (*text).to_owned()))
    }

    #[test]
    fn a_record_matches_by_its_line_or_its_message() {
        let expected = lines(&["^backup finished$", r"backup\[\d+\]: done", "never"]);
        let found =
            |line: &str, message: &str| expected.matches(line.as_bytes(), message).collect::<Vec<_>>();
        assert_eq!(
            found("2026-11-28 06:00:00 INFO backup finished", "backup finished"),
            [0]
        );
        assert_eq!(found("Nov 28 06:00:00 db backup[77]: done", "done"), [1]);
        assert_eq!(found("INFO backup started", "backup started"), [0_usize; 0]);
    }

    #[test]
    fn hints_are_in_every_line_that_counts() {
        let hints = lines(&["^backup finished$", r"\bdone\b|^ready"]).hints().unwrap();
        for line in [
            "2026-11-28 06:00:00 INFO backup finished",
            "abandoned",
            "the server is ready",
            r#"{"msg":"backup \u0066inished"}"#,
        ] {
            assert!(hints.is_match(line.as_bytes()), "{line}");
        }
        assert!(!hints.is_match(b"INFO backup started"));
        assert!(lines(&[]).hints().is_none());
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        for (expression, reason) in [
            ("", "It matches every line."),
            ("^$", "It matches every line."),
            ("x*", "It matches every line."),
            ("(", "unclosed group"),
            (
                r"\p{Greek}",
                r"The class \p is not supported; write [[:alpha:]] or \w.",
            ),
            (
                r"(\w{1,100}){1,100}",
                "It takes too much memory; write it without counted repetitions.",
            ),
        ] {
            assert_eq!(
                ExpectedLines::problem(expression).as_deref(),
                Some(reason),
                "{expression}"
            );
        }
        assert_eq!(
            ExpectedLines::problem(r"(?i)^backup of \w+ (done|finished)$"),
            None
        );
        assert_eq!(lines(&["(", "ok"]).matches(b"ok", "").collect::<Vec<_>>(), [0]);
    }
}
