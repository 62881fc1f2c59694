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

/// Bounds of the text, so that a file and a mail of it stay below 64 KiB.
/// The hundred sources of the status, and the row with the number of the others.
const MOST_ROWS: usize = 101;
const MOST_BYTES: usize = 58 * 1024;
const LONGEST_LINE: usize = 4096;

fn heading(component: &str) -> &'static str {
    match component {
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
    }
}

impl StatusRow {
    fn line(&self) -> String {
        let mut line = format!(
            "  {:<8} {:<16} {}",
            clean(&self.state).to_uppercase(),
            clean(&self.name),
            clean(&self.message)
        );
        if line.len() > LONGEST_LINE {
            line.truncate(line.floor_char_boundary(LONGEST_LINE));
            line.push('…');
        }
        line.push('\n');
        line
    }
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
        for rows in self.rows.chunk_by(|a, b| a.component == b.component) {
            let Some(first) = rows.first() else { continue };
            let _ = writeln!(text, "\n{}", heading(&first.component));
            let mut left_out = 0;
            for (number, row) in rows.iter().enumerate() {
                let line = row.line();
                // The worker's row is the last one, and says what is wrong.
                if row.component != "worker" && (number >= MOST_ROWS || text.len() + line.len() > MOST_BYTES)
                {
                    left_out += 1;
                } else {
                    text.push_str(&line);
                }
            }
            if left_out > 0 {
                let _ = writeln!(text, "  … and {left_out} more");
            }
        }
        let _ = writeln!(text, "\nServer\n  {}", clean(&self.server));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(component: &str, name: String, message: String) -> StatusRow {
        StatusRow {
            component: component.to_owned(),
            name,
            state: "ok".to_owned(),
            message,
        }
    }

    #[test]
    fn a_text_of_many_and_long_rows_stays_below_64_kib_and_keeps_the_worker() {
        let mut rows: Vec<StatusRow> = (0..500)
            .map(|i| row("rule", format!("rule {i}"), "short".to_owned()))
            .collect();
        rows.extend((0..100).map(|i| row("source", format!("source {i}"), "é".repeat(3000))));
        rows.push(row("worker", "worker".to_owned(), "w".repeat(5000)));
        let mut status: Status = serde_json::from_value(serde_json::json!({
            "host": "db01", "database": "appdb", "at": "2026-11-22T10:00:00Z", "zone": "UTC", "rows": []
        }))
        .unwrap();
        status.rows = rows;
        let text = status.text();
        assert!(text.len() < 64 * 1024, "{}", text.len());
        assert!(text.contains("rule 100 ") && !text.contains("rule 101 "));
        assert!(text.contains("\n  … and 399 more\n\nSources\n"), "{text}");
        assert!(text.contains(" more\n\nWorker\n") && text.contains("wwww"));
    }
}
