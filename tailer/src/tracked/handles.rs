//! How many files are held open: not more than the system gives, and of rotated ones not more than
//! some.
//!
//! A file that is not held open is *parked*: how far it was read is kept, and it is opened again
//! when it grows or when its turn comes. While the database is away rotated files pile up; rotation
//! deletes the oldest first, so those are the ones that are held. A parked file that is deleted
//! before it could be read is a gap.

use std::collections::HashMap;
use std::time::Instant;

use super::apply::is_listed;
use super::state::{Event, Life};
use super::{REMOVED, TrackedFile, TrackedFiles};
use crate::source::inputs::{Inode, Seen};
use crate::timing::MISSING;

/// Number of rotated files that are held open at the same time.
const HELD: usize = 64;

impl TrackedFile {
    fn is_held(&self) -> bool {
        !self.is_parked() && !self.is_overwritten()
    }
}

impl TrackedFiles {
    fn held_rotated(&self) -> usize {
        let is_held = |file: &&TrackedFile| file.is_rotated() && file.is_held();
        self.files.iter().filter(is_held).count()
    }

    /// Closes files when too many are open: the rotated ones that were written last, the live ones
    /// that are quiet.
    pub(super) fn park_some(&mut self) {
        let mut rotated: Vec<&mut TrackedFile> = self.files.iter_mut().collect();
        rotated.retain(|file| file.is_rotated() && file.is_held());
        rotated.sort_by_key(|file| match file.row.life {
            Life::Rotated(since) => since,
            _ => file.growth.at,
        });
        for file in rotated.into_iter().skip(HELD) {
            file.park();
            log::info!(
                "{}: left for later, {HELD} renamed files are open",
                file.row.path.display()
            );
        }
        let mut held: Vec<&mut TrackedFile> = self.files.iter_mut().filter(|file| file.is_held()).collect();
        let excess = held.len().saturating_sub(self.handles);
        self.held = held.len() - excess;
        if excess > 0 {
            held.sort_by_key(|file| {
                let is_busy = !file.growth.is_drained || file.reader.has_open_record();
                (file.is_rotated(), is_busy, file.growth.at)
            });
            held.into_iter().take(excess).for_each(TrackedFile::park);
        }
    }

    /// Opens parked files that have changed, as far as there is room.
    pub(super) fn wake_parked(&mut self, there: &HashMap<Inode, &Seen>) {
        for file in self.files.iter_mut().filter(|file| file.is_parked()) {
            if let Some(seen) = there.get(&file.row.inode) {
                file.missing_since = None;
                file.row.place.clone_from(&seen.place);
                file.expect(seen.mark());
            }
        }
    }

    /// Makes a parked file readable. False when there is nothing to read in it, or no room.
    pub fn open_for_turn(&mut self, index: usize) -> bool {
        let file = &self.files[index];
        if !file.is_parked() || file.is_overwritten() {
            return true;
        }
        let is_finished = file.growth.is_drained && !file.reader.has_open_record();
        if is_finished || file.is_rotated() && self.held_rotated() >= HELD {
            return false;
        }
        let is_open = self.files[index].unpark();
        self.held += usize::from(is_open);
        is_open
    }

    /// Closes a file after its turn when too many are open.
    pub fn make_room(&mut self, index: usize) {
        let file = &mut self.files[index];
        if self.held > self.handles && file.is_held() && file.growth.is_drained {
            file.park();
            self.held -= 1;
        }
    }

    /// Returns true when the next look may find more.
    pub fn has_more(&self) -> bool {
        self.knows_more
    }

    /// Finishes parked files that are missing: they are deleted unless they reappear soon.
    pub(super) fn end_missing(&mut self, there: &HashMap<Inode, &Seen>) {
        let mut index = 0;
        while index < self.files.len() {
            let file = &mut self.files[index];
            if !file.is_parked() || there.contains_key(&file.row.inode) || !is_listed(&file.row.place) {
                index += 1;
                continue;
            }
            let since = *file.missing_since.get_or_insert_with(Instant::now);
            if since.elapsed() < MISSING {
                index += 1;
                continue;
            }
            let file = self.files.remove(index);
            self.miss(&file);
        }
    }

    fn miss(&mut self, file: &TrackedFile) {
        let (from, whole) = (file.row.proof.offset, file.sought());
        let mut row = file.row.clone();
        row.life = row.life.after(Event::Deleted);
        let is_lost = whole.offset > from;
        if is_lost {
            log::warn!(
                "{}: a rotated file was deleted before it could be read; its bytes {from} to {} are lost",
                row.path.display(),
                whole.offset
            );
            row.proof = whole;
        } else if !file.is_known {
            return;
        }
        self.note_from(from, row, is_lost.then_some(REMOVED));
    }
}
