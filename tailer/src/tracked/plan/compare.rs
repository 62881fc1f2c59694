//! Which file a candidate is: its bytes are compared with those of the files that are read.

use std::io;

use super::{Fresh, From, Holder, Identity, Known, Planner, Relation, World};
use crate::source::identity::Sample;

/// At most so many candidates with the same start are compared: more are no copies of each other.
const COMPARED: usize = 64;

impl<W: World> Planner<'_, '_, W> {
    /// Says which file a candidate is.
    pub(super) fn identify(&mut self, fresh: &mut Fresh<W::File>, at: usize) -> io::Result<Identity> {
        let same = self.same.get(&at).copied();
        let row = match same {
            Some(Holder::Row(index)) => Some(self.rows[index]).filter(|row| !row.life.is_open()),
            _ => None,
        };
        let known = row
            .filter(|row| fresh.is_known_compressed(row))
            .map(|row| row.proof.offset);
        let size = known.map_or_else(|| fresh.size(), Ok)?;
        // It may be a copy that was noted before it was whole, when a row says that it is done and
        // it has more.
        let done = row.map(|row| row.proof.offset).filter(|done| *done < size);
        if let (Some(holder), None) = (same, done) {
            return Ok(Identity::Same(holder));
        }
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
            // The plan decides once on each file that lost its name.
            let may_go_on = self.nameless.contains(&index) && !self.taken.contains(&Holder::Open(index));
            match open.relation(fresh) {
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
        // A file that was done and has grown is read on.
        Ok(match same {
            Some(holder) if from == From::Beginning => Identity::Same(holder),
            _ => Identity::New(from),
        })
    }
}
