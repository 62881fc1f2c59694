//! Channels: the ways in which a notification reaches people. A channel is a small module behind one trait.

mod email;
mod file;
mod log;
mod webhook;

use jiff::Timestamp;

pub use email::EmailChannel;
pub use file::write_status;
pub use log::LogChannel;
pub use webhook::WebhookChannel;

use crate::message::{Alert, Digest, Message, Status};

/// A claimed row of `logwatch.notifications`; owns everything, so that it can go to the sender's thread.
#[derive(Debug)]
pub struct Notification {
    pub id: i64,
    pub channel: String,
    pub recipient: String,
    pub reason: String,
    pub message_id: String,
    pub in_reply_to: Option<String>,
    pub created_at: Timestamp,
    pub payload: String,
}

impl Notification {
    /// An attempt to send it that ended so.
    pub fn ended(&self, outcome: Outcome) -> Ended {
        Ended {
            id: self.id,
            message_id: self.message_id.clone(),
            outcome,
        }
    }

    /// What is to be said; an error for a payload that this version cannot read.
    fn content(&self) -> Result<Content, serde_json::Error> {
        match self.reason.as_str() {
            "report" => serde_json::from_str(&self.payload).map(Content::Status),
            "digest" => serde_json::from_str(&self.payload).map(Content::Digest),
            _ => serde_json::from_str(&self.payload)
                .map(Box::new)
                .map(Content::Alert),
        }
    }
}

enum Content {
    Alert(Box<Alert>),
    Status(Status),
    Digest(Digest),
}

impl Content {
    fn message(&self) -> Message {
        match self {
            Self::Alert(alert) => alert.message(),
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
}

/// An attempt that has come to its end. The Message-ID goes with the id: after DROP EXTENSION and CREATE EXTENSION ids begin anew.
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
    /// The word that `logwatch_private.settle` takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Failed => "failed",
        }
    }
}

impl Outcome {
    pub fn sent(answer: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Sent,
            code: None,
            answer: answer.into(),
        }
    }

    pub fn retry(answer: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Retry,
            code: None,
            answer: answer.into(),
        }
    }

    pub fn failed(answer: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failed,
            code: None,
            answer: answer.into(),
        }
    }
}

/// A way to reach people.
pub trait Channel {
    /// Makes one attempt and says how it ended; never panics, never waits for longer than its time-out per step.
    fn deliver(&mut self, notification: &Notification) -> Outcome;
}
