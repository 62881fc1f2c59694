//! Real rotators as they are used: rows of data for the scenarios and for `make torture`.
//!
//! A row names a program or its imitation, the tailer's inputs, and what the rotator destroys.
//! [`writers`] starts the programs.

pub mod families;
pub mod imitations;
pub mod java;
pub mod languages;
pub mod loggers;
pub mod logrotate;
mod node;
pub mod scripts;
pub mod writers;

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use writers::{Rotate, Rotator, Writer};

/// How the tailer runs while files are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One tailer all the time.
    Follow,
    /// A `--once` before and right after each rotation.
    Once,
    /// A `--once` after the first lines, six rotations, another `--once`.
    Down,
    /// The same, and the first run finds the live file empty: it has no bytes to compare with.
    Empty,
}

pub const MODES: [Mode; 3] = [Mode::Follow, Mode::Once, Mode::Down];

/// A rotator as it is used, and the tailer's arguments.
pub struct Row {
    pub name: String,
    pub rotator: Rotator,
    /// The inputs of the tailer, relative to the row's folder.
    pub patterns: &'static [&'static str],
    /// Folders whose files the tailer must know, relative to the row's folder; with `/**`, those
    /// below too.
    pub known: &'static [&'static str],
    /// The modes in which the rotator destroys lines before anyone could read them.
    pub destroys: &'static [Mode],
    /// The modes in which the tailer cannot know whether lines were lost, so that a gap is right in
    /// any case.
    pub unsure: &'static [Mode],
    /// The rotator puts a time before each line.
    pub labels: bool,
    /// A file gets two short lines, so that its head is all of it.
    pub short: bool,
    pub modes: Vec<Mode>,
}

impl Row {
    pub fn new(name: &str, patterns: &'static [&'static str], rotator: Rotator) -> Row {
        Row {
            name: name.to_owned(),
            rotator,
            patterns,
            known: &["log"],
            destroys: &[],
            unsure: &[],
            labels: false,
            short: false,
            modes: MODES.to_vec(),
        }
    }

    pub fn destroys(mut self, modes: &'static [Mode]) -> Row {
        self.destroys = modes;
        self
    }

    /// The rotator empties the file without a copy.
    pub fn empties(self) -> Row {
        self.destroys(&MODES).unsure(&MODES)
    }

    pub fn unsure(mut self, modes: &'static [Mode]) -> Row {
        self.unsure = modes;
        self
    }

    pub fn labels(mut self) -> Row {
        self.labels = true;
        self
    }

    pub fn short(mut self) -> Row {
        self.name += " short";
        self.short = true;
        self.modes = vec![Mode::Follow];
        self
    }

    pub fn known(mut self, folders: &'static [&'static str]) -> Row {
        self.known = folders;
        self
    }

    /// Makes the row's folders in `folder` and starts the writer.
    pub fn start(&self, folder: &Path) -> Result<Writer> {
        for known in self.known {
            fs::create_dir(folder.join(known.trim_end_matches("/**")))?;
        }
        self.rotator.start(folder)
    }

    fn is_imitation(&self) -> bool {
        matches!(
            self.rotator,
            Rotator::File {
                rotate: Rotate::Imitation(_) | Rotate::Script(..),
                ..
            }
        )
    }
}

/// Returns the rows of real programs that keep every line, also while no tailer runs. Fails where
/// the programs are not unpacked.
pub fn keepers() -> Result<Vec<Row>> {
    let program = writers::unpacked("usr/bin/cronolog");
    ensure!(program.exists(), "{} does not exist", program.display());
    let mut rows = Vec::new();
    for more in [
        logrotate::renaming(),
        logrotate::compressing(),
        logrotate::copying(),
        logrotate::savelog(),
        loggers::multilog(),
        loggers::s6_log(),
        loggers::svlogd(),
        loggers::rotatelogs(),
        loggers::cronolog(),
        loggers::python(),
        java::log4j2()?,
        java::logback()?,
    ] {
        rows.extend(more);
    }
    rows.retain(|row| row.destroys.is_empty() && !row.is_imitation());
    Ok(rows)
}
