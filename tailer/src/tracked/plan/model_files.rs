//! The files of the model: lines with numbers in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::World;
use crate::source::directory::Candidate;
use crate::source::identity::Sample;
use crate::source::inputs::Inode;

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
