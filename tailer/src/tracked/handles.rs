//! How many files are held open: not more than the system gives, and of rotated ones not more than
//! some.
//!
//! A file that is not held open is *parked*: how far it was read is kept, and it is opened again
//! when it grows or when its turn comes. While the database is away rotated files pile up; rotation
//! deletes the oldest first, so those are the ones that are held. A parked file that is deleted
//! before it could be read is a gap.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::state::{Event, Life};
use super::{Note, REMOVED, TrackedFile, TrackedFiles};
use crate::source::directory::Candidate;
use crate::source::inputs::Inode;
use crate::timing::MISSING;

/// Number of rotated files that are held open at the same time.
const HELD: usize = 64;

impl TrackedFiles {
    fn held_rotated(&self) -> usize {
        self.files
            .iter()
            .filter(|file| file.is_rotated() && !file.is_parked() && !file.is_overwritten())
            .count()
    }

    /// Returns the number of files that are held open.
    pub(super) fn held(&self) -> usize {
        let is_held = |file: &&TrackedFile| !file.is_parked() && !file.is_overwritten();
        self.files.iter().filter(is_held).count()
    }

    /// Closes files when too many are open: the rotated ones that were written last, the live ones
    /// that are quiet.
    pub(super) fn park_some(&mut self) {
        let mut rotated = self.held_rotated();
        let is_held = |file: &TrackedFile| !file.is_parked() && !file.is_overwritten();
        while rotated > HELD {
            let newest = self
                .files
                .iter_mut()
                .filter(|file| file.is_rotated() && is_held(file))
                .max_by_key(|file| match file.row.life {
                    Life::Rotated(since) => since,
                    _ => file.growth.at,
                });
            let Some(file) = newest else { break };
            file.park();
            rotated -= 1;
            if file.is_parked() {
                log::info!(
                    "{}: left for later, {HELD} renamed files are open",
                    file.row.path.display()
                );
            } else {
                break;
            }
        }
        // The next look needs room for the candidates that wait for it.
        let most = if self.is_cut {
            self.handles / 2
        } else {
            self.handles
        };
        let mut held = self.held();
        if held <= most {
            return;
        }
        let mut quiet: Vec<usize> = (0..self.files.len())
            .filter(|index| is_held(&self.files[*index]))
            .collect();
        quiet.sort_by_key(|index| {
            let file = &self.files[*index];
            let is_busy = !file.growth.is_drained || file.reader.has_open_record();
            (file.is_rotated(), is_busy, file.growth.at)
        });
        for index in quiet {
            if held <= most {
                break;
            }
            self.files[index].park();
            held -= 1;
        }
    }

    /// Opens parked files that have changed, as far as there is room.
    pub(super) fn wake_parked(&mut self, candidates: &[Candidate]) {
        if !self.files.iter().any(TrackedFile::is_parked) {
            return;
        }
        let there: HashMap<Inode, &Candidate> = candidates.iter().map(|it| (it.seen.inode, it)).collect();
        for file in self.files.iter_mut().filter(|file| file.is_parked()) {
            if let Some(candidate) = there.get(&file.row.inode) {
                file.missing_since = None;
                file.row.place.clone_from(&candidate.seen.place);
                file.expect(candidate.seen.mark());
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
        self.files[index].unpark()
    }

    /// Closes a file after its turn when too many are open.
    pub fn make_room(&mut self, index: usize) {
        if self.files[index].is_parked() {
            return;
        }
        if self.held() > self.handles && self.files[index].growth.is_drained {
            self.files[index].park();
        }
    }

    /// Returns true when candidates wait for the next look.
    pub fn has_more(&self) -> bool {
        self.is_cut
    }

    /// Finishes parked files that are missing: they are deleted unless they reappear soon.
    pub(super) fn end_missing(&mut self, candidates: &[Candidate]) {
        let there: HashSet<Inode> = candidates.iter().map(|candidate| candidate.seen.inode).collect();
        let mut index = 0;
        while index < self.files.len() {
            let file = &mut self.files[index];
            let is_readable = || {
                let folder = file.row.place.parent();
                folder.is_none_or(|folder| folder.read_dir().is_ok())
            };
            if !file.is_parked() || there.contains(&file.row.inode) || !is_readable() {
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
        if let Some(rows) = &mut self.rows {
            rows.insert(row.id, row.clone());
        }
        self.notes.push(Note {
            row,
            from,
            gap: is_lost.then(|| REMOVED.to_owned()),
            copy_of: None,
        });
    }
}
