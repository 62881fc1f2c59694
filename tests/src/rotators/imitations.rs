//! Rotators that do not come with Debian, by their renames: winston, pino-roll,
//! rotating-file-stream, loguru, Capistrano, kubelet, and PostgreSQL's collector.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::Mode::{Down, Once};
use super::Row;
use super::writers::Clock::Always;
use super::writers::{Imitation, Reopen, Rotate, Rotator};

pub(super) fn imitated(
    name: &str,
    patterns: &'static [&'static str],
    reopen: Reopen,
    imitate: Imitation,
) -> Row {
    let rotate = Rotate::Imitation(imitate);
    Row::new(
        name,
        patterns,
        Rotator::File {
            rotate,
            reopen,
            clock: Always,
        },
    )
}

pub(super) fn run(program: &str, args: &[&Path]) -> Result<()> {
    let status = Command::new(program).args(args).status()?;
    ensure!(status.success(), "{program}: {status}");
    Ok(())
}

/// Replaces a link in one step, as careful programs do.
pub(super) fn point(link: &Path, target: &Path) -> Result<()> {
    let new = link.with_extension("new");
    symlink(target, &new)?;
    Ok(fs::rename(new, link)?)
}

/// A file for each day, without a live name.
fn by_day(folder: &Path, rotation: usize) -> Result<PathBuf> {
    Ok(folder.join(format!("log/app-2026-11-{:02}.log", rotation + 10)))
}

/// The same, and only three files are kept.
fn by_day_three_kept(folder: &Path, rotation: usize) -> Result<PathBuf> {
    if rotation > 2 {
        fs::remove_file(by_day(folder, rotation - 3)?)?;
    }
    by_day(folder, rotation)
}

/// The same, and a link leads to the newest.
fn by_day_with_link(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = by_day(folder, rotation)?;
    fs::write(&live, "")?;
    point(
        &folder.join("log/current.log"),
        Path::new(live.file_name().unwrap_or_default()),
    )?;
    Ok(live)
}

/// pino-roll: `app.1.log`, `app.2.log` and so on.
fn by_number(folder: &Path, rotation: usize) -> Result<PathBuf> {
    Ok(folder.join(format!("log/app.{}.log", rotation + 1)))
}

/// winston's File transport with `tailable` and `zippedArchive`: `app1.log.gz` is the newest.
fn shifted_and_zipped(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = folder.join("log/app.log");
    if rotation > 0 {
        let packed = |number: usize| folder.join(format!("log/app{number}.log.gz"));
        for number in (1..rotation).rev() {
            fs::rename(packed(number), packed(number + 1))?;
        }
        let plain = folder.join("log/app1.log");
        fs::rename(&live, &plain)?;
        run("gzip", &[&plain])?;
    }
    Ok(live)
}

/// rotating-file-stream: the date comes first in a rotated file's name.
fn dated_in_front(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = folder.join("log/app.log");
    if rotation > 0 {
        let dated = folder.join(format!("log/20261128-01{rotation:02}-01-app.log"));
        fs::rename(&live, &dated)?;
        run("gzip", &[&dated])?;
    }
    Ok(live)
}

/// loguru with `compression="tar.gz"`. An archive is no log.
fn archived(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = folder.join("log/app.log");
    if rotation > 0 {
        let name = format!("app.2026-11-28_01-{rotation:02}.log");
        let dated = folder.join("log").join(&name);
        fs::rename(&live, &dated)?;
        let archive = folder.join("log").join(format!("{name}.tar.gz"));
        let (flags, change, log) = (Path::new("-czf"), Path::new("-C"), folder.join("log"));
        run("tar", &[flags, &archive, change, &log, Path::new(&name)])?;
        fs::remove_file(dated)?;
    }
    Ok(live)
}

/// Capistrano: a link leads to the newest release, and the old process goes on for a while.
fn released(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let release = folder.join(format!("log/releases/{}", 20_261_128 + rotation));
    fs::create_dir_all(&release)?;
    let live = release.join("app.log");
    fs::write(&live, "")?;
    point(&folder.join("log/current"), &release)?;
    Ok(live)
}

/// kubelet: a link among all containers' leads to the pod's own folder, where `0.log` is rotated,
/// and compressed a rotation later.
fn in_a_pod(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let pod = folder.join("log/pods/app");
    let live = pod.join("0.log");
    if rotation == 0 {
        fs::create_dir_all(&pod)?;
        fs::create_dir(folder.join("log/containers"))?;
        symlink(&live, folder.join("log/containers/app.log"))?;
    } else {
        let dated = |rotation: usize| pod.join(format!("0.log.20261128-0101{rotation:02}"));
        if rotation > 1 {
            run("gzip", &[&dated(rotation - 1)])?;
        }
        fs::rename(&live, dated(rotation))?;
    }
    fs::write(&live, "")?;
    Ok(live)
}

/// PostgreSQL's collector with weekly names and `log_truncate_on_rotation`, in a week of three
/// days.
fn by_weekday(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = folder.join(format!(
        "log/postgresql-{}.log",
        ["Mon", "Tue", "Wed"][rotation % 3]
    ));
    fs::write(&live, "")?;
    Ok(live)
}

/// `current` is renamed to a label when it is full, and begins empty.
fn labelled(folder: &Path, rotation: usize) -> Result<PathBuf> {
    let live = folder.join("log/current");
    if rotation > 0 {
        fs::rename(
            &live,
            folder.join(format!("log/@400000006928f{rotation:03x}0bebc200.s")),
        )?;
    }
    fs::write(&live, "")?;
    Ok(live)
}

pub fn files_by_day() -> Vec<Row> {
    const DAYS: &[&str] = &["log/app-*.log"];
    const LINK: &[&str] = &["log/current.log"];
    vec![
        imitated("winston days", DAYS, Reopen::Late, by_day),
        imitated("winston days family", &["log/app-*"], Reopen::Late, by_day),
        imitated("winston maxFiles", DAYS, Reopen::AtOnce, by_day_three_kept).destroys(&[Down]),
        imitated("winston link", LINK, Reopen::Late, by_day_with_link),
        imitated("winston link *", &["log/*.log*"], Reopen::Late, by_day_with_link),
        imitated("pino-roll", &["log/app.*.log"], Reopen::Late, by_number),
        imitated(
            "postgresql weekdays",
            &["log/postgresql-*.log"],
            Reopen::AtOnce,
            by_weekday,
        )
        .destroys(&[Down]),
    ]
}

pub fn renames_and_links() -> Vec<Row> {
    vec![
        imitated(
            "winston zipped",
            &["log/app*"],
            Reopen::AtOnce,
            shifted_and_zipped,
        ),
        imitated(
            "rotating-file-stream",
            &["log/*app.log*"],
            Reopen::AtOnce,
            dated_in_front,
        ),
        imitated(
            "rotating-file-stream live",
            &["log/app.log"],
            Reopen::AtOnce,
            dated_in_front,
        ),
        imitated("loguru tar.gz", &["log/*"], Reopen::AtOnce, archived).destroys(&[Once, Down]),
        imitated("capistrano", &["log/current/app.log"], Reopen::Late, released).known(&["log/**"]),
        imitated("kubelet", &["log/containers/*.log"], Reopen::Late, in_a_pod).known(&["log/**"]),
        imitated("labels current", &["log/current"], Reopen::Late, labelled),
        imitated("labels *", &["log/*"], Reopen::Late, labelled),
    ]
}
