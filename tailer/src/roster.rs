//! Which files are being read, and which file a name means: the memory of the loop.
//!
//! Whenever the names are looked up, each file that is there is either being read already, or recognised as one that the database
//! knows, or found to be a copy of one, or new. A name that went to another file leads to the search for what was rotated in between.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use logwatch_record::MAX_MESSAGE;

use crate::content::Content;
use crate::files::{Inode, Inputs, Seen};
use crate::follow::{Copied, UNSTORED_AGE};
use crate::identity::{HEAD, Proof, Proven, TAIL};
use crate::reader::Search;
use crate::rotation;
use crate::send::{State, Stored, Stretch};
use crate::tail::Tail;

/// A new file waits so long for the last record of the one before it, which may go on here.
const ADOPTION: Duration = Duration::from_secs(10);

/// Something to store about a file that is not read.
pub struct Note {
    id: i64,
    path: PathBuf,
    inode: Inode,
    proof: Proof,
    gap: Option<&'static str>,
    state: State,
}

impl Note {
    pub fn stretch(&self) -> Stretch<'_> {
        Stretch {
            file: Some(self.id),
            path: &self.path,
            inode: self.inode,
            from: self.proof.offset,
            proof: self.proof,
            records: &[],
            gap: self.gap,
            state: self.state,
        }
    }
}

pub struct Roster {
    pub tails: Vec<Tail>,
    pub notes: Vec<Note>,
    /// What the database knows, None before it was asked.
    known: Option<HashMap<i64, Stored>>,
    /// Files that need not be read as long as they keep this size: copies of what was read, rotated files that were read to the end.
    settled: HashMap<Inode, u64>,
    /// Files that cannot be opened, and why; told once.
    closed: HashMap<PathBuf, String>,
    from_end: bool,
    looked: bool,
    /// No file was there at the last look.
    empty: bool,
}

impl Roster {
    pub fn new(from_end: bool) -> Roster {
        Roster {
            tails: Vec::new(),
            notes: Vec::new(),
            known: None,
            settled: HashMap::new(),
            closed: HashMap::new(),
            from_end,
            looked: false,
            empty: true,
        }
    }

    pub fn is_informed(&self) -> bool {
        self.known.is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.empty && self.known.as_ref().is_none_or(HashMap::is_empty)
    }

    /// True when a file of this name was read before.
    pub fn remembers(&self, path: &Path) -> bool {
        self.known
            .as_ref()
            .is_some_and(|known| known.values().any(|stored| stored.path == path))
    }

    pub fn unreadable(&self) -> Option<String> {
        self.closed
            .iter()
            .next()
            .map(|(path, error)| format!("{}: {error}", path.display()))
    }

    pub fn reads(&self, path: &Path) -> bool {
        self.tails.iter().any(|tail| tail.path == path)
    }

    /// What the database says about the files. What was read beyond is forgotten.
    pub fn inform(&mut self, files: Vec<Stored>) {
        let known: HashMap<i64, Stored> = files.into_iter().map(|stored| (stored.id, stored)).collect();
        for tail in &mut self.tails {
            let (proof, is_known) = match known.get(&tail.id) {
                Some(stored) => (stored.proof, true),
                None if tail.known => (Proof::default(), false),
                None => (tail.stored, false),
            };
            tail.known = is_known;
            match proof.check(&mut tail.content) {
                Ok(Some(proven)) => tail.rewind(proof, proven),
                _ => tail.lose(proof),
            }
        }
        self.known = Some(known);
    }

    /// True while another file has to be read first, or has an open record that may go on in this one.
    pub fn must_wait(&self, index: usize) -> bool {
        let tail = &self.tails[index];
        let may_adopt = tail.reader.position() == tail.adopted && tail.grown.elapsed() < ADOPTION;
        tail.after.is_some_and(|id| {
            self.tails.iter().any(|before| {
                before.id == id && (!before.drained || may_adopt && before.reader.has_open_record())
            })
        })
    }

    /// CASES.md F15: gives the open record of a rotated file the lines that the next file begins with. True when it got some and may get
    /// more of them.
    pub fn adopt(&mut self, index: usize, search: &Search) -> bool {
        let id = self.tails[index].id;
        let next = self
            .tails
            .iter()
            .position(|tail| tail.after == Some(id) && tail.reader.position() == tail.adopted);
        let Some(next) = next else { return false };
        let mut bytes = vec![0; MAX_MESSAGE];
        let tail = &mut self.tails[next];
        let Ok(count) = tail.content.read_at(tail.adopted, &mut bytes) else {
            return false;
        };
        let used = self.tails[index].reader.adopt(&bytes[..count], search);
        if used == 0 {
            return false;
        }
        let tail = &mut self.tails[next];
        tail.reader.pass_over(&bytes[..used]);
        tail.adopted = tail.reader.position();
        tail.look_again();
        // Its offset moves as soon as the record is stored.
        tail.unstored_since = Instant::now().checked_sub(UNSTORED_AGE);
        used == count
    }

    /// The rotated file that this new one comes after, if that is still in the middle of a record.
    fn unfinished_before(&self, path: &Path) -> Option<i64> {
        let unfinished = self.tails.iter().rev().find(|tail| {
            tail.reader.has_open_record()
                && (tail.rotated.is_some() && tail.path == path || rotation::is_rotation_of(&tail.path, path))
        });
        unfinished.map(|tail| tail.id)
    }

    pub fn cannot_read(&mut self, index: usize, error: &io::Error) {
        self.closed
            .insert(self.tails[index].path.clone(), error.to_string());
    }

    /// A file that is done with.
    pub fn drop_tail(&mut self, index: usize) {
        let tail = self.tails.remove(index);
        if tail.rotated.is_none() {
            self.settled.insert(tail.inode, tail.content.size().unwrap_or(0));
        }
        if let Some(known) = &mut self.known {
            let stored = Stored {
                id: tail.id,
                path: tail.path,
                inode: tail.inode,
                proof: tail.stored,
                open: false,
            };
            known.insert(tail.id, stored);
        }
    }

    /// Looks which files there are, and what became of those that are being read.
    pub fn look_up(&mut self, inputs: &Inputs) {
        let seen = inputs.look();
        let by_inode: HashMap<Inode, &Seen> = seen.iter().map(|seen| (seen.inode, seen)).collect();
        let mut lost = Vec::new();
        let mut moved: HashMap<PathBuf, i64> = HashMap::new();
        for tail in &mut self.tails {
            match by_inode.get(&tail.inode) {
                Some(seen)
                    if seen.path != tail.path && !inputs_still_has(&seen.path, &tail.path, tail.inode) =>
                {
                    moved.insert(std::mem::replace(&mut tail.path, seen.path.clone()), tail.id);
                    tail.rotated = None;
                    tail.aged = None;
                }
                Some(seen) if seen.path == tail.path => tail.rotated = None,
                Some(_) => {}
                None if tail.rotated.is_none() => {
                    tail.rotated = Some(Instant::now());
                    lost.push(tail.id);
                    moved.insert(tail.path.clone(), tail.id);
                }
                None => {}
            }
        }
        self.settled
            .retain(|inode, size| by_inode.get(inode).is_some_and(|seen| seen.size == *size));
        self.closed.retain(|path, _| path.exists());
        self.empty = seen.is_empty();
        let mut new: Vec<&Seen> = seen
            .iter()
            .filter(|seen| !self.settled.contains_key(&seen.inode))
            .filter(|seen| !self.tails.iter().any(|tail| tail.inode == seen.inode))
            .collect();
        // An empty file has nothing to be read, and nothing to be recognised by: a copy may just have been begun.
        new.retain(|seen| seen.size > 0);
        new.retain(|seen| !self.recognise_by_inode(seen));
        new.retain(|seen| !self.recognise_by_bytes(seen));
        for seen in new {
            let before = moved
                .get(&seen.path)
                .copied()
                .or_else(|| self.unfinished_before(&seen.path));
            let id = self.welcome(seen, inputs);
            if let (Some(id), Some(before)) = (id, before)
                && let Some(tail) = self.tails.iter_mut().find(|tail| tail.id == id)
            {
                tail.after = Some(before);
            }
        }
        for id in lost {
            self.between(id);
        }
        for tail in self.tails.iter_mut().filter(|tail| tail.aged.is_none()) {
            tail.aged = Some(
                seen.iter()
                    .any(|seen| rotation::is_rotation_of(&tail.path, &seen.path)),
            );
        }
        if !self.looked {
            self.looked = true;
            self.find_lost(inputs);
        }
    }

    /// The same inode and the same bytes as a file that the database knows.
    fn recognise_by_inode(&mut self, seen: &Seen) -> bool {
        self.resume_one_of(seen, |stored| stored.inode == seen.inode)
    }

    /// Goes on with the known file that has the most of the bytes of the one that was seen.
    fn resume_one_of(&mut self, seen: &Seen, may_be: impl Fn(&Stored) -> bool) -> bool {
        let mut rows: Vec<Stored> = self
            .free_rows()
            .filter(|stored| may_be(stored))
            .cloned()
            .collect();
        rows.sort_by_key(|stored| std::cmp::Reverse(stored.proof.offset));
        rows.iter().any(|stored| self.resume(stored, seen, None))
    }

    /// The same bytes as a file that was known by another inode: restored, compressed, copied back.
    fn recognise_by_bytes(&mut self, seen: &Seen) -> bool {
        if self.resume_one_of(seen, |stored| rotation::are_related(&stored.path, &seen.path)) {
            return true;
        }
        // A file that lost its name to an identical one (cp a a.new; mv a.new a), or to its compressed twin.
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        for tail in self.tails.iter_mut().filter(|tail| tail.rotated.is_some()) {
            if !rotation::are_related(&tail.path, &seen.path) {
                continue;
            }
            let Some(proof) = tail.proofs().next() else {
                continue;
            };
            if matches!(proof.check(&mut content), Ok(Some(_))) {
                log::info!(
                    "{}: the same bytes as {}",
                    seen.path.display(),
                    tail.path.display()
                );
                tail.finished = content.is_compressed();
                tail.content = content;
                tail.inode = seen.inode;
                tail.path.clone_from(&seen.path);
                tail.rotated = None;
                tail.aged = None;
                tail.look_again();
                return true;
            }
        }
        false
    }

    /// The rows of the database whose files are not being read.
    fn free_rows(&self) -> impl Iterator<Item = &Stored> {
        let held: HashSet<i64> = self.tails.iter().map(|tail| tail.id).collect();
        self.known
            .iter()
            .flat_map(HashMap::values)
            .filter(move |stored| stored.proof.says_something() && !held.contains(&stored.id))
    }

    /// Goes on with a known file if the one that was seen has its bytes.
    fn resume(&mut self, stored: &Stored, seen: &Seen, rotated: Option<Instant>) -> bool {
        let (path, inode) = (&seen.path, seen.inode);
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        let Ok(Some(proven)) = stored.proof.check(&mut content) else {
            return false;
        };
        let shown = if rotated.is_some() { &stored.path } else { path };
        let mut tail = Tail::new(
            stored.id,
            shown.to_path_buf(),
            inode,
            content,
            stored.proof,
            proven,
        );
        tail.known = true;
        tail.rotated = rotated;
        log::info!("{}: going on at byte {}", path.display(), stored.proof.offset);
        self.tails.push(tail);
        true
    }

    /// A file that nobody knows. Returns its id, None when it is not to be read (now).
    fn welcome(&mut self, seen: &Seen, inputs: &Inputs) -> Option<i64> {
        let mut content = match Content::open_seen(seen) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                if self.closed.insert(seen.path.clone(), error.to_string()).is_none() {
                    log::warn!("{} cannot be read: {error}", seen.path.display());
                }
                return None;
            }
        };
        self.closed.remove(&seen.path);
        let mut copied = false;
        for tail in &mut self.tails {
            if rotation::is_rotation_of(&seen.path, &tail.path)
                && inputs.covers(&tail.path)
                && tail.is_copied_by(&mut content, seen.size)
            {
                copied = true;
                break;
            }
        }
        if copied {
            log::info!("{}: a copy of what is being read", seen.path.display());
            self.settled.insert(seen.inode, seen.size);
            return None;
        }
        // A compressed file whose end is not there yet is looked at again later.
        if content.is_compressed() && content.check_to_end().is_err() {
            return None;
        }
        let is_first = !self.looked && self.from_end;
        let is_related = self
            .known
            .iter()
            .flat_map(HashMap::values)
            .any(|stored| rotation::are_related(&stored.path, &seen.path));
        let (proof, proven) = if is_first && !is_related && !content.is_compressed() {
            end_of(&mut content).unwrap_or_default()
        } else {
            Default::default()
        };
        log::info!("{}: new, reading from byte {}", seen.path.display(), proof.offset);
        Some(self.add(seen.path.clone(), seen.inode, content, proof, proven))
    }

    fn add(&mut self, path: PathBuf, inode: Inode, content: Content, proof: Proof, proven: Proven) -> i64 {
        let id = draw_id();
        self.tails
            .push(Tail::new(id, path, inode, content, proof, proven));
        id
    }

    /// What was rotated between a file that just lost its name and the one that has it now.
    fn between(&mut self, id: i64) {
        let Some(tail) = self.tails.iter().find(|tail| tail.id == id) else {
            return;
        };
        let (path, inode) = (tail.path.clone(), tail.inode);
        let Some(trace) = tail
            .proofs()
            .find_map(|proof| rotation::trace(&path, Some(inode), &proof))
        else {
            return;
        };
        self.read_in_order(&path, id, trace.newer);
    }

    /// Reads rotated files one after the other, then the file that has the name now.
    fn read_in_order(&mut self, path: &Path, first: i64, newer: Vec<Seen>) {
        let mut before = first;
        for seen in newer {
            let taken = self.settled.contains_key(&seen.inode)
                || self.tails.iter().any(|tail| tail.inode == seen.inode);
            if taken || self.is_known(&seen) {
                continue;
            }
            let Ok(content) = Content::open_seen(&seen) else {
                continue;
            };
            log::info!("{}: rotated before it was seen", seen.path.display());
            let id = self.add(
                path.to_path_buf(),
                seen.inode,
                content,
                Proof::default(),
                Proven::default(),
            );
            if let Some(tail) = self.tails.last_mut() {
                tail.rotated = Some(Instant::now());
                tail.after = Some(before);
            }
            before = id;
        }
        let current = self
            .tails
            .iter_mut()
            .find(|tail| tail.path == path && tail.rotated.is_none());
        if let Some(tail) = current.filter(|tail| tail.reader.position() == 0) {
            tail.after = Some(before);
        }
    }

    fn is_known(&self, seen: &Seen) -> bool {
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        self.free_rows()
            .filter(|stored| stored.inode == seen.inode || rotation::are_related(&stored.path, &seen.path))
            .any(|stored| matches!(stored.proof.check(&mut content), Ok(Some(_))))
    }

    /// At the start: files that the last run had not finished and that are not where they were.
    fn find_lost(&mut self, inputs: &Inputs) {
        let lost: Vec<Stored> = self
            .free_rows()
            .filter(|stored| stored.open && inputs.covers(&stored.path))
            .cloned()
            .collect();
        for stored in lost {
            match rotation::trace(&stored.path, Some(stored.inode), &stored.proof) {
                Some(trace) if !self.tails.iter().any(|tail| tail.inode == trace.seen.inode) => {
                    if self.resume(&stored, &trace.seen, Some(Instant::now())) {
                        self.read_in_order(&stored.path, stored.id, trace.newer);
                    }
                }
                Some(_) => {}
                None => {
                    log::warn!(
                        "{}: the file that was read up to byte {} is gone; what it had after that is lost",
                        stored.path.display(),
                        stored.proof.offset
                    );
                    self.notes.push(Note {
                        id: stored.id,
                        path: stored.path,
                        inode: stored.inode,
                        proof: stored.proof,
                        gap: Some("removed"),
                        state: State::Removed,
                    });
                }
            }
        }
    }

    /// The file was truncated: looks for a copy of what it was, and goes on there.
    pub fn continue_in_copy(&mut self, index: usize) -> Copied {
        let tail = &mut self.tails[index];
        let path = tail.path.clone();
        let found = tail
            .proofs()
            .enumerate()
            .find_map(|(at, proof)| Some((at, rotation::trace(&path, None, &proof)?)));
        let Some((at, mut trace)) = found else {
            return Copied::Nowhere;
        };
        let id = tail.id;
        let is_whole = at == 0
            && match tail.stored.check(&mut trace.content) {
                Ok(Some(proven)) => {
                    let stored = tail.stored;
                    tail.rewind(stored, proven);
                    true
                }
                _ => false,
            };
        if is_whole {
            log::info!("{}: its copy is {}", path.display(), trace.seen.path.display());
            tail.content = trace.content;
            tail.inode = trace.seen.inode;
            tail.finished = true;
            tail.rotated = Some(Instant::now());
        } else if let Ok(Some((proof, _))) = whole_of(&mut trace.content) {
            // So that a later run knows the copy and does not read it.
            self.settled
                .insert(trace.seen.inode, trace.content.size().unwrap_or(0));
            self.notes.push(Note {
                id: draw_id(),
                path: trace.seen.path,
                inode: trace.seen.inode,
                proof,
                gap: None,
                state: State::Done,
            });
        }
        self.read_in_order(&path, id, trace.newer);
        if is_whole { Copied::Whole } else { Copied::Short }
    }

    /// The file at this path begins again, as a new one, after what is left of the old one.
    pub fn begin_again(&mut self, index: usize, inputs: &Inputs) {
        let old = &mut self.tails[index];
        old.rotated.get_or_insert_with(Instant::now);
        let (path, id) = (old.path.clone(), old.id);
        let after = self
            .tails
            .iter()
            .rev()
            .find(|tail| tail.path == path && tail.id != id && tail.rotated.is_some())
            .map_or(id, |tail| tail.id);
        if !inputs.covers(&path)
            || self
                .tails
                .iter()
                .any(|tail| tail.id != id && tail.path == path && tail.rotated.is_none())
        {
            return;
        }
        let Ok(Some(seen)) = Seen::at(&path) else { return };
        let Ok(content) = Content::open_seen(&seen) else {
            return;
        };
        self.add(path, seen.inode, content, Proof::default(), Proven::default());
        if let Some(tail) = self.tails.last_mut() {
            tail.after = Some(after);
        }
    }
}

impl Tail {
    /// True when `content` holds the same bytes as this file, as far as it goes: `cp` makes such a file before it is truncated here.
    fn is_copied_by(&mut self, content: &mut Content, size: u64) -> bool {
        if !content.is_plain() {
            return self
                .proofs()
                .any(|proof| matches!(proof.check(content), Ok(Some(_))));
        }
        if size == 0 {
            return false;
        }
        let same = |own: &mut Content, content: &mut Content, from: u64, length: usize| {
            let (mut a, mut b) = (vec![0; length], vec![0; length]);
            own.fill_at(from, &mut a).unwrap_or(false)
                && content.fill_at(from, &mut b).unwrap_or(false)
                && a == b
        };
        let head = usize::try_from(size).unwrap_or(HEAD).min(HEAD);
        let tail = usize::try_from(size).unwrap_or(TAIL).min(TAIL);
        same(&mut self.content, content, 0, head)
            && same(&mut self.content, content, size - tail as u64, tail)
            || self
                .proofs()
                .any(|proof| matches!(proof.check(content), Ok(Some(_))))
    }
}

/// The name in `old` still leads to this file: one of several names, none of them lost.
fn inputs_still_has(_seen: &Path, old: &Path, inode: Inode) -> bool {
    Seen::at(old)
        .ok()
        .flatten()
        .is_some_and(|seen| seen.inode == inode)
}

/// The place after the last whole line.
fn end_of(content: &mut Content) -> Option<(Proof, Proven)> {
    let size = content.plain_size().ok()?;
    let mut tail = vec![
        0;
        usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(logwatch_record::MAX_MESSAGE)
    ];
    let from = size - tail.len() as u64;
    content.fill_at(from, &mut tail).ok().filter(|filled| *filled)?;
    let end = memchr::memrchr(b'\n', &tail)? + 1;
    proof_at(content, from + end as u64).ok().flatten()
}

/// The proof of all of a file.
fn whole_of(content: &mut Content) -> io::Result<Option<(Proof, Proven)>> {
    let size = content.plain_size()?;
    proof_at(content, size)
}

fn proof_at(content: &mut Content, offset: u64) -> io::Result<Option<(Proof, Proven)>> {
    let length = |most: usize| usize::try_from(offset).unwrap_or(most).min(most);
    let (mut head, mut tail) = (vec![0; length(HEAD)], vec![0; length(TAIL)]);
    let filled = content.fill_at(0, &mut head)? && content.fill_at(offset - tail.len() as u64, &mut tail)?;
    Ok(filled.then(|| (Proof::of(offset, &head, &tail), Proven { head, tail })))
}

/// A file's name in the database: random, so that no two tailers draw the same.
pub fn draw_id() -> i64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(Instant::now().elapsed().as_nanos());
    (hasher.finish() >> 1).cast_signed().max(1)
}
