//! One file that is being read.
//!
//! The life of a file. It is *seen* at a path that the inputs give and read from its beginning, or it is *recognised* by its bytes and
//! read from where the last run stopped. It *grows*, and what is new is read, after a proof that it is still the same file. One day its
//! name is gone or another file has it: the file was *rotated*. The handle stays open until the writer, who may still hold it too, has been
//! quiet for `--rotate-wait`; then the file is *done*, or *removed* when it has no name left. Or the proof fails: the file was *truncated* and
//! begins again as a new one, while the rest of the old one is looked for among its copies. The proof is tried before every read, and whenever the
//! names are looked up, for while the database is away nothing is read.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::buffer::Buffer;
use crate::records::reader::{Batch, Fed, Reader, Search};
use crate::source::bytes::Content;
use crate::source::identity::{HEAD, Proof, Proven, TAIL, are_same};
use crate::source::inputs::{Inode, Mark, mark};

/// How many earlier proofs are kept to recognise a copy that ends before the position, and how far they are apart.
const PAST: usize = 16;
const PAST_STEP: Duration = Duration::from_millis(200);

/// What a look at the file gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing has changed since the last one.
    Same,
    /// More bytes were looked at; there may be more.
    More,
    /// The batch is full.
    Full,
    /// All that is there was looked at.
    End,
    /// These are not the bytes that were here before.
    Replaced,
}

pub struct Tail {
    pub id: i64,
    /// Where it was when it was followed; a rotated file keeps the name of the live one.
    pub path: PathBuf,
    pub inode: Inode,
    pub content: Content,
    pub reader: Reader,
    /// What the database has of it.
    pub stored: Proof,
    /// The database has a row of it.
    pub known: bool,
    /// When it lost its name.
    pub rotated: Option<Instant>,
    /// Nobody can be writing to it any more: a copy, a compressed file, a file rotated before this run.
    pub finished: bool,
    /// Its name is a rotated one, so it most likely will not grow. None: not looked at yet.
    pub aged: Option<bool>,
    /// The file that has to be read to its end before this one.
    pub after: Option<i64>,
    /// So many bytes at its start went to the last record of that file.
    pub adopted: u64,
    /// It was read to the end at least once.
    pub drained: bool,
    /// When it last grew.
    pub grown: Instant,
    /// Since when the boundary is ahead of what is stored.
    pub unstored_since: Option<Instant>,
    pub size: u64,
    /// Size and time of the last change at the last look; None: look again.
    looked: Option<Mark>,
    past: VecDeque<(Instant, Proof)>,
    /// Its bytes are not in this content any more: what is there is another file's.
    gone: bool,
    /// The run of the buffer that was read last.
    run: Option<u64>,
    /// The batch was full before the window was seen to its end.
    stopped: bool,
    /// So far its bytes were seen, before they were gone.
    pub seen: u64,
    /// It was noted which of them are missing.
    pub told: bool,
    /// A read error was reported, so the next ones are not.
    pub failing: bool,
    /// It began when the file before it was truncated.
    pub truncated: bool,
}

impl Tail {
    /// A file that is read from `proof.offset` on. `proven`: the bytes that the proof is about.
    pub fn new(id: i64, path: PathBuf, inode: Inode, content: Content, proof: Proof, proven: Proven) -> Tail {
        Tail {
            id,
            path,
            inode,
            finished: content.is_compressed(),
            content,
            reader: Reader::new(proof.offset, proven.head, proven.tail),
            stored: proof,
            known: false,
            rotated: None,
            aged: None,
            after: None,
            adopted: 0,
            drained: false,
            grown: Instant::now(),
            unstored_since: None,
            size: 0,
            looked: None,
            past: VecDeque::new(),
            gone: false,
            run: None,
            stopped: false,
            seen: 0,
            told: false,
            failing: false,
            truncated: false,
        }
    }

    /// Forgets what was read and not stored. `proven`: the bytes before the stored offset.
    pub fn rewind(&mut self, proof: Proof, proven: Proven) {
        self.reader = Reader::new(proof.offset, proven.head, proven.tail);
        self.stored = proof;
        self.unstored_since = None;
        self.adopted = 0;
        self.gone = false;
        self.look_again();
    }

    /// Forgets what was read and not stored of bytes that are gone. The proof still speaks of them, so that a copy is recognised.
    pub fn lose(&mut self, proof: Proof) {
        let head = proof.head_of(self.reader.head().to_vec());
        self.rewind(
            proof,
            Proven {
                head,
                tail: Vec::new(),
            },
        );
        self.set_gone();
    }

    /// The next look says `Replaced`.
    pub fn set_gone(&mut self) {
        self.gone = true;
        self.looked = None;
        self.seen = self.seen.max(self.size);
    }

    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// True when bytes were seen that are nowhere any more, and nobody was told of it yet.
    pub fn is_missing_some(&self) -> bool {
        // A copy's last bytes may be NULs, which are never passed.
        let in_copy = if self.gone { 0 } else { self.size };
        !self.told && self.seen > self.reader.boundary().max(in_copy)
    }

    /// True when the file with this inode is the one that is read here.
    pub fn holds(&self, inode: Inode) -> bool {
        !self.gone && self.inode == inode
    }

    /// True when what was read is not there any more. Tells without reading on, and for little when nothing has changed.
    pub fn is_replaced(&mut self) -> bool {
        if self.gone || self.content.is_compressed() {
            return self.gone;
        }
        let is_same = self
            .content
            .metadata()
            .is_ok_and(|metadata| self.looked == Some(mark(&metadata)));
        !is_same && matches!(self.proof_now().check(&mut self.content), Ok(None))
    }

    /// Goes on in a copy of what was read, from the offset that is stored. False when it is no copy.
    pub fn go_on_in(&mut self, mut content: Content, inode: Inode) -> bool {
        let Ok(Some(proven)) = self.stored.check(&mut content) else {
            return false;
        };
        self.seen = self.seen.max(self.size);
        self.rewind(self.stored, proven);
        self.content = content;
        self.inode = inode;
        true
    }

    /// The next look reads whether or not the file has changed.
    pub fn look_again(&mut self) {
        self.looked = None;
        self.run = None;
        self.drained = false;
    }

    /// Reads on where the last look stopped.
    pub fn look(&mut self, buffer: &mut Buffer, search: &mut Search, batch: &mut Batch) -> io::Result<Look> {
        let metadata = self.content.metadata()?;
        if self.looked == Some(mark(&metadata)) {
            return Ok(Look::Same);
        }
        if self.reader.position() == 0 {
            self.content.heed_mark()?;
        }
        // The state is noted before reading: what is written during the read is seen by the next look.
        let goes_on = !self.gone && self.run == Some(buffer.run());
        let stopped = std::mem::take(&mut self.stopped);
        let at_end = if goes_on && buffer.go_on(&self.reader, stopped, search.candidates) {
            false
        } else {
            match self.fill(buffer)? {
                Some(count) => count < buffer.length(),
                None => return Ok(Look::Replaced),
            }
        };
        self.run = Some(buffer.run());
        let window = buffer.window(false);
        let end = window.offset + window.bytes.len() as u64;
        // What is on disk is not the text's size when the file is decoded.
        let size = if self.content.is_plain() {
            metadata.len()
        } else {
            end
        };
        if end > self.reader.position() && size > self.size {
            self.grown = Instant::now();
        }
        let fed = self.reader.feed(&window, search, batch);
        self.size = size.max(self.reader.position());
        Ok(match fed {
            Fed::Full => {
                self.stopped = true;
                Look::Full
            }
            Fed::Nuls => match self.content.end_of_nuls(self.reader.position())? {
                Some(end) => {
                    self.skip_nuls(end)?;
                    Look::More
                }
                // Only NULs up to the end: they may be space that is filled later.
                None => self.at_end(&metadata),
            },
            Fed::Hungry if at_end => self.at_end(&metadata),
            Fed::Hungry => {
                if let Content::Plain(file) = &self.content {
                    buffer.read_ahead(file, &self.reader, metadata.len(), search.candidates);
                }
                Look::More
            }
        })
    }

    /// Takes what is left as whole lines: the file will not grow any more. False when the batch is full.
    pub fn finish(
        &mut self,
        buffer: &mut Buffer,
        search: &mut Search,
        batch: &mut Batch,
    ) -> io::Result<bool> {
        if self.fill(buffer)?.is_none() {
            return Ok(true);
        }
        let window = buffer.window(true);
        Ok(self.reader.feed(&window, search, batch) != Fed::Full)
    }

    /// Bytes after the last whole line are there.
    pub fn has_partial_line(&self) -> bool {
        self.size > self.reader.position()
    }

    /// True when the last, unfinished line belongs to the open record as far as it can be seen.
    pub fn partial_line_continues(&mut self, search: &Search) -> bool {
        let mut start = [0; 256];
        match self.content.read_at(self.reader.position(), &mut start) {
            Ok(count) if count > 0 => search.continues(&start[..count]),
            _ => false,
        }
    }

    pub fn last_modified(&self) -> Option<SystemTime> {
        self.looked.map(|(_, modified)| modified)
    }

    pub fn has_no_name(&self) -> bool {
        self.content
            .metadata()
            .is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// The proof of all that was read.
    pub fn proof_now(&self) -> Proof {
        let position = self.reader.position();
        if position == self.stored.offset {
            // Its bytes may not be at hand.
            return self.stored;
        }
        Proof::of(position, self.reader.head(), self.reader.recent())
    }

    /// The proof of what may be stored.
    pub fn proof_of_boundary(&self) -> Proof {
        let proof = self.reader.proof();
        if proof.offset == self.stored.offset {
            return self.stored;
        }
        proof
    }

    /// True when `content`, a file as long as `size`, holds the same bytes as this one as far as it goes: a copy, or a compressed twin.
    pub fn is_copied_by(&mut self, content: &mut Content, size: u64) -> bool {
        let now = self.proof_now();
        if !matches!(now.check(&mut self.content), Ok(Some(_))) {
            // Truncated meanwhile: what was read is all that there is to compare.
            return now.says_something() && matches!(now.check(content), Ok(Some(_)))
                || self.is_short_copy(content, size);
        }
        are_same(&mut self.content, content, size)
    }

    /// True when the bytes that this proof speaks of are here. What is read from a compressed file stays as it is.
    pub fn has(&mut self, proof: &Proof) -> bool {
        self.content.is_compressed() || !matches!(proof.check(&mut self.content), Ok(None))
    }

    /// True when `content` ends before what was read and is, as far as that is still known, the same.
    pub fn is_short_copy(&self, content: &mut Content, size: u64) -> bool {
        let length = self
            .reader
            .head()
            .len()
            .min(usize::try_from(size).unwrap_or(HEAD));
        let mut head = vec![0; length];
        if size > self.reader.position()
            || length == 0
            || !content.fill_at(0, &mut head).unwrap_or(false)
            || head != self.reader.head()[..length]
        {
            return false;
        }
        let past = self
            .past
            .iter()
            .rev()
            .map(|(_, proof)| *proof)
            .chain([self.stored]);
        past.filter(|proof| proof.says_something() && proof.offset <= size)
            .max_by_key(|proof| proof.offset)
            .is_none_or(|proof| matches!(proof.check(content), Ok(Some(_))))
    }

    fn at_end(&mut self, metadata: &Metadata) -> Look {
        self.looked = Some(mark(metadata));
        if self.content.is_plain() {
            self.size = metadata.len();
        }
        self.drained = true;
        let now = Instant::now();
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

    /// Reads behind the bytes before the position, which must still be there, and returns how many bytes are new. None: it is not
    /// the same file any more. The anchor and the new bytes come from one read, so no truncation fits between them.
    fn fill(&mut self, buffer: &mut Buffer) -> io::Result<Option<usize>> {
        if self.gone {
            buffer.stop();
            return Ok(None);
        }
        let recent = self.reader.recent();
        let history = recent.len();
        let position = self.reader.position();
        let offset = position - history as u64;
        let space = buffer.space(history);
        if self.content.is_compressed() {
            space[..history].copy_from_slice(recent);
            let count = self.content.read_at(position, &mut space[history..])?;
            buffer.filled(offset, history + count);
            return Ok(Some(count));
        }
        let count = loop {
            match self.content.read_at(offset, space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if count < history || space[..history] != *recent {
            return Ok(None);
        }
        buffer.filled(offset, count);
        let head = self.reader.head();
        let mut now = vec![0; head.len()];
        let same = self.content.fill_at(0, &mut now)? && now == self.reader.head();
        // Without history an empty file is not known to be another one.
        let holds = !self.content.is_plain() || self.content.metadata()?.len() >= position;
        Ok((same && holds).then_some(count - history))
    }

    fn skip_nuls(&mut self, end: u64) -> io::Result<()> {
        let length = usize::try_from(end).unwrap_or(TAIL).min(TAIL);
        let mut recent = vec![0; length];
        if self.content.fill_at(end - length as u64, &mut recent)? {
            self.reader.skip_nuls(end, recent);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
