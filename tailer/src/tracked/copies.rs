//! Copies of what is being read: `copytruncate` makes one before it truncates, `gzip` one before it
//! unlinks, people make them for good.
//!
//! A copy holds nothing new, so it is not read. That a file is a copy holds as long as the other
//! one has its bytes, or they are stored. Once they are stored the database is told that the copy
//! is done with, for the file itself will go on without the copy.

use super::state::{FileRow, Life, draw_id};
use super::{Note, TrackedFiles};
use crate::source::identity::Proof;
use crate::source::inputs::Inode;
use crate::timing::COPYING;

impl TrackedFiles {
    fn stored_of(&self, id: i64) -> Option<u64> {
        let open = self.files.iter().find(|file| file.row.id == id);
        let row = self.rows().find(|row| row.id == id);
        open.map(|file| &file.row).or(row).map(|row| row.proof.offset)
    }

    /// Returns true when a file holds all that was read of this one.
    pub(super) fn has_copy(&self, file: &super::TrackedFile) -> bool {
        let proof = file.proof_of_boundary();
        let copies = self.settled.values().filter_map(|settled| settled.copy.as_ref());
        let mut copies = copies
            .filter(|copy| copy.of == file.row.id)
            .map(|copy| copy.proof);
        let mut rows = self.rows().filter(|row| row.id != file.row.id);
        copies.any(|copy| copy == proof) || rows.any(|row| row.proof == proof)
    }

    /// Lets go of copies whose bytes are neither in the file that they are copies of nor stored.
    pub(super) fn check_copies(&mut self) {
        let copies: Vec<(Inode, i64, Proof)> = self
            .settled
            .iter()
            .filter_map(|(inode, settled)| {
                let copy = settled.copy.as_ref()?;
                Some((*inode, copy.of, copy.proof))
            })
            .collect();
        for (inode, of, proof) in copies {
            let is_stored = self.stored_of(of).is_some_and(|offset| offset >= proof.offset);
            let is_there = self
                .files
                .iter_mut()
                .find(|file| file.row.id == of)
                .is_some_and(|file| !file.is_overwritten() && file.has(&proof));
            if !is_stored && !is_there {
                // The apparent copy is the file itself, or the rest of it.
                self.unsettle(inode);
            }
        }
    }

    /// Tells the database of the copies that are whole and stored.
    pub(super) fn note_copies(&mut self) {
        let whole: Vec<Inode> = self
            .settled
            .iter()
            .filter(|(_, settled)| {
                settled.copy.as_ref().is_some_and(|copy| {
                    let is_quiet = settled.mark.1.elapsed().is_ok_and(|age| age > COPYING);
                    let of = self.files.iter().find(|file| file.row.id == copy.of);
                    is_quiet || of.is_none_or(super::TrackedFile::is_overwritten)
                })
            })
            .map(|(inode, _)| *inode)
            .collect();
        for inode in whole {
            let copy = self.settled.get(&inode).and_then(|settled| settled.copy.as_ref());
            let Some((of, proof)) = copy.map(|copy| (copy.of, copy.proof)) else {
                continue;
            };
            match self.stored_of(of) {
                Some(stored) if stored >= proof.offset => self.note_copy(inode),
                // The file itself must be stored as far as that first.
                Some(_) => {}
                None => self.unsettle(inode),
            }
        }
    }

    fn note_copy(&mut self, inode: Inode) {
        let Some(copy) = self
            .settled
            .get_mut(&inode)
            .and_then(|settled| settled.copy.take())
        else {
            return;
        };
        let is_told = self
            .rows()
            .any(|row| row.inode == inode && row.proof == copy.proof);
        if is_told {
            return;
        }
        let row = FileRow {
            id: draw_id(),
            path: copy.path,
            place: copy.place,
            inode,
            proof: copy.proof,
            life: Life::Done,
        };
        self.note(row, None);
        if let Some(Note { copy_of, .. }) = self.notes.last_mut() {
            *copy_of = Some(copy.of);
        }
    }
}
