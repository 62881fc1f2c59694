//! Libraries of other languages that rotate logs: Ruby's Logger, Go's lumberjack, Perl's
//! Log::Dispatch::FileRotate, Erlang's logger, java.util.logging, Python's loguru and Twisted.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use super::Mode::{Down, Once};
use super::writers::Clock::{Always, Seconds};
use super::writers::{Clock, Rotator};
use super::{Row, java, node};
use crate::programs;

const LIVE: &[&str] = &["log/app.log"];
const FAMILY: &[&str] = &["log/app.log*"];
const ALL: &[&str] = &["log/*"];

/// A folder of `target/`.
fn target(folder: &str) -> PathBuf {
    programs::checkout().join("target").join(folder)
}

/// Returns whether this folder of `target/` is there; else it says that its rows are skipped.
pub(super) fn library(folder: &str) -> bool {
    let there = target(folder).exists();
    if !there {
        println!("skipped: {folder} is not installed (extension/package/install_missing.sh test)");
    }
    there
}

/// A shell starts the program. It knows this folder of `target/` as $there, and the folder of these
/// sources as $here.
fn started(name: &str, patterns: &'static [&'static str], clock: Clock, folder: &str, script: &str) -> Row {
    let here = programs::checkout().join("tests/src/rotators");
    let script = format!(
        "there='{}' here='{}'; {script}",
        target(folder).display(),
        here.display()
    );
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    Row::new(name, patterns, Rotator::Program { command, clock })
}

fn ruby() -> Vec<Row> {
    let row = |name: &str, patterns, clock, words: &str| {
        const START: &str = "export RUBYLIB=$there/usr/lib/ruby/3.1.0:$there/usr/lib/x86_64-linux-gnu/ruby/3.1.0 \
             LD_LIBRARY_PATH=$there/usr/lib/x86_64-linux-gnu; exec $there/usr/bin/ruby3.1 --disable=gems $here/rotate.rb {}/log/app.log";
        started(
            &format!("ruby {name}"),
            patterns,
            clock,
            "ruby",
            &format!("{START} {words}"),
        )
    };
    vec![
        row("size *", FAMILY, Always, "20 4096"),
        row("size 2", LIVE, Always, "2 4096").destroys(&[Down]),
        row("period", LIVE, Seconds(1), "1s"),
    ]
}

fn perl() -> Vec<Row> {
    let row = |name: &str, patterns, words: &str| {
        const START: &str = "export PERL5LIB=$there/usr/share/perl5:$there/usr/lib/x86_64-linux-gnu/perl5/5.36; \
             exec perl $here/rotate.pl {}/log/app.log size=4096";
        started(
            &format!("perl {name}"),
            patterns,
            Always,
            "perl",
            &format!("{START} {words}"),
        )
    };
    vec![row("size *", FAMILY, "max=20")]
}

fn erlang() -> Vec<Row> {
    let row = |name: &str, patterns, words: &str| {
        const START: &str = "export ROOTDIR=$there/usr/lib/erlang BINDIR=$(echo $there/usr/lib/erlang/erts-*/bin) EMU=beam PROGNAME=erl; \
             exec $BINDIR/erlexec -boot $ROOTDIR/bin/no_dot_erlang -noshell -run escript start -extra $here/rotate.erl {}/log/app.log";
        started(
            &format!("erlang {name}"),
            patterns,
            Always,
            "erlang",
            &format!("{START} {words}"),
        )
    };
    vec![
        row("gz", LIVE, "gzip 20"),
        row("size 2", LIVE, "logger_std_h 2").destroys(&[Down]),
        // The oldest is written anew.
        row("disk_log 3", &["log/app.log.[0-9]"], "logger_disk_log_h 3").destroys(&[Down]),
    ]
}

/// Compiles the program that logs through lumberjack, once. Returns its path.
fn lumberjack_program() -> Result<PathBuf> {
    static COMPILED: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let compile = || -> Result<PathBuf> {
        let go = target("go");
        let (root, program) = (go.join("usr/lib/go-1.19"), go.join("lumberjack"));
        // Another process may compile it, or start it, at the same time.
        let new = tempfile::tempdir_in(&go)?;
        let output = Command::new(root.join("bin/go"))
            .args(["build", "-o"])
            .arg(new.path().join("lumberjack"))
            .arg(programs::checkout().join("tests/src/rotators/rotate.go"))
            .env("GOROOT", &root)
            .env("GOPATH", go.join("usr/share/gocode"))
            .env("GOCACHE", go.join("cache"))
            .env("GO111MODULE", "off")
            .env("CGO_ENABLED", "0")
            .output()
            .context("cannot start go")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::rename(new.path().join("lumberjack"), &program)?;
        Ok(program)
    };
    COMPILED
        .get_or_init(|| compile().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

fn lumberjack() -> Result<Vec<Row>> {
    let program = lumberjack_program()?.display().to_string();
    let row = |name: &str, patterns, words: &str| {
        started(
            &format!("lumberjack {name}"),
            patterns,
            Always,
            "go",
            &format!("exec {program} {{}}/log/app.log {words}"),
        )
    };
    Ok(vec![
        row("gz *", &["log/app*"], "20 gzip"),
        row("2", LIVE, "2").destroys(&[Down]),
    ])
}

fn java_util_logging() -> Result<Vec<Row>> {
    let classes = java::classes()?.display().to_string();
    let row = |name: &str, patterns, words: &str| {
        started(
            &format!("java.util.logging {name}"),
            patterns,
            Always,
            "rotators",
            &format!("exec java -Xshare:auto -XX:TieredStopAtLevel=1 -cp {classes} Jul {words}"),
        )
    };
    Ok(vec![
        row("live", &["log/app.0.log"], "'{}/log/app.%g.log' 20"),
        row("2", &["log/app.0.log"], "'{}/log/app.%g.log' 2").destroys(&[Down]),
    ])
}

fn python() -> Vec<Row> {
    let row = |name: &str, patterns, clock, words: &str| {
        started(
            name,
            patterns,
            clock,
            "python/rotators",
            &format!("PYTHONPATH=$there exec /usr/bin/python3 $here/rotate.py {words} {{}}/log/app.log"),
        )
    };
    vec![
        row("loguru tar.gz", ALL, Always, "loguru-tar.gz").destroys(&[Once, Down]),
        row("loguru gz", &["log/app*"], Always, "loguru-gz"),
        row("twisted size", LIVE, Always, "twisted"),
    ]
}

/// The libraries of which a row plays in each `make test`.
const OFTEN: [&str; 6] = [
    "winston-daily-rotate-file",
    "winston",
    "rotating-file-stream",
    "pino-roll",
    "ruby",
    "lumberjack",
];

/// Returns the rows of all libraries, or one of each that is often used.
pub fn libraries(all: bool) -> Result<Vec<Row>> {
    let mut libraries = node::libraries();
    for (folder, rows) in [
        ("ruby", ruby as fn() -> Vec<Row>),
        ("perl", perl),
        ("erlang", erlang),
        ("python/rotators", python),
    ] {
        if library(folder) {
            libraries.push(rows());
        }
    }
    if library("go") {
        libraries.push(lumberjack()?);
    }
    libraries.push(java_util_logging()?);
    if !all {
        let is_often = |row: &Row| OFTEN.iter().any(|name| row.name.split(' ').next() == Some(name));
        libraries.retain(|rows| rows.first().is_some_and(is_often));
        libraries.iter_mut().for_each(|rows| rows.truncate(1));
    }
    Ok(libraries.into_iter().flatten().collect())
}
