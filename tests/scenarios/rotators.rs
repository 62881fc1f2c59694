//! Real rotators against the tailer, in three modes: a writer numbers its ERROR lines, and the
//! exact multiset of stored records and the gaps are compared.
//!
//! The rows are in `tests/src/rotators`; `rotators/rig` plays them.
//! `ROTATOR=words` plays only rows whose name has these words, and prints each result. Of the many
//! rotators that differ in their names only, all are played when it is set, and a few otherwise.

mod rig;

use std::collections::VecDeque;
use std::sync::Mutex;

use anyhow::{Result, ensure};
use logwatch_tests::rotators::{
    Mode, Row, families, imitations, java, languages, loggers, logrotate, scripts,
};
use logwatch_tests::server::Server;

/// Rows played at once. Most of the time a row waits for a clock or for the tailer.
const THREADS: usize = 10;

/// Rows that a tailer follows with short files too. With `ROTATOR`, it follows one of each kind so.
const SHORT: [&str; 5] = [
    "log4rs archive",
    "kubelet tmp *",
    "ruby size *",
    "yii copies *",
    "no reopen",
];

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
        .flat_map(|row| row.modes.iter().map(move |mode| (row, *mode)))
        .collect();
    let (jobs, wrong) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                loop {
                    let Some((row, mode)) = jobs.lock().ok().and_then(|mut jobs| jobs.pop_front()) else {
                        return;
                    };
                    let problem = match rig::play(row, &server, mode) {
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

/// Returns rows whose files are short, so that many begin and end in the same way.
fn short_files(all: bool) -> impl Iterator<Item = Row> {
    let rows = scripts::renames(false).into_iter();
    let rows = rows.filter(move |row| all || SHORT.contains(&row.name.as_str()));
    let elsewhere = logrotate::copying()
        .into_iter()
        .filter(move |row| all && row.name.contains("olddir"));
    rows.chain(elsewhere).map(Row::short)
}

#[test]
fn names_of_other_families_lose_and_repeat_nothing() -> Result<()> {
    play(families::other_families())
}

#[test]
fn renames_and_links_of_other_rotators_lose_and_repeat_nothing() -> Result<()> {
    play(imitations::renames_and_links())
}

#[test]
fn renames_of_any_kind_lose_and_repeat_nothing() -> Result<()> {
    let all = std::env::var_os("ROTATOR").is_some();
    let mut rows = scripts::renames(all);
    rows.extend(scripts::shapes());
    rows.extend(short_files(all));
    play(rows)
}

#[test]
fn libraries_of_all_languages_lose_and_repeat_nothing() -> Result<()> {
    play(languages::libraries(std::env::var_os("ROTATOR").is_some())?)
}

#[test]
fn log4j2_loses_and_repeats_nothing() -> Result<()> {
    play(java::log4j2()?)
}

#[test]
fn logback_loses_and_repeats_nothing() -> Result<()> {
    play(java::logback()?)
}

#[test]
fn multilog_loses_and_repeats_nothing() -> Result<()> {
    play(loggers::multilog())
}

#[test]
fn s6_log_loses_and_repeats_nothing() -> Result<()> {
    play(loggers::s6_log())
}

#[test]
fn svlogd_loses_and_repeats_nothing() -> Result<()> {
    play(loggers::svlogd())
}

#[test]
fn rotatelogs_loses_and_repeats_nothing() -> Result<()> {
    play(loggers::rotatelogs())
}

#[test]
fn cronolog_loses_and_repeats_nothing() -> Result<()> {
    play(loggers::cronolog())
}

#[test]
fn pythons_handlers_lose_and_repeat_nothing() -> Result<()> {
    play(loggers::python())
}

#[test]
fn logrotate_that_renames_loses_nothing() -> Result<()> {
    play(logrotate::renaming())
}

#[test]
fn logrotate_that_compresses_loses_and_repeats_nothing() -> Result<()> {
    play(logrotate::compressing())
}

#[test]
fn logrotate_that_copies_loses_nothing() -> Result<()> {
    play(logrotate::copying())
}

#[test]
fn savelog_loses_and_repeats_nothing() -> Result<()> {
    play(logrotate::savelog())
}
