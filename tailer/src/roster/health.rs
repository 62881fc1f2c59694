//! How the files that are being read stand.

use super::Roster;
use crate::sink::health::{FileHealth, Health};
use crate::tail::Tail;

impl Roster {
    pub fn health(&self) -> Health {
        Health {
            files: self
                .tails
                .iter()
                .filter(|tail| tail.known)
                .map(|tail| FileHealth {
                    id: tail.id,
                    size: tail.content.is_plain().then(|| size(tail)),
                    truncated: tail.truncated,
                })
                .collect(),
            errors: self
                .closed
                .iter()
                .map(|(path, error)| (path.clone(), error.clone()))
                .collect(),
            reading: self.tails.len(),
            behind: self.behind(),
        }
    }

    /// Bytes that are there and were not looked at, as far as that can be known.
    pub fn behind(&self) -> u64 {
        self.tails
            .iter()
            .filter(|tail| tail.content.is_plain())
            .map(|tail| size(tail).saturating_sub(tail.reader.position()))
            .sum()
    }

    /// A file that could not be read is read again.
    pub fn can_read(&mut self, index: usize) {
        self.tails[index].failing = false;
        self.closed.remove(&self.tails[index].path);
    }
}

fn size(tail: &Tail) -> u64 {
    tail.content.size().unwrap_or(0).max(tail.size)
}
