//! Records whose parts have keys: which key is the time, the message, the stack trace; the other
//! keys become `fields`.
//!
//! A text that is not wholly of one of these forms is left to [`crate::head`]; nothing here fails.

pub(crate) mod container;
pub(crate) mod json;
pub(crate) mod json_level;
pub(crate) mod logfmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The parts of a structured record. No string holds U+0000.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) time: Option<Timestamp>,
    /// None when no key holds a text.
    pub(crate) message: Option<String>,
    /// The stack trace.
    pub(crate) detail: Option<String>,
    pub(crate) fields: Map<String, Value>,
    /// A string held U+0000.
    pub(crate) nul: bool,
}

pub(crate) const TIME: [&str; 15] = [
    "time",
    "ts",
    "timestamp",
    "@timestamp",
    "@t",
    "t",
    "Timestamp",
    "asctime",
    "datetime",
    "date",
    "instant",
    "eventTime",
    "timeUnixNano",
    "_SOURCE_REALTIME_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
];
pub(crate) const MESSAGE: [&str; 16] = [
    "msg",
    "message",
    "@m",
    "@message",
    "Message",
    "MESSAGE",
    "short_message",
    "event",
    "@mt",
    "log",
    "text",
    "body",
    "textPayload",
    "stringValue",
    "error",
    "err",
];
pub(crate) const STACK: [&str; 14] = [
    "stack",
    "stack_trace",
    "stackTrace",
    "stacktrace",
    "exc_info",
    "exception",
    "@x",
    "Exception",
    "traceback",
    "error.stack_trace",
    "error.stack",
    "err.stack",
    "full_message",
    "backtrace",
];
/// A rough set of the keys of an object. It rules out at once most names that are looked for, if it
/// has them not.
#[derive(Clone, Copy)]
pub(crate) struct Keys(u64);

impl Keys {
    pub(crate) fn of(fields: &Map<String, Value>) -> Keys {
        Keys(fields.keys().fold(0, |bits, key| bits | Keys::bit(key)))
    }

    /// One bit of 64, by the length and both ends.
    fn bit(key: &str) -> u64 {
        let end = |byte: Option<&u8>| u32::from(*byte.unwrap_or(&0));
        let (first, last) = (end(key.as_bytes().first()), end(key.as_bytes().last()));
        1 << ((first * 7 + last * 3 + key.len() as u32) % 64)
    }

    pub(crate) fn may_hold(self, key: &str) -> bool {
        self.0 & Keys::bit(key) != 0
    }
}

/// Takes the first of `names` that holds a text that is not blank.
pub(crate) fn take_text(fields: &mut Map<String, Value>, names: &[&str]) -> Option<String> {
    take_text_of(Keys::of(fields), fields, names)
}

pub(crate) fn take_text_of(keys: Keys, fields: &mut Map<String, Value>, names: &[&str]) -> Option<String> {
    for name in names.iter().filter(|name| keys.may_hold(name)) {
        if let Some(Value::String(text)) = fields.get_mut(*name)
            && !text.trim().is_empty()
        {
            let text = std::mem::take(text);
            fields.remove(*name);
            return Some(text);
        }
    }
    None
}
