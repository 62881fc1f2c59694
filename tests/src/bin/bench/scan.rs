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
/// The tailer's own question: is there a word of ERROR or FATAL, in any case, whole? (It looks for
/// numbers and letters that are levels, too.) The contract is about this one.
const SAME_QUESTION: &str = r"\b(error|err|eror|erro|severe|fail|failure|fatal|fata|ftl|critical|crit|alert|emer|emerg|emergency|panic|pani|dpanic)\b";
/// Asks for less: two words as written, as people often type them.
const TWO_WORDS: &str = "ERROR|FATAL";
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
    let mut others = vec![["grep", "-ciE", SAME_QUESTION], ["grep", "-cE", TWO_WORDS]];
    if others::installed("rg") {
        others.extend([["rg", "-ci", SAME_QUESTION], ["rg", "-c", TWO_WORDS]]);
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
        let question = match pattern {
            TWO_WORDS => "two words as written",
            _ => "the same question",
        };
        let beside = format!("{program} {flags}, {question}");
        processor += &format!("; {beside} {:.3} s", cost.cpu.as_secs_f64());
        let contract = match (program, pattern) {
            ("grep", SAME_QUESTION) => Contract::AtLeast(1.3),
            _ => Contract::None,
        };
        table.ratio(
            &format!("{what}: × speed of {beside}"),
            &speed(bytes, ours),
            &speed(bytes, cost),
            times(cost, ours),
            contract,
        );
    }
    table.value(
        "scan: most memory",
        ours.peak_memory as f64 / (1 << 20) as f64,
        "MiB",
        "–",
        Contract::AtMost(16.0),
    );
    table.note(processor);
    table.note(format!(
        "scan: medians of {ROUNDS} runs in turns, one thread each, the file in the page cache, {LOCALE}; the tailer joins traces, \
         classifies and prints the records, the others count lines; same question: '{SAME_QUESTION}', two words: '{TWO_WORDS}'"
    ));
    Ok(())
}

fn speed(bytes: f64, cost: Cost) -> String {
    format!("{}B/s", short(bytes / cost.wall.as_secs_f64()))
}
