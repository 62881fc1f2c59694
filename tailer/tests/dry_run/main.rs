//! The command line without a database: a directory, a command, its output.

mod logs;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use logs::{Following, Logs};

/// The limit for what takes two seconds at most, and far longer where it does not work: enough for
/// a busy machine.
const PROMPTLY: Duration = Duration::from_secs(10);

/// The default of --rotate-wait.
const ROTATE_WAIT: Duration = Duration::from_secs(10);

/// A trace that pauses for longer is over.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[test]
fn a_record_is_a_json_line_with_its_bytes_of_the_file() {
    let logs = Logs::new();
    let quiet = "2026-11-22 10:00:00 INFO started\n";
    let loud = "2026-11-22T10:00:01Z ERROR disk full\n\tat a.B.c(B.java:1)\n";
    logs.append("app.log", format!("{quiet}{loud}{quiet}"));
    let records = logs.records(&["--tz", "UTC", "app.log"]);
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(
        record["file"].as_str().map(Path::new),
        Some(logs.path("app.log").as_path())
    );
    assert_eq!(record["start"], quiet.len());
    assert_eq!(record["end"], quiet.len() + loud.len());
    assert_eq!(record["level"], "ERROR");
    assert_eq!(record["logged_at"], "2026-11-22T10:00:01Z");
    assert_eq!(record["message"], "disk full");
    assert_eq!(record["detail"], "\tat a.B.c(B.java:1)");
    assert_eq!(record["fields"], Value::Null);
    assert_eq!(record["flags"], serde_json::json!([]));
}

#[test]
fn a_last_line_without_newline_is_left_for_later() {
    let logs = Logs::new();
    logs.append("app.log", "ERROR one\nERROR par");
    assert_eq!(logs.messages(&["app.log"]), ["one"]);
    logs.append("app.log", "tial\n");
    assert_eq!(logs.messages(&["app.log"]), ["one", "partial"]);
}

#[test]
fn multiline_may_be_off_or_a_pattern() {
    let logs = Logs::new();
    logs.append("app.log", "[1] ERROR a\nmore of a\n  ERROR b\n[2] ERROR c\n");
    let with = |how: &str| logs.records(&["--multiline", how, "app.log"]).len();
    assert_eq!(with("off"), 3);
    assert_eq!(with("auto"), 2);
    let records = logs.records(&["--multiline", r"^\[\d", "app.log"]);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["detail"], "more of a\n  ERROR b");
}

#[test]
fn the_least_level_is_error_or_what_is_asked_for() {
    let logs = Logs::new();
    logs.append("app.log", "DEBUG a\nINFO b\nWARN c\nERROR d\nFATAL e\n");
    let with = |level: &str| logs.records(&["--min-level", level, "app.log"]).len();
    assert_eq!(logs.records(&["app.log"]).len(), 2);
    assert_eq!(
        [with("fatal"), with("warning"), with("INFO"), with("debug")],
        [1, 3, 4, 5]
    );
}

#[test]
fn patterns_find_all_files_and_odd_bytes_are_flagged() {
    let logs = Logs::new();
    logs.append("a.log", "ERROR a\n");
    logs.append("b.log", b"ERROR b\xff\n");
    logs.append("c.txt", "ERROR c\n");
    let mut records = logs.records(&["*.log"]);
    records.sort_by_key(|record| record["file"].to_string());
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["message"], "b\u{FFFD}");
    assert!(
        records[1]["flags"]
            .as_array()
            .unwrap()
            .contains(&Value::from("bad_utf8"))
    );
}

/// CASES.md F12, F13: over-long lines and odd bytes take nothing else with them.
#[test]
fn an_over_long_line_hides_nothing() {
    let logs = Logs::new();
    logs.append(
        "app.log",
        [
            b"ERROR ".to_vec(),
            vec![b'x'; 10 << 20],
            b"\nERROR nul \0\nERROR y\n".to_vec(),
        ]
        .concat(),
    );
    let records = logs.records(&["app.log"]);
    assert_eq!(records.len(), 3);
    assert!(records[0]["message"].as_str().unwrap().len() <= 64 * 1024);
    assert!(
        records[0]["flags"]
            .as_array()
            .unwrap()
            .contains(&Value::from("truncated"))
    );
    assert!(
        records[1]["flags"]
            .as_array()
            .unwrap()
            .contains(&Value::from("nul"))
    );
    assert_eq!(records[2]["message"], "y");
}

/// CASES.md F6: a hole of 8 GiB is not read.
#[test]
fn a_hole_is_passed_over_at_once() {
    let logs = Logs::new();
    let file = fs::File::create(logs.path("app.log")).unwrap();
    file.set_len(8 << 30).unwrap();
    logs.append("app.log", "ERROR after the hole\n");
    let (message, cost) = logs.message_and_cost("app.log");
    assert_eq!(message, "after the hole");
    assert!(cost.read < 1 << 20, "{cost:?}");
}

#[test]
fn a_compressed_file_is_read_as_plain_text() {
    let logs = Logs::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"INFO a\nERROR b\n").unwrap();
    logs.append("app.log.gz", encoder.finish().unwrap());
    assert_eq!(logs.messages(&["app.log.gz"]), ["b"]);
}

#[test]
fn exit_codes_say_what_is_wrong() {
    let logs = Logs::new();
    logs.append("app.log", "INFO a\n");
    for (words, code, text) in [
        (
            &["--once", "--dry-run", "none.log"][..],
            66,
            "none.log: no such file",
        ),
        (&["--once", "--dry-run", "none*.log"], 66, "no file matches"),
        (
            &["--once", "--dry-run", "--tz", "Nowhere", "app.log"],
            2,
            "Nowhere",
        ),
        (&["--once"], 2, "FILE|GLOB"),
        (&["--max-runtime", "3", "app.log"], 2, "--once"),
        (&["--once", "-d", "sslmode=loud", "app.log"], 2, "sslmode"),
        (
            &["--once", "-h", "/nowhere", "-U", "me", "app.log"],
            69,
            "/nowhere/.s.PGSQL.5432",
        ),
    ] {
        let output = logs.run(words);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {message}");
        assert!(message.contains(text), "{words:?}: {message}");
    }
    assert!(logs.run(&["--help"]).status.success());
}

#[test]
fn following_prints_what_is_appended_through_a_rotation() {
    let logs = Logs::new();
    logs.append("app.log", "ERROR old\n");
    let mut following = Following::start(logs.tailer(&["--dry-run", "app.log"]));
    assert_eq!(following.next()["message"], "old");
    logs.append("app.log", "ERROR new\n");
    assert_eq!(following.next()["message"], "new");
    fs::rename(logs.path("app.log"), logs.path("app.log.1")).unwrap();
    logs.append("app.log.1", "ERROR after the rename\n");
    assert_eq!(following.next()["message"], "after the rename");
    logs.append("app.log", "ERROR next file\n");
    assert_eq!(following.next()["message"], "next file");
    fs::write(logs.path("app.log"), "ERROR truncated\n").unwrap();
    assert_eq!(following.next()["message"], "truncated");
}

#[test]
fn following_may_start_at_the_end() {
    let logs = Logs::new();
    logs.append("app.log", "ERROR old\n");
    logs.append("marker.log", "INFO x\n");
    let mut command = logs.tailer(&["--dry-run", "--from-end", "-v", "app.log"]);
    let mut following = Following::start({
        command.stderr(Stdio::piped());
        command
    });
    let mut remarks = BufReader::new(following.child.stderr.take().unwrap()).lines();
    let start = remarks
        .find(|line| line.as_ref().unwrap().contains("reading from byte"))
        .unwrap()
        .unwrap();
    assert!(start.contains("byte 10"), "{start}");
    logs.append("app.log", "ERROR new\n");
    assert_eq!(following.next()["message"], "new");
}

/// CASES.md F14: a line that comes in two pieces is one record.
#[test]
fn a_line_in_pieces_is_one_record() {
    let logs = Logs::new();
    logs.append("app.log", "ERROR first\nERROR par");
    let mut following = Following::start(logs.tailer(&["--dry-run", "app.log"]));
    assert_eq!(following.next()["message"], "first");
    logs.append("app.log", "tial\n");
    assert_eq!(following.next()["message"], "partial");
}

/// CASES.md F21.
#[test]
fn signals_end_it_within_two_seconds_whether_or_not_the_database_is_there() {
    let logs = Logs::new();
    logs.append("app.log", "ERROR a\n");
    for (words, signal) in [
        (&["--dry-run", "app.log"][..], libc::SIGTERM),
        (&["-h", "/nowhere", "-U", "me", "app.log"], libc::SIGINT),
    ] {
        let mut command = logs.tailer(words);
        command.arg("-v").stderr(Stdio::piped());
        let mut following = Following::start(command);
        let mut remark = String::new();
        BufReader::new(following.child.stderr.take().unwrap())
            .read_line(&mut remark)
            .unwrap();
        let started = Instant::now();
        following.signal(signal);
        assert!(following.child.wait().unwrap().success());
        assert!(started.elapsed() < PROMPTLY);
    }
}

#[test]
fn the_generator_crosses_the_thresholds_repeatably() {
    let logs = Logs::new();
    let generate = |name: &str| {
        let example = Path::new(env!("CARGO_BIN_EXE_logwatch-tailer"))
            .parent()
            .unwrap()
            .join("examples/generate_logs");
        let status = Command::new(example)
            .args(["--rate", "0", "--lines", "500", "--seed", "7", "--errors", "0.02"])
            .arg(logs.path(name))
            .status()
            .unwrap();
        assert!(status.success());
    };
    generate("a.log");
    generate("b.log");
    let levels = |name: &str| -> Vec<String> {
        logs.records(&[name])
            .iter()
            .map(|record| record["level"].as_str().unwrap().to_owned())
            .collect()
    };
    let found = levels("a.log");
    assert!(
        found.iter().filter(|level| *level == "ERROR").count() >= 5,
        "{found:?}"
    );
    assert!(found.iter().any(|level| level == "FATAL"), "{found:?}");
    assert_eq!(found, levels("b.log"));
}

/// CASES.md F16.
#[test]
fn utf_16_is_decoded_and_odd_names_are_followed() {
    use std::os::unix::ffi::OsStrExt;
    let logs = Logs::new();
    let utf16 = |text: &str, mark: &str| -> Vec<u8> {
        format!("{mark}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    let name = std::ffi::OsStr::from_bytes(b"\xff.log");
    let path = logs.path(name);
    fs::write(
        &path,
        utf16("INFO a\r\nERROR naïve 日本\r\nERROR par", "\u{feff}"),
    )
    .unwrap();
    let mut following = Following::start(logs.tailer(&["--dry-run", "*.log"]));
    let record = following.next();
    assert_eq!(record["message"], "naïve 日本");
    assert_eq!(record["flags"], serde_json::json!(["time_missing"]));
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&utf16("tial\r\n", "")).unwrap();
    assert_eq!(following.next()["message"], "partial");
    // Truncated and begun again.
    fs::write(&path, utf16("ERROR next\r\n", "\u{feff}")).unwrap();
    assert_eq!(following.next()["message"], "next");
}

#[test]
fn a_renamed_file_is_read_for_as_long_as_it_is_asked() {
    let logs = Logs::new();
    logs.append("app.log", "ERROR old\n");
    let mut command = logs.tailer(&["--dry-run", "--rotate-wait", "1", "-v", "app.log"]);
    let mut following = Following::start({
        command.stderr(Stdio::piped());
        command
    });
    let mut remarks = BufReader::new(following.child.stderr.take().unwrap()).lines();
    assert_eq!(following.next()["message"], "old");
    let started = Instant::now();
    fs::rename(logs.path("app.log"), logs.path("app.log.1")).unwrap();
    assert!(remarks.any(|line| line.unwrap().contains("read to its end")));
    assert!(started.elapsed() < ROTATE_WAIT);
}

/// CASES.md F6: NULs that are really there.
#[test]
fn half_a_gigabyte_of_nuls_is_passed_over_quickly() {
    let logs = Logs::new();
    let block = vec![0; 4 << 20];
    let mut file = fs::File::create(logs.path("app.log")).unwrap();
    for _ in 0..125 {
        file.write_all(&block).unwrap();
    }
    drop(file);
    logs.append("app.log", "ERROR after the NULs\n");
    let (message, cost) = logs.message_and_cost("app.log");
    assert_eq!(message, "after the NULs");
    // Lines of text of this size take 11 s in a debug build.
    assert!(cost.ticks < 200, "{cost:?}");
}

#[test]
fn a_format_overrides_what_is_recognised() {
    let logs = Logs::new();
    logs.append(
        "app.log",
        "22.11. ok=1 all well, no ERROR\n2026-11-22T10:00:00Z|E|INFO is the message\nmore of it\n2026-11-22T10:00:01Z|I|ERROR is no error\n",
    );
    let records = logs.records(&[
        "--format",
        r"^(?<time>[^|]+)\|(?<level>.)\|(?<message>.*)$",
        "--tz",
        "UTC",
        "app.log",
    ]);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!(record["level"], "ERROR");
    assert_eq!(record["logged_at"], "2026-11-22T10:00:00Z");
    assert_eq!(record["message"], "INFO is the message");
    assert_eq!(record["detail"], "more of it");
    assert_eq!(record["fields"], Value::Null);
    let output = logs.run(&["--dry-run", "--format", "log5j", "app.log"]);
    assert_eq!(output.status.code(), Some(2));
}

/// CASES.md F15. Played again where the machine made the writer pause for longer than a trace may.
#[test]
fn a_trace_that_crosses_a_rotation_is_one_record() {
    for input in ["app.log", "app.log*"] {
        let played = (0..20).find_map(|_| trace_across_a_rotation(input));
        let [record, next] = played.expect("a writer that pauses for less than a second");
        assert_eq!(record["message"], "request failed");
        assert_eq!(record["detail"].as_str().unwrap().lines().count(), 300, "{input}");
        assert_eq!(next["message"], "next");
    }
}

/// Writes a trace in three bursts with a rotation between, and returns the first two records;
/// `None` if the writer came too late.
fn trace_across_a_rotation(input: &str) -> Option<[Value; 2]> {
    let logs = Logs::new();
    logs.append("app.log", "INFO start\n");
    let mut command = logs.tailer(&["--dry-run", "-v", input]);
    let mut following = Following::start({
        command.stderr(Stdio::piped());
        command
    });
    // A file that is rotated before the first look is not read.
    let mut remarks = BufReader::new(following.child.stderr.take().unwrap()).lines();
    assert!(remarks.any(|line| line.unwrap().contains("reading from byte")));
    let frames = |from: usize| -> String {
        (from..from + 100)
            .map(|line| format!("\tat com.example.Deep.run(Deep.java:{line})\n"))
            .collect()
    };
    let mut last = Instant::now();
    let mut is_late = false;
    let mut burst = |text: String| {
        logs.append("app.log", text);
        let now = Instant::now();
        is_late |= now - last >= LONGEST_PAUSE;
        last = now;
    };
    // The pauses let the tailer read each part by itself.
    let pause = Duration::from_millis(300);
    burst(format!("ERROR request failed\n{}", frames(0)));
    std::thread::sleep(pause);
    fs::rename(logs.path("app.log"), logs.path("app.log.1")).unwrap();
    std::thread::sleep(pause);
    burst(frames(100));
    std::thread::sleep(pause);
    burst(format!("{}ERROR next\n", frames(200)));
    (!is_late).then(|| [following.next(), following.next()])
}

#[test]
fn a_file_born_and_rotated_before_the_first_look_is_read() {
    let logs = Logs::new();
    logs.append("app.log", "ERROR one\n");
    let mut following = Following::start(logs.tailer(&["--dry-run", "app.log"]));
    assert_eq!(following.next()["message"], "one");
    fs::rename(logs.path("app.log"), logs.path("app.log.2")).unwrap();
    logs.append("app.log.1", "ERROR two\n");
    logs.append("app.log", "ERROR three\n");
    assert_eq!(following.next()["message"], "two");
    assert_eq!(following.next()["message"], "three");
}
