//! The facts that the template of a webhook receiver is filled with: the JSON of
//! `logwatch_alert_json`, its texts cleaned, and the words that logwatch makes of them.

use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::Alert;
use super::clean::{clean, log_text};

impl Alert {
    /// Returns the facts; `payload` is the JSON that the alert was read from.
    pub fn facts_for_templates(&self, mut payload: Value) -> Value {
        cleaned(&mut payload, clean);
        cleaned(&mut payload["patterns"], log_text);
        // Where groups share notifications, the worst group differs from one to the next.
        let group_key = self.thread_key.as_ref().unwrap_or(&self.group_key);
        let grouped_by_source = payload["group_by"] == "source" && !group_key.is_empty();
        let instance = if grouped_by_source { group_key } else { &self.host };
        let identity = format!("{}/{}/{}", self.database, self.rule, group_key);
        for (name, value) in [
            (
                "status",
                json!(if self.state == "resolved" {
                    "resolved"
                } else {
                    "firing"
                }),
            ),
            ("title", json!(self.title())),
            ("headline", json!(self.headline())),
            ("place", json!(self.place())),
            ("record", json!(self.top_record())),
            ("commands", json!(self.commands().trim_end())),
            ("text", json!(self.message(true).text)),
            ("group_key", json!(clean(group_key))),
            ("instance", json!(clean(instance))),
            (
                "fingerprint",
                json!(format!("{:016x}", xxh3_64(identity.as_bytes()))),
            ),
            ("thread", json!(self.thread.unwrap_or(self.alert_id))),
        ] {
            payload[name] = value;
        }
        payload
    }
}

/// Cleans every string of a value.
fn cleaned(value: &mut Value, clean: fn(&str) -> String) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(|item| cleaned(item, clean)),
        Value::Object(members) => members.values_mut().for_each(|member| cleaned(member, clean)),
        _ => {}
    }
}
