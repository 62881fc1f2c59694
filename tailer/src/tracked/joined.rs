//! Records that cross from one file to the next, and the order in which files are read.

use std::time::Instant;

use logwatch_record::MAX_MESSAGE;

use super::TrackedFiles;
use crate::records::reader::Search;
use crate::timing::{ADOPTION, UNSTORED};

impl TrackedFiles {
    /// Returns true while another file has to be read first, or has an open record that may go on
    /// in this one.
    pub fn must_wait(&mut self, index: usize) -> bool {
        let file = &self.files[index];
        let Some(id) = file.after else { return false };
        let may_adopt = file.reader.position() == file.adopted && file.growth.at.elapsed() < ADOPTION;
        // It is mostly the one before this one.
        let mut others = self.files[..index].iter().rev().chain(&self.files[index + 1..]);
        let waits = others.find(|before| before.row.id == id).is_some_and(|before| {
            !before.is_failing
                && (!before.growth.is_drained && before.missing_since.is_none()
                    || may_adopt && before.reader.has_open_record())
        });
        if !waits {
            self.files[index].after = None;
        }
        waits
    }

    /// CASES.md F15: gives the open record of a rotated file the lines that the next file begins
    /// with. True when it got some and may get more of them.
    pub fn adopt(&mut self, index: usize, search: &Search) -> bool {
        let id = self.files[index].row.id;
        let next = self
            .files
            .iter()
            .position(|file| file.after == Some(id) && file.reader.position() == file.adopted);
        let Some(next) = next else { return false };
        let mut bytes = vec![0; MAX_MESSAGE];
        let file = &mut self.files[next];
        let from = file.adopted;
        let Some(Ok(count)) = file.bytes().map(|file| file.read_at(from, &mut bytes)) else {
            return false;
        };
        let used = self.files[index].reader.adopt(&bytes[..count], search);
        if used == 0 {
            return false;
        }
        let file = &mut self.files[next];
        file.reader.pass_over(&bytes[..used]);
        file.adopted = file.reader.position();
        file.look_again();
        // Its offset moves as soon as the record is stored.
        file.growth.unstored_since = Instant::now().checked_sub(UNSTORED);
        used == count
    }
}
