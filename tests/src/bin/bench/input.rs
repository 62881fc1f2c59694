//! The input of the measurements: generated logs, and a server with default settings.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use logwatch_tests::programs;
use logwatch_tests::server::Server;

/// A number from the environment, for shorter or longer runs.
pub fn size(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{name}={text}: not a number")),
        Err(_) => Ok(default),
    }
}

/// A log of so many records, of which the share `errors` are ERROR or FATAL; the same at every run
/// but for its times.
pub fn log(directory: &Path, name: &str, lines: u64, errors: f64, format: Option<&str>) -> Result<PathBuf> {
    let path = directory.join(name);
    let mut command = Command::new(programs::built("examples/generate_logs")?);
    command.args(["--rate", "0", "--seed", "7", "--lines", &lines.to_string()]);
    command.args(["--errors", &errors.to_string()]);
    if let Some(format) = format {
        command.args(["--format", format]);
    }
    if !command.arg(&path).status()?.success() {
        bail!("the log generator failed");
    }
    Ok(path)
}

/// A log of an hour in which nearly every record has a second and pattern of its own, of 200
/// patterns.
pub fn spread_log(directory: &Path, records: u64) -> Result<PathBuf> {
    const HEADS: u64 = 200;
    let path = directory.join("spread.log");
    let mut file = BufWriter::new(File::create(&path)?);
    let started = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    for number in 0..records {
        let at = started + jiff::SignedDuration::from_millis((number * 3_600_000 / records).cast_signed());
        // The next records have other heads; no letter is a hexadecimal digit, which a mask hides.
        let head = number * 7 % HEADS;
        let letter = |n: u64| char::from(b'g' + (n % 15) as u8);
        writeln!(
            file,
            "{} ERROR component {}{} failed: order {number} timed out after {} ms, giving up",
            at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
            letter(head / 15),
            letter(head),
            number % 5000
        )?;
    }
    file.flush()?;
    Ok(path)
}

/// A server with the worker, and with settings as a small server has them. Unlike in the tests a
/// commit is on disk when it returns.
pub fn server(more: &[(&str, &str)]) -> Result<Server> {
    let mut settings = vec![
        ("fsync", "on"),
        ("shared_buffers", "512MB"),
        ("max_wal_size", "4GB"),
    ];
    settings.extend_from_slice(more);
    Server::with_worker(&settings)
}

/// Waits until today's writes are on disk, so that one side's are not the other's burden.
pub fn settle(server: &Server) -> Result<()> {
    server.sql("CHECKPOINT")?;
    Ok(())
}
