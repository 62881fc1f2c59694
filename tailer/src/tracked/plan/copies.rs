//! Which candidates hold nothing but what another file has.

use std::time::SystemTime;

use super::{Holder, Planner, Step, Verdict, World, undecided, whereabouts, whole};
use crate::source::directory::Kin;
use crate::source::identity::{HEAD, Proof, Sample, are_same};
use crate::source::names::Age;
use crate::tracked::identify::{Fresh, Known, Relation, Whereabouts, may_prove, relation};

impl<W: World> Planner<'_, '_, W> {
    /// Finds out which of the others hold nothing but what is elsewhere.
    pub(super) fn find_copies(&mut self, now: SystemTime) {
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
}

enum Found {
    CopyOf(i64),
    /// The open file at this index goes on in it.
    GoesOn(usize),
    /// It begins with all that was read of another file.
    Beyond(Proof),
    Unsure,
}

/// True when all bytes of the first are in the second.
pub(super) fn is_within<F: Sample>(fresh: &mut Fresh<F>, other: &mut Fresh<F>, size: u64) -> bool {
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

/// Programs begin each of their files with the same lines: a short file under the live name is
/// never a copy.
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
