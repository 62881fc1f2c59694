//! JSON records.

use jiff::Timestamp;
use memchr::{memchr, memmem};
use serde_json::{Map, Value};

use super::{Keys, MESSAGE, Parts, STACK, TIME, take_text, take_text_of};
use crate::level::words::value_level;
use crate::{Context, text, time};

const LEVEL: [&str; 14] = [
    "level",
    "lvl",
    "severity",
    "Level",
    "LEVEL",
    "log.level",
    "log_level",
    "loglevel",
    "LogLevel",
    "levelname",
    "level_name",
    "@l",
    "@level",
    "Severity",
];
/// Objects that hold the message or the stack of a record: tracing's `fields`, ECS's and pino's
/// `error` and `err`, GCP's `jsonPayload`, OTLP's `body`.
const NESTED: [&str; 5] = ["fields", "jsonPayload", "body", "error", "err"];

/// Reads a text that is one JSON object. None when it is none that serde_json accepts: broken, too
/// deep, a number too large.
pub(crate) fn json(text: &str, context: &Context) -> Option<Parts> {
    let mut fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    let nul = memmem::find(text.as_bytes(), b"\\u0000").is_some() && clean_map(&mut fields);
    let mut parts = Parts {
        nul,
        ..Parts::default()
    };
    let keys = Keys::of(&fields);
    if keys.may_hold("MESSAGE")
        && let Some(message) = fields.get("MESSAGE").and_then(journald)
    {
        fields.insert("MESSAGE".to_owned(), Value::String(message));
    }
    for key in TIME.into_iter().filter(|key| keys.may_hold(key)) {
        if let Some(moment) = fields.get(key).and_then(|value| json_time(value, context)) {
            parts.time = Some(moment);
            fields.remove(key);
            break;
        }
    }
    parts.message = take_text_of(keys, &mut fields, &MESSAGE);
    // CloudNativePG's wrapped records of PostgreSQL.
    if parts.message.as_deref() == Some("record")
        && let Some(Value::Object(inner)) = fields.get_mut("record")
        && inner.remove("error_severity").is_some()
    {
        parts.message = take_text(inner, &MESSAGE).or(parts.message);
    }
    parts.detail = take_text_of(keys, &mut fields, &STACK);
    for key in NESTED.into_iter().filter(|key| keys.may_hold(key)) {
        let Some(Value::Object(inner)) = fields.get_mut(key) else {
            continue;
        };
        if parts.message.is_none() {
            parts.message = take_text(inner, &MESSAGE);
        }
        if parts.detail.is_none() {
            parts.detail = take_text(inner, &STACK);
        }
        if inner.is_empty() {
            fields.remove(key);
        }
    }
    for key in LEVEL.into_iter().filter(|key| keys.may_hold(key)) {
        let spent = match fields.get(key) {
            Some(Value::String(word)) => value_level(word.as_bytes()).is_some(),
            Some(Value::Number(_)) => matches!(key, "level" | "lvl" | "severity"),
            _ => false,
        };
        if spent {
            fields.remove(key);
        }
    }
    // MongoDB's one-letter severity.
    if keys.may_hold("s")
        && matches!(fields.get("s"), Some(Value::String(letter)) if matches!(letter.as_str(), "F" | "E" | "W" | "I" | "D"))
    {
        fields.remove("s");
    }
    parts.fields = fields;
    Some(parts)
}

/// Returns the text of a journald field that is a list: its bytes, or its values if it was set
/// twice.
fn journald(value: &Value) -> Option<String> {
    let values = value.as_array().filter(|values| !values.is_empty())?;
    let bytes: Option<Vec<u8>> = values
        .iter()
        .map(|value| u8::try_from(value.as_u64()?).ok())
        .collect();
    if let Some(bytes) = bytes {
        return Some(text::clean(&bytes).0.into_owned());
    }
    let texts = values.iter().map(|value| match value {
        Value::String(text) => Some(text.clone()),
        other => journald(other),
    });
    Some(texts.collect::<Option<Vec<_>>>()?.join("\n"))
}

fn json_time(value: &Value, context: &Context) -> Option<Timestamp> {
    match value {
        Value::String(text) => time::whole(text, context),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => time::epoch_whole(whole),
            None => time::epoch(number.as_f64()?),
        },
        // MongoDB: {"t":{"$date":"…"}}; log4j: {"instant":{"epochSecond":…,"nanoOfSecond":…}}; GCP:
        // {"seconds":…,"nanos":…}.
        Value::Object(inner) => {
            if let Some(Value::String(text)) = inner.get("$date") {
                return time::whole(text, context);
            }
            let seconds = inner
                .get("epochSecond")
                .or_else(|| inner.get("seconds"))?
                .as_i64()?;
            let nanos = inner
                .get("nanoOfSecond")
                .or_else(|| inner.get("nanos"))
                .and_then(Value::as_i64)
                .unwrap_or(0);
            let micros = seconds.checked_mul(1_000_000)?.checked_add(nanos / 1000)?;
            time::epoch_whole(micros)
        }
        _ => None,
    }
}

/// Puts U+FFFD in place of U+0000 in all keys and strings; true when there was one.
fn clean_map(map: &mut Map<String, Value>) -> bool {
    let mut found = false;
    if map.keys().any(|key| memchr(0, key.as_bytes()).is_some()) {
        found = true;
        let old = std::mem::take(map);
        map.extend(
            old.into_iter()
                .map(|(key, value)| (text::without_nul(&key).unwrap_or(key), value)),
        );
    }
    for value in map.values_mut() {
        found |= clean_value(value);
    }
    found
}

fn clean_value(value: &mut Value) -> bool {
    match value {
        Value::String(string) => match text::without_nul(string) {
            Some(clean) => {
                *string = clean;
                true
            }
            None => false,
        },
        Value::Array(values) => values
            .iter_mut()
            .fold(false, |found, value| found | clean_value(value)),
        Value::Object(map) => clean_map(map),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as value;

    fn context() -> Context {
        Context {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            ..Context::of(jiff::tz::TimeZone::UTC)
        }
    }

    fn of(text: &str) -> Parts {
        json(text, &context()).unwrap()
    }

    #[test]
    fn pino() {
        let parts = of(
            r#"{"level":50,"time":1531171074631,"pid":657,"hostname":"Davids-MBP","msg":"boom",
            "err":{"type":"Error","message":"boom","stack":"Error: boom\n    at Object.<anonymous> (app.js:1:1)"}}"#,
        );
        assert_eq!(parts.message.as_deref(), Some("boom"));
        assert_eq!(
            parts.detail.as_deref(),
            Some("Error: boom\n    at Object.<anonymous> (app.js:1:1)")
        );
        assert_eq!(parts.time.unwrap().to_string(), "2018-07-09T21:17:54.631Z");
        let fields = value!({"pid":657, "hostname":"Davids-MBP", "err":{"type":"Error", "message":"boom"}});
        assert_eq!(Value::Object(parts.fields), fields);
    }

    #[test]
    fn zap_and_caddy_write_fractional_epochs() {
        let parts =
            of(r#"{"level":"error","ts":1646861401.524103,"logger":"http.log","msg":"failed","status":502}"#);
        assert_eq!(parts.time.unwrap().to_string(), "2022-03-09T21:30:01.524103Z");
        assert_eq!(
            Value::Object(parts.fields),
            value!({"logger":"http.log", "status":502})
        );
    }

    #[test]
    fn journald_messages_may_be_lists() {
        let message = |text| of(text).message;
        assert_eq!(
            message(r#"{"PRIORITY":"3","MESSAGE":[101,114,114,27,91,109]}"#).as_deref(),
            Some("err\u{1b}[m")
        );
        assert_eq!(
            message(r#"{"PRIORITY":"3","MESSAGE":["first","second"]}"#).as_deref(),
            Some("first\nsecond")
        );
        assert_eq!(message(r#"{"PRIORITY":"3","MESSAGE":null}"#), None);
    }

    #[test]
    fn mongodb() {
        let parts = of(
            r#"{"t":{"$date":"2020-05-01T15:16:17.180+00:00"},"s":"E","c":"NETWORK","id":12345,"ctx":"listener",
            "msg":"Listening failed","attr":{"address":"127.0.0.1"}}"#,
        );
        assert_eq!(parts.message.as_deref(), Some("Listening failed"));
        assert_eq!(parts.time.unwrap().to_string(), "2020-05-01T15:16:17.18Z");
    }

    #[test]
    fn serilog_ecs_gelf_and_tracing() {
        let parts = of(
            r#"{"@t":"2016-06-07T03:44:57.8532799Z","@mt":"Hello, {User}","@l":"Error","@x":"System.E: x\n  at Y","User":"nick"}"#,
        );
        assert_eq!(
            (parts.message.as_deref(), parts.detail.as_deref()),
            (Some("Hello, {User}"), Some("System.E: x\n  at Y"))
        );
        assert_eq!(Value::Object(parts.fields), value!({"User":"nick"}));

        let parts = of(
            r#"{"@timestamp":"2020-01-01T00:00:00.000Z","log.level":"ERROR","message":"m","error":{"type":"E","stack_trace":"s"}}"#,
        );
        assert_eq!(
            (parts.message.as_deref(), parts.detail.as_deref()),
            (Some("m"), Some("s"))
        );

        let parts = of(
            r#"{"version":"1.1","host":"h","short_message":"short","full_message":"Backtrace here\n\nmore","timestamp":1385053862.3072,"level":3}"#,
        );
        assert_eq!(
            (parts.message.as_deref(), parts.detail.as_deref()),
            (Some("short"), Some("Backtrace here\n\nmore"))
        );

        let parts = of(
            r#"{"timestamp":"2022-02-15T18:47:10.821315Z","level":"ERROR","fields":{"message":"inside","n":1},"target":"fmt_json"}"#,
        );
        assert_eq!(parts.message.as_deref(), Some("inside"));
        assert_eq!(
            Value::Object(parts.fields),
            value!({"fields":{"n":1}, "target":"fmt_json"})
        );
    }

    #[test]
    fn nuls_in_strings_and_keys_are_replaced() {
        let parts = of(r#"{"msg":"a\u0000b","k\u0000":["\u0000",{"x":"\u0000"}]}"#);
        assert!(parts.nul);
        assert_eq!(parts.message.as_deref(), Some("a\u{FFFD}b"));
        assert_eq!(
            Value::Object(parts.fields),
            value!({"k\u{FFFD}":["\u{FFFD}", {"x":"\u{FFFD}"}]})
        );
    }

    #[test]
    fn what_serde_refuses_is_no_json() {
        for text in [
            r#"{"msg":1e999}"#,
            r#"{"msg":"\ud800"}"#,
            r#"{"msg":"x""#,
            "{}x",
            &format!("{{\"a\":{}", "[".repeat(300)),
        ] {
            assert!(json(text, &context()).is_none(), "{text}");
        }
        assert_eq!(
            of(r#"{"msg":"first","msg":"second"}"#).message.as_deref(),
            Some("second")
        );
    }
}
