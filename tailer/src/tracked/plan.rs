//! Plans the work on the files of a look: pure decisions, in the order of execution.
//!
//! `plan` compares the rows of the database, the files that are open and the directory as it is
//! now. It reads bytes through `World` only, changes nothing, and is what the model test drives.
//!
//! ```text
//! candidates ─▶ open ─▶ match: whose bytes? ─▶ identify, one after the other ─▶ order ─▶ steps
//!                        rows, lost files        known bytes, a copy, or new
//! ```

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

mod begin;
mod compare;
mod matches;
mod order;

use super::identify::{Fresh, OpenFile, Relation, Starts, may_prove};
use super::state::{FileRow, Life};
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{Proof, Sample, proof_at};
use crate::source::inputs::Inode;
use crate::source::names::{self, Age};
use crate::timing::COPYING;
use matches::Holder;

/// The plan's questions to the file system.
pub trait World {
    type File: Sample;
    /// Opens the candidate, not another file that took its name meanwhile.
    fn open(&mut self, candidate: &Candidate) -> io::Result<Self::File>;
    /// Returns true when the path leads to this file.
    fn leads_to(&self, path: &Path, inode: Inode) -> bool;
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
    /// Number of candidates that may be held open.
    pub room: usize,
    pub draw_id: &'a mut dyn FnMut() -> i64,
}

#[derive(Debug)]
pub enum Step<F> {
    /// The open file with this index has this name now. `is_old`: a newer file of its kind is
    /// there.
    Named {
        open: usize,
        candidate: Candidate,
        is_old: bool,
    },
    /// The open file with this index has no name that is known.
    Nameless {
        open: usize,
    },
    Read {
        id: i64,
        candidate: Candidate,
        file: F,
        how: How,
        is_old: bool,
    },
    /// Each of these files is read after the other one, which was written before it.
    Order(HashMap<i64, i64>),
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
    /// It cannot be decided on yet.
    Defer,
    NotALog {
        candidate: Candidate,
        what: &'static str,
    },
    Unreadable {
        candidate: Candidate,
        error: String,
    },
    /// The row's bytes are nowhere, and may not all be stored.
    Gap {
        id: i64,
        is_overwritten: bool,
    },
    /// All of the row's bytes are stored, or another row has them, and its file is gone.
    Gone {
        id: i64,
    },
}

/// How a file begins to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// It is the row's file.
    Resume,
    /// The open file goes on in this one.
    GoOn,
    /// It is new. `replaces`: the file that was here was truncated.
    Start { from: From, replaces: bool },
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

/// The answer to the question which file a candidate is.
enum Identity {
    /// It has the bytes of this row, or of this open file.
    Same(Holder),
    CopyOf(i64),
    /// Nobody knows its bytes, or all those before `From::After`.
    New(From),
    Unsure,
}

/// A file that is read, or will be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Open(usize),
    Fresh(usize, i64),
}

struct Planner<'a, 'f, W: World> {
    rows: &'a [&'a FileRow],
    open: &'a mut [OpenFile<'f, W::File>],
    fresh: Vec<Option<Fresh<W::File>>>,
    /// The rows and open files whose bytes were found.
    taken: HashSet<Holder>,
    /// Rows that a candidate showed to be wholly stored.
    matched: HashSet<usize>,
    nameless: HashSet<usize>,
    /// The candidates that have the bytes of a row or of an open file.
    same: HashMap<usize, Holder>,
    /// All rows whose bytes a candidate has.
    also: HashMap<usize, Vec<usize>>,
    /// The files that are read, or will be.
    known: Starts<Known>,
    by_inode: HashMap<Inode, Vec<&'a FileRow>>,
    /// Rows whose bytes are nowhere.
    lost: Vec<&'a FileRow>,
    /// Rows of files that had no bytes, by their path.
    unread: HashMap<PathBuf, i64>,
    reads: Vec<(usize, i64, How)>,
    /// Where files are.
    places: HashSet<&'a Path>,
    /// The candidates by their inodes.
    there: HashMap<Inode, &'a Candidate>,
    /// Candidates that may be read later.
    deferred: Vec<Candidate>,
    steps: Vec<Step<W::File>>,
}

/// Decides about everything that is there.
pub fn plan<'a, W: World>(
    world: &mut W,
    rows: &'a [&'a FileRow],
    open: &'a mut [OpenFile<'_, W::File>],
    candidates: &'a [Candidate],
    setting: &mut Setting,
) -> Vec<Step<W::File>> {
    let mut planner = Planner::<W> {
        rows,
        open,
        fresh: Vec::new(),
        taken: HashSet::new(),
        matched: HashSet::new(),
        nameless: HashSet::new(),
        same: HashMap::new(),
        also: HashMap::new(),
        known: Starts::new(),
        by_inode: HashMap::new(),
        lost: Vec::new(),
        unread: HashMap::new(),
        reads: Vec::new(),
        places: HashSet::new(),
        there: candidates.iter().map(|it| (it.seen.inode, it)).collect(),
        deferred: Vec::new(),
        steps: Vec::new(),
    };
    let newest = order::newest_of_each_line(candidates);
    let held = planner.name_open_files(world, &newest);
    let is_fresh = |candidate: &&Candidate| {
        candidate.seen.size > 0 && !held.contains(&candidate.seen.inode) && !(setting.is_settled)(candidate)
    };
    let (strangers, mut kin): (Vec<&Candidate>, Vec<&Candidate>) = candidates
        .iter()
        .filter(is_fresh)
        .partition(|candidate| candidate.kin == Kin::Stranger);
    if kin.len() > setting.room {
        // The first to be read are held open.
        kin.sort_by_cached_key(|candidate| order::order_of(candidate));
    }
    if !kin.is_empty() || !strangers.is_empty() {
        planner.places = candidates.iter().map(|it| it.seen.place.as_path()).collect();
    }
    planner.open_fresh(world, kin, setting);
    planner.match_from(0);
    if planner.seeks(setting) {
        let from = planner.fresh.len();
        planner.open_fresh(world, strangers, setting);
        planner.match_from(from);
    }
    planner.identify_all(world, setting, &newest);
    planner.end_rows(world, candidates, setting);
    planner
        .steps
        .extend(order::order(&planner.steps, planner.open, &planner.there).map(Step::Order));
    planner.steps
}

impl<W: World> Planner<'_, '_, W> {
    /// Says which open files are where, and returns the inodes that they hold.
    fn name_open_files(&mut self, world: &W, newest: &order::Newest) -> HashSet<Inode> {
        let mut held = HashSet::new();
        for (index, open) in self.open.iter().enumerate() {
            if open.row.life == Life::Overwritten {
                continue;
            }
            let Some(candidate) = self.there.get(&open.row.inode) else {
                self.nameless.insert(index);
                self.steps.push(Step::Nameless { open: index });
                continue;
            };
            held.insert(open.row.inode);
            let mut candidate = (*candidate).clone();
            // One of several names, none of them lost.
            if candidate.seen.path != open.row.path && world.leads_to(&open.row.path, open.row.inode) {
                candidate.seen.path.clone_from(&open.row.path);
            }
            let is_old = order::is_old(&candidate, newest);
            self.steps.push(Step::Named {
                open: index,
                candidate,
                is_old,
            });
        }
        held
    }

    fn open_fresh(&mut self, world: &mut W, candidates: Vec<&Candidate>, setting: &Setting) {
        for candidate in candidates {
            let candidate = candidate.clone();
            let is_stranger = candidate.kin == Kin::Stranger;
            // A file that is being compressed is there together with its twin.
            let twin = names::uncompressed(&candidate.seen.place);
            let bases = names::bases(&candidate.seen.place);
            let is_there = |base: &PathBuf| Some(base) != twin.as_ref() && self.places.contains(&**base);
            let is_moved = !bases.is_empty() && !bases.iter().any(is_there);
            let opened = world
                .open(&candidate)
                .and_then(|file| Fresh::new(candidate.clone(), file, is_moved));
            match opened {
                Ok(mut fresh) => match fresh.file.archive() {
                    Some(_) if is_stranger => {}
                    Some(what) => self.steps.push(Step::NotALog { candidate, what }),
                    None => {
                        if self.fresh.len() >= setting.room {
                            fresh.file.close(&fresh.candidate.seen);
                        }
                        self.fresh.push(Some(fresh));
                    }
                },
                Err(error) => self.cannot_read(candidate, &error, setting.now),
            }
        }
    }

    /// A file that was written to a moment ago may be whole later.
    fn cannot_read(&mut self, candidate: Candidate, error: &io::Error, now: SystemTime) {
        let is_refused = error.raw_os_error().is_some();
        if error.kind() == io::ErrorKind::NotFound || !is_refused && is_young(&candidate, now) {
            self.steps.push(Step::Defer);
            self.deferred.push(candidate);
        } else if candidate.kin != Kin::Stranger {
            let error = error.to_string();
            self.steps.push(Step::Unreadable { candidate, error });
        }
    }

    /// True when some known bytes are to be looked for wherever they may be.
    fn seeks(&self, setting: &Setting) -> bool {
        let is_lost = |(index, row): (usize, &&FileRow)| {
            row.life.is_open()
                && row.proof.says_something()
                && !self.taken.contains(&Holder::Row(index))
                && (setting.belongs)(row)
        };
        self.rows.iter().enumerate().any(is_lost)
            || (0..self.open.len())
                .any(|index| self.is_sought(index) && !self.taken.contains(&Holder::Open(index)))
    }

    /// True for an open file whose bytes are not at hand.
    fn is_sought(&self, index: usize) -> bool {
        let open = &self.open[index];
        open.file.is_none() && (open.row.life == Life::Overwritten || self.nameless.contains(&index))
    }

    /// Says of each candidate which file it is: first of those whose bytes were found, then of the
    /// longest, so that a copy comes after what it is a copy of.
    fn identify_all(&mut self, world: &mut W, setting: &mut Setting, newest: &order::Newest) {
        if self.fresh.is_empty() {
            return;
        }
        for (index, open) in self.open.iter_mut().enumerate() {
            self.known.add(&open.start(), Known::Open(index));
            self.by_inode.entry(open.row.inode).or_default().push(open.row);
        }
        for (index, row) in self.rows.iter().enumerate() {
            self.by_inode.entry(row.inode).or_default().push(row);
            if row.proof.offset == 0 {
                self.unread.insert(row.path.clone(), row.id);
            } else if row.life.is_open() && !self.taken.contains(&Holder::Row(index)) {
                self.lost.push(row);
            }
        }
        let mut order: Vec<usize> = (0..self.fresh.len()).collect();
        order.sort_by_cached_key(|at| {
            let fresh = self.fresh[*at].as_mut().filter(|_| !self.same.contains_key(at))?;
            Some((
                Reverse(fresh.size().unwrap_or(0)),
                fresh.candidate.kin != Kin::Covered,
                fresh.file.is_compressed(),
                Age::of(&fresh.candidate.seen.place),
            ))
        });
        for at in order {
            let Some(mut fresh) = self.fresh[at].take() else {
                continue;
            };
            match self.identify(world, &mut fresh, at, setting.now) {
                Ok(Identity::Same(Holder::Row(index))) => self.resume(at, fresh, index, setting.now),
                Ok(Identity::Same(Holder::Open(index))) => {
                    self.taken.insert(Holder::Open(index));
                    self.nameless.remove(&index);
                    self.read(at, fresh, self.open[index].row.id, How::GoOn);
                }
                Ok(Identity::CopyOf(id)) => self.settle(fresh, Some(id)),
                Ok(Identity::New(from)) => self.begin(at, fresh, from, setting),
                Ok(Identity::Unsure) => self.steps.push(Step::Defer),
                Err(error) => self.cannot_read(fresh.candidate, &error, setting.now),
            }
        }
        let mut reads = std::mem::take(&mut self.reads);
        reads.sort_by_cached_key(|(at, _, how)| {
            let is_new = matches!(how, How::Start { .. });
            let fresh = self.fresh[*at].as_ref().filter(|_| is_new);
            fresh.map(|fresh| order::order_of(&fresh.candidate))
        });
        for (at, id, how) in reads {
            if let Some(Fresh { candidate, file, .. }) = self.fresh[at].take() {
                let is_old = order::is_old(&candidate, newest);
                self.steps.push(Step::Read {
                    id,
                    candidate,
                    file,
                    how,
                    is_old,
                });
            }
        }
    }

    fn read(&mut self, at: usize, fresh: Fresh<W::File>, id: i64, how: How) {
        self.known.add(&fresh.head, Known::Fresh(at, id));
        self.fresh[at] = Some(fresh);
        self.reads.push((at, id, how));
    }

    /// Reads on in the file of a row, unless all of it is stored.
    fn resume(&mut self, at: usize, mut fresh: Fresh<W::File>, index: usize, now: SystemTime) {
        let row = self.rows[index];
        let is_known = fresh.is_known_compressed(row);
        let size = if is_known {
            Ok(row.proof.offset)
        } else {
            fresh.size()
        };
        match size {
            Ok(size) if size > row.proof.offset || row.life.is_open() => {
                self.read(at, fresh, row.id, How::Resume);
            }
            Ok(_) => {
                let (id, candidate) = (row.id, fresh.candidate);
                self.steps.push(Step::Settle { id, candidate });
            }
            Err(error) => self.cannot_read(fresh.candidate, &error, now),
        }
    }

    /// A file that is not read: a copy, or one that was there before.
    fn settle(&mut self, mut fresh: Fresh<W::File>, of: Option<i64>) {
        let size = fresh.size().ok();
        let whole = size.and_then(|size| Some(proof_at(&mut fresh.file, size).ok()??.0));
        let candidate = fresh.candidate;
        self.steps.push(match (whole, of) {
            (Some(proof), Some(id)) => Step::CopyOf { id, candidate, proof },
            (Some(proof), None) => Step::Mark { candidate, proof },
            (None, _) => Step::Defer,
        });
    }
}

/// Returns true when somebody may still be making the file.
fn is_young(candidate: &Candidate, now: SystemTime) -> bool {
    now.duration_since(candidate.seen.modified).unwrap_or_default() <= COPYING
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod model_files;
#[cfg(test)]
mod model_reader;
