//! The plain text of an alert's mail: complete, for terminals and for programs that show no HTML.

use std::fmt::Write;

use super::Alert;
use super::alert::step;
use super::clean::{clean, log_text};
use super::words::{time, zone};

/// A timeline in characters, from none to most.
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Alert {
    /// The text body of the mail.
    pub(super) fn text(&self) -> String {
        let zone = zone(&self.zone);
        let mut text = format!("{}\n\n", self.headline());
        for (label, value) in self.facts() {
            let _ = writeln!(text, "{label:<17} {value}");
        }
        if let Some((counts, from, to)) = self.span() {
            let bars: String = counts.iter().map(|n| STEPS[step(*n, counts)]).collect();
            let _ = writeln!(
                text,
                "\nTimeline\n  {bars}\n  {} to {}",
                time(from, &zone),
                time(to, &zone)
            );
        }
        if !self.patterns.is_empty() {
            text.push_str("\nTop patterns\n");
            for pattern in &self.patterns {
                let _ = writeln!(
                    text,
                    "{:>7} x {:<5} {}",
                    pattern.n,
                    clean(&pattern.level),
                    log_text(&pattern.template)
                );
                let _ = writeln!(text, "          e.g.  {}", log_text(&pattern.sample));
            }
        }
        let _ = write!(
            text,
            "\nLook:    SELECT * FROM logwatch_status();\n         SELECT logged_at, message FROM logwatch.entries WHERE level >= '{}' ORDER BY logged_at DESC LIMIT 50;\n{}-- \nlogwatch on {}/{}, alert {}\n",
            clean(&self.level),
            self.commands(),
            clean(&self.host),
            clean(&self.database),
            self.alert_id
        );
        text
    }
}
