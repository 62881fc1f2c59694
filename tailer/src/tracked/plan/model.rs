//! Random lives of a directory against an oracle that knows them: files are created, appended to,
//! renamed, copied beside or into another directory, truncated with a copy or without, compressed
//! and deleted, and a link moves to another file, while a reader follows, stops and starts.
//!
//! Each byte that is written is a line with a number of its own, so the oracle is simple: the
//! reader has each line at most once, and in the end each line that is still in some file, or lost
//! with a gap. No file system and no clock: a schedule takes 2 ms, not optimised. `LOGWATCH_PLANS`
//! says how many, `LOGWATCH_PLAN_SEED` where to begin.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use super::model_files::{Folder, LINE, Node, Random, Sampled, lines_of, log, names_of};
use super::{How, OpenFile, Setting, Step, plan};
use crate::source::directory::Candidate;
use crate::source::identity::{Proof, proof_at};
use crate::source::names;
use crate::tracked::state::{Event, FileRow, Life};

const SCHEDULES: u64 = 5_000;

/// An open file of the reader.
struct Held {
    row: FileRow,
    position: u64,
    /// The bytes it read, which make its proof.
    read: Vec<u8>,
}

struct Model {
    random: Random,
    folder: Folder,
    /// Files without a name that the reader holds open.
    unlinked: Vec<Node>,
    rows: HashMap<i64, FileRow>,
    held: Option<Vec<Held>>,
    /// Copied or finished files by inode, with their time of change.
    settled: HashMap<u64, SystemTime>,
    stored: BTreeMap<u64, usize>,
    gaps: usize,
    /// Lines that were in no file any more before the reader had them.
    destroyed: BTreeSet<u64>,
    /// A known file was truncated without a copy: a gap is right.
    may_gap: bool,
    /// Some of `destroyed` were in a file that the database knew, and the reader was stopped.
    must_gap: bool,
    /// Steps that are wrong whatever becomes of them.
    faults: Vec<String>,
    lines: u64,
    clock: u64,
    inode: u64,
    id: i64,
    covers_all: bool,
    steps: Vec<String>,
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
            steps: vec![format!("all names are read: {covers_all}")],
        }
    }

    fn note(&mut self, step: String) {
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

    fn step(&mut self) {
        self.clock += 1;
        match self.random.below(17) {
            0..4 => self.write(),
            4 => {
                let folder = ["", "old/"][usize::from(self.random.below(3) == 0)];
                self.folder.shift(folder);
                self.rename(log(&format!("{folder}app.log.1")));
            }
            5 => self.copy_and_truncate(""),
            12 => self.copy_and_truncate("old/"),
            // cronolog's hard link: the file keeps its other name.
            13 => self.rename(log(&format!("app-20261128{:04}.log", self.clock))),
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
            7 => {
                if let Some(held) = self.held.take() {
                    self.note("stop".to_owned());
                    drop(held);
                    self.settled.clear();
                }
            }
            8..=10 => self.look(),
            _ => self.read(),
        }
    }

    /// Starts the reader if it is stopped, looks, and does what the plan says.
    fn look(&mut self) {
        if self.held.is_none() {
            self.note("start".to_owned());
        }
        let mut held = self.held.take().unwrap_or_default();
        for file in &mut held {
            let node = self.node(file.row.inode.inode);
            let is_same = node.is_some_and(|node| node.bytes.starts_with(&file.read));
            if !is_same {
                file.row.life = file.row.life.after(Event::BytesGone);
            }
        }
        let candidates = self.folder.candidates(self.covers_all);
        let mut bodies: Vec<Option<Sampled>> = held
            .iter()
            .map(|file| {
                let node = self.node(file.row.inode.inode)?;
                (file.row.life != Life::Overwritten).then(|| Sampled(node.bytes.clone(), node.is_compressed))
            })
            .collect();
        let rows: Vec<&FileRow> = self
            .rows
            .values()
            .filter(|row| held.iter().all(|file| file.row.id != row.id))
            .collect();
        let mut open: Vec<OpenFile<Sampled>> = held
            .iter()
            .zip(&mut bodies)
            .map(|(file, body)| OpenFile {
                row: &file.row,
                place: file.row.place.clone(),
                now: if file.position == file.row.proof.offset {
                    file.row.proof
                } else {
                    Proof::of(file.position, &file.read, &file.read)
                },
                past: vec![file.row.proof],
                head: &file.read[..file.read.len().min(1024)],
                file: body.as_mut(),
            })
            .collect();
        let (settled, id) = (self.settled.clone(), &mut self.id);
        let steps = plan(
            &mut self.folder,
            &rows,
            &mut open,
            &candidates,
            &mut Setting {
                has_begun: &|_| true,
                belongs: &|_| true,
                is_settled: &|candidate| {
                    settled.get(&candidate.seen.inode.inode) == Some(&candidate.seen.modified)
                },
                from_end: false,
                now: SystemTime::UNIX_EPOCH,
                room: usize::MAX,
                draw_id: &mut || {
                    *id += 1;
                    *id
                },
            },
        );
        drop(open);
        self.note(format!("look: {}", names_of(&steps)));
        for step in steps {
            self.apply(step, &mut held);
        }
        // No copy was found: it ends.
        held.retain(|file| {
            let is_over = file.row.life == Life::Overwritten;
            if is_over {
                self.rows.insert(
                    file.row.id,
                    FileRow {
                        life: Life::Truncated,
                        ..file.row.clone()
                    },
                );
            }
            !is_over
        });
        self.held = Some(held);
        self.read();
    }

    fn node(&self, inode: u64) -> Option<&Node> {
        self.folder
            .nodes
            .values()
            .chain(&self.unlinked)
            .find(|node| node.inode == inode)
    }

    fn settle(&mut self, candidate: &Candidate) {
        let seen = &candidate.seen;
        self.settled.insert(seen.inode.inode, seen.modified);
    }

    fn apply(&mut self, step: Step<Sampled>, held: &mut Vec<Held>) {
        match step {
            Step::Named { open, candidate, .. } => held[open].row.place = candidate.seen.place,
            Step::Nameless { open } => {
                held[open].row.life = held[open].row.life.after(Event::NameLost(Instant::now()));
            }
            Step::Read {
                id,
                candidate,
                file,
                how: How::Resume,
                ..
            } => {
                let row = self.rows[&id].clone();
                let length = usize::try_from(row.proof.offset).unwrap();
                held.push(Held {
                    position: row.proof.offset,
                    read: file.0[..length].to_vec(),
                    row: FileRow {
                        inode: candidate.seen.inode,
                        place: candidate.seen.place,
                        life: Life::Live,
                        ..row
                    },
                });
            }
            Step::Read {
                id,
                candidate,
                how: How::Start { .. },
                ..
            } => held.push(Held {
                row: FileRow {
                    id,
                    path: candidate.shown().to_path_buf(),
                    place: candidate.seen.place.clone(),
                    inode: candidate.seen.inode,
                    proof: Proof::default(),
                    life: Life::Live,
                },
                position: 0,
                read: Vec::new(),
            }),
            Step::Read {
                id,
                candidate,
                mut file,
                how: How::GoOn,
                ..
            } => {
                if let Some(held) = held.iter_mut().find(|held| held.row.id == id)
                    && matches!(held.row.proof.check(&mut file), Ok(Some(_)))
                {
                    held.row.inode = candidate.seen.inode;
                    held.row.place = candidate.seen.place;
                    held.row.life = Life::Sealed;
                }
            }
            Step::CopyOf { id, candidate, proof } => {
                self.settle(&candidate);
                let is_stored = held
                    .iter()
                    .any(|file| file.row.id == id && file.position >= proof.offset)
                    || self
                        .rows
                        .get(&id)
                        .is_some_and(|row| row.proof.offset >= proof.offset);
                if is_stored {
                    self.add_row(&candidate, proof);
                } else {
                    self.settled.remove(&candidate.seen.inode.inode);
                }
            }
            Step::Settle { id, candidate } => {
                self.settle(&candidate);
                self.rows.entry(id).and_modify(|row| {
                    row.inode = candidate.seen.inode;
                    row.place.clone_from(&candidate.seen.place);
                });
            }
            Step::Mark { candidate, proof } => self.add_row(&candidate, proof),
            Step::Gap { id, .. } => {
                self.gaps += 1;
                self.rows.entry(id).and_modify(|row| row.life = Life::Removed);
            }
            Step::Gone { id } => {
                let row = &self.rows[&id];
                let node = self.folder.nodes.values().find(|it| it.inode == row.inode.inode);
                let node = node.filter(|it| it.bytes.len() as u64 == row.proof.offset);
                let mut body = node.map(|it| Sampled(it.bytes.clone(), it.is_compressed));
                let proven = body.as_mut().map(|body| row.proof.check(body));
                if matches!(proven, Some(Ok(Some(_)))) {
                    self.faults.push(format!("{id} exists and is called deleted"));
                }
                self.rows.entry(id).and_modify(|row| row.life = Life::Removed);
            }
            Step::Order(before) => {
                let chain = |id| std::iter::successors(Some(id), |id| before.get(id).copied());
                if before
                    .keys()
                    .any(|id| chain(*id).skip(1).take(before.len()).any(|it| it == *id))
                {
                    self.faults.push(format!("files wait for each other: {before:?}"));
                }
            }
            Step::Defer | Step::NotALog { .. } | Step::Unreadable { .. } => {}
        }
    }

    fn add_row(&mut self, candidate: &Candidate, proof: Proof) {
        self.id += 1;
        let row = FileRow {
            id: self.id,
            path: candidate.shown().to_path_buf(),
            place: candidate.seen.place.clone(),
            inode: candidate.seen.inode,
            proof,
            life: Life::Done,
        };
        self.rows.insert(row.id, row);
    }

    /// Reads what is in the open files, and stores it.
    fn read(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        for file in &mut held {
            let Some(node) = self.node(file.row.inode.inode).cloned() else {
                continue;
            };
            if file.row.life == Life::Overwritten || !node.bytes.starts_with(&file.read) {
                continue;
            }
            for line in lines_of(&node.bytes[file.read.len()..]) {
                *self.stored.entry(line).or_default() += 1;
            }
            file.read.clone_from(&node.bytes);
            file.position = file.read.len() as u64;
            if let Ok(Some((proof, _))) = proof_at(&mut Sampled(node.bytes, false), file.position) {
                file.row.proof = proof;
            }
            self.rows.insert(file.row.id, file.row.clone());
        }
        self.held = Some(held);
    }

    fn check(&mut self) -> Result<(), String> {
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
