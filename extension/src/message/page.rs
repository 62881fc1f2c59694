//! The report page: one HTML file with its style sheet and its charts inside, no script, nothing
//! loaded from anywhere.
//!
//! Its data come from `logwatch_private.page_data()`. Everything in it is hostile until escaped;
//! besides, a policy in the page's head forbids scripts and foreign content.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Deserialize;

use super::chart::{self, Series};
use super::clean::log_text;
use super::html::{escape, escape_lines};
use super::words::{duration, time, zone};

const STYLE: &str = include_str!("page.css");

/// The result of `logwatch_private.page_data()`.
#[derive(Deserialize)]
pub struct Page {
    host: String,
    database: String,
    zone: String,
    from: Timestamp,
    to: Timestamp,
    /// Seconds from `from` to `to`.
    within: i64,
    timeline: Vec<Level>,
    status: Vec<StatusLine>,
    alerts: Vec<AlertRow>,
    patterns: Vec<Pattern>,
    sources: Vec<Source>,
    /// The number of the sources that are not shown, in words.
    #[serde(default)]
    more_sources: Option<String>,
    queue: Vec<Queued>,
}

#[derive(Deserialize)]
struct Level {
    level: String,
    counts: Vec<u64>,
}

#[derive(Deserialize)]
struct StatusLine {
    component: String,
    name: String,
    state: String,
    message: String,
}

#[derive(Deserialize)]
struct AlertRow {
    id: i64,
    state: String,
    severity: String,
    message: String,
    started_at: Timestamp,
    until: Option<Timestamp>,
    acked_by: Option<String>,
    ack_note: Option<String>,
    runbook: Option<String>,
}

#[derive(Deserialize)]
struct Pattern {
    n: u64,
    level: String,
    template: String,
    sample: String,
    sources: u64,
    last_at: Timestamp,
    new: bool,
    counts: Vec<u64>,
}

#[derive(Deserialize)]
struct Source {
    name: String,
    host: Option<String>,
    n: u64,
    state: Option<String>,
    message: Option<String>,
    gaps: u64,
    /// The files that its records came from, five at most.
    #[serde(default)]
    files: Vec<String>,
    /// Seconds since its last heartbeat or record.
    heard: Option<i64>,
    /// Seconds that its last records took from the log to the table.
    delay: Option<i64>,
}

#[derive(Deserialize)]
struct Queued {
    id: i64,
    channel: String,
    recipient: String,
    state: String,
    reason: String,
    subject: Option<String>,
    attempts: i32,
    error: Option<String>,
    next_at: Option<Timestamp>,
}

impl Page {
    /// Returns the whole page.
    pub fn html(&self) -> String {
        let zone = zone(&self.zone);
        let name = format!("{}/{}", self.host, self.database);
        let sections = [
            self.verdict(),
            self.timeline_section(&zone),
            self.alerts_section(&zone),
            self.patterns_section(&zone),
            self.sources_section(),
            self.delivery_section(&zone),
            self.status_section(),
        ];
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\"><meta name=\"referrer\" content=\"no-referrer\">\
             <title>logwatch: {name}</title><style>{STYLE}</style></head><body><main>\
             <header><h1>logwatch: {name}</h1><p><time>{}</time> to <time>{}</time></p></header>{}\
             <footer>Drawn by logwatch_report_html; nothing here is loaded from elsewhere.</footer></main></body></html>\n",
            escape(&time(self.from, &zone)),
            escape(&time(self.to, &zone)),
            sections.concat(),
            name = escape(&name),
        )
    }

    fn verdict(&self) -> String {
        let firing = self.alerts.iter().filter(|alert| alert.state == "firing").count();
        let records: u64 = self.timeline.iter().flat_map(|level| &level.counts).sum();
        let worker = self.status.iter().find(|row| row.component == "worker");
        let asleep = worker.filter(|row| !matches!(row.state.as_str(), "running" | "standby"));
        let words = match (firing, asleep) {
            (0, Some(row)) => format!("Nothing fires, but the worker is {}.", row.state),
            (0, None) => "Nothing fires.".to_owned(),
            (1, _) => "1 alert is firing.".to_owned(),
            (n, _) => format!("{n} alerts are firing."),
        };
        let class = if firing > 0 || asleep.is_some() {
            " bad"
        } else {
            ""
        };
        format!(
            "<section class=\"verdict{class}\">{}<small>{records} records in {}</small></section>",
            escape(&words),
            duration(self.within)
        )
    }

    fn timeline_section(&self, zone: &TimeZone) -> String {
        if self.timeline.is_empty() {
            return section("Records", "<p class=\"none\">No records in this time.</p>");
        }
        let classes: Vec<String> = self.timeline.iter().map(|one| one.level.to_lowercase()).collect();
        let series: Vec<Series<'_>> = self
            .timeline
            .iter()
            .zip(&classes)
            .map(|(one, class)| Series {
                class,
                counts: &one.counts,
            })
            .collect();
        let slots = series
            .iter()
            .map(|one| one.counts.len())
            .max()
            .unwrap_or(1)
            .max(1) as i64;
        let begins = |slot: i64| self.from + SignedDuration::from_secs(self.within * slot / slots);
        let svg = chart::stacked("Records over time by level", &series, |slot| {
            let counts: Vec<String> = self
                .timeline
                .iter()
                .filter_map(|one| Some(format!("{} {}", one.counts.get(slot)?, one.level)))
                .collect();
            format!("{}: {}", time(begins(slot as i64), zone), counts.join(", "))
        });
        let mut legend = String::new();
        for (one, class) in self.timeline.iter().zip(&classes) {
            let total: u64 = one.counts.iter().sum();
            let _ = write!(
                legend,
                "<span><i class=\"{}\"></i>{} {total}</span>",
                escape(class),
                escape(&one.level)
            );
        }
        let axis: String = [0, slots / 2, slots]
            .iter()
            .map(|slot| {
                format!(
                    "<span>{}</span>",
                    escape(&short_time(begins(*slot), zone, self.within))
                )
            })
            .collect();
        section(
            "Records",
            &format!(
                "<div class=\"legend\">{legend}<span>at most {} in {}</span></div>{svg}<div class=\"axis\">{axis}</div>",
                chart::highest(&series),
                duration(self.within / slots)
            ),
        )
    }

    fn alerts_section(&self, zone: &TimeZone) -> String {
        let rows = self.alerts.iter().map(|alert| {
            let until = match alert.until {
                Some(until) => format!("to {}", time(until, zone)),
                None => "still going on".to_owned(),
            };
            let mut more = String::new();
            if let Some(who) = &alert.acked_by {
                let note = alert.ack_note.as_deref().unwrap_or_default();
                let _ = write!(
                    more,
                    "<small>taken on by {} {}</small>",
                    escape(who),
                    escape(&log_text(note))
                );
            }
            if let Some(runbook) = &alert.runbook {
                let _ = write!(more, "<small>{}</small>", link(runbook));
            }
            row(&[
                ("", "", badge(&alert.state)),
                (
                    "",
                    "",
                    format!(
                        "{}<small>alert {}, {}</small>{more}",
                        escape(&log_text(&alert.message)),
                        alert.id,
                        escape(&alert.severity)
                    ),
                ),
                (
                    "t",
                    "",
                    format!(
                        "{}<small>{}</small>",
                        escape(&time(alert.started_at, zone)),
                        escape(&until)
                    ),
                ),
            ])
        });
        section(
            "Alerts",
            &table("No alert in this time.", &["State", "What", "Since"], rows),
        )
    }

    fn patterns_section(&self, zone: &TimeZone) -> String {
        let rows = self.patterns.iter().map(|pattern| {
            let sources = match pattern.sources {
                1 => "1 source".to_owned(),
                n => format!("{n} sources"),
            };
            row(&[
                ("n", "", pattern.n.to_string()),
                ("t", "", escape(&pattern.level)),
                (
                    "",
                    "",
                    format!(
                        "<code>{}</code><small>{}{}, last {}. For instance: {}</small>",
                        escape(&log_text(&pattern.template)),
                        if pattern.new { "new, " } else { "" },
                        sources,
                        escape(&time(pattern.last_at, zone)),
                        escape(&log_text(&pattern.sample))
                    ),
                ),
                (
                    "",
                    "",
                    chart::spark(
                        "Its records over time",
                        &pattern.level.to_lowercase(),
                        &pattern.counts,
                    ),
                ),
            ])
        });
        section(
            "Top patterns",
            &table(
                "No records in this time.",
                &["n:Records", "Level", "Pattern", "Over time"],
                rows,
            ),
        )
    }

    fn sources_section(&self) -> String {
        let seconds = |value: Option<i64>| value.map_or_else(|| "–".to_owned(), duration);
        let rows = self.sources.iter().map(|source| {
            let host = source
                .host
                .as_deref()
                .map_or_else(String::new, |host| format!(" on {host}"));
            let notes = [
                source.message.clone().unwrap_or_default(),
                source.files.join(", "),
            ];
            let notes: Vec<_> = notes
                .iter()
                .filter(|note| !note.is_empty())
                .map(|note| escape(note))
                .collect();
            row(&[
                ("", "", badge(source.state.as_deref().unwrap_or("ok"))),
                (
                    "",
                    "",
                    format!(
                        "{}<small>{}</small>",
                        escape(&format!("{}{host}", source.name)),
                        notes.join("<br>")
                    ),
                ),
                ("n", "records", source.n.to_string()),
                ("n", "gaps", source.gaps.to_string()),
                ("n", "last heartbeat", format!("{} ago", seconds(source.heard))),
                ("n", "delay", seconds(source.delay)),
            ])
        });
        let heads = [
            "State",
            "Source",
            "n:Records",
            "n:Gaps",
            "n:Heard of",
            "n:Delay of its last records",
        ];
        let more = self.more_sources.as_deref().map_or_else(String::new, |more| {
            format!("<p class=\"none\">{}</p>", escape(more))
        });
        section("Sources", &(table("No source yet.", &heads, rows) + &more))
    }

    fn delivery_section(&self, zone: &TimeZone) -> String {
        let channels = self
            .status
            .iter()
            .filter(|row| row.component == "channel")
            .map(status_row);
        let queue = self.queue.iter().map(|one| {
            let next = one
                .next_at
                .map_or_else(String::new, |at| format!(", next try {}", time(at, zone)));
            row(&[
                ("", "", badge(&one.state)),
                (
                    "",
                    "",
                    format!(
                        "{}<small>notification {}, {}{}</small>{}",
                        escape(&format!("{} {}", one.channel, one.recipient)),
                        one.id,
                        escape(&format!(
                            "{} {}",
                            one.subject.as_deref().unwrap_or("report"),
                            one.reason
                        )),
                        escape(&next),
                        one.error.as_deref().map_or_else(String::new, |error| format!(
                            "<small>{}</small>",
                            escape(&log_text(error))
                        )),
                    ),
                ),
                ("n", "tries", one.attempts.to_string()),
            ])
        });
        let waiting = table(
            "Nothing is waiting, and nothing has failed.",
            &["State", "To", "n:Tries"],
            queue,
        );
        section(
            "Delivery",
            &(table("", &["State", "Channel"], channels) + "<br>" + &waiting),
        )
    }

    fn status_section(&self) -> String {
        let rows = self
            .status
            .iter()
            .filter(|row| row.component != "channel")
            .map(status_row);
        section("Rules and worker", &table("", &["State", "Details"], rows))
    }
}

fn status_row(line: &StatusLine) -> String {
    row(&[
        ("", "", badge(&line.state)),
        (
            "",
            "",
            format!(
                "{}<small>{}</small>",
                escape(&line.name),
                escape(&log_text(&line.message))
            ),
        ),
    ])
}

fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{}</h2>{body}</section>", escape(title))
}

/// Returns a table of rows that are HTML already; a heading that begins with "n:" is of a column of
/// numbers.
fn table(when_empty: &str, heads: &[&str], rows: impl Iterator<Item = String>) -> String {
    let rows: String = rows.collect();
    if rows.is_empty() {
        return format!("<p class=\"none\">{}</p>", escape(when_empty));
    }
    let heads: String = heads
        .iter()
        .map(|head| match head.strip_prefix("n:") {
            Some(head) => format!("<th class=\"n\">{}</th>", escape(head)),
            None => format!("<th>{}</th>", escape(head)),
        })
        .collect();
    format!("<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>")
}

/// Returns a row of cells: style class, label that a narrow screen shows instead of the heading,
/// and HTML.
fn row(cells: &[(&str, &str, String)]) -> String {
    let cells: String = cells
        .iter()
        .map(|(class, label, html)| {
            let label = if label.is_empty() {
                String::new()
            } else {
                format!(" data-l=\"{}\"", escape(label))
            };
            format!("<td class=\"{class}\"{label}>{html}</td>")
        })
        .collect();
    format!("<tr>{cells}</tr>")
}

/// Returns a state in its colour; the word is there too.
fn badge(state: &str) -> String {
    let class = match state {
        "ok" | "running" | "resolved" | "standby" | "sent" => "good",
        "firing" | "error" | "failing" | "failed" | "gap" => "bad",
        _ => "mid",
    };
    format!("<b class=\"{class}\">{}</b>", escape(state))
}

/// Returns a runbook, as a link if it is the address of a web page.
fn link(text: &str) -> String {
    let shown = escape(text);
    if text.starts_with("https://") || text.starts_with("http://") {
        format!(
            "<a href=\"{}\" rel=\"noreferrer noopener\">{shown}</a>",
            escape_lines(text)
        )
    } else {
        shown
    }
}

/// Returns a time for the axis, with the day where the page spans more than one.
fn short_time(at: Timestamp, zone: &TimeZone, within: i64) -> String {
    let format = if within > 86_400 {
        "%b %d %H:%M"
    } else {
        "%a %H:%M"
    };
    at.to_zoned(zone.clone()).strftime(format).to_string()
}
