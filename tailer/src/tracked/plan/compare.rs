//! Which file a candidate is: its bytes are compared with those of other files.

use std::io;
use std::time::SystemTime;

use super::{Fresh, From, Holder, Identity, Known, Planner, Relation, World, is_young};
use crate::source::directory::Candidate;
use crate::source::identity::{Sample, are_same};
use crate::tracked::state::{FileRow, Life};

/// At most so many candidates with the same start are compared: more are no copies of each other.
const COMPARED: usize = 64;

impl<W: World> Planner<'_, '_, W> {
    /// Says which file a candidate is.
    pub(super) fn identify(
        &mut self,
        world: &mut W,
        fresh: &mut Fresh<W::File>,
        at: usize,
        now: SystemTime,
    ) -> io::Result<Identity> {
        let same = self.same.get(&at).copied();
        let row = match same {
            Some(Holder::Row(index)) if !self.rows[index].life.is_open() => Some(self.rows[index]),
            Some(holder) => return Ok(Identity::Same(holder)),
            None => None,
        };
        if let (Some(holder), Some(row)) = (same, row)
            && (fresh.is_known_compressed(row) || fresh.size()? <= row.proof.offset)
        {
            return Ok(Identity::Same(holder));
        }
        // It has more than the row that is done: it may be a copy that was noted before it was
        // whole.
        let done = row.map(|row| row.proof.offset);
        let size = fresh.size()?;
        // All that it has is stored when some row says so, whoever has that row. It will be shorter
        // than the row once that goes on.
        let mut rows = self.also.get(&at).into_iter().flatten();
        if let Some(index) = rows.find(|index| self.rows[**index].proof.offset == size) {
            self.matched.insert(*index);
            return Ok(Identity::CopyOf(self.rows[*index].id));
        }
        let mut known = self.known.of(&fresh.head);
        known.sort();
        let mut from = From::Beginning;
        for file in &known {
            let Known::Open(index) = *file else { break };
            let open = &mut self.open[index];
            let place = self.there.get(&open.row.inode).map(|there| &*there.seen.place);
            // The plan decides once on each file that lost its name.
            let may_go_on = self.nameless.contains(&index) && !self.taken.contains(&Holder::Open(index));
            match open.relation(fresh, place) {
                Ok(None) => {}
                Ok(Some(Relation::Within)) => {
                    let length = open.file.as_mut().and_then(|file| file.plain_size().ok());
                    if may_go_on && length == Some(size) {
                        return Ok(Identity::Same(Holder::Open(index)));
                    }
                    if !fresh.is_of_its_own(size) {
                        return Ok(Identity::CopyOf(open.row.id));
                    }
                }
                Ok(Some(Relation::Beyond)) if may_go_on => return Ok(Identity::Same(Holder::Open(index))),
                Ok(Some(Relation::Beyond)) if fresh.is_of_its_own(open.now.offset) => {}
                Ok(Some(Relation::Beyond)) if Some(open.now.offset) < done => {}
                // Another file that will be read may have the rest.
                Ok(Some(Relation::Beyond)) if from == From::Beginning => from = From::After(open.now),
                Ok(Some(Relation::Beyond)) => {}
                Ok(Some(Relation::Unsure)) | Err(_) => return Ok(Identity::Unsure),
            }
        }
        for file in known.iter().rev().take(COMPARED) {
            if let Known::Fresh(other, id) = *file
                && let Some(other) = &mut self.fresh[other]
                && fresh.is_within(other)
            {
                return Ok(Identity::CopyOf(id));
            }
        }
        if from != From::Beginning {
            return Ok(Identity::New(from));
        }
        if let Some(id) = self.done_with_more(world, fresh, size) {
            // The copy may not be whole yet.
            return Ok(if is_young(&fresh.candidate, now) {
                Identity::Unsure
            } else {
                Identity::CopyOf(id)
            });
        }
        // A file that was done and has grown is read on.
        Ok(same.map_or(Identity::New(from), Identity::Same))
    }

    /// Returns the file that is done, and still there, in which all of the candidate's bytes are. A
    /// live file is none of its copies: programs begin each of their files with the same lines.
    fn done_with_more(&self, world: &mut W, fresh: &mut Fresh<W::File>, size: u64) -> Option<i64> {
        if fresh.is_live() {
            return None;
        }
        // A shorter one is not told by its head.
        let is_headed =
            |row: &FileRow| fresh.head.len() < row.proof.head_bytes || row.proof.is_headed(&fresh.head);
        let rows = self.rows.iter().filter(|row| {
            row.life == Life::Done
                && row.proof.offset > size
                && row.inode != fresh.candidate.seen.inode
                && is_headed(row)
        });
        let rows: Vec<(&FileRow, &Candidate)> = rows
            .filter_map(|row| Some((*row, *self.there.get(&row.inode)?)))
            .filter(|(row, there)| fresh.may_be(row, Some(&there.seen.place), size))
            .take(COMPARED)
            .collect();
        for (row, there) in rows {
            if let Ok(mut file) = world.open(there)
                && are_same(&mut file, &mut fresh.file, size)
            {
                return Some(row.id);
            }
        }
        None
    }
}
