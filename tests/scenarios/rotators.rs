//! Real rotators against the tailer, in three modes: a writer numbers its ERROR lines, and the
//! exact multiset of stored records and the gaps are compared.
//!
//! Rows are data; `rotators/rig` plays them, `rotators/writers` starts the programs.
//! `ROTATOR=words` plays only rows whose name has these words, and prints each result.

mod families;
mod imitations;
mod java;
mod loggers;
mod logrotate;
mod rig;
mod writers;

use std::collections::VecDeque;
use std::sync::Mutex;

use anyhow::{Result, ensure};
use logwatch_tests::server::Server;

use rig::{MODES, Mode, Row};

/// Rows played at once. Most of the time a row waits for a clock or for the tailer.
const THREADS: usize = 10;

/// Plays the rows in all their modes, several at once.
fn play(rows: Vec<Row>) -> Result<()> {
    let only = std::env::var("ROTATOR").unwrap_or_default();
    let rows: Vec<Row> = rows.into_iter().filter(|row| row.name.contains(&only)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let server = Server::without_worker(&[])?;
    let jobs: VecDeque<(&Row, Mode)> = rows
        .iter()
        .flat_map(|row| MODES.map(|mode| (row, mode)))
        .collect();
    let (jobs, wrong) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                loop {
                    let Some((row, mode)) = jobs.lock().ok().and_then(|mut jobs| jobs.pop_front()) else {
                        return;
                    };
                    let problem = match row.run(&server, mode) {
                        Ok(outcome) => {
                            println!("{outcome}");
                            (!outcome.is_right()).then(|| outcome.details())
                        }
                        Err(error) => Some(format!("| {} | {mode:?} | {error:#}", row.name)),
                    };
                    if let (Some(problem), Ok(mut wrong)) = (problem, wrong.lock()) {
                        wrong.push(problem);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_default();
    ensure!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    Ok(())
}
