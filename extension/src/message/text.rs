//! The plain text of an alert's mail, as complete as the HTML. A pager or the list of a mail
//! program shows the first three lines: the headline, the time and the source, and the most
//! frequent record.

use std::fmt::Write;

use textwrap::{Options, fill};

use super::Alert;
use super::alert::step;
use super::clean::{clean, log_text};
use super::words::{time, zone};

/// Longest line of a mail, by RFC 5322. Only a text that people copy as a whole may be longer.
const WIDTH: usize = 78;

/// The characters of a timeline, from none to most.
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns a paragraph in lines that fit, those after the first one indented.
fn wrapped(text: &str, indent: &str) -> String {
    fill(text, Options::new(WIDTH).subsequent_indent(indent))
}

/// Returns a text cut to one line.
fn in_one_line(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

impl Alert {
    /// Returns the text body of the mail.
    pub(super) fn text(&self) -> String {
        let zone = zone(&self.zone);
        let mut text = format!(
            "{}\n{}\n",
            wrapped(&self.headline(), "  "),
            in_one_line(&self.place())
        );
        if let Some(top) = self.top_record() {
            let _ = writeln!(text, "{}", in_one_line(&top));
        }
        text.push('\n');
        for (label, value) in self.facts() {
            let line = format!("{label:<17} {value}");
            let line = if label == "Runbook" {
                line
            } else {
                wrapped(&line, "                  ")
            };
            let _ = writeln!(text, "{line}");
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
                let line = format!(
                    "{:>7} x {:<5} {}",
                    pattern.n,
                    clean(&pattern.level),
                    log_text(&pattern.template)
                );
                let sample = format!("          e.g.  {}", log_text(&pattern.sample));
                for line in [line, sample] {
                    let _ = writeln!(text, "{}", wrapped(&line, "                "));
                }
            }
        }
        let _ = write!(
            text,
            "\nLook:    SELECT * FROM logwatch.status;\n         SELECT logged_at, message FROM logwatch.entries\n          WHERE level >= '{}' ORDER BY logged_at DESC LIMIT 50;\n{}-- \n{}\n",
            clean(&self.level),
            self.commands(),
            self.origin().join("\n")
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_words_that_do_not_are_broken() {
        let long = format!("ERROR {} end", "x".repeat(200));
        assert!(
            wrapped(&long, "    ")
                .lines()
                .all(|line| line.chars().count() <= WIDTH)
        );
        assert_eq!(in_one_line(&long).chars().count(), WIDTH);
        assert_eq!(in_one_line("short"), "short");
    }
}
