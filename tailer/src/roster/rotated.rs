//! What was rotated away: found again, read in order, and joined where a record crosses from one file to the next.

use std::io;
use std::path::Path;
use std::time::Instant;

use logwatch_record::MAX_MESSAGE;

use super::recognise::proof_at;
use super::{Note, Roster, draw_id};
use crate::content::Content;
use crate::files::{Inputs, Seen};
use crate::follow::UNSTORED_AGE;
use crate::identity::{Proof, Proven};
use crate::reader::Search;
use crate::rotation;
use crate::send::{State, Stored};

/// Where the bytes of a truncated file are.
pub enum Copied {
    Whole,
    Short,
    Nowhere,
}

impl Roster {
    /// What was rotated between a file that just lost its name and the one that has it now.
    pub(super) fn between(&mut self, id: i64) {
        let Some(tail) = self.tails.iter().find(|tail| tail.id == id) else {
            return;
        };
        let (path, inode) = (tail.path.clone(), tail.inode);
        let Some(trace) = tail
            .proofs()
            .find_map(|proof| rotation::trace(&path, Some(inode), &proof))
        else {
            return;
        };
        self.read_in_order(&path, id, trace.newer);
    }

    /// Reads rotated files one after the other, then the file that has the name now.
    pub(super) fn read_in_order(&mut self, path: &Path, first: i64, newer: Vec<Seen>) {
        let mut before = first;
        for seen in newer {
            let taken = self.settled.contains_key(&seen.inode)
                || self.tails.iter().any(|tail| tail.inode == seen.inode);
            if taken || self.is_known(&seen) {
                continue;
            }
            let Ok(content) = Content::open_seen(&seen) else {
                continue;
            };
            log::info!("{}: rotated before it was seen", seen.path.display());
            let id = self.add(
                path.to_path_buf(),
                seen.inode,
                content,
                Proof::default(),
                Proven::default(),
            );
            if let Some(tail) = self.tails.last_mut() {
                tail.rotated = Some(Instant::now());
                tail.after = Some(before);
            }
            before = id;
        }
        let current = self
            .tails
            .iter_mut()
            .find(|tail| tail.path == path && tail.rotated.is_none());
        if let Some(tail) = current.filter(|tail| tail.reader.position() == 0) {
            tail.after = Some(before);
        }
    }

    fn is_known(&self, seen: &Seen) -> bool {
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        self.free_rows()
            .filter(|stored| stored.inode == seen.inode || rotation::are_related(&stored.path, &seen.path))
            .any(|stored| matches!(stored.proof.check(&mut content), Ok(Some(_))))
    }

    /// At the start: files that the last run had not finished and that are not where they were.
    pub(super) fn find_lost(&mut self, inputs: &Inputs) {
        let lost: Vec<Stored> = self
            .free_rows()
            .filter(|stored| stored.open && inputs.covers(&stored.path))
            .cloned()
            .collect();
        for stored in lost {
            match rotation::trace(&stored.path, Some(stored.inode), &stored.proof) {
                Some(trace) if !self.tails.iter().any(|tail| tail.inode == trace.seen.inode) => {
                    if self.resume(&stored, &trace.seen, Some(Instant::now())) {
                        self.read_in_order(&stored.path, stored.id, trace.newer);
                    }
                }
                Some(_) => {}
                None => {
                    log::warn!(
                        "{}: the file that was read up to byte {} is gone; what it had after that is lost",
                        stored.path.display(),
                        stored.proof.offset
                    );
                    self.notes.push(Note {
                        id: stored.id,
                        path: stored.path,
                        inode: stored.inode,
                        proof: stored.proof,
                        gap: Some("removed"),
                        state: State::Removed,
                    });
                }
            }
        }
    }

    /// The file was truncated: looks for a copy of what it was, and goes on there.
    pub fn continue_in_copy(&mut self, index: usize) -> Copied {
        let tail = &mut self.tails[index];
        let path = tail.path.clone();
        let found = tail
            .proofs()
            .enumerate()
            .find_map(|(at, proof)| Some((at, rotation::trace(&path, None, &proof)?)));
        let Some((at, mut trace)) = found else {
            return Copied::Nowhere;
        };
        let id = tail.id;
        let is_whole = at == 0
            && match tail.stored.check(&mut trace.content) {
                Ok(Some(proven)) => {
                    let stored = tail.stored;
                    tail.rewind(stored, proven);
                    true
                }
                _ => false,
            };
        if is_whole {
            log::info!("{}: its copy is {}", path.display(), trace.seen.path.display());
            tail.content = trace.content;
            tail.inode = trace.seen.inode;
            tail.finished = true;
            tail.rotated = Some(Instant::now());
        } else if let Ok(Some((proof, _))) = whole_of(&mut trace.content) {
            // So that a later run knows the copy and does not read it.
            self.settled
                .insert(trace.seen.inode, trace.content.size().unwrap_or(0));
            self.notes.push(Note {
                id: draw_id(),
                path: trace.seen.path,
                inode: trace.seen.inode,
                proof,
                gap: None,
                state: State::Done,
            });
        }
        self.read_in_order(&path, id, trace.newer);
        if is_whole { Copied::Whole } else { Copied::Short }
    }

    /// The file at this path begins again, as a new one, after what is left of the old one.
    pub fn begin_again(&mut self, index: usize, inputs: &Inputs) {
        let old = &mut self.tails[index];
        old.rotated.get_or_insert_with(Instant::now);
        let (path, id) = (old.path.clone(), old.id);
        let after = self
            .tails
            .iter()
            .rev()
            .find(|tail| tail.path == path && tail.id != id && tail.rotated.is_some())
            .map_or(id, |tail| tail.id);
        if !inputs.covers(&path)
            || self
                .tails
                .iter()
                .any(|tail| tail.id != id && tail.path == path && tail.rotated.is_none())
        {
            return;
        }
        let Ok(Some(seen)) = Seen::at(&path) else { return };
        let Ok(content) = Content::open_seen(&seen) else {
            return;
        };
        self.add(path, seen.inode, content, Proof::default(), Proven::default());
        if let Some(tail) = self.tails.last_mut() {
            tail.after = Some(after);
            tail.truncated = true;
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
                && (tail.rotated.is_some() && tail.path == path || rotation::is_rotation_of(&tail.path, path))
        });
        unfinished.map(|tail| tail.id)
    }
}

/// The proof of all of a file.
fn whole_of(content: &mut Content) -> io::Result<Option<(Proof, Proven)>> {
    let size = content.plain_size()?;
    proof_at(content, size)
}
