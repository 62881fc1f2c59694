//! Scanning: how fast a log with few errors is gone through, beside the programs that people search
//! with.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::Result;
use logwatch_tests::programs;

use crate::input;
use crate::measure::{self, Cost, median, short};
use crate::others;
use crate::table::{Contract, Table};

const ROUNDS: usize = 7;
const LOCALE: &str = "C.UTF-8";
/// The usual search: two literal words. It is the hardest to match in speed, as
/// it is the least work.
const TWO_WORDS: &str = "ERROR|FATAL";
/// The words that the tailer looks for – besides numbers and letters that are levels –, as they are
/// for a search: in any case, whole.
const ALL_WORDS: &str = r"\b(error|err|eror|erro|severe|fail|failure|fatal|fata|ftl|critical|crit|alert|emerg|emergency|panic|pani|dpanic)\b";
/// The log's lines have 125 bytes on average.
const BYTES_PER_LINE: u64 = 125;

pub fn run(table: &mut Table) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mib = input::size("BENCH_SCAN_MIB", 1024)?;
    let lines = (mib << 20) / BYTES_PER_LINE;
    let path = &input::log(directory.path(), "scan.log", lines, 0.01, None)?;
    let bytes = fs::metadata(path)?.len() as f64;
    let tailer = || {
        let mut command = Command::new(programs::built("logwatch-tailer")?);
        command
            .args(["--once", "--dry-run", "--source", "bench"])
            .arg(path);
        measure::run_into(&mut command, Stdio::null())
    };
    let search = |[program, flags, pattern]: [&str; 3]| {
        measure::run(
            Command::new(program)
                .args([flags, pattern])
                .arg(path)
                .env("LC_ALL", LOCALE),
        )
    };
    let mut others = vec![["grep", "-cE", TWO_WORDS], ["grep", "-ciE", ALL_WORDS]];
    if others::installed("rg") {
        others.extend([["rg", "-c", TWO_WORDS], ["rg", "-ci", ALL_WORDS]]);
    } else {
        table.skipped("scan beside rg -c", "ripgrep is not installed");
    }
    // Once for the page cache.
    tailer()?;
    let mut ours = Vec::new();
    let mut theirs = vec![Vec::new(); others.len()];
    for _ in 0..ROUNDS {
        ours.push(tailer()?);
        for (costs, other) in theirs.iter_mut().zip(&others) {
            costs.push(search(*other)?);
        }
    }
    let ours = median(ours);
    let what = format!(
        "scan {:.2} GiB, 1 % errors, --once --dry-run > /dev/null",
        bytes / (1u64 << 30) as f64
    );
    let times = |a: Cost, b: Cost| a.wall.as_secs_f64() / b.wall.as_secs_f64();
    let mut processor = format!("scan: processor time {:.3} s", ours.cpu.as_secs_f64());
    for ([program, flags, pattern], costs) in others.into_iter().zip(theirs) {
        let cost = median(costs);
        let words = if pattern == TWO_WORDS {
            "two words"
        } else {
            "all level words, any case"
        };
        let beside = format!("{program} {flags}, {words}");
        processor += &format!("; {beside} {:.3} s", cost.cpu.as_secs_f64());
        let promised = pattern == TWO_WORDS;
        if program == "grep" {
            table.ratio(
                &format!("{what}: × speed of {beside}"),
                &speed(bytes, ours),
                &speed(bytes, cost),
                times(cost, ours),
                if promised {
                    Contract::AtLeast(3.0)
                } else {
                    Contract::None
                },
            );
        } else {
            table.ratio(
                &format!("{what}: × time of {beside}"),
                &format!("{:.3} s", ours.wall.as_secs_f64()),
                &format!("{:.3} s", cost.wall.as_secs_f64()),
                times(ours, cost),
                if promised {
                    Contract::AtMost(2.0)
                } else {
                    Contract::None
                },
            );
        }
    }
    table.value(
        "scan: most memory",
        ours.peak_memory as f64 / (1 << 20) as f64,
        "MiB",
        "–",
        Contract::AtMost(64.0),
    );
    table.note(processor);
    table.note(format!(
        "scan: medians of {ROUNDS} runs in turns, the file in the page cache, {LOCALE}; the tailer joins traces, classifies and prints the records; \
         the others count lines, into a file: two words '{TWO_WORDS}', all level words '{ALL_WORDS}'"
    ));
    Ok(())
}

fn speed(bytes: f64, cost: Cost) -> String {
    format!("{}B/s", short(bytes / cost.wall.as_secs_f64()))
}
