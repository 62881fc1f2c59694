//! Rotators by their renames, a line for each: the name after the renames is the live file.

use super::Mode::{Down, Empty, Once};
use super::writers::Clock::Always;
use super::writers::Reopen::{AtOnce, Late, Never};
use super::writers::{Reopen, Rotate, Rotator};
use super::{Mode, Row};

type Line = (
    &'static str,
    &'static [&'static str],
    Reopen,
    &'static [Mode],
    &'static str,
    &'static str,
);

const APP: &[&str] = &["log/app.log"];
const ALL: &[&str] = &["log/*"];
const FAMILY: &[&str] = &["log/app*"];

/// One for each kind of names and moves.
#[rustfmt::skip]
const KINDS: &[Line] = &[
    ("kubelet tmp *", ALL, Late, &[],
        "l=0.log.20260101-00000; packed $l$((n-1)); to 0.log $l$n; : >0.log", "0.log"),
    ("file-rotatelogs link", APP, Late, &[],
        ": >app.log.2026010$n; link app.log app.log.2026010$n", "app.log.2026010$n"),
    ("ruby same date", APP, AtOnce, &[],
        "[ $n = 0 ] || to app.log app.log.20260101$([ $n = 1 ] || printf .$n); ruby_header >app.log", "app.log"),
    ("ruby size *", FAMILY, AtOnce, &[],
        "up app.log. '' 0; to app.log app.log.0; ruby_header >app.log", "app.log"),
    ("nlog other name", &["log/_log.txt"], AtOnce, &[], "up log. .txt 0; to _log.txt log.0.txt", "_log.txt"),
    ("tracing-appender max", &["log/app.log.*"], AtOnce, &[Down],
        "rm -f app.log.2026-01-0$((n-1))", "app.log.2026-01-0$((n+1))"),
    ("flexi_logger restart", &["log/app_rCURRENT.log"], AtOnce, &[],
        "to app_rCURRENT.log app_r2026-01-01_00-00-00.restart-000$n.log", "app_rCURRENT.log"),
    ("gc ring *", &["log/gc.log*"], AtOnce, &[Down],
        "i=$(((n+2)%3)); rm -f gc.log.$i; to gc.log gc.log.$i", "gc.log"),
    ("gc 8", &["log/gc.log.*"], AtOnce, &[Down],
        "i=$(((n+2)%3)); to gc.log.$i.current gc.log.$i; rm -f gc.log.$((n%3))", "gc.log.$((n%3)).current"),
    ("yii copies *", FAMILY, AtOnce, &[],
        "for i in 6 5 4 3 2 1; do copy app.log.$i app.log.$((i+1)); done; copy app.log app.log.1; : >app.log", "app.log"),
    ("exicyclog", &["log/mainlog"], AtOnce, &[],
        "up mainlog.0 .gz 1; up mainlog.0 '' 1; gz mainlog.02; to mainlog mainlog.01", "mainlog"),
    ("log4rs archive", &["log/app.log", "log/archive/*"], AtOnce, &[],
        "mkdir -p archive; up archive/app. .log.gz 0; to app.log archive/app.0.log; gz archive/app.0.log", "app.log"),
    ("ejabberd *", ALL, AtOnce, &[Down], "to ejabberd.log ejabberd-old.log", "ejabberd.log"),
    ("conmon", &["log/*.log"], AtOnce, &[Once, Down], ": >ctr.log.tmp; mv ctr.log.tmp ctr.log", "ctr.log"),
    ("no reopen", APP, Never, &[], "up app.log. '' 1; to app.log app.log.1; : >app.log", "app.log"),
    ("brotli *", FAMILY, AtOnce, &[Once, Down],
        "to app.log app.log.$n; unknown app.log.$n app.log.$n.br", "app.log"),
    ("nagios archive", &["log/nagios.log", "log/archives/*"], AtOnce, &[],
        "mkdir -p archives; to nagios.log archives/nagios-01-0$((n+1))-2026-00.log", "nagios.log"),
];

/// Others of these kinds.
#[rustfmt::skip]
const MORE: &[Line] = &[
    ("docker compress max-file", &["log/*-json.log"], AtOnce, &[Down],
        "rm -f 0a-json.log.2.gz; up 0a-json.log. .gz 1; to 0a-json.log 0a-json.log.1; gz 0a-json.log.1", "0a-json.log"),
    ("kubelet tmp", &["log/0.log"], Late, &[],
        "l=0.log.20260101-00000; packed $l$((n-1)); to 0.log $l$n; : >0.log", "0.log"),
    ("file-rotatelogs generations", APP, Late, &[],
        ": >app.log.20260101.$n; link app.log app.log.20260101.$n", "app.log.20260101.$n"),
    ("file-rotatelogs link family", &["log/app.log*"], Late, &[],
        ": >app.log.2026010$n; link app.log app.log.2026010$n", "app.log.2026010$n"),
    ("date first", &["log/*-app.log"], AtOnce, &[], "", "2026-01-0$((n+1))-app.log"),
    ("date only", &["log/*.log"], AtOnce, &[], "", "2026-01-0$((n+1)).log"),
    ("codeigniter", &["log/log-*.php"], AtOnce, &[],
        "echo '<?php defined(\"BASEPATH\") OR exit(); ?>' >log-2026-01-0$((n+1)).php", "log-2026-01-0$((n+1)).php"),
    ("nlog sequence", APP, AtOnce, &[], "to app.log app.$n.log", "app.log"),
    ("nlog txt", &["log/app_Current.log"], AtOnce, &[],
        "to app_Current.log app_2026-01-01_00-00-0$n.txt", "app_Current.log"),
    ("log4net up", APP, AtOnce, &[], "to app.log app.log.$n", "app.log"),
    ("flexi_logger numbers", &["log/app_rCURRENT.log"], AtOnce, &[],
        "to app_rCURRENT.log app_r0000$n.log", "app_rCURRENT.log"),
    ("flexi_logger gz", &["log/app_rCURRENT.log"], AtOnce, &[],
        "to app_rCURRENT.log app_r0000$n.log; gz app_r0000$((n-1)).log", "app_rCURRENT.log"),
    ("flexi_logger *", FAMILY, AtOnce, &[], "to app_rCURRENT.log app_r0000$n.log", "app_rCURRENT.log"),
    ("file-rotate timestamp", APP, AtOnce, &[], "to app.log app.log.20260101T00000$n", "app.log"),
    ("newsyslog zstd", APP, AtOnce, &[],
        "to app.log app.log.20260101T00000$n; to_zstd app.log.20260101T00000$n", "app.log"),
    ("uwsgi", APP, AtOnce, &[], "to app.log app.log.176722560$n", "app.log"),
    ("tomcat rename", &["log/access.txt"], AtOnce, &[], "to access.txt access.2026-01-0$n.txt", "access.txt"),
    ("gc ring", &["log/gc.log"], AtOnce, &[Down],
        "i=$(((n+2)%3)); rm -f gc.log.$i; to gc.log gc.log.$i", "gc.log"),
    ("yii copies", APP, AtOnce, &[],
        "for i in 6 5 4 3 2 1; do copy app.log.$i app.log.$((i+1)); done; copy app.log app.log.1; : >app.log", "app.log"),
    ("nomad", &["log/task.stdout.*"], AtOnce, &[Down], "rm -f task.stdout.$((n-3))", "task.stdout.$n"),
    ("glassfish", &["log/server.log"], AtOnce, &[],
        "to server.log server.log_2026-01-01T00-00-0$n", "server.log"),
    ("hostd *", ALL, AtOnce, &[], "up hostd. .gz 0; to hostd.log hostd.0; gz hostd.0", "hostd.log"),
    ("vmware", &["log/vmware.log"], AtOnce, &[], "to vmware.log vmware-$n.log", "vmware.log"),
    ("ejabberd", &["log/ejabberd.log"], AtOnce, &[Down], "to ejabberd.log ejabberd-old.log", "ejabberd.log"),
    ("tilde", APP, AtOnce, &[Down], "to app.log app.log~", "app.log"),
    ("twisted", APP, AtOnce, &[], "to app.log app.log.2026_1_$n", "app.log"),
    ("spdlog", APP, AtOnce, &[], "up app. .log 1; to app.log app.1.log", "app.log"),
    ("couchbase", &["log/memcached.log.*"], AtOnce, &[], "", "memcached.log.00000$n.txt"),
    ("cockroach", &["log/cockroach.log"], Late, &[],
        ": >cockroach.web1.2026-01-01T00_00_0${n}Z.log; link cockroach.log cockroach.web1.2026-01-01T00_00_0${n}Z.log",
        "cockroach.web1.2026-01-01T00_00_0${n}Z.log"),
    ("iis", &["log/u_ex*.log"], AtOnce, &[], "", "u_ex26010$((n+1)).log"),
    ("no separator", APP, AtOnce, &[], "to app.log app2026010$n.log", "app.log"),
    ("month words", APP, AtOnce, &[], "to app.log app.log.0${n}JAN2026", "app.log"),
    ("elasticsearch", &["log/es.log"], AtOnce, &[],
        "to es.log es-2026-01-01-$n.log; gz es-2026-01-01-$n.log", "es.log"),
    ("lz4", APP, AtOnce, &[Once, Down],
        "to app.log app.log.$n; unknown app.log.$n app.log.$n.lz4", "app.log"),
    ("lzma", APP, AtOnce, &[Once, Down],
        "to app.log app.log.$n; [ ! -e app.log.$n ] || xz --format=lzma app.log.$n", "app.log"),
    ("brotli", APP, AtOnce, &[Once, Down],
        "to app.log app.log.$n; unknown app.log.$n app.log.$n.br", "app.log"),
    ("tree", &["log/**/app.log"], AtOnce, &[], "mkdir -p 2026/01/0$((n+1))", "2026/01/0$((n+1))/app.log"),
    ("docker compress", &["log/*-json.log"], AtOnce, &[],
        "up 0a-json.log. .gz 1; to 0a-json.log 0a-json.log.1; gz 0a-json.log.1", "0a-json.log"),
    ("jboss periodic size", &["log/server.log"], AtOnce, &[],
        "up server.log.2026-01-01. '' 1; to server.log server.log.2026-01-01.1", "server.log"),
    ("websphere", &["log/SystemOut.log"], AtOnce, &[],
        "to SystemOut.log SystemOut_26.01.01_00.00.0$n.log", "SystemOut.log"),
    ("weblogic", &["log/server.log"], AtOnce, &[], "to server.log server.log0000$n", "server.log"),
    ("hostd", &["log/hostd.log"], AtOnce, &[],
        "up hostd. .gz 0; to hostd.log hostd.0; gz hostd.0", "hostd.log"),
    ("cups", &["log/error_log"], AtOnce, &[Down], "to error_log error_log.O", "error_log"),
];

/// Names that only a tailer must know that has seen nothing of the file.
#[rustfmt::skip]
const SHAPES: &[Line] = &[
    ("godot", &["log/godot.log"], AtOnce, &[], "to godot.log godot2026-11-28T10.00.0$n.log", "godot.log"),
    ("log4net date and size", APP, AtOnce, &[], "to app.log app.log20261128.$n", "app.log"),
    ("spark", &["log/stdout"], Late, &[], "to stdout stdout--2026-11-28--10-00-0$n--0000", "stdout"),
    ("pulsar", APP, AtOnce, &[], "to app.log app.log-11-28-2026-$n.log; gz app.log-11-28-2026-$n.log", "app.log"),
    ("winsw", &["log/app.out.log"], AtOnce, &[], "up app. .out.log 0; to app.out.log app.0.out.log", "app.out.log"),
    ("traffic server", &["log/diags.log"], Late, &[],
        "to diags.log diags.log.20261128.10h0${n}m00s-20261128.10h1${n}m00s.old", "diags.log"),
    ("log4j twice a day", APP, AtOnce, &[], "to app.log app.log.2026-11-2$n-AM", "app.log"),
    ("a week", APP, Late, &[], "to app.log app.log.week48-179599204$n", "app.log"),
    ("lucee", APP, AtOnce, &[], "up app.log. .bak 1; to app.log app.log.1.bak", "app.log"),
    ("mv backup", APP, Late, &[], "[ ! -e app.log ] || mv --backup=numbered app.log app.log.old", "app.log"),
    ("minecraft", &["log/latest.log"], AtOnce, &[],
        "to latest.log 2026-11-28-$n.log; gz 2026-11-28-$n.log", "latest.log"),
    ("apisix", &["log/access.log"], Late, &[], "to access.log 2026-11-28_10-00-0${n}__access.log", "access.log"),
    ("pm2", &["log/app-out.log"], Never, &[],
        "[ $n = 0 ] || { cp app-out.log app-out__2026-11-28_00-0$n-00.log; : >app-out.log; }", "app-out.log"),
    ("timberjack", APP, AtOnce, &[], "to app.log app-2026-11-28T10-0$n-00.123-size.log", "app.log"),
    ("app-current", &["log/app-current.log"], Late, &[], "to app-current.log app-2026-11-2$n.log", "app-current.log"),
];

/// A rotated file's name alone does not say whose it is: the limit of the tailer's manual.
const NAMELESS: [&str; 3] = ["nlog other name", "nlog txt", "hostd"];

fn row((name, patterns, reopen, destroys, moves, live): &Line) -> Row {
    let rotator = Rotator::File {
        rotate: Rotate::Script(moves, live),
        reopen: *reopen,
        clock: Always,
    };
    let mut row = Row::new(name, patterns, rotator).destroys(destroys);
    if !NAMELESS.contains(name) && !destroys.contains(&Down) {
        row.modes.push(Empty);
    }
    if moves.contains("mkdir") {
        row.known(&["log/**"])
    } else {
        row
    }
}

/// Returns a row of each kind, or `all`.
pub fn renames(all: bool) -> Vec<Row> {
    let more = if all { MORE } else { &[] };
    KINDS.iter().chain(more).map(row).collect()
}

/// Returns rows that are played with an empty first file only.
pub fn shapes() -> Vec<Row> {
    let shapes = SHAPES.iter().map(row);
    shapes
        .map(|row| Row {
            modes: vec![Empty],
            ..row
        })
        .collect()
}
