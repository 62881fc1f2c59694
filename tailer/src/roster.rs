//! Which files are being read, and which file a name means: the memory of the loop.
//!
//! Whenever the names are looked up, each file that is there is either being read already, or recognised as one that the database
//! knows, or found to be a copy of one, or new. A name that went to another file leads to the search for what was rotated in between.

mod health;
mod recognise;
mod rotated;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::content::Content;
use crate::files::{Inode, Inputs, Seen};
use crate::identity::{Proof, Proven};
use crate::rotation;
use crate::send::{State, Stored, Stretch};
use crate::tail::Tail;

pub use rotated::Copied;

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
            // The file that had the name last lost it at an earlier look: others may have come and gone since.
            let earlier = self
                .tails
                .iter()
                .rev()
                .find(|tail| tail.path == seen.path && tail.rotated.is_some());
            if let Some(earlier) = earlier.filter(|tail| id.is_some() && !lost.contains(&tail.id)) {
                lost.push(earlier.id);
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

    /// The rows of the database whose files are not being read.
    fn free_rows(&self) -> impl Iterator<Item = &Stored> {
        let held: HashSet<i64> = self.tails.iter().map(|tail| tail.id).collect();
        self.known
            .iter()
            .flat_map(HashMap::values)
            .filter(move |stored| stored.proof.says_something() && !held.contains(&stored.id))
    }

    fn add(&mut self, path: PathBuf, inode: Inode, content: Content, proof: Proof, proven: Proven) -> i64 {
        let id = draw_id();
        self.tails
            .push(Tail::new(id, path, inode, content, proof, proven));
        id
    }
}

/// The name in `old` still leads to this file: one of several names, none of them lost.
fn inputs_still_has(_seen: &Path, old: &Path, inode: Inode) -> bool {
    Seen::at(old)
        .ok()
        .flatten()
        .is_some_and(|seen| seen.inode == inode)
}

/// A file's name in the database: random, so that no two tailers draw the same.
pub fn draw_id() -> i64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(Instant::now().elapsed().as_nanos());
    (hasher.finish() >> 1).cast_signed().max(1)
}
