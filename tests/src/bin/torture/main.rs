//! Proof under fire (`make torture`): breaks everything around logwatch, round after round, and
//! compares with what must be there.
//!
//! A round is drawn from a seed, so that one that fails can be played again: `make torture
//! SEED=that ROUNDS=1 MINUTES=0`.
//!
//!   ROUNDS   how many rounds (500)
//!   SEED     the seed of the first one (1); the next ones count up
//!   JOBS     how many rounds at a time (2)
//!   MINUTES  how long the load afterwards lasts (5)
//!   LIMIT    minutes after which nothing new is begun, rounds and load together (57)
//!   FAULT    words: only faults whose names have them. The same seed is then another round
//!
//! All of it stays below an hour, unless LIMIT says otherwise. `make load
//! MINUTES=30` is the load alone, with a release build.

mod clock;
mod faults;
mod gauges;
mod judge;
mod load;
mod plan;
mod players;
mod round;
mod stage;
mod table;
mod tailers;

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use logwatch_tests::disk::keep_mounts_private;
use logwatch_tests::rotators;
use logwatch_tests::wait::{interrupt, is_interrupted};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use faults::Fault;
use players::Rounds;

/// Minutes for the whole of it, with some more for what is being done when they are over.
const LIMIT: u64 = 57;

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
    if let Err(why) = &may_mount {
        println!("Left out: the three kinds of full disk, because {why:#}");
    }
    if clock::library().is_none() {
        println!("Left out: the server's clock, because Debian's package faketime is not installed");
    }
    let rotators = rotators::keepers();
    if let Err(why) = &rotators {
        println!("Left out: the real rotators, because {why:#}");
    }
    let words = std::env::var("FAULT").unwrap_or_default();
    let mut faults = Fault::available(may_mount.is_ok(), clock::library().is_some(), rotators.is_ok());
    faults.retain(|fault| fault.words().contains(&words));
    ensure!(!faults.is_empty(), "no fault has {words:?} in its name");
    let minutes = number("MINUTES", 5)?;
    let rounds = Rounds {
        count: number("ROUNDS", 500)?,
        first: number("SEED", 1)?,
        limit: Duration::from_secs(60 * number("LIMIT", LIMIT)?.saturating_sub(minutes)),
        faults,
        may_mount: may_mount.is_ok(),
        rotators: rotators.unwrap_or_default(),
    };
    let mut good = rounds.count == 0 || players::play(&rounds, number("JOBS", 2)?)?;
    if minutes > 0 && !is_interrupted() {
        good &= load::run(minutes)?;
    }
    Ok(good)
}
