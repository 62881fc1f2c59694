//! Webhook receivers: an HTTP POST of an alert in the receiver's format.
//!
//! Runs in a sender thread and never calls PostgreSQL. No answer holds the URL or a header: either
//! may be a secret.

use std::sync::Arc;

use serde_json::{Value, json};

use super::http_agent::{explain, http_agent};
use super::{Channel, FormatError, Notification, Outcome, Verdict};
use crate::message::{Alert, test_alert};
use crate::settings::Webhook;

/// Characters of an answer that are kept.
const MAX_ANSWER: usize = 1000;

pub struct WebhookChannel {
    settings: Arc<Webhook>,
    /// Made for the first post, because it reads the authorities.
    agent: Option<ureq::Agent>,
}

impl WebhookChannel {
    pub fn new(settings: Arc<Webhook>) -> Self {
        Self {
            settings,
            agent: None,
        }
    }

    fn agent(&mut self) -> Result<ureq::Agent, String> {
        if let Some(agent) = &self.agent {
            return Ok(agent.clone());
        }
        let settings = &self.settings;
        let agent = http_agent(&settings.url, settings.ca.as_deref(), settings.timeout)?;
        Ok(self.agent.insert(agent).clone())
    }
}

/// Returns the body of a notification's post.
fn body(payload: &str, settings: &Webhook) -> Result<String, BodyError> {
    let payload: Value = serde_json::from_str(payload)?;
    let alert: Alert = serde_json::from_value(payload.clone())?;
    let mut facts = alert.facts_for_templates(payload);
    let severity = settings.severities.get(&alert.severity);
    if let Some(severity) = severity {
        facts["severity"] = json!(severity);
    }
    facts["params"] = json!(settings.params);
    Ok(settings.format.body(&facts)?)
}

/// Makes the body of a test notification, so that a template that cannot work is known before an
/// alert.
pub fn test_body(settings: &Webhook) -> Result<(), FormatError> {
    let payload = test_alert("localhost", jiff::Timestamp::UNIX_EPOCH).to_string();
    match body(&payload, settings) {
        Err(BodyError::Format(why)) => Err(why),
        _ => Ok(()),
    }
}

#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("the notification's payload cannot be read: {0}")]
    Payload(#[from] serde_json::Error),
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl Channel for WebhookChannel {
    fn deliver(&mut self, notification: &Notification) -> Outcome {
        if matches!(notification.reason.as_str(), "report" | "digest") {
            return Outcome::failed("only alerts go to a webhook");
        }
        let body = match body(&notification.payload, &self.settings) {
            Ok(body) => body,
            // A template can be corrected.
            Err(why @ BodyError::Format(_)) => return Outcome::retry(why.to_string()),
            Err(why) => return Outcome::failed(why.to_string()),
        };
        let agent = match self.agent() {
            Ok(agent) => agent,
            Err(why) => return Outcome::unreached(why),
        };
        let settings = &self.settings;
        let mut request = agent
            .post(&settings.url)
            .content_type(settings.format.content_type())
            // The same on each attempt, so that a receiver recognises a repetition.
            .header("Idempotency-Key", &notification.message_id);
        for (name, value) in &settings.headers {
            request = request.header(name, value);
        }
        if !notification.claim.holds() {
            return Outcome::retry("the claim was undone");
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(why) => return Outcome::unreached(explain(&why, settings.timeout)),
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

/// Returns whether a status code means success, another attempt, or a refusal.
fn verdict(code: u16) -> Verdict {
    match code {
        200..=299 => Verdict::Sent,
        408 | 425 | 429 | 500..=599 => Verdict::Retry,
        _ => Verdict::Failed,
    }
}
