//! The files that are being read, and which file a name means: the memory of the loop.
//!
//! Whenever the directories are looked at, `plan` says what each file in them is, and `apply` does
//! it. Reading and storing are done by `run`; nothing here talks to the database.

mod apply;
mod copies;
mod file;
mod growth;
mod handles;
pub mod health;
mod identify;
mod inform;
mod joined;
mod plan;
mod standing;
pub mod state;
mod window;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::source::bytes::Bytes;
use crate::source::directory::{Candidate, Directories, Kin};
use crate::source::identity::{Proof, Sample, proof_at};
use crate::source::inputs::{Inode, Inputs, Mark, Seen, mark};
use crate::source::names;
use identify::OpenFile;
use plan::{Setting, World, plan};
use state::{FileRow, Life, draw_id};

pub use file::{Handle, Look, TrackedFile};
pub use window::Buffer;

/// The row of an input that nothing was there for.
const NOWHERE: Inode = Inode { dev: 0, inode: 0 };

/// Number of candidates that a look holds open, however many files are open.
const ROOM: usize = 64;

/// The reason of a gap: the file was cut short.
pub const TRUNCATED: &str = "truncated";
/// The reason of a gap: the file is nowhere to be found.
const REMOVED: &str = "removed";

/// Something to store about a file that is not read.
pub struct Note {
    /// As it is to be; its proof may be of more than is stored.
    pub row: FileRow,
    /// How far it is stored.
    pub from: u64,
    pub gap: Option<String>,
    /// It is a copy of this file, and holds only as long as that file is stored as far as the copy
    /// goes.
    copy_of: Option<i64>,
}

/// A copy of another file, which is not read.
struct Copy {
    path: PathBuf,
    place: PathBuf,
    /// The file that it is a copy of.
    of: i64,
    /// Proves all that it had when it was compared.
    proof: Proof,
}

/// The decision on a file that need not be read while it does not change.
struct Settled {
    mark: Mark,
    copy: Option<Copy>,
}

pub struct TrackedFiles {
    pub files: Vec<TrackedFile>,
    pub notes: Vec<Note>,
    pub inputs: Inputs,
    pub directories: Directories,
    /// The rows of the database.
    rows: HashMap<i64, FileRow>,
    /// The database said which rows it has.
    is_informed: bool,
    settled: HashMap<Inode, Settled>,
    /// Inputs that the database knew when this run began.
    begun: HashSet<PathBuf>,
    /// Files that cannot be read, with the reason.
    errors: HashMap<PathBuf, String>,
    /// Files that are no logs, or compressed and unreadable, with the reason.
    archives: Vec<(PathBuf, String)>,
    from_end: bool,
    has_looked: bool,
    /// No file was there at the last look.
    is_empty: bool,
    /// Patterns that matched no file at the first look.
    pub unmatched: Vec<PathBuf>,
    /// Number of files that may be held open.
    handles: usize,
    /// Number of files that are held open; may be too high between two looks.
    held: usize,
    /// The next look may find more.
    knows_more: bool,
    /// Rows whose bytes were nowhere at the last look. A name that changes while a directory is
    /// listed can be missed, so a gap needs two looks.
    unfound: HashSet<i64>,
}

struct Disk;

impl World for Disk {
    type File = Bytes;

    fn open(&mut self, candidate: &Candidate) -> io::Result<Bytes> {
        Bytes::open_seen(&candidate.seen)
    }

    fn leads_to(&self, path: &Path, inode: Inode) -> bool {
        leads_to(path, inode)
    }
}

impl TrackedFiles {
    pub fn new(inputs: Inputs, from_end: bool, handles: usize) -> TrackedFiles {
        TrackedFiles {
            files: Vec::new(),
            notes: Vec::new(),
            inputs,
            directories: Directories::default(),
            rows: HashMap::new(),
            is_informed: false,
            settled: HashMap::new(),
            begun: HashSet::new(),
            errors: HashMap::new(),
            archives: Vec::new(),
            from_end,
            has_looked: false,
            is_empty: true,
            unmatched: Vec::new(),
            handles,
            held: 0,
            knows_more: false,
            unfound: HashSet::new(),
        }
    }

    pub fn has_looked(&self) -> bool {
        self.has_looked
    }

    pub fn is_informed(&self) -> bool {
        self.is_informed
    }

    /// Returns true when the file that grew at this place is known: then the directory needs no
    /// look.
    pub fn reads(&mut self, place: &Path) -> bool {
        // A rotated file without another name has lost this one.
        let is_here = |file: &&mut TrackedFile| {
            let has_place = !file.is_rotated() || file.row.place != file.row.path;
            file.row.place == place && has_place && !file.is_overwritten()
        };
        let Some(file) = self.files.iter_mut().find(is_here) else {
            return false;
        };
        if file.is_parked() {
            file.look_again();
        }
        true
    }

    /// Looks which files there are, and what became of those that are being read.
    pub fn look(&mut self) {
        self.check_bytes();
        let (candidates, mut problems) = self.directories.look(&mut self.inputs);
        self.is_empty = !candidates.iter().any(|candidate| candidate.kin == Kin::Covered);
        let there: HashMap<Inode, &Seen> = candidates.iter().map(|it| (it.seen.inode, &it.seen)).collect();
        self.wake_parked(&there);
        self.settled
            .retain(|inode, settled| there.get(inode).is_some_and(|seen| seen.mark() == settled.mark));
        self.tend_copies();
        if !self.has_looked {
            self.find_begun();
        }
        let steps = {
            let ids: HashSet<i64> = self.files.iter().map(|file| file.row.id).collect();
            let rows = self.rows.values().filter(|row| !ids.contains(&row.id));
            let mut rows: Vec<&FileRow> = rows.collect();
            rows.sort_by_key(|row| row.id);
            let (settled, begun, inputs) = (&self.settled, &self.begun, &self.inputs);
            let (has_looked, held) = (self.has_looked, self.held);
            let mut setting = Setting {
                has_begun: &|base| {
                    has_looked
                        || inputs
                            .each()
                            .any(|(text, covers)| covers(base) && begun.contains(text))
                },
                belongs: &|row| {
                    inputs.covers(&row.path) || names::bases(&row.path).iter().any(|base| inputs.covers(base))
                },
                is_settled: &|candidate| settled.contains_key(&candidate.seen.inode),
                from_end: self.from_end && !has_looked,
                now: SystemTime::now(),
                room: self.handles.saturating_sub(held).max(ROOM.min(self.handles / 2)),
                draw_id: &mut draw_id,
            };
            let mut open: Vec<OpenFile<Bytes>> = self.files.iter_mut().map(open_file).collect();
            plan(&mut Disk, &rows, &mut open, &candidates, &mut setting)
        };
        self.knows_more = false;
        self.apply(steps, &mut problems);
        if !self.has_looked {
            self.has_looked = true;
            self.begin_inputs(&candidates);
            let covered = candidates.iter().filter(|it| it.kin == Kin::Covered);
            let covered: Vec<&Path> = covered.map(|it| it.seen.path.as_path()).collect();
            self.unmatched = self.inputs.unmatched(&covered);
            if let Some(paths) = names::in_several_formats(covered.into_iter()) {
                log::warn!(
                    "{} seem to be one log in several formats; its records are stored once for each: \
                     name the files of one format, or leave others out with --exclude",
                    paths.join(", ")
                );
            }
        }
        self.tend_copies();
        self.park_some();
        self.end_missing(&there);
        problems.extend(self.inputs.problems());
        self.set_errors(problems);
    }

    /// Finds the files whose bytes are not where they were read.
    fn check_bytes(&mut self) {
        for file in &mut self.files {
            if file.is_replaced() {
                let (path, position) = (file.row.path.display(), file.reader.position());
                log::info!("{path}: truncated or overwritten after byte {position}");
                file.set_overwritten();
            }
        }
    }

    /// Something to store about a file that is not read, as far as it is stored.
    pub fn note(&mut self, row: FileRow, gap: Option<&str>) {
        self.note_from(row.proof.offset, row, gap);
    }

    /// The same, of bytes from this offset on.
    fn note_from(&mut self, from: u64, row: FileRow, gap: Option<&str>) {
        self.rows.insert(row.id, row.clone());
        self.notes.push(Note {
            row,
            from,
            gap: gap.map(str::to_owned),
            copy_of: None,
        });
    }

    /// Records bytes that were seen of this file after its boundary as a separate gap: the file's
    /// own row keeps the stored offset, by which a later copy is recognised.
    pub fn note_missing(&mut self, index: usize) {
        let has_copy = self.has_copy(&self.files[index]);
        let file = &mut self.files[index];
        let from = file.reader.boundary();
        let to = match file.take_missing() {
            Some(to) => to,
            None if file.is_overwritten() && file.was_under_load() && !has_copy => from,
            None => return,
        };
        log::warn!(
            "{}: truncated; what was written after byte {from} and not read by then is lost",
            file.row.path.display()
        );
        let row = FileRow {
            id: draw_id(),
            proof: Proof {
                offset: to,
                ..Proof::default()
            },
            life: Life::Removed,
            ..file.row.clone()
        };
        self.note_from(from, row, Some(TRUNCATED));
    }

    /// Ends a file that is read to its end, or whose bytes are gone for good.
    pub fn end(&mut self, mut file: TrackedFile, life: Life) {
        let metadata = file.bytes().and_then(|bytes| bytes.metadata().ok());
        if let (true, Some(metadata)) = (file.has_name(), metadata) {
            self.settled.insert(
                file.row.inode,
                Settled {
                    mark: mark(&metadata),
                    copy: None,
                },
            );
        }
        if file.is_known {
            file.row.life = life;
            self.rows.insert(file.row.id, file.row);
        }
    }

    /// At the first look: which inputs the database knows.
    fn find_begun(&mut self) {
        let paths = self.rows.values().map(|row| &row.path);
        let known: HashSet<PathBuf> = paths
            .flat_map(|path| names::bases(path).into_iter().chain([path.clone()]))
            .collect();
        let begun = self.inputs.each().filter(|(text, covers)| {
            let is_pattern = !self.inputs.is_name(text);
            known.contains(*text) || is_pattern && known.iter().any(|path| covers(path))
        });
        let begun = begun.map(|(text, _)| text.to_path_buf()).collect();
        self.begun = begun;
    }

    /// Notes a row for each input that the database does not know, so that it does. Files that were
    /// there before, under names that only later prove to be rotated ones, are not read.
    fn begin_inputs(&mut self, candidates: &[Candidate]) {
        for stranger in candidates.iter().filter(|it| it.kin == Kin::Stranger) {
            let path = &stranger.seen.path;
            let is_older = candidates.iter().any(|live| {
                let is_new = |(text, covers): (&Path, &dyn Fn(&Path) -> bool)| {
                    covers(&live.seen.path) && !self.begun.contains(text)
                };
                live.kin == Kin::Covered
                    && names::extends(path, &live.seen.place)
                    && self.inputs.each().any(|(text, covers)| is_new((text, &covers)))
            });
            if is_older {
                let (mark, copy) = (stranger.seen.mark(), None);
                let proof = Bytes::open_seen(&stranger.seen).ok().and_then(|mut bytes| {
                    let size = bytes.plain_size().ok()?;
                    Some(proof_at(&mut bytes, size).ok()??.0)
                });
                if let Some(proof) = proof {
                    self.settled.insert(stranger.seen.inode, Settled { mark, copy });
                    self.note(apply::row_of(draw_id(), stranger, proof, Life::Done), None);
                }
            }
        }
        let files: HashMap<&Path, &TrackedFile> =
            self.files.iter().map(|it| (it.row.path.as_path(), it)).collect();
        let there: HashMap<&Path, &Candidate> =
            candidates.iter().map(|it| (it.seen.path.as_path(), it)).collect();
        let mut rows = Vec::new();
        for (text, covers) in self.inputs.each() {
            if self.begun.contains(text) {
                continue;
            }
            let (mut file, mut seen) = (files.get(text).copied(), there.get(text).copied());
            if !self.inputs.is_name(text) {
                file = file.or_else(|| self.files.iter().find(|file| covers(&file.row.path)));
                seen = seen.or_else(|| candidates.iter().find(|it| covers(&it.seen.path)));
            }
            rows.push(match (file, seen) {
                (Some(file), _) => FileRow {
                    life: Life::Live,
                    ..file.row.clone()
                },
                (None, seen) => FileRow {
                    id: draw_id(),
                    path: seen.map_or(text, |seen| &seen.seen.path).to_path_buf(),
                    place: seen.map_or(text, |seen| &seen.seen.place).to_path_buf(),
                    inode: seen.map_or(NOWHERE, |seen| seen.seen.inode),
                    proof: Proof::default(),
                    life: if seen.is_some() { Life::Live } else { Life::Done },
                },
            });
        }
        for row in rows {
            self.note(row, None);
        }
    }
}

fn open_file(file: &mut TrackedFile) -> OpenFile<'_, Bytes> {
    let (now, past) = (file.sought(), file.past());
    let is_here = !file.is_overwritten();
    OpenFile {
        now,
        past,
        row: &file.row,
        head: file.reader.head(),
        file: match &mut file.handle {
            file::Handle::Open(bytes) if is_here => Some(bytes),
            file::Handle::Open(_) | file::Handle::Parked(_) => None,
        },
    }
}

/// The name still leads to this file.
fn leads_to(path: &Path, inode: Inode) -> bool {
    Seen::at(path)
        .ok()
        .flatten()
        .is_some_and(|seen| seen.inode == inode)
}

/// The time of a file's last change, as far back as this machine's clock goes.
fn instant_of(modified: SystemTime) -> Instant {
    let now = Instant::now();
    modified
        .elapsed()
        .ok()
        .and_then(|age| now.checked_sub(age))
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_done_and_still_there_stays_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        std::fs::write(&path, "ERROR first\n").unwrap();
        let inputs = Inputs::new(&[path], &[], &[]).unwrap();
        let mut tracked = TrackedFiles::new(inputs, false, 100);
        tracked.inform(Vec::new());
        tracked.look();
        let file = &mut tracked.files[0];
        file.row.proof = proof_at(file.bytes().unwrap(), 12).unwrap().unwrap().0;
        file.is_known = true;
        let file = tracked.files.remove(0);
        tracked.end(file, Life::Done);
        tracked.notes.clear();
        for _ in 0..3 {
            tracked.look();
        }
        let lives: Vec<Life> = tracked.rows.values().map(|row| row.life).collect();
        assert_eq!(lives, [Life::Done]);
        assert!(tracked.files.is_empty() && tracked.notes.is_empty());
    }

    /// The files of a first look at 40 names, when 16 may be open.
    fn first_look(input: &str, name: fn(usize) -> String, from_end: bool) -> TrackedFiles {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..40 {
            std::fs::write(folder.path().join(name(number)), format!("ERROR {number:05}\n")).unwrap();
        }
        let inputs = Inputs::new(&[folder.path().join(input)], &[], &[]).unwrap();
        let mut tracked = TrackedFiles::new(inputs, from_end, 16);
        tracked.inform(Vec::new());
        tracked.look();
        tracked
    }

    #[test]
    fn one_look_decides_on_all_files_and_holds_some_open() {
        for from_end in [false, true] {
            let tracked = first_look("*.log", |number| format!("{number}.log"), from_end);
            assert!(!tracked.has_more());
            let held = tracked.files.iter().filter(|file| !file.is_parked()).count();
            assert_eq!((tracked.files.len(), held), (40, 16));
            let expected = if from_end { 12 } else { 0 };
            assert!(
                tracked
                    .files
                    .iter()
                    .all(|file| file.reader.position() == expected)
            );
        }
    }

    #[test]
    fn no_rotated_file_of_a_new_input_is_read_however_many_there_are() {
        let name = |number| match number {
            0 => "app.log".to_owned(),
            _ => format!("app.log.{number}"),
        };
        let tracked = first_look("app.log", name, false);
        assert_eq!(tracked.files.len(), 1);
        let done = tracked.notes.iter().filter(|note| note.row.life == Life::Done);
        assert_eq!(done.count(), 39);
    }
}
