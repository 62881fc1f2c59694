//! The loop over the inputs: look which there are, read what is new in them, store it, wait.
//!
//! When the database is away the loop stops reading and only keeps hold of the files: they are the
//! buffer. After every reconnect the database says again how far each file is stored, and what was
//! read beyond that is forgotten and read again. A pipe cannot be read again: see `stream`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::stream::Opened;
use super::turn::{Waiting, Whose};
use crate::cli::Options;
use crate::connect::Trouble;
use crate::failure::Failure;
use crate::records::reader::{Batch, Search};
use crate::report::progress::Progress;
use crate::report::systemd::Service;
use crate::sink::{Sink, Stretch};
use crate::source::inputs::{Inputs, is_missing};
use crate::source::wake::Waker;
use crate::timing::{
    BUSY_LOOK_SHARE, FIRST_PAUSE, LONGEST_PAUSE, LONGEST_POLL, LOOK, LOOK_SHARE, POLL, ROUND_SHARE,
};
use crate::tracked::state::Life;
use crate::tracked::{Buffer, TrackedFiles};

/// Handles for other things than files: the connection, notifications, standard streams, files that
/// are looked at.
const OTHER_HANDLES: u64 = 128;
/// More files than this are never open at once.
const MOST_HANDLES: u64 = 65_536;

pub struct Follow<'a> {
    pub(super) options: &'a Options,
    pub(super) sink: Box<dyn Sink + 'a>,
    pub(super) waker: Waker,
    pub(super) tracked: TrackedFiles,
    /// The input that is a pipe or the journal, before the first attach.
    pub(super) opened: Option<Opened>,
    pub(super) search: Option<Search>,
    pub(super) buffer: Buffer,
    pub(super) batch: Batch,
    /// The files whose records are in the batch, or whose offsets are to move, up to now.
    pub(super) waiting: Vec<Waiting>,
    /// The batch that is being stored while the next one is read.
    pub(super) sent: Batch,
    attached: bool,
    /// Names changed since the last look.
    has_new_names: bool,
    /// When the next look may be.
    soonest: Instant,
    pause: Duration,
    pub(super) progress: Progress,
    service: Service,
}

/// The work that a round over the files left.
#[derive(Default)]
pub(super) struct Round {
    /// Some file has more to read.
    pub busy: bool,
    /// Some file had something to read.
    pub has_read: bool,
    /// When the next record has waited long enough.
    pub due: Option<Instant>,
    /// A file began again, so the directory has to be looked at.
    pub look: bool,
}

impl<'a> Follow<'a> {
    pub fn new(options: &'a Options, sink: Box<dyn Sink + 'a>, waker: Waker) -> Result<Follow<'a>, Failure> {
        // Each file that is followed is open, and 1024 is what a process is given by default.
        let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
            log::info!("the limit on open files stays as it is: {error}");
            1024
        });
        let handles = limit.saturating_sub(OTHER_HANDLES).clamp(16, MOST_HANDLES);
        let (inputs, opened): (&[PathBuf], _) = match &options.pipe {
            Some(pipe) => (&[], Some(Opened::new(pipe, options.once)?)),
            None => (&options.inputs, None),
        };
        let inputs = Inputs::new(inputs, &options.exclude, &options.rotated_to)?;
        Ok(Follow {
            options,
            sink,
            waker,
            tracked: TrackedFiles::new(
                inputs,
                options.from_end,
                usize::try_from(handles).unwrap_or(usize::MAX),
            ),
            opened,
            search: None,
            buffer: Buffer::new(),
            batch: Batch::default(),
            waiting: Vec::new(),
            sent: Batch::default(),
            attached: false,
            has_new_names: false,
            soonest: Instant::now(),
            pause: FIRST_PAUSE,
            progress: Progress::new(options.progress && options.pipe.is_none()),
            service: Service::new(),
        })
    }

    pub fn run(self) -> Result<(), Failure> {
        if self.reads_once() {
            self.once()
        } else {
            self.follow()
        }
    }

    /// Returns true when what files have now is all that is read. A pipe says itself when it ends.
    pub(super) fn reads_once(&self) -> bool {
        self.options.once && !self.is_stream()
    }

    /// Returns true when the input is a pipe or the journal.
    pub(super) fn is_stream(&self) -> bool {
        self.options.pipe.is_some()
    }

    /// Returns true when a file may be left where it is. A pipe is read to its end.
    pub(super) fn must_stop(&self) -> bool {
        self.waker.is_stopping() && !self.is_stream()
    }

    fn is_over(&self) -> bool {
        if self.is_stream() {
            self.opened.is_none() && self.tracked.files.is_empty()
        } else {
            self.waker.is_stopping()
        }
    }

    /// Follows the inputs until told to stop, or until the pipe ends.
    fn follow(mut self) -> Result<(), Failure> {
        for name in self.tracked.inputs.names().filter(|name| is_missing(name)) {
            log::warn!("{} is not there yet: it is read as soon as it is", name.display());
        }
        let mut next_look = Instant::now();
        while !self.is_over() {
            if Instant::now() >= next_look {
                next_look = self.look_now();
            }
            let start = Instant::now();
            let mut limit = POLL;
            match self.attach().and_then(|()| self.round()) {
                Ok(round) => {
                    self.pause = FIRST_PAUSE;
                    self.service.ready();
                    if !round.has_read {
                        let cost = start.elapsed();
                        limit = limit.max((cost * ROUND_SHARE).min(LONGEST_POLL));
                    }
                    if let Some(due) = round.due {
                        limit = limit.min(due.saturating_duration_since(Instant::now()));
                    }
                    if round.busy {
                        limit = Duration::ZERO;
                    } else {
                        self.progress.caught_up();
                    }
                    self.service.alive(|| self.tracked.health().to_string());
                }
                Err(trouble) => limit = self.back_off(trouble)?,
            }
            if self.tracked.has_more() {
                next_look = Instant::now();
                limit = Duration::ZERO;
            }
            if self.is_stream() && self.attached {
                self.receive(limit)?;
            } else {
                self.wait(limit, &mut next_look);
            }
        }
        self.service.stopping();
        self.store_last();
        Ok(())
    }

    /// Reads to the end of all files and returns.
    fn once(mut self) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            match self.attach().and_then(|()| self.read_all()) {
                Ok(()) => break,
                // The offset moved once because a call's answer was lost; if it keeps moving
                // somebody else moves it.
                Err(Trouble::Moved(_)) if tries < 3 => {
                    tries += 1;
                    self.forget_unstored();
                }
                Err(trouble) => {
                    return Err(Failure::Unreachable(format!(
                        "{}; what is not stored yet is left to the next run",
                        trouble.reason()?
                    )));
                }
            }
        }
        self.missing_input()
    }

    fn read_all(&mut self) -> Result<(), Trouble> {
        while !self.waker.is_stopping() {
            let busy = self.round()?.busy;
            if !busy && !self.tracked.has_more() {
                break;
            }
            if self.tracked.has_more() {
                self.tracked.look();
            }
        }
        self.progress.caught_up();
        self.store_boundaries()?;
        self.sink.tell(true, &|| self.tracked.health())
    }

    /// With --once a file that was named and is not there, or cannot be read, is an error – unless
    /// it was read before.
    fn missing_input(&self) -> Result<(), Failure> {
        for name in self.tracked.inputs.names() {
            if is_missing(name) && !self.tracked.remembers(name) {
                return Err(Failure::NoInput(format!("{}: no such file", name.display())));
            }
        }
        let unreadable = self.tracked.unreadable();
        if unreadable > 0 {
            return Err(Failure::NoInput(format!(
                "cannot read {unreadable} of the inputs; to see what to type, run the same command with --check"
            )));
        }
        if self.tracked.is_empty() && self.tracked.inputs.names().next().is_none() {
            return Err(Failure::NoInput(format!(
                "no file matches {}",
                shown(&self.tracked.unmatched)
            )));
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
            self.search = Some(Search::of_options(
                self.options.multiline.clone(),
                self.options.format.as_ref(),
                least,
                self.options.date_order,
            ));
        }
        self.expect();
        self.begin_stream(&attached.rows).map_err(Trouble::Final)?;
        self.tracked.inform(attached.rows);
        if let (true, Some(file)) = (self.is_stream(), self.tracked.files.first()) {
            // The database may have a part of the batch, or all of it.
            self.batch.keep_from(file.row.proof.offset);
        }
        self.attached = true;
        self.look();
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

    /// After an error nothing that was read counts until the database says what it has. The records
    /// of a pipe stay in the batch.
    fn forget_unstored(&mut self) {
        self.attached = false;
        for waiting in self.waiting.drain(..) {
            if let Whose::Ended(file) = waiting.file {
                self.tracked.files.push(*file);
            }
        }
        if !self.is_stream() {
            self.batch.clear();
            self.sent.clear();
        }
    }

    /// Takes an error of the database. Returns how long to wait before the next try.
    fn back_off(&mut self, trouble: Trouble) -> Result<Duration, Failure> {
        let is_moved = matches!(trouble, Trouble::Moved(_));
        let text = trouble.reason()?;
        if self.is_stream() && self.waker.is_stopping() {
            return Err(self.unstored(&text));
        }
        self.forget_unstored();
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        if is_moved {
            log::info!("{text}; asking for the offsets again");
        } else {
            log::warn!("{text}; trying again in {pause:?}");
            self.service.alive(|| format!("waiting for the database: {text}"));
        }
        Ok(pause)
    }

    /// Looks at the directories; returns when to do so again: soon after names changed, for a new
    /// directory gets its files a moment later.
    fn look_now(&mut self) -> Instant {
        let start = Instant::now();
        self.look();
        let cost = start.elapsed();
        self.soonest = Instant::now() + cost * BUSY_LOOK_SHARE;
        let pause = if std::mem::take(&mut self.has_new_names) {
            POLL
        } else {
            LOOK
        };
        Instant::now() + pause.max(cost * LOOK_SHARE)
    }

    /// Looks at the directories, and watches what belongs to them by now.
    pub(super) fn look(&mut self) {
        if !self.tracked.is_informed() || self.is_stream() {
            return;
        }
        let is_first = !self.tracked.has_looked();
        self.tracked.look();
        if !self.options.once {
            if is_first && !self.tracked.unmatched.is_empty() {
                log::warn!(
                    "no file matches {} yet: the tailer reads files as soon as they appear",
                    shown(&self.tracked.unmatched)
                );
            }
            self.waker.forget(|directory| !directory.is_dir());
            self.waker.watch(self.tracked.directories.watched());
        }
    }

    /// Waits for news or for `limit`. While the database is away the directories are still looked
    /// at, so that rotated files are not lost.
    fn wait(&mut self, limit: Duration, next_look: &mut Instant) {
        let until = Instant::now() + limit;
        loop {
            let now = Instant::now();
            let woken = self
                .waker
                .wait(until.min(*next_look).saturating_duration_since(now));
            let now = Instant::now();
            let (read, other): (Vec<_>, Vec<_>) =
                woken.grown.iter().partition(|path| self.tracked.reads(path));
            for path in &other {
                self.tracked.directories.list_again(path.parent().unwrap_or(path));
            }
            if woken.names {
                self.tracked.directories.list_all_again();
            }
            // The first bytes of a file make it one to be read.
            let names = woken.names
                || other
                    .iter()
                    .any(|path| self.tracked.directories.matters(path, &self.tracked.inputs));
            if names {
                self.has_new_names = true;
                *next_look = self.soonest.min(*next_look);
            }
            let news = names || !read.is_empty();
            if self.waker.is_stopping() || now >= until || self.attached && (news || now >= *next_look) {
                return;
            }
            if now >= *next_look {
                *next_look = self.look_now();
            }
        }
    }

    fn round(&mut self) -> Result<Round, Trouble> {
        let mut round = Round::default();
        self.store_notes()?;
        let mut index = 0;
        while index < self.tracked.files.len() && !self.must_stop() {
            if self.tracked.must_wait(index) {
                round.busy |= self.options.once;
                index += 1;
                continue;
            }
            match self.turn(index, &mut round)? {
                Some(life) => {
                    if self.is_stream() {
                        self.store_waiting()?;
                        self.sink.tell(true, &|| self.tracked.health())?;
                    }
                    self.take_out(index, life)?;
                }
                None => index += 1,
            }
            if std::mem::take(&mut round.look) {
                self.store_waiting()?;
                // A copy made in between holds older bytes than the file has now.
                self.tracked.directories.list_all_again();
                self.look();
                self.store_notes()?;
            }
        }
        self.store_waiting()?;
        self.sink.tell(false, &|| self.tracked.health())?;
        self.expect();
        Ok(round)
    }

    /// Rows that only say something about a file: it is gone, or it need not be read.
    pub(super) fn store_notes(&mut self) -> Result<(), Trouble> {
        let notes = &self.tracked.notes;
        if notes.is_empty() {
            return Ok(());
        }
        let stretches: Vec<Stretch> = notes
            .iter()
            .map(|note| Stretch {
                row: &note.row,
                from: note.from,
                records: &[],
                gap: note.gap.as_deref(),
            })
            .collect();
        self.sink.store_all(&stretches)?;
        let notes = std::mem::take(&mut self.tracked.notes);
        let noted: HashSet<i64> = notes.iter().map(|note| note.row.id).collect();
        for file in &mut self.tracked.files {
            file.is_known |= noted.contains(&file.row.id);
        }
        Ok(())
    }

    /// At the end of a run the offsets move up to the last whole line.
    fn store_boundaries(&mut self) -> Result<(), Trouble> {
        self.store_notes()?;
        for index in 0..self.tracked.files.len() {
            let file = &self.tracked.files[index];
            if file.reader.boundary() > file.row.proof.offset {
                self.put(index, Life::Live);
            }
        }
        self.store_waiting()
    }

    /// On the way out: if it fails the next run reads a little more, that is all.
    fn store_last(&mut self) {
        if self.attached
            && let Err(trouble) = self.store_boundaries()
            && let Ok(text) = trouble.reason()
        {
            log::info!("{text}");
        }
    }
}

fn shown(patterns: &[PathBuf]) -> String {
    let patterns: Vec<String> = patterns
        .iter()
        .map(|it| format!("\"{}\"", it.display()))
        .collect();
    patterns.join(" or ")
}

#[cfg(test)]
mod tests;
