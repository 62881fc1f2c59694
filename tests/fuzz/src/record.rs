//! A record's text can be parsed, and parsing it again gives the same record.

#[path = "../../../extension/record/tests/properties/every_text.rs"]
mod every_text;

use every_text::context;
use logwatch_record::{Level, MAX_MESSAGE, clean, parse};

pub fn check(input: &[u8]) {
    let (text, _) = clean(input);
    every_text::check(&text);
    blank_lines_around_it_change_nothing(&text);
    its_time_is_read_again(&text);
    as_a_json_message_it_stays_as_it_is(&text);
}

fn blank_lines_around_it_change_nothing(text: &str) {
    // A carriage return before the newline belongs to the end of the line.
    let text = text.trim_end_matches('\r');
    let record = parse(text, &context());
    let spaced = format!("\n \n{text}\n\n");
    assert_eq!(parse(&spaced, &context()), record);
}

fn its_time_is_read_again(text: &str) {
    let Some(at) = parse(text, &context()).logged_at else {
        return;
    };
    assert!((1970..=2200).contains(&at.strftime("%Y").to_string().parse().unwrap_or(0)));
    assert_eq!(at.as_nanosecond() % 1000, 0, "microseconds at most");
    for again in [
        format!("{at} ERROR x"),
        serde_json::json!({ "time": at.to_string(), "level": "error", "msg": "x" }).to_string(),
        format!("ts={at} level=error msg=x"),
    ] {
        let record = parse(&again, &context());
        assert_eq!(record.logged_at, Some(at), "{again}");
        assert_eq!((record.level, &*record.message), (Some(Level::Error), "x"));
    }
}

fn as_a_json_message_it_stays_as_it_is(text: &str) {
    let message = text.lines().next().unwrap_or_default().trim();
    if message.is_empty() || message.len() > MAX_MESSAGE || message.contains('\0') {
        return;
    }
    let line = serde_json::json!({ "level": "error", "msg": message }).to_string();
    let record = parse(&line, &context());
    assert_eq!((record.level, &*record.message), (Some(Level::Error), message));
}
