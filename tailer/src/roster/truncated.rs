//! Files whose bytes are gone from where they were read: `copytruncate` has been there. Each goes on in its copy, or is kept until the
//! loop has told what is missing, and what is at its place now is another file.
//!
//! This is found out whenever the names are looked up, not only when the file is read. While the database is away nothing is read, and
//! a file that holds other bytes by now must not stand for those that it once had: the next copy would be taken for another file's.

use std::path::Path;
use std::time::Instant;

use super::rotated::TRUNCATED;
use super::{Copied, Note, Roster, draw_id};
use crate::sink::database::State;
use crate::source::bytes::Content;
use crate::source::identity::{Proof, Proven};
use crate::source::inputs::{Inode, Inputs, Seen};

impl Roster {
    /// Looks for files that were truncated since they were read last.
    pub(super) fn find_replaced(&mut self, inputs: &Inputs) {
        for index in 0..self.tails.len() {
            if self.tails[index].is_replaced() {
                self.replace(index, inputs);
            }
        }
    }

    /// The bytes of this file are gone: goes on in a copy if there is one. The file at its path begins again.
    pub fn replace(&mut self, index: usize, inputs: &Inputs) -> Copied {
        let tail = &mut self.tails[index];
        let (path, inode) = (tail.path.clone(), tail.inode);
        if !tail.is_gone() {
            log::info!(
                "{}: truncated or overwritten after byte {}",
                path.display(),
                tail.reader.position()
            );
        }
        tail.set_gone();
        let copied = self.continue_in_copy(index);
        self.begin_again(index, &path, inode, inputs);
        copied
    }

    /// The file at this path begins again, as a new one, after what is left of the old one.
    fn begin_again(&mut self, index: usize, path: &Path, inode: Inode, inputs: &Inputs) {
        let old = &mut self.tails[index];
        old.rotated.get_or_insert_with(Instant::now);
        let id = old.id;
        let mut others = self.tails.iter().filter(|tail| tail.id != id && !tail.is_gone());
        if !inputs.covers(path)
            || others.any(|tail| tail.inode == inode || tail.path == path && tail.rotated.is_none())
        {
            return;
        }
        // Another file by now is one to be recognised.
        let Ok(Some(seen)) = Seen::at(path) else { return };
        if seen.inode != inode {
            return;
        }
        let Ok(content) = Content::open_seen(&seen) else {
            return;
        };
        let mut earlier = self.tails.iter().rev();
        let after = earlier
            .find(|tail| tail.path == path && tail.id != id && tail.rotated.is_some())
            .map_or(id, |tail| tail.id);
        self.add(path, inode, content, Proof::default(), Proven::default());
        self.set_after(self.tails.len() - 1, after);
        if let Some(tail) = self.tails.last_mut() {
            tail.truncated = true;
        }
    }

    /// What was seen of this file after its boundary is a gap. It gets a row of its own: the file's row goes on saying what is stored, by
    /// which a copy is recognised that turns up later.
    pub fn note_missing(&mut self, index: usize) {
        let tail = &mut self.tails[index];
        let (from, to) = (tail.reader.boundary(), tail.seen);
        log::warn!(
            "{}: truncated; what was written after byte {from} and not read by then is lost",
            tail.path.display()
        );
        tail.told = true;
        self.notes.push(Note {
            id: draw_id(),
            path: tail.path.clone(),
            inode: tail.inode,
            from,
            proof: Proof {
                offset: to,
                ..Proof::default()
            },
            gap: Some(TRUNCATED),
            state: State::Removed,
            copy_of: None,
        });
    }
}
