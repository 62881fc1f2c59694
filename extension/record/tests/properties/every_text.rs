//! Checks that [`parse`] must pass for every text. Used by the property tests and by fuzzing
//! (tests/fuzz).

use jiff::tz::TimeZone;
use logwatch_record::{Context, Flags, Level, MAX_MESSAGE, level, parse};
use serde_json::Value;

pub fn context() -> Context {
    Context {
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        ..Context::of(TimeZone::get("Europe/Berlin").unwrap())
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

pub fn check(text: &str) {
    let record = parse(text, &context());
    let headline = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    // Only the frames of a trace of Python tell whether its process has ended.
    let ended = record.level == Some(Level::Fatal) && text.contains("in <module>");
    let expected = level(headline.as_bytes());
    assert!(
        record.level == expected || ended && expected == Some(Level::Error),
        "level of the headline"
    );
    assert!(record.message.len() <= MAX_MESSAGE);
    assert_eq!(
        record.message.trim().is_empty(),
        text.trim().is_empty(),
        "message of {text:?}: {:?}",
        record.message
    );
    assert!(!record.message.contains('\0'));
    assert!(
        !record
            .detail
            .as_ref()
            .is_some_and(|detail| detail.contains('\0') || detail.trim().is_empty())
    );
    assert!(
        !record
            .fields
            .is_some_and(|fields| fields.is_empty() || holds_nul(&Value::Object(fields)))
    );
    assert_eq!(
        record.flags.contains(Flags::TIME_MISSING),
        record.logged_at.is_none()
    );
}
