//! Channels: the ways in which a notification reaches people. A channel is a small module behind
//! one trait.

mod email;
mod file;
mod formats;
mod http_agent;
mod log;
mod mime;
mod oauth;
mod reply_limit;
mod text_limits;
mod webhook;

use jiff::Timestamp;

pub use email::{EmailChannel, EmailMemory};
pub use file::{FileProblem, check_alert_file, write_alert_file};
pub use formats::{Format, FormatError};
pub use http_agent::{explain, http_agent};
pub use log::LogChannel;
pub use webhook::{WebhookChannel, test_body};

use crate::claim::Claim;
use crate::message::{Alert, Bundle, Digest, Message, Status};

/// A claimed row of `logwatch.notifications`, with those that its mail brings too. It owns
/// everything, so that it can go to a sender thread.
#[derive(Debug)]
pub struct Notification {
    pub id: i64,
    /// The severity of the rule, from 0 for a report to 3 for critical.
    pub urgency: i32,
    pub recipient: String,
    /// That of the row; "bundle" where the mail is about several.
    pub reason: String,
    pub message_id: String,
    /// Earlier mails about the same alerts, that of the worst alert first.
    pub in_reply_to: Vec<String>,
    pub created_at: Timestamp,
    pub payload: String,
    pub claim: Claim,
}

impl Notification {
    /// Returns the record of an attempt to send it.
    pub fn ended(&self, outcome: Outcome) -> Ended {
        Ended {
            id: self.id,
            message_id: self.message_id.clone(),
            outcome,
        }
    }

    /// Returns the content; an error for a payload that this version cannot read.
    fn content(&self) -> Result<Content, serde_json::Error> {
        match self.reason.as_str() {
            "report" => serde_json::from_str(&self.payload).map(Content::Status),
            "digest" => serde_json::from_str(&self.payload).map(Content::Digest),
            "bundle" => serde_json::from_str(&self.payload).map(Content::Bundle),
            _ => serde_json::from_str(&self.payload)
                .map(Box::new)
                .map(Content::Alert),
        }
    }
}

enum Content {
    Alert(Box<Alert>),
    Bundle(Bundle),
    Status(Status),
    Digest(Digest),
}

impl Content {
    /// Returns the content in words; `detail` allows log text in the subject.
    fn message(self, detail: bool) -> Message {
        match self {
            Self::Alert(alert) => alert.message(detail),
            Self::Bundle(bundle) => bundle.message(detail),
            Self::Status(status) => status.message(),
            Self::Digest(digest) => digest.message(),
        }
    }
}

/// How an attempt ended, with the server's reply code and text where there was one.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub verdict: Verdict,
    pub code: Option<i32>,
    pub answer: String,
    /// False where the server could not be reached: others that wait for it end alike.
    pub reached: bool,
    /// The server that took the mail, one of several.
    pub server: Option<String>,
}

/// An attempt that has ended. The Message-ID goes with the id: after DROP EXTENSION and CREATE
/// EXTENSION ids begin anew.
#[derive(Debug)]
pub struct Ended {
    pub id: i64,
    pub message_id: String,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Sent,
    Retry,
    Failed,
}

impl Verdict {
    /// Returns the word that `logwatch_private.settle` takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Failed => "failed",
        }
    }
}

impl Outcome {
    fn new(verdict: Verdict, answer: impl Into<String>) -> Self {
        Self {
            verdict,
            code: None,
            answer: answer.into(),
            reached: true,
            server: None,
        }
    }

    pub fn sent(answer: impl Into<String>) -> Self {
        Self::new(Verdict::Sent, answer)
    }

    pub fn retry(answer: impl Into<String>) -> Self {
        Self::new(Verdict::Retry, answer)
    }

    pub fn failed(answer: impl Into<String>) -> Self {
        Self::new(Verdict::Failed, answer)
    }

    /// Returns the outcome of an attempt that did not reach its server.
    pub fn unreached(answer: impl Into<String>) -> Self {
        Self {
            reached: false,
            ..Self::retry(answer)
        }
    }
}

/// A way to reach people.
pub trait Channel {
    /// Makes one attempt. Every wait in it has a limit, but that for the notification's claim.
    fn deliver(&mut self, notification: &Notification) -> Outcome;

    /// Ends what is open, because nothing waits to be sent.
    fn close(&mut self) {}
}
