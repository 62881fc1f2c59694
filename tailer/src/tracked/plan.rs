//! Plans the work on the files of a look: pure decisions, in the order of execution.
//!
//! `plan` compares the rows of the database, the files that are open and the directory as it is
//! now. It reads bytes through `World` only, changes nothing, and is what the model test drives.
//! Each candidate is the same file as a row (`Resume`, `GoOnIn`, `Settle`), a copy (`CopyOf`), new
//! (`StartAfter`), nobody's (`Mark`), no log, unreadable, or not to be decided yet (`Defer`). A row
//! whose bytes are nowhere is a `Gap` when they may not all be stored, else it is `Gone`.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::time::SystemTime;

mod begin;
mod copies;
mod matches;
mod order;

use super::identify::{Fresh, Whereabouts};
use super::state::{FileRow, Life};
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{Proof, Sample, proof_at};
use crate::source::inputs::Inode;
use crate::timing::COPYING;

/// The plan's questions to the file system.
pub trait World {
    type File: Sample;
    /// Opens the candidate, not another file that took its name meanwhile.
    fn open(&mut self, candidate: &Candidate) -> io::Result<Self::File>;
    /// Returns true when the path leads to this file.
    fn leads_to(&self, path: &Path, inode: Inode) -> bool;
}

/// A file that is being read.
pub struct OpenFile<'a, F> {
    pub row: &'a FileRow,
    /// The proof of all that was read of it; of all that was seen in it while it is not held open.
    pub now: Proof,
    pub past: Vec<Proof>,
    pub head: &'a [u8],
    /// `None` when its bytes are gone, or it is not held open.
    pub file: Option<&'a mut F>,
}

/// Inputs of the plan besides the files.
pub struct Setting<'a> {
    /// Rotated files of this path that nobody knows are to be read: its input was followed before.
    pub has_begun: &'a dyn Fn(&Path) -> bool,
    /// The row belongs to the inputs.
    pub belongs: &'a dyn Fn(&FileRow) -> bool,
    /// Candidates that were decided on and have not changed since.
    pub is_settled: &'a dyn Fn(&Candidate) -> bool,
    /// New files begin at their end.
    pub from_end: bool,
    pub now: SystemTime,
    /// Number of candidates that may be opened.
    pub room: usize,
    pub draw_id: &'a mut dyn FnMut() -> i64,
}

#[derive(Debug)]
pub enum Step<F> {
    /// The open file has this name now. `is_old`: a newer file of its kind is there.
    Named {
        id: i64,
        candidate: Candidate,
        is_old: bool,
    },
    /// The open file has no name that is known.
    Nameless {
        id: i64,
    },
    Resume {
        id: i64,
        candidate: Candidate,
        file: F,
        after: Option<i64>,
        is_old: bool,
    },
    StartAfter {
        id: i64,
        candidate: Candidate,
        file: F,
        after: Option<i64>,
        is_old: bool,
        from: From,
        /// The file that was here was truncated.
        replaces: bool,
    },
    /// The open file goes on in this one.
    GoOnIn {
        id: i64,
        candidate: Candidate,
        file: F,
    },
    CopyOf {
        id: i64,
        candidate: Candidate,
        proof: Proof,
    },
    /// All of it is stored, as this row says.
    Settle {
        id: i64,
        candidate: Candidate,
    },
    /// It was there before its input, or is a copy of what is gone: not to be read.
    Mark {
        candidate: Candidate,
        proof: Proof,
    },
    Defer,
    NotALog {
        candidate: Candidate,
        what: &'static str,
    },
    Unreadable {
        candidate: Candidate,
        error: String,
    },
    /// The row's bytes are nowhere.
    Gap {
        id: i64,
        is_overwritten: bool,
    },
    /// All of the row's bytes are stored, and its file is deleted.
    Gone {
        id: i64,
    },
    /// There were more candidates than could be opened: the others wait for the next look.
    More,
}

/// Where a new file begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum From {
    Beginning,
    /// After the last whole line.
    End,
    /// It begins with all that was read of another file.
    After(Proof),
}

/// The result of reading a fresh candidate.
enum Verdict {
    Open,
    /// It is the file of this row, or of this open file.
    Is(Holder),
    Decided,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Row(usize),
    Open(usize),
}

struct Planner<'a, 'f, W: World> {
    rows: &'a [FileRow],
    open: &'a mut [OpenFile<'f, W::File>],
    fresh: Vec<Option<Fresh<W::File>>>,
    verdicts: Vec<Verdict>,
    /// The ids of fresh files that are read from now on.
    ids: HashMap<usize, i64>,
    taken: HashSet<Holder>,
    /// Rows that a candidate showed to be wholly stored.
    matched: HashSet<usize>,
    nameless: HashSet<usize>,
    /// Fresh files that go on where another one ends.
    beyond: HashMap<usize, Proof>,
    steps: Vec<Step<W::File>>,
}

/// Decides about everything that is there.
pub fn plan<W: World>(
    world: &mut W,
    rows: &[FileRow],
    open: &mut [OpenFile<W::File>],
    candidates: &[Candidate],
    setting: &mut Setting,
) -> Vec<Step<W::File>> {
    let mut planner = Planner::<W> {
        rows,
        open,
        fresh: Vec::new(),
        verdicts: Vec::new(),
        ids: HashMap::new(),
        taken: HashSet::new(),
        matched: HashSet::new(),
        nameless: HashSet::new(),
        beyond: HashMap::new(),
        steps: Vec::new(),
    };
    let held = planner.name_open_files(world, candidates);
    let is_fresh = |candidate: &&Candidate| {
        candidate.seen.size > 0 && !held.contains(&candidate.seen.inode) && !(setting.is_settled)(candidate)
    };
    let (strangers, mut kin): (Vec<&Candidate>, Vec<&Candidate>) = candidates
        .iter()
        .filter(is_fresh)
        .partition(|candidate| candidate.kin == Kin::Stranger);
    let is_cut = kin.len() > setting.room;
    if is_cut {
        kin.sort_by_cached_key(|candidate| order::order_of(candidate));
        kin.truncate(setting.room);
        planner.steps.push(Step::More);
    }
    let deferred = planner.open_fresh(world, kin, setting.now);
    planner.assign(0);
    if !is_cut && planner.seeks(setting) {
        let from = planner.fresh.len();
        planner.open_fresh(world, strangers, setting.now);
        planner.assign(from);
    }
    planner.settle_stored(setting.now);
    planner.find_copies(setting.now);
    planner.begin(setting);
    if !is_cut {
        planner.end_rows(world, setting, &deferred);
    }
    order::order(&mut planner.steps, planner.open, candidates);
    planner.steps
}

impl<W: World> Planner<'_, '_, W> {
    /// Says which open files are where, and returns the inodes that they hold.
    fn name_open_files(&mut self, world: &W, candidates: &[Candidate]) -> HashSet<Inode> {
        let by_inode: HashMap<Inode, &Candidate> = candidates
            .iter()
            .map(|candidate| (candidate.seen.inode, candidate))
            .collect();
        let newest = order::newest_of_each_line(candidates);
        let mut held = HashSet::new();
        for (index, open) in self.open.iter().enumerate() {
            if open.row.life == Life::Overwritten {
                continue;
            }
            match by_inode.get(&open.row.inode) {
                Some(candidate) => {
                    held.insert(open.row.inode);
                    let mut candidate = (*candidate).clone();
                    // One of several names, none of them lost.
                    if world.leads_to(&open.row.path, open.row.inode) {
                        candidate.seen.path.clone_from(&open.row.path);
                    }
                    let is_old = order::is_old(&candidate, &newest);
                    self.steps.push(Step::Named {
                        id: open.row.id,
                        candidate,
                        is_old,
                    });
                }
                None => {
                    self.nameless.insert(index);
                    self.steps.push(Step::Nameless { id: open.row.id });
                }
            }
        }
        held
    }

    /// Opens candidates; returns those that could not be decided on.
    fn open_fresh(&mut self, world: &mut W, candidates: Vec<&Candidate>, now: SystemTime) -> Vec<Candidate> {
        let mut deferred = Vec::new();
        for candidate in candidates {
            let candidate = candidate.clone();
            let is_stranger = candidate.kin == Kin::Stranger;
            let opened = world
                .open(&candidate)
                .and_then(|file| Fresh::new(candidate.clone(), file));
            match opened {
                Ok(mut fresh) => match fresh.file.archive() {
                    Some(_) if is_stranger => {}
                    Some(what) => self.steps.push(Step::NotALog { candidate, what }),
                    None => {
                        self.fresh.push(Some(fresh));
                        self.verdicts.push(Verdict::Open);
                    }
                },
                Err(_) if is_stranger => {}
                Err(error) => {
                    let step = undecided(candidate.clone(), &error, now);
                    if matches!(step, Step::Defer) {
                        deferred.push(candidate);
                    }
                    self.steps.push(step);
                }
            }
        }
        deferred
    }

    /// True when some known bytes are to be looked for wherever they may be.
    fn seeks(&self, setting: &Setting) -> bool {
        let is_lost = |(index, row): (usize, &FileRow)| {
            row.life.is_open()
                && row.proof.says_something()
                && !self.taken.contains(&Holder::Row(index))
                && (setting.belongs)(row)
        };
        self.rows.iter().enumerate().any(is_lost)
            || self.open.iter().enumerate().any(|(index, open)| {
                open.file.is_none()
                    && !self.taken.contains(&Holder::Open(index))
                    && (open.row.life == Life::Overwritten || self.nameless.contains(&index))
            })
    }

    fn decide(&mut self, at: usize, step: Step<W::File>) {
        self.verdicts[at] = Verdict::Decided;
        self.steps.push(step);
    }
}

/// Files with the same first bytes are compared with each other.
const SHARED_START: usize = 64;

impl<F: Sample> OpenFile<'_, F> {
    /// Returns the first bytes of a file of which nothing was read.
    fn head_of_unread(&mut self) -> Vec<u8> {
        let mut start = [0; SHARED_START];
        let is_filled = self.head.is_empty()
            && match &mut self.file {
                Some(file) => file.fill_at(0, &mut start).unwrap_or(false),
                None => false,
            };
        if is_filled { start.to_vec() } else { Vec::new() }
    }

    /// True when this file was overwritten where the candidate is.
    fn replaced(&self, candidate: &Candidate) -> bool {
        self.row.life == Life::Overwritten
            && self.row.inode == candidate.seen.inode
            && self.row.path == candidate.seen.path
    }
}

fn whereabouts(row: &FileRow) -> Whereabouts<'_> {
    Whereabouts {
        path: &row.path,
        place: &row.place,
        inode: row.inode,
    }
}

/// Returns what to do about a file that cannot be read: one that was written to a moment ago may be
/// whole later.
fn undecided<F>(candidate: Candidate, error: &io::Error, now: SystemTime) -> Step<F> {
    let is_gone = error.kind() == io::ErrorKind::NotFound;
    let is_refused = error.raw_os_error().is_some();
    if !is_gone && (is_refused || !is_young(&candidate, now)) {
        let error = error.to_string();
        Step::Unreadable { candidate, error }
    } else {
        Step::Defer
    }
}

/// Returns true when somebody may still be making the file.
fn is_young(candidate: &Candidate, now: SystemTime) -> bool {
    now.duration_since(candidate.seen.modified).unwrap_or_default() <= COPYING
}

fn whole<F: Sample>(fresh: &mut Fresh<F>) -> Option<Proof> {
    let size = fresh.size().ok()?;
    Some(proof_at(&mut fresh.file, size).ok().flatten()?.0)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod model_files;
