//! The table that the bench prints.

/// The contract of a row for its ratio or its value.
#[derive(Clone, Copy)]
pub enum Contract {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing is promised: for information.
    None,
}

impl Contract {
    fn text(self) -> String {
        match self {
            Contract::AtLeast(limit) => format!("≥ {limit}"),
            Contract::AtMost(limit) => format!("≤ {limit}"),
            Contract::None => "–".to_owned(),
        }
    }

    fn verdict(self, value: f64) -> &'static str {
        match self {
            Contract::AtLeast(limit) if value >= limit => "met",
            Contract::AtMost(limit) if value <= limit => "met",
            Contract::None => "–",
            _ => "NOT MET",
        }
    }
}

/// One measurement: what it was in the first edition and now, beside what, and the contract.
struct Row {
    what: String,
    first: String,
    now: String,
    beside: String,
    ratio: String,
    contract: String,
    verdict: String,
}

impl Row {
    fn cells(&self) -> [&str; 7] {
        [
            &self.what,
            &self.first,
            &self.now,
            &self.beside,
            &self.ratio,
            &self.contract,
            &self.verdict,
        ]
    }
}

/// The row that was added last.
pub struct Added<'a>(&'a mut Row);

impl Added<'_> {
    /// Notes the first edition's figure, measured in the same run.
    pub fn first(self, text: &str) {
        text.clone_into(&mut self.0.first);
    }

    /// Notes that figure in `unit`, or why there is none: the row stands without it.
    pub fn first_measured(self, figure: Result<f64, &anyhow::Error>, unit: &str) {
        self.first(&match figure {
            Ok(value) => in_unit(value, unit),
            Err(why) => format!("{why:#}"),
        });
    }
}

#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    fn add(&mut self, row: Row) -> Added<'_> {
        self.rows.push(row);
        let last = self.rows.len() - 1;
        Added(&mut self.rows[last])
    }

    /// Adds a row whose ratio of ours to the other one is what counts.
    pub fn ratio(
        &mut self,
        what: &str,
        ours: &str,
        beside: &str,
        ratio: f64,
        contract: Contract,
    ) -> Added<'_> {
        self.add(Row {
            what: what.to_owned(),
            first: "–".to_owned(),
            now: ours.to_owned(),
            beside: beside.to_owned(),
            ratio: format!("{ratio:.2}"),
            contract: contract.text(),
            verdict: contract.verdict(ratio).to_owned(),
        })
    }

    /// Adds a row whose own value counts, in `unit`.
    pub fn value(
        &mut self,
        what: &str,
        value: f64,
        unit: &str,
        beside: &str,
        contract: Contract,
    ) -> Added<'_> {
        self.add(Row {
            what: what.to_owned(),
            first: "–".to_owned(),
            now: in_unit(value, unit),
            beside: beside.to_owned(),
            ratio: "–".to_owned(),
            contract: match contract {
                Contract::None => "–".to_owned(),
                _ => format!("{} {unit}", contract.text()),
            },
            verdict: contract.verdict(value).to_owned(),
        })
    }

    /// Adds a comparison that could not be made.
    pub fn skipped(&mut self, what: &str, why: &str) {
        self.without_figures(what, "–", why, "skipped");
    }

    pub fn failed(&mut self, subject: &str, error: &anyhow::Error) {
        self.without_figures(subject, &format!("FAILED: {error:#}"), "–", "NOT MET");
    }

    fn without_figures(&mut self, what: &str, now: &str, beside: &str, verdict: &str) {
        self.add(Row {
            what: what.to_owned(),
            first: "–".to_owned(),
            now: now.to_owned(),
            beside: beside.to_owned(),
            ratio: "–".to_owned(),
            contract: "–".to_owned(),
            verdict: verdict.to_owned(),
        });
    }

    /// Adds a sentence below the table.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub fn print(&self) {
        let head = ["what", "first edition", "now", "beside", "ratio", "contract", ""];
        let rows: Vec<[&str; 7]> = std::iter::once(head)
            .chain(self.rows.iter().map(Row::cells))
            .collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths = [0, 1, 2, 3, 4, 5, 6].map(width);
        println!("\n{}\n", machine());
        for (number, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
        if !self.notes.is_empty() {
            println!();
            self.notes.iter().for_each(|note| println!("{note}"));
        }
    }
}

/// A figure with its unit: four decimals below 1, one from 10 on.
pub fn in_unit(value: f64, unit: &str) -> String {
    let figure = match value.abs() {
        n if n == n.trunc() => format!("{value:.0}"),
        n if n < 1.0 => format!("{value:.4}"),
        n if n < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    };
    format!("{figure} {unit}")
}

/// The processor, and how busy it was besides.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    format!(
        "{model}, {count} processors, load {}",
        load.split(' ').next().unwrap_or("?")
    )
}
