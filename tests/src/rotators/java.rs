//! log4j2 and logback, from Debian's jars, and the classes of all programs in Java.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::programs;
use anyhow::{Context, Result, ensure};

use super::Mode::{Down, Once};
use super::Row;
use super::writers::Clock::{Always, Seconds};
use super::writers::{Clock, Rotator, unpacked};

const LIVE: &[&str] = &["log/app.log"];
const FAMILY: &[&str] = &["log/app*"];

fn class_path() -> String {
    let jar = |name: &str| unpacked("usr/share/java").join(name).display().to_string();
    [
        "log4j-api.jar",
        "log4j-core.jar",
        "logback-core.jar",
        "logback-classic.jar",
        "slf4j-api.jar",
    ]
    .map(jar)
    .join(":")
}

/// Compiles the three programs once. Returns the folder of their classes.
pub(super) fn classes() -> Result<PathBuf> {
    static COMPILED: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let compile = || -> Result<PathBuf> {
        let folder = unpacked("classes");
        fs::create_dir_all(&folder)?;
        // Another process may compile, or start one of the programs, at the same time.
        let new = tempfile::tempdir_in(unpacked(""))?;
        let sources = ["Log4j.java", "Logback.java", "Jul.java"];
        let output = Command::new("javac")
            .args(["-cp", &class_path(), "-d"])
            .arg(new.path())
            .args(sources.map(|name| programs::checkout().join("tests/src/rotators").join(name)))
            .output()
            .context("cannot start javac; did make missing-test run?")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for class in fs::read_dir(new.path())? {
            let class = class?;
            fs::rename(class.path(), folder.join(class.file_name()))?;
        }
        Ok(folder)
    };
    COMPILED
        .get_or_init(|| compile().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

/// Runs one of the two programs with a configuration, which a shell writes.
fn java(
    name: &str,
    patterns: &'static [&'static str],
    clock: Clock,
    class: &str,
    key: &str,
    xml: &str,
) -> Result<Row> {
    let script = format!(
        "cat >{{}}/configuration.xml <<'END'\n{xml}\nEND\nexec java -Xshare:auto -XX:TieredStopAtLevel=1 -cp {}:{} -D{key}={{}}/configuration.xml {class}",
        classes()?.display(),
        class_path()
    );
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    Ok(Row::new(name, patterns, Rotator::Program { command, clock }))
}

fn by_log4j(name: &str, patterns: &'static [&'static str], clock: Clock, appender: &str) -> Result<Row> {
    let xml = format!(
        "<Configuration status=\"error\" shutdownHook=\"disable\"><Appenders>{appender}</Appenders>\
         <Loggers><Root level=\"info\"><AppenderRef ref=\"A\"/></Root></Loggers></Configuration>"
    );
    java(
        &format!("log4j2 {name}"),
        patterns,
        clock,
        "Log4j",
        "log4j2.configurationFile",
        &xml,
    )
}

/// A rolling file of 4 KB.
fn by_size(pattern: &str, strategy: &str) -> String {
    format!(
        "<RollingFile name=\"A\" fileName=\"{{}}/log/app.log\" filePattern=\"{{}}/log/{pattern}\"><PatternLayout pattern=\"%m%n\"/>\
         <SizeBasedTriggeringPolicy size=\"4KB\"/><DefaultRolloverStrategy {strategy}/></RollingFile>"
    )
}

pub fn log4j2() -> Result<Vec<Row>> {
    Ok(vec![
        by_log4j("max", LIVE, Always, &by_size("app-%i.log", "max=\"20\""))?,
        by_log4j(
            "min",
            LIVE,
            Always,
            &by_size("app-%i.log", "max=\"20\" fileIndex=\"min\""),
        )?,
        by_log4j("max 3", LIVE, Always, &by_size("app-%i.log.gz", "max=\"3\""))?.destroys(&[Down]),
        by_log4j(
            "min gz family",
            FAMILY,
            Always,
            &by_size("app-%i.log.gz", "max=\"20\" fileIndex=\"min\""),
        )?,
        by_log4j(
            "nomax gz",
            LIVE,
            Always,
            &by_size("app-%d{yyyy-MM-dd}-%i.log.gz", "fileIndex=\"nomax\""),
        )?,
        by_log4j("zip", LIVE, Always, &by_size("app-%i.log.zip", "max=\"20\""))?.destroys(&[Once, Down]),
        by_log4j(
            "month folder",
            LIVE,
            Always,
            &by_size("$${date:yyyy-MM}/app-%i.log", "max=\"20\""),
        )?
        .destroys(&[Once, Down]),
        by_log4j(
            "direct write",
            &["log/app-*.log"],
            Seconds(1),
            "<RollingFile name=\"A\" filePattern=\"{}/log/app-%d{yyyyMMdd-HHmmss}.log\"><PatternLayout pattern=\"%m%n\"/>\
             <TimeBasedTriggeringPolicy/><DirectWriteRolloverStrategy/></RollingFile>",
        )?,
    ])
}

fn by_logback(name: &str, patterns: &'static [&'static str], clock: Clock, policies: &str) -> Result<Row> {
    let xml = format!(
        "<configuration><appender name=\"A\" class=\"ch.qos.logback.core.rolling.RollingFileAppender\">{policies}\
         <encoder><pattern>%msg%n</pattern></encoder></appender><root level=\"info\"><appender-ref ref=\"A\"/></root></configuration>"
    );
    java(
        &format!("logback {name}"),
        patterns,
        clock,
        "Logback",
        "logback.configurationFile",
        &xml,
    )
}

const FILE: &str = "<file>{}/log/app.log</file>";

fn fixed_window(pattern: &str) -> String {
    format!(
        "{FILE}<rollingPolicy class=\"ch.qos.logback.core.rolling.FixedWindowRollingPolicy\"><fileNamePattern>{{}}/log/{pattern}</fileNamePattern>\
         <minIndex>1</minIndex><maxIndex>20</maxIndex></rollingPolicy>\
         <triggeringPolicy class=\"ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy\"><maxFileSize>4KB</maxFileSize></triggeringPolicy>"
    )
}

fn time_based(file: &str, pattern: &str) -> String {
    format!(
        "{file}<rollingPolicy class=\"ch.qos.logback.core.rolling.TimeBasedRollingPolicy\">\
         <fileNamePattern>{{}}/log/{pattern}</fileNamePattern></rollingPolicy>"
    )
}

fn size_and_time(pattern: &str) -> String {
    format!(
        "{FILE}<rollingPolicy class=\"ch.qos.logback.core.rolling.SizeAndTimeBasedRollingPolicy\"><maxFileSize>4KB</maxFileSize>\
         <fileNamePattern>{{}}/log/{pattern}</fileNamePattern></rollingPolicy>"
    )
}

pub fn logback() -> Result<Vec<Row>> {
    const SPRING_BOOT: &str = "app.log.%d{yyyy-MM-dd}.%i.gz";
    Ok(vec![
        by_logback("fixed", LIVE, Always, &fixed_window("app.%i.log"))?,
        by_logback("fixed gz family", FAMILY, Always, &fixed_window("app.%i.log.gz"))?,
        by_logback(
            "time",
            LIVE,
            Seconds(1),
            &time_based(FILE, "app.%d{yyyyMMdd-HHmmss}.log"),
        )?,
        by_logback(
            "time gz",
            LIVE,
            Seconds(1),
            &time_based(FILE, "app.%d{yyyyMMdd-HHmmss}.log.gz"),
        )?,
        by_logback(
            "time gz family",
            FAMILY,
            Seconds(1),
            &time_based(FILE, "app.%d{yyyyMMdd-HHmmss}.log.gz"),
        )?,
        by_logback(
            "time no file",
            &["log/app*.log"],
            Seconds(1),
            &time_based("", "app.%d{yyyyMMdd-HHmmss}.log"),
        )?,
        by_logback("spring boot", LIVE, Always, &size_and_time(SPRING_BOOT))?,
        by_logback(
            "spring boot family",
            &["log/app.log*"],
            Always,
            &size_and_time(SPRING_BOOT),
        )?,
        by_logback("spring boot *", &["log/*"], Always, &size_and_time(SPRING_BOOT))?,
    ])
}
