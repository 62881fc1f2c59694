//! `--format` and `--level`: the user's word on the time, level and message of a line, where the program's
//! shape is not recognised or is mistaken, or where it names no severity.
//!
//! The database reads records with the same code as a dry run does, and knows no formats. So a headline that
//! a format has read is handed on as a JSON object of its parts, which leaves nothing to recognise.

use std::path::Path;

use logwatch_record::formats::{self, Formats};
use logwatch_record::{Flags, Level};
use serde::Serialize;

use crate::failure::Failure;

/// The formats that were given, tried in order for each line.
#[derive(Clone, Debug)]
pub struct Format(Formats);

#[derive(Serialize)]
struct Headline<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    level: Level,
    message: &'a str,
}

impl Format {
    /// Reads the options: names, expressions or paths of lnav's files, and the level of lines that name none.
    /// Returns None if neither option was given.
    pub fn of_options(formats: &[String], level: Option<Level>) -> Result<Option<Format>, Failure> {
        let mut all = Formats::default();
        for text in formats {
            let format = one(text)?;
            all.push(match level {
                Some(level) => format.with_level(level),
                None => format,
            });
        }
        if let (true, Some(level)) = (all.is_empty(), level) {
            all.push(formats::Format::any(level));
        }
        Ok((!all.is_empty()).then_some(Format(all)))
    }

    /// Returns true for a line that begins a record; any other belongs to the record before it.
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.0.starts(line)
    }

    /// Returns the level of a line that matches, None if it names none.
    pub fn level(&self, line: &[u8]) -> Option<Level> {
        self.0.level(line)
    }

    /// Returns the line as its three parts, or as it is if the general reading finds more in it.
    pub fn headline(&self, line: &[u8]) -> (Vec<u8>, Flags) {
        let parts = self.0.headline(line);
        let text = parts.as_ref().and_then(|parts| {
            serde_json::to_vec(&Headline {
                time: parts.time.as_deref(),
                level: parts.level,
                message: &parts.message,
            })
            .ok()
        });
        match (text, parts) {
            (Some(text), Some(parts)) => (text, parts.flags),
            _ => (line.to_vec(), Flags::empty()),
        }
    }
}

fn one(text: &str) -> Result<formats::Format, Failure> {
    let path = Path::new(text);
    let format = if path.extension().is_some_and(|extension| extension == "json") {
        let file = std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("--format: cannot read {text}: {error}")))?;
        formats::Format::lnav(&file)
    } else {
        formats::Format::parse(text)
    };
    format.map_err(|error| Failure::Usage(format!("--format: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headline(formats: &[&str], level: Option<Level>, line: &str) -> String {
        let formats: Vec<String> = formats.iter().map(|text| (*text).to_owned()).collect();
        let format = Format::of_options(&formats, level).unwrap().unwrap();
        String::from_utf8(format.headline(line.as_bytes()).0).unwrap()
    }

    #[test]
    fn a_headline_is_handed_on_as_json() {
        assert_eq!(
            headline(&["nginx"], None, "2026/11/22 10:00:00 [crit] 1#1: *1 x"),
            r#"{"time":"2026/11/22 10:00:00","level":"FATAL","message":"1#1: *1 x"}"#
        );
        assert_eq!(
            headline(&["nginx", r"^(?<level>\w) (?<message>.*)"], None, "E x"),
            r#"{"level":"ERROR","message":"x"}"#
        );
        // The table of shapes finds the pid too.
        let line = "4843:M 28 Nov 2026 01:35:53.661 # Background saving error";
        assert_eq!(headline(&["redis"], None, line), line);
    }

    #[test]
    fn lines_without_a_level_get_the_one_of_the_option() {
        assert_eq!(
            headline(
                &[],
                Some(Level::Error),
                "2026-11-28 01:32:27 +0100 daemon: fork failed"
            ),
            r#"{"time":"2026-11-28 01:32:27 +0100","level":"ERROR","message":"daemon: fork failed"}"#
        );
        assert_eq!(headline(&[], Some(Level::Error), "INFO x"), "INFO x");
        assert!(Format::of_options(&[], None).unwrap().is_none());
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for text in ["log5j", "(", "plain", "/no/such/format.json", "^(?<level>#)"] {
            let refused = Format::of_options(&[text.to_owned()], None);
            assert!(matches!(refused, Err(Failure::Usage(_))), "{text}");
        }
    }
}
