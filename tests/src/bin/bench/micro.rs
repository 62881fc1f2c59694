//! Single steps of reading a record, by divan (extension/record/benches), beside the same steps of
//! the first edition.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use logwatch_tests::programs;

use crate::edition::Edition;
use crate::table::{Contract, Table, in_unit};

/// The editions run in turns, this often each; the fastest time of a step counts.
const TURNS: usize = 3;

/// The fastest nanoseconds of each step.
type Steps = BTreeMap<String, f64>;

pub fn run(table: &mut Table) -> Result<()> {
    let first = Edition::first()?;
    let (mut now, mut before) = (Steps::new(), Steps::new());
    for _ in 0..TURNS {
        measure(programs::checkout(), &mut now)?;
        if let Some(first) = first {
            measure(first.checkout(), &mut before)?;
        }
    }
    for (step, nanos) in &now {
        let first = before
            .get(step)
            .map_or("–".to_owned(), |nanos| in_unit(*nanos, "ns"));
        println!("{:>10} {first:>10}  {step}", in_unit(*nanos, "ns"));
    }
    let ratios: Vec<f64> = now
        .iter()
        .filter_map(|(step, nanos)| Some(nanos / before.get(step)?))
        .collect();
    if ratios.is_empty() {
        table.skipped("steps of reading a record", "no first edition");
        return Ok(());
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    table.ratio(
        &format!("{} steps of reading a record, geometric mean", ratios.len()),
        &format!("slowest step {worst:.2}"),
        "time in the first edition",
        mean,
        Contract::AtMost(1.05),
    );
    Ok(())
}

/// Runs the steps of one edition once, and keeps the shortest times.
fn measure(checkout: &Path, steps: &mut Steps) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "bench",
            "--quiet",
            "--package",
            "logwatch-record",
            "--bench",
            "record",
        ])
        // The clock costs more than a quick step: one look at it for many.
        .args(["--", "--sample-size", "256"])
        .current_dir(checkout)
        .env_remove("CARGO_TARGET_DIR")
        .output()?;
    if !output.status.success() {
        bail!(
            "cargo bench ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8(output.stdout)?;
    let found = read(&text)?;
    ensure!(!found.is_empty(), "cargo bench printed no times");
    for (step, nanos) in found {
        let fastest = steps.entry(step).or_insert(f64::MAX);
        *fastest = fastest.min(nanos);
    }
    Ok(())
}

/// Reads the tree that divan prints: a step's name is that of its group and that of its line.
fn read(text: &str) -> Result<Vec<(String, f64)>> {
    let mut group = "";
    let mut steps = Vec::new();
    for line in text.lines() {
        // The name and the fastest time, then five columns.
        let Some(name) = line.rsplitn(6, '│').nth(5).map(str::trim_end) else {
            continue;
        };
        let Some(at) = name.find(['├', '╰']) else {
            continue;
        };
        let label = name[at..].trim_start_matches(['├', '╰', '─']).trim_start();
        let timed = label
            .rsplit_once(' ')
            .filter(|(_, unit)| ["ns", "µs", "ms"].contains(unit));
        let Some((label, unit)) = timed else {
            group = label;
            continue;
        };
        let (label, figure) = label.rsplit_once(' ').context("a step without a time")?;
        let nanos = figure.parse::<f64>()?
            * match unit {
                "ns" => 1.0,
                "µs" => 1e3,
                _ => 1e6,
            };
        let group = if at == 0 { "" } else { group };
        steps.push((
            format!("{group} {}", label.trim_end()).trim_start().to_owned(),
            nanos,
        ));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_named_after_their_group() {
        let tree = "\
Timer precision: 15 ns
record           fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ fingerprint   4.681 ns      │ 9.693 ns      │ 4.726 ns      │ 4.781 ns      │ 100     │ 51200
│                17.73 GB/s    │ 8.562 GB/s    │ 17.56 GB/s    │ 17.36 GB/s    │         │
╰─ read                        │               │               │               │         │
   ├─ a 1 │ b    27.87 ns      │ 28.11 µs      │ 29.87 ns      │ 311.4 ns      │ 100     │ 100
   ╰─ c          1.074 µs      │ 6.075 µs      │ 1.112 µs      │ 1.225 µs      │ 100     │ 100
";
        let steps = read(tree).unwrap();
        let steps: Vec<(&str, f64)> = steps.iter().map(|(step, nanos)| (&**step, *nanos)).collect();
        assert_eq!(
            steps,
            [
                ("fingerprint", 4.681),
                ("read a 1 │ b", 27.87),
                ("read c", 1074.0)
            ]
        );
    }
}
