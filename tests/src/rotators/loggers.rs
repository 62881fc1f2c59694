//! Programs that rotate what they write: daemontools' multilog, runit's svlogd, s6-log, Apache's
//! rotatelogs, cronolog, and the handlers of Python.

use super::Mode::{Down, Once};
use super::Row;
use super::writers::Clock::{Always, Seconds};
use super::writers::{Clock, Rotator, unpacked};
use crate::programs;

const CURRENT: &[&str] = &["log/current"];
const ALL: &[&str] = &["log/*"];
const LIVE: &[&str] = &["log/app.log"];
const FAMILY: &[&str] = &["log/app.log*"];

/// A shell starts the program, after what it prepares.
fn program(name: &str, patterns: &'static [&'static str], clock: Clock, script: &str) -> Row {
    let bin = unpacked("usr/bin").display().to_string();
    let script = script.replace("@", &format!("{bin}/"));
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    Row::new(name, patterns, Rotator::Program { command, clock })
}

pub fn multilog() -> Vec<Row> {
    vec![
        program(
            "multilog current",
            CURRENT,
            Always,
            "exec @multilog t s4096 n20 {}/log",
        )
        .labels(),
        program("multilog *", ALL, Always, "exec @multilog t s4096 n20 {}/log").labels(),
        program(
            "multilog gzip current",
            CURRENT,
            Always,
            "exec @multilog t s4096 n20 '!gzip' {}/log",
        )
        .labels(),
        program(
            "multilog gzip *",
            ALL,
            Always,
            "exec @multilog t s4096 n20 '!gzip' {}/log",
        )
        .labels(),
        program(
            "multilog n2 current",
            CURRENT,
            Always,
            "exec @multilog t s4096 n2 {}/log",
        )
        .destroys(&[Once, Down]),
        // On a busy machine two rotations can come between two runs.
        program("multilog n2 *", ALL, Always, "exec @multilog t s4096 n2 {}/log").destroys(&[Once, Down]),
    ]
}

pub fn s6_log() -> Vec<Row> {
    vec![
        program(
            "s6-log current",
            CURRENT,
            Always,
            "exec @s6-log t s4096 n20 {}/log",
        )
        .labels(),
        program("s6-log *", ALL, Always, "exec @s6-log t s4096 n20 {}/log").labels(),
        program(
            "s6-log gzip current",
            CURRENT,
            Always,
            "exec @s6-log T s4096 n20 '!gzip -nq9' {}/log",
        )
        .labels(),
        program(
            "s6-log gzip *",
            ALL,
            Always,
            "exec @s6-log T s4096 n20 '!gzip -nq9' {}/log",
        )
        .labels(),
    ]
}

pub fn svlogd() -> Vec<Row> {
    const SIZE: &str = "printf 's4096\\nn20\\n' >{}/log/config; exec @svlogd";
    const GZIP: &str = "printf 's4096\\nn20\\n!gzip\\n' >{}/log/config; exec @svlogd";
    const TWO: &str = "printf 's4096\\nn2\\n' >{}/log/config; exec @svlogd";
    let svlogd = |name: &str, patterns, script: &str, flags: &str| {
        program(
            &format!("svlogd {name}"),
            patterns,
            Always,
            &format!("{script} {flags} {{}}/log"),
        )
    };
    vec![
        svlogd("current", CURRENT, SIZE, ""),
        svlogd("-t current", CURRENT, SIZE, "-t").labels(),
        svlogd("-tt current", CURRENT, SIZE, "-tt").labels(),
        svlogd("gzip current", CURRENT, GZIP, "-ttt").labels(),
        svlogd("*", ALL, SIZE, ""),
        svlogd("-tt *", ALL, SIZE, "-tt").labels(),
        svlogd("gzip *", ALL, GZIP, "-ttt").labels(),
        svlogd("n2 current", CURRENT, TWO, "").destroys(&[Down]),
        svlogd("n2 *", ALL, TWO, "").destroys(&[Down]),
    ]
}

pub fn rotatelogs() -> Vec<Row> {
    let rotatelogs = |name: &str, patterns, words: &str| {
        program(
            &format!("rotatelogs {name}"),
            patterns,
            Seconds(1),
            &format!("exec @rotatelogs {words}"),
        )
    };
    vec![
        rotatelogs("seconds family", FAMILY, "{}/log/app.log 1"),
        rotatelogs(
            "dated family",
            &["log/app.log.*"],
            "{}/log/app.log.%Y-%m-%d-%H_%M_%S 1",
        ),
        rotatelogs("dated", &["log/app-*.log"], "-f -e {}/log/app-%Y%m%d%H%M%S.log 1"),
        rotatelogs(
            "link",
            &["log/current.log"],
            "-L {}/log/current.log {}/log/app.log.%s 1",
        ),
        rotatelogs("link *", ALL, "-L {}/log/current.log {}/log/app.log.%s 1"),
        rotatelogs("truncate", LIVE, "-t {}/log/app.log 1").empties(),
        rotatelogs("circle", FAMILY, "-n 3 {}/log/app.log 1").destroys(&[Down]),
        rotatelogs("size family", FAMILY, "{}/log/app.log 4K"),
        program(
            "rotatelogs gzip family",
            &["log/app.log.*"],
            Seconds(1),
            "printf '#!/bin/sh\\n[ -z \"$2\" ] || gzip \"$2\"\\n' >{}/pack; chmod +x {}/pack; \
             exec @rotatelogs -p {}/pack {}/log/app.log.%s 1",
        ),
    ]
}

pub fn cronolog() -> Vec<Row> {
    let cronolog = |name: &str, patterns, words: &str| {
        program(
            &format!("cronolog {name}"),
            patterns,
            Seconds(1),
            &format!("exec @cronolog {words}"),
        )
    };
    vec![
        cronolog(
            "link",
            &["log/current.log"],
            "-S {}/log/current.log {}/log/app-%Y%m%d-%H%M%S.log",
        ),
        cronolog(
            "links *",
            &["log/*.log"],
            "-S {}/log/current.log -P {}/log/previous.log {}/log/app-%H%M%S.log",
        ),
        cronolog(
            "hard links",
            &["log/current.log"],
            "-H {}/log/current.log -P {}/log/previous.log {}/log/app-%Y%m%d-%H%M%S.log",
        ),
        // Without -P, cronolog 1.6.2 leaves the link at the first file for ever.
        cronolog(
            "hard link",
            &["log/current.log"],
            "-H {}/log/current.log {}/log/app-%Y%m%d-%H%M%S.log",
        ),
        cronolog("tree", &["log/**/*.log"], "{}/log/%Y/%m/app-%H%M%S.log").known(&["log/**"]),
    ]
}

pub fn python() -> Vec<Row> {
    let script = programs::checkout().join("tests/src/rotators/rotate.py");
    let python = |kind: &str, patterns: &'static [&'static str], clock| {
        let command = [
            "/usr/bin/python3",
            &script.display().to_string(),
            kind,
            "{}/log/app.log",
        ];
        let command = command.map(str::to_owned).to_vec();
        Row::new(
            &format!("python {kind} {}", patterns[0]),
            patterns,
            Rotator::Program { command, clock },
        )
    };
    vec![
        python("size", LIVE, Always),
        python("size-2", LIVE, Always).destroys(&[Down]),
        python("size-gz", LIVE, Always),
        python("size-gz", FAMILY, Always),
        python("size-gz", ALL, Always),
        python("time", LIVE, Seconds(1)),
        python("time", FAMILY, Seconds(1)),
        python("concurrent", LIVE, Always),
        python("concurrent-gz", LIVE, Always),
        python("concurrent-gz", FAMILY, Always),
    ]
}
