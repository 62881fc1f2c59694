//! The HTML of mails. Everything from outside is escaped.

use std::fmt::Write;

use super::Alert;
use super::alert::step;
use super::clean::{clean, log_text};
use super::words::{time, zone};

impl Alert {
    /// Returns the HTML body of an alert's mail.
    pub(super) fn html(&self) -> String {
        page(&format!(
            "{}<p style=\"opacity:.7;font-size:12px\">{}</p>",
            self.html_with(&self.connect_command()),
            self.origin().map(|line| escape(&line)).join("<br>")
        ))
    }

    /// Returns what the HTML says of the alert.
    pub(super) fn html_section(&self) -> String {
        self.html_with("")
    }

    /// Returns the facts about the alert, and its commands with `more` below them.
    fn html_with(&self, more: &str) -> String {
        // Legible on white and on black.
        let colour = if self.state == "resolved" {
            "#2e8b3d"
        } else {
            "#e03c31"
        };
        let zone = zone(&self.zone);
        let mut body = format!(
            "<p style=\"border-left:6px solid {colour};padding:8px 12px;font-size:16px;margin:0 0 8px\"><b style=\"color:{colour}\">{}</b><br>{}<br>{}</p>{}<table cellpadding=\"4\">",
            escape(&self.badge()),
            escape(&self.headline()),
            escape(&self.place()),
            self.html_record()
        );
        for (label, value) in self.facts() {
            let _ = write!(
                body,
                "<tr><th align=\"left\" valign=\"top\" style=\"opacity:.7;font-weight:normal;white-space:nowrap\">{}</th><td>{}</td></tr>",
                escape(label),
                escape(&value)
            );
        }
        body.push_str("</table>");
        if !self.patterns.is_empty() {
            body.push_str("<table cellpadding=\"6\" style=\"border-collapse:collapse;margin-top:12px\"><tr style=\"background:rgba(128,128,128,.2)\"><th align=\"right\">Records</th><th align=\"left\">Level</th><th align=\"left\">Pattern</th></tr>");
            let (patterns, more) = self.shown_patterns();
            for pattern in patterns {
                let notes = [self.age(pattern), self.sample(pattern).unwrap_or_default()];
                let notes: Vec<_> = notes
                    .iter()
                    .filter(|note| !note.is_empty())
                    .map(|note| escape(note))
                    .collect();
                let _ = write!(
                    body,
                    "<tr style=\"border-top:1px solid rgba(128,128,128,.4)\"><td align=\"right\" valign=\"top\">{}</td><td valign=\"top\">{}</td><td style=\"font-family:monospace;word-break:break-word\">{}<br><span style=\"opacity:.7\">{}</span></td></tr>",
                    pattern.n,
                    escape(&pattern.level),
                    escape(&log_text(&pattern.template)),
                    notes.join("<br>")
                );
            }
            if let Some(more) = more {
                let _ = write!(body, "<tr><td></td><td></td><td>{}</td></tr>", escape(&more));
            }
            body.push_str("</table>");
        }
        let lines = self.source_lines();
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
            let _ = write!(
                body,
                "<p style=\"margin:12px 0 0\"><span style=\"opacity:.7\">Sources</span><br>{}</p>",
                lines.join("<br>")
            );
        }
        if let Some((counts, from, to)) = self.span() {
            body.push_str("<table cellpadding=\"0\" cellspacing=\"1\" style=\"margin-top:12px\"><tr>");
            for n in counts {
                let _ = write!(
                    body,
                    "<td valign=\"bottom\" height=\"42\" title=\"{n}\"><div style=\"width:10px;height:{}px;background:{colour}\"></div></td>",
                    step(*n, counts) * 5
                );
            }
            let _ = write!(
                body,
                "</tr></table><p style=\"opacity:.7;margin:4px 0\">{} to {}</p>",
                escape(&time(from, &zone)),
                escape(&time(to, &zone))
            );
        }
        let _ = write!(
            body,
            "<pre style=\"opacity:.7;font-size:12px;white-space:pre-wrap\">{}</pre>",
            escape_lines(&(self.commands() + &self.records_command() + more))
        );
        body
    }

    /// Returns the newest record with the head of its stack trace.
    fn html_record(&self) -> String {
        let lines: Vec<String> = self
            .newest_lines()
            .iter()
            .map(|line| escape_lines(line))
            .collect();
        if lines.is_empty() {
            return String::new();
        }
        format!(
            "<pre style=\"white-space:pre-wrap;word-break:break-word;background:rgba(128,128,128,.15);padding:8px 12px;margin:0 0 8px\">{}</pre>",
            lines.join("\n")
        )
    }
}

/// Returns text from outside as HTML, on one line.
pub fn escape(text: &str) -> String {
    escape_lines(&clean(text))
}

pub fn escape_lines(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns a whole page around a body.
pub fn page(body: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><style>:root{{color-scheme:light dark}}</style></head><body style=\"font-family:sans-serif;font-size:14px;max-width:700px\">{body}</body></html>\n"
    )
}
