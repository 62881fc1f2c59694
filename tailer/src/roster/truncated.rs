//! Files whose bytes are gone from where they were read: `copytruncate` has been there. Each goes on in its copy, or is kept until the
//! loop has told what is missing, and what is at its place now is another file.
//!
//! This is found out whenever the names are looked up, not only when the file is read. While the database is away nothing is read, and
//! a file that holds other bytes by now must not stand for those that it once had: the next copy would be taken for another file's.

use std::path::Path;
use std::time::Instant;

use super::{Copied, Roster};
use crate::content::Content;
use crate::files::{Inode, Inputs, Seen};
use crate::identity::{Proof, Proven};

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
}
