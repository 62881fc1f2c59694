//! The cost of a run: wall-clock time, processor time, memory.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time together.
    pub cpu: Duration,
    pub peak_memory: u64,
}

/// Runs a program to its end. Its output goes to a file: some programs do less work when it goes to
/// /dev/null.
pub fn run(command: &mut Command) -> Result<Cost> {
    run_into(command, tempfile::tempfile()?.into())
}

/// The same with the output elsewhere.
pub fn run_into(command: &mut Command, output: Stdio) -> Result<Cost> {
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(output).spawn();
    let name = command.get_program().to_string_lossy();
    let child = child.with_context(|| format!("cannot start {name}"))?;
    let pid = child.id().cast_signed();
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: the pid is a child of ours that nobody else waits for; both results are ours
    // to write. All fields of rusage are plain numbers.
    let (ended, usage) = unsafe {
        let ended = libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr());
        (ended, usage.assume_init())
    };
    let wall = started.elapsed();
    let status = ExitStatus::from_raw(status);
    if ended != pid || !status.success() {
        bail!("{name} ended with {status}");
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    Ok(Cost {
        wall,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_memory: usage.ru_maxrss.unsigned_abs() * 1024,
    })
}

/// The middle one of some costs, by time on the wall, with the largest memory.
pub fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by_key(|cost| cost.wall);
    let peak_memory = costs
        .iter()
        .map(|cost| cost.peak_memory)
        .max()
        .unwrap_or_default();
    let mut cpu: Vec<Duration> = costs.iter().map(|cost| cost.cpu).collect();
    cpu.sort();
    Cost {
        wall: costs[costs.len() / 2].wall,
        cpu: cpu[cpu.len() / 2],
        peak_memory,
    }
}

/// The value below which the share `part` of the values lies.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 - 1.0) * part).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// User and system time of a process so far, without its children.
pub fn cpu_of(pid: i32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .context("/proc/PID/stat has no name")?
        .1
        .split_ascii_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    // SAFETY: sysconf has no preconditions.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// `1234567.0` as `1.23 M`.
pub fn short(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.2} M", n / 1e6),
        n if n >= 1e4 => format!("{:.0} k", n / 1e3),
        n if n >= 1e3 => format!("{:.1} k", n / 1e3),
        n if n >= 100.0 => format!("{n:.0}"),
        n => format!("{n:.2}"),
    }
}

/// A time in milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
