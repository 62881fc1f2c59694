//! Doing what the plan says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::plan::{From, Step};
use super::state::{Event, FileRow, Life};
use super::{Copy, REMOVED, Settled, TRUNCATED, TrackedFile, TrackedFiles, instant_of};
use crate::source::bytes::Bytes;
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{Proof, Proven, proof_at};
use crate::source::names;

use super::state::draw_id;

impl TrackedFiles {
    pub(super) fn apply(&mut self, steps: Vec<Step<Bytes>>, problems: &mut Vec<(PathBuf, String)>) {
        // Ids that the plan drew, and the rows that were there before their files had any bytes.
        let mut alias: HashMap<i64, i64> = HashMap::new();
        for step in steps {
            match step {
                Step::Named {
                    id,
                    candidate,
                    is_old,
                } => self.name(id, &candidate, is_old),
                Step::Nameless { id } => {
                    if let Some(file) = self.file(id) {
                        file.row.life = file.row.life.after(Event::NameLost(Instant::now()));
                    }
                }
                Step::Resume {
                    id,
                    candidate,
                    file,
                    after,
                    is_old,
                } => {
                    self.resume(id, &candidate, file);
                    self.place(id, after.map(|id| *alias.get(&id).unwrap_or(&id)), is_old);
                }
                Step::StartAfter {
                    id,
                    candidate,
                    file,
                    after,
                    is_old,
                    from,
                    replaces,
                } => {
                    let row = self.start(&candidate, file, from);
                    alias.insert(id, row);
                    if let Some(file) = self.file(row) {
                        file.is_after_truncation = replaces;
                    }
                    self.place(row, after.map(|id| *alias.get(&id).unwrap_or(&id)), is_old);
                }
                Step::GoOnIn { id, candidate, file } => self.go_on_in(id, &candidate, file),
                Step::CopyOf { id, candidate, proof } => {
                    let of = *alias.get(&id).unwrap_or(&id);
                    log::info!("{}: a copy of what is being read", candidate.seen.path.display());
                    let copy = Copy {
                        path: candidate.seen.path.clone(),
                        place: candidate.seen.place.clone(),
                        of,
                        proof,
                    };
                    self.settle(&candidate, Some(copy));
                }
                Step::Settle { id, candidate } => self.settle_row(id, &candidate),
                Step::Mark { candidate, proof } => {
                    self.settle(&candidate, None);
                    let row = row_of(draw_id(), &candidate, proof, Life::Done);
                    self.note(row, None);
                }
                Step::Defer | Step::More => {}
                Step::NotALog { candidate, what } => {
                    log::warn!(
                        "{} is {what}, not a log: it is not read; --exclude leaves such files out",
                        candidate.seen.path.display()
                    );
                    self.settle(&candidate, None);
                    self.archives
                        .push((candidate.seen.path, format!("{what}, which is not read")));
                }
                Step::Unreadable { candidate, error } => {
                    let path = candidate.seen.path;
                    if names::uncompressed(&path).is_some() {
                        let why = format!("compressed and cannot be read: {error}");
                        self.archives.push((path.clone(), why));
                    }
                    problems.push((path, error));
                }
                Step::Gap { id, is_overwritten } => self.lose(id, is_overwritten),
                Step::Gone { id } => {
                    let row = self.rows.as_ref().and_then(|rows| rows.get(&id)).cloned();
                    // Nobody knows what is in a folder that cannot be read.
                    if let Some(row) =
                        row.filter(|row| row.place.parent().is_none_or(|folder| folder.read_dir().is_ok()))
                    {
                        let life = row.life.after(Event::Deleted);
                        self.note(FileRow { life, ..row }, None);
                    }
                }
            }
        }
    }

    pub(super) fn file(&mut self, id: i64) -> Option<&mut TrackedFile> {
        self.files.iter_mut().find(|file| file.row.id == id)
    }

    fn name(&mut self, id: i64, candidate: &Candidate, is_old: bool) {
        let Some(file) = self.file(id) else { return };
        let place = candidate.seen.place.clone();
        if candidate.kin == Kin::Covered {
            file.row.path.clone_from(&candidate.seen.path);
            file.row.life = file.row.life.after(Event::NameBack);
            file.is_old = is_old;
        } else {
            let event = Event::NameLost(Instant::now());
            file.row.life = file.row.life.after(event);
        }
        let path = file.row.path.clone();
        if std::mem::replace(&mut file.row.place, place.clone()) != place && candidate.kin != Kin::Covered {
            self.prove(&place, &path);
        }
    }

    /// Files of the same kind of name are looked at again, as rotations.
    fn prove(&mut self, place: &Path, path: &Path) {
        self.is_cut |= self.directories.prove(place, path);
    }

    fn resume(&mut self, id: i64, candidate: &Candidate, mut file: Bytes) {
        let Some(mut row) = self.rows.as_ref().and_then(|rows| rows.get(&id)).cloned() else {
            return;
        };
        let Ok(Some(proven)) = row.proof.check(&mut file) else {
            return;
        };
        log::info!(
            "{}: going on at byte {}",
            candidate.seen.path.display(),
            row.proof.offset
        );
        row.life = Life::Live;
        row.inode = candidate.seen.inode;
        row.place.clone_from(&candidate.seen.place);
        if candidate.kin == Kin::Covered {
            row.path.clone_from(&candidate.seen.path);
        } else {
            row.life = Life::Rotated(instant_of(candidate.seen.modified));
            self.prove(&row.place, &row.path);
        }
        let mut file = TrackedFile::new(row, file, proven);
        file.is_known = true;
        file.found_at(candidate);
        self.settled.remove(&candidate.seen.inode);
        self.files.push(file);
    }

    /// Puts a file where it belongs among those of its log.
    fn place(&mut self, id: i64, after: Option<i64>, is_old: bool) {
        if let Some(file) = self.file(id) {
            file.is_old = is_old;
        }
        if let Some(after) = after {
            self.set_after(id, after);
        }
    }

    fn start(&mut self, candidate: &Candidate, mut bytes: Bytes, from: From) -> i64 {
        let (proof, proven) = match from {
            From::Beginning => None,
            From::End => end_of(&mut bytes),
            From::After(proof) => proof
                .check(&mut bytes)
                .ok()
                .flatten()
                .map(|proven| (proof, proven)),
        }
        .unwrap_or_default();
        let path = candidate.shown();
        if candidate.kin == Kin::Covered {
            log::info!(
                "{}: new, reading from byte {}",
                candidate.seen.path.display(),
                proof.offset
            );
        } else {
            log::info!("{}: rotated before it was seen", candidate.seen.path.display());
        }
        // The row that was there before the file had any bytes.
        let is_open = |row: &FileRow| self.files.iter().any(|file| file.row.id == row.id);
        let begun = self
            .rows()
            .find(|row| row.path == path && row.proof.offset == 0 && !is_open(row))
            .filter(|_| proof.offset == 0);
        let (id, is_known) = begun.map_or_else(|| (draw_id(), false), |row| (row.id, false));
        let life = if candidate.kin == Kin::Covered {
            Life::Live
        } else {
            Life::Rotated(instant_of(candidate.seen.modified))
        };
        let mut file = TrackedFile::new(row_of(id, candidate, proof, life), bytes, proven);
        file.is_known = is_known;
        file.found_at(candidate);
        self.settled.remove(&candidate.seen.inode);
        self.files.push(file);
        id
    }

    fn go_on_in(&mut self, id: i64, candidate: &Candidate, bytes: Bytes) {
        let Some(file) = self.file(id) else { return };
        if !file.go_on_in(bytes, candidate) {
            return;
        }
        log::info!(
            "{}: its copy is {}",
            file.row.path.display(),
            candidate.seen.path.display()
        );
        if candidate.kin == Kin::Covered {
            file.row.path.clone_from(&candidate.seen.path);
        }
        self.settled.remove(&candidate.seen.inode);
    }

    pub(super) fn settle(&mut self, candidate: &Candidate, copy: Option<Copy>) {
        let mark = candidate.seen.mark();
        self.settled.insert(candidate.seen.inode, Settled { mark, copy });
    }

    fn settle_row(&mut self, id: i64, candidate: &Candidate) {
        self.settle(candidate, None);
        let row = self.rows.as_ref().and_then(|rows| rows.get(&id)).cloned();
        if let Some(row) = row.filter(|row| row.life != Life::Done || row.inode != candidate.seen.inode) {
            let row = FileRow {
                inode: candidate.seen.inode,
                place: candidate.seen.place.clone(),
                life: Life::Done,
                ..row
            };
            self.note(row, None);
        }
    }

    /// The file is read after that one, unless that one is waiting for it.
    fn set_after(&mut self, id: i64, before: i64) {
        if before == id {
            return;
        }
        // Only a file that another one waits for can close a circle. Thousands of rotated files are
        // a chain as long, which is not walked for each of them.
        if self.files.iter().any(|file| file.after == Some(id)) {
            let mut earlier = Some(before);
            for _ in 0..=self.files.len() {
                if earlier == Some(id) {
                    return;
                }
                let Some(next) = earlier else { break };
                earlier = self.file(next).and_then(|file| file.after);
            }
        }
        if let Some(file) = self.file(id) {
            file.after = Some(before);
        }
    }

    /// The rest of a file cannot be read.
    fn lose(&mut self, id: i64, is_overwritten: bool) {
        let Some(row) = self.rows.as_ref().and_then(|rows| rows.get(&id)).cloned() else {
            return;
        };
        let (offset, path) = (row.proof.offset, row.path.display());
        let may_hold = |(archive, _): &&(PathBuf, String)| {
            archive.parent() == row.place.parent() && names::are_related(archive, &row.path)
        };
        let (event, reason) = if let Some((archive, why)) = self.archives.iter().rfind(may_hold) {
            (Event::Deleted, format!("removed; {} is {why}", archive.display()))
        } else if is_overwritten {
            (Event::NoCopy, TRUNCATED.to_owned())
        } else {
            (Event::Deleted, REMOVED.to_owned())
        };
        if event == Event::NoCopy {
            log::warn!(
                "{path}: truncated; what was written after byte {offset} and not read by then is lost"
            );
        } else {
            let hint = if reason == REMOVED {
                "; if rotation moved it to another directory, name that: --rotated-to DIR"
            } else {
                reason.trim_start_matches(REMOVED)
            };
            log::warn!(
                "{path}: the file that was read up to byte {offset} is gone; what it had after that is lost{hint}"
            );
        }
        let life = row.life.after(event);
        self.note(FileRow { life, ..row }, Some(&reason));
    }
}

impl TrackedFile {
    /// How it grew before it was found is known by its time of change only.
    fn found_at(&mut self, candidate: &Candidate) {
        if candidate.kin != Kin::Covered {
            self.growth.at = instant_of(candidate.seen.modified);
            if self.is_plain() {
                self.growth.size = candidate.seen.size;
            }
        }
    }
}

pub(super) fn row_of(id: i64, candidate: &Candidate, proof: Proof, life: Life) -> FileRow {
    FileRow {
        id,
        path: Path::to_path_buf(candidate.shown()),
        place: candidate.seen.place.clone(),
        inode: candidate.seen.inode,
        proof,
        life,
    }
}

/// The place after the last whole line.
fn end_of(bytes: &mut Bytes) -> Option<(Proof, Proven)> {
    let size = bytes.plain_size().ok()?;
    let length = usize::try_from(size)
        .unwrap_or(usize::MAX)
        .min(logwatch_record::MAX_MESSAGE);
    let mut tail = vec![0; length];
    let from = size - tail.len() as u64;
    bytes.fill_at(from, &mut tail).ok().filter(|filled| *filled)?;
    let end = memchr::memrchr(b'\n', &tail)? + 1;
    proof_at(bytes, from + end as u64).ok().flatten()
}
