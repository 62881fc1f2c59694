//! The formats of webhook receivers: minijinja templates over an alert's facts.
//!
//! Each built-in format is one file in `formats/`. Its first comment names the service's
//! documentation, what the receiver's `params` must have (`needs NAME`), and the service's limits,
//! which the tests hold every message to. A template of a receiver has fuel and a limit on its
//! output; it cannot read files or call PostgreSQL.

use std::io::{self, Write};

use include_dir::{Dir, include_dir};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use super::text_limits;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/channel/formats");

const EXTENSION: &str = ".json.j2";
pub const JSON: &str = "application/json";

/// Steps of a template; the longest built-in one takes about 200.
const FUEL: u64 = 50_000;
/// Longest body that is posted.
const MAX_BODY: usize = 512 * 1024;

/// How the body of a post is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    source: String,
    content_type: String,
}

/// Why a body cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("unknown format \"{0}\"; use {known} or template", known = names().join(", "))]
    Unknown(String),
    #[error("the format needs params.{0}")]
    Param(String),
    #[error("{}", in_words(.0))]
    Template(#[from] minijinja::Error),
    #[error("the template's result is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Returns an error of a template without the values around it, which may be secret.
fn in_words(error: &minijinja::Error) -> String {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("template, line {line}: {what}"),
        None => format!("template: {what}"),
    }
}

/// Returns the names of the built-in formats.
fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = FILES
        .files()
        .filter_map(|file| file.path().to_str()?.strip_suffix(EXTENSION))
        .collect();
    names.sort_unstable();
    names
}

impl Format {
    /// Returns the built-in format of a name.
    pub fn named(name: &str) -> Result<Self, FormatError> {
        FILES
            .get_file(format!("{name}{EXTENSION}"))
            .and_then(|file| file.contents_utf8())
            .map(|source| Self {
                source: source.to_owned(),
                content_type: JSON.to_owned(),
            })
            .ok_or_else(|| FormatError::Unknown(name.to_owned()))
    }

    /// Returns the format of a receiver's own template.
    pub fn template(source: String, content_type: Option<String>) -> Self {
        Self {
            source,
            content_type: content_type.unwrap_or_else(|| JSON.to_owned()),
        }
    }

    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    fn is_json(&self) -> bool {
        self.content_type.split(';').next().map(str::trim) == Some(JSON)
    }

    /// Returns the words after `word` in the lines of the first comment.
    fn notes(&self, word: &str) -> impl Iterator<Item = Vec<&str>> {
        let comment = self
            .source
            .strip_prefix("{#-")
            .and_then(|rest| rest.split("-#}").next());
        comment.unwrap_or_default().lines().filter_map(move |line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(word)).then(|| words.collect())
        })
    }

    /// Returns the body of a post: the template rendered with an alert's facts, whose member
    /// `params` has the receiver's.
    pub fn body(&self, facts: &Value) -> Result<String, FormatError> {
        let missing = self
            .notes("needs")
            .filter_map(|needs| needs.first().copied())
            .find(|name| facts["params"].get(name).is_none());
        if let Some(name) = missing {
            return Err(FormatError::Param(name.to_owned()));
        }
        let mut environment = Environment::new();
        let escape = if self.is_json() {
            AutoEscape::Json
        } else {
            AutoEscape::None
        };
        environment.set_auto_escape_callback(move |_| escape);
        environment.set_formatter(escape_formatter);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(20);
        text_limits::add_to(&mut environment);
        let template = environment.template_from_str(&self.source)?;
        let mut body = Limited(Vec::new());
        template.render_captured_to(facts, &mut body)?;
        let body = String::from_utf8_lossy(&body.0).into_owned();
        if self.is_json() {
            serde_json::from_str::<serde::de::IgnoredAny>(&body)?;
        }
        Ok(body)
    }
}

/// A body up to its longest length.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BODY {
            return Err(io::Error::other("the body is longer than 512 KiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "formats_tests.rs"]
mod tests;
