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

#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 6]>,
    notes: Vec<String>,
}

impl Table {
    /// A row whose ratio of ours to the other one is what counts.
    pub fn ratio(&mut self, what: &str, ours: &str, beside: &str, ratio: f64, contract: Contract) {
        self.rows.push([
            what.to_owned(),
            ours.to_owned(),
            beside.to_owned(),
            format!("{ratio:.2}"),
            contract.text(),
            contract.verdict(ratio).to_owned(),
        ]);
    }

    /// A row whose own value counts, in `unit`.
    pub fn value(&mut self, what: &str, value: f64, unit: &str, beside: &str, contract: Contract) {
        let limit = match contract {
            Contract::None => "–".to_owned(),
            _ => format!("{} {unit}", contract.text()),
        };
        self.rows.push([
            what.to_owned(),
            format!("{value:.4} {unit}").replace(".0000", ""),
            beside.to_owned(),
            "–".to_owned(),
            limit,
            contract.verdict(value).to_owned(),
        ]);
    }

    /// A comparison that could not be made.
    pub fn skipped(&mut self, what: &str, why: &str) {
        self.rows.push([
            what.to_owned(),
            "–".to_owned(),
            why.to_owned(),
            "–".to_owned(),
            "–".to_owned(),
            "skipped".to_owned(),
        ]);
    }

    pub fn failed(&mut self, subject: &str, error: &anyhow::Error) {
        self.rows.push([
            subject.to_owned(),
            format!("FAILED: {error:#}"),
            "–".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
            "NOT MET".to_owned(),
        ]);
    }

    /// A sentence below the table.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub fn print(&self) {
        let head = ["what", "ours", "beside", "ratio", "contract", ""].map(str::to_owned);
        let width = |column: usize| {
            self.rows
                .iter()
                .chain([&head])
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths = [0, 1, 2, 3, 4, 5].map(width);
        let line = |row: &[String; 6]| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            println!("| {} |", cells.join(" | "));
        };
        println!("\n{}\n", machine());
        line(&head);
        println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        self.rows.iter().for_each(line);
        if !self.notes.is_empty() {
            println!();
            self.notes.iter().for_each(|note| println!("{note}"));
        }
    }
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
