//! Truncation: copytruncate under load, files that have regrown past the offset, sparse files that
//! it leaves behind.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use logwatch_tests::journal::{Journal, PREFIX, numbered};
use logwatch_tests::process::signal_pid;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::{Tailer, append};
use logwatch_tests::wait::{stays, wait_until};

use crate::{PROMPTLY, SOON};

/// The most memory that a tailer may ever use.
const MEMORY: u64 = 64 * 1024 * 1024;
const CYCLES: usize = 50;
const TRUNCATIONS: &str =
    "SELECT count(*) FROM logwatch.files WHERE source_id = {id} AND state = 'truncated'";

/// F4. The writer never stops, so some lines are written between the copy and the truncation:
/// nobody can have those but a tailer that was quick enough. All others are stored, and none twice.
#[test]
fn copytruncate_under_load_loses_only_what_the_copy_lost() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f4", &["app.log"])?;
    let log = files.path("app.log");
    files.write("app.log", &["line 0"])?;
    let tailer = Tailer::start(&server, &files.args(&["-v"]))?;
    files.wait(&server, SOON)?;
    let (now, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let written = std::thread::scope(|scope| -> Result<usize> {
        let writer = scope.spawn(|| write_quickly(&log, &now, &stop));
        let cycles = (|| -> Result<()> {
            for cycle in 0..CYCLES {
                // However slow the machine, the tailer has seen something of the file that is
                // truncated next.
                let start = now.load(Ordering::Relaxed);
                let seen = format!("SELECT max(substr(message, 6)::int) > {start} FROM logwatch.entries");
                server.wait_for_sql(SOON, &seen, "t")?;
                wait_until(SOON, "some lines", || {
                    Ok(now.load(Ordering::Relaxed) > start + 400)
                })?;
                files.copy_and_truncate("app.log", &format!("app.log-{cycle:03}"))?;
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().expect("the writer does not panic");
        cycles.and(written)
    })?;
    let mut left = BTreeSet::new();
    for entry in fs::read_dir(files.dir())? {
        let text = fs::read_to_string(entry?.path())?;
        left.extend(
            text.lines()
                .filter_map(|line| Some(line.strip_prefix(PREFIX)?.to_owned())),
        );
    }
    let mut stored = files.stored(&server)?;
    wait_until(SOON, "all lines that are in a file to be stored", || {
        stored = files.stored(&server)?;
        Ok(left.iter().all(|line| stored.contains_key(line)))
    })
    .map_err(|error| {
        let missing: Vec<_> = left.iter().filter(|line| !stored.contains_key(*line)).collect();
        error.context(format!(
            "{} of {} missing: {missing:?}",
            missing.len(),
            left.len()
        ))
    })?;
    let repeated: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    assert!(repeated.is_empty(), "stored more than once: {repeated:?}");
    let invented: Vec<_> = stored
        .keys()
        .filter(|line| {
            line.strip_prefix("line ")
                .and_then(|n| n.parse().ok())
                .is_none_or(|n: usize| n > written)
        })
        .collect();
    assert!(invented.is_empty(), "nobody wrote {invented:?}");
    drop(tailer);
    Ok(())
}

/// 5 000 lines a second as long as told, 1 of 5 an ERROR, each a write of its own. Returns the
/// number of the last line.
fn write_quickly(log: &Path, now: &AtomicUsize, stop: &AtomicBool) -> Result<usize> {
    let mut file = File::options().append(true).open(log)?;
    let started = Instant::now();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        if n % 5 == 0 {
            file.write_all(format!("{PREFIX}line {n}\n").as_bytes())?;
        } else {
            file.write_all(format!("2026-11-22 10:00:00 INFO nothing is wrong {n}\n").as_bytes())?;
        }
        now.store(n, Ordering::Relaxed);
        let due = Duration::from_micros(200) * u32::try_from(n)?;
        if let Some(early) = due
            .checked_sub(started.elapsed())
            .filter(|early| early.as_millis() >= 5)
        {
            std::thread::sleep(early);
        }
    }
    Ok(n)
}

/// Erlang's `disk_log` and `rotatelogs -n` use a few names in a circle.
#[test]
fn a_circle_of_files_gives_no_gap_for_the_one_that_begins_anew() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("circle", &["app.log.*"])?;
    let _tailer = files.follow(&server)?;
    for n in 0..6 {
        let name = if n < 5 { "app.log.1" } else { "app.log.2" };
        files.write(name, &[format!("line {n}")])?;
        files.wait(&server, SOON)?;
    }
    files.truncate("app.log.1")?;
    files.write("app.log.1", &["line 6"])?;
    files.wait(&server, SOON)?;
    assert_eq!(files.gaps(&server)?, [""; 0]);
    Ok(())
}

/// F4 with a pattern that matches the copies too
#[test]
fn copies_of_copytruncate_under_a_pattern_are_not_read_again() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f4", &["app.log*"])?;
    let tailer = files.follow(&server)?;
    for cycle in 0..6 {
        files.write("app.log", &numbered(&format!("cycle {cycle}"), 40))?;
        if cycle % 2 == 0 {
            files.wait(&server, SOON)?;
        }
        files.shift("app.log")?;
        files.copy_and_truncate("app.log", "app.log.1")?;
        if cycle % 3 == 0 {
            files.wait(&server, SOON)?;
        }
    }
    files.wait(&server, SOON)?;
    stays(Duration::from_secs(2), "each record once", || {
        Ok(files.stored(&server)? == *files.written())
    })?;
    drop(tailer);
    files.once(&server)?;
    files.check(&server)
}

/// F4, without a copy: what was written after the last look at the file and before its truncation
/// is lost, and each time a gap that begins where reading ended.
#[test]
fn truncation_under_load_without_a_copy_is_a_gap() -> Result<()> {
    const TIMES: usize = 10;
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f4", &["app.log"])?;
    let log = files.path("app.log");
    files.write("app.log", &["line 0"])?;
    let tailer = Tailer::start(&server, &files.args(&[]))?;
    files.wait(&server, SOON)?;
    let (now, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let is_read = |start: usize| {
        let read = format!("SELECT max(substr(message, 6)::int) > {start} FROM logwatch.entries");
        server.wait_for_sql(SOON, &read, "t")
    };
    let written = std::thread::scope(|scope| -> Result<usize> {
        let writer = scope.spawn(|| write_quickly(&log, &now, &stop));
        let cycles = (|| -> Result<()> {
            for _ in 0..TIMES {
                // The tailer has read several times in a file that grows.
                for _ in 0..3 {
                    is_read(now.load(Ordering::Relaxed))?;
                }
                signal_pid(tailer.pid(), libc::SIGSTOP);
                let start = now.load(Ordering::Relaxed);
                wait_until(SOON, "some lines that nobody reads", || {
                    Ok(now.load(Ordering::Relaxed) > start + 400)
                })?;
                files.truncate("app.log")?;
                signal_pid(tailer.pid(), libc::SIGCONT);
            }
            is_read(now.load(Ordering::Relaxed))
        })();
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().expect("the writer does not panic");
        cycles.and(written)
    })?;
    let last = format!("line {}", written - written % 5);
    wait_until(SOON, "the last line", || {
        Ok(files.stored(&server)?.contains_key(&last))
    })?;
    let stored = files.stored(&server)?;
    let repeated: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    assert!(repeated.is_empty(), "stored more than once: {repeated:?}");
    let is_stored = |n: &usize| stored.contains_key(&format!("line {n}"));
    let lines = (5..=written).step_by(5);
    let runs = lines.filter(|n| !is_stored(n) && is_stored(&(n - 5))).count();
    assert_eq!(runs, TIMES, "runs of lost lines");
    assert_eq!(files.gaps(&server)?, vec!["truncated"; TIMES]);
    let ranges = "SELECT count(*) FROM logwatch.gaps WHERE source_id = {id} AND 0 < from_byte AND from_byte <= to_byte";
    assert_eq!(files.sql(&server, ranges)?, TIMES.to_string());
    assert_eq!(files.sql(&server, TRUNCATIONS)?, TIMES.to_string());
    drop(tailer);
    Ok(())
}

/// F5, under the running tailer
#[test]
fn a_file_truncated_and_regrown_past_the_offset_has_no_hole() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f5", &["app.log"])?;
    files.write("app.log", &numbered("before", 500))?;
    let tailer = files.follow(&server)?;
    files.wait(&server, SOON)?;
    files.truncate("app.log")?;
    files.write("app.log", &numbered("after", 1000))?;
    files.wait(&server, SOON)?;
    assert_eq!(files.len(), 1500);
    wait_until(SOON, "the truncation to be counted", || {
        Ok(files.sql(&server, TRUNCATIONS)? == "1")
    })?;
    assert_eq!(files.gaps(&server)?, Vec::<String>::new(), "all of it was read");
    assert_eq!(tailer.output(), "", "nothing to be warned of");
    drop(tailer);
    files.once(&server)?;
    files.check(&server)
}

/// F5, while the tailer is stopped
#[test]
fn a_file_truncated_and_regrown_while_stopped_has_no_hole() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f5", &["app.log"])?;
    files.write("app.log", &numbered("before", 500))?;
    files.once(&server)?;
    files.truncate("app.log")?;
    files.write("app.log", &numbered("after", 1000))?;
    let said = files.once_warned(&server)?;
    assert!(said.contains("lost"), "{said:?}");
    files.check(&server)?;
    assert_eq!(files.gaps(&server)?, ["truncated"]);
    assert_eq!(files.sql(&server, TRUNCATIONS)?, "1");
    files.once(&server)?;
    files.check(&server)
}

/// F6. The writer's offset survives the truncation, so its next line makes a file of which nearly
/// all is a hole.
#[test]
fn a_line_after_500_megabytes_of_nothing_is_one_clean_row() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f6", &["app.log"])?;
    let mut writer = File::create(files.path("app.log"))?;
    files.write_to(&mut writer, &["before"])?;
    let tailer = files.follow(&server)?;
    files.wait(&server, SOON)?;
    // As if the writer had been there before logrotate truncated the file under it.
    files.truncate("app.log")?;
    writer.seek(SeekFrom::Start(500 << 20))?;
    files.write_to(&mut writer, &["after"])?;
    let sparse = writer.metadata()?.blocks() * 512 < 1 << 20;
    let started = Instant::now();
    files.wait(&server, SOON)?;
    let took = started.elapsed();
    assert!(!sparse || took < PROMPTLY, "it took {took:?}");
    let memory = tailer.peak_memory()?;
    assert!(memory < MEMORY, "{memory} bytes of memory");
    let flags = server.sql("SELECT count(flags) FROM logwatch.entries")?;
    assert_eq!(flags, "0", "the hole is no part of the record");
    Ok(())
}

/// F20, the part that cannot be read any more: what nobody can have is told.
#[test]
fn what_was_lost_while_nobody_looked_is_a_gap_in_the_status() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f20", &["app.log"])?;
    files.write("app.log", &numbered("read", 20))?;
    files.once(&server)?;
    append(&files.path("app.log"), &numbered("ERROR never seen", 5))?;
    // The writer still has it, so the new file gets another inode.
    let _writer = files.open("app.log")?;
    fs::remove_file(files.path("app.log"))?;
    files.write("app.log", &numbered("new", 20))?;
    let said = files.once_warned(&server)?;
    assert!(said.contains("is gone"), "{said:?}");
    files.check(&server)?;
    assert_eq!(files.gaps(&server)?, ["removed"]);
    let status = server.sql("SELECT message FROM logwatch_status() WHERE message LIKE '%1 gap%'")?;
    assert!(status.contains("removed"), "{status:?}");
    files.once(&server)?;
    files.check(&server)?;
    assert_eq!(files.gaps(&server)?.len(), 1);
    Ok(())
}
