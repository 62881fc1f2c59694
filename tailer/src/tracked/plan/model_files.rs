//! The files of the model: lines with numbers in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Step, World};
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::Sample;
use crate::source::inputs::{Inode, Seen};

/// Lines are long, so that a few of them prove a file.
pub const LINE: usize = 400;

/// A small generator of numbers: xorshift.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    pub fn one_of<T>(&mut self, mut items: Vec<T>) -> Option<T> {
        let count = items.len() as u64;
        (count > 0).then(|| items.swap_remove(usize::try_from(self.below(count)).unwrap()))
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub inode: u64,
    pub bytes: Vec<u8>,
    pub is_compressed: bool,
    pub modified: u64,
}

#[derive(Clone)]
pub struct Sampled(pub Vec<u8>, pub bool);

impl Sample for Sampled {
    fn fill_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let from = usize::try_from(offset).unwrap();
        let found = self.0.get(from..from + buffer.len());
        if let Some(bytes) = found {
            buffer.copy_from_slice(bytes);
        }
        Ok(found.is_some())
    }

    fn plain_size(&mut self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn is_compressed(&self) -> bool {
        self.1
    }

    fn says_length(&self, length: u64) -> bool {
        self.1 && self.0.len() as u64 == length
    }

    fn archive(&mut self) -> Option<&'static str> {
        None
    }
}

/// The directories, by path.
#[derive(Clone, Default)]
pub struct Folder {
    pub nodes: BTreeMap<PathBuf, Node>,
    /// The file that is written: `/log/app.log`, or where that link leads.
    pub live: PathBuf,
}

impl Folder {
    /// The numbered files of a directory move up; the last one is not deleted.
    pub fn shift(&mut self, folder: &str) {
        let name = |n: u64, end: &str| log(&format!("{folder}app.log.{n}{end}"));
        let nodes = &mut self.nodes;
        let numbers = (1..).take_while(|n| ["", ".gz"].iter().any(|end| nodes.contains_key(&name(*n, end))));
        for n in numbers.collect::<Vec<_>>().into_iter().rev() {
            for end in ["", ".gz"] {
                if let Some(node) = nodes.remove(&name(n, end)) {
                    nodes.insert(name(n + 1, end), node);
                }
            }
        }
    }

    /// Returns the file that is written; it has this inode if it is new.
    pub fn live_node(&mut self, inode: u64) -> &mut Node {
        self.nodes.entry(self.live.clone()).or_insert(Node {
            inode,
            bytes: Vec::new(),
            is_compressed: false,
            modified: 0,
        })
    }

    /// Returns false when there is nothing to copy.
    pub fn copy_and_truncate(&mut self, copy: &Path, inode: u64, modified: u64) -> bool {
        let Some(node) = self.nodes.get_mut(&self.live) else {
            return false;
        };
        let bytes = std::mem::take(&mut node.bytes);
        node.modified = modified;
        let is_compressed = false;
        self.nodes.insert(
            copy.to_path_buf(),
            Node {
                inode,
                bytes,
                is_compressed,
                modified,
            },
        );
        true
    }

    pub fn lines(&self, of: &Path) -> Option<u64> {
        let bytes = &self.nodes.get(of)?.bytes;
        Some(lines_of(bytes).count() as u64)
    }

    /// Copies the first lines.
    pub fn begin_copy(&mut self, (of, copy): (&Path, &Path), inode: u64, modified: u64, lines: u64) {
        let length = LINE * usize::try_from(lines).unwrap();
        let bytes = self.nodes[of].bytes[..length].to_vec();
        let is_compressed = false;
        let node = Node {
            inode,
            bytes,
            is_compressed,
            modified,
        };
        self.nodes.insert(copy.to_path_buf(), node);
    }

    /// Copies the rest, and truncates the file if it is the live one.
    pub fn finish_copy(&mut self, of: &Path, inode: u64, modified: u64) {
        let is_live = of == self.live;
        let Some(node) = self.nodes.get_mut(of) else {
            return;
        };
        let bytes = if is_live {
            node.modified = modified;
            std::mem::take(&mut node.bytes)
        } else {
            node.bytes.clone()
        };
        if let Some(copy) = self.nodes.values_mut().find(|node| node.inode == inode) {
            copy.bytes = bytes;
            copy.modified = modified;
        }
    }

    /// Returns the plain files besides the live one.
    pub fn rotated(&self) -> Vec<PathBuf> {
        let files = self.nodes.iter();
        let rotated = files.filter(|(place, node)| !node.is_compressed && **place != self.live);
        rotated.map(|(place, _)| place.clone()).collect()
    }

    /// Puts a compressed copy beside a file. Returns false when there is one, or no file.
    pub fn add_twin(&mut self, plain: &Path, inode: u64) -> bool {
        let twin = PathBuf::from(format!("{}.gz", plain.display()));
        let Some(node) = self.nodes.get(plain).filter(|_| !self.nodes.contains_key(&twin)) else {
            return false;
        };
        let node = Node {
            inode,
            is_compressed: true,
            ..node.clone()
        };
        self.nodes.insert(twin, node);
        true
    }

    /// Returns what a look at the directories finds. `covers_all`: a pattern takes rotated names.
    pub fn candidates(&self, covers_all: bool) -> Vec<Candidate> {
        let of = |(place, node): (&PathBuf, &Node)| {
            let is_live = *place == self.live;
            Candidate {
                seen: Seen {
                    path: if is_live { log("app.log") } else { place.clone() },
                    place: place.clone(),
                    inode: Inode {
                        dev: 1,
                        inode: node.inode,
                    },
                    size: node.bytes.len() as u64,
                    modified: SystemTime::UNIX_EPOCH + Duration::from_secs(node.modified),
                },
                kin: if is_live || covers_all && !place.starts_with(log("releases")) {
                    Kin::Covered
                } else {
                    Kin::Rotation(log("app.log"))
                },
            }
        };
        self.nodes.iter().map(of).collect()
    }
}

impl World for Folder {
    type File = Sampled;

    fn open(&mut self, candidate: &Candidate) -> io::Result<Sampled> {
        let node = self
            .nodes
            .get(&candidate.seen.place)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Sampled(node.bytes.clone(), node.is_compressed))
    }

    fn leads_to(&self, path: &Path, inode: Inode) -> bool {
        let place = if path == log("app.log") { &self.live } else { path };
        self.nodes
            .get(place)
            .is_some_and(|node| node.inode == inode.inode)
    }
}

pub fn log(name: &str) -> PathBuf {
    Path::new("/log").join(name)
}

/// Returns the numbers of a file's lines.
pub fn lines_of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let number = |line| std::str::from_utf8(line).unwrap().trim().parse().unwrap();
    bytes.chunks(LINE).map(number)
}

/// Returns the steps in words.
pub fn names_of(steps: &[Step<Sampled>]) -> String {
    let name = |step: &Step<Sampled>| {
        let place = |candidate: &Candidate| candidate.seen.place.display().to_string();
        match step {
            Step::Named { open, candidate, .. } => format!("open file {open} is {}", place(candidate)),
            Step::Nameless { open } => format!("open file {open} has no name"),
            Step::Read {
                id, candidate, how, ..
            } => format!("{how:?} {id} in {}", place(candidate)),
            Step::CopyOf { id, candidate, .. } => format!("{} is a copy of {id}", place(candidate)),
            Step::Settle { id, candidate } => format!("{} is stored as {id}", place(candidate)),
            Step::Mark { candidate, .. } => format!("mark {}", place(candidate)),
            Step::Gap { id, .. } => format!("gap in {id}"),
            Step::Gone { id } => format!("{id} is gone"),
            _ => "another step".to_owned(),
        }
    };
    steps.iter().map(name).collect::<Vec<_>>().join("; ")
}
