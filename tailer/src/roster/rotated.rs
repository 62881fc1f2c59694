//! What was rotated away: found again, read in order, and joined where a record crosses from one file to the next.

use std::path::Path;
use std::time::Instant;

use logwatch_record::MAX_MESSAGE;

use super::{Note, Roster};
use crate::follow::UNSTORED_AGE;
use crate::records::reader::Search;
use crate::sink::database::{State, Stored};
use crate::source::inputs::{Inputs, Seen};
use crate::source::names;

impl Roster {
    /// At the start: files that the last run had not finished and that are not where they were, and rows of files that are no more.
    pub(super) fn find_lost(&mut self, inputs: &Inputs) {
        let belongs = |stored: &Stored| {
            inputs.covers(&stored.path) || names::bases(&stored.path).iter().any(|base| inputs.covers(base))
        };
        let lost: Vec<Stored> = self
            .free_rows()
            .filter(|stored| belongs(stored) && !self.matched.contains(&stored.id))
            .cloned()
            .collect();
        for stored in lost {
            let gap = match stored.state {
                State::Open => {
                    let free = |seen: &Seen| !self.is_settled(seen) && !self.reads_inode(seen.inode);
                    let found = names::trace(&stored.path, stored.inode, &stored.proof, free);
                    if found
                        .is_some_and(|seen| self.resume(&stored, &seen, Some((&stored.path, Instant::now()))))
                    {
                        continue;
                    }
                    Some(what_became_of(&stored))
                }
                // Deleted after it was read, which is how all rotation ends.
                State::Done
                    if stored
                        .path
                        .parent()
                        .is_some_and(|parent| parent.read_dir().is_ok()) =>
                {
                    None
                }
                _ => continue,
            };
            self.notes.push(Note {
                id: stored.id,
                path: stored.path,
                inode: stored.inode,
                from: stored.proof.offset,
                proof: stored.proof,
                gap,
                state: if gap == Some(TRUNCATED) {
                    State::Truncated
                } else {
                    State::Removed
                },
                copy_of: None,
            });
        }
    }

    /// CASES.md F15: gives the open record of a rotated file the lines that the next file begins with. True when it got some and may get
    /// more of them.
    pub fn adopt(&mut self, index: usize, search: &Search) -> bool {
        let id = self.tails[index].id;
        let next = self
            .tails
            .iter()
            .position(|tail| tail.after == Some(id) && tail.reader.position() == tail.adopted);
        let Some(next) = next else { return false };
        let mut bytes = vec![0; MAX_MESSAGE];
        let tail = &mut self.tails[next];
        let Ok(count) = tail.content.read_at(tail.adopted, &mut bytes) else {
            return false;
        };
        let used = self.tails[index].reader.adopt(&bytes[..count], search);
        if used == 0 {
            return false;
        }
        let tail = &mut self.tails[next];
        tail.reader.pass_over(&bytes[..used]);
        tail.adopted = tail.reader.position();
        tail.look_again();
        // Its offset moves as soon as the record is stored.
        tail.unstored_since = Instant::now().checked_sub(UNSTORED_AGE);
        used == count
    }

    /// The rotated file that this new one comes after, if that is still in the middle of a record.
    pub(super) fn unfinished_before(&self, path: &Path) -> Option<i64> {
        let unfinished = self.tails.iter().rev().find(|tail| {
            tail.reader.has_open_record()
                && (tail.rotated.is_some() && tail.path == path || names::is_rotation_of(&tail.path, path))
        });
        unfinished.map(|tail| tail.id)
    }
}

/// The reason of a gap: the file was cut short.
pub(super) const TRUNCATED: &str = "truncated";
/// The reason of a gap: the file is nowhere to be found.
pub(super) const REMOVED: &str = "removed";

/// Why the rest of a file cannot be read.
fn what_became_of(stored: &Stored) -> &'static str {
    let offset = stored.proof.offset;
    if super::leads_to(&stored.path, stored.inode) {
        log::warn!(
            "{}: truncated; what was written after byte {offset} and not read by then is lost",
            stored.path.display()
        );
        TRUNCATED
    } else {
        log::warn!(
            "{}: the file that was read up to byte {offset} is gone; what it had after that is lost",
            stored.path.display()
        );
        REMOVED
    }
}
