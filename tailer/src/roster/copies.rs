//! Copies of what is being read: `copytruncate` makes one before it truncates, `gzip` one before it unlinks, people make them for good.
//!
//! A copy holds nothing new, so it is not read. When the file itself is truncated the rest of it is read from the copy. And since the
//! file will go on without the copy, the database is told that the copy is done with.
//!
//! That a file is a copy holds as long as the other one has its bytes, or they are stored. When a file was truncated before it was read,
//! what looked like a copy is the file itself.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Roster;
use crate::sink::database::State;
use crate::source::bytes::Content;
use crate::source::identity::{Proof, Proven};
use crate::source::inputs::{Inode, Seen};
use crate::source::names;
use crate::tail::Tail;

/// What has not been written to for so long is a whole copy.
const COPYING: Duration = Duration::from_secs(10);

/// A copy that the database does not know.
pub(super) struct Copy {
    path: PathBuf,
    inode: Inode,
    /// The file that it is a copy of.
    of: i64,
    /// Of all that it had when it was compared.
    proof: Proof,
}

/// Where the bytes of a truncated file are.
pub enum Copied {
    Whole,
    Short,
    Nowhere,
}

impl Roster {
    /// The file that this one is a copy of, if it is one: then it is settled.
    pub(super) fn find_copied(&mut self, seen: &Seen, content: &mut Content) -> Option<i64> {
        let size = content.plain_size().ok()?;
        let may_be = |tail: &Tail| {
            seen.path != tail.path
                && (names::is_rotation_of(&seen.path, &tail.path)
                    || tail.rotated.is_some() && names::are_related(&seen.path, &tail.path))
        };
        let mut tails = self.tails.iter_mut().filter(|tail| may_be(tail));
        let tail = tails.find_map(|tail| tail.is_copied_by(content, size).then_some(tail))?;
        let of = tail.id;
        let (proof, _) = whole_of(content).ok().flatten()?;
        log::info!(
            "{}: a copy of what is being read as {}",
            seen.path.display(),
            tail.path.display()
        );
        self.add_copy(seen, of, proof);
        Some(of)
    }

    fn add_copy(&mut self, seen: &Seen, of: i64, proof: Proof) {
        self.settled.insert(seen.inode, seen.mark());
        self.copies.retain(|copy| copy.inode != seen.inode);
        self.copies.push(Copy {
            path: seen.path.clone(),
            inode: seen.inode,
            of,
            proof,
        });
    }

    /// Lets go of copies whose bytes are neither in the file that they are copies of nor stored.
    pub(super) fn check_copies(&mut self) {
        let mut holds = |copy: &Copy| {
            self.tails
                .iter_mut()
                .find(|tail| tail.id == copy.of)
                .is_some_and(|tail| tail.is_gone() || tail.has(&copy.proof))
        };
        let (copies, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.copies)
            .into_iter()
            .partition(|copy| holds(copy));
        self.copies = copies;
        for other in others {
            log::info!(
                "{}: no copy any more, what it was a copy of is gone",
                other.path.display()
            );
            self.unsettle(other.inode);
        }
    }

    /// Tells the database of the copies that are whole and stored.
    pub(super) fn note_copies(&mut self) {
        let whole = |copy: &Copy| {
            Seen::at(&copy.path).is_ok_and(|seen| {
                seen.is_none_or(|seen| seen.modified.elapsed().is_ok_and(|age| age > COPYING))
            })
        };
        let (whole, rest) = std::mem::take(&mut self.copies).into_iter().partition(whole);
        self.copies = rest;
        self.tell_of(whole);
    }

    /// The file itself is done with or begins again: its copies will not change any more.
    pub(super) fn note_copies_of(&mut self, id: i64) {
        let (own, rest) = std::mem::take(&mut self.copies)
            .into_iter()
            .partition(|copy| copy.of == id);
        self.copies = rest;
        self.tell_of(own);
    }

    fn tell_of(&mut self, copies: Vec<Copy>) {
        for copy in copies {
            let Ok(Some(seen)) = Seen::at(&copy.path) else {
                continue;
            };
            let Ok(mut content) = Content::open_seen(&seen) else {
                continue;
            };
            if seen.inode != copy.inode || self.row_of(&seen, &mut content).is_some_and(|(_, all)| all) {
                continue;
            }
            let Ok(Some((proof, _))) = whole_of(&mut content) else {
                continue;
            };
            let tail = self.tails.iter().find(|tail| tail.id == copy.of);
            let row = self.rows().find(|stored| stored.id == copy.of);
            let stored = tail.map(|tail| tail.stored).or(row.map(|stored| stored.proof));
            if stored.is_some_and(|stored| stored.offset >= proof.offset) {
                self.note(None, &seen, proof, State::Done);
                if let Some(note) = self.notes.last_mut() {
                    note.copy_of = Some(copy.of);
                }
            } else if tail.is_some() {
                // The file itself must be stored as far as that first.
                self.copies.push(copy);
            } else {
                self.unsettle(seen.inode);
            }
        }
    }

    /// The file was truncated: looks for a copy of what it was, and goes on there.
    pub fn continue_in_copy(&mut self, index: usize) -> Copied {
        let (id, path) = (self.tails[index].id, self.tails[index].path.clone());
        let mut short = None;
        for seen in names::siblings(&path) {
            let is_own = self
                .copies
                .iter()
                .any(|copy| copy.of == id && copy.inode == seen.inode);
            let Ok(mut content) = Content::open_seen(&seen) else {
                continue;
            };
            if self.reads_inode(seen.inode)
                || !is_own && (self.is_settled(&seen) || self.row_of(&seen, &mut content).is_some())
            {
                continue;
            }
            let tail = &mut self.tails[index];
            let now = tail.proof_now();
            if now.says_something() && matches!(now.check(&mut content), Ok(Some(_))) {
                if !tail.go_on_in(content, seen.inode) {
                    continue;
                }
                log::info!("{}: its copy is {}", path.display(), seen.path.display());
                tail.finished = true;
                tail.rotated = Some(Instant::now());
                self.copies.retain(|copy| copy.inode != seen.inode);
                return Copied::Whole;
            }
            let Ok(size) = content.plain_size() else { continue };
            if short.is_none() && tail.is_short_copy(&mut content, size) {
                short = Some((seen, content));
            }
        }
        match short {
            Some((seen, mut content)) => {
                if let Ok(Some((proof, _))) = whole_of(&mut content) {
                    // So that a later run knows the copy, once all that was read is stored.
                    self.add_copy(&seen, id, proof);
                }
                Copied::Short
            }
            None => Copied::Nowhere,
        }
    }
}

/// The proof of all of a file.
pub(super) fn whole_of(content: &mut Content) -> std::io::Result<Option<(Proof, Proven)>> {
    let size = content.plain_size()?;
    super::recognise::proof_at(content, size)
}
