//! Lines that rules of the database expect: the search for them beside that for levels.
//!
//! A search of its own looks for what each expected line must have. The line in which it finds
//! something is then tested as the database tests it. Where no rule expects a line there is no such
//! search.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use logwatch_record::{Context, ExpectedLines};
use regex::bytes::Regex;

use super::level_scan::Candidates;

/// Both searches look at about so many bytes before one of them goes on: neither looks far ahead of
/// what the other finds.
const STEP: usize = 16 * 1024;

/// The lines that rules expect.
#[derive(Clone, Debug)]
pub struct ExpectedScan {
    lines: ExpectedLines,
    hints: Regex,
}

impl ExpectedScan {
    /// Returns the search for these expressions; None if there is nothing to look for.
    pub fn new(expressions: Vec<String>) -> Option<ExpectedScan> {
        let lines = ExpectedLines::new(expressions);
        let hints = lines.hints()?;
        Some(ExpectedScan { lines, hints })
    }

    /// Returns true if the line is one of those that are expected.
    pub fn is_expected(&self, line: &[u8]) -> bool {
        if !self.hints.is_match(line) {
            return false;
        }
        if self.lines.is_match(line) {
            return true;
        }
        let text: Cow<str> = String::from_utf8_lossy(line);
        let record = logwatch_record::parse(&text, &Context::of(TimeZone::UTC));
        self.lines.is_match(record.message.as_bytes())
    }

    /// Returns the first place from `from` – the start of a line – on in a line that has to be
    /// looked at, as [`Candidates::next`] does.
    pub fn next(&self, candidates: &Candidates, window: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while at < window.len() {
            let step = (at + STEP).min(window.len());
            let end =
                memchr::memchr(b'\n', &window[step..]).map_or(window.len(), |newline| step + newline + 1);
            let by_level = candidates.next(&window[..end], at);
            let by_hint = self.hints.find(&window[at..end]).map(|hint| at + hint.start());
            let first = [by_level, by_hint].into_iter().flatten().min();
            if first.is_some() {
                return first;
            }
            at = end;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use logwatch_record::Level;

    use super::*;

    fn scan(expressions: &[&str]) -> ExpectedScan {
        ExpectedScan::new(expressions.iter().map(|text| (*text).to_owned()).collect()).unwrap()
    }

    #[test]
    fn a_line_is_expected_by_its_text_or_its_message() {
        let scan = scan(&["^backup finished$", "done: .quick"]);
        for line in [
            "2026-11-28 06:00:00 INFO backup finished",
            "backup finished",
            r#"{"level":"info","msg":"backup \u0066inished"}"#,
            r#"{"level":"info","msg":"done: \"quick\""}"#,
        ] {
            assert!(scan.is_expected(line.as_bytes()), "{line}");
        }
        for line in ["INFO no backup finished yet", r#"{"msg":"a \"b\""}"#, ""] {
            assert!(!scan.is_expected(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn both_searches_find_their_lines_in_order() {
        let scan = scan(&["backup finished"]);
        let filler = "INFO nothing to see here\n".repeat(2000);
        let text = format!("{filler}INFO backup finished\n{filler}ERROR disk full\n{filler}");
        let candidates = Candidates::new(Level::Error);
        let backup = text.find("backup").unwrap();
        // A file's first line is always looked at.
        let second = text.find('\n').unwrap() + 1;
        assert_eq!(scan.next(&candidates, text.as_bytes(), second), Some(backup));
        let after = text.find("finished\n").unwrap() + 9;
        let error = scan.next(&candidates, text.as_bytes(), after).unwrap();
        assert!(text[error..].starts_with("ERROR"), "{error}");
        let rest = text.find("disk full\n").unwrap() + 10;
        assert_eq!(scan.next(&candidates, text.as_bytes(), rest), None);
    }

    #[test]
    fn without_expressions_there_is_no_search() {
        assert!(ExpectedScan::new(Vec::new()).is_none());
        assert!(ExpectedScan::new(vec!["(".to_owned()]).is_none());
    }
}
