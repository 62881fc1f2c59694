//! Scanning: how fast a log with few errors is gone through, beside the programs that people search with.

use std::fs;
use std::process::Command;

use anyhow::Result;
use logwatch_tests::programs;

use crate::input;
use crate::measure::{self, Cost, median, short};
use crate::others;
use crate::table::{Contract, Table};

const ROUNDS: usize = 5;
/// What somebody would search for; the tailer finds all words of these levels, in any case, and their stack traces.
const PATTERN: &str = "ERROR|FATAL";
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
        measure::run(&mut command)
    };
    let search = |program: &str, flags: &str| {
        measure::run(
            Command::new(program)
                .args([flags, PATTERN])
                .arg(path)
                .env("LC_ALL", "C.UTF-8"),
        )
    };
    // Once for the page cache.
    tailer()?;
    let rg = others::installed("rg");
    let (mut ours, mut grep, mut ripgrep) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        ours.push(tailer()?);
        grep.push(search("grep", "-cE")?);
        if rg {
            ripgrep.push(search("rg", "-c")?);
        }
    }
    let speed = |cost: Cost| format!("{}B/s", short(bytes / cost.wall.as_secs_f64()));
    let (ours, grep) = (median(ours), median(grep));
    let what = format!(
        "scan {:.2} GiB, 1 % errors, --once --dry-run",
        bytes / (1u64 << 30) as f64
    );
    let times = |a: Cost, b: Cost| a.wall.as_secs_f64() / b.wall.as_secs_f64();
    table.ratio(
        &format!("{what}: × speed of grep -cE"),
        &speed(ours),
        &speed(grep),
        times(grep, ours),
        Contract::AtLeast(3.0),
    );
    if rg {
        let ripgrep = median(ripgrep);
        table.ratio(
            &format!("{what}: × time of rg -c"),
            &format!("{:.3} s", ours.wall.as_secs_f64()),
            &format!("{:.3} s", ripgrep.wall.as_secs_f64()),
            times(ours, ripgrep),
            Contract::AtMost(2.0),
        );
        table.note(format!(
            "scan: processor time {:.3} s, grep {:.3} s, rg {:.3} s",
            ours.cpu.as_secs_f64(),
            grep.cpu.as_secs_f64(),
            ripgrep.cpu.as_secs_f64()
        ));
    } else {
        table.skipped("scan beside rg -c", "ripgrep is not installed");
    }
    table.value(
        "scan: most memory",
        ours.peak_memory as f64 / (1 << 20) as f64,
        "MiB",
        "–",
        Contract::AtMost(64.0),
    );
    Ok(())
}
