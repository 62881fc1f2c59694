//! Files that nobody knows begin, rows without a file end.

use std::collections::HashSet;

use super::{Fresh, From, Holder, How, Planner, Setting, Step, World, is_young, may_prove};
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::Sample;
use crate::source::inputs::Inode;
use crate::source::names::{self, Age};
use crate::tracked::state::{FileRow, Life};

impl<W: World> Planner<'_, '_, W> {
    /// Reads a file that nobody knows, unless it was there before its input.
    pub(super) fn begin(&mut self, at: usize, mut fresh: Fresh<W::File>, from: From, setting: &mut Setting) {
        let candidate = &fresh.candidate;
        let is_begun = match &candidate.kin {
            Kin::Covered => true,
            Kin::Rotation(base) => (setting.has_begun)(base),
            Kin::Stranger => return,
        };
        let (seen, shown) = (&candidate.seen, candidate.shown().to_path_buf());
        let known = self.by_inode.get(&seen.inode).map_or(&[][..], Vec::as_slice);
        let replaces = |row: &&FileRow| {
            let was_read = row.proof.offset > 0 && (row.life.is_open() || row.life == Life::Truncated);
            row.path == seen.path && (was_read || row.life == Life::Overwritten)
        };
        let replaces = known.iter().any(replaces);
        // shred overwrites a rotated file before it deletes it.
        let is_shredded = is_young(candidate, setting.now)
            && Age::of(&seen.place) != Age::Live
            && !is_text(&fresh.head)
            && known.iter().any(|row| row.proof.offset > 0);
        let is_at_end = setting.from_end
            && candidate.kin == Kin::Covered
            && !fresh.file.is_compressed()
            && !self
                .rows
                .iter()
                .any(|row| names::are_related(&row.path, &seen.path));
        let is_stale = self.lost.iter().any(|row| fresh.is_stale_copy(row));
        if !is_begun || is_stale {
            self.settle(fresh, None);
        } else if is_shredded {
            self.steps.push(Step::Defer);
        } else {
            let from = match from {
                From::Beginning if is_at_end => From::End,
                from => from,
            };
            let unread = self.unread.remove(&shown).filter(|_| from == From::Beginning);
            let id = unread.unwrap_or_else(|| (setting.draw_id)());
            self.read(at, fresh, id, How::Start { from, replaces });
        }
    }

    /// Returns the rows whose bytes are in a file that another row or open file goes on in, from
    /// the same offset or a later one. copytruncate leaves two such rows when the tailer ends
    /// between the copy, which it knows to be stored, and the truncation.
    fn rows_with_twin(&self) -> HashSet<usize> {
        let twins = self.also.iter().flat_map(|(at, rows)| {
            let offset = self.same.get(at).map(|holder| match *holder {
                Holder::Row(index) => self.rows[index].proof.offset,
                Holder::Open(index) => self.open[index].row.proof.offset,
            });
            let reaches = move |index: &&usize| Some(self.rows[**index].proof.offset) <= offset;
            rows.iter().filter(reaches)
        });
        twins.copied().collect()
    }

    /// Ends the rows whose files are nowhere.
    pub(super) fn end_rows(&mut self, world: &W, candidates: &[Candidate], setting: &Setting) {
        let settled = candidates.iter().filter(|it| (setting.is_settled)(it));
        let settled: HashSet<Inode> = settled.map(|it| it.seen.inode).collect();
        let has_twin = self.rows_with_twin();
        for (index, row) in self.rows.iter().enumerate() {
            let is_found = self.taken.contains(&Holder::Row(index)) || self.matched.contains(&index);
            let (is_open, is_done) = (row.life.is_open(), row.life == Life::Done);
            // A file that is done and still there is not opened again.
            let is_there = is_found || is_done && settled.contains(&row.inode);
            if is_there || !(is_open || is_done) || !row.proof.says_something() || !(setting.belongs)(row) {
                continue;
            }
            // It may be in a file that cannot be read yet.
            let may_be = |it: &Candidate| may_prove((it, true), true, row.whereabouts(), row.proof.offset);
            if is_done || has_twin.contains(&index) {
                self.steps.push(Step::Gone { id: row.id });
            } else if !self.deferred.iter().any(may_be) {
                self.steps.push(Step::Gap {
                    id: row.id,
                    is_overwritten: world.leads_to(&row.path, row.inode),
                });
            }
        }
    }
}

/// Returns true when there is no control character that no log has.
fn is_text(head: &[u8]) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && !b"\t\n\r\x08\x0b\x0c\x1b".contains(byte);
    !head.iter().any(is_control)
}
