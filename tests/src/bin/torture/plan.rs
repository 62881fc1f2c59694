//! The plan of a round, drawn from its seed before the round starts: the writers and their records,
//! the rotations of their files, and the fault.
//!
//! The steps are replayed exactly; how far the tailer and the server have come at each of them is
//! what varies from run to run.

use std::time::Duration;

use fastrand::Rng;

use crate::faults::Fault;

/// The patterns that records are made of.
pub const PATTERNS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];

/// Rotations of one file are this far apart: the tailer looks up names once a second.
const BETWEEN_ROTATIONS: Duration = Duration::from_millis(1300);

/// Real rotators of one round.
const ROTATORS: usize = 2;

/// One record that will be written.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Which of [`PATTERNS`].
    pub pattern: usize,
    /// The size of the stack trace that follows, in bytes.
    pub detail: usize,
    /// The fault's other time stands in it, not the present.
    pub elsewhen: bool,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// One write of these records to the live file.
    Write(Vec<Record>),
    Rename,
    CopyTruncate,
    /// Compresses the file that was rotated last.
    Gzip,
    /// Lets a real rotator rotate, where it does so by command or by the clock.
    Rotate,
    Pause(Duration),
}

pub struct Plan {
    pub seed: u64,
    pub fault: Fault,
    /// How many rounds of this fault have smaller seeds.
    pub turn: usize,
    /// The steps of each source's file.
    pub sources: Vec<Vec<Step>>,
    /// The number of [`PATTERNS`] that occur.
    pub patterns: usize,
    /// From the first step to the fault.
    pub strike_after: Duration,
}

impl Plan {
    /// The round of this seed. Faults take turns, so that any stretch of seeds has all of them.
    pub fn draw(seed: u64, faults: &[Fault]) -> Plan {
        let mut random = Rng::with_seed(seed);
        let number = usize::try_from(seed).unwrap_or_default();
        let fault = faults[number % faults.len()];
        let patterns = random.usize(1..=PATTERNS.len());
        let sources = if fault == Fault::BothKilled {
            ROTATORS
        } else {
            random.usize(1..=2)
        };
        let sources = (0..sources)
            .map(|_| draw_steps(&mut random, fault, patterns))
            .collect();
        Plan {
            seed,
            fault,
            turn: number / faults.len(),
            sources,
            patterns,
            strike_after: Duration::from_millis(random.u64(0..500)),
        }
    }

    /// Returns which of `count` rotators writes the files of a source. They take turns.
    pub fn rotator(&self, source: usize, count: usize) -> usize {
        (self.turn * ROTATORS + source) % count
    }

    /// Returns the generator for further random choices of the round, apart from the steps.
    pub fn random(&self) -> Rng {
        Rng::with_seed(!self.seed)
    }
}

fn draw_steps(random: &mut Rng, fault: Fault, patterns: usize) -> Vec<Step> {
    let writes = random.usize(12..40);
    // The records that fill the data disk must not fit into existing pages.
    let bulky = fault == Fault::DataDiskFull;
    let mut steps = Vec::new();
    let by_program = fault == Fault::BothKilled;
    let mut rotations = if by_program {
        random.usize(2..5)
    } else {
        random.usize(..5) / 2
    };
    let mut since_rotation = Duration::ZERO;
    for n in 0..writes {
        let elsewhen = fault == Fault::RecordsFromElsewhen && n >= writes * 2 / 3;
        // Those from another time must stay fewer than those of the present, whose alert they join.
        let most = if elsewhen { 8 } else { 30 };
        let records = (0..random.usize(1..most))
            .map(|_| Record {
                pattern: random.usize(..patterns),
                detail: match random.u8(..10) {
                    _ if bulky => 3000,
                    // Some programs put a label before each line.
                    _ if by_program => 0,
                    0 => random.usize(20..2000),
                    _ => 0,
                },
                elsewhen,
            })
            .collect();
        steps.push(Step::Write(records));
        let pause = Duration::from_millis(random.u64(5..60));
        steps.push(Step::Pause(pause));
        since_rotation += pause;
        if rotations > 0 && random.u8(..6) == 0 {
            rotations -= 1;
            if by_program {
                steps.push(Step::Rotate);
                continue;
            }
            steps.push(Step::Pause(BETWEEN_ROTATIONS.saturating_sub(since_rotation)));
            since_rotation = Duration::ZERO;
            steps.push(if random.bool() {
                Step::Rename
            } else {
                Step::CopyTruncate
            });
            if random.u8(..3) == 0 {
                steps.push(Step::Pause(BETWEEN_ROTATIONS));
                steps.push(Step::Gzip);
            }
        }
    }
    steps
}
