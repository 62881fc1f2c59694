//! Reads the subset of lnav's format files that says how lines are read: `regex`, the fields of
//! time, level and body, the map of levels, `timestamp-format` and `sample`. Everything that lnav
//! does with a line once it is read (values, highlights, operations) has no meaning here and is
//! passed over.

use std::collections::BTreeMap;

use jiff::fmt::strtime::BrokenDownTime;
use serde::Deserialize;
use serde_json::Value;

use super::{Format, FormatError, Names, Pattern, compile, level_of};
use crate::Level;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Definition {
    #[serde(default)]
    regex: BTreeMap<String, Expression>,
    #[serde(default)]
    json: bool,
    /// `text`, or `json`, which is the newer way to write `"json": true`.
    #[serde(default)]
    file_type: String,
    #[serde(default = "timestamp")]
    timestamp_field: String,
    #[serde(default)]
    timestamp_format: Vec<String>,
    #[serde(default = "level")]
    level_field: String,
    #[serde(default = "body")]
    body_field: String,
    /// Patterns, or numbers, by the name of a level.
    #[serde(default)]
    level: BTreeMap<String, Value>,
    #[serde(default)]
    sample: Vec<Sample>,
}

#[derive(Deserialize)]
struct Expression {
    pattern: String,
}

#[derive(Deserialize)]
struct Sample {
    line: String,
    level: Option<String>,
}

fn timestamp() -> String {
    "timestamp".to_owned()
}

fn level() -> String {
    "level".to_owned()
}

fn body() -> String {
    "body".to_owned()
}

/// Reads the formats of a file; their expressions are tried in the order of the file's names.
pub(super) fn read(text: &str) -> Result<Format, FormatError> {
    let file: BTreeMap<String, Value> = serde_json::from_str(text).map_err(FormatError::Json)?;
    let mut patterns = Vec::new();
    let mut samples = Vec::new();
    for (name, definition) in file.into_iter().filter(|(name, _)| name != "$schema") {
        let definition: Definition = serde_json::from_value(definition).map_err(FormatError::Json)?;
        samples.extend(definition.sample.iter().map(|sample| {
            (
                name.clone(),
                sample.line.clone(),
                sample.level.as_deref().and_then(named),
            )
        }));
        patterns.extend(patterns_of(&name, definition)?);
    }
    if patterns.is_empty() {
        return Err(FormatError::Unsupported {
            format: "-".to_owned(),
            what: "the file has no \"regex\"".to_owned(),
        });
    }
    let format = Format {
        patterns,
        plain: false,
        texts: None,
        otherwise: None,
    };
    for (name, line, level) in samples {
        check(&format, name, &line, level)?;
    }
    Ok(format)
}

fn patterns_of(name: &str, definition: Definition) -> Result<Vec<Pattern>, FormatError> {
    let unsupported = |what: String| FormatError::Unsupported {
        format: name.to_owned(),
        what,
    };
    if definition.json || definition.file_type == "json" {
        return Err(unsupported(
            "it is for JSON lines, which need no format here".to_owned(),
        ));
    }
    let mut levels = Vec::new();
    for (word, value) in &definition.level {
        let level = named(word).ok_or_else(|| unsupported(format!("\"{word}\" is not a level")))?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => format!("^{number}$"),
            _ => {
                return Err(unsupported(format!(
                    "level \"{word}\" is neither a text nor a number"
                )));
            }
        };
        let regex = compile(&text).map_err(|error| unsupported(format!("level \"{word}\": {error}")))?;
        levels.push((level, regex));
    }
    // The worst first: lnav's patterns may match parts of a word.
    levels.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    definition
        .regex
        .into_values()
        .map(|Expression { pattern }| {
            let regex = compile(&pattern).map_err(|error| unsupported(error.to_string()))?;
            Ok(Pattern {
                regex,
                names: Names {
                    time: definition.timestamp_field.clone(),
                    level: definition.level_field.clone(),
                    message: definition.body_field.clone(),
                },
                levels: levels.clone(),
                times: definition.timestamp_format.clone(),
            })
        })
        .collect()
}

fn check(format: &Format, name: String, line: &str, level: Option<Level>) -> Result<(), FormatError> {
    let first = line.lines().next().unwrap_or_default();
    let why = if !format.starts(first.as_bytes()) {
        "matches none of its expressions".to_owned()
    } else {
        let read = format.level(first.as_bytes());
        match level {
            Some(level) if read != Some(level) => {
                let read = read.map_or("no level", Level::as_str);
                format!("reads as {read} instead of {level}")
            }
            _ => return Ok(()),
        }
    };
    Err(FormatError::Sample {
        format: name,
        line: line.to_owned(),
        why,
    })
}

/// Returns the level that one of lnav's names means.
fn named(word: &str) -> Option<Level> {
    match word {
        "stats" => Some(Level::Info),
        _ => level_of(word.as_bytes()),
    }
}

/// Reads a time in one of lnav's ways and returns it in ISO 8601, without a zone if it names none.
pub(super) fn iso(way: &str, time: &str) -> Option<String> {
    if matches!(way, "%s" | "%i" | "%6") {
        return None;
    }
    // lnav's fractions: milliseconds, microseconds, nanoseconds.
    let way = way
        .replace(".%L", "%.f")
        .replace(".%N", "%.f")
        .replace(".%f", "%.f");
    let way = way.replace(",%L", ",%f").replace(",%N", ",%f");
    let read = BrokenDownTime::parse(&way, time).ok()?;
    let civil = read.to_datetime().ok()?;
    Some(match read.offset() {
        Some(offset) => format!("{civil}{}", offset_text(offset.seconds())),
        None => civil.to_string(),
    })
}

fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}
