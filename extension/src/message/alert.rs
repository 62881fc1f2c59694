//! An alert in words: the subject, the facts, and the parts of both bodies of its mail.

use jiff::Timestamp;
use serde::Deserialize;

use super::clean::{clean, log_text};
use super::limit::limited;
use super::records::{Newest, Source};
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
    /// The alert whose notifications this one follows, where groups share them, and its group.
    pub thread: Option<i64>,
    pub thread_key: Option<String>,
    pub rule: String,
    #[serde(default)]
    pub kind: String,
    pub expects: Option<String>,
    #[serde(default)]
    pub severity: String,
    pub group: String,
    #[serde(default)]
    pub group_by: String,
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
    /// Those with the most records.
    pub sources: Vec<Source>,
    /// How many there are.
    #[serde(default)]
    pub source_count: usize,
    /// The edges of a fleet that have entries of the alert which are not here.
    #[serde(default)]
    pub light_edges: Option<Vec<String>>,
    pub patterns: Vec<Pattern>,
    #[serde(default)]
    pub newest: Option<Newest>,
    /// Records of a window at this time on the days before, yesterday first.
    #[serde(default)]
    pub usual: Vec<i64>,
    /// Belongs to the database server.
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub timeline: Option<Vec<i64>>,
}

#[derive(Debug, Deserialize)]
pub struct Pattern {
    pub n: i64,
    pub level: String,
    pub template: String,
    pub sample: String,
    #[serde(default)]
    pub first_seen: Option<Timestamp>,
}

impl Alert {
    /// Returns the notification's subject and both its bodies. Log text is in the subject if
    /// `detail` allows it.
    pub fn message(&self, detail: bool) -> Message {
        limited(Message {
            subject: self.subject_beside(detail, ""),
            text: self.text(),
            html: self.html(),
        })
    }

    /// Returns the line in the server log: state, rule and place, no log text.
    pub fn title(&self) -> String {
        self.subject_beside(false, "")
    }

    /// Returns the subject: state, rule, place, what else the mail is about, and the most frequent
    /// pattern if `detail` allows it.
    pub(super) fn subject_beside(&self, detail: bool, others: &str) -> String {
        let rule = format!("[{}] {}{}{others}", self.badge(), clean(&self.rule), self.scope());
        cut(match self.patterns.first() {
            Some(top) if detail => format!("{rule}: {}", log_text(&top.template)),
            _ => rule,
        })
    }

    /// Whether the notification announces the end.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.reason.as_str(), "late" | "held" | "resolved")
    }

    /// Returns the severity if it is critical, and the sources or else the group.
    fn scope(&self) -> String {
        let severity = if self.severity == "critical" {
            " (critical)"
        } else {
            ""
        };
        let place = match (self.sources.as_slice(), self.more) {
            _ if self.more > 0 => match self.group_key.as_str() {
                "" => self.groups(),
                key => self.groups_after(clean(key)),
            },
            ([], _) if self.group_key.is_empty() => {
                format!("{}/{}", clean(&self.host), clean(&self.database))
            }
            ([], _) => clean(&self.group_key),
            ([one, ..], _) => match self.other_sources() {
                0 => clean(&one.name),
                more => format!("{} +{more}", clean(&one.name)),
            },
        };
        format!("{severity} on {place}")
    }

    /// Returns the state, and how many records unless it is about records that did not come.
    pub(super) fn badge(&self) -> String {
        let (state, records) = match self.reason.as_str() {
            "resolved" => return "RESOLVED".to_owned(),
            "late" => ("LATE", self.total),
            "held" => ("HELD", self.total),
            _ => ("FIRING", self.count),
        };
        match self.kind.as_str() {
            "absence" => state.to_owned(),
            _ => format!("{state}:{records}"),
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
        self.groups_after(self.group.clone())
    }

    fn groups_after(&self, first: String) -> String {
        match self.more {
            ..=0 => first,
            1 => format!("{first} and 1 more group"),
            more => format!("{first} and {} more groups", grouped(more)),
        }
    }

    fn rule_line<'a>(&'a self, group: &'a str) -> RuleLine<'a> {
        let over = self.is_over();
        RuleLine {
            kind: &self.kind,
            state: if over { "resolved" } else { "firing" },
            rule: &self.rule,
            group,
            level: &self.level,
            count: if over { self.peak } else { self.count },
            threshold: self.threshold,
            within: self.within,
            expects: self.expects.as_deref(),
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
        let mut facts = vec![("Why now", self.reason_sentence())];
        if let Some(newest) = &self.newest {
            let file = newest.file.as_deref().map(clean).into_iter();
            let from: Vec<_> = std::iter::once(clean(&newest.source)).chain(file).collect();
            facts.push((
                "Newest record",
                format!("{}, {}", from.join(", "), time(newest.at, &zone)),
            ));
        }
        if !self.severity.is_empty() {
            facts.push(("Severity", clean(&self.severity)));
        }
        if let Some(records) = self.records_sentence() {
            facts.push(("Records", records));
        }
        if let Some(usual) = self.usual_sentence() {
            facts.push(("Usual", usual));
        }
        if self.state != "resolved" && self.met_until.as_second() > self.started_at.as_second() {
            facts.push(("Last met", time(self.met_until, &zone)));
        }
        if let Some(fired_at) = self.fired_at {
            let delay = fired_at.duration_since(self.started_at).as_secs();
            if delay >= 60 {
                let late = format!("{} (late by {})", time(fired_at, &zone), duration(delay));
                facts.push(("Noticed", late));
            }
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
        if self.more > 0 {
            let named: Vec<String> = self.others.iter().map(|other| clean(other)).collect();
            let rest = match self.more - self.others.len() as i64 {
                ..=0 => String::new(),
                rest => format!(", … and {} more groups", grouped(rest)),
            };
            facts.push(("Groups beside it", named.join(", ") + &rest));
        }
        if let Some(edges) = self.light_edges.as_ref().filter(|edges| !edges.is_empty()) {
            let named: Vec<String> = edges.iter().map(|edge| clean(edge)).collect();
            facts.push((
                "Entries",
                format!("only on the edge itself: {}", named.join(", ")),
            ));
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
        self.origin_of(&format!("alert {}", self.alert_id))
    }

    pub(super) fn origin_of(&self, alerts: &str) -> [String; 2] {
        [
            format!(
                "logwatch on {}/{}, {alerts}",
                clean(&self.host),
                clean(&self.database)
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
            [one, ..] => match self.other_sources() {
                0 => format!("{when}, source {}", clean(&one.name)),
                more => format!("{when}, source {} and {more} more", clean(&one.name)),
            },
        }
    }

    /// Returns the most frequent record, as it was logged.
    pub(super) fn top_record(&self) -> Option<String> {
        self.patterns
            .first()
            .map(|top| format!("{} x {} {}", top.n, clean(&top.level), log_text(&top.sample)))
    }

    /// Returns the commands that acknowledge the alert, with those that share its notifications,
    /// and silence the rule; nothing once it is resolved. They name all arguments with their types,
    /// because PostgreSQL prefers a function of another role that fits the call better.
    pub(super) fn commands(&self) -> String {
        if self.state == "resolved" {
            return String::new();
        }
        let quoted = |text: &str| format!("'{}'::text", clean(text).replace('\'', "''"));
        // A group's silence leaves the other groups alone.
        let (source, pattern) = match self.group_by.as_str() {
            "source" if self.more == 0 => (quoted(&self.group_key), "NULL::text".to_owned()),
            "pattern" if self.more == 0 => ("'*'::text".to_owned(), quoted(&self.group_key)),
            _ => ("'*'::text".to_owned(), "NULL::text".to_owned()),
        };
        format!(
            "Ack:     SELECT {schema}.logwatch_ack({}::bigint, 'note'::text);\n\
             Silence: SELECT {schema}.logwatch_silence({},\n         '2 hours'::interval, 'reason'::text, {source}, {pattern},\n         \
             NULL::timestamptz, NULL::interval, NULL::timestamptz, NULL::text);\n",
            self.thread.unwrap_or(self.alert_id),
            quoted(&self.rule),
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

/// Returns a subject that fits into the line of a mail program.
fn cut(text: String) -> String {
    /// RFC 5322 §2.1.1, for the whole line.
    const MOST: usize = 78;
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
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
    fn the_subject_has_state_rule_source_and_pattern() {
        let mut alert = alert("first");
        alert.patterns[0].template = "connection to <*> refused".to_owned();
        alert.sources[0].name = "web1".to_owned();
        assert_eq!(
            alert.subject_beside(true, ""),
            "[FIRING:7] error on web1: connection to <*> refused"
        );
        assert_eq!(alert.title(), "[FIRING:7] error on web1");
        alert.sources.push(Source {
            name: "web2".to_owned(),
            n: 1,
            path: None,
            files: Vec::new(),
        });
        alert.severity = "critical".to_owned();
        alert.reason = "late".to_owned();
        assert_eq!(alert.title(), "[LATE:12] error (critical) on web1 +1");
        alert.kind = "absence".to_owned();
        assert_eq!(alert.title(), "[LATE] error (critical) on web1 +1");
        alert.reason = "resolved".to_owned();
        alert.patterns[0].template = "x".repeat(200);
        let subject = alert.subject_beside(true, "");
        assert!(
            subject.starts_with("[RESOLVED] error (critical) on web1 +1: xxx") && subject.ends_with('…'),
            "{subject}"
        );
        assert_eq!(subject.chars().count(), 78);
    }

    #[test]
    fn commands_name_the_group() {
        let mut alert = alert("first");
        (alert.group_by, alert.group_key) = ("source".to_owned(), "web'1".to_owned());
        let commands = alert.commands().replace("\n         ", " ");
        assert!(
            commands.contains(
                "logwatch_silence('error'::text, '2 hours'::interval, 'reason'::text, 'web''1'::text, NULL::text,"
            ),
            "{commands}"
        );
        (alert.group_by, alert.group_key) = ("pattern".to_owned(), "1f".to_owned());
        alert.thread = Some(1);
        assert!(alert.commands().contains("'*'::text, '1f'::text,"), "{commands}");
        assert!(alert.commands().contains("ack(1::bigint,"));
    }

    #[test]
    fn log_text_cannot_break_out() {
        let message = alert("first").message(true);
        assert!(
            !message.text.contains('\r')
                && !message.text.contains("\nBcc")
                && !message.text.contains('\u{202e}')
        );
        assert!(!message.html.contains("<script>") && message.html.contains("&lt;script&gt;"));
    }

    #[test]
    fn times_are_in_the_zone_and_late_ones_are_marked() {
        let text = alert("first").message(true).text;
        assert!(text.contains("2026-11-22 11:00:00 CET"), "{text}");
        assert!(text.contains("(late by 40 minutes)"), "{text}");
        assert!(text.contains("▁ █"), "{text}");
    }
}
