//! The webhook: an HTTP POST of what Alertmanager would send (version 4 of its JSON), so that receivers made for it work.
//!
//! Runs in the sender's thread and must never call PostgreSQL. Headers, which may hold a secret, get into no answer.

use serde_json::{Value, json};

use super::{Channel, Content, Notification, Outcome, Verdict};
use crate::message::Alert;
use crate::settings::Webhook;

/// How much of an answer is kept.
const MAX_ANSWER: u64 = 1000;

pub struct WebhookChannel {
    agent: ureq::Agent,
    settings: Webhook,
}

impl WebhookChannel {
    pub fn new(settings: Webhook) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("logwatch/", env!("CARGO_PKG_VERSION")));
        Self {
            agent: config.build().new_agent(),
            settings,
        }
    }
}

impl Channel for WebhookChannel {
    fn deliver(&mut self, notification: &Notification) -> Outcome {
        let body = match notification.content() {
            Ok(Content::Alert(alert)) => alertmanager_json(&alert).to_string(),
            Ok(_) => return Outcome::failed("only alerts go to the webhook"),
            Err(why) => return Outcome::failed(format!("the notification's payload cannot be read: {why}")),
        };
        let mut request = self
            .agent
            .post(&self.settings.url)
            .content_type("application/json");
        // The same on each attempt, so that a receiver can tell a repetition.
        request = request.header("Idempotency-Key", &notification.message_id);
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        match request.send(body) {
            Ok(mut response) => {
                let code = response.status().as_u16();
                let text = response
                    .body_mut()
                    .with_config()
                    .limit(MAX_ANSWER)
                    .read_to_string()
                    .unwrap_or_default();
                let verdict = match code {
                    200..=299 => Verdict::Sent,
                    408 | 425 | 429 | 500..=599 => Verdict::Retry,
                    _ => Verdict::Failed,
                };
                Outcome {
                    verdict,
                    code: Some(code.into()),
                    answer: format!("{code} {}", text.trim()),
                }
            }
            Err(why) => Outcome::retry(why.to_string()),
        }
    }
}

/// One group with one alert, as Alertmanager's webhook_config documents it.
fn alertmanager_json(alert: &Alert) -> Value {
    let resolved = alert.state == "resolved";
    let status = if resolved { "resolved" } else { "firing" };
    let mut labels = json!({
        "alertname": alert.rule, "severity": alert.severity, "instance": alert.host, "database": alert.database, "level": alert.level,
    });
    if !alert.group_key.is_empty() {
        labels["group"] = json!(alert.group_key);
    }
    let message = alert.message();
    let mut annotations = json!({ "summary": alert.headline(), "description": message.text });
    if let Some(runbook) = &alert.runbook {
        annotations["runbook_url"] = json!(runbook);
    }
    let ends_at = if resolved {
        alert.met_until.to_string()
    } else {
        "0001-01-01T00:00:00Z".to_owned()
    };
    let identity = format!("{}/{}/{}", alert.database, alert.rule, alert.group_key);
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname={:?}, group={:?}}}", alert.rule, alert.group_key),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "logwatch",
        "groupLabels": { "alertname": alert.rule },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": alert.started_at.to_string(),
            "endsAt": ends_at,
            "generatorURL": "",
            "fingerprint": format!("{:016x}", xxhash_rust::xxh3::xxh3_64(identity.as_bytes())),
        }],
    })
}
