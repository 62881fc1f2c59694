//! The parts of a mail that are about records: the newest one, the patterns, the sources, and how
//! many are usual. Both bodies print the same lines.

use jiff::Timestamp;
use serde::Deserialize;

use super::Alert;
use super::alert::Pattern;
use super::clean::{clean, log_text, whole_log_text};
use super::words::{duration, time, zone};

/// Lines of a stack trace that a mail prints.
const TRACE_LINES: usize = 20;
/// Bytes of patterns and samples that a mail prints.
const MAX_PATTERNS: usize = 4096;

#[derive(Debug, Deserialize)]
pub struct Source {
    pub name: String,
    pub n: i64,
    /// The files and patterns that its tailer reads.
    #[serde(default)]
    pub path: Option<String>,
    /// The files that its newest records came from, five at most.
    #[serde(default)]
    pub files: Vec<String>,
}

/// The newest record of an alert.
#[derive(Debug, Deserialize)]
pub struct Newest {
    pub at: Timestamp,
    pub source: String,
    /// The file that it was read from.
    #[serde(default)]
    pub file: Option<String>,
    pub level: String,
    pub message: String,
    /// Its further lines.
    pub detail: Option<String>,
}

impl Newest {
    /// Returns the record's first line and the head of its stack trace.
    pub(super) fn lines(&self) -> Vec<String> {
        let trace = self.detail.as_deref().unwrap_or_default();
        let mut lines = vec![format!(
            "{} {}",
            clean(&self.level),
            whole_log_text(&self.message)
        )];
        lines.extend(trace.lines().take(TRACE_LINES).map(whole_log_text));
        let rest = trace.lines().count().saturating_sub(TRACE_LINES);
        if rest > 0 {
            lines.push(format!("… and {rest} more lines"));
        }
        lines
    }
}

impl Alert {
    /// Returns the record that a reader sees first; None where the entries are kept elsewhere and
    /// no pattern is known.
    pub(super) fn newest_lines(&self) -> Vec<String> {
        match (&self.newest, self.patterns.first()) {
            (Some(newest), _) => newest.lines(),
            (None, Some(top)) => vec![format!("{} {}", clean(&top.level), log_text(&top.sample))],
            (None, None) => Vec::new(),
        }
    }

    /// Returns whether a pattern is new, or since when it is known.
    pub(super) fn age(&self, pattern: &Pattern) -> String {
        match pattern.first_seen {
            None => String::new(),
            Some(at) if at.as_second() >= self.started_at.as_second() - self.within => "new".to_owned(),
            Some(at) => format!("first seen {}", time(at, &zone(&self.zone))),
        }
    }

    /// Returns the patterns that a mail prints, at least one, and a line about the others.
    pub(super) fn shown_patterns(&self) -> (&[Pattern], Option<String>) {
        let mut room = MAX_PATTERNS;
        let fits = |pattern: &&Pattern| {
            let size = pattern.template.len() + pattern.sample.len();
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        };
        let count = self.patterns.iter().take_while(fits).count().max(1);
        let shown = self.patterns.get(..count).unwrap_or_default();
        let rest = self.patterns.len() - shown.len();
        let more =
            (rest > 0).then(|| format!("… and {rest} more pattern{}", if rest == 1 { "" } else { "s" }));
        (shown, more)
    }

    /// Returns how many records there are, where the headline does not say it: it has the count of
    /// the last window, and of an alert that is over the peak.
    pub(super) fn records_sentence(&self) -> Option<String> {
        let total = self.total.max(self.peak);
        if self.is_over() {
            return (total > self.peak).then(|| format!("{total} in all"));
        }
        (total > self.count).then(|| {
            let within = duration(self.within);
            format!("{total} in all, at most {} in {within}", self.peak)
        })
    }

    /// Returns how many sources there are beside the one with the most records.
    pub(super) fn other_sources(&self) -> usize {
        self.source_count.max(self.sources.len()).saturating_sub(1)
    }

    /// Returns the line of each source that a mail prints, and one about the others. The only
    /// source is with the newest record already, unless it has more files.
    pub(super) fn source_lines(&self) -> Vec<String> {
        if let ([only], 0, Some(newest)) = (self.sources.as_slice(), self.other_sources(), &self.newest)
            && only.paths().iter().all(|path| Some(path) == newest.file.as_ref())
        {
            return Vec::new();
        }
        let mut lines: Vec<String> = self.sources.iter().map(Source::line).collect();
        let rest = self.source_count.saturating_sub(lines.len());
        if rest > 0 {
            lines.push(format!(
                "… and {rest} more source{}",
                if rest == 1 { "" } else { "s" }
            ));
        }
        lines
    }

    /// Returns a pattern's sample, unless the mail prints the same text already.
    pub(super) fn sample(&self, pattern: &Pattern) -> Option<String> {
        let known = self.newest.as_ref().is_some_and(|newest| {
            newest.message.starts_with(&pattern.sample) || clean(&newest.message) == clean(&pattern.template)
        });
        (!known && pattern.sample != pattern.template).then(|| log_text(&pattern.sample))
    }

    /// Returns how many records this time of the day had on the days before; None where nothing is
    /// known of them.
    pub(super) fn usual_sentence(&self) -> Option<String> {
        if self.usual.is_empty() {
            return None;
        }
        let numbers: Vec<String> = self.usual.iter().map(i64::to_string).collect();
        Some(format!(
            "{} in {} at this time on the days before, yesterday first",
            numbers.join(", "),
            duration(self.within)
        ))
    }

    /// Returns the command that connects.
    pub(super) fn connect_command(&self) -> String {
        let option = |name: &str, value: String| {
            if value.is_empty() {
                value
            } else {
                format!(" {name} {value}")
            }
        };
        let port = self.port.map_or_else(String::new, |port| port.to_string());
        format!(
            "Connect: psql{}{}{}\n",
            option("-h", clean(&self.host)),
            option("-p", port),
            option("-d", shell_word(&clean(&self.database)))
        )
    }

    /// Returns the query that shows exactly the alert's records.
    pub(super) fn records_command(&self) -> String {
        format!(
            "Records: SELECT * FROM {}.logwatch_alert_entries({}::bigint);\n",
            self.schema, self.alert_id
        )
    }
}

impl Source {
    fn paths(&self) -> &[String] {
        if self.files.is_empty() {
            self.path.as_slice()
        } else {
            &self.files
        }
    }

    /// Returns the source with its number of records and the files that they came from, or else
    /// those that its tailer reads.
    pub(super) fn line(&self) -> String {
        std::iter::once(format!("{} ({})", clean(&self.name), self.n))
            .chain(self.paths().iter().map(|path| clean(path)))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Returns a word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_trace_is_cut_to_its_head() {
        let newest = Newest {
            at: jiff::Timestamp::UNIX_EPOCH,
            source: "web1".to_owned(),
            file: None,
            level: "ERROR".to_owned(),
            message: "boom password=hunter2".to_owned(),
            detail: Some("  at x\n".repeat(50)),
        };
        let lines = newest.lines();
        assert_eq!(lines[0], "ERROR boom password=***");
        assert_eq!(lines[1], "  at x");
        assert_eq!(lines.len(), 1 + TRACE_LINES + 1);
        assert_eq!(lines[1 + TRACE_LINES], "… and 30 more lines");
    }

    #[test]
    fn a_database_name_is_one_word_of_the_shell() {
        assert_eq!(shell_word("app_db"), "app_db");
        assert_eq!(shell_word("a b'c"), "'a b'\\''c'");
    }
}
