//! Random lives of a directory against an oracle that knows them: files are created, appended to,
//! renamed, copied beside or into another directory, truncated with a copy or without, compressed
//! and deleted, and a link moves to another file, while a reader follows, stops and starts. Copies
//! and compression take two steps, so that the reader sees what is between.
//!
//! Each byte that is written is a line with a number of its own, so the oracle is simple: the
//! reader has each line at most once, and in the end each line that is still in some file, or lost
//! with a gap. No file system and no clock: a schedule takes 2 ms, not optimised. `LOGWATCH_PLANS`
//! says how many, `LOGWATCH_PLAN_SEED` where to begin.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::model_files::{Folder, LINE, Node, Random, Sampled, lines_of, log};
use super::model_reader::Held;
use crate::source::names;
use crate::tracked::state::FileRow;

const SCHEDULES: u64 = 5_000;

pub struct Model {
    pub random: Random,
    pub folder: Folder,
    /// Files without a name that the reader holds open.
    pub unlinked: Vec<Node>,
    pub rows: HashMap<i64, FileRow>,
    pub held: Option<Vec<Held>>,
    /// Copied or finished files by inode, with their time of change.
    pub settled: HashMap<u64, SystemTime>,
    pub stored: BTreeMap<u64, usize>,
    pub gaps: usize,
    /// Lines that were in no file any more before the reader had them.
    pub destroyed: BTreeSet<u64>,
    /// A known file was truncated without a copy: a gap is right.
    pub may_gap: bool,
    /// Some of `destroyed` were in a file that the database knew, and the reader was stopped.
    pub must_gap: bool,
    /// Steps that are wrong whatever becomes of them.
    pub faults: Vec<String>,
    pub lines: u64,
    pub clock: u64,
    pub inode: u64,
    pub id: i64,
    pub covers_all: bool,
    /// The file of which a copy is being made, and the copy.
    pub copying: Option<(PathBuf, u64)>,
    pub steps: Vec<String>,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let covers_all = random.below(2) == 0;
        Model {
            random,
            folder: Folder {
                live: log("app.log"),
                ..Folder::default()
            },
            unlinked: Vec::new(),
            rows: HashMap::new(),
            held: None,
            settled: HashMap::new(),
            stored: BTreeMap::new(),
            gaps: 0,
            destroyed: BTreeSet::new(),
            may_gap: false,
            must_gap: false,
            faults: Vec::new(),
            lines: 0,
            clock: 0,
            inode: 1,
            id: 0,
            covers_all,
            copying: None,
            steps: vec![format!("all names are read: {covers_all}")],
        }
    }

    pub fn note(&mut self, step: String) {
        self.steps.push(step);
    }

    fn write(&mut self) {
        self.clock += 1;
        let count = 1 + self.random.below(6);
        self.inode += 1;
        let node = self.folder.live_node(self.inode);
        for _ in 0..count {
            self.lines += 1;
            let line = format!("{:>1$}\n", self.lines, LINE - 1);
            node.bytes.extend_from_slice(line.as_bytes());
        }
        node.modified = self.clock;
        self.steps.push(format!("write up to line {}", self.lines));
    }

    fn rename(&mut self, to: PathBuf) {
        if let Some(node) = self.folder.nodes.remove(&self.folder.live) {
            self.note(format!("rename to {}", to.display()));
            self.folder.nodes.insert(to, node);
        }
    }

    fn copy_and_truncate(&mut self, folder: &str) {
        self.folder.shift(folder);
        self.inode += 1;
        let copy = log(&format!("{folder}app.log.1"));
        if self.folder.copy_and_truncate(&copy, self.inode, self.clock) {
            self.note(format!("copy to {folder}app.log.1 and truncate"));
        }
    }

    /// A copy is there before all of it is.
    fn begin_copy(&mut self) {
        let folder = ["", "old/"][usize::from(self.random.below(2) == 0)];
        let of_live = (self.folder.live.clone(), log(&format!("{folder}app.log.1")));
        let rotated = self.folder.rotated();
        let of_rotated = self.random.one_of(rotated).map(|of| {
            let copy = PathBuf::from(format!("{}.bak", of.display()));
            (of, copy)
        });
        let is_new = |(of, copy): &(PathBuf, PathBuf)| {
            of.extension() != copy.extension() && !self.folder.nodes.contains_key(copy)
        };
        let of_rotated = of_rotated.filter(is_new);
        let (of, copy) = of_rotated
            .filter(|_| self.random.below(2) == 0)
            .unwrap_or(of_live);
        let is_live = of == self.folder.live;
        let Some(lines) = self.folder.lines(&of).filter(|lines| *lines > 1) else {
            return;
        };
        if is_live {
            self.folder.shift(folder);
        }
        self.inode += 1;
        let count = 1 + self.random.below(lines - 1);
        self.folder
            .begin_copy((&of, &copy), self.inode, self.clock, count);
        self.copying = Some((of.clone(), self.inode));
        self.note(format!(
            "copy {count} lines of {} to {}",
            of.display(),
            copy.display()
        ));
    }

    /// Of the live file it is copytruncate.
    fn finish_copy(&mut self) {
        if let Some((of, inode)) = self.copying.take() {
            self.folder.finish_copy(&of, inode, self.clock);
            self.note("finish the copy, and truncate what is live".to_owned());
        }
    }

    /// The file begins anew, and nobody has a copy.
    fn truncate(&mut self) {
        let Some(node) = self.folder.nodes.get_mut(&self.folder.live) else {
            return;
        };
        let (inode, bytes) = (node.inode, std::mem::take(&mut node.bytes));
        node.modified = self.clock;
        let nodes = self.folder.nodes.values();
        let left: BTreeSet<u64> = nodes.flat_map(|node| lines_of(&node.bytes)).collect();
        let is_lost = |line: &u64| !self.stored.contains_key(line) && !left.contains(line);
        let lost: Vec<u64> = lines_of(&bytes).filter(is_lost).collect();
        let mut body = Sampled(bytes, false);
        let is_known = self.rows.values().any(|row| {
            row.inode.inode == inode
                && row.life.is_open()
                && row.proof.offset > 0
                && matches!(row.proof.check(&mut body), Ok(Some(_)))
        });
        self.may_gap |= is_known;
        self.must_gap |= is_known && self.held.is_none() && !lost.is_empty();
        self.destroyed.extend(lost);
        self.note("truncate".to_owned());
    }

    /// A rotated file gets a compressed twin, and is deleted then or a while later.
    fn compress(&mut self) {
        let rotated = self.folder.rotated();
        let Some(plain) = self.random.one_of(rotated) else {
            return;
        };
        let has_twin = self.add_twin(&plain);
        if !has_twin || self.random.below(2) == 0 {
            self.unlinked.extend(self.folder.nodes.remove(&plain));
            self.note(format!("delete {}", plain.display()));
        }
    }

    /// Returns false when it is there already.
    fn add_twin(&mut self, plain: &Path) -> bool {
        self.inode += 1;
        let is_new = self.folder.add_twin(plain, self.inode);
        if is_new {
            self.note(format!("compress {}", plain.display()));
        }
        is_new
    }

    fn stop(&mut self) {
        if self.held.take().is_some() {
            self.note("stop".to_owned());
            self.settled.clear();
        }
    }

    fn step(&mut self) {
        self.clock += 1;
        if self.copying.is_some() {
            return match self.random.below(6) {
                0 => self.write(),
                1..3 => self.look(),
                3 => self.read(),
                4 => self.stop(),
                _ => self.finish_copy(),
            };
        }
        match self.random.below(19) {
            17 => self.begin_copy(),
            18 => self.end_rotated(),
            0..4 => self.write(),
            4 => {
                let folder = ["", "old/"][usize::from(self.random.below(3) == 0)];
                self.folder.shift(folder);
                self.rename(log(&format!("{folder}app.log.1")));
            }
            5 => self.copy_and_truncate(""),
            12 => self.copy_and_truncate("old/"),
            // cronolog's hard link: the file keeps its other name.
            13 => {
                let (date, form) = (format!("20261128{:04}", self.clock), self.random.below(3));
                self.rename(log(&match form {
                    0 => format!("app-{date}.log"),
                    1 => format!("app{date}.log"),
                    _ => format!("{date}-app.log"),
                }));
            }
            // A pattern may take any names; short files are known by a look only.
            16 if self.covers_all && self.held.is_some() => {
                let moved = log(&format!("old/batch{}", self.clock));
                self.rename(moved.clone());
                self.add_twin(&moved);
                self.look();
            }
            14 => self.truncate(),
            15 => {
                self.folder.live = log(&format!("releases/{:04}/app.log", self.clock));
                self.note(format!("the link leads to {}", self.folder.live.display()));
            }
            6 => self.compress(),
            7 => self.stop(),
            8..=10 => self.look(),
            _ => self.read(),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        self.finish_copy();
        for _ in 0..3 {
            self.look();
        }
        let twice: Vec<_> = self.stored.iter().filter(|(_, times)| **times > 1).collect();
        let missing: Vec<u64> = (1..=self.lines)
            .filter(|line| !self.stored.contains_key(line) && !self.destroyed.contains(line))
            .collect();
        let is_gap_right = if self.gaps > 0 {
            self.may_gap
        } else {
            !self.must_gap
        };
        if twice.is_empty() && missing.is_empty() && is_gap_right && self.faults.is_empty() {
            return Ok(());
        }
        Err(format!(
            "twice {twice:?}, missing {missing:?}, {} gaps, {:?}",
            self.gaps, self.faults
        ))
    }
}

#[test]
fn every_line_is_read_once_whatever_happens_to_its_file() {
    assert!(names::bases(&log("app.log.1")).contains(&log("app.log")));
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    let first = number("LOGWATCH_PLAN_SEED", 1);
    let mut failures = 0;
    let mut text = String::new();
    for seed in first..first + number("LOGWATCH_PLANS", SCHEDULES) {
        let mut model = Model::new(seed);
        model.write();
        model.look();
        for _ in 0..4 + model.random.below(16) {
            model.step();
        }
        if let Err(error) = model.check() {
            failures += 1;
            if failures <= 2 {
                text += &format!(
                    "LOGWATCH_PLAN_SEED={seed}: {error}\n  {}\n",
                    model.steps.join("\n  ")
                );
            }
        }
    }
    assert_eq!(failures, 0, "{text}");
}
