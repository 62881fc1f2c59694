//! One file that is being read: its bytes, how far they were read, and what proves that they are
//! still the same.
//!
//! The proof is tried before every read, and whenever the names are looked up, for while the
//! database is away nothing is read.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Instant, SystemTime};

use super::growth::Growth;
use super::state::{Event, FileRow, Life};
use super::window::Buffer;
use crate::records::reader::{Batch, Fed, Reader, Search};
use crate::source::bytes::Bytes;
use crate::source::directory::Candidate;
use crate::source::identity::{Proof, Proven, Sample, proof_at};
use crate::source::inputs::Mark;
use crate::source::stream::Stream;
use crate::timing::PAST_STEP;

/// How many earlier proofs are kept to recognise a copy that ends before the position.
const PAST: usize = 16;

/// The result of a look at the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// More bytes were looked at; there may be more.
    More,
    /// The batch is full.
    Full,
    /// All that is there was looked at.
    End,
    /// These are not the bytes that were here before.
    Replaced,
}

/// The bytes of a file, as far as they are at hand.
pub enum Handle {
    Open(Bytes),
    /// Closed to save handles; the proof is of all that was seen in it.
    Parked(Proof),
}

pub struct TrackedFile {
    pub row: FileRow,
    /// The database has the row.
    pub is_known: bool,
    pub handle: Handle,
    pub reader: Reader,
    pub growth: Growth,
    past: VecDeque<(Instant, Proof)>,
    /// The file that has to be read to its end before this one.
    pub after: Option<i64>,
    /// Number of bytes at its start that belong to the last record of that file.
    pub adopted: u64,
    /// So far its bytes were seen, before they were gone; `None` once it is told which are missing.
    seen: Option<u64>,
    /// It must have grown after the last look at it.
    was_under_load: bool,
    /// It began when the file before it was truncated.
    pub is_after_truncation: bool,
    /// A read error was reported, so the next ones are not.
    pub is_failing: bool,
    /// A newer file of its kind is there, so it will most likely not grow.
    pub is_old: bool,
    /// A copy of its bytes was looked for.
    is_sought: bool,
    /// Since when it is neither held open nor found.
    pub missing_since: Option<Instant>,
}

impl TrackedFile {
    /// Reads a file from `row.proof` on. `proven`: the bytes that the proof is about.
    pub fn new(row: FileRow, bytes: Bytes, proven: Proven) -> TrackedFile {
        let life = if bytes.is_compressed() {
            row.life.after(Event::FoundInCopy)
        } else {
            row.life
        };
        TrackedFile {
            reader: Reader::new(row.proof.offset, proven.head, proven.tail),
            row: FileRow { life, ..row },
            is_known: false,
            handle: Handle::Open(bytes),
            growth: Growth::new(),
            past: VecDeque::new(),
            after: None,
            adopted: 0,
            seen: Some(0),
            was_under_load: false,
            is_after_truncation: false,
            is_failing: false,
            is_old: false,
            is_sought: false,
            missing_since: None,
        }
    }

    /// Moves its life on.
    pub fn meet(&mut self, event: Event) {
        self.row.life = self.row.life.after(event);
    }

    pub fn is_overwritten(&self) -> bool {
        self.row.life == Life::Overwritten
    }

    pub fn is_sought(&self) -> bool {
        self.is_sought
    }

    /// A copy of its bytes is looked for from now on.
    pub fn begin_search(&mut self) {
        self.set_overwritten();
        self.is_sought = true;
    }

    pub fn is_rotated(&self) -> bool {
        matches!(self.row.life, Life::Rotated(_) | Life::Overwritten | Life::Sealed)
    }

    /// Returns the bytes, unless they are gone or not at hand.
    pub fn bytes(&mut self) -> Option<&mut Bytes> {
        match &mut self.handle {
            Handle::Open(bytes) if self.row.life != Life::Overwritten => Some(bytes),
            Handle::Open(_) | Handle::Parked(_) => None,
        }
    }

    pub fn stream(&mut self) -> Option<&mut Stream> {
        self.bytes().and_then(Bytes::stream)
    }

    pub fn is_parked(&self) -> bool {
        matches!(self.handle, Handle::Parked(_))
    }

    pub fn is_plain(&self) -> bool {
        matches!(&self.handle, Handle::Open(bytes) if bytes.is_plain())
    }

    pub fn is_closed(&self) -> bool {
        matches!(&self.handle, Handle::Open(bytes) if bytes.is_closed())
    }

    /// Forgets what was read and not stored. `proven`: the bytes before the stored offset.
    pub fn rewind(&mut self, proof: Proof, proven: Proven) {
        self.reader = Reader::new(proof.offset, proven.head, proven.tail);
        self.row.proof = proof;
        self.growth.unstored_since = None;
        self.adopted = 0;
        self.look_again();
    }

    /// Forgets what was read and not stored of bytes that are gone. The proof still speaks of them,
    /// so that a copy is recognised.
    pub fn lose(&mut self, proof: Proof) {
        let head = proof.head_of(self.reader.head().to_vec());
        let tail = Vec::new();
        self.rewind(proof, Proven { head, tail });
        self.set_overwritten();
    }

    pub fn set_overwritten(&mut self) {
        if !self.is_overwritten() {
            // The writer has moved on to a newer file when there is one.
            self.was_under_load = !self.is_old && self.growth.is_likely_to_have_gone_on();
        }
        self.row.life = self.row.life.after(Event::BytesGone);
        self.growth.looked = None;
        self.seen = self.seen.map(|seen| seen.max(self.growth.size));
    }

    /// Returns the last byte that was seen and is nowhere any more, once.
    pub fn take_missing(&mut self) -> Option<u64> {
        // A copy's last bytes may be NULs, which are never passed.
        let in_copy = if self.is_overwritten() {
            0
        } else {
            self.growth.size
        };
        let seen = self.seen?;
        let is_missing = seen > self.reader.boundary().max(in_copy);
        if is_missing {
            self.seen = None;
        }
        is_missing.then_some(seen)
    }

    /// Returns true when it grew so fast that it must have had more than anybody read.
    pub fn was_under_load(&self) -> bool {
        self.seen.is_some() && self.was_under_load
    }

    /// Returns true when what was read is not there any more. Costs little when nothing has
    /// changed.
    pub fn is_replaced(&mut self) -> bool {
        let now = self.proof_now();
        let looked = self.growth.looked;
        let Some(bytes) = self.bytes() else { return false };
        if bytes.is_fixed() {
            return false;
        }
        let is_same = bytes.mark().is_ok_and(|mark| looked == Some(mark));
        !is_same && matches!(now.check(bytes), Ok(None))
    }

    /// Goes on in a file that has the same bytes: under another inode, compressed, or a copy of
    /// bytes that are gone. False when it has other bytes.
    pub fn go_on_in(&mut self, mut bytes: Bytes, candidate: &Candidate) -> bool {
        let is_gone = self.bytes().is_none();
        let is_compressed = bytes.is_compressed();
        if is_gone {
            let Ok(Some(proven)) = self.row.proof.check(&mut bytes) else {
                return false;
            };
            self.seen = self.seen.map(|seen| seen.max(self.growth.size));
            self.rewind(self.row.proof, proven);
        }
        let is_copy = self.row.life == Life::Overwritten || is_compressed;
        self.handle = Handle::Open(bytes);
        self.missing_since = None;
        self.is_sought = false;
        self.row.inode = candidate.seen.inode;
        self.row.place.clone_from(&candidate.seen.place);
        let event = if is_copy {
            Event::FoundInCopy
        } else {
            Event::NameBack
        };
        self.row.life = self.row.life.after(event);
        self.look_again();
        true
    }

    /// Closes the file; it is opened again when its turn comes.
    pub fn park(&mut self) {
        if let Handle::Open(bytes) = &mut self.handle
            && let Ok(size) = bytes.plain_size()
            && let Ok(Some((proof, _))) = proof_at(bytes, size)
        {
            self.growth.size = self.growth.size.max(size);
            self.handle = Handle::Parked(proof);
        }
    }

    /// Opens a parked file again. False when it is not where it was, or is another one by now.
    pub fn unpark(&mut self) -> bool {
        let Handle::Parked(whole) = self.handle else {
            return true;
        };
        let found = Bytes::open(&self.row.place).ok().filter(|bytes| {
            bytes
                .metadata()
                .is_ok_and(|metadata| crate::source::inputs::Inode::of(&metadata) == self.row.inode)
        });
        let Some(mut bytes) = found else {
            // No other file waits for it any more.
            self.missing_since.get_or_insert_with(Instant::now);
            return false;
        };
        let is_same = matches!(whole.check(&mut bytes), Ok(Some(_)));
        self.handle = Handle::Open(bytes);
        self.missing_since = None;
        if is_same {
            self.look_again();
        } else {
            self.set_overwritten();
        }
        true
    }

    /// Notes what was seen of a parked file: when it has changed it is to be read.
    pub fn expect(&mut self, mark: Mark) {
        if self.growth.looked != Some(mark) {
            self.look_again();
        }
    }

    /// The next look reads whether or not the file has changed.
    pub fn look_again(&mut self) {
        self.growth.looked = None;
        self.growth.is_drained = false;
    }

    /// Reads on where the last look stopped.
    pub fn look(&mut self, buffer: &mut Buffer, search: &mut Search, batch: &mut Batch) -> io::Result<Look> {
        let looked = self.growth.looked;
        let position = self.reader.position();
        let bytes = match &mut self.handle {
            Handle::Open(bytes) if self.row.life != Life::Overwritten => bytes,
            Handle::Open(_) | Handle::Parked(_) => return Ok(Look::Replaced),
        };
        let mark = bytes.mark()?;
        // The state is noted before reading: what is written during the read is seen by the next
        // look.
        if looked == Some(mark) {
            self.growth.ended_at = Some(Instant::now());
            return Ok(Look::End);
        }
        if position == 0 {
            bytes.heed_mark()?;
        }
        let Some(count) = buffer.fill(bytes, &self.reader)? else {
            return Ok(Look::Replaced);
        };
        let is_at_end = count < buffer.chunk();
        // A decoded file's size on disk is not the size of its text.
        let end = position + count as u64;
        let size = if bytes.is_plain() { mark.0 } else { end };
        if count > 0 && size > self.growth.size {
            self.growth.at = Instant::now();
        }
        let fed = self.reader.feed(&buffer.window(false), search, batch);
        self.growth.size = size.max(self.reader.position());
        let position = self.reader.position();
        Ok(match fed {
            Fed::Full => Look::Full,
            Fed::Nuls => {
                let end = match self.bytes() {
                    Some(bytes) => bytes.end_of_nuls(position)?,
                    None => None,
                };
                match end {
                    Some(end) => {
                        self.reader.skip_nuls(end);
                        Look::More
                    }
                    None => self.at_end(mark),
                }
            }
            Fed::Hungry if is_at_end => self.at_end(mark),
            Fed::Hungry => Look::More,
        })
    }

    /// Takes what is left as whole lines: the file will not grow any more. False when the batch is
    /// full.
    pub fn finish(
        &mut self,
        buffer: &mut Buffer,
        search: &mut Search,
        batch: &mut Batch,
    ) -> io::Result<bool> {
        let Handle::Open(bytes) = &mut self.handle else {
            return Ok(true);
        };
        if self.row.life == Life::Overwritten || buffer.fill(bytes, &self.reader)?.is_none() {
            return Ok(true);
        }
        Ok(self.reader.feed(&buffer.window(true), search, batch) != Fed::Full)
    }

    /// Returns true when bytes after the last whole line are there.
    pub fn has_partial_line(&self) -> bool {
        self.growth.size > self.reader.position()
    }

    /// Returns true when the last, unfinished line belongs to the open record as far as it can be
    /// seen.
    pub fn partial_line_continues(&mut self, search: &Search) -> bool {
        let position = self.reader.position();
        let mut start = [0; 256];
        let read = self.bytes().map(|bytes| bytes.read_at(position, &mut start));
        matches!(read, Some(Ok(count)) if count > 0 && search.continues(&start[..count]))
    }

    pub fn last_modified(&self) -> Option<SystemTime> {
        self.growth.looked.map(|(_, modified)| modified)
    }

    pub fn has_name(&self) -> bool {
        match &self.handle {
            Handle::Open(bytes) => !bytes.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
            Handle::Parked(_) => true,
        }
    }

    /// Returns the proof of all that was read.
    pub fn proof_now(&self) -> Proof {
        let position = self.reader.position();
        if position == self.row.proof.offset {
            // Its bytes may not be at hand.
            return self.row.proof;
        }
        Proof::of(position, self.reader.head(), self.reader.recent())
    }

    /// Returns the proof of what may be stored.
    pub fn proof_of_boundary(&self) -> Proof {
        let proof = self.reader.proof();
        if proof.offset == self.row.proof.offset {
            return self.row.proof;
        }
        proof
    }

    /// Returns the proof by which it is looked for: of all that was seen in it while it is not held
    /// open.
    pub fn sought(&self) -> Proof {
        match self.handle {
            Handle::Parked(whole) => whole,
            Handle::Open(_) => self.proof_now(),
        }
    }

    /// Returns the proofs of earlier offsets.
    pub fn past(&self) -> Vec<Proof> {
        let past = self.past.iter().map(|(_, proof)| *proof);
        past.chain([self.row.proof]).collect()
    }

    /// Returns true when the bytes that this proof speaks of are here. What is read from a
    /// compressed file stays as it is.
    pub fn has(&mut self, proof: &Proof) -> bool {
        match self.bytes() {
            Some(bytes) => bytes.is_fixed() || !matches!(proof.check(bytes), Ok(None)),
            None => true,
        }
    }

    /// Returns the same for bytes that may be gone: then their head tells.
    pub fn had(&mut self, proof: &Proof) -> bool {
        let head = self.reader.head();
        if self.is_overwritten() {
            return head.len() < proof.head_bytes || proof.is_headed(head);
        }
        self.has(proof)
    }

    fn at_end(&mut self, mark: Mark) -> Look {
        self.growth.looked = Some(mark);
        if self.is_plain() {
            self.growth.size = mark.0;
        }
        let now = Instant::now();
        self.growth.end(now);
        if self
            .past
            .back()
            .is_none_or(|(at, _)| now.duration_since(*at) >= PAST_STEP)
        {
            if self.past.len() == PAST {
                self.past.pop_front();
            }
            self.past.push_back((now, self.proof_now()));
        }
        Look::End
    }
}
