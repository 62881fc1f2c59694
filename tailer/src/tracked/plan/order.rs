//! The order in which the files of a log were written.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{OpenFile, Step};
use crate::source::directory::{Candidate, Kin};
use crate::source::inputs::Inode;
use crate::source::names::{self, Age};
use crate::tracked::state::Life;

/// A log: its directory and the kind of its names.
pub(super) type Line = (Option<PathBuf>, Vec<u8>);

fn line_of(path: &Path) -> Line {
    (path.parent().map(Path::to_path_buf), names::kind(path))
}

/// The order in which the files of a log were written: the live one last.
pub(super) type Order = (bool, SystemTime, Reverse<Age>);

pub(super) fn order_of(candidate: &Candidate) -> Order {
    let age = Age::of(&candidate.seen.place);
    (
        candidate.kin == Kin::Covered && age == Age::Live,
        candidate.seen.modified,
        Reverse(age),
    )
}

pub(super) fn newest_of_each_line(candidates: &[Candidate]) -> HashMap<Line, SystemTime> {
    let mut newest: HashMap<Line, SystemTime> = HashMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.seen.size > 0) {
        let at = newest
            .entry(line_of(candidate.shown()))
            .or_insert(candidate.seen.modified);
        *at = candidate.seen.modified.max(*at);
    }
    newest
}

/// True when a newer file of its kind is there, so that nobody is likely to write to this one.
pub(super) fn is_old(candidate: &Candidate, newest: &HashMap<Line, SystemTime>) -> bool {
    candidate.kin != Kin::Covered
        || newest
            .get(&line_of(candidate.shown()))
            .is_some_and(|newest| *newest > candidate.seen.modified)
}

/// Sets which file each one is read after: the one that was written before it and may not be read
/// to its end.
pub(super) fn order<F>(steps: &mut [Step<F>], open: &[OpenFile<F>], candidates: &[Candidate]) {
    let by_inode: HashMap<Inode, &Candidate> = candidates
        .iter()
        .map(|candidate| (candidate.seen.inode, candidate))
        .collect();
    let mut written: HashMap<Line, Vec<(Order, i64)>> = HashMap::new();
    for open in open {
        let order = by_inode
            .get(&open.row.inode)
            .filter(|_| open.row.life != Life::Overwritten)
            .map_or((false, SystemTime::UNIX_EPOCH, Reverse(Age::Live)), |candidate| {
                order_of(candidate)
            });
        written
            .entry(line_of(&open.row.path))
            .or_default()
            .push((order, open.row.id));
    }
    for step in &*steps {
        if let Step::Resume { id, candidate, .. } | Step::StartAfter { id, candidate, .. } = step {
            written
                .entry(line_of(candidate.shown()))
                .or_default()
                .push((order_of(candidate), *id));
        }
    }
    for files in written.values_mut() {
        files.sort();
    }
    let newest = newest_of_each_line(candidates);
    for step in steps {
        if let Step::Resume {
            id,
            candidate,
            after,
            is_old: old,
            ..
        }
        | Step::StartAfter {
            id,
            candidate,
            after,
            is_old: old,
            ..
        } = step
        {
            *old = is_old(candidate, &newest);
            let files = written.get(&line_of(candidate.shown()));
            *after = files.and_then(|files| {
                let at = files.iter().position(|(_, other)| other == id)?;
                Some(files.get(at.checked_sub(1)?)?.1)
            });
        }
    }
}
