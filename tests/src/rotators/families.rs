//! More rotators by their renames, a row for each kind of name: BSD's newsyslog, Docker, PM2,
//! Caddy, Serilog, Jetty, NLog, log4net, glog, MySQL's habit, and releases named by hashes and
//! versions.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Mode::Down;
use super::Row;
use super::imitations::{imitated, point, run};
use super::writers::Reopen::{AtOnce, Late, Never};

/// Moves `name(n)` to `name(n + 1)`, the oldest first, and the live file to `name(0)`.
fn shift(folder: &Path, rotation: usize, live: &str, name: impl Fn(usize) -> String) -> Result<PathBuf> {
    let path = |name: &str| folder.join("log").join(name);
    for number in (1..rotation).rev() {
        if path(&name(number - 1)).exists() {
            fs::rename(path(&name(number - 1)), path(&name(number)))?;
        }
    }
    if rotation > 0 {
        fs::rename(path(live), path(&name(0)))?;
    }
    Ok(path(live))
}

/// Moves the live file to a name of this rotation.
fn moved(folder: &Path, rotation: usize, live: &str, name: &str) -> Result<PathBuf> {
    let live = folder.join("log").join(live);
    if rotation > 0 {
        fs::rename(&live, folder.join("log").join(name))?;
    }
    Ok(live)
}

fn newsyslog(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = shift(folder, rotation, "app.log", |number| {
        format!("app.log.{number}.bz2")
    })?;
    if rotation > 0 {
        let (packed, plain) = (folder.join("log/app.log.0.bz2"), folder.join("log/app.log.0"));
        fs::rename(packed, &plain)?;
        run("bzip2", &[&plain])?;
    }
    fs::write(&live, "Nov 28 01:00:00 host newsyslog[7]: logfile turned over\n")?;
    Ok(live)
}

fn docker(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let gone = folder.join("log/0a1b2c-json.log.2.gz");
    if gone.exists() {
        fs::remove_file(&gone)?;
    }
    let first = folder.join("log/0a1b2c-json.log.1");
    if first.exists() {
        fs::rename(&first, folder.join("log/0a1b2c-json.log.2"))?;
        run("gzip", &[&folder.join("log/0a1b2c-json.log.2")])?;
    }
    moved(folder, rotation, "0a1b2c-json.log", "0a1b2c-json.log.1")
}

fn pm2(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = folder.join("log/app-out.log");
    if rotation > 0 {
        let copy = folder.join(format!("log/app-out__2026-11-28_00-0{rotation}-00.log"));
        fs::copy(&live, copy)?;
        fs::File::options().write(true).open(&live)?.set_len(0)?;
    }
    Ok(live)
}

fn timberjack(folder: &Path, rotation: usize) -> Result<PathBuf> {
    moved(
        folder,
        rotation,
        "app.log",
        &format!("app-2026-11-28T10-0{rotation}-00.123-size.log"),
    )
}

/// Keeps the live file and two more. A file has the name of its rotation.
fn three_kept(rotation: usize, name: impl Fn(usize) -> PathBuf) -> Result<PathBuf> {
    if rotation > 2 {
        fs::remove_file(name(rotation - 3))?;
    }
    Ok(name(rotation))
}

fn serilog(folder: &Path, rotation: usize) -> Result<PathBuf> {
    three_kept(rotation, |rotation| {
        folder.join(match rotation {
            0 => "log/app20261128.log".to_owned(),
            n => format!("log/app20261128_{n:03}.log"),
        })
    })
}

fn jetty(folder: &Path, rotation: usize) -> Result<PathBuf> {
    three_kept(rotation, |rotation| {
        folder.join(format!("log/2026_11_{:02}.request.log", rotation + 10))
    })
}

fn nlog_rolling(folder: &Path, rotation: usize) -> Result<PathBuf> {
    shift(folder, rotation, "app.log", |number| {
        format!("app.{number:02}.log")
    })
}

fn log4net(folder: &Path, rotation: usize) -> Result<PathBuf> {
    moved(folder, rotation, "app.log", &format!("app.log2026112{rotation}"))
}

fn glog(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let name = format!("app.web1.root.log.ERROR.20261128-10000{rotation}.4711");
    let live = folder.join("log").join(&name);
    fs::write(&live, "")?;
    point(&folder.join("log/app.ERROR"), Path::new(&name))?;
    Ok(live)
}

fn mysql(folder: &Path, rotation: usize) -> Result<PathBuf> {
    moved(folder, rotation, "app.log", "app.log-old")
}

fn released(folder: &Path, name: &str) -> Result<PathBuf> {
    let release = folder.join("log/releases").join(name);
    fs::create_dir_all(&release)?;
    let live = release.join("app.log");
    fs::write(&live, "")?;
    point(&folder.join("log/current"), &release)?;
    Ok(live)
}

fn by_hash(folder: &Path, rotation: usize) -> Result<PathBuf> {
    released(
        folder,
        [
            "d6d4b48", "0a51c7e", "f57ee56", "98a3bb3", "2530916", "c5f006a", "a335079",
        ][rotation],
    )
}

fn by_version(folder: &Path, rotation: usize) -> Result<PathBuf> {
    released(folder, &format!("shop-v1.{rotation}.0"))
}

pub fn other_families() -> Vec<Row> {
    const APP: &[&str] = &["log/app.log"];
    const CURRENT: &[&str] = &["log/current/app.log"];
    vec![
        imitated("newsyslog bzip2", APP, AtOnce, newsyslog),
        imitated("docker max-file", &["log/*"], AtOnce, docker).destroys(&[Down]),
        imitated("pm2-logrotate", &["log/app-out.log"], Never, pm2),
        imitated("timberjack", APP, AtOnce, timberjack),
        imitated("serilog", &["log/app*.log"], AtOnce, serilog).destroys(&[Down]),
        imitated("jetty", &["log/*.request.log"], AtOnce, jetty).destroys(&[Down]),
        imitated("nlog rolling", &["log/*.log"], AtOnce, nlog_rolling),
        imitated("log4net date", APP, AtOnce, log4net),
        imitated("glog link", &["log/app.ERROR"], AtOnce, glog),
        imitated("mysql", APP, Late, mysql).destroys(&[Down]),
        imitated("releases by hash", CURRENT, Late, by_hash).known(&["log/**"]),
        imitated("releases by version", CURRENT, Late, by_version).known(&["log/**"]),
    ]
}
