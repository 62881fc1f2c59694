//! The digest: a list of the notifications that a recipient did not get, because of the hourly
//! limit.

use std::fmt::Write;

use serde::Deserialize;

use super::Message;
use super::clean::clean;
use super::html::{escape_lines, page};

/// The `payload` of a digest.
#[derive(Debug, Deserialize)]
pub struct Digest {
    pub host: String,
    pub database: String,
    #[serde(default)]
    pub server: String,
    pub suppressed: Vec<Suppressed>,
}

#[derive(Debug, Deserialize)]
pub struct Suppressed {
    pub rule: String,
    pub state: String,
    pub reason: String,
}

impl Digest {
    pub fn message(&self) -> Message {
        let subject = format!(
            "[DIGEST:{}] notifications suppressed on {}/{} (logwatch)",
            self.suppressed.len(),
            clean(&self.host),
            clean(&self.database)
        );
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for one in &self.suppressed {
            let line = format!(
                "{} {} ({})",
                clean(&one.rule),
                clean(&one.state),
                clean(&one.reason)
            );
            match kinds.iter_mut().find(|(known, _)| *known == line) {
                Some((_, n)) => *n += 1,
                None => kinds.push((line, 1)),
            }
        }
        let mut text = format!(
            "{} notifications were suppressed, because the hourly limit of mails was reached.\n\n",
            self.suppressed.len()
        );
        for (line, n) in kinds.iter().take(100) {
            let _ = writeln!(text, "{n:>6} x {line}");
        }
        text.push_str("\nLook: SELECT * FROM logwatch.status;\n");
        let _ = writeln!(text, "\nSent by {}", clean(&self.server));
        let html = page(&format!(
            "<pre style=\"white-space:pre-wrap\">{}</pre>",
            escape_lines(&text)
        ));
        Message { subject, text, html }
    }
}
