//! What to do about the files that are there: pure decisions, in the order in which they are to be done.
//!
//! `plan` compares the rows of the database, the files that are open and the directory as it is now. It reads bytes through `World` only,
//! changes nothing, and is what the model test drives. Each candidate is the same file as a row (`Resume`, `GoOnIn`, `Settle`), a copy
//! (`CopyOf`), new (`StartAfter`), nobody's (`Mark`), no log, unreadable, or not to be decided yet (`Defer`). A row whose bytes are
//! nowhere is a `Gap` when they may not all be stored, else it is `Gone`.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::identify::{Fresh, Known, Relation, Whereabouts, may_prove, relation};
use super::state::{FileRow, Life};
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{HEAD, Proof, Sample, are_same, hash, proof_at};
use crate::source::inputs::Inode;
use crate::source::names::{self, Age};
use crate::timing::COPYING;

/// What the plan may ask of the file system.
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

/// What the plan depends on besides files.
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
    /// So many candidates may be opened.
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

/// What was found out about a fresh candidate.
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
        kin.sort_by_cached_key(|candidate| order_of(candidate));
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
    order(&mut planner.steps, planner.open, candidates);
    planner.steps
}

impl<W: World> Planner<'_, '_, W> {
    /// Says which open files are where, and returns the inodes that they hold.
    fn name_open_files(&mut self, world: &W, candidates: &[Candidate]) -> HashSet<Inode> {
        let by_inode: HashMap<Inode, &Candidate> = candidates
            .iter()
            .map(|candidate| (candidate.seen.inode, candidate))
            .collect();
        let newest = newest_of_each_line(candidates);
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
                    let is_old = is_old(&candidate, &newest);
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

    /// Finds for each row, and for each open file whose bytes are gone, the candidate that has its bytes.
    fn assign(&mut self, from: usize) {
        let mut by_head: HashMap<(usize, i64), Vec<usize>> = HashMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            if row.proof.says_something() {
                by_head
                    .entry((row.proof.head_bytes, row.proof.head_hash))
                    .or_default()
                    .push(index);
            }
        }
        let lengths: HashSet<usize> = by_head.keys().map(|(length, _)| *length).collect();
        let mut found = Vec::new();
        for at in from..self.fresh.len() {
            let Some(mut fresh) = self.fresh[at].take() else {
                continue;
            };
            let heads = lengths
                .iter()
                .filter_map(|length| Some((*length, hash(fresh.head.get(..*length)?))));
            let rows: Vec<usize> = heads
                .filter_map(|head| by_head.get(&head))
                .flatten()
                .copied()
                .collect();
            for index in rows {
                let row = &self.rows[index];
                if holds_row(&mut fresh, row) {
                    found.push(Match::new(
                        at,
                        Holder::Row(index),
                        row,
                        row.proof.offset,
                        &fresh.candidate,
                    ));
                }
            }
            for (index, open) in self.open.iter().enumerate() {
                let is_sought = open.file.is_none()
                    && (open.row.life == Life::Overwritten || self.nameless.contains(&index));
                let holds = |proof: &Proof, fresh: &mut Fresh<W::File>| {
                    proof.says_something()
                        && proof.is_headed(&fresh.head)
                        && may_prove(
                            &fresh.candidate,
                            fresh.file.is_compressed(),
                            whereabouts(open.row),
                            proof.offset,
                        )
                        && matches!(proof.check(&mut fresh.file), Ok(Some(_)))
                };
                if is_sought && (holds(&open.now, &mut fresh) || holds(&open.row.proof, &mut fresh)) {
                    found.push(Match::new(
                        at,
                        Holder::Open(index),
                        open.row,
                        open.now.offset,
                        &fresh.candidate,
                    ));
                }
            }
            self.fresh[at] = Some(fresh);
        }
        found.sort_by_key(|found| Reverse(found.rank));
        for Match { at, holder, .. } in &found {
            if matches!(self.verdicts[*at], Verdict::Open) && self.taken.insert(*holder) {
                self.verdicts[*at] = Verdict::Is(*holder);
            }
        }
        // All that a file has is stored when some row says so, whoever has that row.
        for Match { at, holder, .. } in found {
            let (Holder::Row(index), Verdict::Open, Some(fresh)) =
                (holder, &self.verdicts[at], &mut self.fresh[at])
            else {
                continue;
            };
            if fresh
                .size()
                .is_ok_and(|size| size == self.rows[index].proof.offset)
                && let Some(proof) = whole(fresh)
            {
                self.matched.insert(index);
                self.verdicts[at] = Verdict::Decided;
                // It will be shorter than the row once that goes on.
                self.steps.push(Step::CopyOf {
                    id: self.rows[index].id,
                    candidate: fresh.candidate.clone(),
                    proof,
                });
            }
        }
    }

    /// Settles the files of finished rows that have not grown, and resumes the others.
    fn settle_stored(&mut self, now: SystemTime) {
        for at in 0..self.fresh.len() {
            let Verdict::Is(holder) = self.verdicts[at] else {
                continue;
            };
            let Some(fresh) = &mut self.fresh[at] else {
                continue;
            };
            let id = match holder {
                Holder::Row(index) => self.rows[index].id,
                Holder::Open(index) => self.open[index].row.id,
            };
            let Holder::Row(index) = holder else {
                self.ids.insert(at, id);
                continue;
            };
            let row = &self.rows[index];
            let is_over = !row.life.is_open();
            let is_stored = is_over
                && (is_known_compressed(&fresh.file, row, &fresh.candidate)
                    || fresh.size().is_ok_and(|size| size <= row.proof.offset));
            if is_stored {
                self.matched.insert(index);
                self.verdicts[at] = Verdict::Decided;
                self.steps.push(Step::Settle {
                    id,
                    candidate: fresh.candidate.clone(),
                });
            } else if let Err(error) = fresh.size() {
                self.verdicts[at] = Verdict::Decided;
                self.matched.insert(index);
                self.steps.push(undecided(fresh.candidate.clone(), &error, now));
            } else {
                self.ids.insert(at, id);
            }
        }
    }

    /// Finds out which of the others hold nothing but what is elsewhere.
    fn find_copies(&mut self, now: SystemTime) {
        for at in 0..self.fresh.len() {
            if !matches!(self.verdicts[at], Verdict::Open) {
                continue;
            }
            let Some(mut fresh) = self.fresh[at].take() else {
                continue;
            };
            if let Err(error) = fresh.size() {
                let is_stranger = fresh.candidate.kin == Kin::Stranger;
                self.verdicts[at] = Verdict::Decided;
                if !is_stranger {
                    self.steps.push(undecided(fresh.candidate, &error, now));
                }
                continue;
            }
            let step = self
                .copy_of_open(&mut fresh)
                .or_else(|| self.copy_of_found(&mut fresh));
            match step {
                Some(Found::GoesOn(index)) => {
                    self.taken.insert(Holder::Open(index));
                    self.verdicts[at] = Verdict::Is(Holder::Open(index));
                    self.nameless.remove(&index);
                    self.ids.insert(at, self.open[index].row.id);
                    self.fresh[at] = Some(fresh);
                }
                Some(Found::CopyOf(id)) => match whole(&mut fresh) {
                    Some(proof) => self.decide(
                        at,
                        Step::CopyOf {
                            id,
                            candidate: fresh.candidate,
                            proof,
                        },
                    ),
                    None => self.decide(at, Step::Defer),
                },
                Some(Found::Beyond(proof)) => {
                    self.beyond.insert(at, proof);
                    self.fresh[at] = Some(fresh);
                }
                Some(Found::Unsure) => self.decide(at, Step::Defer),
                None => self.fresh[at] = Some(fresh),
            }
        }
    }

    fn decide(&mut self, at: usize, step: Step<W::File>) {
        self.verdicts[at] = Verdict::Decided;
        self.steps.push(step);
    }

    fn copy_of_open(&mut self, fresh: &mut Fresh<W::File>) -> Option<Found> {
        for index in 0..self.open.len() {
            let open = &mut self.open[index];
            let known = open.now.offset.max(fresh.size().unwrap_or(0));
            if !may_prove(
                &fresh.candidate,
                fresh.file.is_compressed(),
                whereabouts(open.row),
                known,
            ) {
                continue;
            }
            let own = open.head_of_unread();
            let mut known = Known {
                now: open.now,
                past: &open.past,
                head: if open.head.is_empty() { &own } else { open.head },
                file: open.file.as_deref_mut(),
            };
            // The plan decides once on each file that lost its name.
            let may_go_on = self.nameless.contains(&index) && !self.taken.contains(&Holder::Open(index));
            match relation(fresh, &mut known) {
                Ok(None) => {}
                Ok(Some(Relation::Within)) => {
                    let length = known.file.and_then(|file| file.plain_size().ok());
                    if may_go_on && length.is_some() && fresh.size().ok() == length {
                        return Some(Found::GoesOn(index));
                    }
                    if is_of_its_own(fresh) {
                        continue;
                    }
                    return Some(Found::CopyOf(open.row.id));
                }
                Ok(Some(Relation::Beyond)) if may_go_on => return Some(Found::GoesOn(index)),
                Ok(Some(Relation::Beyond)) if is_of_its_own_before(fresh, open.now.offset) => {}
                Ok(Some(Relation::Beyond)) => return Some(Found::Beyond(open.now)),
                Ok(Some(Relation::Unsure)) | Err(_) => return Some(Found::Unsure),
            }
        }
        None
    }

    /// Compares with the candidates that are known already.
    fn copy_of_found(&mut self, fresh: &mut Fresh<W::File>) -> Option<Found> {
        let size = fresh.size().ok()?;
        let mut others: Vec<(usize, i64)> = self.ids.iter().map(|(at, id)| (*at, *id)).collect();
        others.sort_unstable();
        for (at, id) in others {
            let Some(other) = &mut self.fresh[at] else {
                continue;
            };
            if is_within(fresh, other, size) {
                return Some(Found::CopyOf(id));
            }
        }
        None
    }

    /// Begins the files that nobody knows, the oldest first. The shorter of two with the same bytes is a copy of the longer one.
    fn begin(&mut self, setting: &mut Setting) {
        let mut new: Vec<usize> = (0..self.fresh.len())
            .filter(|at| matches!(self.verdicts[*at], Verdict::Open))
            .collect();
        let mut by_start: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for at in &new {
            if let Some(fresh) = &self.fresh[*at] {
                // Files shorter than this are compared with all others of the same first bytes that are as short.
                let start = fresh.head[..fresh.head.len().min(SHARED_START)].to_vec();
                by_start.entry(start).or_default().push(*at);
            }
        }
        let mut copies: HashMap<usize, usize> = HashMap::new();
        for group in by_start.values_mut().filter(|group| group.len() > 1) {
            group.sort_by_cached_key(|at| {
                let fresh = self.fresh[*at].as_mut();
                fresh.map(|fresh| {
                    let size = fresh.size().unwrap_or(0);
                    (
                        Reverse(size),
                        fresh.candidate.kin != Kin::Covered,
                        fresh.file.is_compressed(),
                        Age::of(&fresh.candidate.seen.place),
                    )
                })
            });
            for (nth, at) in group.iter().enumerate().skip(1) {
                let Some(mut fresh) = self.fresh[*at].take() else {
                    continue;
                };
                let size = fresh.size().unwrap_or(0);
                let longer = group[..nth].iter().rev().take(COMPARED).find(|other| {
                    self.fresh[**other]
                        .as_mut()
                        .is_some_and(|other| is_within(&mut fresh, other, size))
                });
                if let Some(longer) = longer {
                    copies.insert(*at, *longer);
                }
                self.fresh[*at] = Some(fresh);
            }
        }
        new.sort_by_key(|at| self.fresh[*at].as_ref().map(|fresh| order_of(&fresh.candidate)));
        for at in new.iter().filter(|at| !copies.contains_key(at)) {
            let Some(mut fresh) = self.fresh[*at].take() else {
                continue;
            };
            let candidate = fresh.candidate.clone();
            let is_begun = match &candidate.kin {
                Kin::Covered => true,
                Kin::Rotation(base) => (setting.has_begun)(base),
                Kin::Stranger => {
                    self.verdicts[*at] = Verdict::Decided;
                    continue;
                }
            };
            if !is_begun || self.is_stale_copy(&mut fresh) {
                let step = match whole(&mut fresh) {
                    Some(proof) => Step::Mark { candidate, proof },
                    None => Step::Defer,
                };
                self.decide(*at, step);
                continue;
            }
            let id = (setting.draw_id)();
            self.ids.insert(*at, id);
            let replaces = |row: &FileRow| {
                row.path == candidate.seen.path
                    && row.inode == candidate.seen.inode
                    && (row.life.is_open() || row.life == Life::Truncated)
                    && row.proof.offset > 0
            };
            let is_related = |row: &FileRow| names::are_related(&row.path, &candidate.seen.path);
            self.steps.push(Step::StartAfter {
                id,
                after: None,
                is_old: false,
                from: match self.beyond.get(at) {
                    Some(proof) => From::After(*proof),
                    None if setting.from_end
                        && candidate.kin == Kin::Covered
                        && !fresh.file.is_compressed()
                        && !self.rows.iter().any(is_related) =>
                    {
                        From::End
                    }
                    None => From::Beginning,
                },
                replaces: self.rows.iter().any(replaces)
                    || self
                        .open
                        .iter()
                        .any(|open| replaces(open.row) || open.replaced(&candidate)),
                candidate,
                file: fresh.file,
            });
        }
        for at in new {
            let Some(longest) = copies.get(&at).map(|at| end_of_chain(&copies, *at)) else {
                continue;
            };
            let (Some(mut fresh), id) = (self.fresh[at].take(), self.ids.get(&longest)) else {
                continue;
            };
            let candidate = fresh.candidate.clone();
            let step = match (id, whole(&mut fresh)) {
                (Some(id), Some(proof)) => Step::CopyOf {
                    id: *id,
                    candidate,
                    proof,
                },
                (None, Some(proof)) if candidate.kin != Kin::Stranger => Step::Mark { candidate, proof },
                _ => Step::Defer,
            };
            self.decide(at, step);
        }
        self.resume();
    }

    /// A copy that is shorter than what was read of a file that is gone: the tailer read on while it was made, and was stopped then.
    fn is_stale_copy(&mut self, fresh: &mut Fresh<W::File>) -> bool {
        let Ok(size) = fresh.size() else { return false };
        self.rows.iter().enumerate().any(|(index, row)| {
            let proof = &row.proof;
            row.life.is_open()
                && !self.taken.contains(&Holder::Row(index))
                && size < proof.offset
                && size >= proof.head_bytes as u64
                && proof.says_something()
                && proof.head_bytes >= HEAD.min(usize::try_from(proof.offset).unwrap_or(HEAD))
                && names::are_related(&row.path, &fresh.candidate.seen.path)
                && row.path.parent() == fresh.candidate.shown().parent()
                && proof.is_headed(&fresh.head)
        })
    }

    /// Reads on in the files that were found.
    fn resume(&mut self) {
        for at in 0..self.fresh.len() {
            let Verdict::Is(holder) = self.verdicts[at] else {
                continue;
            };
            let (Some(fresh), Some(id)) = (self.fresh[at].take(), self.ids.get(&at)) else {
                continue;
            };
            let (id, candidate, file) = (*id, fresh.candidate, fresh.file);
            self.steps.push(match holder {
                Holder::Row(_) => Step::Resume {
                    id,
                    candidate,
                    file,
                    after: None,
                    is_old: false,
                },
                Holder::Open(_) => Step::GoOnIn { id, candidate, file },
            });
        }
    }

    /// Ends the rows whose files are nowhere.
    fn end_rows(&mut self, world: &W, setting: &Setting, deferred: &[Candidate]) {
        for (index, row) in self.rows.iter().enumerate() {
            if self.taken.contains(&Holder::Row(index))
                || self.matched.contains(&index)
                || !row.proof.says_something()
                || !(setting.belongs)(row)
            {
                continue;
            }
            if row.life.is_open() {
                // It may be in a file that cannot be read yet.
                if !deferred
                    .iter()
                    .any(|candidate| may_prove(candidate, true, whereabouts(row), row.proof.offset))
                {
                    self.steps.push(Step::Gap {
                        id: row.id,
                        is_overwritten: world.leads_to(&row.path, row.inode),
                    });
                }
            } else if row.life == Life::Done {
                self.steps.push(Step::Gone { id: row.id });
            }
        }
    }
}

/// Files with the same first bytes are compared with each other.
const SHARED_START: usize = 64;
/// At most with so many: more such files are no copies of each other.
const COMPARED: usize = 64;

enum Found {
    CopyOf(i64),
    /// The open file at this index goes on in it.
    GoesOn(usize),
    /// It begins with all that was read of another file.
    Beyond(Proof),
    Unsure,
}

/// A candidate that has the bytes of a known file.
struct Match {
    at: usize,
    holder: Holder,
    /// The best one first: the same inode, most bytes, the same path, the latest change.
    rank: (bool, u64, bool, SystemTime),
}

impl Match {
    fn new(at: usize, holder: Holder, row: &FileRow, offset: u64, candidate: &Candidate) -> Match {
        Match {
            at,
            holder,
            rank: (
                row.inode == candidate.seen.inode,
                offset,
                row.path == candidate.seen.path,
                candidate.seen.modified,
            ),
        }
    }
}

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

fn end_of_chain(copies: &HashMap<usize, usize>, mut at: usize) -> usize {
    // Each is longer than the one before, or sorted before it.
    while let Some(next) = copies.get(&at) {
        at = *next;
    }
    at
}

/// Returns what to do about a file that cannot be read: one that was written to a moment ago may be whole later.
fn undecided<F>(candidate: Candidate, error: &io::Error, now: SystemTime) -> Step<F> {
    let age = now.duration_since(candidate.seen.modified).unwrap_or_default();
    let is_gone = error.kind() == io::ErrorKind::NotFound;
    let is_refused = error.raw_os_error().is_some();
    if !is_gone && (is_refused || age > COPYING) {
        let error = error.to_string();
        Step::Unreadable { candidate, error }
    } else {
        Step::Defer
    }
}

/// True when the candidate has the bytes of the row, or is known to be its compressed file without reading it.
fn holds_row<F: Sample>(fresh: &mut Fresh<F>, row: &FileRow) -> bool {
    let is_compressed = fresh.file.is_compressed();
    may_prove(
        &fresh.candidate,
        is_compressed,
        whereabouts(row),
        row.proof.offset,
    ) && (is_known_compressed(&fresh.file, row, &fresh.candidate)
        || matches!(row.proof.check(&mut fresh.file), Ok(Some(_)))
                // Without its last bytes only the whole length proves a file.
                && (row.proof.tail_bytes > 0
                    || row.life.is_open()
                    || fresh.size().is_ok_and(|size| size == row.proof.offset)))
}

/// To read all of a compressed file each time would cost too much: the same inode, head and stated length are enough.
fn is_known_compressed<F: Sample>(file: &F, row: &FileRow, candidate: &Candidate) -> bool {
    !row.life.is_open()
        && file.is_compressed()
        && row.inode == candidate.seen.inode
        && file.says_length(row.proof.offset)
}

/// True when all bytes of the first are in the second.
fn is_within<F: Sample>(fresh: &mut Fresh<F>, other: &mut Fresh<F>, size: u64) -> bool {
    let shared = fresh.head.len().min(other.head.len());
    let seen = &other.candidate.seen;
    let there = Whereabouts {
        path: other.candidate.shown(),
        place: &seen.place,
        inode: seen.inode,
    };
    let is_compressed = fresh.file.is_compressed() || other.file.is_compressed();
    !is_of_its_own(fresh)
        && fresh.head[..shared] == other.head[..shared]
        && may_prove(&fresh.candidate, is_compressed, there, size)
        && other.size().is_ok_and(|length| size <= length)
        && are_same(&mut other.file, &mut fresh.file, size)
}

/// Programs begin each of their files with the same lines: a short file under the live name is never a copy.
fn is_of_its_own<F: Sample>(fresh: &mut Fresh<F>) -> bool {
    let size = fresh.size().unwrap_or(0);
    is_of_its_own_before(fresh, size)
}

/// The same, when that many bytes are those of another file.
fn is_of_its_own_before<F: Sample>(fresh: &Fresh<F>, shared: u64) -> bool {
    fresh.candidate.kin == Kin::Covered
        && !fresh.file.is_compressed()
        && shared < HEAD as u64
        && Age::of(&fresh.candidate.seen.place) == Age::Live
}

fn whole<F: Sample>(fresh: &mut Fresh<F>) -> Option<Proof> {
    let size = fresh.size().ok()?;
    Some(proof_at(&mut fresh.file, size).ok().flatten()?.0)
}

/// A log: its directory and the kind of its names.
type Line = (Option<PathBuf>, Vec<u8>);

fn line_of(path: &Path) -> Line {
    (path.parent().map(Path::to_path_buf), names::kind(path))
}

/// The order in which the files of a log were written: the live one last.
type Order = (bool, SystemTime, Reverse<Age>);

fn order_of(candidate: &Candidate) -> Order {
    let age = Age::of(&candidate.seen.place);
    (
        candidate.kin == Kin::Covered && age == Age::Live,
        candidate.seen.modified,
        Reverse(age),
    )
}

fn newest_of_each_line(candidates: &[Candidate]) -> HashMap<Line, SystemTime> {
    let mut newest: HashMap<Line, SystemTime> = HashMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.seen.size > 0) {
        let at = newest
            .entry(line_of(candidate.shown()))
            .or_insert(candidate.seen.modified);
        *at = candidate.seen.modified.max(*at);
    }
    newest
}

/// True when a newer file of its kind is there, so that nobody is likely to write to this one.
fn is_old(candidate: &Candidate, newest: &HashMap<Line, SystemTime>) -> bool {
    candidate.kin != Kin::Covered
        || newest
            .get(&line_of(candidate.shown()))
            .is_some_and(|newest| *newest > candidate.seen.modified)
}

/// Sets which file each one is read after: the one that was written before it and may not be read to its end.
fn order<F>(steps: &mut [Step<F>], open: &[OpenFile<F>], candidates: &[Candidate]) {
    let by_inode: HashMap<Inode, &Candidate> = candidates
        .iter()
        .map(|candidate| (candidate.seen.inode, candidate))
        .collect();
    let mut written: HashMap<Line, Vec<(Order, i64)>> = HashMap::new();
    for open in open {
        let order = by_inode
            .get(&open.row.inode)
            .filter(|_| open.row.life != Life::Overwritten)
            .map_or((false, SystemTime::UNIX_EPOCH, Reverse(Age::Live)), |candidate| {
                order_of(candidate)
            });
        written
            .entry(line_of(&open.row.path))
            .or_default()
            .push((order, open.row.id));
    }
    for step in &*steps {
        if let Step::Resume { id, candidate, .. } | Step::StartAfter { id, candidate, .. } = step {
            written
                .entry(line_of(candidate.shown()))
                .or_default()
                .push((order_of(candidate), *id));
        }
    }
    for files in written.values_mut() {
        files.sort();
    }
    let newest = newest_of_each_line(candidates);
    for step in steps {
        if let Step::Resume {
            id,
            candidate,
            after,
            is_old: old,
            ..
        }
        | Step::StartAfter {
            id,
            candidate,
            after,
            is_old: old,
            ..
        } = step
        {
            *old = is_old(candidate, &newest);
            let files = written.get(&line_of(candidate.shown()));
            *after = files.and_then(|files| {
                let at = files.iter().position(|(_, other)| other == id)?;
                Some(files.get(at.checked_sub(1)?)?.1)
            });
        }
    }
}
