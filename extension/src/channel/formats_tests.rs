use serde_json::json;

use super::*;
use crate::message::{Alert, test_alert};

/// Returns the facts of an alert whose texts are hostile and long.
fn facts(state: &str, length: usize) -> Value {
    let evil = "\"\\</script>&<@U1> ```@everyone``` *b* \u{1F525}\r\n\u{0}ä".repeat(length);
    let mut payload = test_alert("db01.example.com", jiff::Timestamp::UNIX_EPOCH);
    let record = json!({"n": 7, "level": "ERROR", "template": evil, "sample": evil, "fingerprint": "ff", "last_at": null});
    for (key, value) in [
        (
            "reason",
            json!(if state == "firing" { "first" } else { "resolved" }),
        ),
        ("state", json!(state)),
        ("rule", json!(format!("payments {evil}"))),
        ("group_by", json!("source")),
        ("group_key", json!(evil)),
        ("group", json!(format!("source {evil}"))),
        ("severity", json!("critical")),
        ("runbook", json!(format!("https://wiki.example.com/{evil}"))),
        ("sources", json!(vec![json!({"name": evil, "n": 7}); 10])),
        ("patterns", json!(vec![record; 10])),
    ] {
        payload[key] = value;
    }
    let alert: Alert = serde_json::from_value(payload.clone()).unwrap();
    let mut facts = alert.facts_for_templates(payload);
    facts["params"] = json!({"chat_id": 42, "topic": "ops", "routing_key": "R0UTE"});
    facts
}

/// Returns the values at a path whose steps `*` stand for all members of an array.
fn values_at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('/').fold(vec![value], |found, step| {
        found
            .into_iter()
            .flat_map(|one| match (step, one) {
                ("*", Value::Array(items)) => items.iter().collect(),
                (index, Value::Array(items)) => index
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get(index))
                    .into_iter()
                    .collect(),
                (key, one) => one.get(key).into_iter().collect::<Vec<_>>(),
            })
            .collect()
    })
}

#[test]
fn every_format_keeps_its_services_limits_whatever_the_log_says() {
    for name in names() {
        let format = Format::named(name).unwrap();
        for (state, length) in [("firing", 1), ("firing", 2000), ("resolved", 2000)] {
            let body = format
                .body(&facts(state, length))
                .unwrap_or_else(|why| panic!("{name}: {why}"));
            let value: Value = serde_json::from_str(&body).unwrap();
            for limit in format.notes("limit") {
                let most: usize = limit[1].parse().unwrap();
                let found = values_at(&value, limit[0]);
                for one in found {
                    let length = match one {
                        Value::Array(items) => items.len(),
                        Value::String(text) if limit.get(2) == Some(&"bytes") => text.len(),
                        Value::String(text) => text.encode_utf16().count(),
                        other => panic!("{name}: {} is {other}", limit[0]),
                    };
                    assert!((1..=most).contains(&length), "{name}: {} has {length}", limit[0]);
                }
            }
            for limit in format.notes("bytes") {
                assert!(
                    body.len() <= limit[0].parse().unwrap(),
                    "{name}: {} bytes",
                    body.len()
                );
            }
        }
    }
}

#[test]
fn every_limit_names_a_member_of_its_format() {
    for name in names() {
        let format = Format::named(name).unwrap();
        let value: Value = serde_json::from_str(&format.body(&facts("firing", 1)).unwrap()).unwrap();
        for limit in format.notes("limit") {
            assert!(!values_at(&value, limit[0]).is_empty(), "{name}: {}", limit[0]);
        }
    }
}

#[test]
fn the_test_alert_fits_every_format() {
    let payload = test_alert("db01", jiff::Timestamp::UNIX_EPOCH);
    let alert: Alert = serde_json::from_value(payload.clone()).unwrap();
    let mut facts = alert.facts_for_templates(payload);
    facts["params"] = json!({"chat_id": 42, "topic": "ops", "routing_key": "R0UTE"});
    for name in names() {
        Format::named(name).unwrap().body(&facts).unwrap();
    }
}

#[test]
fn log_text_mentions_nobody_and_ends_no_code_block() {
    let body = Format::named("discord")
        .unwrap()
        .body(&facts("firing", 1))
        .unwrap();
    let value: Value = serde_json::from_str(&body).unwrap();
    let description = value["embeds"][0]["description"].as_str().unwrap();
    assert_eq!(description.matches("```").count(), 2, "{description}");
    assert_eq!(value["allowed_mentions"], json!({"parse": []}));
    let body = Format::named("slack").unwrap().body(&facts("firing", 1)).unwrap();
    let value: Value = serde_json::from_str(&body).unwrap();
    assert!(!value["text"].as_str().unwrap().contains('<'));
    assert!(
        !value["blocks"][1]["text"]["text"]
            .as_str()
            .unwrap()
            .contains("<@")
    );
}

#[test]
fn an_alert_is_one_incident_that_resolves() {
    let of = |state| -> Value {
        let body = Format::named("pagerduty")
            .unwrap()
            .body(&facts(state, 1))
            .unwrap();
        serde_json::from_str(&body).unwrap()
    };
    let (firing, resolved) = (of("firing"), of("resolved"));
    assert_eq!(firing["event_action"], "trigger");
    assert_eq!(resolved["event_action"], "resolve");
    assert_eq!(firing["dedup_key"], resolved["dedup_key"]);
    assert_eq!(firing["routing_key"], "R0UTE");
}

#[test]
fn alertmanagers_group_labels_are_those_of_its_key() {
    let facts = facts("firing", 1);
    let body = Format::named("alertmanager").unwrap().body(&facts).unwrap();
    let value: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        value["groupLabels"],
        json!({"alertname": facts["rule"], "group": facts["group_key"]})
    );
    let labels = &value["alerts"][0]["labels"];
    assert_eq!(labels["instance"], facts["group_key"]);
    assert_eq!(labels["host"], "db01.example.com");
    let body = Format::named("alertmanager_api").unwrap().body(&facts).unwrap();
    let value: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value[0]["labels"]["alertname"], facts["rule"]);
}

#[test]
fn a_template_has_limits_and_its_errors_name_the_line() {
    let error = |source: &str| {
        Format::template(source.to_owned(), None)
            .body(&facts("firing", 1))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("{\n\"a\": {{ titel }}}"),
        "template, line 2: undefined value"
    );
    assert!(
        error("{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}")
            .contains("fuel")
    );
    assert!(error("{\"a\": }").starts_with("the template's result is no JSON"));
    assert!(error("{% include '/etc/passwd' %}").starts_with("template, line 1"));
    let body = Format::named("pagerduty").unwrap().body(&json!({"params": {}}));
    assert_eq!(
        body.unwrap_err().to_string(),
        "the format needs params.routing_key"
    );
    assert_eq!(
        Format::named("pigeon").unwrap_err().to_string(),
        "unknown format \"pigeon\"; use alertmanager, alertmanager_api, apprise, discord, ntfy, pagerduty, slack, \
         teams, telegram or template"
    );
}

#[test]
fn a_plain_template_is_not_escaped() {
    let format = Format::template(
        "{{ rule }}: {{ count }}".to_owned(),
        Some("text/plain".to_owned()),
    );
    let payload = test_alert("db01", jiff::Timestamp::UNIX_EPOCH);
    let alert: Alert = serde_json::from_value(payload.clone()).unwrap();
    assert_eq!(
        format.body(&alert.facts_for_templates(payload)).unwrap(),
        "logwatch_test: 0"
    );
}
