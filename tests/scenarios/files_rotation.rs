//! Rotation while nobody looks, while everybody looks, with compression and with patterns that
//! match the rotated files too.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use logwatch_tests::journal::{Journal, numbered};
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::stays;

use crate::SOON;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// F7
#[test]
fn two_rotations_while_stopped_are_read_in_the_order_of_writing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f7", &["app.log"])?;
    files.write("app.log", &numbered("a", 10))?;
    files.once(&server)?;
    files.write("app.log", &numbered("b", 10))?;
    files.rename("app.log", "app.log.1")?;
    files.write("app.log", &numbered("c", 10))?;
    files.rename("app.log.1", "app.log.2")?;
    files.gzip("app.log.2")?;
    files.rename("app.log", "app.log.1")?;
    files.write("app.log", &numbered("d", 10))?;
    files.once(&server)?;
    files.check(&server)?;
    let tags = files.sql(
        &server,
        "SELECT string_agg(left(message, 1), '' ORDER BY id) FROM logwatch.entries WHERE source_id = {id}",
    )?;
    assert_eq!(tags, ["a", "b", "c", "d"].map(|tag| tag.repeat(10)).concat());
    files.once(&server)?;
    files.check(&server)
}

/// F7 with logrotate's `dateext`
#[test]
fn rotations_by_date_while_stopped_lose_nothing() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f7", &["app.log"])?;
    files.write("app.log", &numbered("a", 10))?;
    files.once(&server)?;
    files.write("app.log", &numbered("b", 10))?;
    files.rename("app.log", "app.log-20261120")?;
    files.age("app.log-20261120", DAY * 2)?;
    files.write("app.log", &numbered("c", 10))?;
    files.rename("app.log", "app.log-20261121")?;
    files.age("app.log-20261121", DAY)?;
    files.gzip("app.log-20261120")?;
    files.write("app.log", &numbered("d", 10))?;
    files.catch_up(&server)
}

/// F8: the pattern matches the live file, the rotated and the compressed ones.
#[test]
fn twenty_compressing_rotations_under_a_pattern_send_nothing_twice() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f8", &["app.log*"])?;
    let tailer = files.follow(&server)?;
    for round in 0..20 {
        files.write("app.log", &numbered(&format!("round {round}"), 20))?;
        // Half of the rotations come while the tailer is behind.
        if round % 2 == 0 {
            files.wait(&server, SOON)?;
        }
        files.shift("app.log")?;
        files.rename("app.log", "app.log.1")?;
        fs::write(files.path("app.log"), "")?;
        if round % 3 == 0 {
            files.wait(&server, SOON)?;
        }
        files.gzip("app.log.1")?;
    }
    files.wait(&server, SOON)?;
    drop(tailer);
    let tailer = files.follow(&server)?;
    files.write("app.log", &["after a restart"])?;
    files.wait(&server, SOON)?;
    stays(Duration::from_secs(2), "each record once", || {
        Ok(files.stored(&server)? == *files.written())
    })?;
    drop(tailer);
    files.once(&server)?;
    files.check(&server)?;
    assert_eq!(files.gaps(&server)?, Vec::<String>::new());
    Ok(())
}

/// F14, across runs: the record waits for its newline, however long.
#[test]
fn a_line_without_newline_is_one_record_when_it_is_whole() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("f14", &["app.log"])?;
    let mut writer = files.open("app.log")?;
    writer.write_all(b"2026-11-22 10:00:00 ERROR par")?;
    files.once(&server)?;
    files.check(&server)?;
    writer.write_all(b"tial\n")?;
    files.expect("partial");
    files.once(&server)?;
    files.check(&server)?;

    let tailer = files.follow(&server)?;
    writer.write_all(b"2026-11-22 10:00:00 ERROR second par")?;
    stays(Duration::from_millis(1500), "only whole lines are stored", || {
        Ok(files.stored(&server)? == *files.written())
    })?;
    writer.write_all(b"tial\n")?;
    files.expect("second partial");
    files.wait(&server, SOON)?;
    drop(tailer);
    Ok(())
}

/// F15. Played again where the machine made the writer pause for longer than a trace may.
#[test]
fn a_stack_trace_in_three_bursts_across_a_rename_is_one_record() -> Result<()> {
    let server = Server::without_worker(&[])?;
    for attempt in 0..20 {
        if trace_in_three_bursts(&server, attempt)? {
            return Ok(());
        }
    }
    bail!("no writer that pauses for less than {TRACE_PAUSE:?}");
}

/// A trace that pauses for longer is over.
const TRACE_PAUSE: Duration = Duration::from_secs(1);

/// Writes the trace, and returns false if the writer came too late.
fn trace_in_three_bursts(server: &Server, attempt: usize) -> Result<bool> {
    let mut files = Journal::new(&format!("f15 {attempt}"), &["app.log"])?;
    let mut writer = files.open("app.log")?;
    files.write_to(&mut writer, &["before"])?;
    let tailer = files.follow(server)?;
    files.wait(server, SOON)?;
    let frames: Vec<String> = (0..300)
        .map(|n| format!("\tat com.example.Pay.step{n}(Pay.java:{n})"))
        .collect();
    let quiet = |files: &Journal| -> Result<bool> {
        std::thread::sleep(Duration::from_millis(300));
        Ok(files.stored(server)? == *files.written())
    };
    let headline = "payment failed: java.lang.IllegalStateException: no money";
    let began = Instant::now();
    writeln!(
        writer,
        "2026-11-22 10:00:00 ERROR {headline}\n{}",
        frames[..100].join("\n")
    )?;
    let is_quiet = quiet(&files)?;
    let (start, rest) = frames[150].split_at(7);
    write!(writer, "{}\n{start}", frames[100..150].join("\n"))?;
    let second = Instant::now();
    if second - began >= TRACE_PAUSE {
        return Ok(false);
    }
    files.rename("app.log", "app.log.1")?;
    let stays_quiet = quiet(&files)?;
    writeln!(writer, "{rest}\n{}", frames[151..].join("\n"))?;
    if second.elapsed() >= TRACE_PAUSE {
        return Ok(false);
    }
    ensure!(is_quiet && stays_quiet, "a part of the trace is stored");
    drop(writer);
    files.expect(&format!("{headline}\n{}", frames.join("\n")));
    files.write("app.log", &["after"])?;
    files.wait(server, SOON)?;
    drop(tailer);
    Ok(true)
}

#[test]
fn the_packages_logrotate_example_loses_nothing_under_a_tailer() -> Result<()> {
    let server = Server::without_worker(&[])?;
    let mut files = Journal::new("logrotate", &["*.log"])?;
    let example = fs::read_to_string(programs::checkout().join("tailer/package/logwatch-tailer.logrotate"))?;
    let owner = |flag: &str| -> Result<String> {
        let told = Command::new("id").arg(flag).output()?.stdout;
        Ok(String::from_utf8(told)?.trim_end().to_owned())
    };
    // The example with this test's folder, and what it makes anew belongs to us.
    let rules = example
        .replacen("/var/log/app/", &format!("{}/", files.dir().display()), 1)
        .replacen("app adm", &format!("{} {}", owner("-un")?, owner("-gn")?), 1);
    let config = files.path("logrotate.conf");
    fs::write(&config, rules)?;
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644))?;
    files.write("app.log", &numbered("before", 10))?;
    let _tailer = files.follow(&server)?;
    // A file rotated before the first look would not be read.
    files.wait(&server, SOON)?;
    for round in 0..4 {
        files.write("app.log", &numbered(&format!("round {round}"), 10))?;
        let output = Command::new("/usr/sbin/logrotate")
            .args(["--force", "--state"])
            .args([files.path("state"), config.clone()])
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    files.write("app.log", &numbered("after", 10))?;
    files.wait(&server, SOON)?;
    assert_eq!(files.gaps(&server)?, [""; 0]);
    for name in ["app.log", "app.log.1", "app.log.2.gz", "app.log.4.gz"] {
        assert!(files.path(name).exists(), "{name} of:\n{}", files.listing());
    }
    Ok(())
}
