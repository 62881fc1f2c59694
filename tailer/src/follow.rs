//! The loop: look for files, read what is new in them, send it, wait.
//!
//! One thread reads and one stores, with one call in flight at most (see `ahead`); a long file is read ahead by more (see `readahead`).
//! When the database is away the loop stops reading and only keeps hold of the files: they are the buffer. After every reconnect the
//! database says again how far each file is stored, and what was read beyond that is forgotten and read again.

mod turn;

use std::time::{Duration, Instant};

use crate::buffer::Buffer;
use crate::cli::Options;
use crate::connect::Trouble;
use crate::failure::Failure;
use crate::records::reader::{Batch, Search};
use crate::report::progress::Progress;
use crate::report::systemd::Service;
use crate::roster::Roster;
use crate::sink::database::{Sink, State};
use crate::source::inputs::{Inputs, Seen};
use crate::source::wake::Waker;
use turn::store;

/// Files are looked at this often even when nothing says that they changed.
pub const POLL: Duration = Duration::from_millis(250);
/// Names are looked up this often.
const LOOK_UP: Duration = Duration::from_secs(1);
/// The first and the longest pause between two tries to reach the database.
pub const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A stretch without records moves the offset when it is this old or this long.
pub const UNSTORED_AGE: Duration = Duration::from_secs(5);
pub const UNSTORED_BYTES: u64 = 16 * 1024 * 1024;
/// One file may keep the others waiting for so many bytes.
const TURN: u64 = 64 * 1024 * 1024;
/// With --once: a trace whose last line is unfinished is left to the next run while the file is this young.
const STILL_WRITTEN: Duration = Duration::from_secs(5);

pub struct Follow<'a> {
    options: &'a Options,
    sink: Box<dyn Sink + 'a>,
    waker: Waker,
    inputs: Inputs,
    roster: Roster,
    search: Option<Search>,
    buffer: Buffer,
    batch: Batch,
    attached: bool,
    pause: Duration,
    progress: Progress,
    service: Service,
}

/// What a round over the files left to do.
#[derive(Default)]
struct Round {
    /// Some file has more to read.
    busy: bool,
    /// When the next record has waited long enough.
    due: Option<Instant>,
    /// A file began again, so the names have to be looked up.
    renamed: bool,
}

impl<'a> Follow<'a> {
    pub fn new(options: &'a Options, sink: Box<dyn Sink + 'a>, waker: Waker) -> Result<Follow<'a>, Failure> {
        // Each file that is followed is open, and 1024 is what a process is given by default.
        if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
            log::info!("the limit on open files stays as it is: {error}");
        }
        Ok(Follow {
            options,
            sink,
            waker,
            inputs: Inputs::new(&options.inputs)?,
            roster: Roster::new(options.from_end),
            search: None,
            buffer: Buffer::new(),
            batch: Batch::default(),
            attached: false,
            pause: BACK_OFF.0,
            progress: Progress::new(options.progress),
            service: Service::new(),
        })
    }

    /// Follows the files until told to stop.
    pub fn follow(mut self) -> Result<(), Failure> {
        for name in self.inputs.names().filter(|name| !name.exists()) {
            log::warn!("{} is not there yet: it is read as soon as it is", name.display());
        }
        let mut next_look_up = Instant::now();
        while !self.waker.is_stopping() {
            let now = Instant::now();
            if now >= next_look_up {
                next_look_up = now + LOOK_UP;
                self.waker.forget(|directory| !directory.is_dir());
                self.waker.watch(self.inputs.directories());
                self.look_up();
            }
            let mut limit = POLL;
            match self.attach().and_then(|()| self.round()) {
                Ok(round) => {
                    self.pause = BACK_OFF.0;
                    self.service.ready();
                    if let Some(due) = round.due {
                        limit = limit.min(due.saturating_duration_since(Instant::now()));
                    }
                    if round.busy {
                        limit = Duration::ZERO;
                    } else {
                        self.progress.caught_up();
                    }
                    self.service.alive(|| self.roster.health().to_string());
                }
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Moved(text)) => {
                    log::info!("{text}; asking for the offsets again");
                    self.give_up_hold();
                    limit = self.back_off();
                }
                Err(Trouble::Later(text) | Trouble::Data(text)) => {
                    self.give_up_hold();
                    limit = self.back_off();
                    log::warn!("{text}; trying again in {limit:?}");
                    self.service.alive(|| format!("waiting for the database: {text}"));
                }
            }
            self.wait(limit, &mut next_look_up);
        }
        self.service.stopping();
        self.say_how_far();
        Ok(())
    }

    /// Reads to the end of all files and returns.
    pub fn once(mut self) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            match self.attach().and_then(|()| {
                self.look_up();
                self.read_all()
            }) {
                Ok(()) => break,
                Err(Trouble::Final(failure)) => return Err(failure),
                // The offset moved once because a call's answer was lost; if it keeps moving somebody else moves it.
                Err(Trouble::Moved(_)) if tries < 3 => {
                    tries += 1;
                    self.give_up_hold();
                }
                Err(Trouble::Moved(text) | Trouble::Data(text) | Trouble::Later(text)) => {
                    return Err(Failure::Unreachable(format!(
                        "{text}; what is not stored yet is left to the next run"
                    )));
                }
            }
        }
        self.missing_input()
    }

    fn read_all(&mut self) -> Result<(), Trouble> {
        while !self.waker.is_stopping() {
            let busy = self.round()?.busy;
            if !busy && !self.takes_up_more() {
                break;
            }
        }
        self.progress.caught_up();
        self.store_boundaries()?;
        self.sink.tell(true, &|| self.roster.health())
    }

    /// True when rotated files that had to be left now have their turn.
    fn takes_up_more(&mut self) -> bool {
        let before = self.roster.tails.len();
        if self.roster.has_left_some() {
            self.look_up();
        }
        self.roster.tails.len() > before
    }

    /// With --once a file that was named and is not there, or cannot be read, is an error – unless it was read before.
    fn missing_input(&self) -> Result<(), Failure> {
        if let Some(message) = self.roster.unreadable() {
            return Err(Failure::NoInput(message));
        }
        for name in self.inputs.names() {
            if !name.exists() && !self.roster.remembers(name) {
                return Err(Failure::NoInput(format!("{}: no such file", name.display())));
            }
            if name.exists() && matches!(Seen::at(name), Ok(None)) {
                return Err(Failure::NoInput(format!("{}: not a plain file", name.display())));
            }
        }
        if self.roster.is_empty() && self.inputs.names().next().is_none() {
            return Err(Failure::NoInput("no file matches what is to be read".to_owned()));
        }
        Ok(())
    }

    fn attach(&mut self) -> Result<(), Trouble> {
        if self.attached {
            return Ok(());
        }
        let attached = self.sink.attach()?;
        let least = self.options.min_level.unwrap_or(attached.least);
        if self.search.as_ref().is_none_or(|search| search.least != least) {
            self.search = Some(Search::new(
                self.options.multiline.clone(),
                self.options.format.clone(),
                least,
            ));
        }
        let first = !self.roster.is_informed();
        self.roster.inform(attached.files, &self.inputs);
        self.attached = true;
        if first {
            self.look_up();
        }
        Ok(())
    }

    /// After an error nothing that was read counts until the database says what it has.
    fn give_up_hold(&mut self) {
        self.attached = false;
        self.batch.clear();
    }

    fn back_off(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(BACK_OFF.1);
        pause
    }

    fn look_up(&mut self) {
        if self.roster.is_informed() {
            self.roster.look_up(&self.inputs);
        }
    }

    /// Waits for news or for `limit`. While the database is away the names are still looked up, so that rotated files are not lost.
    fn wait(&mut self, limit: Duration, next_look_up: &mut Instant) {
        let until = Instant::now() + limit;
        loop {
            let now = Instant::now();
            let woken = self
                .waker
                .wait(until.min(*next_look_up).saturating_duration_since(now));
            let now = Instant::now();
            let (read, other): (Vec<_>, Vec<_>) =
                woken.grown.iter().partition(|path| self.roster.reads(path));
            // The first bytes of a file make it one to be read.
            let names = woken.names || other.iter().any(|path| self.inputs.covers(path));
            if names {
                *next_look_up = now;
            }
            let news = names || !read.is_empty();
            if self.waker.is_stopping() || now >= until || self.attached && (news || now >= *next_look_up) {
                return;
            }
            if now >= *next_look_up {
                *next_look_up = now + LOOK_UP;
                self.look_up();
            }
        }
    }

    fn round(&mut self) -> Result<Round, Trouble> {
        let mut round = Round::default();
        self.store_notes()?;
        let mut index = 0;
        while index < self.roster.tails.len() && !self.waker.is_stopping() {
            if self.roster.must_wait(index) {
                round.busy |= self.options.once;
                index += 1;
                continue;
            }
            match self.turn(index, &mut round)? {
                Some(state) => {
                    // The handle of a file without a name is the last way to its bytes.
                    self.sink.settle()?;
                    self.roster.drop_tail(index, state);
                }
                None => index += 1,
            }
            if std::mem::take(&mut round.renamed) {
                // What was copied and truncated in between comes before what is in the file now.
                self.sink.settle()?;
                self.roster.look_up(&self.inputs);
            }
        }
        self.sink.tell(false, &|| self.roster.health())?;
        Ok(round)
    }

    /// Rows that only say something about a file: it is gone, or it need not be read.
    fn store_notes(&mut self) -> Result<(), Trouble> {
        while let Some(note) = self.roster.notes.last() {
            self.sink.store(&note.stretch())?;
            self.sink.settle()?;
            self.roster.notes.pop();
        }
        Ok(())
    }

    /// At the end of a run the offsets move up to the last whole line.
    fn store_boundaries(&mut self) -> Result<(), Trouble> {
        self.store_notes()?;
        for tail in &mut self.roster.tails {
            if tail.reader.boundary() > tail.stored.offset {
                store(&mut *self.sink, tail, &mut self.batch, State::Open)?;
            }
        }
        self.sink.settle()
    }

    /// On the way out: if it fails the next run reads a little more, that is all.
    fn say_how_far(&mut self) {
        if self.attached
            && let Err(Trouble::Later(text) | Trouble::Moved(text) | Trouble::Data(text)) =
                self.store_boundaries()
        {
            log::info!("{text}");
        }
    }
}
