//! Renamed files that are left where they are: while the database is away only so many are held open. The others are taken up later,
//! and what is deleted meanwhile becomes a gap. Log rotation deletes the oldest files first, so those are the ones that are held.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::recognise::proof_at;
use super::rotated::REMOVED;
use super::{Note, Roster, draw_id};
use crate::sink::database::{State, Stored};
use crate::source::bytes::Content;
use crate::source::identity::Proof;
use crate::source::inputs::{Inode, Seen};
use crate::source::names;

/// So many renamed files are held open at the same time.
const HELD: usize = 64;
/// A file that is nowhere for so long was deleted: while others are renamed a directory may not show all of its files.
const MISSING: Duration = Duration::from_secs(3);

pub(super) struct Left {
    /// The name that it had.
    base: PathBuf,
    inode: Inode,
    /// Of all that was in it.
    proof: Proof,
    /// Its row in the database.
    row: Option<i64>,
    missing: Option<Instant>,
}

impl Roster {
    fn held(&self) -> usize {
        self.tails.iter().filter(|tail| tail.rotated.is_some()).count()
    }

    pub(super) fn holds_enough(&self) -> bool {
        self.held() >= HELD
    }

    pub fn has_left_some(&self) -> bool {
        !self.left.is_empty()
    }

    /// Closes the files that were renamed last, when there are too many.
    pub(super) fn let_go_of_some(&mut self) {
        while self.held() > HELD {
            let index = (0..self.tails.len())
                .filter(|index| self.tails[*index].rotated.is_some() && !self.tails[*index].is_gone())
                .max_by_key(|index| self.tails[*index].rotated);
            let Some(index) = index else { return };
            let mut tail = self.tails.remove(index);
            let size = tail.content.plain_size().unwrap_or(tail.size);
            let whole = proof_at(&mut tail.content, size).ok().flatten();
            // Its row says again how far it is.
            if let (true, Some(known)) = (tail.known, &mut self.known) {
                let row = Stored {
                    id: tail.id,
                    path: tail.path.clone(),
                    inode: tail.inode,
                    proof: tail.stored,
                    state: State::Open,
                };
                known.insert(tail.id, row);
            }
            log::info!(
                "{}: left for later, {HELD} renamed files are open",
                tail.path.display()
            );
            self.left.push(Left {
                base: tail.path,
                inode: tail.inode,
                proof: whole.map_or(
                    Proof {
                        offset: size,
                        ..tail.stored
                    },
                    |(proof, _)| proof,
                ),
                row: tail.known.then_some(tail.id),
                missing: None,
            });
        }
    }

    /// Remembers a file that is not opened now.
    pub(super) fn leave(&mut self, base: &Path, seen: &Seen, stored: Option<&Stored>) {
        if self.left.iter().any(|left| left.inode == seen.inode) {
            return;
        }
        let Ok(mut content) = Content::open_seen(seen) else {
            return;
        };
        let Ok(size) = content.plain_size() else { return };
        log::info!(
            "{}: left for later, {HELD} renamed files are open",
            seen.path.display()
        );
        if let Ok(Some((proof, _))) = proof_at(&mut content, size) {
            self.left.push(Left {
                base: base.to_path_buf(),
                inode: seen.inode,
                proof,
                row: stored.map(|stored| stored.id),
                missing: None,
            });
        }
    }

    /// What became of the files that were left: still there, being read by now, compressed, or deleted.
    pub(super) fn look_for_left(&mut self, seen: &[Seen]) {
        let is_left = |proof: &Proof, content: &mut Content| matches!(proof.check(content), Ok(Some(_)));
        for mut left in std::mem::take(&mut self.left) {
            // An inode is given away again, so the bytes decide.
            let held = self.tails.iter_mut().find(|tail| tail.holds(left.inode));
            if held.is_some_and(|tail| is_left(&left.proof, &mut tail.content)) {
                continue;
            }
            let covered = seen.iter().find(|seen| seen.inode == left.inode);
            let path = covered.map(|seen| &seen.path).or_else(|| {
                let mut listings = self.listings.values();
                listings.find_map(|listing| listing.files.get(&left.inode))
            });
            let is_there = path
                .and_then(|path| Content::open(path).ok())
                .is_some_and(|mut content| is_left(&left.proof, &mut content));
            if is_there {
                left.missing = None;
            } else {
                match names::trace(&left.base, left.inode, &left.proof, |_| true) {
                    Some(twin) if self.is_settled(&twin) || self.reads_inode(twin.inode) => {
                        continue;
                    }
                    Some(twin) => (left.inode, left.missing) = (twin.inode, None),
                    None if left.base.parent().is_none_or(|parent| parent.read_dir().is_err()) => {}
                    None if left.missing.is_some_and(|since| since.elapsed() >= MISSING) => {
                        self.miss(left);
                        continue;
                    }
                    None => _ = left.missing.get_or_insert_with(Instant::now),
                }
            }
            self.left.push(left);
        }
    }

    fn miss(&mut self, left: Left) {
        let id = left.row.unwrap_or_else(draw_id);
        let row = self.rows().find(|stored| stored.id == id);
        let from = row.map_or(0, |stored| stored.proof.offset);
        log::warn!(
            "{}: a rotated file was deleted before it could be read; its bytes {from} to {} are lost",
            left.base.display(),
            left.proof.offset
        );
        self.notes.push(Note {
            id,
            path: left.base,
            inode: left.inode,
            from,
            proof: left.proof,
            gap: Some(REMOVED),
            state: State::Removed,
            copy_of: None,
        });
    }
}
