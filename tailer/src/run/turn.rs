//! One file's turn in the loop: read what is new, store it when it is due, and end what is over.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::UNSTORED_BYTES;
use super::follow::{Follow, Round};
use crate::cli::Pipe;
use crate::connect::Trouble;
use crate::sink::Stretch;
use crate::timing::{LONG_WAIT, STILL_WRITTEN, TOGETHER, UNSTORED};
use crate::tracked::state::{Event, FileRow, Life};
use crate::tracked::{Handle, Look, TrackedFile};

/// One file may keep the others waiting for so many bytes.
const TURN: u64 = 64 * 1024 * 1024;

/// Number of ended files that wait to be stored; each is held open meanwhile.
const ENDED: usize = 64;

/// A file that is read so far, and whose records and offset are not stored yet.
pub(super) struct Waiting {
    pub(super) file: Whose,
    /// The row as it is once they are stored.
    row: FileRow,
    from: u64,
    /// Its part of the batch.
    records: Range<usize>,
    at: Instant,
}

pub(super) enum Whose {
    /// The file with this index. Later files may be taken out meanwhile, none before it.
    Open(usize),
    /// A file that is read to its end, and kept in case that storing fails.
    Ended(Box<TrackedFile>),
}

impl Follow<'_> {
    /// Reads one file as far as it goes. Returns its last state once it is finished.
    pub(super) fn turn(&mut self, index: usize, round: &mut Round) -> Result<Option<Life>, Trouble> {
        if self.search.is_none() || !self.tracked.open_for_turn(index) {
            return Ok(None);
        }
        if let Some(search) = &mut self.search {
            search.turn_to(&self.tracked.files[index].row.path);
        }
        let started_at = self.tracked.files[index].reader.position();
        let mut now;
        loop {
            // Before the look: a record is let go only by a look that came after its wait.
            now = Instant::now();
            self.progress.show(|| self.tracked.behind());
            let Some(search) = &mut self.search else {
                return Ok(None);
            };
            let file = &mut self.tracked.files[index];
            let look = if self.batch.is_full() {
                Ok(Look::Full)
            } else {
                let before = file.reader.position();
                let look = file.look(&mut self.buffer, search, &mut self.batch);
                let count = file.reader.position().saturating_sub(before);
                self.progress.count(count);
                round.has_read |= count > 0;
                look
            };
            match look {
                Ok(Look::End) => break,
                Ok(look @ (Look::Full | Look::More)) => {
                    if look == Look::Full {
                        self.store_and_read(index, started_at + TURN)?;
                    } else if file.reader.boundary() - file.row.proof.offset >= UNSTORED_BYTES {
                        self.store(index, Life::Live)?;
                    }
                    let position = self.tracked.files[index].reader.position();
                    let is_stopping = self.must_stop();
                    if position.saturating_sub(started_at) >= TURN || is_stopping {
                        self.store(index, Life::Live)?;
                        round.busy = !is_stopping;
                        return Ok(None);
                    }
                }
                Ok(Look::Replaced) => {
                    self.store(index, Life::Live)?;
                    return self.overwritten(index, round);
                }
                Err(error) => {
                    self.store(index, Life::Live)?;
                    self.tracked.cannot_read(index, &error);
                    return Ok(None);
                }
            }
        }
        if self.tracked.files[index].is_failing {
            self.tracked.can_read(index);
        }
        let file = &self.tracked.files[index];
        if file.is_over(now, self.options.once, self.options.rotate_wait) {
            return self.finish(index);
        }
        self.let_go(index, now, round);
        let file = &mut self.tracked.files[index];
        let behind = file.reader.boundary() - file.row.proof.offset;
        if behind == 0 {
            file.growth.unstored_since = None;
        } else {
            file.growth.unstored_since.get_or_insert(now);
        }
        let is_new = !file.is_known && (file.row.proof.offset > 0 || file.cursor().is_some());
        let since = file.growth.unstored_since;
        let is_aged = since.is_some_and(|since| now.duration_since(since) >= UNSTORED);
        if self.has_records() || is_new || behind >= UNSTORED_BYTES || is_aged {
            self.put(index, Life::Live);
        }
        self.store_aged()?;
        self.tracked.make_room(index);
        Ok(None)
    }

    /// Takes out a file that is finished. It is ended once its last records are stored.
    pub(super) fn take_out(&mut self, index: usize, life: Life) -> Result<(), Trouble> {
        let file = self.tracked.files.remove(index);
        match self.waiting.last_mut() {
            Some(last) if matches!(last.file, Whose::Open(of) if of == index) => {
                last.file = Whose::Ended(Box::new(file));
            }
            _ => self.tracked.end(file, life),
        }
        let is_ended = |waiting: &&Waiting| matches!(waiting.file, Whose::Ended(_));
        if self.waiting.iter().filter(is_ended).count() >= ENDED {
            self.store_waiting()?;
        }
        self.store_aged()
    }

    /// Lets the open record go once it has waited long enough.
    fn let_go(&mut self, index: usize, now: Instant, round: &mut Round) {
        let once = self.reads_once();
        let Some(search) = &self.search else { return };
        let file = &mut self.tracked.files[index];
        let Some(wait) = file
            .reader
            .wait(&search.multiline)
            .filter(|_| file.growth.is_drained)
        else {
            return;
        };
        // An unfinished line after the record may turn out to be a part of it.
        let wait = if file.has_partial_line() {
            wait.max(LONG_WAIT)
        } else {
            wait
        };
        // The file that took a rotated file's name can continue its last trace: find it first.
        let wait = if file.is_rotated() && wait >= LONG_WAIT {
            wait * 2
        } else {
            wait
        };
        let is_due = if once {
            !(file.has_partial_line() && file.is_young() && file.partial_line_continues(search))
        } else {
            file.growth.at + wait <= now
        };
        let mut due = file.growth.at + wait;
        if is_due {
            if !self.tracked.adopt(index, search) || once {
                self.tracked.files[index].reader.let_go(&mut self.batch);
                return;
            }
            self.tracked.files[index].growth.at = now;
            due = now + wait;
        }
        if !once {
            round.due = Some(round.due.map_or(due, |other| other.min(due)));
        }
    }

    /// A file that will not grow any more: its last line is a line, newline or not.
    fn finish(&mut self, index: usize) -> Result<Option<Life>, Trouble> {
        loop {
            let Some(search) = &mut self.search else {
                return Ok(None);
            };
            let file = &mut self.tracked.files[index];
            match file.finish(&mut self.buffer, search, &mut self.batch) {
                Ok(true) => {
                    self.tracked.adopt(index, search);
                    break;
                }
                Ok(false) => self.store(index, Life::Live)?,
                Err(error) => {
                    log::warn!("{}: {error}", file.row.path.display());
                    break;
                }
            }
        }
        let file = &mut self.tracked.files[index];
        file.reader.let_go(&mut self.batch);
        let has_name = file.has_name();
        let life = match self.options.pipe {
            // It goes on from there.
            Some(Pipe::Journal) => Life::Live,
            _ => file.row.life.after(Event::ReadToEnd { has_name }),
        };
        log::info!(
            "{}: read to its end, byte {}",
            file.row.path.display(),
            file.reader.boundary()
        );
        if file.is_known || file.reader.boundary() > 0 {
            self.end(index, life)?;
        }
        Ok(Some(life))
    }

    /// The file's bytes are not those that were read: it was truncated. A copy may have the rest of
    /// the old bytes, so the directory is looked at first; a file that is overwritten after that
    /// has no copy.
    fn overwritten(&mut self, index: usize, round: &mut Round) -> Result<Option<Life>, Trouble> {
        let file = &mut self.tracked.files[index];
        if !file.is_sought() {
            file.begin_search();
            round.look = true;
            return Ok(None);
        }
        file.reader.let_go(&mut self.batch);
        let life = file.row.life.after(Event::NoCopy);
        self.store(index, Life::Live)?;
        self.end(index, life)?;
        Ok(Some(life))
    }

    /// Stores the last of a file, and before its end which bytes of it were seen and are nowhere
    /// any more.
    fn end(&mut self, index: usize, life: Life) -> Result<(), Trouble> {
        self.tracked.note_missing(index);
        if !self.tracked.notes.is_empty() {
            self.store(index, Life::Live)?;
            self.store_notes()?;
        }
        self.put(index, life);
        Ok(())
    }

    /// Stores a full batch in a thread, while this one reads the next batch, up to the offset `end`
    /// at most. The next look proves the file anew: it may have changed while the server was busy.
    fn store_and_read(&mut self, index: usize, end: u64) -> Result<(), Trouble> {
        if !self.sink.has_server() || !self.waiting.is_empty() || self.is_stream() {
            return self.store(index, Life::Live);
        }
        let Some(search) = &mut self.search else {
            return Ok(());
        };
        let file = &mut self.tracked.files[index];
        let row = file.row_at_boundary(Life::Live);
        std::mem::swap(&mut self.batch, &mut self.sent);
        let stretch = Stretch {
            row: &row,
            from: file.row.proof.offset,
            records: &self.sent.records,
            gap: None,
        };
        let (before, stored_to) = (file.reader.position(), row.proof.offset);
        let is_due = |file: &TrackedFile| {
            let (position, boundary) = (file.reader.position(), file.reader.boundary());
            position >= end || boundary - stored_to >= UNSTORED_BYTES
        };
        let sink = &mut self.sink;
        let stored = thread::scope(|scope| -> io::Result<_> {
            let storing = thread::Builder::new().spawn_scoped(scope, || sink.store(&stretch))?;
            while !self.waker.is_stopping()
                && !is_due(file)
                && matches!(
                    file.look(&mut self.buffer, search, &mut self.batch),
                    Ok(Look::More)
                )
            {}
            Ok(storing.join())
        });
        self.progress.count(file.reader.position().saturating_sub(before));
        match stored {
            Ok(Ok(result)) => result?,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Nothing was read either.
            Err(error) => {
                log::info!("cannot read and store at the same time: thread: {error}");
                self.sink.store(&stretch)?;
            }
        }
        self.sent.clear();
        file.stored(row);
        Ok(())
    }

    /// Stores what waits, then the records of this file, and moves its offset to the boundary.
    fn store(&mut self, index: usize, life: Life) -> Result<(), Trouble> {
        self.put(index, life);
        self.store_waiting()
    }

    /// Lets a file's records and its new offset wait for those of other files.
    pub(super) fn put(&mut self, index: usize, life: Life) {
        let file = &self.tracked.files[index];
        let row = file.row_at_boundary(life);
        let from = file.row.proof.offset;
        if life.is_open() && !self.has_records() {
            let is_told = row.proof.offset == from && file.is_known;
            let is_nothing = row.proof.offset == 0 && row.place == file.row.place;
            if is_told || is_nothing {
                return;
            }
        }
        self.waiting.push(Waiting {
            file: Whose::Open(index),
            row,
            from,
            records: self.records_waiting()..self.batch.records.len(),
            at: Instant::now(),
        });
    }

    /// Stores what waits. Indices of files hold until then.
    pub(super) fn store_waiting(&mut self) -> Result<(), Trouble> {
        let stretches: Vec<Stretch> = self
            .waiting
            .iter()
            .map(|it| Stretch {
                row: &it.row,
                from: it.from,
                records: &self.batch.records[it.records.clone()],
                gap: None,
            })
            .collect();
        self.sink.store_all(&stretches)?;
        for Waiting { file, row, .. } in self.waiting.drain(..) {
            match file {
                Whose::Open(index) => self.tracked.files[index].stored(row),
                Whose::Ended(mut file) => {
                    let life = row.life;
                    file.stored(row);
                    self.tracked.end(*file, life);
                }
            }
        }
        self.batch.clear();
        Ok(())
    }

    /// Stores what waits once the first of it has waited long enough.
    fn store_aged(&mut self) -> Result<(), Trouble> {
        match self.waiting.first() {
            Some(first) if first.at.elapsed() >= TOGETHER => self.store_waiting(),
            _ => Ok(()),
        }
    }

    /// Returns how many records of the batch are those of files that wait.
    fn records_waiting(&self) -> usize {
        self.waiting.last().map_or(0, |last| last.records.end)
    }

    /// Returns true when the batch has records of the file whose turn it is.
    fn has_records(&self) -> bool {
        self.batch.records.len() > self.records_waiting()
    }
}

impl TrackedFile {
    /// Returns the row as it is once all before the boundary is stored.
    fn row_at_boundary(&self, life: Life) -> FileRow {
        let cursor = self.cursor().map(PathBuf::from);
        let row = self.row.clone();
        FileRow {
            place: cursor.unwrap_or(row.place),
            proof: self.proof_of_boundary(),
            life,
            ..row
        }
    }

    /// Returns the journal's cursor at the boundary.
    fn cursor(&self) -> Option<&str> {
        match &self.handle {
            Handle::Open(bytes) => bytes.cursor_at(self.reader.boundary()),
            Handle::Parked(_) => None,
        }
    }

    /// Notes that the database has the row.
    fn stored(&mut self, row: FileRow) {
        let offset = row.proof.offset;
        self.row.proof = row.proof;
        if let Some(stream) = self.stream() {
            stream.stored(offset);
            self.row.place = row.place;
        }
        self.is_known = true;
        self.growth.unstored_since = None;
    }

    fn is_young(&self) -> bool {
        self.last_modified()
            .is_some_and(|modified| modified.elapsed().is_ok_and(|age| age < STILL_WRITTEN))
    }

    /// Returns true when the file was rotated away, read to its end, and nobody will write to it
    /// again.
    fn is_over(&self, now: Instant, once: bool, rotate_wait: Duration) -> bool {
        let quiet_since = match self.row.life {
            Life::Sealed => return self.growth.is_drained,
            Life::Rotated(since) => since.max(self.growth.at),
            // A line that is being written is no sign of an end.
            Life::Live if self.is_old && !(once && self.has_partial_line() && self.is_young()) => {
                self.growth.at
            }
            _ => return false,
        };
        self.growth.is_drained && (once || now.duration_since(quiet_since) >= rotate_wait)
    }
}

#[cfg(test)]
mod tests;
