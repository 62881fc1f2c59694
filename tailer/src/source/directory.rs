//! The unit of identity: the directories that belong to the inputs, and every plain file in them.
//!
//! A directory belongs to the inputs when a watched path is in it, or the target of a watched link, or when it was named as the place that
//! rotation moves files to. What a file's name has to do with a watched one is its `Kin`: a hint what to look at first.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use super::inputs::{Inode, Inputs, Seen, entries};
use super::names;
use crate::timing::{MISSING, RACY};

/// Relation of a file's name to the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kin {
    /// An input gives it.
    Covered,
    /// Its name is a rotated one of this path, which an input gives.
    Rotation(PathBuf),
    /// It is in the same directory.
    Stranger,
}

#[derive(Clone, Debug)]
pub struct Candidate {
    pub seen: Seen,
    pub kin: Kin,
}

impl Candidate {
    /// Returns the path that a row of this file gets: a rotated file keeps the path of the live one.
    pub fn shown(&self) -> &Path {
        match &self.kin {
            Kin::Rotation(base) => base,
            Kin::Covered | Kin::Stranger => &self.seen.path,
        }
    }
}

/// The files of a directory that no input gives, as they were listed last.
struct Listing {
    at: Instant,
    /// When the directory had changed before that; `None` when the next look lists it again in any case.
    modified: Option<SystemTime>,
    files: Vec<Seen>,
}

#[derive(Default)]
pub struct Directories {
    listings: HashMap<PathBuf, Listing>,
    /// For the directories of links' targets: the kind of their names, and the path of the link.
    targets: HashMap<PathBuf, HashMap<Vec<u8>, PathBuf>>,
    /// Names of rotated files that were proved by their bytes, without their digits, and the path of the live file.
    proved: HashMap<(PathBuf, Vec<u8>), PathBuf>,
    /// Where the given directories are.
    real: HashMap<PathBuf, PathBuf>,
}

impl Directories {
    /// Returns every file that may be of interest, each inode once, and what cannot be read.
    pub fn look(&mut self, inputs: &mut Inputs) -> (Vec<Candidate>, Vec<(PathBuf, String)>) {
        let (covered, problems) = inputs.look();
        // Where each directory is, and under which names the inputs know it.
        let mut given: HashMap<PathBuf, HashSet<PathBuf>> = HashMap::new();
        let mut real = HashMap::new();
        let mut know = |folder: &Path| {
            if !real.contains_key(folder) {
                // A link to a directory that moves is followed: that is one look-up a second for each.
                let place = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
                given
                    .entry(place.clone())
                    .or_default()
                    .insert(folder.to_path_buf());
                real.insert(folder.to_path_buf(), place);
            }
        };
        for folder in inputs.directories() {
            know(&folder);
        }
        for seen in &covered {
            if let Some(folder) = seen.path.parent() {
                know(folder);
            }
        }
        let all: HashSet<PathBuf> = real.keys().cloned().collect();
        self.real = real;
        for seen in &covered {
            self.know_target(&seen.path, &seen.place);
        }
        let mut inodes: HashSet<Inode> = covered.iter().map(|seen| seen.inode).collect();
        let mut candidates: Vec<Candidate> = covered
            .into_iter()
            .map(|seen| Candidate {
                seen,
                kin: Kin::Covered,
            })
            .collect();
        let mut folders: HashSet<PathBuf> = given.keys().cloned().collect();
        folders.extend(self.targets.keys().cloned());
        self.listings.retain(|folder, _| folders.contains(folder));
        for folder in &folders {
            let none = HashSet::new();
            let names = given.get(folder).unwrap_or(&none);
            let is_moved_to = inputs
                .rotated_to()
                .iter()
                .any(|to| self.real.get(to) == Some(folder));
            let from = if is_moved_to { &all } else { names };
            self.list(folder);
            for seen in self
                .listings
                .get(folder)
                .map(|listing| &listing.files)
                .into_iter()
                .flatten()
            {
                let kin = self.kin(seen, (folder, names, from), inputs);
                // A hard link of a covered file, or the file itself.
                if kin != Kin::Covered && !inputs.is_excluded(&seen.path) && inodes.insert(seen.inode) {
                    candidates.push(Candidate {
                        seen: seen.clone(),
                        kin,
                    });
                }
            }
        }
        (candidates, problems)
    }

    /// The directories in which something may happen that matters.
    pub fn watched(&self) -> impl Iterator<Item = &PathBuf> {
        self.real.values().chain(self.targets.keys())
    }

    /// Returns true when a file at this place is, or may be, one of the inputs' files.
    pub fn matters(&self, place: &Path, inputs: &Inputs) -> bool {
        let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
            return false;
        };
        let given = self.real.iter().filter(|(_, real)| *real == folder);
        let mut given = given.map(|(given, _)| given.join(name));
        given.any(|path| inputs.covers(&path) || names::bases(&path).iter().any(|base| inputs.covers(base)))
            || self
                .targets
                .get(folder)
                .is_some_and(|kinds| kinds.contains_key(&names::kind(place)))
            || self
                .proved
                .contains_key(&(folder.to_path_buf(), names::skeleton(place)))
    }

    /// Lists a directory again at the next look.
    pub fn list_again(&mut self, folder: &Path) {
        if let Some(listing) = self.listings.get_mut(folder) {
            listing.modified = None;
        }
    }

    /// Lists all of them again at the next look.
    pub fn list_all_again(&mut self) {
        for listing in self.listings.values_mut() {
            listing.modified = None;
        }
    }

    /// Notes that the file which `base` led to was found here: other files whose names differ only in digits are rotations of it too.
    /// Returns true when that is new.
    pub fn prove(&mut self, place: &Path, base: &Path) -> bool {
        let folder = place.parent().unwrap_or(Path::new("/")).to_path_buf();
        let skeleton = names::skeleton(place);
        skeleton.contains(&b'#')
            && self
                .proved
                .insert((folder, skeleton), base.to_path_buf())
                .is_none()
    }

    /// Notes where a watched path leads, or led when its file was stored last.
    pub fn know_target(&mut self, path: &Path, place: &Path) {
        let folder = path.parent().and_then(|folder| self.real.get(folder));
        let is_link = folder.is_none_or(|folder| folder.join(path.file_name().unwrap_or_default()) != *place);
        if let (true, Some(target)) = (is_link, place.parent()) {
            self.targets
                .entry(target.to_path_buf())
                .or_default()
                .insert(names::kind(place), path.to_path_buf());
        }
    }

    fn list(&mut self, folder: &Path) {
        let modified = fs::metadata(folder).and_then(|metadata| metadata.modified()).ok();
        if self.listings.get(folder).is_some_and(|listing| {
            listing.modified.is_some() && listing.modified == modified && listing.at.elapsed() < MISSING
        }) {
            return;
        }
        let is_settled = modified.is_some_and(|at| at.elapsed().is_ok_and(|age| age > RACY));
        let files = entries(folder)
            .iter()
            .filter_map(|path| {
                // The target of a link is in another directory.
                let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
                is_file.then(|| Seen::at(path).ok().flatten())?
            })
            .collect();
        let listing = Listing {
            at: Instant::now(),
            modified: modified.filter(|_| is_settled),
            files,
        };
        self.listings.insert(folder.to_path_buf(), listing);
    }

    /// `folder`: the directory, the names that the inputs have for it, and those of the directories that its files may come from.
    fn kin(
        &self,
        seen: &Seen,
        (folder, names, from): (&Path, &HashSet<PathBuf>, &HashSet<PathBuf>),
        inputs: &Inputs,
    ) -> Kin {
        let name = seen.path.file_name().unwrap_or_default();
        let covered = |folders: &HashSet<PathBuf>, name: &std::ffi::OsStr| {
            let mut paths = folders.iter().map(|folder| folder.join(name));
            paths.find(|path| inputs.covers(path))
        };
        if covered(names, name).is_some() {
            return Kin::Covered;
        }
        let bases = names::bases(&seen.path);
        let base = bases
            .iter()
            .find_map(|base| covered(from, base.file_name().unwrap_or_default()))
            .or_else(|| covered(from, name));
        let target = || {
            let kinds = self.targets.get(folder)?;
            kinds.get(&names::kind(&seen.path)).cloned()
        };
        let proved = || {
            self.proved
                .get(&(folder.to_path_buf(), names::skeleton(&seen.path)))
                .cloned()
        };
        match base.or_else(target).or_else(proved) {
            Some(base) => Kin::Rotation(base),
            None => Kin::Stranger,
        }
    }
}
