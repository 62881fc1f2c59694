//! Which candidate has the bytes of which row: by its inode first, then by the most bytes.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use super::{Holder, Planner, Step, Verdict, World, undecided, whereabouts, whole};
use crate::source::directory::Candidate;
use crate::source::identity::{Proof, Sample, hash};
use crate::tracked::identify::{Fresh, may_prove};
use crate::tracked::state::{FileRow, Life};

impl<W: World> Planner<'_, '_, W> {
    /// Finds for each row, and for each open file whose bytes are gone, the candidate that has its
    /// bytes.
    pub(super) fn assign(&mut self, from: usize) {
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
    pub(super) fn settle_stored(&mut self, now: SystemTime) {
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

/// True when the candidate has the bytes of the row, or is known to be its compressed file without
/// reading it.
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

/// To read all of a compressed file each time would cost too much: the same inode, head and stated
/// length are enough.
fn is_known_compressed<F: Sample>(file: &F, row: &FileRow, candidate: &Candidate) -> bool {
    !row.life.is_open()
        && file.is_compressed()
        && row.inode == candidate.seen.inode
        && file.says_length(row.proof.offset)
}
