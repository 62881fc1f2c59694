//! The one message generator: what people are told, on the console, in the server log, in the alert file and by e-mail.
//!
//! Plain Rust, no PostgreSQL, no I/O. Log text is hostile: it never gets into a subject, control characters never get out, and HTML is
//! escaped.

use std::fmt::Write;
use std::sync::LazyLock;

use jiff::{Timestamp, tz::TimeZone};
use regex::Regex;
use serde::Deserialize;

/// A timeline in characters, from none to most.
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Longest pattern or sample that a message prints, in characters.
const MAX_TEXT: usize = 500;

/// What an alert's notification is made from: the `payload` of a row of `logwatch.notifications`.
#[derive(Debug, Deserialize)]
pub struct Alert {
    pub reason: String,
    pub state: String,
    pub host: String,
    pub database: String,
    pub alert_id: i64,
    pub rule: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub severity: String,
    pub group: String,
    #[serde(default)]
    pub group_key: String,
    pub level: String,
    #[serde(default)]
    pub acked_by: Option<String>,
    pub count: i64,
    pub peak: i64,
    pub threshold: i64,
    /// Seconds.
    pub within: i64,
    pub episodes: i32,
    pub started_at: Timestamp,
    pub met_until: Timestamp,
    pub fired_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub zone: String,
    pub runbook: Option<String>,
    pub total: i64,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    pub sources: Vec<Source>,
    pub patterns: Vec<Pattern>,
    #[serde(default)]
    pub timeline: Option<Vec<i64>>,
}

#[derive(Debug, Deserialize)]
pub struct Source {
    pub name: String,
    pub n: i64,
}

#[derive(Debug, Deserialize)]
pub struct Pattern {
    pub n: i64,
    pub level: String,
    pub template: String,
    pub sample: String,
}

/// The status message: the `payload` of a report, and what the alert file holds.
#[derive(Debug, Deserialize, serde::Serialize)]
pub struct Status {
    pub host: String,
    pub database: String,
    pub at: Timestamp,
    pub zone: String,
    pub rows: Vec<StatusRow>,
}

/// What a recipient was not sent one by one, because there was too much of it.
#[derive(Debug, Deserialize)]
pub struct Digest {
    pub host: String,
    pub database: String,
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
            "{} notifications suppressed: you were sent as many mails in an hour as one is sent at most.\n\n",
            self.suppressed.len()
        );
        for (line, n) in kinds.iter().take(100) {
            let _ = writeln!(text, "{n:>6} x {line}");
        }
        text.push_str("\nLook: SELECT * FROM logwatch_status();\n");
        let html = page(&format!(
            "<pre style=\"white-space:pre-wrap\">{}</pre>",
            escape_lines(&text)
        ));
        Message { subject, text, html }
    }
}

/// A row of `logwatch_status()`.
#[derive(Debug, Deserialize, serde::Serialize)]
pub struct StatusRow {
    pub component: String,
    pub name: String,
    pub state: String,
    pub message: String,
}

/// A notification in words.
pub struct Message {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What there is to say of a rule, or of one of its groups.
pub struct Standing<'a> {
    pub kind: &'a str,
    pub state: &'a str,
    pub rule: &'a str,
    /// "source db01", "pattern 1f…", or empty.
    pub group: &'a str,
    pub level: &'a str,
    pub count: i64,
    pub threshold: i64,
    /// Seconds.
    pub within: i64,
}

impl Standing<'_> {
    /// How the rule stands, in one line.
    pub fn sentence(&self) -> String {
        let mut line = format!("{} is {}", clean(self.rule), self.state);
        if !self.group.is_empty() {
            let _ = write!(line, " for {}", clean(self.group));
        }
        let within = duration(self.within);
        if self.kind == "absence" {
            let told = match self.state {
                "ok" | "disabled" => format!(": no source is silent for {within}"),
                "resolved" => format!(": heard of again after more than {within}"),
                _ => format!(": nothing heard of it for {within} or more"),
            };
            return line + &told;
        }
        let what = match self.kind {
            "new_pattern" => " of a pattern never seen before, at",
            "spike" => ", compared with the days before, of",
            _ => " of",
        };
        let met = match self.state {
            "ok" | "disabled" => "threshold not met",
            "firing" | "pending" | "silenced" if self.count >= self.threshold => "threshold met",
            "resolved" => "no longer met",
            _ => "threshold was met just now",
        };
        let _ = write!(
            line,
            ": {}{} record{}{what} {}{} in {within}, threshold {}, {met}",
            if self.state == "resolved" { "at most " } else { "" },
            self.count,
            if self.count == 1 { "" } else { "s" },
            self.level,
            if self.level == "FATAL" { "" } else { " or above" },
            self.threshold,
        );
        line
    }
}

impl Alert {
    /// The notification's subject and both its bodies.
    pub fn message(&self) -> Message {
        Message {
            subject: self.subject(),
            text: self.text(),
            html: self.html(),
        }
    }

    /// State in the brackets, identity outside, no log text. The same line serves the server log.
    pub fn subject(&self) -> String {
        let group = if self.group.is_empty() {
            String::new()
        } else {
            format!(" ({})", clean(&self.group))
        };
        format!(
            "[{}] {}{group} on {}/{} (logwatch)",
            self.badge(),
            clean(&self.rule),
            clean(&self.host),
            clean(&self.database)
        )
    }

    fn badge(&self) -> String {
        match self.reason.as_str() {
            "resolved" => "RESOLVED".to_owned(),
            "late" => format!("LATE:{}", self.total),
            _ => format!("FIRING:{}", self.count),
        }
    }

    /// One sentence: what happened.
    pub fn headline(&self) -> String {
        let state = match self.reason.as_str() {
            "late" => "resolved",
            "resolved" => "resolved",
            _ => "firing",
        };
        let count = if state == "resolved" {
            self.peak
        } else {
            self.count
        };
        Standing {
            kind: &self.kind,
            state,
            rule: &self.rule,
            group: &self.group,
            level: &self.level,
            count,
            threshold: self.threshold,
            within: self.within,
        }
        .sentence()
    }

    fn reason_sentence(&self) -> String {
        match self.reason.as_str() {
            "first" => "This is the first notification of this alert.".to_owned(),
            "repeat" => "The alert is still firing; this is a repeated notification.".to_owned(),
            "joined" => "A pattern that was never seen before has joined the alert.".to_owned(),
            "worse" => "Records of a higher level have joined the alert.".to_owned(),
            "resolved" => "The alert is over.".to_owned(),
            "late" => "The records arrived late: the alert was over before it was noticed.".to_owned(),
            other => format!("Reason: {}.", clean(other)),
        }
    }

    /// Label and value of each fact, for both bodies.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let zone = zone(&self.zone);
        let mut facts = vec![
            ("Rule", clean(&self.rule)),
            ("State", clean(&self.state)),
            ("Severity", clean(&self.severity)),
            ("Why now", self.reason_sentence()),
            (
                "Records",
                format!(
                    "{} in all, at most {} in {}; threshold {}",
                    self.total,
                    self.peak,
                    duration(self.within),
                    self.threshold
                ),
            ),
            ("Met from", time(self.started_at, &zone)),
            ("Last met", time(self.met_until, &zone)),
        ];
        if let Some(fired_at) = self.fired_at {
            let delay = fired_at.duration_since(self.started_at).as_secs();
            let late = if delay >= 60 {
                format!(" (late by {})", duration(delay))
            } else {
                String::new()
            };
            facts.push(("Noticed", time(fired_at, &zone) + &late));
        }
        if let Some(resolved_at) = self.resolved_at {
            facts.push(("Resolved", time(resolved_at, &zone)));
        }
        if self.episodes > 1 {
            facts.push((
                "While unattended",
                format!("{} stretches, told of as one", self.episodes),
            ));
        }
        if !self.group.is_empty() {
            facts.push(("Group", clean(&self.group)));
        }
        if !self.sources.is_empty() {
            let sources: Vec<String> = self
                .sources
                .iter()
                .map(|source| format!("{} ({})", clean(&source.name), source.n))
                .collect();
            facts.push(("Sources", sources.join(", ")));
        }
        if let Some(by) = &self.acked_by {
            facts.push(("Acknowledged by", clean(by)));
        }
        if let Some(runbook) = &self.runbook {
            facts.push(("Runbook", clean(runbook)));
        }
        facts
    }

    fn text(&self) -> String {
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

    /// What to type to take the alert on or to hold it back; nothing once it is over.
    fn commands(&self) -> String {
        if self.state == "resolved" {
            return String::new();
        }
        format!(
            "Ack:     SELECT logwatch_ack({}, 'note');\nSilence: SELECT logwatch_silence('{}', '2 hours', 'reason');\n",
            self.alert_id,
            clean(&self.rule).replace('\'', "''")
        )
    }

    /// The records over time, with the first and the last time; None when there is no span to draw.
    fn span(&self) -> Option<(&[i64], Timestamp, Timestamp)> {
        let counts = self.timeline.as_deref()?;
        let (from, to) = (self.first_at?, self.last_at?);
        (from < to && counts.iter().any(|n| *n > 0)).then_some((counts, from, to))
    }

    fn html(&self) -> String {
        let colour = if self.state == "resolved" {
            "#2e7d32"
        } else {
            "#c62828"
        };
        let zone = zone(&self.zone);
        let mut body = format!(
            "<p style=\"border-left:6px solid {colour};padding:8px 12px;font-size:16px\"><b style=\"color:{colour}\">{}</b><br>{}</p><table cellpadding=\"4\">",
            escape(&self.badge()),
            escape(&self.headline())
        );
        for (label, value) in self.facts() {
            let _ = write!(
                body,
                "<tr><th align=\"left\" valign=\"top\" style=\"color:#666;font-weight:normal;white-space:nowrap\">{}</th><td>{}</td></tr>",
                escape(label),
                escape(&value)
            );
        }
        body.push_str("</table>");
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
                "</tr></table><p style=\"color:#666;margin:4px 0\">{} to {}</p>",
                escape(&time(from, &zone)),
                escape(&time(to, &zone))
            );
        }
        if !self.patterns.is_empty() {
            body.push_str("<table cellpadding=\"6\" style=\"border-collapse:collapse;margin-top:12px\"><tr style=\"background:#eee\"><th align=\"right\">Records</th><th align=\"left\">Level</th><th align=\"left\">Pattern and sample</th></tr>");
            for pattern in &self.patterns {
                let _ = write!(
                    body,
                    "<tr style=\"border-top:1px solid #ddd\"><td align=\"right\" valign=\"top\">{}</td><td valign=\"top\">{}</td><td style=\"font-family:monospace;word-break:break-word\">{}<br><span style=\"color:#666\">{}</span></td></tr>",
                    pattern.n,
                    escape(&pattern.level),
                    escape(&log_text(&pattern.template)),
                    escape(&log_text(&pattern.sample))
                );
            }
            body.push_str("</table>");
        }
        let _ = write!(
            body,
            "<pre style=\"color:#666;font-size:12px;white-space:pre-wrap\">{}</pre><p style=\"color:#666;font-size:12px\">logwatch on {}/{}, alert {}</p>",
            escape_lines(&self.commands()),
            escape(&self.host),
            escape(&self.database),
            self.alert_id
        );
        page(&body)
    }

    /// The server log's DETAIL: key=value, one line, no log text.
    pub fn log_detail(&self) -> String {
        let names: Vec<String> = self.sources.iter().map(|source| clean(&source.name)).collect();
        format!(
            "alert={} reason={} count={} peak={} threshold={} within={} started={} sources={}",
            self.alert_id,
            clean(&self.reason),
            self.count,
            self.peak,
            self.threshold,
            duration(self.within).replace(' ', ""),
            self.started_at,
            names.join(",")
        )
    }
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

    /// The status message for people: the thresholds first, met or not.
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

/// A log text as it may be sent around: what looks like a secret is masked.
fn log_text(text: &str) -> String {
    static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)\b((?:[\w.-]*(?:password|passwd|pwd|secret|token|api[_-]?key|credentials?))["']?\s*[=:]\s*|authorization["']?\s*[=:]\s*(?:(?:basic|bearer)\s+)?|(?:basic|bearer)\s+|://[^\s/:@]*:)("[^"]*"|'[^']*'|[^\s,;&@]+)"#,
        )
        .ok()
    });
    let text = clean(text);
    match &*SECRET {
        Some(secret) => secret.replace_all(&text, "$1***").into_owned(),
        None => text,
    }
}

/// A log text, a name, anything that came from outside: one line, no control characters, not too long.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(MAX_TEXT));
    for (i, c) in text.chars().enumerate() {
        if i == MAX_TEXT {
            clean.push('…');
            break;
        }
        // Also the invisible characters that reorder or hide text.
        let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        clean.push(if c.is_control() || hidden { ' ' } else { c });
    }
    clean
}

fn escape(text: &str) -> String {
    escape_lines(&clean(text))
}

fn escape_lines(text: &str) -> String {
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

fn page(body: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"></head><body style=\"font-family:sans-serif;font-size:14px;max-width:700px\">{body}</body></html>\n"
    )
}

/// 0 for none, 8 for the most, at least 1 for some.
fn step(n: i64, all: &[i64]) -> usize {
    let most = all.iter().copied().max().unwrap_or(1).max(1);
    if n <= 0 {
        0
    } else {
        (n * 8).div_euclid(most).clamp(1, 8) as usize
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S %Z")
        .to_string()
}

/// Seconds in words: "5 minutes", "1 hour 30 minutes".
pub fn duration(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let mut rest = seconds.max(0);
    let mut words = Vec::new();
    for (size, name) in UNITS {
        let n = rest / size;
        rest %= size;
        if n > 0 && words.len() < 2 {
            words.push(format!("{n} {name}{}", if n == 1 { "" } else { "s" }));
        }
    }
    if words.is_empty() {
        "0 seconds".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(reason: &str) -> Alert {
        serde_json::from_value(serde_json::json!({
            "reason": reason, "state": if reason == "first" { "firing" } else { "resolved" }, "host": "db01", "database": "appdb",
            "alert_id": 3, "rule": "error", "group": "", "level": "ERROR", "count": 7, "peak": 9, "threshold": 5, "within": 300, "episodes": 1,
            "started_at": "2026-11-22T10:00:00.000000Z", "met_until": "2026-11-22T10:05:00.000000Z",
            "fired_at": "2026-11-22T10:40:00.000000Z", "resolved_at": null, "zone": "Europe/Berlin", "runbook": null,
            "total": 12, "first_at": "2026-11-22T10:00:00.000000Z", "last_at": "2026-11-22T10:01:00.000000Z",
            "sources": [{"name": "app\r\nBcc: a@b", "n": 12}],
            "patterns": [{"n": 12, "level": "ERROR", "template": "<script>alert(1)</script>", "sample": "x\r\nBcc: a@b \u{202e}"}],
            "timeline": [1, 0, 8]
        }))
        .unwrap()
    }

    #[test]
    fn the_subject_has_the_state_in_brackets_and_no_log_text() {
        assert_eq!(
            alert("first").subject(),
            "[FIRING:7] error on db01/appdb (logwatch)"
        );
        assert_eq!(
            alert("resolved").subject(),
            "[RESOLVED] error on db01/appdb (logwatch)"
        );
        assert_eq!(
            alert("late").subject(),
            "[LATE:12] error on db01/appdb (logwatch)"
        );
    }

    #[test]
    fn log_text_cannot_break_out() {
        let message = alert("first").message();
        assert!(
            !message.text.contains('\r')
                && !message.text.contains("\nBcc")
                && !message.text.contains('\u{202e}')
        );
        assert!(!message.html.contains("<script>") && message.html.contains("&lt;script&gt;"));
    }

    #[test]
    fn times_are_told_in_the_zone_and_late_ones_as_such() {
        let text = alert("first").message().text;
        assert!(text.contains("2026-11-22 11:00:00 CET"), "{text}");
        assert!(text.contains("(late by 40 minutes)"), "{text}");
        assert!(text.contains("▁ █"), "{text}");
    }

    #[test]
    fn one_line_says_how_a_rule_stands() {
        let line = |state, rule, level, count, threshold, within| {
            Standing {
                kind: "threshold",
                state,
                rule,
                group: "",
                level,
                count,
                threshold,
                within,
            }
            .sentence()
        };
        assert_eq!(
            line("firing", "error", "ERROR", 7, 5, 300),
            "error is firing: 7 records of ERROR or above in 5 minutes, threshold 5, threshold met"
        );
        assert_eq!(
            line("ok", "fatal", "FATAL", 0, 1, 90),
            "fatal is ok: 0 records of FATAL in 1 minute 30 seconds, threshold 1, threshold not met"
        );
    }

    #[test]
    fn secrets_are_masked() {
        for (text, masked) in [
            (
                "login failed password=hunter2 for bob",
                "login failed password=*** for bob",
            ),
            ("db_password: 'a b', user x", "db_password: ***, user x"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            (
                "connect to postgres://u:secret@db/x",
                "connect to postgres://u:***@db/x",
            ),
            ("{\"api_key\":\"k\",\"n\":1}", "{\"api_key\":***,\"n\":1}"),
            ("nothing to hide", "nothing to hide"),
        ] {
            assert_eq!(log_text(text), masked);
        }
    }

    #[test]
    fn durations_are_words() {
        assert_eq!(duration(0), "0 seconds");
        assert_eq!(duration(5_400), "1 hour 30 minutes");
        assert_eq!(duration(86_400), "1 day");
    }
}
