//! Measures what logwatch promises, beside what else does the job, on this machine and in one run,
//! and prints one table.
//!
//! `make bench` runs all subjects, `make bench ONLY=scan` one. Everything runs on loopback and Unix
//! sockets, in a directory of its own, and is gone afterwards. Ratios say more than times: the two
//! sides of a row run in turns, so that a busy machine slows both. Programs that are not installed
//! are left out with a word that says so (`extension/package/install_missing.sh bench` installs
//! them).

mod check;
mod edges;
mod edition;
mod fleet;
mod idle;
mod ingest;
mod input;
mod latency;
mod mails;
mod measure;
mod micro;
mod others;
mod peers;
mod scaling;
mod scan;
mod storm;
mod table;
mod wide;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use logwatch_tests::wait::interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use table::Table;

/// A subject measures, and adds rows to the table.
type Subject = fn(&mut Table) -> Result<()>;

const SUBJECTS: &[(&str, Subject)] = &[
    ("micro", micro::run),
    ("scan", scan::run),
    ("ingest", ingest::run),
    ("peers", peers::run),
    ("scaling", scaling::run),
    ("latency", latency::run),
    ("mails", mails::run),
    ("check", check::run),
    ("storm", storm::run),
    ("wide", wide::run),
    ("idle", idle::run),
    ("fleet", fleet::run),
    ("edges", edges::run),
];

fn main() -> ExitCode {
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
        // Every wait then fails, and the way out of main stops what runs.
        std::thread::spawn(move || signals.forever().for_each(|_| interrupt()));
    }
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(only: &[String]) -> Result<()> {
    if let Some(unknown) = only
        .iter()
        .find(|name| !SUBJECTS.iter().any(|(subject, _)| subject == name))
    {
        let names: Vec<&str> = SUBJECTS.iter().map(|(name, _)| *name).collect();
        bail!("there is no subject {unknown}; there are {}", names.join(", "));
    }
    let started = Instant::now();
    let mut table = Table::default();
    for (name, subject) in SUBJECTS {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            eprintln!("[{:4.0} s] {name}", started.elapsed().as_secs_f64());
            // One subject that fails is told in the table, and the others are measured all the
            // same.
            if let Err(error) = subject(&mut table) {
                table.failed(name, &error);
            }
        }
    }
    eprintln!("[{:4.0} s] done", started.elapsed().as_secs_f64());
    table.print();
    Ok(())
}
