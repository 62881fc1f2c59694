//! The players: each has a stage of its own, takes the next seed, plays its round, and again.
//! Rounds mostly wait, so that a few can be played at a time; they share nothing but the machine.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logwatch_tests::rotators::Row;
use logwatch_tests::wait::is_interrupted;

use crate::faults::Fault;
use crate::judge::Verdict;
use crate::plan::Plan;
use crate::round;
use crate::stage::Stage;
use crate::table::Table;

/// After so many rounds a player makes a new cluster, so that what is stored of the old ones never
/// fills a disk by itself.
const ROUNDS_PER_STAGE: usize = 100;

/// The rounds that are to be played.
pub struct Rounds {
    pub count: u64,
    /// The seed of the first one.
    pub first: u64,
    /// No round is begun later than this.
    pub limit: Duration,
    pub faults: Vec<Fault>,
    pub may_mount: bool,
    /// Real programs, of which a round may draw some.
    pub rotators: Vec<Row>,
}

/// The state that the players share.
struct Game<'a> {
    rounds: &'a Rounds,
    started: Instant,
    /// How many rounds have been begun.
    begun: AtomicU64,
    /// A player cannot go on: the others are to stop as well.
    over: AtomicBool,
    table: Mutex<Table>,
}

/// Plays all rounds, `jobs` at a time, and prints the table. True when all were good.
pub fn play(rounds: &Rounds, jobs: usize) -> Result<bool> {
    let game = Game {
        rounds,
        started: Instant::now(),
        begun: AtomicU64::new(0),
        over: AtomicBool::new(false),
        table: Mutex::new(Table::of(&rounds.faults)),
    };
    let ended: Vec<Result<()>> = std::thread::scope(|scope| {
        let players: Vec<_> = (0..jobs).map(|_| scope.spawn(|| game.play())).collect();
        players
            .into_iter()
            .map(|player| player.join().expect("a player does not panic"))
            .collect()
    });
    let took = game.started.elapsed().as_secs_f32();
    let table = game.table.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "\n{} rounds in {took:.0} s, seeds {} to {}, {} failed\n\n{table}",
        table.rounds(),
        rounds.first,
        rounds.first + table.rounds().max(1) as u64 - 1,
        table.failed()
    );
    ended.into_iter().collect::<Result<()>>()?;
    Ok(table.failed() == 0)
}

impl Game<'_> {
    fn play(&self) -> Result<()> {
        let ended = self.play_on();
        if ended.is_err() {
            self.over.store(true, Ordering::Relaxed);
        }
        ended
    }

    fn play_on(&self) -> Result<()> {
        let mut played = 0;
        let mut stage: Option<Stage> = None;
        while let Some(seed) = self.next_seed() {
            if played % ROUNDS_PER_STAGE == 0 {
                // The old one has to go before the new one takes its memory.
                drop(stage.take());
            }
            let stage = match &mut stage {
                Some(stage) => stage,
                none => none.insert(Stage::set(self.rounds.may_mount).context("setting the stage")?),
            };
            let verdict = round::play(
                stage,
                &Plan::draw(seed, &self.rounds.faults),
                &self.rounds.rotators,
            );
            self.tell(&verdict);
            played += 1;
            anyhow::ensure!(
                stage.server.is_running()?,
                "the server of seed {seed} does not come up again"
            );
        }
        Ok(())
    }

    /// The seed of the next round; None when no more are to be begun.
    fn next_seed(&self) -> Option<u64> {
        if self.over.load(Ordering::Relaxed) || is_interrupted() {
            return None;
        }
        let n = self.begun.fetch_add(1, Ordering::Relaxed);
        if n >= self.rounds.count {
            return None;
        }
        if self.started.elapsed() > self.rounds.limit {
            if !self.over.swap(true, Ordering::Relaxed) {
                println!(
                    "{} minutes are over: no more rounds",
                    self.rounds.limit.as_secs() / 60
                );
            }
            return None;
        }
        Some(self.rounds.first + n)
    }

    fn tell(&self, verdict: &Verdict) {
        // Lines of two players must not mix.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        println!(
            "[{:6.1} s] seed {} {:45} {:5} records {:3} alerts {:3} mails {:4.1} s  {}",
            self.started.elapsed().as_secs_f32(),
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
        table.add(verdict);
    }
}
