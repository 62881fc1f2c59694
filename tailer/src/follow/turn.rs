//! One file's turn in the loop: read what is new, send it when it is due, and end what is over.

use std::time::{Duration, Instant};

use super::{Follow, Round, STILL_WRITTEN, TURN, UNSTORED_AGE, UNSTORED_BYTES};
use crate::connect::Trouble;
use crate::records::reader::Batch;
use crate::roster::Copied;
use crate::sink::database::{Sink, State, Stretch};
use crate::tail::{Look, Tail};

impl Follow<'_> {
    /// Reads one file as far as it goes. When it is done with for good: how that came.
    pub(super) fn turn(&mut self, index: usize, round: &mut Round) -> Result<Option<State>, Trouble> {
        let Some(search) = &mut self.search else {
            return Ok(None);
        };
        let started_at = self.roster.tails[index].reader.position();
        loop {
            self.progress.show(|| self.roster.behind());
            let tail = &mut self.roster.tails[index];
            let before = tail.reader.position();
            let look = tail.look(&mut self.buffer, search, &mut self.batch);
            self.progress.count(tail.reader.position().saturating_sub(before));
            match look {
                Ok(Look::Same | Look::End) => break,
                Ok(Look::Full) => store(&mut *self.sink, tail, &mut self.batch, State::Open)?,
                Ok(Look::More) => {
                    if tail.reader.boundary() - tail.stored.offset >= UNSTORED_BYTES {
                        store(&mut *self.sink, tail, &mut self.batch, State::Open)?;
                    }
                    let over = tail.reader.position().saturating_sub(started_at) >= TURN;
                    let stop = self.waker.is_stopping();
                    if over || stop {
                        store(&mut *self.sink, tail, &mut self.batch, State::Open)?;
                        round.busy = !stop;
                        return Ok(None);
                    }
                }
                Ok(Look::Replaced) => {
                    store(&mut *self.sink, tail, &mut self.batch, State::Open)?;
                    self.sink.settle()?;
                    return self.replaced(index, round);
                }
                Err(error) => {
                    if !tail.failing {
                        log::warn!("{}: {error}", tail.path.display());
                        tail.failing = true;
                    }
                    self.roster.cannot_read(index, &error);
                    self.batch.clear();
                    return Ok(None);
                }
            }
        }
        if self.roster.tails[index].failing {
            self.roster.can_read(index);
        }
        let tail = &mut self.roster.tails[index];
        let now = Instant::now();
        if tail.is_over(now, self.options.once, self.options.rotate_wait) {
            return self.finish(index);
        }
        if let Some(wait) = tail.reader.wait(&search.multiline).filter(|_| tail.drained) {
            // An unfinished line after the record may turn out to be a part of it.
            let wait = if tail.has_partial_line() {
                wait.max(crate::records::multiline::LONG_WAIT)
            } else {
                wait
            };
            // What took the name of a rotated file may go on with its last trace, and has to be found first.
            let wait = if tail.rotated.is_some() && wait >= crate::records::multiline::LONG_WAIT {
                wait * 2
            } else {
                wait
            };
            let is_due = if self.options.once {
                !(tail.has_partial_line() && is_young(tail) && tail.partial_line_continues(search))
            } else {
                tail.grown + wait <= now
            };
            if is_due {
                let adopted = self.roster.adopt(index, search);
                let tail = &mut self.roster.tails[index];
                if adopted && !self.options.once {
                    tail.grown = now;
                    round.due = Some(round.due.map_or(now + wait, |other| other.min(now + wait)));
                } else {
                    tail.reader.let_go(&mut self.batch);
                }
            } else if !self.options.once {
                let due = tail.grown + wait;
                round.due = Some(round.due.map_or(due, |other| other.min(due)));
            }
        }
        let tail = &mut self.roster.tails[index];
        let behind = tail.reader.boundary() - tail.stored.offset;
        if behind == 0 {
            tail.unstored_since = None;
        }
        let since = tail.unstored_since;
        if behind > 0 && since.is_none() {
            tail.unstored_since = Some(now);
        }
        let is_new = !tail.known && tail.stored.offset > 0;
        let is_old = since.is_some_and(|since| now.duration_since(since) >= UNSTORED_AGE);
        if !self.batch.records.is_empty() || is_new || behind >= UNSTORED_BYTES || is_old {
            store(&mut *self.sink, tail, &mut self.batch, State::Open)?;
        }
        Ok(None)
    }

    /// A file that will not grow any more: its last line is a line, newline or not.
    fn finish(&mut self, index: usize) -> Result<Option<State>, Trouble> {
        let Some(search) = &mut self.search else {
            return Ok(None);
        };
        let tail = &mut self.roster.tails[index];
        loop {
            match tail.finish(&mut self.buffer, search, &mut self.batch) {
                Ok(true) => break,
                Ok(false) => store(&mut *self.sink, tail, &mut self.batch, State::Open)?,
                Err(error) => {
                    log::warn!("{}: {error}", tail.path.display());
                    break;
                }
            }
        }
        self.roster.adopt(index, search);
        let tail = &mut self.roster.tails[index];
        tail.reader.let_go(&mut self.batch);
        let state = if tail.has_no_name() {
            State::Removed
        } else {
            State::Done
        };
        log::info!(
            "{}: read to its end, byte {}",
            tail.path.display(),
            tail.reader.boundary()
        );
        if tail.known || tail.reader.boundary() > 0 || tail.seen > 0 {
            self.end(index, state)?;
        }
        Ok(Some(state))
    }

    /// The file's bytes are not those that were read: it was truncated. The rest of the old bytes may be in a copy.
    fn replaced(&mut self, index: usize, round: &mut Round) -> Result<Option<State>, Trouble> {
        round.renamed = true;
        let old = match self.roster.replace(index, &self.inputs) {
            // The copy has all that was read, and perhaps more.
            Copied::Whole => return Ok(None),
            // What was read goes beyond the copy, or there is none.
            Copied::Short | Copied::Nowhere => &mut self.roster.tails[index],
        };
        old.reader.let_go(&mut self.batch);
        self.end(index, State::Truncated)?;
        Ok(Some(State::Truncated))
    }

    /// Stores the last of a file, and before its end which bytes of it were seen and are nowhere any more.
    fn end(&mut self, index: usize, state: State) -> Result<(), Trouble> {
        if self.roster.tails[index].is_missing_some() {
            let tail = &mut self.roster.tails[index];
            store(&mut *self.sink, tail, &mut self.batch, State::Open)?;
            self.sink.settle()?;
            self.roster.note_missing(index);
            self.store_notes()?;
        }
        store(
            &mut *self.sink,
            &mut self.roster.tails[index],
            &mut self.batch,
            state,
        )
    }
}

fn is_young(tail: &Tail) -> bool {
    tail.last_modified()
        .is_some_and(|modified| modified.elapsed().is_ok_and(|age| age < STILL_WRITTEN))
}

/// Sends the batch and the boundary.
pub(super) fn store(
    sink: &mut dyn Sink,
    tail: &mut Tail,
    batch: &mut Batch,
    state: State,
) -> Result<(), Trouble> {
    let proof = tail.proof_of_boundary();
    if state == State::Open && batch.records.is_empty() && proof.offset == tail.stored.offset && tail.known {
        return Ok(());
    }
    let stretch = Stretch {
        file: Some(tail.id),
        path: &tail.path,
        inode: tail.inode,
        from: tail.stored.offset,
        proof,
        records: &[],
        gap: None,
        state,
    };
    sink.hand_over(&stretch, &mut batch.records)?;
    if !tail.known {
        // Where a new file begins is nowhere written down until its first call is stored.
        sink.settle()?;
    }
    batch.clear();
    tail.stored = proof;
    tail.known = true;
    tail.unstored_since = None;
    Ok(())
}

impl Tail {
    /// True when the file was rotated away, read to its end, and nobody will write to it again.
    fn is_over(&self, now: Instant, once: bool, rotate_wait: Duration) -> bool {
        let quiet_since = match (self.rotated, self.aged) {
            (Some(since), _) => Some(since.max(self.grown)),
            (None, Some(true)) => Some(self.grown),
            _ => None,
        };
        let is_quiet = quiet_since.is_some_and(|since| once || now.duration_since(since) >= rotate_wait);
        self.drained && (self.finished || is_quiet)
    }
}
