//! Reads a pipe: standard input or a FIFO.
//!
//! A pipe has no offset to go back to, so the database's offsets only number the bytes of this run. What was read stays in the batch until
//! it is stored, and nothing more is read meanwhile: the pipe fills, and its writer waits. When the database comes back it says how much
//! of the batch it has, and the rest is sent: within a run every record is stored once. A run that is killed loses what it held –
//! at most one batch and what lay in the pipe –, and what the writer then sends again is stored again: at least once, if the writer is.

mod pipe;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::cli::{Options, Pipe};
use crate::connect::Trouble;
use crate::failure::Failure;
use crate::follow::{BACK_OFF, POLL, UNSTORED_AGE, UNSTORED_BYTES};
use crate::records::multiline::LONG_WAIT;
use crate::records::reader::{Batch, Fed, Reader, Search, Window};
use crate::report::systemd::Service;
use crate::roster::draw_id;
use crate::sink::database::{Attached, Sink, State, Stretch};
use crate::sink::health::{FileHealth, Health};
use crate::source::identity::{Proof, TAIL};
use crate::source::inputs::Inode;
use crate::source::wake::Waker;

/// What was read already is waited for so long when the run is told to stop.
const LAST_WORDS: Duration = Duration::from_millis(50);

pub struct Stream<'a> {
    options: &'a Options,
    sink: Box<dyn Sink + 'a>,
    waker: Waker,
    pieces: Receiver<io::Result<Vec<u8>>>,
    path: PathBuf,
    inode: Inode,
    id: i64,
    reader: Reader,
    /// Some bytes before the reader's position, and all after it.
    window: Vec<u8>,
    batch: Batch,
    search: Option<Search>,
    stored: Proof,
    attached: bool,
    ended: bool,
    grown: Instant,
    unstored_since: Instant,
    service: Service,
}

impl<'a> Stream<'a> {
    pub fn new(
        options: &'a Options,
        pipe: &Pipe,
        sink: Box<dyn Sink + 'a>,
        waker: Waker,
    ) -> Result<Stream<'a>, Failure> {
        let (file, path) = pipe::open(pipe, options.once)?;
        let inode = file
            .metadata()
            .map(|metadata| Inode::of(&metadata))
            .map_err(|error| Failure::NoInput(format!("{}: {error}", path.display())))?;
        Ok(Stream {
            options,
            sink,
            waker,
            pieces: pipe::pieces(file)?,
            path,
            inode,
            id: draw_id(),
            reader: Reader::new(0, Vec::new(), Vec::new()),
            window: Vec::new(),
            batch: Batch::default(),
            search: None,
            stored: Proof::default(),
            attached: false,
            ended: false,
            grown: Instant::now(),
            unstored_since: Instant::now(),
            service: Service::new(),
        })
    }

    /// Reads to the end of the pipe, or until told to stop.
    pub fn run(mut self) -> Result<(), Failure> {
        let mut pause = BACK_OFF.0;
        loop {
            match self.attach().and_then(|()| self.step()) {
                Ok(()) if self.ended => {
                    self.service.stopping();
                    return Ok(());
                }
                Ok(()) => {
                    pause = BACK_OFF.0;
                    self.service.ready();
                    let position = self.reader.position();
                    self.service.alive(|| format!("read {position} bytes"));
                }
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Later(text) | Trouble::Moved(text) | Trouble::Data(text)) => {
                    self.attached = false;
                    if self.waker.is_stopping() {
                        return Err(Failure::Unreachable(format!(
                            "{text}; what was read last is lost"
                        )));
                    }
                    log::warn!("{text}; trying again in {pause:?}");
                    self.service.alive(|| format!("waiting for the database: {text}"));
                    self.waker.wait(pause);
                    pause = (pause * 2).min(BACK_OFF.1);
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
            self.search = Some(Search::new(
                self.options.multiline.clone(),
                self.options.format.clone(),
                least,
            ));
            self.close_earlier(&attached)?;
        }
        match attached.files.iter().find(|file| file.id == self.id) {
            // The database has a part of the batch, all of it, or nothing.
            Some(file) => {
                self.stored = file.proof;
                self.batch.keep_from(file.proof.offset);
            }
            // It forgot this pipe: what is to come is another one.
            None if self.stored.offset > 0 => {
                self.id = draw_id();
                self.sink.store(&Stretch {
                    file: Some(self.id),
                    path: &self.path,
                    inode: self.inode,
                    from: self.stored.offset,
                    proof: self.stored,
                    records: &[],
                    gap: None,
                    state: State::Open,
                })?;
            }
            None => {}
        }
        self.attached = true;
        Ok(())
    }

    /// Runs that were killed could not say that their pipe will give no more.
    fn close_earlier(&mut self, attached: &Attached) -> Result<(), Trouble> {
        for file in &attached.files {
            if file.state == State::Open && file.path == self.path {
                self.sink.store(&Stretch {
                    file: Some(file.id),
                    path: &file.path,
                    inode: file.inode,
                    from: file.proof.offset,
                    proof: file.proof,
                    records: &[],
                    gap: None,
                    state: State::Done,
                })?;
            }
        }
        Ok(())
    }

    /// Takes the next piece, if one comes soon, and stores what is due.
    fn step(&mut self) -> Result<(), Trouble> {
        if !self.batch.records.is_empty() {
            self.store(State::Open)?;
        }
        let stopping = self.waker.is_stopping();
        let limit = if stopping { LAST_WORDS } else { self.until_due() };
        let last = match self.pieces.recv_timeout(limit) {
            Ok(Ok(piece)) if piece.is_empty() => true,
            Ok(Ok(piece)) => {
                self.window.extend_from_slice(&piece);
                self.grown = Instant::now();
                false
            }
            Ok(Err(error)) => {
                let failure = Failure::NoInput(format!("{}: {error}", self.path.display()));
                return Err(Trouble::Final(failure));
            }
            Err(RecvTimeoutError::Timeout) => stopping,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        loop {
            let fed = self.feed(last);
            if self.batch.is_full() || fed == Fed::Full {
                self.store(State::Open)?;
            }
            if fed != Fed::Full {
                break;
            }
        }
        if last || self.until_due().is_zero() {
            self.reader.let_go(&mut self.batch);
        }
        let behind = self.reader.boundary() - self.stored.offset;
        if last {
            self.store(State::Done)?;
            self.ended = true;
        } else if !self.batch.records.is_empty()
            || behind >= UNSTORED_BYTES
            || behind > 0 && self.unstored_since.elapsed() >= UNSTORED_AGE
        {
            self.store(State::Open)?;
        }
        let (id, size) = (self.id, Some(self.reader.position()));
        let known = self.stored.offset > 0;
        self.sink.tell(last, &|| Health {
            files: known
                .then_some(FileHealth {
                    id,
                    size,
                    truncated: false,
                })
                .into_iter()
                .collect(),
            ..Health::default()
        })
    }

    /// How long the next piece may keep the open record waiting.
    fn until_due(&self) -> Duration {
        let wait = self
            .search
            .as_ref()
            .and_then(|search| self.reader.wait(&search.multiline));
        let Some(wait) = wait else { return POLL };
        let partial = self.window.len() > self.reader.recent().len();
        let wait = if partial { wait.max(LONG_WAIT) } else { wait };
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
                hits: None,
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

    fn store(&mut self, state: State) -> Result<(), Trouble> {
        let proof = self.reader.proof();
        if state == State::Open && self.batch.records.is_empty() && proof.offset == self.stored.offset {
            return Ok(());
        }
        self.sink.store(&Stretch {
            file: Some(self.id),
            path: &self.path,
            inode: self.inode,
            from: self.stored.offset,
            proof,
            records: &self.batch.records,
            gap: None,
            state,
        })?;
        self.batch.clear();
        self.stored = proof;
        self.unstored_since = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
