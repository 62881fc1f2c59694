//! Copies of what is being read: `copytruncate` makes one before it truncates, `gzip` one before it
//! unlinks, people make them for good.
//!
//! A copy holds nothing new, so it is not read. That a file is a copy holds as long as the other
//! one has its bytes, or they are stored. Once they are stored the database is told that the copy
//! is done with, for the file itself will go on without the copy.

use super::state::{FileRow, Life, draw_id};
use super::{Note, TrackedFile, TrackedFiles};
use crate::source::identity::Proof;
use crate::source::inputs::Inode;
use crate::timing::COPYING;

impl TrackedFiles {
    /// Returns true when a file holds all that was read of this one.
    pub(super) fn has_copy(&self, file: &TrackedFile) -> bool {
        let (id, proof) = (file.row.id, file.proof_of_boundary());
        let copies = self.settled.values().filter_map(|settled| settled.copy.as_ref());
        copies
            .filter(|copy| copy.of == id)
            .any(|copy| copy.proof == proof)
            || self.rows.values().any(|row| row.id != id && row.proof == proof)
    }

    /// Lets go of copies whose bytes are neither in the file that they are copies of nor stored:
    /// the apparent copy is the file itself, or the rest of it. Tells the database of the copies
    /// that are whole and stored.
    pub(super) fn tend_copies(&mut self) {
        let copies = self.settled.iter().filter_map(|(inode, settled)| {
            let copy = settled.copy.as_ref()?;
            let is_quiet = settled.mark.1.elapsed().is_ok_and(|age| age > COPYING);
            Some((*inode, copy.of, copy.proof, is_quiet))
        });
        let copies: Vec<(Inode, i64, Proof, bool)> = copies.collect();
        for (inode, of, proof, is_quiet) in copies {
            let file = self.files.iter_mut().find(|file| file.row.id == of);
            let row = file.as_ref().map(|file| &file.row).or(self.rows.get(&of));
            let goes_as_far = row.is_some_and(|row| row.proof.offset >= proof.offset);
            let is_at_hand = file.as_ref().is_some_and(|file| !file.is_overwritten());
            // A file that nothing was read of may have been truncated without anybody noticing:
            // what it has now is not what was copied.
            let is_copied = file.is_none_or(|file| file.had(&proof));
            if goes_as_far && is_copied {
                if is_quiet || !is_at_hand {
                    self.note_copy(inode);
                }
            } else if !(is_at_hand && is_copied) {
                self.settled.remove(&inode);
            }
        }
    }

    fn note_copy(&mut self, inode: Inode) {
        let settled = self.settled.get_mut(&inode);
        let Some(copy) = settled.and_then(|settled| settled.copy.take()) else {
            return;
        };
        let is_told = |row: &FileRow| row.inode == inode && row.proof == copy.proof;
        if self.rows.values().any(is_told) {
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
