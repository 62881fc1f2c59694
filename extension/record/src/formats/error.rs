//! The reasons for which a format is refused.

use std::fmt;

/// A format that is refused. Its text says why, and what to type instead.
#[derive(Debug)]
pub enum FormatError {
    /// It is neither a name nor a regular expression.
    Regex { names: String, error: Box<regex::Error> },
    /// An expression without one of the groups.
    NoGroup { text: String, names: String },
    /// The group for the level takes words that name none.
    UnknownLevels { words: Vec<String> },
    /// The group for the level can take no word that names one.
    NeverLevel,
    /// The file is not JSON.
    Json(serde_json::Error),
    /// The file has something that is not supported.
    Unsupported { format: String, what: String },
    /// A sample of the file does not read as the file says.
    Sample {
        format: String,
        line: String,
        why: String,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Regex { names, error } => write!(
                f,
                "neither the name of a format ({names}), nor a path, nor a regular expression: {error}"
            ),
            FormatError::NoGroup { text, names } => write!(
                f,
                "\"{text}\" is neither the name of a format ({names}), nor an expression with a group \
                 (?<time>…), (?<level>…), (?<message>…), (?<error>…) or (?<fatal>…)"
            ),
            FormatError::UnknownLevels { words } => write!(
                f,
                "the group (?<level>…) matches words that name no level: {}; put those of errors into \
                 a group (?<error>…) or (?<fatal>…)",
                words.join(", ")
            ),
            FormatError::NeverLevel => write!(
                f,
                "the group (?<level>…) matches no word that names a level; put what is an error into a \
                 group (?<error>…) or (?<fatal>…)"
            ),
            FormatError::Json(error) => write!(f, "not an lnav format file: {error}"),
            FormatError::Unsupported { format, what } => write!(f, "format \"{format}\": {what}"),
            FormatError::Sample { format, line, why } => {
                write!(f, "format \"{format}\": its sample \"{line}\" {why}")
            }
        }
    }
}

impl std::error::Error for FormatError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FormatError::Regex { error, .. } => Some(error),
            FormatError::Json(error) => Some(error),
            _ => None,
        }
    }
}
