//! The tailer's memory is bounded whatever the files hold. (A line of 200 MB: F13 in
//! `files_content`; a hole: F6 in `files_truncation`; an outage: F20 in `files_outage`.)

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write as _};

use anyhow::{Result, ensure};
use logwatch_tests::journal::{Journal, PREFIX};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;

use crate::SOON;

const MEMORY: u64 = 64 * 1024 * 1024;

fn is_bounded(tailer: &Tailer) -> Result<()> {
    let memory = tailer.peak_memory()?;
    ensure!(memory < MEMORY, "{memory} bytes of memory");
    Ok(())
}

#[test]
fn a_record_of_a_million_lines_is_cut() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let files = Journal::new("memory", &["app.log"])?;
    let mut file = BufWriter::new(File::create(files.path("app.log"))?);
    writeln!(file, "{PREFIX}java.lang.StackOverflowError")?;
    for n in 0..1_000_000 {
        writeln!(file, "\tat com.example.Deep.down(Deep.java:{n})")?;
    }
    writeln!(file, "{PREFIX}next")?;
    drop(file);
    let tailer = files.follow(&server)?;
    server.wait_for_sql(SOON * 4, "SELECT count(*) FROM logwatch.entries", "2")?;
    is_bounded(&tailer)?;
    let stored = server.sql("SELECT length(detail) < 300000, 'truncated' = ANY (flags) FROM logwatch.entries WHERE detail IS NOT NULL")?;
    assert_eq!(stored, "t|t");
    Ok(())
}

/// Half a gigabyte, or as many bytes as LOGWATCH_LINE says.
#[test]
fn a_line_of_half_a_gigabyte_is_cut() -> Result<()> {
    let length = match std::env::var("LOGWATCH_LINE") {
        Ok(length) => length.parse()?,
        Err(_) => 512 << 20,
    };
    let server = Server::without_worker(&[])?;
    let files = Journal::new("memory", &["app.log"])?;
    let mut file = File::create(files.path("app.log"))?;
    write!(file, "{PREFIX}long")?;
    file.seek(SeekFrom::Start(length))?;
    write!(file, "\n{PREFIX}next\n")?;
    let tailer = files.follow(&server)?;
    server.wait_for_sql(
        SOON * 4,
        "SELECT count(*) FROM logwatch.entries WHERE message = 'next'",
        "1",
    )?;
    is_bounded(&tailer)?;
    assert_eq!(server.sql("SELECT count(*) FROM logwatch.entries")?, "2");
    Ok(())
}

/// Full batches of large records, and more files than a process may have open by default.
#[test]
fn a_thousand_files_with_large_records_at_once_are_read() -> Result<()> {
    const FILES: usize = 1100;
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("memory", &["*.log"])?;
    for n in 0..FILES {
        files.write(&format!("{n}.log"), &[format!("file {n} {}", "x".repeat(5_000))])?;
    }
    let tailer = files.follow(&server)?;
    files.wait(&server, SOON * 2)?;
    let late: Vec<usize> = (0..FILES).step_by(100).collect();
    for n in late {
        files.write(&format!("{n}.log"), &[format!("late in file {n}")])?;
    }
    files.wait(&server, SOON)?;
    is_bounded(&tailer)
}
