//! Reads what comes once: standard input, a FIFO, or the journal.
//!
//! A pipe has no offset to go back to, so the database's offsets only number its bytes. What was
//! read stays in the batch until it is stored, and nothing more is read meanwhile: the pipe fills,
//! and its writer waits. When the database comes back it says how much of the batch it has, and the
//! rest is sent: within a run every record is stored once. A run that is killed loses what it held,
//! at most one batch and what lay in the pipe; what the writer then sends again is stored again: at
//! least once, if the writer is. The journal can be read again, from its cursor: exactly once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::UNSTORED_BYTES;
use super::input;
use super::journal::{Cursors, End, Journalctl, Start};
use crate::cli::{JOURNAL, Options, Pipe};
use crate::connect::Trouble;
use crate::failure::Failure;
use crate::records::reader::{Batch, Fed, Reader, Search, Window};
use crate::report::systemd::Service;
use crate::sink::{Attached, Sink, Stretch};
use crate::source::identity::{Proof, TAIL};
use crate::source::inputs::Inode;
use crate::source::wake::Waker;
use crate::timing::{FIRST_PAUSE, LAST_BYTES, LONG_WAIT, LONGEST_PAUSE, POLL, UNSTORED};
use crate::tracked::health::{FileHealth, Health};
use crate::tracked::state::{FileRow, Life, draw_id};

/// The reason of a gap in the journal.
const DELETED: &str =
    "the journal has deleted the last line that was read, and perhaps lines after it that were not";

pub struct PipeLoop<'a> {
    options: &'a Options,
    sink: Box<dyn Sink + 'a>,
    waker: Waker,
    input: Pieces,
    row: FileRow,
    reader: Reader,
    /// Some bytes before the reader's position, and all after it.
    window: Vec<u8>,
    batch: Batch,
    search: Option<Search>,
    attached: bool,
    ended: bool,
    /// Why lines of the journal are missing, until that is stored.
    gap: Option<&'static str>,
    grown: Instant,
    unstored_since: Instant,
    service: Service,
}

/// Where the bytes come from.
enum Pieces {
    Pipe(Receiver<io::Result<Vec<u8>>>),
    /// Its `journalctl` starts when the database has said where to go on.
    Journal(Option<(Journalctl, Receiver<io::Result<Vec<u8>>>)>, Cursors),
}

impl<'a> PipeLoop<'a> {
    pub fn new(
        options: &'a Options,
        pipe: &Pipe,
        sink: Box<dyn Sink + 'a>,
        waker: Waker,
    ) -> Result<PipeLoop<'a>, Failure> {
        let (input, path, inode) = if *pipe == Pipe::Journal {
            let pieces = Pieces::Journal(None, Cursors::default());
            (pieces, PathBuf::from(JOURNAL), Inode::default())
        } else {
            let (file, path) = input::open(pipe, options.once)?;
            let inode = file
                .metadata()
                .map(|metadata| Inode::of(&metadata))
                .map_err(|error| Failure::NoInput(format!("{}: {error}", path.display())))?;
            (Pieces::Pipe(input::pieces(file)?), path, inode)
        };
        Ok(PipeLoop {
            options,
            sink,
            waker,
            input,
            row: FileRow {
                id: draw_id(),
                place: path.clone(),
                path,
                inode,
                proof: Proof::default(),
                life: Life::Live,
            },
            reader: Reader::new(0, Vec::new(), Vec::new()),
            window: Vec::new(),
            batch: Batch::default(),
            search: None,
            attached: false,
            ended: false,
            gap: None,
            grown: Instant::now(),
            unstored_since: Instant::now(),
            service: Service::new(),
        })
    }

    /// Reads to the end of the pipe, or until told to stop.
    pub fn run(mut self) -> Result<(), Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.attach().and_then(|()| self.step()) {
                Ok(()) if self.ended => {
                    self.service.stopping();
                    return Ok(());
                }
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.service.ready();
                    let position = self.reader.position();
                    self.service.alive(|| format!("read {position} bytes"));
                }
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(
                    Trouble::Later(text) | Trouble::Moved(text) | Trouble::Data(text) | Trouble::Limit(text),
                ) => {
                    self.attached = false;
                    if self.waker.is_stopping() {
                        return Err(Failure::Unreachable(match self.input {
                            Pieces::Pipe(_) => format!("{text}; what was read last is lost"),
                            Pieces::Journal(..) => format!("{text}; the next run goes on from there"),
                        }));
                    }
                    log::warn!("{text}; trying again in {pause:?}");
                    self.service.alive(|| format!("waiting for the database: {text}"));
                    self.waker.wait(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn attach(&mut self) -> Result<(), Trouble> {
        if self.attached {
            return Ok(());
        }
        let attached = self.sink.attach()?;
        if self.search.is_none() {
            let least = self.options.min_level.unwrap_or(attached.least);
            self.search = Some(Search::of_options(
                self.options.multiline.clone(),
                self.options.format.as_ref(),
                least,
                self.options.date_order,
            ));
            match self.input {
                Pieces::Pipe(_) => self.close_earlier(&attached)?,
                Pieces::Journal(..) => self.start_journal(&attached).map_err(Trouble::Final)?,
            }
        }
        self.expect();
        match attached.rows.iter().find(|row| row.id == self.row.id) {
            // The database has a part of the batch, all of it, or nothing.
            Some(row) => {
                self.row.proof = row.proof;
                self.batch.keep_from(row.proof.offset);
            }
            // It forgot this pipe: what is to come is another one.
            None if self.row.proof.offset > 0 => {
                self.row.id = draw_id();
                self.sink.store(&Stretch {
                    row: &self.row,
                    from: self.row.proof.offset,
                    records: &[],
                    gap: None,
                })?;
            }
            None => {}
        }
        self.attached = true;
        Ok(())
    }

    /// Runs that were killed could not say that their pipe will give no more.
    fn close_earlier(&mut self, attached: &Attached) -> Result<(), Trouble> {
        for row in &attached.rows {
            if row.life.is_open() && row.path == self.row.path {
                let row = FileRow {
                    life: Life::Done,
                    ..row.clone()
                };
                self.sink.store(&Stretch {
                    row: &row,
                    from: row.proof.offset,
                    records: &[],
                    gap: None,
                })?;
            }
        }
        Ok(())
    }

    /// Starts `journalctl` after the cursor that is stored.
    fn start_journal(&mut self, attached: &Attached) -> Result<(), Failure> {
        let row = attached
            .rows
            .iter()
            .filter(|row| row.path == Path::new(JOURNAL))
            .max_by_key(|row| row.proof.offset);
        if let Some(row) = row {
            self.row = row.clone();
            self.row.life = Life::Live;
        }
        let start = if self.row.place != self.row.path {
            Start::At(self.row.place.to_string_lossy().into_owned())
        } else if self.options.from_end {
            Start::End
        } else {
            Start::Beginning
        };
        let offset = self.row.proof.offset;
        self.reader = Reader::new(offset, Vec::new(), Vec::new());
        let (child, output) = Journalctl::start(&start, self.options.once)
            .map_err(|error| Failure::NoInput(format!("cannot start journalctl: {error}")))?;
        self.input = Pieces::Journal(Some((child, input::pieces(output)?)), Cursors::new(offset, start));
        Ok(())
    }

    /// Takes the next piece, if one comes soon, and stores what is due.
    fn step(&mut self) -> Result<(), Trouble> {
        if !self.batch.records.is_empty() {
            self.store(Life::Live)?;
        }
        let is_stopping = self.waker.is_stopping();
        let limit = if is_stopping { LAST_BYTES } else { self.until_due() };
        let last = self.take_piece(limit, is_stopping).map_err(Trouble::Final)?;
        self.store_gap()?;
        loop {
            let fed = self.feed(last);
            if self.batch.is_full() || fed == Fed::Full {
                self.store(Life::Live)?;
            }
            if fed != Fed::Full {
                break;
            }
        }
        if last || self.until_due().is_zero() {
            self.reader.let_go(&mut self.batch);
        }
        let behind = self.reader.boundary() - self.row.proof.offset;
        if last {
            let is_journal = matches!(self.input, Pieces::Journal(..));
            self.store(if is_journal { Life::Live } else { Life::Done })?;
            self.ended = true;
        } else if !self.batch.records.is_empty()
            || behind >= UNSTORED_BYTES
            || behind > 0 && self.unstored_since.elapsed() >= UNSTORED
            // The journal's end, from which a first run starts.
            || behind == 0 && self.row.proof.offset == 0
        {
            self.store(Life::Live)?;
        }
        let (id, size) = (self.row.id, Some(self.reader.position()));
        let is_known = self.row.proof.offset > 0;
        self.sink.tell(last, &|| Health {
            files: is_known
                .then_some(FileHealth {
                    id,
                    size,
                    truncated: false,
                })
                .into_iter()
                .collect(),
            ..Health::default()
        })?;
        self.expect();
        Ok(())
    }

    /// Takes the lines that rules expect, if they have changed.
    fn expect(&mut self) {
        if let Some(search) = &mut self.search
            && let Some(expected) = self.sink.expected_news()
        {
            search.expect(expected);
        }
    }

    /// Takes the next piece into the window. Returns true when it was the last one.
    fn take_piece(&mut self, limit: Duration, is_stopping: bool) -> Result<bool, Failure> {
        let pieces = match &self.input {
            Pieces::Pipe(pieces) | Pieces::Journal(Some((_, pieces)), _) => pieces,
            Pieces::Journal(None, _) => return Ok(false),
        };
        match pieces.recv_timeout(limit) {
            Ok(Ok(piece)) if piece.is_empty() => {}
            Ok(Ok(mut piece)) => {
                if let Pieces::Journal(_, cursors) = &mut self.input {
                    let taken = cursors.take(piece);
                    piece = taken.bytes;
                    self.gap = self.gap.or(taken.is_gap.then_some(DELETED));
                }
                self.window.extend_from_slice(&piece);
                self.grown = Instant::now();
                return Ok(false);
            }
            Ok(Err(error)) => {
                let path = self.row.path.display();
                return Err(Failure::NoInput(format!("{path}: {error}")));
            }
            Err(RecvTimeoutError::Timeout) => return Ok(is_stopping),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        let Pieces::Journal(Some((child, _)), _) = &mut self.input else {
            return Ok(true);
        };
        match child.end() {
            End::Complete => Ok(true),
            // systemd and a terminal stop both processes at once.
            End::Stopped(problem) => {
                self.waker.wait(LAST_BYTES);
                if self.waker.is_stopping() {
                    Ok(true)
                } else {
                    Err(Failure::NoInput(problem))
                }
            }
            End::Failed(problem) => Err(Failure::NoInput(problem)),
        }
    }

    /// Returns how long the next piece may keep the open record waiting.
    fn until_due(&self) -> Duration {
        let wait = self
            .search
            .as_ref()
            .and_then(|search| self.reader.wait(&search.multiline));
        let Some(wait) = wait else { return POLL };
        let is_partial = self.window.len() > self.reader.recent().len();
        let wait = if is_partial { wait.max(LONG_WAIT) } else { wait };
        wait.saturating_sub(self.grown.elapsed()).min(POLL)
    }

    fn feed(&mut self, last: bool) -> Fed {
        let Some(search) = &mut self.search else {
            return Fed::Hungry;
        };
        loop {
            let history = self.reader.recent().len();
            let offset = self.reader.position() - history as u64;
            let window = Window {
                bytes: &self.window,
                offset,
                last,
            };
            let fed = self.reader.feed(&window, search, &mut self.batch);
            let at = usize::try_from(self.reader.position() - offset).unwrap_or(self.window.len());
            if fed == Fed::Nuls {
                let nuls = self.window[at..]
                    .iter()
                    .position(|byte| *byte != 0)
                    .unwrap_or(self.window.len() - at);
                let to = at + nuls;
                let recent = self.window[to.saturating_sub(TAIL)..to].to_vec();
                self.reader.skip_nuls(offset + to as u64, recent);
            }
            let position = usize::try_from(self.reader.position() - offset).unwrap_or(self.window.len());
            self.window.drain(..position - self.reader.recent().len());
            if fed != Fed::Nuls || self.window.len() == self.reader.recent().len() {
                return fed;
            }
        }
    }

    /// Stores that lines of the journal are missing. They had no bytes here, so the gap is empty.
    fn store_gap(&mut self) -> Result<(), Trouble> {
        if self.gap.is_some() {
            log::warn!("{DELETED}");
            self.sink.store(&Stretch {
                row: &self.row,
                from: self.row.proof.offset,
                records: &[],
                gap: self.gap,
            })?;
            self.gap = None;
        }
        Ok(())
    }

    fn store(&mut self, life: Life) -> Result<(), Trouble> {
        let proof = self.reader.proof();
        let from = self.row.proof.offset;
        let mut row = FileRow {
            proof,
            life,
            ..self.row.clone()
        };
        if let Pieces::Journal(_, cursors) = &mut self.input
            && let Some(cursor) = cursors.at(proof.offset)
        {
            row.place = PathBuf::from(cursor);
        }
        let is_same = proof.offset == from && row.place == self.row.place;
        if life.is_open() && self.batch.records.is_empty() && is_same {
            return Ok(());
        }
        self.sink.store(&Stretch {
            row: &row,
            from,
            records: &self.batch.records,
            gap: None,
        })?;
        self.batch.clear();
        self.row.proof = proof;
        self.row.place = row.place;
        self.unstored_since = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
