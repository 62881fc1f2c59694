//! Doing what the plan says.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::plan::{From, How, Step};
use super::state::{Event, FileRow, Life};
use super::{Copy, REMOVED, Settled, TRUNCATED, TrackedFile, TrackedFiles, instant_of};
use crate::source::bytes::Bytes;
use crate::source::directory::{Candidate, Kin};
use crate::source::identity::{Proof, Proven, Sample, proof_at};
use crate::source::names;

use super::state::draw_id;

impl TrackedFiles {
    pub(super) fn apply(&mut self, steps: Vec<Step<Bytes>>, problems: &mut Vec<(PathBuf, String)>) {
        let unfound = std::mem::take(&mut self.unfound);
        for step in steps {
            match step {
                Step::Named {
                    open,
                    candidate,
                    is_old,
                } => self.name(open, &candidate, is_old),
                Step::Nameless { open } => self.files[open].meet(Event::NameLost(Instant::now())),
                Step::Read {
                    id,
                    candidate,
                    file,
                    how,
                    is_old,
                } => {
                    match how {
                        How::Resume => self.resume(id, &candidate, file),
                        How::GoOn => self.go_on_in(id, &candidate, file),
                        How::Start { from, replaces } => self.start(id, &candidate, file, (from, replaces)),
                    }
                    if let (Some(file), false) = (self.file(id), how == How::GoOn) {
                        file.is_old = is_old;
                    }
                }
                Step::Order(before) => {
                    for file in &mut self.files {
                        file.after = before.get(&file.row.id).copied();
                    }
                }
                Step::CopyOf { id, candidate, proof } => {
                    log::info!("{}: a copy of what is being read", candidate.seen.path.display());
                    let copy = Copy {
                        path: candidate.seen.path.clone(),
                        place: candidate.seen.place.clone(),
                        of: id,
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
                Step::Defer => {}
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
                Step::Gap { id, is_overwritten } if unfound.contains(&id) => self.lose(id, is_overwritten),
                Step::Gap { id, .. } => {
                    self.unfound.insert(id);
                    self.knows_more = true;
                }
                Step::Gone { id } => {
                    let row = self.rows.get(&id).filter(|row| is_listed(&row.place)).cloned();
                    if let Some(row) = row {
                        let life = row.life.after(Event::Deleted);
                        self.note(FileRow { life, ..row }, None);
                    }
                }
            }
        }
    }

    /// New files are the last ones.
    fn file(&mut self, id: i64) -> Option<&mut TrackedFile> {
        self.files.iter_mut().rfind(|file| file.row.id == id)
    }

    fn name(&mut self, open: usize, candidate: &Candidate, is_old: bool) {
        let file = &mut self.files[open];
        let place = candidate.seen.place.clone();
        if candidate.kin == Kin::Covered {
            file.row.path.clone_from(&candidate.seen.path);
            file.meet(Event::NameBack);
            file.is_old = is_old;
        } else {
            file.meet(Event::NameLost(Instant::now()));
        }
        let path = file.row.path.clone();
        if std::mem::replace(&mut file.row.place, place.clone()) != place && candidate.kin != Kin::Covered {
            self.prove(&place, &path);
        }
    }

    /// Files of the same kind of name are looked at again, as rotations.
    fn prove(&mut self, place: &Path, path: &Path) {
        self.knows_more |= self.directories.prove(place, path);
    }

    fn resume(&mut self, id: i64, candidate: &Candidate, mut file: Bytes) {
        let Some(mut row) = self.rows.get(&id).cloned() else {
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
        if candidate.kin == Kin::Covered {
            row.path.clone_from(&candidate.seen.path);
        } else {
            self.prove(&candidate.seen.place, &row.path);
        }
        self.track(row, candidate, file, proven);
    }

    /// Reads a file from the row's offset on. The database knows it if it has the row, perhaps from
    /// a time when the file had no bytes.
    fn track(&mut self, row: FileRow, candidate: &Candidate, bytes: Bytes, proven: Proven) {
        let seen = &candidate.seen;
        let is_covered = candidate.kin == Kin::Covered;
        let changed = instant_of(seen.modified);
        let row = FileRow {
            place: seen.place.clone(),
            inode: seen.inode,
            life: if is_covered {
                Life::Live
            } else {
                Life::Rotated(changed)
            },
            ..row
        };
        let is_known = self.rows.contains_key(&row.id);
        let mut file = TrackedFile::new(row, bytes, proven);
        file.is_known = is_known;
        if !is_covered {
            // How it grew before it was found is known by its time of change only.
            file.growth.at = changed;
            if file.is_plain() {
                file.growth.size = seen.size;
            }
        }
        if file.is_closed() {
            file.park();
            if !file.is_parked() {
                log::info!("{}: changed while it was looked at", seen.path.display());
                return;
            }
        }
        self.settled.remove(&seen.inode);
        self.files.push(file);
    }

    fn start(&mut self, id: i64, candidate: &Candidate, mut bytes: Bytes, (from, replaces): (From, bool)) {
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
        if candidate.kin == Kin::Covered {
            log::info!(
                "{}: new, reading from byte {}",
                candidate.seen.path.display(),
                proof.offset
            );
        } else {
            log::info!("{}: rotated before it was seen", candidate.seen.path.display());
        }
        let row = row_of(id, candidate, proof, Life::Live);
        self.track(row, candidate, bytes, proven);
        if let Some(file) = self.file(id) {
            file.is_after_truncation = replaces;
        }
    }

    fn go_on_in(&mut self, id: i64, candidate: &Candidate, mut bytes: Bytes) {
        let Some(file) = self.file(id) else { return };
        if bytes.open_again().is_err() || !file.go_on_in(bytes, candidate) {
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
        let row = self.rows.get(&id);
        let row = row.filter(|row| row.life != Life::Done || row.inode != candidate.seen.inode);
        if let Some(row) = row.cloned() {
            let row = FileRow {
                inode: candidate.seen.inode,
                place: candidate.seen.place.clone(),
                life: Life::Done,
                ..row
            };
            self.note(row, None);
        }
    }

    /// The rest of a file cannot be read.
    fn lose(&mut self, id: i64, is_overwritten: bool) {
        let Some(row) = self.rows.get(&id).cloned() else {
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

/// Returns false when nobody knows what is in the file's folder.
pub(super) fn is_listed(place: &Path) -> bool {
    place.parent().is_none_or(|folder| folder.read_dir().is_ok())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::inputs::{Inode, Inputs};

    #[test]
    fn a_gap_needs_two_looks_that_do_not_find_the_file() {
        for is_back in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let new = || TrackedFiles::new(Inputs::new(&[path("app.log")], &[], &[]).unwrap(), false, 100);
            std::fs::write(path("app.log"), "ERROR first\n").unwrap();
            let mut before = new();
            before.inform(Vec::new());
            before.look();
            let file = &mut before.files[0];
            let proof = proof_at(file.bytes().unwrap(), 12).unwrap().unwrap().0;
            let row = FileRow {
                proof,
                ..file.row.clone()
            };
            std::fs::create_dir(path("away")).unwrap();
            std::fs::rename(path("app.log"), path("away/app.log")).unwrap();
            let mut tracked = new();
            tracked.inform(vec![row]);
            tracked.look();
            let gaps = |tracked: &TrackedFiles| tracked.notes.iter().filter(|it| it.gap.is_some()).count();
            assert!(gaps(&tracked) == 0 && tracked.has_more());
            if is_back {
                std::fs::rename(path("away/app.log"), path("app.log.1")).unwrap();
            }
            tracked.look();
            assert_eq!(gaps(&tracked), usize::from(!is_back));
        }
    }

    #[test]
    fn the_first_part_of_a_copy_is_not_read_and_a_live_file_that_begins_so_is() {
        let lines: String = (0..100)
            .map(|n| format!("INFO request number {n:010}\n"))
            .collect();
        for (name, is_read) in [("app.log.1.bak", false), ("web.log", true)] {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let inputs = Inputs::new(&[path("*.log"), path("*.log.*")], &[], &[]).unwrap();
            let mut tracked = TrackedFiles::new(inputs, false, 100);
            std::fs::write(path("app.log.1"), &lines).unwrap();
            let mut bytes = Bytes::open(&path("app.log.1")).unwrap();
            let row = FileRow {
                id: 1,
                path: path("app.log.1"),
                place: path("app.log.1"),
                inode: Inode::of(&bytes.metadata().unwrap()),
                proof: proof_at(&mut bytes, lines.len() as u64).unwrap().unwrap().0,
                life: Life::Done,
            };
            tracked.inform(vec![row]);
            std::fs::write(path(name), &lines[..lines.len() / 2]).unwrap();
            tracked.look();
            assert_eq!(tracked.files.len(), usize::from(is_read), "{name}");
            std::fs::write(path(name), &lines).unwrap();
            tracked.look();
            assert_eq!(tracked.files.len(), usize::from(is_read), "{name}");
        }
    }
}
