//! How the files stand, and what cannot be read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::health::{FileHealth, Health};
use super::{NOWHERE, TrackedFile, TrackedFiles};
use crate::source::inputs::is_missing;

impl TrackedFiles {
    pub fn health(&self) -> Health {
        let mut errors: Vec<_> = self
            .errors
            .iter()
            .map(|(path, error)| (path.clone(), error.clone()))
            .collect();
        errors.sort();
        Health {
            files: self
                .files
                .iter()
                .filter(|file| file.is_known)
                .map(|file| FileHealth {
                    id: file.row.id,
                    size: file.disk_size(),
                    truncated: file.is_after_truncation,
                })
                .collect(),
            errors,
            reading: self.files.len(),
            behind: self.behind(),
        }
    }

    /// Returns how many bytes are there and were not looked at, as far as that can be known.
    pub fn behind(&self) -> u64 {
        self.files
            .iter()
            .filter_map(|file| Some(file.disk_size()?.saturating_sub(file.reader.position())))
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.is_empty && !self.rows.values().any(|row| row.inode != NOWHERE)
    }

    /// Returns true when a file of this name was there before.
    pub fn remembers(&self, path: &Path) -> bool {
        self.rows
            .values()
            .any(|row| row.path == path && row.inode != NOWHERE)
            || self.files.iter().any(|file| file.row.path == path)
    }

    /// Returns how many inputs and files cannot be read; each was named.
    pub fn unreadable(&self) -> usize {
        self.errors.len()
    }

    /// Takes what cannot be read now, and says what is new about it.
    pub(super) fn set_errors(&mut self, problems: Vec<(PathBuf, String)>) {
        let before = std::mem::take(&mut self.errors);
        let failing = self.files.iter().filter(|file| file.is_failing);
        let mut errors: HashMap<PathBuf, String> = failing
            .filter_map(|file| {
                let path = &file.row.path;
                Some((path.clone(), before.get(path)?.clone()))
            })
            .collect();
        for (path, error) in problems {
            if !before.contains_key(&path) {
                log::warn!("{} cannot be read: {error}", path.display());
            }
            errors.insert(path, error);
        }
        let missing: Vec<PathBuf> = self
            .inputs
            .names()
            .filter(|name| is_missing(name) && !self.remembers(name))
            .map(Path::to_path_buf)
            .collect();
        for path in missing {
            errors.entry(path).or_insert_with(|| "no such file".to_owned());
        }
        self.errors = errors;
    }

    /// A file that could not be read is read again.
    pub fn can_read(&mut self, index: usize) {
        self.files[index].is_failing = false;
        self.errors.remove(&self.files[index].row.path);
    }

    pub fn cannot_read(&mut self, index: usize, error: &std::io::Error) {
        let file = &mut self.files[index];
        if !std::mem::replace(&mut file.is_failing, true) {
            log::warn!("{}: {error}", file.row.path.display());
        }
        self.errors.insert(file.row.path.clone(), error.to_string());
    }
}

impl TrackedFile {
    /// Returns the number of bytes of a plain file.
    fn disk_size(&self) -> Option<u64> {
        match &self.handle {
            super::file::Handle::Open(bytes) if bytes.is_plain() => {
                Some(bytes.metadata().map_or(0, |it| it.len()).max(self.growth.size))
            }
            super::file::Handle::Open(_) => None,
            super::file::Handle::Parked(whole) => Some(whole.offset.max(self.growth.size)),
        }
    }
}
