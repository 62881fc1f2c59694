//! Rotated files that no input gives: `app.log.1` when `app.log` was named.
//!
//! Each of them is either being read, known to the database, a copy of what is being read, or it was written and rotated while nobody
//! looked: then it is read too. When an input is new to the database, what had been rotated before is nobody's: it is written down as
//! done, so that from then on every unknown file is one to read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::copies::whole_of;
use super::recognise::proof_at;
use super::{NOWHERE, Note, Roster, draw_id};
use crate::sink::database::{State, Stored};
use crate::source::bytes::Content;
use crate::source::identity::{HEAD, Proof, Proven, are_same};
use crate::source::inputs::{Inode, Inputs, Mark, Seen, entries};
use crate::source::names;

/// A directory's time of change says that nothing changed only when it is so much older than the look.
const RACY: Duration = Duration::from_secs(2);
/// Directories are listed this often even when nothing says that they changed: a writer may still have a file that was done with.
const RELIST: Duration = Duration::from_secs(30);

/// A directory when it was listed last.
pub(super) struct Listing {
    at: Instant,
    /// When it had changed before that; None when the next look lists it again in any case.
    modified: Option<SystemTime>,
    /// Files of it that could not be decided on: empty, unreadable, half compressed.
    undecided: Vec<(PathBuf, Option<Mark>)>,
    /// The rotated files in it.
    pub(super) files: HashMap<Inode, PathBuf>,
}

impl Listing {
    pub(super) fn look_again(&mut self) {
        self.modified = None;
    }
}

impl Roster {
    /// Looks at the directories that have changed.
    pub(super) fn look_aside(&mut self, inputs: &Inputs, seen: &[Seen]) {
        let mut directories: HashSet<PathBuf> = inputs.directories();
        directories.extend(
            seen.iter()
                .filter_map(|seen| seen.path.parent())
                .map(Path::to_path_buf),
        );
        self.listings
            .retain(|directory, _| directories.contains(directory));
        self.let_go_of_some();
        let takes_more = self.has_left_some() && !self.holds_enough();
        for directory in directories {
            let modified = directory.metadata().and_then(|metadata| metadata.modified()).ok();
            if self.listings.get(&directory).is_some_and(|listing| {
                !takes_more
                    && listing.modified.is_some()
                    && listing.modified == modified
                    && listing.at.elapsed() < RELIST
                    && listing
                        .undecided
                        .iter()
                        .all(|(path, mark)| mark_at(path) == *mark)
            }) {
                continue;
            }
            let settled_for = modified.and_then(|modified| modified.elapsed().ok());
            let mut listing = Listing {
                at: Instant::now(),
                modified: modified.filter(|_| settled_for.is_some_and(|age| age > RACY)),
                undecided: Vec::new(),
                files: HashMap::new(),
            };
            for (base, mut siblings) in families(&directory, inputs) {
                names::sort(&mut siblings, &base);
                listing
                    .files
                    .extend(siblings.iter().map(|seen| (seen.inode, seen.path.clone())));
                let begun = self.looked || self.has_begun(&base, inputs);
                self.look_at_family(&base, siblings, begun, &mut listing);
            }
            self.listings.insert(directory, listing);
        }
        self.look_for_left(seen);
        self.note_copies();
    }

    /// `siblings`: the rotated files of `base`, the newest first.
    fn look_at_family(&mut self, base: &Path, siblings: Vec<Seen>, begun: bool, listing: &mut Listing) {
        let mut before = None;
        for seen in siblings.into_iter().rev() {
            if let Some(tail) = self.tails.iter().find(|tail| tail.holds(seen.inode)) {
                before = Some(tail.id);
            } else if !self.is_settled(&seen) {
                match self.decide(base, &seen, begun, before) {
                    Some(id) => before = id.or(before),
                    None => listing.undecided.push((seen.path.clone(), Some(seen.mark()))),
                }
            }
        }
        let current = self
            .tails
            .iter()
            .position(|tail| tail.path == base && tail.rotated.is_none() && tail.reader.position() == 0);
        if let (Some(index), Some(before)) = (current, before) {
            self.set_after(index, before);
        }
    }

    /// What a rotated file is. None when that cannot be said yet; else the tail that reads it, if one does.
    fn decide(&mut self, base: &Path, seen: &Seen, begun: bool, before: Option<i64>) -> Option<Option<i64>> {
        if seen.size == 0 {
            return None;
        }
        let mut content = match Content::open_seen(seen) {
            Ok(content) => content,
            Err(error) => {
                self.cannot_open(&seen.path, &error);
                return None;
            }
        };
        if let Some(of) = self.find_copied(seen, &mut content) {
            return Some(Some(of));
        }
        match self.row_of(seen, &mut content) {
            Some((stored, true)) => {
                self.matched.insert(stored.id);
                self.settled.insert(seen.inode, seen.mark());
                if stored.state != State::Done || stored.inode != seen.inode {
                    self.note(Some(stored.id), seen, stored.proof, State::Done);
                }
                return Some(None);
            }
            Some((stored, false)) if self.holds_enough() => {
                self.leave(base, seen, Some(&stored));
                return None;
            }
            Some((stored, false)) if self.resume(&stored, seen, Some((base, Instant::now()))) => {
                return Some(Some(stored.id));
            }
            _ => {}
        }
        if content.is_compressed() && !begun {
            // Nobody's: its head and its length are proof enough.
            let proof = proof_of_compressed(&mut content, seen)?;
            self.note(None, seen, proof, State::Done);
        } else if content.check_to_end().is_err() || self.is_copy_of_unread(base, &mut content) {
            return None;
        } else if !begun || self.is_stale_copy_of_lost(seen, &mut content) {
            let (proof, _) = whole_of(&mut content).ok().flatten()?;
            self.note(None, seen, proof, State::Done);
        } else if self.holds_enough() {
            self.leave(base, seen, None);
            return None;
        } else {
            log::info!("{}: rotated before it was seen", seen.path.display());
            let id = self.add(base, seen.inode, content, Proof::default(), Proven::default());
            if let Some(tail) = self.tails.last_mut() {
                tail.rotated = Some(Instant::now());
            }
            if let Some(before) = before {
                self.set_after(self.tails.len() - 1, before);
            }
            return Some(Some(id));
        }
        self.settled.insert(seen.inode, seen.mark());
        Some(None)
    }

    /// The row of a file that is not being read, and whether it says that all of the file is stored.
    pub(super) fn row_of(&self, seen: &Seen, content: &mut Content) -> Option<(Stored, bool)> {
        let mut rows: Vec<&Stored> = self
            .free_rows()
            .filter(|stored| stored.inode == seen.inode || names::are_related(&stored.path, &seen.path))
            .collect();
        rows.sort_by_key(|stored| std::cmp::Reverse(stored.proof.offset));
        for stored in rows {
            let proof = &stored.proof;
            let over = stored.state != State::Open;
            // Reading all of a compressed file each time would be dear.
            let is_cheap = over && stored.inode == seen.inode && content.says_length(proof.offset);
            let by_head = is_cheap && matches!(proof.head_only(proof.offset).check(content), Ok(Some(_)));
            if by_head {
                return Some((stored.clone(), true));
            }
            if !matches!(proof.check(content), Ok(Some(_))) {
                continue;
            }
            let Ok(size) = content.plain_size() else { continue };
            // Without its last bytes only the whole length proves a file.
            if proof.tail_bytes == 0 && over && size != proof.offset {
                continue;
            }
            return Some((stored.clone(), over && size <= proof.offset));
        }
        None
    }

    /// A copy that is shorter than what was read of a file that is gone: the tailer read on while it was made, and was stopped then.
    fn is_stale_copy_of_lost(&self, seen: &Seen, content: &mut Content) -> bool {
        let Ok(size) = content.plain_size() else {
            return false;
        };
        self.free_rows()
            .filter(|stored| stored.state == State::Open && names::are_related(&stored.path, &seen.path))
            .any(|stored| {
                let proof = &stored.proof;
                size < proof.offset
                    && size >= proof.head_bytes as u64
                    && proof.head_bytes >= HEAD.min(usize::try_from(proof.offset).unwrap_or(HEAD))
                    && matches!(proof.head_only(proof.offset).check(content), Ok(Some(_)))
            })
    }

    /// True when the file may be a copy, just being made, of one that is not being read yet: once that is, it is found to be one.
    fn is_copy_of_unread(&self, base: &Path, content: &mut Content) -> bool {
        let Ok(Some(current)) = Seen::at(base) else {
            return false;
        };
        if self.reads_inode(current.inode) {
            return false;
        }
        match (Content::open_seen(&current), content.plain_size()) {
            (Ok(mut current), Ok(size)) => are_same(&mut current, content, size),
            _ => false,
        }
    }

    /// True when the database has a row that shows that the input of this file was followed before.
    fn has_begun(&self, base: &Path, inputs: &Inputs) -> bool {
        inputs
            .iter()
            .filter(|input| input.covers(base))
            .any(|input| self.begun.contains(input.text()))
    }

    /// At the first look: which inputs the database has heard of. The others get a row, the first of all, so that it has.
    pub(super) fn begin(&mut self, inputs: &Inputs, seen: &[Seen]) {
        let rows: Vec<&Path> = self.rows().map(|stored| stored.path.as_path()).collect();
        let (begun, new): (Vec<_>, Vec<_>) = inputs.iter().partition(|input| {
            rows.iter().any(|path| {
                *path == input.text()
                    || input.covers(path)
                    || names::bases(path).iter().any(|base| input.covers(base))
            })
        });
        self.begun = begun
            .into_iter()
            .map(|input| input.text().to_path_buf())
            .collect();
        for input in new {
            let tail = self.tails.iter().find(|tail| input.covers(&tail.path));
            let empty = seen.iter().find(|seen| input.covers(&seen.path));
            let (path, inode) = match (tail, empty) {
                (Some(tail), _) => (tail.path.as_path(), tail.inode),
                (None, Some(seen)) => (seen.path.as_path(), seen.inode),
                (None, None) => (input.text(), NOWHERE),
            };
            let proof = tail.map(|tail| tail.stored).unwrap_or_default();
            let note = Note {
                id: tail.map_or_else(draw_id, |tail| tail.id),
                path: path.to_path_buf(),
                inode,
                from: proof.offset,
                proof,
                gap: None,
                state: if inode == NOWHERE {
                    State::Done
                } else {
                    State::Open
                },
                copy_of: None,
            };
            if tail.is_none()
                && let Some(known) = &mut self.known
            {
                known.insert(note.id, note.row());
            }
            self.notes.push(note);
        }
    }
}

/// The rotated files in a directory that no input gives, by the name that they had.
fn families(directory: &Path, inputs: &Inputs) -> BTreeMap<PathBuf, Vec<Seen>> {
    let mut families: BTreeMap<PathBuf, Vec<Seen>> = BTreeMap::new();
    for path in entries(directory) {
        let base = names::bases(&path).into_iter().find(|base| inputs.covers(base));
        if let Some(base) = base.filter(|_| !inputs.covers(&path))
            && let Ok(Some(seen)) = Seen::at(&path)
        {
            families.entry(base).or_default().push(seen);
        }
    }
    families
}

fn mark_at(path: &Path) -> Option<Mark> {
    Seen::at(path).ok().flatten().map(|seen| seen.mark())
}

/// By the length that the file itself says, where that can be right; else it is read.
fn proof_of_compressed(content: &mut Content, seen: &Seen) -> Option<Proof> {
    match content.said_length().filter(|length| *length > seen.size) {
        Some(length) => {
            let head = length.min(HEAD as u64);
            let (proof, _) = proof_at(content, head).ok().flatten()?;
            Some(
                Proof {
                    offset: length,
                    ..proof
                }
                .head_only(length),
            )
        }
        None => Some(whole_of(content).ok().flatten()?.0),
    }
}
