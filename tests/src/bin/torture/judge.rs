//! The judge: compares what is there at the end of a round with what must be there. Records,
//! alerts, notifications and mails, each as an exact multiset.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::journal::{Records, difference};
use logwatch_tests::wait::wait_until;

use crate::faults::Observed;
use crate::plan::Plan;
use crate::round::{Names, Written};
use crate::stage::{SOON, Stage};
use crate::tailers::Tailers;

/// How a round ended.
pub struct Verdict {
    pub seed: u64,
    pub fault: crate::faults::Fault,
    /// How the fault was observed; none before it was.
    pub observed: Option<Observed>,
    pub records: usize,
    pub lost: usize,
    pub repeated: usize,
    pub alerts: usize,
    pub alerts_wrong: usize,
    /// Notifications by e-mail, each to one recipient.
    pub mails: usize,
    pub mails_lost: usize,
    /// Mails that came once more, with the Message-ID that they had before.
    pub mails_again: usize,
    pub problems: Vec<String>,
    pub took: Duration,
}

impl Verdict {
    pub fn of(plan: &Plan) -> Verdict {
        Verdict {
            seed: plan.seed,
            fault: plan.fault,
            observed: None,
            records: 0,
            lost: 0,
            repeated: 0,
            alerts: 0,
            alerts_wrong: 0,
            mails: 0,
            mails_lost: 0,
            mails_again: 0,
            problems: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// A round whose fault was not observed proves nothing.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.observed.is_some()
    }
}

/// An alert as far as it must be foreseeable: rule, group, most records in a window.
type Alerts = BTreeMap<(String, String, i64), usize>;

/// The records of the round that are stored.
pub fn stored(stage: &Stage, names: &Names) -> Result<usize> {
    let query = format!(
        "SELECT count(*) FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name LIKE '{}.%'",
        names.round
    );
    Ok(stage.server.sql(&query)?.parse()?)
}

pub fn judge(
    stage: &Stage,
    names: &Names,
    tailers: &mut Tailers,
    written: &[Written],
    verdict: &mut Verdict,
) -> Result<()> {
    let total: usize = written.iter().map(|one| one.journal.len()).sum();
    verdict.records = total;
    let arrived = wait_until(SOON, &format!("{total} records"), || {
        Ok(stored(stage, names)? >= total)
    });
    compare_records(stage, written, verdict)?;
    arrived.with_context(|| format!("the tailers have printed:\n{}", tailers.said()))?;

    let alerts = expected_alerts(stage, names, written)?;
    verdict.alerts = alerts.values().sum();
    let states = format!(
        "SELECT count(*) FILTER (WHERE state = 'firing') FROM logwatch.alerts WHERE rule LIKE '{} %' AND rule <> '{}'",
        names.round, names.silence
    );
    // The peaks grow until the last record is counted.
    let counted = wait_until(SOON, "the alerts to fire and count all records", || {
        let firing: usize = stage.server.sql(&states)?.parse()?;
        Ok(firing >= verdict.alerts && found_alerts(stage, names)? == alerts)
    });
    if counted.is_err() {
        verdict.compare_alerts(&alerts, &found_alerts(stage, names)?);
        counted?;
    }
    outbox_settles(stage, names)?;
    stage.server.sql(&format!(
        "UPDATE logwatch.rules SET enabled = false WHERE name LIKE '{} %'",
        names.round
    ))?;
    wait_until(SOON, "the alerts to be resolved", || {
        Ok(stage.server.sql(&states)? == "0")
    })?;
    outbox_settles(stage, names)?;
    compare_mails(stage, names, verdict)?;

    // A second reading of the files finds no new record.
    tailers.stop()?;
    for one in written {
        read_again(stage, one).with_context(|| {
            let rows = "SELECT path, next_byte, state FROM logwatch.files WHERE source_id = {id} ORDER BY first_seen";
            format!(
                "the directory has:\n{}\nafter:\n{}\nthe database knows:\n{}\nthe tailers have printed:\n{}",
                one.journal.listing(),
                one.history.join("\n"),
                one.journal.sql(&stage.server, rows).unwrap_or_default(),
                tailers.said()
            )
        })?;
    }
    compare_records(stage, written, verdict)?;
    verdict.compare_alerts(&alerts, &found_alerts(stage, names)?);
    Ok(())
}

fn read_again(stage: &Stage, one: &Written) -> Result<()> {
    one.journal.once(&stage.server)?;
    let gaps = one.journal.gaps(&stage.server)?;
    anyhow::ensure!(gaps.is_empty(), "gaps where nothing was lost: {gaps:?}");
    Ok(())
}

pub fn compare_records(stage: &Stage, written: &[Written], verdict: &mut Verdict) -> Result<()> {
    (verdict.lost, verdict.repeated) = (0, 0);
    for one in written {
        let stored = one.journal.stored(&stage.server)?;
        verdict.lost += surplus(one.journal.written(), &stored);
        verdict.repeated += surplus(&stored, one.journal.written());
        let told = difference(one.journal.written(), &stored);
        if !told.is_empty() && verdict.problems.len() < 4 {
            verdict.problems.push(format!(
                "{told}the directory has:\n{}\nafter:\n{}",
                one.journal.listing(),
                one.history.join("\n")
            ));
        }
    }
    Ok(())
}

/// How many of `more` are not in `less`.
fn surplus(more: &Records, less: &Records) -> usize {
    let missing = |(record, n): (&String, &usize)| n.saturating_sub(less.get(record).copied().unwrap_or(0));
    more.iter().map(missing).sum()
}

/// The alerts that what was written must lead to. Two more rules sit on either side of the whole
/// count: with one record lost the first would not fire, with one stored twice the second would.
fn expected_alerts(stage: &Stage, names: &Names, written: &[Written]) -> Result<Alerts> {
    let mut alerts = Alerts::new();
    let mut patterns: BTreeMap<&str, i64> = BTreeMap::new();
    let mut total = 0;
    for (n, one) in written.iter().enumerate() {
        let of_source: i64 = one.now.values().sum();
        let source = format!("{}.{n}", names.round);
        alerts.insert((names.by_source.clone(), source, of_source), 1);
        total += of_source;
        for (pattern, n) in &one.now {
            *patterns.entry(pattern).or_default() += n;
        }
    }
    for (pattern, n) in patterns {
        alerts.insert((names.by_pattern.clone(), pattern.to_owned(), n), 1);
    }
    let mut client = stage.server.client()?;
    for (name, threshold) in [(&names.exactly, total), (&names.never, total + 1)] {
        client.execute(
            "INSERT INTO logwatch.rules (name, source, threshold, recipients, channels) VALUES ($1, $2, $3, $4, '{email,log}')",
            &[name, &format!("{}.*", names.round), &threshold, &names.recipients.to_vec()],
        )?;
    }
    alerts.insert((names.exactly.clone(), String::new(), total), 1);
    Ok(alerts)
}

/// The round's alerts that there are; a pattern by its first word.
fn found_alerts(stage: &Stage, names: &Names) -> Result<Alerts> {
    let mut found = Alerts::new();
    let rows = stage.server.client()?.query(
        "SELECT a.rule, CASE a.group_by WHEN 'pattern' THEN (SELECT split_part(p.template, ' ', 1) FROM logwatch.patterns AS p \
         WHERE to_hex(p.fingerprint) = a.group_key) ELSE a.group_key END, a.peak \
         FROM logwatch.alerts AS a WHERE a.rule LIKE $1 AND a.rule <> $2",
        &[&format!("{} %", names.round), &names.silence],
    )?;
    for row in rows {
        let key = (
            row.get(0),
            row.get::<_, Option<String>>(1).unwrap_or_default(),
            row.get(2),
        );
        *found.entry(key).or_default() += 1;
    }
    Ok(found)
}

impl Verdict {
    fn compare_alerts(&mut self, expected: &Alerts, found: &Alerts) {
        if expected == found {
            return;
        }
        self.alerts_wrong = expected
            .iter()
            .filter(|(alert, n)| found.get(alert) != Some(n))
            .count()
            .max(1);
        self.problems
            .push(format!("alerts: expected {expected:?}\n  found {found:?}"));
    }
}

/// Waits until all notifications of the round are sent; what waits for its next try is made due.
fn outbox_settles(stage: &Stage, names: &Names) -> Result<()> {
    let of_round = format!(
        "alert_id IN (SELECT id FROM logwatch.alerts WHERE rule LIKE '{} %')",
        names.round
    );
    let hurry = format!(
        "UPDATE logwatch.notifications SET next_attempt_at = now() WHERE {of_round} AND state = 'queued' AND attempts > 0"
    );
    let states = format!("SELECT DISTINCT state FROM logwatch.notifications WHERE {of_round}");
    let mut last = String::new();
    wait_until(SOON, "the outbox to settle", || {
        last = stage.server.sql(&states)?;
        if last == "sent" {
            return Ok(true);
        }
        stage.server.sql(&hurry)?;
        Ok(false)
    })
    .with_context(|| {
        let rows = format!(
            "SELECT channel, recipient, reason, state, attempts, next_attempt_at - clock_timestamp(), leased_at, last_error \
             FROM logwatch.notifications WHERE {of_round} AND state <> 'sent' ORDER BY id"
        );
        let email = "SELECT state, message FROM logwatch_status() WHERE component = 'channel'";
        let shown = |query: &str| stage.server.sql(query).unwrap_or_default();
        format!("notifications are {last}:\n{}\nthe channels:\n{}", shown(&rows), shown(email))
    })
}

/// Each alert is announced once to each recipient when it fires and once when it is over, and each
/// announcement has arrived.
fn compare_mails(stage: &Stage, names: &Names, verdict: &mut Verdict) -> Result<()> {
    let rows = stage.server.client()?.query(
        "SELECT n.message_id, n.recipient, n.reason, a.id FROM logwatch.notifications AS n JOIN logwatch.alerts AS a ON a.id = n.alert_id \
         WHERE n.channel = 'email' AND a.rule LIKE $1 AND a.rule <> $2",
        &[&format!("{} %", names.round), &names.silence],
    )?;
    verdict.mails = rows.len();
    let mut told: BTreeMap<(i64, String, String), usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for row in &rows {
        ids.insert((row.get::<_, String>(0), row.get::<_, String>(1)));
        *told.entry((row.get(3), row.get(1), row.get(2))).or_default() += 1;
    }
    let twice = told.values().filter(|n| **n > 1).count();
    let reasons: BTreeSet<&str> = told.keys().map(|(_, _, reason)| reason.as_str()).collect();
    let expected = verdict.alerts * names.recipients.len() * 2;
    if twice > 0 || verdict.mails != expected || reasons != BTreeSet::from(["first", "resolved"]) {
        verdict
            .problems
            .push(format!("{expected} announcements expected, found {told:?}"));
    }
    let mut arrived: BTreeMap<(String, String), usize> = BTreeMap::new();
    for mail in stage.mail.mails() {
        for to in mail.to.iter().filter(|to| names.recipients.contains(to)) {
            *arrived.entry((mail.message_id(), to.clone())).or_default() += 1;
        }
    }
    let lost: Vec<_> = ids.iter().filter(|id| !arrived.contains_key(*id)).collect();
    let unknown: Vec<_> = arrived.keys().filter(|id| !ids.contains(*id)).collect();
    verdict.mails_lost = lost.len();
    verdict.mails_again = arrived.values().map(|n| n - 1).sum();
    if !lost.is_empty() {
        verdict.problems.push(format!("mails lost: {lost:?}"));
    }
    if !unknown.is_empty() {
        verdict
            .problems
            .push(format!("mails that nobody announced: {unknown:?}"));
    }
    Ok(())
}

/// Takes the round's rules away; what is stored stays. Its mails move out of the hour whose mails
/// are limited.
pub fn clean(stage: &Stage, names: &Names) -> Result<()> {
    stage.server.sql(&format!(
        "DELETE FROM logwatch.rules WHERE name LIKE '{} %';
         UPDATE logwatch.notifications SET sent_at = sent_at - interval '1 hour'
          WHERE channel = 'email' AND sent_at > now() - interval '1 hour'",
        names.round
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    #[test]
    fn lost_and_repeated_records_are_counted_apart() {
        let records = |all: &[(&str, usize)]| -> Records {
            all.iter().map(|(record, n)| ((*record).to_owned(), *n)).collect()
        };
        let written = records(&[("a", 1), ("b", 2), ("c", 1)]);
        let stored = records(&[("a", 3), ("b", 1), ("d", 1)]);
        assert_eq!(surplus(&written, &stored), 2);
        assert_eq!(surplus(&stored, &written), 3);
        assert_eq!(surplus(&written, &written), 0);
    }

    #[test]
    fn an_alert_that_is_missing_too_many_or_miscounted_is_wrong() {
        let alert = |peak| ("r".to_owned(), "g".to_owned(), peak);
        let expected = Alerts::from([(alert(5), 1)]);
        for found in [
            Alerts::new(),
            Alerts::from([(alert(4), 1)]),
            Alerts::from([(alert(5), 2)]),
            Alerts::from([(alert(5), 1), (alert(6), 1)]),
        ] {
            let mut verdict = Verdict::of(&Plan::draw(1, &Fault::available(true, true, true)));
            verdict.compare_alerts(&expected, &found);
            assert!(!verdict.is_good() && verdict.alerts_wrong > 0, "{found:?}");
        }
    }

    #[test]
    fn a_seed_draws_the_same_round_again() {
        let steps = |seed| {
            format!(
                "{:?}",
                Plan::draw(seed, &Fault::available(true, true, true)).sources
            )
        };
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(25));
    }
}
