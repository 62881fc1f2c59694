//! The loop's input when it comes once: standard input, a FIFO, or the journal.
//!
//! A pipe has no offset to go back to, so the database's offsets only number its bytes. What was
//! read stays in the batch until it is stored, and nothing more is read meanwhile: the pipe fills,
//! and its writer waits. When the database comes back it says how much of the batch it has, and the
//! rest is sent: within a run every record is stored once. A run that is killed loses what it held,
//! at most one batch and what lay in the pipe; what the writer then sends again is stored again: at
//! least once, if the writer is. The journal can be read again, from its cursor: exactly once.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::follow::Follow;
use crate::cli::{JOURNAL, Pipe};
use crate::failure::Failure;
use crate::report::permission;
use crate::source::identity::{Proof, Proven};
use crate::source::inputs::Inode;
use crate::source::journal::{Cursors, Journalctl, Start};
use crate::source::stream::{Received, Stream};
use crate::timing::LAST_BYTES;
use crate::tracked::TrackedFile;
use crate::tracked::state::{Event, FileRow, Life, draw_id};

/// The reason of a gap in the journal.
const DELETED: &str =
    "the journal has deleted the last line that was read, and perhaps lines after it that were not";

/// A pipe that is open, or the journal, until the database says what it has of it.
pub(super) struct Opened {
    /// `journalctl` starts when it is known where to go on.
    file: Option<File>,
    row: FileRow,
}

impl Opened {
    /// A FIFO that is followed is held open for writing too, so that it does not end with its
    /// writer.
    pub fn new(pipe: &Pipe, once: bool) -> Result<Opened, Failure> {
        let (path, file) = match pipe {
            Pipe::StandardInput => {
                let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
                (PathBuf::from("-"), Some(file))
            }
            Pipe::Fifo(path) => {
                let file = OpenOptions::new().read(true).write(!once).open(path);
                (path.clone(), Some(file))
            }
            Pipe::Journal => (PathBuf::from(JOURNAL), None),
        };
        let file = file.transpose().and_then(|file| {
            let inode = match &file {
                Some(file) => Inode::of(&file.metadata()?),
                None => Inode::default(),
            };
            Ok((file, inode))
        });
        let (file, inode) = file.map_err(|error| Failure::NoInput(format!("{}: {error}", path.display())))?;
        Ok(Opened {
            file,
            row: FileRow {
                id: draw_id(),
                place: path.clone(),
                path,
                inode,
                proof: Proof::default(),
                life: Life::Live,
            },
        })
    }
}

impl Follow<'_> {
    /// Begins to read the pipe or the journal, once.
    pub(super) fn begin_stream(&mut self, rows: &[FileRow]) -> Result<(), Failure> {
        let Some(Opened { file, mut row }) = self.opened.take() else {
            return Ok(());
        };
        let stream = if let Some(file) = file {
            // Runs that were killed could not say that their pipe will give no more.
            for old in rows
                .iter()
                .filter(|old| old.life.is_open() && old.path == row.path)
            {
                let life = Life::Done;
                self.tracked.note(FileRow { life, ..old.clone() }, None);
            }
            Stream::new(file, 0, None)
        } else {
            let known = rows.iter().filter(|known| known.path == row.path);
            if let Some(known) = known.max_by_key(|known| known.proof.offset) {
                row = FileRow {
                    life: Life::Live,
                    ..known.clone()
                };
            }
            let start = if row.place != row.path {
                Start::At(row.place.to_string_lossy().into_owned())
            } else if self.options.from_end {
                Start::End
            } else {
                Start::Beginning
            };
            let offset = row.proof.offset;
            let (child, output) = Journalctl::start(&start, self.options.once)
                .map_err(|error| Failure::NoInput(format!("cannot start journalctl: {error}")))?;
            Stream::new(output, offset, Some((child, Cursors::new(offset, start))))
        };
        let stream = stream.map_err(|error| Failure::Internal(format!("thread: {error}")))?;
        let file = TrackedFile::new(row, stream.into(), Proven::default());
        self.tracked.files.push(file);
        Ok(())
    }

    /// Waits for bytes of the pipe or the journal, or for its end.
    pub(super) fn receive(&mut self, limit: Duration) -> Result<(), Failure> {
        let is_stopping = self.waker.is_stopping();
        let limit = if is_stopping { LAST_BYTES } else { limit };
        let Some(file) = self.tracked.files.first_mut() else {
            return Ok(());
        };
        let Some(stream) = file.stream() else {
            return Ok(());
        };
        match stream.receive(limit) {
            Received::Bytes => return Ok(()),
            Received::Nothing if !is_stopping => return Ok(()),
            Received::Nothing | Received::End => {}
            Received::BytesAfterGap => {
                log::warn!("{DELETED}");
                let row = file.row.clone();
                self.tracked.note(row, Some(DELETED));
                return Ok(());
            }
            // systemd and a terminal stop both processes at once.
            Received::Stopped(problem) => {
                self.waker.wait(LAST_BYTES);
                if !self.waker.is_stopping() {
                    return Err(Failure::NoInput(problem));
                }
            }
            Received::Failed(problem) => {
                return Err(Failure::NoInput(if file.row.path == Path::new(JOURNAL) {
                    format!(
                        "{problem}; if it may not read the journal, type: {}",
                        permission::join_group("systemd-journal")
                    )
                } else {
                    format!("{}: {problem}", file.row.path.display())
                }));
            }
        }
        file.meet(Event::WriterGone);
        Ok(())
    }

    /// Returns the failure of a run that is told to stop while the database is away.
    pub(super) fn unstored(&self, text: &str) -> Failure {
        let rest = match self.options.pipe {
            Some(Pipe::Journal) => "the next run goes on from there",
            _ => "what was read last is lost",
        };
        Failure::Unreachable(format!("{text}; {rest}"))
    }
}

#[cfg(test)]
mod tests;
