//! Standard input and FIFOs: what a pipe gives is read once, as it comes, and its end is the end.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn tailer(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logwatch-tailer"));
    command
        .env_clear()
        .arg("--dry-run")
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn start(words: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = tailer(words).stdin(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

fn next(lines: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// All that a tailer says of this input.
fn read(input: &[u8], words: &[&str]) -> (Output, Vec<Value>) {
    let mut child = tailer(words).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || pipe.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let records = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output, records)
}

#[test]
fn standard_input_is_read_to_its_end_and_silently() {
    let (output, records) = read(b"INFO a\nERROR b\n\tat c\n\0\0ERROR d\nERROR no newline", &["-"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let messages: Vec<_> = records
        .iter()
        .map(|record| record["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["b", "d", "no newline"]);
    assert_eq!(records[0]["file"], "-");
    assert_eq!(records[0]["detail"], "\tat c");
    assert_eq!(
        (&records[0]["start"], &records[0]["end"]),
        (&7.into(), &21.into())
    );
}

#[test]
fn a_flood_on_standard_input_is_read_whole() {
    let input = "INFO nothing\nERROR x\n".repeat(50_000);
    let (output, records) = read(input.as_bytes(), &["--once", "-"]);
    assert!(output.status.success());
    assert_eq!(records.len(), 50_000);
    assert_eq!(records[49_999]["end"], input.len());
}

#[test]
fn the_journal_as_json_is_understood() {
    let input = concat!(
        r#"{"PRIORITY":"6","MESSAGE":"started","__REALTIME_TIMESTAMP":"1763805600000000"}"#,
        "\n",
        r#"{"__CURSOR":"s=1","PRIORITY":"3","_PID":"7","MESSAGE":"disk full","__REALTIME_TIMESTAMP":"1763805600000000"}"#,
        "\n",
    );
    let (_, records) = read(input.as_bytes(), &["-"]);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["level"], "ERROR");
    assert_eq!(records[0]["message"], "disk full");
    assert_eq!(records[0]["logged_at"], "2025-11-22T10:00:00Z");
}

#[test]
fn records_come_out_while_the_pipe_is_open() {
    let (mut child, mut lines) = start(&["-"]);
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"ERROR one\nERROR tw").unwrap();
    assert_eq!(next(&mut lines)["message"], "one");
    pipe.write_all(b"o\n").unwrap();
    assert_eq!(next(&mut lines)["message"], "two");
    drop(pipe);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_fifo_is_followed_from_writer_to_writer_until_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (mut child, mut lines) = start(&[path.to_str().unwrap()]);
    for text in ["first", "second"] {
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        writeln!(writer, "ERROR {text}").unwrap();
        drop(writer);
        assert_eq!(next(&mut lines)["message"], text);
    }
    let pid = libc::pid_t::try_from(child.id()).unwrap();
    let started = Instant::now();
    // SAFETY: sends a signal to a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    assert!(child.wait().unwrap().success());
    // Without the signal it would wait for the next writer.
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_pipe_is_read_alone() {
    let (output, _) = read(b"", &["-", "a.log"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot read \"-\" together with other inputs"));
}
