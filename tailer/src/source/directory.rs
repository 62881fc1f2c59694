//! The unit of identity: the directories that belong to the inputs, and every plain file in them.
//!
//! A directory belongs to the inputs when a watched path is in it, or the target of a watched link,
//! or a release beside that, or when it was named as the place that rotation moves files to. The
//! relation of a file's name to a watched one is its `Kin`: a hint what to look at first.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
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

/// The other names of a directory.
#[derive(Default)]
struct Names {
    /// As the inputs know it.
    given: HashSet<PathBuf>,
    /// Those of the directories that its files may come from, itself included.
    from: HashSet<PathBuf>,
}

#[derive(Default)]
pub struct Directories {
    folders: HashMap<PathBuf, Names>,
    listings: HashMap<PathBuf, Listing>,
    /// For each directory the kinds of names that belong to a path of the inputs: that of a link's
    /// target, and without their digits those of rotated files that were proved by their bytes.
    kinds: HashMap<PathBuf, HashMap<Vec<u8>, PathBuf>>,
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
        let mut given = inputs.directories();
        given.extend(
            covered
                .iter()
                .filter_map(|it| Some(it.path.parent()?.to_path_buf())),
        );
        self.find_folders(given, inputs);
        for seen in &covered {
            self.know_target(&seen.path, &seen.place);
        }
        let covered = covered.into_iter().map(|seen| Candidate {
            seen,
            kin: Kin::Covered,
        });
        let mut candidates: Vec<Candidate> = covered.collect();
        let inodes = candidates.iter().enumerate();
        let mut inodes: HashMap<Inode, usize> = inodes.map(|(at, it)| (it.seen.inode, at)).collect();
        let mut folders: HashSet<PathBuf> = self.folders.keys().cloned().collect();
        folders.extend(self.kinds.keys().cloned());
        self.listings.retain(|folder, _| folders.contains(folder));
        let is_own = |it: &&Candidate| it.seen.place == it.seen.path;
        let own = candidates.iter().filter(is_own).map(|it| it.seen.path.as_path());
        let own: HashSet<&Path> = own.collect();
        for folder in &folders {
            self.list(folder, &own);
        }
        for folder in &folders {
            let files = self
                .listings
                .get(folder)
                .map_or(&[][..], |listing| &listing.files);
            let mut others = Vec::new();
            for seen in files {
                match inodes.get(&seen.inode) {
                    // The other name of a hard link is like the target of a link.
                    Some(at) if candidates[*at].seen.place != seen.place => {
                        let kinds = self.kinds.entry(folder.clone()).or_default();
                        kinds.insert(names::kind(&seen.place), candidates[*at].seen.path.clone());
                    }
                    Some(_) => {}
                    None => others.push(seen.clone()),
                }
            }
            for seen in others {
                let kin = self.kin(&seen.place, inputs);
                if kin != Kin::Covered && !inputs.is_excluded(&seen.path) && !inodes.contains_key(&seen.inode)
                {
                    inodes.insert(seen.inode, candidates.len());
                    candidates.push(Candidate { seen, kin });
                }
            }
        }
        (candidates, problems)
    }

    /// Finds where each directory is, and under which names the inputs know it.
    fn find_folders(&mut self, given: HashSet<PathBuf>, inputs: &Inputs) {
        self.links = Links::default();
        self.folders.clear();
        self.real.clear();
        for folder in &given {
            // A link to a directory that moves is followed: that is one look-up a second for each.
            let place = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
            if place != *folder {
                self.links.follow(folder);
            }
            let names = self.folders.entry(place.clone()).or_default();
            names.given.insert(folder.clone());
            names.from.insert(folder.clone());
            self.real.insert(folder.clone(), place);
        }
        for (other, folder) in &self.links.releases {
            let names = self.folders.entry(other.clone()).or_default();
            names.from.insert(folder.clone());
        }
        for to in inputs.rotated_to().iter().filter_map(|to| self.real.get(to)) {
            self.folders
                .entry(to.clone())
                .or_default()
                .from
                .extend(given.iter().cloned());
        }
    }

    /// The directories in which something may happen that matters.
    pub fn watched(&self) -> impl Iterator<Item = &PathBuf> {
        let links = &self.links.holders;
        self.real.values().chain(self.kinds.keys()).chain(links)
    }

    /// Returns true when a file at this place is, or may be, one of the inputs' files.
    pub fn matters(&self, place: &Path, inputs: &Inputs) -> bool {
        self.kin(place, inputs) != Kin::Stranger
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
        let skeleton = names::skeleton(place);
        skeleton.contains(&b'#') && self.know(place, skeleton, base)
    }

    /// Notes where a watched path leads, or led when its file was stored last.
    pub fn know_target(&mut self, path: &Path, place: &Path) {
        let folder = path.parent().and_then(|folder| self.real.get(folder));
        if folder.is_none_or(|folder| folder.join(path.file_name().unwrap_or_default()) != *place) {
            self.know(place, names::kind(place), path);
            // CockroachDB's `….2026-11-28T10_00_00Z.log`.
            self.know(place, names::skeleton(place), path);
        }
    }

    /// Files beside this place with names of this kind belong to the path. Returns true when that
    /// is new.
    fn know(&mut self, place: &Path, kind: Vec<u8>, path: &Path) -> bool {
        let folder = place.parent().unwrap_or(Path::new("/")).to_path_buf();
        let kinds = self.kinds.entry(folder).or_default();
        kinds.insert(kind, path.to_path_buf()).is_none()
    }

    /// Lists the files of a directory besides those that were `seen` under the same name.
    fn list(&mut self, folder: &Path, seen: &HashSet<&Path>) {
        let modified = fs::metadata(folder).and_then(|metadata| metadata.modified()).ok();
        if self.listings.get(folder).is_some_and(|listing| {
            listing.modified.is_some() && listing.modified == modified && listing.at.elapsed() < MISSING
        }) {
            return;
        }
        let is_settled = modified.is_some_and(|at| at.elapsed().is_ok_and(|age| age > RACY));
        let files = entries(folder).into_iter();
        let files = files.filter(|path| !seen.contains(path.as_path()));
        let listing = Listing {
            at: Instant::now(),
            modified: modified.filter(|_| is_settled),
            // The target of a link is in another directory.
            files: files
                .filter_map(|path| Seen::of(&path, &fs::symlink_metadata(&path).ok()?))
                .collect(),
        };
        self.listings.insert(folder.to_path_buf(), listing);
    }

    fn kin(&self, place: &Path, inputs: &Inputs) -> Kin {
        let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
            return Kin::Stranger;
        };
        let none = Names::default();
        let names = self.folders.get(folder).unwrap_or(&none);
        let covered = |folders: &HashSet<PathBuf>, name: &OsStr| {
            let mut paths = folders.iter().map(|folder| folder.join(name));
            paths.find(|path| inputs.covers(path))
        };
        if covered(&names.given, name).is_some() {
            return Kin::Covered;
        }
        let bases = names::bases(place);
        let bases = bases.iter().filter_map(|base| base.file_name());
        let base = bases.chain([name]).find_map(|base| covered(&names.from, base));
        let known = || {
            let kinds = self.kinds.get(folder)?;
            let known = [names::kind(place), names::skeleton(place)];
            known.iter().find_map(|kind| kinds.get(kind)).cloned()
        };
        base.or_else(known).map_or(Kin::Stranger, Kin::Rotation)
    }
}
