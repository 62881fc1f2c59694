//! Rotators by their renames: Capistrano, kubelet, PostgreSQL's collector, and programs that label
//! their files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::Mode::Down;
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

pub fn renames_and_links() -> Vec<Row> {
    vec![
        imitated("capistrano", &["log/current/app.log"], Reopen::Late, released).known(&["log/**"]),
        imitated("kubelet", &["log/containers/*.log"], Reopen::Late, in_a_pod).known(&["log/**"]),
        imitated("labels current", &["log/current"], Reopen::Late, labelled),
        imitated("labels *", &["log/*"], Reopen::Late, labelled),
        imitated(
            "postgresql weekdays",
            &["log/postgresql-*.log"],
            Reopen::AtOnce,
            by_weekday,
        )
        .destroys(&[Down]),
    ]
}
