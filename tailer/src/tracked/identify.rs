//! Which file is this? One answer for each candidate, from its bytes.
//!
//! A file holds a known one when the known one's head and the bytes before its offset are in the
//! same places. It is a copy when all of its own bytes are in another file that is at hand. Names
//! decide one case only: a short plain file under a watched name of its own that happens to begin
//! like another one is a file of its own, for two programs may write the same first line.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::state::FileRow;
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{HEAD, Proof, Sample, are_same};
use crate::source::inputs::Inode;
use crate::source::names::{self, Age};

/// A candidate that is open, and what was read of it to find out what it is.
pub struct Fresh<F> {
    pub candidate: Candidate,
    /// It has a rotated name, and the file of that log is not in its directory: it may come from
    /// another one.
    is_moved: bool,
    pub file: F,
    /// Its first bytes, `HEAD` at most.
    pub head: Vec<u8>,
    size: Option<u64>,
}

impl<F: Sample> Fresh<F> {
    pub fn new(candidate: Candidate, mut file: F, is_moved: bool) -> io::Result<Fresh<F>> {
        let mut head = vec![0; HEAD];
        let mut size = None;
        if !file.is_compressed() {
            let length = *size.insert(file.plain_size()?);
            head.truncate(usize::try_from(length).unwrap_or(HEAD));
            if !file.fill_at(0, &mut head)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        } else if !file.fill_at(0, &mut head)? {
            // Shorter: one byte after the other costs less than to read all of a file.
            let mut length = 0;
            while file.fill_at(length as u64, &mut head[length..=length])? {
                length += 1;
            }
            head.truncate(length);
        }
        Ok(Fresh {
            candidate,
            is_moved,
            file,
            head,
            size,
        })
    }

    /// Returns its length when that costs nothing.
    pub fn plain_length(&self) -> Option<u64> {
        self.size
    }

    /// Returns the length of its plain text.
    pub fn size(&mut self) -> io::Result<u64> {
        match self.size {
            Some(size) => Ok(size),
            None => Ok(*self.size.insert(self.file.plain_size()?)),
        }
    }

    /// Returns true when it has the bytes that this proof of the row, whose file is at `place` now,
    /// speaks of.
    pub fn holds(&mut self, row: &FileRow, proof: &Proof, place: Option<&Path>) -> bool {
        self.may_be(row, place, proof.offset)
            && (self.is_known_compressed(row)
                || matches!(proof.check(&mut self.file), Ok(Some(_)))
                // Without its last bytes only the whole length proves a file.
                && (proof.tail_bytes > 0
                    || row.life.is_open()
                    || self.size().is_ok_and(|size| size == proof.offset)))
    }

    /// To read all of a compressed file each time would cost too much: the same inode, head and
    /// stated length are enough.
    pub fn is_known_compressed(&self, row: &FileRow) -> bool {
        !row.life.is_open()
            && self.file.is_compressed()
            && row.inode == self.candidate.seen.inode
            && self.file.says_length(row.proof.offset)
    }

    /// Returns true when so many bytes in common can prove that it is the row's file: near the
    /// place where that was, or where it is now.
    pub fn may_be(&self, row: &FileRow, place: Option<&Path>, known: u64) -> bool {
        [Some(&*row.place), place].into_iter().flatten().any(|place| {
            let there = (row.path.as_path(), place, row.inode);
            may_prove(
                (&self.candidate, self.is_moved),
                self.file.is_compressed(),
                there,
                known,
            )
        })
    }

    /// Returns true when it may be a file of its own although so many of its bytes are those of
    /// another file: programs begin each of their files with the same lines.
    pub fn is_of_its_own(&self, shared: u64) -> bool {
        self.is_live() && shared < HEAD as u64
    }

    /// Returns true when its name is a watched one, and none that rotation or a copy gets.
    pub fn is_live(&self) -> bool {
        self.candidate.kin == Kin::Covered
            && !self.file.is_compressed()
            && Age::of(&self.candidate.seen.place) == Age::Live
    }

    /// Returns true when all its bytes are in the other one.
    pub fn is_within(&mut self, other: &mut Fresh<F>) -> bool {
        let shared = self.head.len().min(other.head.len());
        let Ok(size) = self.size() else { return false };
        let seen = &other.candidate.seen;
        let there = (other.candidate.shown(), seen.place.as_path(), seen.inode);
        let is_compressed = self.file.is_compressed() || other.file.is_compressed();
        self.head[..shared] == other.head[..shared]
            && !self.is_of_its_own(size)
            && may_prove((&self.candidate, self.is_moved), is_compressed, there, size)
            && other.size().is_ok_and(|length| size <= length)
            && are_same(&mut other.file, &mut self.file, size)
    }

    /// Returns true for a copy that is shorter than what was read of a file that is gone: the
    /// tailer read on while it was made, and was stopped then.
    pub fn is_stale_copy(&mut self, row: &FileRow) -> bool {
        let (proof, size) = (&row.proof, self.size().unwrap_or(u64::MAX));
        row.life.is_open()
            && size < proof.offset
            && size >= proof.head_bytes as u64
            && proof.says_something()
            && proof.head_bytes >= HEAD.min(usize::try_from(proof.offset).unwrap_or(HEAD))
            && proof.is_headed(&self.head)
            && self.may_be(row, None, size)
    }
}

/// Returns true when bytes that a candidate, which may be moved, and a known file have in common
/// can prove that they are one file. `known`: the number of such bytes.
pub fn may_prove(
    (candidate, is_moved): (&Candidate, bool),
    is_compressed: bool,
    (path, place, inode): (&Path, &Path, Inode),
    known: u64,
) -> bool {
    let seen = &candidate.seen;
    if seen.inode == inode {
        return true;
    }
    let own = [&seen.place, &seen.path, candidate.shown()].map(Path::parent);
    let is_near = own.contains(&place.parent()) || own.contains(&path.parent());
    let is_likely = known >= HEAD as u64
        || names::are_related(&seen.place, path)
        || names::are_related(&seen.place, place);
    if is_near {
        candidate.kin == Kin::Stranger || is_compressed || candidate.shown() == path || is_likely
    } else {
        // A log may begin like that of another directory, and both may be at hand.
        is_moved && is_likely
    }
}

/// Relation of a candidate's bytes to those of a known file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// All of its bytes are in the known file.
    Within,
    /// It holds all that was read of the known file, and is not within it as it is now.
    Beyond,
    /// The known file was changed while the two were compared.
    Unsure,
}

/// A file that is being read.
pub struct OpenFile<'a, F> {
    pub row: &'a FileRow,
    /// The proof of all that was read of it; of all that was seen in it while it is not held open.
    pub now: Proof,
    /// The proofs of earlier offsets.
    pub past: Vec<Proof>,
    pub head: &'a [u8],
    /// `None` when its bytes are gone, or it is not held open.
    pub file: Option<&'a mut F>,
}

impl<F: Sample> OpenFile<'_, F> {
    /// Returns its first bytes: `START` at least if there are so many.
    pub fn start(&mut self) -> Vec<u8> {
        let mut start = self.head.to_vec();
        if let (true, Some(file)) = (start.is_empty(), &mut self.file) {
            // Nothing was read of it yet.
            let size = file.plain_size().unwrap_or(0);
            start.resize(usize::try_from(size).unwrap_or(START).min(START), 0);
            if !file.fill_at(0, &mut start).unwrap_or(false) {
                start.clear();
            }
        }
        start
    }

    /// Compares a candidate with this file, which is at `place` now; `None` when they have nothing
    /// to do with each other.
    pub fn relation(&mut self, fresh: &mut Fresh<F>, place: Option<&Path>) -> io::Result<Option<Relation>> {
        let size = fresh.size()?;
        let now = self.now;
        let shared = fresh.head.len().min(self.head.len());
        if fresh.head[..shared] != self.head[..shared] || !fresh.may_be(self.row, place, now.offset.max(size))
        {
            return Ok(None);
        }
        let contains = now.says_something() && now.offset <= size;
        if contains && now.check(&mut fresh.file)?.is_none() {
            return Ok(None);
        }
        let Some(file) = &mut self.file else {
            return if contains {
                Ok(Some(Relation::Beyond))
            } else {
                self.short_copy(fresh, size)
            };
        };
        let length = file.plain_size()?;
        if size <= length && are_same(*file, &mut fresh.file, size) {
            return Ok(Some(Relation::Within));
        }
        let is_intact = length >= now.offset && (!now.says_something() || now.check(*file)?.is_some());
        Ok(match (contains, is_intact) {
            (true, true) => Some(Relation::Beyond),
            (true, false) => Some(Relation::Unsure),
            // Nothing was read of it, and it is the beginning of the candidate.
            (false, true) if size > 0 => {
                (now.offset == 0 && length > 0 && length < size && are_same(&mut fresh.file, *file, length))
                    .then_some(Relation::Beyond)
            }
            (false, _) => self.short_copy(fresh, size)?.or(Some(Relation::Unsure)),
        })
    }

    /// A copy that ends before what was read is known by the head and by the nearest of the earlier
    /// proofs.
    fn short_copy(&self, fresh: &mut Fresh<F>, size: u64) -> io::Result<Option<Relation>> {
        let length = self.head.len().min(usize::try_from(size).unwrap_or(HEAD));
        if length == 0 || size > self.now.offset || fresh.head.get(..length) != Some(&self.head[..length]) {
            return Ok(None);
        }
        let is_earlier = |proof: &&Proof| proof.says_something() && proof.offset <= size;
        let nearest = self.past.iter().filter(is_earlier).max_by_key(|it| it.offset);
        Ok(match nearest {
            Some(proof) => proof.check(&mut fresh.file)?.map(|_| Relation::Within),
            None => Some(Relation::Within),
        })
    }
}

/// Files with the same first bytes are compared with each other.
pub const START: usize = 64;

/// Files by their first bytes.
pub struct Starts<T>(BTreeMap<Vec<u8>, Vec<T>>);

impl<T: Copy> Starts<T> {
    pub fn new() -> Starts<T> {
        Starts(BTreeMap::new())
    }

    pub fn add(&mut self, head: &[u8], file: T) {
        let start = head[..head.len().min(START)].to_vec();
        self.0.entry(start).or_default().push(file);
    }

    /// Returns the files that may begin with these bytes, or are shorter and begin like them.
    pub fn of(&self, head: &[u8]) -> Vec<T> {
        let start = &head[..head.len().min(START)];
        let shorter = (0..start.len()).filter_map(|length| self.0.get(&start[..length]));
        let longer = self.0.range(start.to_vec()..);
        let longer = longer.take_while(|(key, _)| key.starts_with(start));
        let files = shorter.chain(longer.map(|(_, files)| files));
        files.flatten().copied().collect()
    }
}
