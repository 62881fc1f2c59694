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
        format!(
            "{}{}-- \n{}\n",
            self.text_section(),
            self.connect_command(),
            self.origin().join("\n")
        )
    }

    /// Returns what the text says of the alert.
    pub(super) fn text_section(&self) -> String {
        let zone = zone(&self.zone);
        let mut text = format!(
            "{}\n{}\n",
            wrapped(&self.headline(), "  "),
            in_one_line(&self.place())
        );
        for line in self.newest_lines() {
            let _ = writeln!(text, "{}", wrapped(&line, "    "));
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
        if !self.patterns.is_empty() {
            text.push_str("\nPatterns\n");
        }
        let (patterns, more) = self.shown_patterns();
        for pattern in patterns {
            let age = match self.age(pattern) {
                age if age.is_empty() => age,
                age => format!(" ({age})"),
            };
            let line = format!(
                "{:>7} x {:<5} {}{age}",
                pattern.n,
                clean(&pattern.level),
                log_text(&pattern.template)
            );
            let _ = writeln!(text, "{}", wrapped(&line, "                "));
            if let Some(sample) = self.sample(pattern) {
                let _ = writeln!(
                    text,
                    "{}",
                    wrapped(&format!("          e.g.  {sample}"), "                ")
                );
            }
        }
        if let Some(more) = more {
            let _ = writeln!(text, "          {more}");
        }
        let sources = self.source_lines();
        if !sources.is_empty() {
            text.push_str("\nSources\n");
        }
        for line in sources {
            let _ = writeln!(text, "{}", wrapped(&format!("  {line}"), "    "));
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
        let _ = write!(text, "\n{}{}", self.commands(), self.records_command());
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
