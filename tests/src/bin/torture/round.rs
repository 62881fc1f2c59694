//! One round: records are written, files are rotated, one thing breaks, and at the end all must be
//! as if nothing had.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use logwatch_tests::journal::Journal;
use logwatch_tests::rotators::Row;
use logwatch_tests::rotators::writers::Writer;
use logwatch_tests::wait::wait_until;

use crate::clock;
use crate::faults::{Fault, Observed, Scene, times};
use crate::judge::{self, Verdict};
use crate::plan::{PATTERNS, Plan, Record, Step};
use crate::stage::{SOON, Stage};
use crate::tailers::Tailers;

/// Between two writes while the steps are over and the fault is not.
const TRICKLE: Duration = Duration::from_millis(30);
/// The same for programs that rotate when 4 KB are written: what they delete is deleted after many
/// rotations.
const SLOW_TRICKLE: Duration = Duration::from_millis(150);

/// A source as the faults know it.
pub struct Source {
    pub name: String,
    /// The prefix of the names of this round's rules.
    pub round: String,
    /// How far from the present some of its records are.
    pub offset: SignedDuration,
}

/// A source's files, and how many of the records in them count in the window of now, by pattern.
pub struct Written {
    pub journal: Journal,
    pub now: BTreeMap<&'static str, i64>,
    /// The steps of the files with their times, printed after a loss.
    pub history: Vec<String>,
    begun: Instant,
    random: Rng,
    number: u64,
    /// The real rotator, by its name and as it runs.
    program: Option<String>,
    rotator: Option<Writer>,
    /// Lines have no time: the rotator puts one before them.
    labelled: bool,
}

/// The names of a round's rules, its recipients and its sources.
pub struct Names {
    pub round: String,
    pub by_source: String,
    pub by_pattern: String,
    pub exactly: String,
    pub never: String,
    pub silence: String,
    pub recipients: [String; 2],
}

impl Names {
    pub fn new(seed: u64) -> Names {
        let round = format!("t{seed}");
        Names {
            by_source: format!("{round} by source"),
            by_pattern: format!("{round} by pattern"),
            exactly: format!("{round} exactly"),
            never: format!("{round} never"),
            silence: format!("{round} silence"),
            recipients: ["ann", "bob"].map(|who| format!("{who}.{round}@example.com")),
            round,
        }
    }
}

/// Plays the round and judges it. An error is as bad as a lost record; whatever happens, the stage
/// is mended.
pub fn play(stage: &mut Stage, plan: &Plan, rotators: &[Row]) -> Verdict {
    let started = Instant::now();
    let mut verdict = Verdict::of(plan);
    if plan.fault == Fault::ClockSet {
        if let Err(error) = clock::play(plan, &mut verdict) {
            verdict.problems.push(format!("{error:#}"));
        }
        verdict.took = started.elapsed();
        return verdict;
    }
    let names = Names::new(plan.seed);
    if let Err(error) = try_to_play(stage, plan, rotators, &names, &mut verdict) {
        verdict.problems.push(format!("{error:#}"));
    }
    if let Err(error) = stage.mend().and_then(|()| judge::clean(stage, &names)) {
        verdict.problems.push(format!("mending the stage: {error:#}"));
    }
    verdict.took = started.elapsed();
    verdict
}

fn try_to_play(
    stage: &mut Stage,
    plan: &Plan,
    rotators: &[Row],
    names: &Names,
    verdict: &mut Verdict,
) -> Result<()> {
    let mut random = plan.random();
    let offset = match plan.fault {
        Fault::RecordsFromElsewhen => times::offset(&mut random),
        _ => SignedDuration::ZERO,
    };
    let sources: Vec<Source> = (0..plan.sources.len())
        .map(|n| Source {
            name: format!("{}.{n}", names.round),
            round: names.round.clone(),
            offset,
        })
        .collect();
    let mut written = Vec::new();
    for (n, source) in sources.iter().enumerate() {
        let mut one = if plan.fault == Fault::BothKilled {
            let row = &rotators[plan.rotator(n, rotators.len())];
            Written::rotated(&source.name, row, random.fork())?
        } else {
            Written::new(&source.name, random.fork())?
        };
        // Every pattern is there from the start, and the file is known.
        let first: Vec<Record> = (0..plan.patterns).map(Record::plain).collect();
        one.write(&first, SignedDuration::ZERO)?;
        one.wait_for_disk()?;
        written.push(one);
    }
    let args = written
        .iter()
        .map(|one| one.journal.args(&["--tz", "UTC"]))
        .collect();
    let mut tailers = Tailers::start(stage, args)?;
    wait_until(SOON, "the first records", || {
        Ok(judge::stored(stage, names)? >= sources.len() * plan.patterns)
    })
    .with_context(|| tailers.said())?;

    let mails_failed = stage.mail.failed();
    plan.fault.prepare(stage, &mut random)?;
    insert_rules(stage, names)?;
    let mended = &AtomicBool::new(false);
    let programs: Vec<_> = written.iter().filter_map(|one| one.program.clone()).collect();
    let mut observed = std::thread::scope(|scope| -> Result<Observed> {
        let writers: Vec<_> = written
            .iter_mut()
            .zip(&plan.sources)
            .map(|(source, steps)| scope.spawn(move || source.write_all(steps, plan, offset, mended)))
            .collect();
        std::thread::sleep(plan.strike_after);
        let mut scene = Scene {
            stage,
            tailers: &mut tailers,
            sources: &sources,
            silence: &names.silence,
            mails_failed,
            random: &mut random,
        };
        let observed = plan.fault.play(&mut scene);
        mended.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().expect("a writer does not panic")?;
        }
        observed
    })
    .with_context(|| format!("the tailers have printed:\n{}", tailers.said()))
    .with_context(|| programs.join(", "))?;
    if !programs.is_empty() {
        observed.effect = format!("{}: {}", programs.join(", "), observed.effect);
    }
    verdict.observed = Some(observed);
    tailers.start_missing(&stage.server)?;
    judge::judge(stage, names, &mut tailers, &written, verdict).with_context(|| programs.join(", "))
}

fn insert_rules(stage: &Stage, names: &Names) -> Result<()> {
    let mut client = stage.server.client()?;
    let source = format!("{}.*", names.round);
    let recipients = names.recipients.to_vec();
    for (name, group_by) in [(&names.by_source, "source"), (&names.by_pattern, "pattern")] {
        client.execute(
            "INSERT INTO logwatch.rules (name, source, group_by, recipients, channels) VALUES ($1, $2, $3, $4, '{email,log,webhook}')",
            &[name, &source, &group_by, &recipients],
        )?;
    }
    client.execute(
        "INSERT INTO logwatch.rules (name, kind, source, within, keep_firing_for, channels) \
         VALUES ($1, 'absence', $2, '1 second', '0', '{log}')",
        &[&names.silence, &source],
    )?;
    Ok(())
}

impl Record {
    pub fn plain(pattern: usize) -> Record {
        Record {
            pattern,
            detail: 0,
            elsewhen: false,
        }
    }
}

impl Written {
    pub fn new(source: &str, random: Rng) -> Result<Written> {
        Ok(Written {
            journal: Journal::new(source, &["app.log"])?,
            now: BTreeMap::new(),
            history: Vec::new(),
            begun: Instant::now(),
            random,
            number: 0,
            program: None,
            rotator: None,
            labelled: false,
        })
    }

    /// Files that a real rotator writes or rotates.
    pub fn rotated(source: &str, row: &Row, random: Rng) -> Result<Written> {
        let journal = Journal::new(source, row.patterns)?;
        let rotator = row.start(journal.dir()).with_context(|| row.name.clone())?;
        Ok(Written {
            journal,
            program: Some(row.name.clone()),
            rotator: Some(rotator),
            labelled: row.labels,
            ..Written::new(source, random)?
        })
    }

    /// Waits until a program has written what it was given.
    fn wait_for_disk(&self) -> Result<()> {
        let text = format!("failed for order {}", self.number);
        wait_until(SOON, "the first records on disk", || self.journal.has_text(&text))
            .with_context(|| self.program.clone().unwrap_or_default())
    }

    /// Plays the steps, then goes on with a trickle until the fault is mended.
    fn write_all(
        &mut self,
        steps: &[Step],
        plan: &Plan,
        offset: SignedDuration,
        mended: &AtomicBool,
    ) -> Result<()> {
        for step in steps {
            self.take(step, offset)?;
        }
        while !mended.load(Ordering::Relaxed) {
            let record = Record {
                detail: if plan.fault == Fault::DataDiskFull {
                    3000
                } else {
                    0
                },
                ..Record::plain(self.random.usize(..plan.patterns))
            };
            self.write(&[record], offset)?;
            std::thread::sleep(match self.rotator {
                Some(_) => SLOW_TRICKLE,
                None => TRICKLE,
            });
        }
        Ok(())
    }

    fn take(&mut self, step: &Step, offset: SignedDuration) -> Result<()> {
        if let Step::Rename | Step::CopyTruncate | Step::Gzip | Step::Rotate = step {
            let live = self.journal.path("app.log").metadata();
            let size = live.map_or(0, |metadata| metadata.len());
            self.history.push(format!(
                "{:.3} s: {step:?}, app.log has {size} bytes and {} records so far",
                self.begun.elapsed().as_secs_f32(),
                self.number
            ));
        }
        match step {
            Step::Write(records) => self.write(records, offset),
            Step::Rename => {
                self.journal.shift("app.log")?;
                self.journal.rename("app.log", "app.log.1")
            }
            Step::CopyTruncate => {
                self.journal.shift("app.log")?;
                self.journal.copy_and_truncate("app.log", "app.log.1")
            }
            Step::Gzip if self.journal.path("app.log.1").exists() => self.journal.gzip("app.log.1"),
            Step::Gzip => Ok(()),
            Step::Rotate => self.rotate(),
            Step::Pause(pause) => {
                std::thread::sleep(*pause);
                Ok(())
            }
        }
    }

    /// A writer that does not know of the rotation yet may write one more record to the old file.
    fn rotate(&mut self) -> Result<()> {
        let record = Record::plain(0);
        let (line, text) = self.next_record(&record, SignedDuration::ZERO)?;
        let rotator = self.rotator.as_mut().context("this needs a rotator")?;
        if rotator.rotate(&line)? {
            self.expect(&record, &text, SignedDuration::ZERO);
        }
        Ok(())
    }

    /// One write of these records; those from elsewhen are `offset` away from now.
    pub fn write(&mut self, records: &[Record], offset: SignedDuration) -> Result<()> {
        let mut lines = String::new();
        for record in records {
            let (line, text) = self.next_record(record, offset)?;
            lines += &line;
            self.expect(record, &text, offset);
        }
        if let Some(rotator) = &mut self.rotator {
            return rotator.write(&lines);
        }
        let mut file = self.journal.open("app.log")?;
        Ok(file.write_all(lines.as_bytes())?)
    }

    /// Returns the next record as it is written, and its text as it must be stored.
    fn next_record(&mut self, record: &Record, offset: SignedDuration) -> Result<(String, String)> {
        self.number += 1;
        let time = if record.elsewhen {
            Timestamp::now() + offset
        } else {
            Timestamp::now()
        };
        let mut text = format!("{} failed for order {}", PATTERNS[record.pattern], self.number);
        while text.len() < record.detail {
            write!(
                text,
                "\n\tat shop.Order.step{:x}(Order.java:{})",
                self.random.u128(..),
                self.number
            )?;
        }
        let line = if self.labelled {
            format!("ERROR {text}\n")
        } else {
            format!("{} ERROR {text}\n", time.strftime("%Y-%m-%d %H:%M:%S%.3f"))
        };
        Ok((line, text))
    }

    fn expect(&mut self, record: &Record, text: &str, offset: SignedDuration) {
        self.journal.expect(text);
        // The past has windows of its own; what claims to come from the future counts as received.
        if !record.elsewhen || offset.is_positive() {
            *self.now.entry(PATTERNS[record.pattern]).or_default() += 1;
        }
    }
}
