//! `--format` and `--level`: the user's word on the time, level and message of a line, where the
//! program's shape is not recognised or is mistaken, or where it names no severity.
//!
//! The database reads records with the same code as a dry run does, and knows no formats. So a
//! headline that a format has read is handed on as a JSON object of its parts, which leaves nothing
//! to recognise.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use logwatch_record::formats::{self, Formats};
use logwatch_record::{Flags, Level};
use serde::Serialize;

use crate::failure::Failure;

/// The formats of a file, tried in order for each line.
#[derive(Clone, Debug)]
pub struct Format(Formats);

/// The formats that were given, each for all files or for those that a pattern matches.
#[derive(Clone, Debug)]
pub struct PathFormats {
    formats: Vec<(Option<GlobMatcher>, formats::Format)>,
    /// The level of lines that name none.
    level: Option<Level>,
}

impl PathFormats {
    /// Reads the options: names, expressions or paths of lnav's files, each perhaps behind `GLOB=`,
    /// and the level of lines that name none. Returns None if neither option was given.
    pub fn of_options(formats: &[String], level: Option<Level>) -> Result<Option<PathFormats>, Failure> {
        let mut all = Vec::new();
        for text in formats {
            let (glob, text) = match split(text) {
                Some((glob, text)) => (Some(matcher(glob)?), text),
                None => (None, text.as_str()),
            };
            let format = one(text)?;
            all.push((
                glob,
                match level {
                    Some(level) => format.with_level(level),
                    None => format,
                },
            ));
        }
        Ok((!all.is_empty() || level.is_some()).then_some(PathFormats { formats: all, level }))
    }

    /// Returns true if files have different formats.
    pub fn depends_on_path(&self) -> bool {
        self.formats.iter().any(|(glob, _)| glob.is_some())
    }

    /// Returns the formats of a file; of a pipe, those without a pattern.
    pub fn of(&self, path: Option<&Path>) -> Option<Format> {
        let mut formats = Formats::default();
        for (glob, format) in &self.formats {
            if glob
                .as_ref()
                .is_none_or(|glob| path.is_some_and(|path| glob.is_match(path)))
            {
                formats.push(format.clone());
            }
        }
        if let (true, Some(level)) = (formats.is_empty(), self.level) {
            formats.push(formats::Format::any(level));
        }
        (!formats.is_empty()).then_some(Format(formats))
    }
}

/// Splits `GLOB=FORMAT`. A pattern of paths begins with `/`, `./` or `*`, and no expression does so
/// and goes on with an equals sign before its first group.
fn split(text: &str) -> Option<(&str, &str)> {
    let (glob, format) = text.split_once('=')?;
    let is_glob = ["/", "./", "*"].iter().any(|start| glob.starts_with(start)) && !glob.contains('(');
    is_glob.then_some((glob, format))
}

/// Compiles a pattern of paths. One without a slash matches names in any directory.
fn matcher(glob: &str) -> Result<GlobMatcher, Failure> {
    let absolute = match glob.strip_prefix("./") {
        Some(rest) => std::path::absolute(rest)
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_else(|_| rest.to_owned()),
        None if glob.contains('/') => glob.to_owned(),
        None => format!("**/{glob}"),
    };
    GlobBuilder::new(&absolute)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Failure::Usage(format!("--format: cannot read the pattern \"{glob}\": {error}")))
}

#[derive(Serialize)]
struct Headline<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    level: Level,
    message: &'a str,
}

impl Format {
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
        let format = PathFormats::of_options(&formats, level).unwrap().unwrap();
        let format = format.of(None).unwrap();
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
        assert!(PathFormats::of_options(&[], None).unwrap().is_none());
    }

    #[test]
    fn a_format_may_be_for_some_files() {
        let options = [
            "*-error.log=nginx",
            "/srv/*/app.log=^(?<level>[A-Z]+)=(?<message>.*)$",
            "python",
        ]
        .map(str::to_owned);
        let formats = PathFormats::of_options(&options, None).unwrap().unwrap();
        let reads = |path: Option<&str>, line: &str| {
            let format = formats.of(path.map(Path::new)).unwrap();
            format.is_match(line.as_bytes())
        };
        let nginx = "2026/11/22 10:00:00 [crit] 1#1: *1 x";
        let python = "2026-11-22 10:00:00,123 - x - ERROR - y";
        assert!(formats.depends_on_path());
        assert!(reads(Some("/var/log/nginx/shop-error.log"), nginx));
        assert!(!reads(Some("/var/log/nginx/access.log"), nginx) && !reads(None, nginx));
        assert!(reads(Some("/srv/shop/app.log"), "ERROR=x"));
        assert!(!reads(Some("/srv/shop/deep/app.log"), "ERROR=x"));
        assert!(reads(Some("/srv/shop/app.log"), python) && reads(None, python));
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for text in [
            "log5j",
            "(",
            "plain",
            "/no/such/format.json",
            "^(?<level>#)",
            "*.log=log5j",
            "/var/log/[=nginx",
        ] {
            let refused = PathFormats::of_options(&[text.to_owned()], None);
            assert!(matches!(refused, Err(Failure::Usage(_))), "{text}");
        }
    }
}
