//! The server log: one line per notification at level LOG, with a DETAIL. Calls PostgreSQL, so it
//! runs on the main thread only.

use super::{Channel, Content, Notification, Outcome};
use crate::pg;

pub struct LogChannel;

impl Channel for LogChannel {
    fn deliver(&mut self, notification: &Notification) -> Outcome {
        match notification.content() {
            Ok(Content::Alert(alert)) => {
                pg::server_log(&format!("logwatch: {}", alert.title()), &alert.log_detail());
                Outcome::sent("written to the server log")
            }
            Ok(Content::Status(status)) => {
                pg::server_log(&format!("logwatch: {}", status.subject()), &status.text());
                Outcome::sent("written to the server log")
            }
            Ok(Content::Digest(_) | Content::Bundle(_)) => Outcome::failed("digests are mailed only"),
            Err(why) => Outcome::failed(format!("the notification's payload cannot be read: {why}")),
        }
    }
}
