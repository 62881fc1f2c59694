//! A directory with log files, and the runs of the tailer in it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A directory with log files.
pub struct Logs(TempDir);

impl Logs {
    pub fn new() -> Logs {
        Logs(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    pub fn tailer(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logwatch-tailer"));
        command.current_dir(self.0.path()).env_clear().args(words);
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.tailer(words).output().unwrap()
    }

    /// The records of a dry run to the end.
    pub fn records(&self, words: &[&str]) -> Vec<Value> {
        let output = self.run(&[&["--once", "--dry-run"], words].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "",
            "silent when all is well"
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn messages(&self, words: &[&str]) -> Vec<String> {
        self.records(words)
            .iter()
            .map(|record| record["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The only record of a dry run to the end, and the cost of the run.
    pub fn message_and_cost(&self, name: &str) -> (Value, Cost) {
        let mut run = Following::start(self.tailer(&["--once", "--dry-run", name]));
        let record = run.next();
        let mut rest = String::new();
        run.lines.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        let cost = Cost::of(&run.child);
        assert!(run.child.wait().unwrap().success());
        (record["message"].clone(), cost)
    }
}

/// The cost of a run, by measures that a busy machine does not change.
#[derive(Debug)]
pub struct Cost {
    /// Time on a processor, in ticks of 10 ms.
    pub ticks: u64,
    /// Bytes read from files.
    pub read: u64,
}

impl Cost {
    /// Waits until the process has ended, and leaves it to be waited for.
    fn of(child: &Child) -> Cost {
        let file = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
        loop {
            // After the name: state, and from the twelfth on user and system time.
            let stat = file("stat");
            let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
            if fields[0] == "Z" {
                let number = |text: &str| text.parse::<u64>().unwrap();
                return Cost {
                    ticks: number(fields[11]) + number(fields[12]),
                    read: number(file("io").lines().next().unwrap().trim_start_matches("rchar: ")),
                };
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A tailer that follows, and is ended with the test.
pub struct Following {
    pub child: Child,
    lines: BufReader<ChildStdout>,
}

impl Following {
    pub fn start(mut command: Command) -> Following {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Following { child, lines }
    }

    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub fn signal(&self, signal: i32) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: sends a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
