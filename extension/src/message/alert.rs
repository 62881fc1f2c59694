//! An alert in words: the subject, the facts, and the parts of both bodies of its mail.

use jiff::Timestamp;
use serde::Deserialize;

use super::clean::{clean, log_text};
use super::words::{duration, grouped, time, zone};
use super::{Message, RuleLine};

/// The `payload` of a row of `logwatch.notifications` about an alert.
#[derive(Debug, Deserialize)]
pub struct Alert {
    pub reason: String,
    pub state: String,
    pub host: String,
    pub database: String,
    /// Host, port, system identifier and timeline of the server that sends.
    #[serde(default)]
    pub server: String,
    pub alert_id: i64,
    /// The schema of the public functions, quoted.
    #[serde(default = "public")]
    pub schema: String,
    /// The alert whose notifications this one follows, where groups share them.
    #[serde(default)]
    pub thread: Option<i64>,
    pub rule: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub severity: String,
    pub group: String,
    #[serde(default)]
    pub group_key: String,
    /// How many other groups of the rule the notification is about.
    #[serde(default)]
    pub more: i64,
    /// The first of them.
    #[serde(default)]
    pub others: Vec<String>,
    pub level: String,
    #[serde(default)]
    pub acked_by: Option<String>,
    /// "disabled" or "deleted" where the alert was closed because the rule was.
    #[serde(default)]
    pub closed: Option<String>,
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

impl Alert {
    /// Returns the notification's subject and both its bodies.
    pub fn message(&self) -> Message {
        Message {
            subject: self.subject(),
            text: self.text(),
            html: self.html(),
        }
    }

    /// Returns the subject, which is the line in the server log too: the state in brackets, no log
    /// text.
    pub fn subject(&self) -> String {
        let group = self.groups();
        let group = if group.is_empty() {
            group
        } else {
            format!(" ({})", clean(&group))
        };
        format!(
            "[{}] {}{group} on {}/{} (logwatch)",
            self.badge(),
            clean(&self.rule),
            clean(&self.host),
            clean(&self.database)
        )
    }

    pub(super) fn badge(&self) -> String {
        match self.reason.as_str() {
            "resolved" => "RESOLVED".to_owned(),
            "late" => format!("LATE:{}", self.total),
            "held" => format!("HELD:{}", self.total),
            _ => format!("FIRING:{}", self.count),
        }
    }

    /// Returns one sentence about the alert.
    pub fn headline(&self) -> String {
        if self.reason == "test" {
            return "Test notification of logwatch: nothing is wrong".to_owned();
        }
        self.rule_line(&self.groups()).headline()
    }

    /// Returns the group, and how many others share the notification.
    fn groups(&self) -> String {
        match self.more {
            ..=0 => self.group.clone(),
            1 => format!("{} and 1 more group", self.group),
            more => format!("{} and {} more groups", self.group, grouped(more)),
        }
    }

    fn rule_line<'a>(&'a self, group: &'a str) -> RuleLine<'a> {
        let over = matches!(self.reason.as_str(), "late" | "held" | "resolved");
        RuleLine {
            kind: &self.kind,
            state: if over { "resolved" } else { "firing" },
            rule: &self.rule,
            group,
            level: &self.level,
            count: if over { self.peak } else { self.count },
            threshold: self.threshold,
            within: self.within,
        }
    }

    fn reason_sentence(&self) -> String {
        match self.reason.as_str() {
            "first" => "This is the first notification of this alert.".to_owned(),
            "repeat" => "The alert is still firing; this is a repeated notification.".to_owned(),
            "joined" => "A pattern that was never seen before has joined the alert.".to_owned(),
            "worse" => "Records of a higher level have joined the alert.".to_owned(),
            "test" => "Somebody called logwatch_test().".to_owned(),
            "resolved" => match self.closed.as_deref() {
                Some(how) => format!(
                    "The rule was {}: the alert is closed, whether or not the records still come.",
                    clean(how)
                ),
                None => "The alert has resolved.".to_owned(),
            },
            "late" => "The records arrived late: the alert was over before it was noticed.".to_owned(),
            "held" => "The alert was over before the hours in which the rule notifies began.".to_owned(),
            "escalated" => "Nobody has acknowledged the alert in time.".to_owned(),
            other => format!("Reason: {}.", clean(other)),
        }
    }

    /// Returns the label and the value of each fact, for both bodies.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let zone = zone(&self.zone);
        let mut facts = vec![
            ("Rule", clean(&self.rule)),
            ("State", clean(&self.state)),
            ("Severity", clean(&self.severity)),
            ("Why now", self.reason_sentence()),
            (
                "Records",
                format!(
                    "{} in all, at most {} in {}; threshold {}{}",
                    self.total,
                    self.peak,
                    duration(self.within),
                    self.threshold,
                    self.rule_line("").met().map_or(String::new(), |met| format!(
                        ", {}",
                        met.trim_start_matches("threshold ")
                    ))
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
                format!("{} episodes, reported as one", self.episodes),
            ));
        }
        if !self.group.is_empty() {
            facts.push(("Group", clean(&self.group)));
        }
        if self.more > 0 {
            let named: Vec<String> = self.others.iter().map(|other| clean(other)).collect();
            let rest = match self.more - self.others.len() as i64 {
                ..=0 => String::new(),
                rest => format!(", … and {} more groups", grouped(rest)),
            };
            facts.push(("Groups beside it", named.join(", ") + &rest));
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

    /// Returns the last lines of both bodies: where the alert is, and which server sends.
    pub(super) fn origin(&self) -> [String; 2] {
        [
            format!(
                "logwatch on {}/{}, alert {}",
                clean(&self.host),
                clean(&self.database),
                self.alert_id
            ),
            format!("sent by {}", clean(&self.server)),
        ]
    }

    /// Returns the line after the headline: the time and the sources.
    pub(super) fn place(&self) -> String {
        let zone = zone(&self.zone);
        let when = match self.reason.as_str() {
            "resolved" | "late" | "held" => format!(
                "From {} to {}",
                time(self.started_at, &zone),
                time(self.met_until, &zone)
            ),
            _ => format!("Since {}", time(self.started_at, &zone)),
        };
        match self.sources.as_slice() {
            [] => when,
            [one] => format!("{when}, source {}", clean(&one.name)),
            [one, rest @ ..] => format!("{when}, source {} and {} more", clean(&one.name), rest.len()),
        }
    }

    /// Returns the most frequent record, as it was logged.
    pub(super) fn top_record(&self) -> Option<String> {
        self.patterns
            .first()
            .map(|top| format!("{} x {} {}", top.n, clean(&top.level), log_text(&top.sample)))
    }

    /// Returns the commands that acknowledge the alert and silence the rule; nothing once it is
    /// resolved. They name all arguments with their types, because PostgreSQL prefers a function of
    /// another role that fits the call better.
    pub(super) fn commands(&self) -> String {
        if self.state == "resolved" {
            return String::new();
        }
        format!(
            "Ack:     SELECT {schema}.logwatch_ack({}::bigint, 'note'::text);\n\
             Silence: SELECT {schema}.logwatch_silence('{}'::text, '2 hours'::interval, 'reason'::text,\n         \
             '*'::text, NULL::text, NULL::timestamptz, NULL::interval, NULL::timestamptz, NULL::text);\n",
            self.alert_id,
            clean(&self.rule).replace('\'', "''"),
            schema = self.schema
        )
    }

    /// Returns the records over time, with the first and the last time; None when there is no span
    /// to draw.
    pub(super) fn span(&self) -> Option<(&[i64], Timestamp, Timestamp)> {
        let counts = self.timeline.as_deref()?;
        let (from, to) = (self.first_at?, self.last_at?);
        (from < to && counts.iter().any(|n| *n > 0)).then_some((counts, from, to))
    }

    /// Returns the DETAIL for the server log: key=value, one line, no log text.
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

fn public() -> String {
    "public".to_owned()
}

/// Returns the payload of an alert that only tests a channel.
pub fn test_alert(host: &str, at: Timestamp) -> serde_json::Value {
    serde_json::json!({
        "reason": "test", "state": "firing", "host": host, "server": host, "database": "", "alert_id": 0, "rule": "logwatch_test", "severity": "info",
        "kind": "threshold", "closed": null, "worst": "ERROR", "acked_by": null, "more": 0, "others": [], "group_by": "none", "group_key": "",
        "group": "", "level": "ERROR", "count": 0, "peak": 0, "threshold": 0, "within": 0, "episodes": 1, "started_at": at, "met_until": at,
        "fired_at": null, "resolved_at": null, "zone": "UTC", "runbook": null, "total": 0, "first_at": null, "last_at": null,
        "sources": [], "patterns": [], "timeline": [],
    })
}

/// Returns the height of a bar: 0 for none, 8 for the most, at least 1 for some.
pub fn step(n: i64, all: &[i64]) -> usize {
    let most = all.iter().copied().max().unwrap_or(1).max(1);
    if n <= 0 {
        0
    } else {
        n.saturating_mul(8).div_euclid(most).clamp(1, 8) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(reason: &str) -> Alert {
        serde_json::from_value(serde_json::json!({
            "reason": reason, "state": if reason == "first" { "firing" } else { "resolved" }, "host": "db01", "database": "appdb",
            "server": "db01:5432, system 7312, timeline 1",
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
    fn times_are_in_the_zone_and_late_ones_are_marked() {
        let text = alert("first").message().text;
        assert!(text.contains("2026-11-22 11:00:00 CET"), "{text}");
        assert!(text.contains("(late by 40 minutes)"), "{text}");
        assert!(text.contains("▁ █"), "{text}");
    }
}
