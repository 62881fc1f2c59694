//! Proof under fire (`make torture`): breaks everything around logwatch, round after round, and compares with what must be there.
//!
//! A round is drawn from a seed, so that one that fails can be played again: `make torture SEED=that ROUNDS=1 MINUTES=0`.
//!
//!   ROUNDS   how many rounds (500)
//!   SEED     the seed of the first one (1); the next ones count up
//!   MINUTES  how long the load afterwards lasts (5)
//!
//! All of it stays below an hour: when the time is over no more rounds are begun.

mod clock;
mod faults;
mod gauges;
mod judge;
mod load;
mod plan;
mod round;
mod stage;
mod table;
mod tailers;

use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use logwatch_tests::disk::keep_mounts_private;
use logwatch_tests::wait::interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use faults::Fault;
use plan::Plan;
use stage::Stage;
use table::Table;

/// After so many rounds a new cluster is made, so that what is stored of the old ones never fills a disk by itself.
const ROUNDS_PER_STAGE: u64 = 150;

/// The whole of it, with some minutes for what is being done when it is over.
const LIMIT: Duration = Duration::from_secs(57 * 60);

fn main() -> ExitCode {
    // First of all: what is mounted here must be gone with this program.
    let may_mount = keep_mounts_private();
    match Signals::new([SIGINT, SIGTERM, SIGHUP]) {
        Ok(mut signals) => {
            // Every wait then fails, and the way out of main stops what runs.
            std::thread::spawn(move || signals.forever().for_each(|_| interrupt()));
        }
        Err(error) => eprintln!("torture: signals are not handled: {error}"),
    }
    match run(may_mount) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A number that the environment may set.
fn number<T: FromStr>(name: &str, default: T) -> Result<T> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value
            .parse()
            .map_err(|_| anyhow!("{name}={value} is not a number")),
        _ => Ok(default),
    }
}

/// True when all went well.
fn run(may_mount: Result<()>) -> Result<bool> {
    let (rounds, first) = (number("ROUNDS", 500)?, number("SEED", 1)?);
    if let Err(why) = &may_mount {
        println!("Left out: the three kinds of full disk, because {why:#}");
    }
    if clock::library().is_none() {
        println!("Left out: the server's clock, because Debian's package faketime is not installed");
    }
    let minutes = number("MINUTES", 5)?;
    let time = LIMIT.saturating_sub(Duration::from_secs(60 * minutes));
    let mut good = break_things(rounds, first, time, may_mount.is_ok())?;
    if minutes > 0 {
        good &= load::run(minutes)?;
    }
    Ok(good)
}

fn break_things(rounds: u64, first: u64, limit: Duration, may_mount: bool) -> Result<bool> {
    let started = Instant::now();
    let faults = Fault::available(may_mount, clock::library().is_some());
    let mut table = Table::of(&faults);
    let mut stage: Option<Stage> = None;
    for n in 0..rounds {
        if started.elapsed() > limit {
            println!("{} minutes are over: no more rounds", limit.as_secs() / 60);
            break;
        }
        if n % ROUNDS_PER_STAGE == 0 {
            // The old one has to go before the new one takes its memory.
            drop(stage.take());
            stage = Some(Stage::set(may_mount).context("setting the stage")?);
        }
        let Some(stage) = &mut stage else { continue };
        let plan = Plan::draw(first + n, &faults);
        let verdict = round::play(stage, &plan);
        println!(
            "[{:6.1} s] seed {} {:45} {:5} records {:3} alerts {:3} mails {:4.1} s  {}",
            started.elapsed().as_secs_f32(),
            verdict.seed,
            verdict.fault.words(),
            verdict.records,
            verdict.alerts,
            verdict.mails,
            verdict.took.as_secs_f32(),
            if verdict.is_good() { "ok" } else { "FAILED" },
        );
        for problem in &verdict.problems {
            println!("    {}", problem.replace('\n', "\n    "));
        }
        table.add(&verdict);
        anyhow::ensure!(
            stage.server.is_running()?,
            "the server of seed {} does not come up again",
            plan.seed
        );
    }
    println!(
        "\n{} rounds in {:.0} s, seeds {first} to {}, {} failed\n\n{table}",
        table.rounds(),
        started.elapsed().as_secs_f32(),
        first + table.rounds().max(1) as u64 - 1,
        table.failed()
    );
    Ok(table.failed() == 0)
}
