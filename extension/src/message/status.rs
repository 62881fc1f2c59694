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
    /// Host, port, system identifier and timeline.
    #[serde(default)]
    pub server: String,
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

/// The first thing that a reader must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Firing(usize),
    /// A threshold is met, and no check has made an alert of it.
    Unchecked(usize),
    /// The rules are locked.
    Unknown,
    Overdue,
    Ok,
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

    fn verdict(&self) -> Verdict {
        let rows = |component: &str, state: &str| {
            self.rows
                .iter()
                .filter(|row| row.component == component && row.state == state)
                .count()
        };
        match (rows("rule", "firing"), rows("rule", "unchecked")) {
            (0, 0) if rows("rule", "unknown") > 0 => Verdict::Unknown,
            (0, 0) if rows("worker", "overdue") > 0 => Verdict::Overdue,
            (0, 0) => Verdict::Ok,
            (0, unchecked) => Verdict::Unchecked(unchecked),
            (firing, _) => Verdict::Firing(firing),
        }
    }

    pub fn subject(&self) -> String {
        let badge = match self.verdict() {
            Verdict::Firing(n) => format!("FIRING:{n}"),
            Verdict::Unchecked(_) | Verdict::Unknown | Verdict::Overdue => "UNCHECKED".to_owned(),
            Verdict::Ok => "OK".to_owned(),
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
        let mut text = format!(
            "logwatch status of {}/{} at {}\n{}\n",
            clean(&self.host),
            clean(&self.database),
            time(self.at, &zone),
            match self.verdict() {
                Verdict::Firing(1) => "1 rule is firing.".to_owned(),
                Verdict::Firing(n) => format!("{n} rules are firing."),
                Verdict::Unchecked(1) => "1 rule is met and not checked yet.".to_owned(),
                Verdict::Unchecked(n) => format!("{n} rules are met and not checked yet."),
                Verdict::Unknown => "The rules cannot be read.".to_owned(),
                Verdict::Overdue => "Checks are overdue.".to_owned(),
                Verdict::Ok => "No threshold is met.".to_owned(),
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
                    "storage" => "Storage",
                    "setting" => "Settings",
                    "schema" => "Schemas",
                    "function" => "Functions",
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
        let _ = writeln!(text, "\nServer\n  {}", clean(&self.server));
        text
    }
}
