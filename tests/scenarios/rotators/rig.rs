//! Runs a tailer against a rotator and compares what is stored with what could be read.
//!
//! A line may be missing only when it was on disk at none of the tailer's runs, and then there is a
//! gap.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use logwatch_tests::rotators::writers::Writer;
use logwatch_tests::rotators::{Mode, Row};
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::{stays, wait_until};

use crate::SOON;

/// Rotations of a run. The file that is written last is not rotated.
const ROTATIONS: usize = 6;
/// Lines between two rotations. With [`line`] they are a little more than the 4096 bytes that are
/// the least for multilog, svlogd and s6-log.
const LINES: usize = 20;
/// The same in a row of short files.
const FEW_LINES: usize = 2;
/// Time between two rotations while a tailer follows.
const PERIOD: Duration = Duration::from_millis(500);
/// A repetition or a false gap shows within this time: the tailer looks at directories each second.
const SETTLE: Duration = Duration::from_millis(1500);

/// Plays a row in one mode, in a folder of its own.
pub fn play(row: &Row, server: &Server, mode: Mode) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let mut run = Run {
        row,
        server,
        folder: folder.path(),
        source: format!("{} {mode:?}", row.name),
        writer: row.start(folder.path())?,
        written: 0,
        first: 0,
        readable: BTreeSet::new(),
        messages: String::new(),
    };
    match mode {
        Mode::Follow => run.follow()?,
        Mode::Once => run.once_around_each_rotation()?,
        Mode::Down => {
            run.first_run()?;
            run.down()?;
        }
        Mode::Empty => {
            run.once()?;
            run.down()?;
        }
    }
    run.outcome(mode)
}

fn numbers(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let (_, rest) = line.split_once("ERROR number ")?;
        let (number, padding) = rest.split_once(' ')?;
        padding.ends_with("xx").then(|| number.parse().ok())?
    })
}

struct Run<'a> {
    row: &'a Row,
    server: &'a Server,
    folder: &'a Path,
    source: String,
    writer: Writer,
    written: usize,
    /// The first line that the tailer's first run could read.
    first: usize,
    /// The lines that were on disk at some run of the tailer.
    readable: BTreeSet<usize>,
    messages: String,
}

impl Run<'_> {
    fn args(&self) -> Vec<OsString> {
        let inputs = self
            .row
            .patterns
            .iter()
            .map(|pattern| self.folder.join(pattern).into());
        let source = ["--source".into(), OsString::from(&self.source)];
        source.into_iter().chain(inputs).collect()
    }

    /// Returns the number of lines between two rotations.
    fn lines(&self) -> usize {
        if self.row.short { FEW_LINES } else { LINES }
    }

    /// Returns the writer's next line. The bytes after the number fill the file.
    fn line(&self) -> String {
        let padding = "x".repeat(if self.row.short { 2 } else { 170 });
        format!("2026-11-28T01:43:20Z ERROR number {} {padding}\n", self.written)
    }

    fn write(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.writer.write(&self.line())?;
            self.written += 1;
        }
        Ok(())
    }

    /// Writes the lines between two rotations as time passes.
    fn write_slowly(&mut self) -> Result<()> {
        let lines = self.lines();
        for _ in 0..lines {
            self.write(1)?;
            std::thread::sleep(PERIOD / u32::try_from(lines)?);
        }
        Ok(())
    }

    /// Waits until the writer's program has written what it was given: on a machine that compiles
    /// meanwhile, Erlang once took longer than half a minute.
    fn wait_for_disk(&self) -> Result<()> {
        let last = self.written - 1;
        wait_until(SOON * 4, "the last line on disk", || {
            Ok(is_on_disk(self.folder, last))
        })
        .with_context(|| listing(self.folder))
    }

    fn rotate(&mut self) -> Result<()> {
        if self.writer.rotate(&self.line())? {
            self.written += 1;
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<()> {
        self.write(1)?;
        self.wait_for_disk()?;
        let mut args = self.args();
        args.extend(["--rotate-wait".into(), "2".into()]);
        let mut tailer = Tailer::start(self.server, &args)?;
        self.wait_for_first_line().with_context(|| tailer.output())?;
        for rotation in 0..=ROTATIONS {
            self.write_slowly()?;
            // A program that got no processor for a while would rotate several times at once.
            self.wait_for_disk()?;
            if rotation < ROTATIONS {
                self.rotate()?;
            }
        }
        let last = self.written - 1;
        wait_until(SOON, "the last line", || Ok(self.stored()?.contains_key(&last)))
            .with_context(|| tailer.output())?;
        self.readable = if self.row.destroys.contains(&Mode::Follow) {
            on_disk_in(self.folder, self.row.known)
        } else {
            (self.first..self.written).collect()
        };
        let expected = self.readable.len();
        // A timeout shows in the outcome, with the number of lines.
        let _ = wait_until(SOON, "all lines", || Ok(self.stored()?.len() >= expected));
        let stored = self.stored()?;
        let _ = stays(SETTLE, "the stored lines", || Ok(self.stored()? == stored));
        let (status, _) = tailer.terminate()?;
        self.messages = tailer.output();
        ensure!(status.success(), "{status}: {}", self.messages);
        Ok(())
    }

    fn once(&mut self) -> Result<()> {
        let before = on_disk_in(self.folder, self.row.known);
        self.messages += &Tailer::once(self.server, &self.args())?;
        // A program may archive a file in the background, so that it is gone before it is read.
        let after = on_disk_in(self.folder, self.row.known);
        self.readable.extend(before.intersection(&after));
        Ok(())
    }

    /// Shows the tailer the first file. What was rotated before its first run is not its business:
    /// a program's clock may rotate the first line away just before that.
    fn first_run(&mut self) -> Result<()> {
        self.write(1)?;
        self.wait_for_disk()?;
        self.once()?;
        if self.row.rotator.has_clock() && self.stored()?.is_empty() {
            self.first = self.written;
        }
        Ok(())
    }

    /// Waits until the tailer follows the live file.
    fn wait_for_first_line(&mut self) -> Result<()> {
        let mut last = Instant::now();
        wait_until(SOON, "a first line", || {
            if self.row.rotator.has_clock() && last.elapsed() > SETTLE {
                self.first = self.written;
                self.write(1)?;
                last = Instant::now();
            }
            Ok(self.stored()?.contains_key(&self.first))
        })
    }

    fn once_around_each_rotation(&mut self) -> Result<()> {
        self.first_run()?;
        for rotation in 0..=ROTATIONS {
            self.write(self.lines() / 2)?;
            self.wait_for_disk()?;
            self.once()?;
            self.write(self.lines().div_ceil(2))?;
            self.wait_for_disk()?;
            if rotation < ROTATIONS {
                self.rotate()?;
            }
            self.once()?;
        }
        self.once()
    }

    fn down(&mut self) -> Result<()> {
        for rotation in 0..=ROTATIONS {
            self.write(self.lines())?;
            self.wait_for_disk()?;
            if rotation < ROTATIONS {
                self.rotate()?;
            }
        }
        self.once()?;
        self.once()
    }

    /// Returns how often each line is stored.
    fn stored(&self) -> Result<BTreeMap<usize, usize>> {
        let messages = self.sql(
            "SELECT e.message FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id",
        )?;
        let mut stored = BTreeMap::new();
        for number in messages.lines().map(|message| {
            let (_, rest) = message.split_once("number ").unwrap_or_default();
            rest.split(' ').next().and_then(|number| number.parse().ok())
        }) {
            // A part of a line is a record too, and a wrong one.
            *stored.entry(number.unwrap_or(usize::MAX)).or_insert(0) += 1;
        }
        Ok(stored)
    }

    fn sql(&self, from: &str) -> Result<String> {
        self.server
            .sql(&format!("{from} WHERE s.name = '{}'", self.source))
    }

    fn outcome(&self, mode: Mode) -> Result<Outcome> {
        let stored = self.stored()?;
        let gaps = self.sql(
            "SELECT coalesce(g.path, '?') || ' ' || g.from_byte || '-' || coalesce(g.to_byte::text, '?') || ': ' || g.reason \
             FROM logwatch.gaps AS g JOIN logwatch.sources AS s ON s.id = g.source_id",
        )?;
        Ok(Outcome {
            name: self.row.name.clone(),
            mode,
            written: self.written,
            missing: (self.first..self.written)
                .filter(|number| !stored.contains_key(number))
                .collect(),
            readable: self.readable.clone(),
            repeated: stored.values().map(|times| times - 1).sum(),
            broken: stored.contains_key(&usize::MAX),
            gaps: gaps.lines().map(str::to_owned).collect(),
            destroys: self.row.destroys.contains(&mode),
            is_unsure: self.row.unsure.contains(&mode),
            files: listing(self.folder),
            messages: self.messages.clone(),
        })
    }
}

pub struct Outcome {
    name: String,
    mode: Mode,
    written: usize,
    missing: BTreeSet<usize>,
    readable: BTreeSet<usize>,
    repeated: usize,
    broken: bool,
    gaps: Vec<String>,
    destroys: bool,
    is_unsure: bool,
    files: String,
    messages: String,
}

impl Outcome {
    /// Exact, or lost with a gap where the rotator destroyed the lines.
    pub fn is_right(&self) -> bool {
        let is_lost_rightly = self.destroys && self.missing.is_disjoint(&self.readable);
        self.repeated == 0
            && !self.broken
            && (self.missing.is_empty() || is_lost_rightly)
            && (self.missing.is_empty() == self.gaps.is_empty() || self.is_unsure && self.missing.is_empty())
    }

    /// Returns what helps to find out why it is not right.
    pub fn details(&self) -> String {
        let lost: Vec<_> = self.missing.intersection(&self.readable).collect();
        format!(
            "{self}\n  missing {:?}\n  of which readable {lost:?}\n  gaps {:#?}\n  files\n{}\n  messages\n{}",
            self.missing, self.gaps, self.files, self.messages
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "| {} | {:?} | {} |", self.name, self.mode, self.written)?;
        if self.missing.is_empty() && self.repeated == 0 && self.gaps.is_empty() && !self.broken {
            return write!(out, " exact |");
        }
        let unread = self.missing.intersection(&self.readable).count();
        write!(
            out,
            " {} lost ({unread} of them readable), {} repeated, {} gaps{} |",
            self.missing.len(),
            self.repeated,
            self.gaps.len(),
            if self.broken { ", broken records" } else { "" }
        )?;
        if self.is_right() {
            write!(out, " right")
        } else {
            write!(out, " WRONG")
        }
    }
}

/// Returns the lines in the files of some folders of a row, compressed ones included.
fn on_disk_in(folder: &Path, known: &[&str]) -> BTreeSet<usize> {
    let of = |known: &&str| match known.strip_suffix("/**") {
        Some(root) => numbers_in(&files(&folder.join(root))),
        None => numbers_in(&direct_files(&folder.join(known))),
    };
    known.iter().flat_map(of).collect()
}

/// Returns true when a file has this line. The one that was written last is the likely one.
fn is_on_disk(folder: &Path, line: usize) -> bool {
    let mut files = files(folder);
    files.sort_by_cached_key(|file| fs::metadata(file).and_then(|metadata| metadata.modified()).ok());
    let has_line = |file: &PathBuf| content(file).is_ok_and(|text| numbers(&text).any(|it| it == line));
    files.iter().rev().any(has_line)
}

fn numbers_in(files: &[PathBuf]) -> BTreeSet<usize> {
    let texts = files.iter().filter_map(|file| content(file).ok());
    texts
        .flat_map(|text| numbers(&text).collect::<Vec<_>>())
        .collect()
}

fn direct_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the plain bytes. A file that is being compressed gives those that are there, an archive
/// none.
fn content(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.read_to_end(&mut bytes)?;
    let program = match bytes.as_slice() {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0xfd, b'7', b'z', ..] => "xz",
        [b'B', b'Z', b'h', ..] => "bzip2",
        _ => return Ok(bytes),
    };
    let output = Command::new(program)
        .args(["-dcq"])
        .stdin(fs::File::open(file)?)
        .stderr(Stdio::null())
        .output()?;
    if output.stdout.is_empty() || output.stdout.get(257..262) == Some(b"ustar") {
        bail!("{program} finds no text in {}", file.display());
    }
    Ok(output.stdout)
}

fn listing(folder: &Path) -> String {
    let describe = |file: &PathBuf| {
        let size = fs::metadata(file)
            .map(|metadata| metadata.len())
            .unwrap_or_default();
        let found: Vec<_> = content(file).iter().flat_map(|text| numbers(text)).collect();
        let name = file.strip_prefix(folder).unwrap_or(file);
        format!(
            "    {} {size} bytes, lines {:?}–{:?}",
            name.display(),
            found.first(),
            found.last()
        )
    };
    files(folder).iter().map(describe).collect::<Vec<_>>().join("\n")
}
