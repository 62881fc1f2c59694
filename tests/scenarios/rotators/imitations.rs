//! Rotators that do not come with Debian, by their renames: winston and pino-roll.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::play;
use super::rig::Row;
use super::writers::Clock::Always;
use super::writers::{Imitation, Reopen, Rotate, Rotator};

fn imitated(name: &str, patterns: &'static [&'static str], reopen: Reopen, imitate: Imitation) -> Row {
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

/// Replaces a link in one step, as careful programs do.
fn point(link: &Path, target: &Path) -> Result<()> {
    let new = link.with_extension("new");
    symlink(target, &new)?;
    Ok(fs::rename(new, link)?)
}

/// A file for each day, without a live name.
fn by_day(folder: &Path, rotation: usize) -> Result<PathBuf> {
    Ok(folder.join(format!("log/app-2026-11-{:02}.log", rotation + 10)))
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

#[test]
fn files_by_day_are_read_once_and_forgotten_in_silence() -> Result<()> {
    const DAYS: &[&str] = &["log/app-*.log"];
    play(vec![
        imitated("winston days", DAYS, Reopen::Late, by_day),
        imitated("winston days family", &["log/app-*"], Reopen::Late, by_day),
        imitated("winston link *", &["log/*.log*"], Reopen::Late, by_day_with_link),
        imitated("pino-roll", &["log/app.*.log"], Reopen::Late, by_number),
    ])
}

#[test]
fn renames_and_links_of_other_rotators_lose_and_repeat_nothing() -> Result<()> {
    play(vec![imitated("labels *", &["log/*"], Reopen::Late, labelled)])
}
