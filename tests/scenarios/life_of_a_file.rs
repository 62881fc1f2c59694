//! Random lives of a log file against a model: write, rename, copytruncate, gzip, read once, follow, kill, restart, in any order.
//!
//! The model is the multiset of what was written: no file is ever deleted and every copy is whole, so whatever the order, each record
//! is stored once. A failing schedule prints its seed; `LOGWATCH_SEED=that LOGWATCH_SCHEDULES=1` plays it again. The pauses of a
//! schedule are a part of it: what the tailer has done by the next step is what varies from run to run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use logwatch_tests::journal::Journal;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;

use crate::SOON;

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
    let mut failures = String::new();
    for seed in first..first + count {
        let mut schedule = Schedule::new(&server, seed)?;
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
    files: Journal,
    random: fastrand::Rng,
    tailer: Option<Tailer>,
    /// Records written so far: each is another one.
    lines: usize,
    steps: Vec<String>,
}

impl<'a> Schedule<'a> {
    fn new(server: &'a Server, seed: u64) -> Result<Schedule<'a>> {
        let mut random = fastrand::Rng::with_seed(seed);
        let pattern = random.u8(..3) == 0;
        let input = if pattern { "app.log*" } else { "app.log" };
        Ok(Schedule {
            server,
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
        match self.random.u8(..20) {
            0..6 => self.write(),
            6..8 => self.rename(),
            8..10 => self.copytruncate(),
            10..12 => self.gzip(),
            12..14 => self.once(),
            14..16 => self.start(),
            16 => self.kill(),
            17 => self.stop(),
            _ => {
                let pause = self.random.u64(1..400);
                self.note(&format!("wait {pause} ms"));
                std::thread::sleep(Duration::from_millis(pause));
                Ok(())
            }
        }
    }

    fn note(&mut self, step: &str) {
        self.steps.push(step.to_owned());
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

    /// The writer keeps its handle for a moment, as it does until logrotate's postrotate script has run.
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

    /// logrotate compresses at once, or with `delaycompress` one rotation later; either way what the writer has ended.
    fn gzip(&mut self) -> Result<()> {
        let name = format!("app.log.{}", self.random.u8(1..3));
        if !self.files.path(&name).exists() {
            return Ok(());
        }
        self.note(&format!("gzip {name}"));
        self.files.gzip(&name)
    }

    fn once(&mut self) -> Result<()> {
        self.kill()?;
        self.note("once");
        // No word is expected of it but that a name is not there at the moment.
        let mut command = Tailer::command(self.server, &self.files.args(&["--once"]))?;
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
            self.tailer = Some(Tailer::start(self.server, &self.files.args(&["-v"]))?);
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
            // Whatever its status: it may not have come to heed signals yet.
            let (_, took) = tailer.terminate()?;
            anyhow::ensure!(took < Duration::from_secs(2), "SIGTERM took {took:?}");
        }
        Ok(())
    }
}
