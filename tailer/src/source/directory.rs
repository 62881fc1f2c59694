//! The unit of identity: the directories that belong to the inputs, and every plain file in them.
//!
//! A directory belongs to the inputs when a watched path is in it, or the target of a watched link,
//! or a release beside that, or when it was named as the place that rotation moves files to. The
//! relation of a file's name to a watched one is its `Kin`: a hint what to look at first.

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
    /// It has a rotated name, and the file of that log is not in its directory: it may come from
    /// another one.
    pub is_moved: bool,
}

impl Candidate {
    /// Returns the path that a row of this file gets: a rotated file keeps the path of the live
    /// one.
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
    /// When the directory had changed before that; `None` when the next look lists it again in any
    /// case.
    modified: Option<SystemTime>,
    files: Vec<Seen>,
}

#[derive(Default)]
pub struct Directories {
    listings: HashMap<PathBuf, Listing>,
    /// For the directories of links' targets: the kind of their names, and the path of the link.
    targets: HashMap<PathBuf, HashMap<Vec<u8>, PathBuf>>,
    /// Names of rotated files that were proved by their bytes, without their digits, and the path
    /// of the live file.
    proved: HashMap<(PathBuf, Vec<u8>), PathBuf>,
    /// Where the given directories are.
    real: HashMap<PathBuf, PathBuf>,
    links: Links,
}

/// The links on the way to the given directories.
#[derive(Default)]
struct Links {
    /// The directories in which the links are.
    holders: HashSet<PathBuf>,
    /// Directories beside the one where a link leads now, by the directory that they once were, or
    /// will be: `releases/1/log` for `current/log`.
    releases: HashMap<PathBuf, PathBuf>,
}

impl Links {
    /// Finds the links on the way to a directory.
    fn follow(&mut self, folder: &Path) {
        for link in folder.ancestors().filter(|path| path.is_symlink()) {
            let (Ok(target), Ok(rest)) = (fs::canonicalize(link), folder.strip_prefix(link)) else {
                continue;
            };
            let holder = link.parent().and_then(|holder| fs::canonicalize(holder).ok());
            self.holders.extend(holder);
            let Some(parent) = target.parent().filter(|_| names::are_releases(&target, &target)) else {
                continue;
            };
            let others = entries(parent).into_iter();
            let others = others.filter(|other| *other != target && names::are_releases(other, &target));
            let others = others.map(|other| other.join(rest)).filter(|it| it.is_dir());
            self.releases
                .extend(others.map(|other| (other, folder.to_path_buf())));
        }
    }
}

impl Directories {
    /// Returns every file that may be of interest, each inode once, and what cannot be read.
    pub fn look(&mut self, inputs: &mut Inputs) -> (Vec<Candidate>, Vec<(PathBuf, String)>) {
        let (covered, problems) = inputs.look();
        // Where each directory is, and under which names the inputs know it.
        let mut given: HashMap<PathBuf, HashSet<PathBuf>> = HashMap::new();
        let mut real = HashMap::new();
        let mut links = Links::default();
        let mut know = |folder: &Path| {
            if !real.contains_key(folder) {
                // A link to a directory that moves is followed: that is one look-up a second for
                // each.
                let place = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
                if place != folder {
                    links.follow(folder);
                }
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
        self.links = links;
        for seen in &covered {
            self.know_target(&seen.path, &seen.place);
        }
        let mut inodes: HashMap<Inode, (PathBuf, PathBuf)> = covered
            .iter()
            .map(|seen| (seen.inode, (seen.path.clone(), seen.place.clone())))
            .collect();
        let mut candidates: Vec<Candidate> = covered
            .into_iter()
            .map(|seen| Candidate {
                seen,
                kin: Kin::Covered,
                is_moved: false,
            })
            .collect();
        let mut folders: HashSet<PathBuf> = given.keys().cloned().collect();
        folders.extend(self.targets.keys().cloned());
        folders.extend(self.links.releases.keys().cloned());
        self.listings.retain(|folder, _| folders.contains(folder));
        for folder in &folders {
            let none = HashSet::new();
            let names = given.get(folder).unwrap_or(&none);
            let is_moved_to = inputs
                .rotated_to()
                .iter()
                .any(|to| self.real.get(to) == Some(folder));
            let mut from = if is_moved_to { all.clone() } else { names.clone() };
            from.extend(self.links.releases.get(folder).cloned());
            self.list(folder);
            let files = self.listings.get(folder).map(|listing| listing.files.clone());
            let files = files.unwrap_or_default();
            for seen in &files {
                // The other name of a hard link is like the target of a link.
                if let Some((path, place)) = inodes.get(&seen.inode)
                    && *place != seen.place
                {
                    let kinds = self.targets.entry(folder.clone()).or_default();
                    kinds.insert(names::kind(&seen.place), path.clone());
                }
            }
            for seen in files {
                let kin = self.kin(&seen, (folder, names, &from), inputs);
                // A hard link of a covered file, or the file itself.
                if kin != Kin::Covered && !inputs.is_excluded(&seen.path) && !inodes.contains_key(&seen.inode)
                {
                    inodes.insert(seen.inode, (seen.path.clone(), seen.place.clone()));
                    candidates.push(Candidate {
                        seen,
                        kin,
                        is_moved: false,
                    });
                }
            }
        }
        find_moved(&mut candidates);
        (candidates, problems)
    }

    /// The directories in which something may happen that matters.
    pub fn watched(&self) -> impl Iterator<Item = &PathBuf> {
        let links = &self.links.holders;
        self.real.values().chain(self.targets.keys()).chain(links)
    }

    /// Returns true when a file at this place is, or may be, one of the inputs' files.
    pub fn matters(&self, place: &Path, inputs: &Inputs) -> bool {
        let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
            return false;
        };
        let given = self.real.iter().filter(|(_, real)| *real == folder);
        let given = given
            .map(|(given, _)| given)
            .chain(self.links.releases.get(folder));
        given
            .map(|given| given.join(name))
            .any(|path| inputs.covers(&path) || names::bases(&path).iter().any(|base| inputs.covers(base)))
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

    /// Notes that the file which `base` led to was found here: other files whose names differ only
    /// in digits are rotations of it too. Returns true when that is new.
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

    /// `folder`: the directory, the names that the inputs have for it, and those of the directories
    /// that its files may come from.
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

/// Finds the files with a rotated name whose log is in no file beside them.
pub fn find_moved(candidates: &mut [Candidate]) {
    let places: HashSet<PathBuf> = candidates.iter().map(|it| it.seen.place.clone()).collect();
    for candidate in candidates {
        let bases = names::bases(&candidate.seen.place);
        candidate.is_moved = !bases.is_empty() && !bases.iter().any(|base| places.contains(base));
    }
}
