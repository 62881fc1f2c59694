//! Updates the files after a new attach returned their stored offsets.
//!
//! Everything that was concluded from calls whose outcome is not known is concluded again: how far
//! a file was read, that a copy of it need not be read, what is still to be told.

use std::collections::HashMap;

use super::state::FileRow;
use super::{Note, TrackedFile, TrackedFiles};
use crate::source::identity::Proof;

impl TrackedFiles {
    /// Takes what the database says about the files. What was read beyond is forgotten.
    pub fn inform(&mut self, rows: Vec<FileRow>) {
        // As long as it is known how far a file was read, its copy is recognised by all of that.
        self.check_bytes();
        if self.files.iter().any(TrackedFile::is_overwritten) && self.is_informed() {
            self.look();
        }
        for row in &rows {
            self.directories.know_target(&row.path, &row.place);
        }
        let rows: HashMap<i64, FileRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        // A file that cannot be read now is recognised when it can be.
        self.files
            .retain_mut(|file| go_back(file, rows.get(&file.row.id)).is_ok());
        self.rows = rows;
        self.is_informed = true;
        // A copy of bytes that are not stored is no copy.
        self.settled.retain(|_, settled| settled.copy.is_some());
        self.revise_notes();
    }

    /// Leaves out what the database has been told already, and copies of what it turns out not to
    /// have.
    fn revise_notes(&mut self) {
        let rows = &mut self.rows;
        let mut unsettled = Vec::new();
        self.notes.retain_mut(|note| {
            let stored = |id: &i64| rows.get(id).map_or(0, |row| row.proof.offset);
            if note.copy_of.is_some_and(|id| stored(&id) < note.row.proof.offset) {
                unsettled.push(note.row.inode);
                return false;
            }
            !rows.get(&note.row.id).is_some_and(|row| note.is_told_by(row))
        });
        for note in &mut self.notes {
            if let Some(row) = rows.get(&note.row.id) {
                note.from = row.proof.offset;
            }
            rows.insert(note.row.id, note.row.clone());
        }
        for inode in unsettled {
            self.settled.remove(&inode);
        }
    }
}

impl Note {
    fn is_told_by(&self, row: &FileRow) -> bool {
        let may_be_twice = self.gap.is_some() && self.row.life.is_open();
        row.proof.offset > self.row.proof.offset
            || row.proof.offset == self.row.proof.offset
                && !may_be_twice
                && row.life.as_str() == self.row.life.as_str()
                && row.inode == self.row.inode
    }
}

/// Goes back to what is stored.
fn go_back(file: &mut TrackedFile, row: Option<&FileRow>) -> std::io::Result<()> {
    let was_known = std::mem::replace(&mut file.is_known, row.is_some());
    let proof = match row {
        Some(row) => row.proof,
        None if was_known => Proof::default(),
        None => file.row.proof,
    };
    // Its records are still in the batch.
    if file.stream().is_some() {
        file.row.proof = row.map_or(file.row.proof, |row| row.proof);
        return Ok(());
    }
    if file.is_parked() {
        file.unpark();
    }
    let now = file.proof_now();
    let proven = match file.bytes() {
        Some(bytes) => {
            // Only what was read can tell that a file which the database never had is still the
            // same.
            let is_same = row.is_some() || now.check(bytes)?.is_some();
            if is_same { proof.check(bytes)? } else { None }
        }
        None => None,
    };
    match proven {
        Some(proven) => file.rewind(proof, proven),
        None => file.lose(proof),
    }
    Ok(())
}
