//! Which file is this? One answer for each candidate, from its bytes.
//!
//! A file contains a known one when the known one's head and the bytes before its offset are in the
//! same places. It is a copy when all of its own bytes are in another file that is at hand. Names
//! decide one case only: a short plain file under a watched name of its own that happens to begin
//! like another one is a file of its own, for two programs may write the same first line.

use std::io;
use std::path::Path;

use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{HEAD, Proof, Sample, are_same};
use crate::source::inputs::Inode;
use crate::source::names;

/// A candidate that is open, and what was read of it to find out what it is.
pub struct Fresh<F> {
    pub candidate: Candidate,
    pub file: F,
    /// Its first bytes, `HEAD` at most.
    pub head: Vec<u8>,
    size: Option<u64>,
}

impl<F: Sample> Fresh<F> {
    pub fn new(candidate: Candidate, mut file: F) -> io::Result<Fresh<F>> {
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
            file,
            head,
            size,
        })
    }

    /// Returns the length of its plain text.
    pub fn size(&mut self) -> io::Result<u64> {
        match self.size {
            Some(size) => Ok(size),
            None => Ok(*self.size.insert(self.file.plain_size()?)),
        }
    }
}

/// Name and place of a known file.
#[derive(Clone, Copy)]
pub struct Whereabouts<'a> {
    pub path: &'a Path,
    pub place: &'a Path,
    pub inode: Inode,
}

/// Returns true when bytes that the two have in common can prove that they are one file. `known`:
/// the number of such bytes.
pub fn may_prove(candidate: &Candidate, is_compressed: bool, other: Whereabouts, known: u64) -> bool {
    let seen = &candidate.seen;
    if seen.inode == other.inode {
        return true;
    }
    let folder = |path: &Path| path.parent().map(Path::to_path_buf);
    let own = [folder(&seen.place), folder(&seen.path), folder(candidate.shown())];
    let is_near = own.contains(&folder(other.place)) || own.contains(&folder(other.path));
    let is_likely = known >= HEAD as u64
        || names::are_related(&seen.place, other.path)
        || names::are_related(&seen.place, other.place);
    if is_near {
        candidate.kin == Kin::Stranger || is_compressed || candidate.shown() == other.path || is_likely
    } else {
        // A log may begin like that of another directory, and both may be at hand.
        candidate.is_moved && is_likely
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

/// The known facts of a file.
pub struct Known<'a, F> {
    /// The proof of all that was read.
    pub now: Proof,
    /// Earlier proofs.
    pub past: &'a [Proof],
    /// Its first bytes as they were read.
    pub head: &'a [u8],
    /// `None` when its bytes are gone.
    pub file: Option<&'a mut F>,
}

/// Compares a candidate with a known file; `None` when they have nothing to do with each other.
pub fn relation<F: Sample>(fresh: &mut Fresh<F>, known: &mut Known<F>) -> io::Result<Option<Relation>> {
    let shared = fresh.head.len().min(known.head.len());
    if fresh.head[..shared] != known.head[..shared] {
        return Ok(None);
    }
    let size = fresh.size()?;
    let now = known.now;
    let contains = now.says_something() && now.offset <= size;
    if contains && now.check(&mut fresh.file)?.is_none() {
        return Ok(None);
    }
    if let Some(file) = &mut known.file {
        let length = file.plain_size()?;
        if size <= length && are_same(*file, &mut fresh.file, size) {
            return Ok(Some(Relation::Within));
        }
        let is_intact = length >= now.offset && (!now.says_something() || now.check(*file)?.is_some());
        if !contains && is_intact && size > 0 {
            // Nothing was read of it, and it is the beginning of the candidate.
            let begins =
                now.offset == 0 && length > 0 && length < size && are_same(&mut fresh.file, *file, length);
            return Ok(begins.then_some(Relation::Beyond));
        }
        if !contains {
            return Ok(short_copy(fresh, known, size)?.or(Some(Relation::Unsure)));
        }
        return Ok(Some(if is_intact {
            Relation::Beyond
        } else {
            Relation::Unsure
        }));
    }
    if contains {
        return Ok(Some(Relation::Beyond));
    }
    short_copy(fresh, known, size)
}

/// A copy that ends before what was read is known by the head and by the nearest of the earlier
/// proofs.
fn short_copy<F: Sample>(fresh: &mut Fresh<F>, known: &Known<F>, size: u64) -> io::Result<Option<Relation>> {
    let length = known.head.len().min(usize::try_from(size).unwrap_or(HEAD));
    if length == 0 || size > known.now.offset || fresh.head.get(..length) != Some(&known.head[..length]) {
        return Ok(None);
    }
    let nearest = known
        .past
        .iter()
        .filter(|proof| proof.says_something() && proof.offset <= size)
        .max_by_key(|proof| proof.offset);
    Ok(match nearest {
        Some(proof) => proof.check(&mut fresh.file)?.map(|_| Relation::Within),
        None => Some(Relation::Within),
    })
}
