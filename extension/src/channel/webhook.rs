//! The webhook: an HTTP POST of Alertmanager's JSON (version 4), so that receivers made for it
//! work.
//!
//! Runs in a sender thread and never calls PostgreSQL. No answer holds a header, which may be a
//! secret.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, DefaultConnector};

use super::reply_limit::ReplyLimit;
use super::{Channel, Content, Notification, Outcome, Verdict};
use crate::message::Alert;
use crate::settings::Webhook;

/// Characters of an answer that are kept.
const MAX_ANSWER: usize = 1000;

pub struct WebhookChannel {
    agent: ureq::Agent,
    timeout: Duration,
    url: String,
    headers: Vec<(String, String)>,
}

impl WebhookChannel {
    pub fn new(settings: &Webhook) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("logwatch/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = DefaultConnector::new().chain(ReplyLimit);
        Self {
            agent: ureq::Agent::with_parts(config, connector, DefaultResolver::default()),
            timeout: settings.timeout,
            url: settings.url.clone(),
            headers: settings.headers.clone(),
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
            .post(&self.url)
            .content_type("application/json")
            // The same on each attempt, so that a receiver recognises a repetition.
            .header("Idempotency-Key", &notification.message_id);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(why) => return Outcome::unreached(explain(&why, self.timeout)),
        };
        let code = response.status().as_u16();
        // The code says how it went; a body that cannot be read to its end changes nothing.
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let text: String = text.trim().chars().take(MAX_ANSWER).collect();
        Outcome {
            code: Some(code.into()),
            verdict: verdict(code),
            ..Outcome::retry(format!("{code} {text}").trim_end())
        }
    }
}

/// Returns why the receiver did not reply.
fn explain(why: &ureq::Error, timeout: Duration) -> String {
    match why {
        ureq::Error::Timeout(_) => format!("no reply within {} s", timeout.as_secs()),
        ureq::Error::HostNotFound => "could not find the address of the host".to_owned(),
        other => other.to_string(),
    }
}

/// Returns whether a status code means success, another attempt, or a refusal.
fn verdict(code: u16) -> Verdict {
    match code {
        200..=299 => Verdict::Sent,
        408 | 425 | 429 | 500..=599 => Verdict::Retry,
        _ => Verdict::Failed,
    }
}

/// Returns one group with one alert, as Alertmanager's webhook_config documents it.
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
        "truncatedAlerts": alert.more,
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
