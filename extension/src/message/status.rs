//! The status message: the rules first, with whether their thresholds are met.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Deserialize;

use super::Message;
use super::clean::clean;
use super::html::{escape_lines, page};
use super::words::{time, zone};

/// The status: the `payload` of a report and the content of the alert file.
#[derive(Debug, Deserialize, serde::Serialize)]
pub struct Status {
    pub host: String,
    pub database: String,
    pub at: Timestamp,
    pub zone: String,
    pub rows: Vec<StatusRow>,
}

/// A row of `logwatch_status()`.
#[derive(Debug, Deserialize, serde::Serialize)]
pub struct StatusRow {
    pub component: String,
    pub name: String,
    pub state: String,
    pub message: String,
}

impl Status {
    pub fn message(&self) -> Message {
        let text = self.text();
        let html = page(&format!(
            "<pre style=\"font-size:13px;white-space:pre-wrap\">{}</pre>",
            escape_lines(&text)
        ));
        Message {
            subject: self.subject(),
            text,
            html,
        }
    }

    pub fn subject(&self) -> String {
        let firing = self
            .rows
            .iter()
            .filter(|row| row.component == "rule" && row.state == "firing")
            .count();
        let badge = if firing == 0 {
            "OK".to_owned()
        } else {
            format!("FIRING:{firing}")
        };
        format!(
            "[{badge}] status of {}/{} (logwatch)",
            clean(&self.host),
            clean(&self.database)
        )
    }

    /// Returns the status message: the rules first, with whether their thresholds are met.
    pub fn text(&self) -> String {
        let zone = zone(&self.zone);
        let firing = self
            .rows
            .iter()
            .filter(|row| row.component == "rule" && row.state == "firing")
            .count();
        let mut text = format!(
            "logwatch status of {}/{} at {}\n{}\n",
            clean(&self.host),
            clean(&self.database),
            time(self.at, &zone),
            match firing {
                0 => "No threshold is met.".to_owned(),
                1 => "1 rule is firing.".to_owned(),
                n => format!("{n} rules are firing."),
            }
        );
        let mut component = "";
        for row in &self.rows {
            if row.component != component {
                component = &row.component;
                let heading = match component {
                    "rule" => "Rules",
                    "source" => "Sources",
                    "channel" => "Channels",
                    "edge" => "Edges",
                    "centre" => "Centres",
                    _ => "Worker",
                };
                let _ = writeln!(text, "\n{heading}");
            }
            let _ = writeln!(
                text,
                "  {:<8} {:<16} {}",
                clean(&row.state).to_uppercase(),
                clean(&row.name),
                clean(&row.message)
            );
        }
        text
    }
}
