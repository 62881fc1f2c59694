//! Lines as their programs write them, each with the level, time and message that are read from it.

mod daemons;
mod languages;
mod servers;
mod whole_records;
mod wrapped;

use jiff::tz::TimeZone;
use logwatch_record::{Context, Level, parse};

fn context() -> Context {
    Context {
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        ..Context::of(TimeZone::get("Europe/Berlin").unwrap())
    }
}

/// Each case: text, level, time, message; `-` for none.
fn all(cases: &[(&str, &str, &str, &str)]) {
    for (text, level, time, message) in cases {
        let record = parse(text, &context());
        assert_eq!(record.level.map_or("-", Level::as_str), *level, "level of {text}");
        assert_eq!(
            record.logged_at.map_or("-".to_owned(), |time| time.to_string()),
            *time,
            "time of {text}"
        );
        assert_eq!(record.message, *message, "message of {text}");
    }
}
