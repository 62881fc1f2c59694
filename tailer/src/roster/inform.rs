//! What holds after the database was asked anew how far the files are stored.
//!
//! Everything that was concluded from calls whose outcome is not known is concluded again: how far a file was read, that a copy of it need
//! not be read, what is still to be told.

use std::collections::HashMap;

use super::{Note, Roster};
use crate::sink::database::Stored;
use crate::source::identity::Proof;
use crate::source::inputs::Inputs;
use crate::tail::Tail;

impl Roster {
    /// What the database says about the files. What was read beyond is forgotten.
    pub fn inform(&mut self, files: Vec<Stored>, inputs: &Inputs) {
        // As long as it is known how far a file was read, its copy is recognised by all of that.
        self.find_replaced(inputs);
        let known: HashMap<i64, Stored> = files.into_iter().map(|stored| (stored.id, stored)).collect();
        // A file that cannot be read now is recognised when it can be.
        self.tails
            .retain_mut(|tail| go_back(tail, known.get(&tail.id)).is_ok());
        self.known = Some(known);
        self.revise_notes();
    }

    /// Leaves out what the database has been told already, and copies of what it turns out not to have.
    fn revise_notes(&mut self) {
        let Some(known) = &mut self.known else { return };
        let mut unsettled = Vec::new();
        self.notes.retain_mut(|note| {
            let stored = |id: &i64| known.get(id).map_or(0, |stored| stored.proof.offset);
            if note.copy_of.is_some_and(|id| stored(&id) < note.proof.offset) {
                unsettled.push(note.inode);
                return false;
            }
            !known.get(&note.id).is_some_and(|stored| note.is_told_by(stored))
        });
        for note in &mut self.notes {
            if let Some(stored) = known.get(&note.id) {
                note.from = stored.proof.offset;
            }
            known.insert(note.id, note.row());
        }
        for inode in unsettled {
            self.unsettle(inode);
        }
    }
}

impl Note {
    fn is_told_by(&self, stored: &Stored) -> bool {
        stored.proof.offset > self.proof.offset
            || stored.proof.offset == self.proof.offset
                && stored.state == self.state
                && stored.inode == self.inode
    }
}

/// Goes back to what is stored.
fn go_back(tail: &mut Tail, stored: Option<&Stored>) -> std::io::Result<()> {
    let was_known = std::mem::replace(&mut tail.known, stored.is_some());
    let proof = match stored {
        Some(stored) => stored.proof,
        None if was_known => Proof::default(),
        None => tail.stored,
    };
    // Of a file that the database has never heard of only what was read can tell that it is still the same.
    let proven = match stored {
        None if tail.proof_now().check(&mut tail.content)?.is_none() => None,
        _ if tail.is_gone() => None,
        _ => proof.check(&mut tail.content)?,
    };
    match proven {
        Some(proven) => tail.rewind(proof, proven),
        None => tail.lose(proof),
    }
    Ok(())
}
