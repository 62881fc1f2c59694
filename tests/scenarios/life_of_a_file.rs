//! Random lives of a log file against a model: write, rename, copytruncate, gzip, read once,
//! follow, kill, restart, in any order, and the network between tailer and database breaks and is
//! mended in between.
//!
//! The model is the multiset of what was written: no file is ever deleted and every copy is whole,
//! so whatever the order, each record is stored once. A failing schedule prints its seed;
//! `LOGWATCH_SEED=that LOGWATCH_SCHEDULES=1` plays it again. The pauses of a schedule are a part of
//! it: what the tailer has done by the next step is what varies from run to run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::journal::Journal;
use logwatch_tests::link::{Condition, Link};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;

use crate::{PROMPTLY, SOON};

/// How many schedules, unless LOGWATCH_SCHEDULES says otherwise.
const SCHEDULES: u64 = 40;

#[test]
fn random_schedules_store_each_record_once() -> Result<()> {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(value) => value.parse::<u64>().with_context(|| name.to_owned()),
        Err(_) => Ok(default),
    };
    let first = number("LOGWATCH_SEED", 1)?;
    let count = number("LOGWATCH_SCHEDULES", SCHEDULES)?;
    let server = Server::without_worker(&[])?;
    let network = Link::to(&server.socket())?;
    let mut failures = String::new();
    for seed in first..first + count {
        let mut schedule = Schedule::new(&server, &network, seed)?;
        if let Err(error) = schedule.run() {
            let steps = schedule.steps.join("\n  ");
            writeln!(
                failures,
                "LOGWATCH_SEED={seed}\n  {steps}\n{error:#}\n{}",
                schedule.said()
            )?;
        }
    }
    assert!(
        failures.is_empty(),
        "of {count} schedules these fail:\n{failures}"
    );
    Ok(())
}

/// One file's life, and what is done to it.
struct Schedule<'a> {
    server: &'a Server,
    network: &'a Link,
    broken: bool,
    files: Journal,
    random: fastrand::Rng,
    tailer: Option<Tailer>,
    /// Records written so far: each is another one.
    lines: usize,
    steps: Vec<String>,
}

impl<'a> Schedule<'a> {
    fn new(server: &'a Server, network: &'a Link, seed: u64) -> Result<Schedule<'a>> {
        network.set(Condition::Up);
        let mut random = fastrand::Rng::with_seed(seed);
        let pattern = random.u8(..3) == 0;
        let input = if pattern { "app.log*" } else { "app.log" };
        Ok(Schedule {
            server,
            network,
            broken: false,
            files: Journal::new(&format!("life {seed}"), &[input])?,
            random,
            tailer: None,
            lines: 0,
            steps: vec![format!("read {input}")],
        })
    }

    fn said(&self) -> String {
        self.tailer.as_ref().map(Tailer::output).unwrap_or_default()
    }

    fn run(&mut self) -> Result<()> {
        // A source begins with its first run: what was rotated away before that is nobody's.
        if self.random.u8(..4) > 0 {
            self.write()?;
        } else {
            self.note("an empty file");
            self.files.open("app.log")?;
        }
        self.once()?;
        for _ in 0..self.random.usize(4..14) {
            self.step()?;
        }
        if !self.broken && self.random.bool() {
            self.break_network()?;
        }
        self.mend();
        if let Some(tailer) = self.tailer.take() {
            if self.random.bool() {
                self.note("the follower stores the rest");
                self.files
                    .wait(self.server, SOON)
                    .with_context(|| format!("the follower says: {}", tailer.output()))?;
            }
            drop(tailer);
        }
        for _ in 0..2 {
            self.once()?;
            self.files.check(self.server)?;
        }
        let gaps = self.files.gaps(self.server)?;
        anyhow::ensure!(gaps.is_empty(), "gaps where nothing was lost: {gaps:?}");
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        match self.random.u8(..24) {
            0..6 => self.write(),
            6..8 => self.rename(),
            8..10 => self.copytruncate(),
            10..12 => self.gzip(),
            12..14 => self.once(),
            14..16 => self.start(),
            16 => self.kill(),
            17 => self.stop(),
            18..22 if self.broken => {
                self.mend();
                Ok(())
            }
            18..22 => self.break_network(),
            _ => {
                self.pause(400);
                Ok(())
            }
        }
    }

    fn note(&mut self, step: &str) {
        self.steps.push(step.to_owned());
    }

    fn pause(&mut self, most: u64) {
        let pause = self.random.u64(1..most);
        self.note(&format!("wait {pause} ms"));
        std::thread::sleep(Duration::from_millis(pause));
    }

    fn texts(&mut self) -> Vec<String> {
        let count = self.random.usize(1..20);
        (0..count)
            .map(|_| {
                self.lines += 1;
                format!("record {} {}", self.lines, "x".repeat(self.random.usize(1..80)))
            })
            .collect()
    }

    /// Records, with lines that are none before them and at times a whole screen of those.
    fn write(&mut self) -> Result<()> {
        let texts = self.texts();
        let idle = self.random.usize(..3) * self.random.usize(..40);
        self.note(&format!("write {} records after {idle} other lines", texts.len()));
        let mut file = self.files.open("app.log")?;
        for n in 0..idle {
            writeln!(
                file,
                "2026-11-22 10:00:00 INFO nothing to see, step {} line {n}",
                self.steps.len()
            )?;
        }
        self.files.write_to(&mut file, &texts)
    }

    /// The writer keeps its handle for a moment, as it does until logrotate's postrotate script has
    /// run.
    fn rename(&mut self) -> Result<()> {
        if !self.files.path("app.log").exists() {
            return Ok(());
        }
        let mut old = self.files.open("app.log")?;
        self.files.shift("app.log")?;
        self.files.rename("app.log", "app.log.1")?;
        let late = if self.random.bool() {
            self.texts()
        } else {
            Vec::new()
        };
        self.note(&format!("rename, then {} records to the old file", late.len()));
        if !late.is_empty() {
            self.files.write_to(&mut old, &late)?;
        }
        if self.random.u8(..4) > 0 {
            self.write()?;
        }
        Ok(())
    }

    fn copytruncate(&mut self) -> Result<()> {
        if !self.files.path("app.log").exists() {
            return Ok(());
        }
        self.files.shift("app.log")?;
        self.note("copy and truncate");
        self.files.copy_and_truncate("app.log", "app.log.1")
    }

    /// logrotate compresses at once, or with `delaycompress` one rotation later; either way what
    /// the writer has ended.
    fn gzip(&mut self) -> Result<()> {
        let name = format!("app.log.{}", self.random.u8(1..3));
        if !self.files.path(&name).exists() {
            return Ok(());
        }
        self.note(&format!("gzip {name}"));
        self.files.gzip(&name)
    }

    /// The database is away, or what the tailer asks of it next fails in one of the other ways.
    /// Without a follower nobody would notice.
    fn break_network(&mut self) -> Result<()> {
        self.start()?;
        if let (1.., Some(tailer)) = (self.random.u8(..4), &self.tailer) {
            wait_until(SOON, "the follower to attach", || {
                Ok(tailer.output().contains("attached as source"))
            })?;
        }
        let condition = match self.random.u8(..8) {
            0 => Condition::Stalled,
            1 => Condition::CutsRequest(self.random.usize(..4000)),
            2 => Condition::LosesAnswer,
            _ => Condition::Down,
        };
        self.note(&format!("the network: {condition:?}"));
        self.network.set(condition);
        self.broken = true;
        if self.random.u8(..4) == 0 {
            return Ok(());
        }
        self.write()?;
        if let (Condition::Down, Some(tailer)) = (condition, &self.tailer) {
            wait_until(SOON, "the outage to be noticed", || {
                Ok(tailer.output().contains("trying again"))
            })?;
            for _ in 0..self.random.usize(..4) {
                match self.random.u8(..5) {
                    0..3 => self.copytruncate(),
                    3 => self.rename(),
                    _ => self.gzip(),
                }?;
                self.write()?;
                // At times long enough that the names are looked up.
                let most = if self.random.bool() { 1200 } else { 50 };
                self.pause(most);
            }
        }
        Ok(())
    }

    fn mend(&mut self) {
        if self.broken {
            self.note("the network is mended");
            self.network.set(Condition::Up);
            self.broken = false;
        }
    }

    fn command(&self, more: &[&str]) -> Result<Command> {
        let mut command = Tailer::command(self.server, &self.files.args(more))?;
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.network.port().to_string());
        Ok(command)
    }

    fn once(&mut self) -> Result<()> {
        self.kill()?;
        self.mend();
        self.note("once");
        // No word is expected of it but that a name is not there at the moment.
        let mut command = self.command(&["--once"])?;
        command.env("RUST_LOG", "logwatch_tailer=info");
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::ensure!(
            output.status.success(),
            "once ends with {}: {said}",
            output.status
        );
        if !said.is_empty() {
            self.note(&format!("  which says: {}", said.trim_end()));
        }
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        if self.tailer.is_none() {
            self.note("follow");
            self.tailer = Some(Tailer::spawn(self.command(&["-v"])?)?);
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut tailer) = self.tailer.take() {
            self.note(&format!("kill -9; it said:\n{}", tailer.output()));
            tailer.kill()?;
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        if let Some(mut tailer) = self.tailer.take() {
            self.note("SIGTERM");
            // The status does not matter: the tailer may not handle signals yet.
            let (_, took) = tailer.terminate()?;
            anyhow::ensure!(took < PROMPTLY, "SIGTERM took {took:?}");
        }
        Ok(())
    }
}
