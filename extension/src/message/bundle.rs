//! One mail about several alerts that became due for a recipient at the same time: a list, the
//! worst first, and then as many of them in full as a mail has room for.

use std::fmt::Write;

use serde::Deserialize;

use super::html::{escape, page};
use super::limit::{MAX_HTML, MAX_TEXT, limited};
use super::{Alert, Message};

/// Alerts that the list names; the others are counted.
const LISTED: usize = 50;

/// The `payload` of a mail about several alerts.
#[derive(Debug, Deserialize)]
pub struct Bundle {
    /// The worst first.
    pub alerts: Vec<Alert>,
    /// Host, port, system identifier and timeline of the server that sends.
    #[serde(default)]
    pub server: String,
}

impl Bundle {
    /// Returns the mail. Log text is in the subject if `detail` allows it.
    pub fn message(mut self, detail: bool) -> Message {
        for alert in &mut self.alerts {
            alert.server.clone_from(&self.server);
        }
        let Some((worst, rest)) = self.alerts.split_first() else {
            return Message::default();
        };
        let shown = self.shown();
        limited(Message {
            subject: worst.subject_beside(detail, &others(rest)),
            text: self.text(worst, shown),
            html: self.html(worst, shown),
        })
    }

    /// Returns how many alerts both bodies show in full: at least one.
    fn shown(&self) -> usize {
        // The list and the footer take the rest.
        let mut room = (MAX_TEXT / 3 * 2, MAX_HTML / 3 * 2);
        let fits = |alert: &&Alert| {
            let (text, html) = (alert.text_section().len(), alert.html_section().len());
            let fits = text <= room.0 && html <= room.1;
            room = (room.0.saturating_sub(text), room.1.saturating_sub(html));
            fits
        };
        self.alerts.iter().take_while(fits).count().max(1)
    }

    /// Returns the lines of the list.
    fn list(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .alerts
            .iter()
            .take(LISTED)
            .map(|alert| alert.subject_beside(true, ""))
            .collect();
        let rest = self.alerts.len().saturating_sub(LISTED);
        if rest > 0 {
            lines.push(format!("… and {rest} more"));
        }
        lines
    }

    fn text(&self, worst: &Alert, shown: usize) -> String {
        let count = self.alerts.len();
        let mut text = String::new();
        for (number, line) in self.list().iter().enumerate() {
            let _ = writeln!(text, "{:>2}. {line}", number + 1);
        }
        for (number, alert) in self.alerts.iter().take(shown).enumerate() {
            let title = format!("{} of {count} ", number + 1);
            let _ = write!(text, "\n{title:-<60}\n{}", alert.text_section());
        }
        if let Some(words) = not_shown(count - shown) {
            let _ = writeln!(text, "\n{words}");
        }
        let _ = write!(
            text,
            "\n{}-- \n{}\n",
            worst.connect_command(),
            self.origin(worst).join("\n")
        );
        text
    }

    fn html(&self, worst: &Alert, shown: usize) -> String {
        let count = self.alerts.len();
        let lines: Vec<String> = self
            .list()
            .iter()
            .map(|line| format!("<li>{}</li>", escape(line)))
            .collect();
        let mut body = format!("<ol style=\"padding-left:24px\">{}</ol>", lines.concat());
        for (number, alert) in self.alerts.iter().take(shown).enumerate() {
            let _ = write!(
                body,
                "<hr><p style=\"opacity:.7\">{} of {count}</p>{}",
                number + 1,
                alert.html_section()
            );
        }
        if let Some(words) = not_shown(count - shown) {
            let _ = write!(body, "<p>{}</p>", escape(&words));
        }
        let _ = write!(
            body,
            "<hr><pre style=\"opacity:.7;font-size:12px;white-space:pre-wrap\">{}</pre><p style=\"opacity:.7;font-size:12px\">{}</p>",
            escape(&worst.connect_command()),
            self.origin(worst).map(|line| escape(&line)).join("<br>")
        );
        page(&body)
    }

    fn origin(&self, worst: &Alert) -> [String; 2] {
        let ids: Vec<String> = self
            .alerts
            .iter()
            .take(LISTED)
            .map(|alert| alert.alert_id.to_string())
            .collect();
        worst.origin_of(&format!("alerts {}", ids.join(", ")))
    }
}

/// Returns how many alerts a mail is about beside the worst one, for its subject.
fn others(rest: &[Alert]) -> String {
    let over = rest.iter().filter(|alert| alert.is_over()).count();
    let firing = rest.len() - over;
    let mut words = String::new();
    match firing {
        0 => {}
        1 => words.push_str(", 1 more alert"),
        n => {
            let _ = write!(words, ", {n} more alerts");
        }
    }
    if over > 0 {
        let more = if firing == 0 { " more" } else { "" };
        let _ = write!(words, ", {over}{more} over");
    }
    words
}

/// Returns the line about the alerts that a mail only lists.
fn not_shown(count: usize) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "The mail has no room for the other {count}. They are in: SELECT * FROM logwatch.alerts ORDER BY id DESC;"
        )
    })
}
