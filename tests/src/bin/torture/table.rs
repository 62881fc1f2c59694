//! The table that the whole run is about: what was broken, how often, what was lost or repeated,
//! what was said while it lasted.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::faults::Fault;
use crate::judge::Verdict;

#[derive(Default)]
struct Row {
    rounds: usize,
    failed: usize,
    records: usize,
    lost: usize,
    repeated: usize,
    alerts: usize,
    alerts_wrong: usize,
    mails: usize,
    mails_lost: usize,
    mails_again: usize,
    seconds: f64,
    observed: Option<(String, String)>,
}

#[derive(Default)]
pub struct Table {
    rows: BTreeMap<&'static str, Row>,
    order: Vec<Fault>,
}

impl Table {
    pub fn of(faults: &[Fault]) -> Table {
        Table {
            rows: BTreeMap::new(),
            order: faults.to_vec(),
        }
    }

    pub fn add(&mut self, verdict: &Verdict) {
        let row = self.rows.entry(verdict.fault.words()).or_default();
        row.add(verdict);
        if let Some(observed) = &verdict.observed {
            row.observed = Some((observed.effect.clone(), observed.report.clone()));
        }
    }

    pub fn rounds(&self) -> usize {
        self.rows.values().map(|row| row.rounds).sum()
    }

    pub fn failed(&self) -> usize {
        self.rows.values().map(|row| row.failed).sum()
    }
}

impl Row {
    fn add(&mut self, verdict: &Verdict) {
        self.rounds += 1;
        self.failed += usize::from(!verdict.is_good());
        self.records += verdict.records;
        self.lost += verdict.lost;
        self.repeated += verdict.repeated;
        self.alerts += verdict.alerts;
        self.alerts_wrong += verdict.alerts_wrong;
        self.mails += verdict.mails;
        self.mails_lost += verdict.mails_lost;
        self.mails_again += verdict.mails_again;
        self.seconds += verdict.took.as_secs_f64();
    }

    fn join(&mut self, other: &Row) {
        self.rounds += other.rounds;
        self.failed += other.failed;
        self.records += other.records;
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.alerts += other.alerts;
        self.alerts_wrong += other.alerts_wrong;
        self.mails += other.mails;
        self.mails_lost += other.mails_lost;
        self.mails_again += other.mails_again;
        self.seconds += other.seconds;
    }

    fn line(&self, what: &str) -> String {
        format!(
            "| {what} | {} | {} | {} / {} | {} | {} | {} | {} / {} | {:.1} |",
            self.rounds,
            self.records,
            self.lost,
            self.repeated,
            self.alerts,
            self.alerts_wrong,
            self.mails,
            self.mails_lost,
            self.mails_again,
            self.seconds / self.rounds.max(1) as f64,
        )
    }
}

/// Fits a text into a cell of the table.
fn cell(text: &str) -> String {
    text.replace(['\n', '|'], " ").chars().take(240).collect()
}

impl Display for Table {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        writeln!(
            out,
            "| what we broke | rounds | records | lost / repeated | alerts | wrong | mails | lost / sent again | seconds a round |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        let mut all = Row::default();
        let rows = self.order.iter().map(|fault| fault.words());
        let rows: Vec<_> = rows
            .filter_map(|words| Some((words, self.rows.get(words)?)))
            .collect();
        for (words, row) in &rows {
            writeln!(out, "{}", row.line(words))?;
            all.join(row);
        }
        writeln!(out, "{}", all.line("all"))?;
        writeln!(
            out,
            "\n| injected fault | how it was observed (of one round) | report while it lasted |\n|---|---|---|"
        )?;
        for (words, row) in &rows {
            let Some((effect, report)) = &row.observed else {
                continue;
            };
            writeln!(out, "| {words} | {} | {} |", cell(effect), cell(report))?;
        }
        Ok(())
    }
}
