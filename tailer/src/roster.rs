//! Which files are being read, and which file a name means: the memory of the loop.
//!
//! Whenever the names are looked up, each file that is there is either being read already, or recognised as one that the database
//! knows, or found to be a copy of one, or new. So is each rotated file beside them.

mod aside;
mod copies;
mod health;
mod inform;
mod left;
mod recognise;
mod rotated;
mod truncated;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sink::database::{State, Stored, Stretch};
use crate::source::bytes::Content;
use crate::source::identity::{Proof, Proven};
use crate::source::inputs::{Inode, Inputs, Mark, Seen, mark};
use crate::source::names;
use crate::tail::Tail;

use aside::Listing;
pub use copies::Copied;
use copies::Copy;
use left::Left;

/// A new file waits so long for the last record of the one before it, which may go on here.
const ADOPTION: Duration = Duration::from_secs(10);

/// The row of an input that nothing was there for.
const NOWHERE: Inode = Inode { dev: 0, inode: 0 };

/// Something to store about a file that is not read.
pub struct Note {
    id: i64,
    path: PathBuf,
    inode: Inode,
    /// How far it is stored; the proof may be of more.
    from: u64,
    proof: Proof,
    gap: Option<&'static str>,
    state: State,
    /// It is a copy of this file, and done with as long as that file is stored as far as the copy goes.
    copy_of: Option<i64>,
}

impl Note {
    pub fn stretch(&self) -> Stretch<'_> {
        Stretch {
            file: Some(self.id),
            path: &self.path,
            inode: self.inode,
            from: self.from,
            proof: self.proof,
            records: &[],
            gap: self.gap,
            state: self.state,
        }
    }

    fn row(&self) -> Stored {
        Stored {
            id: self.id,
            path: self.path.clone(),
            inode: self.inode,
            proof: self.proof,
            state: self.state,
        }
    }
}

pub struct Roster {
    pub tails: Vec<Tail>,
    pub notes: Vec<Note>,
    /// What the database knows, None before it was asked.
    known: Option<HashMap<i64, Stored>>,
    /// Files that need not be read as long as they stay as they are: copies of what was read, rotated files that were read to the end.
    settled: HashMap<Inode, Mark>,
    copies: Vec<Copy>,
    /// Renamed files that are not held open.
    left: Vec<Left>,
    listings: HashMap<PathBuf, Listing>,
    /// Inputs that the database had heard of when this run began.
    begun: HashSet<PathBuf>,
    /// Rows whose files were found and need not be read.
    matched: HashSet<i64>,
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
            copies: Vec::new(),
            left: Vec::new(),
            listings: HashMap::new(),
            begun: HashSet::new(),
            matched: HashSet::new(),
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
        self.empty && !self.rows().any(|stored| stored.inode != NOWHERE)
    }

    /// True when a file of this name was there before.
    pub fn remembers(&self, path: &Path) -> bool {
        self.rows()
            .any(|stored| stored.path == path && stored.inode != NOWHERE)
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

    fn reads_inode(&self, inode: Inode) -> bool {
        self.tails.iter().any(|tail| tail.holds(inode))
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

    fn cannot_open(&mut self, path: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound
            && self
                .closed
                .insert(path.to_path_buf(), error.to_string())
                .is_none()
        {
            log::warn!("{} cannot be read: {error}", path.display());
        }
    }

    /// A file that is done with.
    pub fn drop_tail(&mut self, index: usize, state: State) {
        let tail = self.tails.remove(index);
        if tail.rotated.is_none()
            && let Ok(metadata) = tail.content.metadata()
        {
            self.settled.insert(tail.inode, mark(&metadata));
        }
        if let Some(known) = &mut self.known {
            let stored = Stored {
                id: tail.id,
                path: tail.path,
                inode: tail.inode,
                proof: tail.stored,
                state,
            };
            known.insert(tail.id, stored);
        }
        self.note_copies_of(tail.id);
    }

    /// Looks which files there are, and what became of those that are being read.
    pub fn look_up(&mut self, inputs: &Inputs) {
        self.find_replaced(inputs);
        let mut seen = inputs.look();
        names::drop_twins(&mut seen);
        let by_inode: HashMap<Inode, &Seen> = seen.iter().map(|seen| (seen.inode, seen)).collect();
        let mut moved: HashMap<PathBuf, i64> = HashMap::new();
        for tail in self.tails.iter_mut().filter(|tail| !tail.is_gone()) {
            match by_inode.get(&tail.inode) {
                Some(seen) if seen.path != tail.path && !leads_to(&tail.path, tail.inode) => {
                    moved.insert(std::mem::replace(&mut tail.path, seen.path.clone()), tail.id);
                    tail.rotated = None;
                    tail.aged = None;
                }
                Some(seen) if seen.path == tail.path => tail.rotated = None,
                Some(_) => {}
                None if tail.rotated.is_none() => {
                    tail.rotated = Some(Instant::now());
                    moved.insert(tail.path.clone(), tail.id);
                }
                None => {}
            }
        }
        let listings = &self.listings;
        self.settled.retain(|inode, mark| {
            by_inode.get(inode).is_some_and(|seen| seen.mark() == *mark)
                || listings.values().any(|listing| listing.files.contains_key(inode))
        });
        self.check_copies();
        self.closed.retain(|path, _| path.exists());
        self.empty = seen.is_empty();
        let mut new: Vec<&Seen> = seen
            .iter()
            .filter(|seen| !self.is_settled(seen))
            .filter(|seen| !self.reads_inode(seen.inode))
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
            if let (Some(_), Some(before)) = (self.welcome(seen), before) {
                self.set_after(self.tails.len() - 1, before);
            }
        }
        if !self.looked {
            self.begin(inputs, &seen);
        }
        self.look_aside(inputs, &seen);
        for tail in self.tails.iter_mut().filter(|tail| tail.aged.is_none()) {
            tail.aged = Some(
                seen.iter()
                    .any(|seen| names::is_rotation_of(&tail.path, &seen.path)),
            );
        }
        if !self.looked {
            self.looked = true;
            self.find_lost(inputs);
        }
    }

    fn is_settled(&self, seen: &Seen) -> bool {
        self.settled.get(&seen.inode) == Some(&seen.mark())
    }

    /// All rows of the database.
    fn rows(&self) -> impl Iterator<Item = &Stored> {
        self.known.iter().flat_map(HashMap::values)
    }

    /// To be decided on again: what was said of this file does not hold any more.
    fn unsettle(&mut self, inode: Inode) {
        self.settled.remove(&inode);
        for listing in self.listings.values_mut() {
            listing.look_again();
        }
    }

    /// Something to store about a file that is not read; without an id it is a file that the database does not know.
    fn note(&mut self, id: Option<i64>, seen: &Seen, proof: Proof, state: State) {
        let note = Note {
            id: id.unwrap_or_else(draw_id),
            path: seen.path.clone(),
            inode: seen.inode,
            from: proof.offset,
            proof,
            gap: None,
            state,
            copy_of: None,
        };
        self.matched.insert(note.id);
        if let Some(known) = &mut self.known {
            known.insert(note.id, note.row());
        }
        self.notes.push(note);
    }

    /// The file is read after that one, unless that one is waiting for it.
    fn set_after(&mut self, index: usize, before: i64) {
        let id = self.tails[index].id;
        let mut earlier = Some(before);
        for _ in 0..=self.tails.len() {
            if earlier == Some(id) {
                return;
            }
            let tail = self.tails.iter().find(|tail| Some(tail.id) == earlier);
            earlier = tail.and_then(|tail| tail.after);
        }
        self.tails[index].after = Some(before);
    }

    /// The rows of the database whose files are not being read.
    fn free_rows(&self) -> impl Iterator<Item = &Stored> {
        let held: HashSet<i64> = self.tails.iter().map(|tail| tail.id).collect();
        self.rows()
            .filter(move |stored| stored.proof.says_something() && !held.contains(&stored.id))
    }

    fn add(&mut self, path: &Path, inode: Inode, content: Content, proof: Proof, proven: Proven) -> i64 {
        let held: HashSet<i64> = self.tails.iter().map(|tail| tail.id).collect();
        // The row that was there before the file had any bytes.
        let begun = self
            .rows()
            .find(|stored| stored.path == path && stored.proof.offset == 0 && !held.contains(&stored.id))
            .filter(|_| proof.offset == 0);
        let id = begun.map_or_else(draw_id, |stored| stored.id);
        let path = path.to_path_buf();
        self.tails
            .push(Tail::new(id, path, inode, content, proof, proven));
        id
    }
}

/// The name still leads to this file: one of several names, none of them lost.
fn leads_to(path: &Path, inode: Inode) -> bool {
    Seen::at(path)
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
