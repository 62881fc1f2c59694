//! Files that nobody knows begin, rows without a file end.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::copies::is_within;
use super::order::order_of;
use super::{
    From, Holder, Planner, SHARED_START, Setting, Step, Verdict, World, is_young, whereabouts, whole,
};
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{HEAD, Sample};
use crate::source::names::{self, Age};
use crate::tracked::identify::{Fresh, may_prove};
use crate::tracked::state::{FileRow, Life};

impl<W: World> Planner<'_, '_, W> {
    /// Begins the files that nobody knows, the oldest first. The shorter of two with the same bytes
    /// is a copy of the longer one.
    pub(super) fn begin(&mut self, setting: &mut Setting) {
        let mut new: Vec<usize> = (0..self.fresh.len())
            .filter(|at| matches!(self.verdicts[*at], Verdict::Open))
            .collect();
        let mut by_start: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for at in &new {
            if let Some(fresh) = &self.fresh[*at] {
                // Files shorter than this are compared with all others of the same first bytes that
                // are as short.
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
            let is_same_inode = |row: &FileRow| row.inode == candidate.seen.inode && row.proof.offset > 0;
            let is_overwritten = || {
                self.rows.iter().any(is_same_inode) || self.open.iter().any(|open| is_same_inode(open.row))
            };
            // shred overwrites a rotated file before it deletes it.
            if is_young(&candidate, setting.now)
                && Age::of(&candidate.seen.place) != Age::Live
                && !is_text(&fresh.head)
                && is_overwritten()
            {
                self.decide(*at, Step::Defer);
                continue;
            }
            let id = (setting.draw_id)();
            self.ids.insert(*at, id);
            let replaces = |row: &FileRow| {
                row.path == candidate.seen.path
                    && is_same_inode(row)
                    && (row.life.is_open() || row.life == Life::Truncated)
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

    /// A copy that is shorter than what was read of a file that is gone: the tailer read on while
    /// it was made, and was stopped then.
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
                && may_prove(
                    &fresh.candidate,
                    fresh.file.is_compressed(),
                    whereabouts(row),
                    size,
                )
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
    pub(super) fn end_rows(&mut self, world: &W, setting: &Setting, deferred: &[Candidate]) {
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

/// At most with so many: more such files are no copies of each other.
const COMPARED: usize = 64;

/// Returns true when there is no control character that no log has.
fn is_text(head: &[u8]) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && !b"\t\n\r\x08\x0b\x0c\x1b".contains(byte);
    !head.iter().any(is_control)
}

fn end_of_chain(copies: &HashMap<usize, usize>, mut at: usize) -> usize {
    // Each is longer than the one before, or sorted before it.
    while let Some(next) = copies.get(&at) {
        at = *next;
    }
    at
}
