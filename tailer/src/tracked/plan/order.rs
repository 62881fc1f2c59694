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

/// A log: its directory and the series of its names.
type Line = (Option<PathBuf>, Vec<u8>);

/// When a file of each log was changed last.
pub(super) type Newest = HashMap<Line, SystemTime>;

fn line_of(path: &Path) -> Line {
    (path.parent().map(Path::to_path_buf), names::series(path))
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

pub(super) fn newest_of_each_line(candidates: &[Candidate]) -> Newest {
    let mut newest = Newest::new();
    for candidate in candidates.iter().filter(|candidate| candidate.seen.size > 0) {
        let at = newest
            .entry(line_of(candidate.shown()))
            .or_insert(candidate.seen.modified);
        *at = candidate.seen.modified.max(*at);
    }
    newest
}

/// True when a newer file of its kind is there, so that nobody is likely to write to this one.
pub(super) fn is_old(candidate: &Candidate, newest: &Newest) -> bool {
    candidate.kin != Kin::Covered
        || newest
            .get(&line_of(candidate.shown()))
            .is_some_and(|newest| *newest > candidate.seen.modified)
}

/// Returns which file each one is read after: the one that was written before it and may not be
/// read to its end. `None` when no file is read from now on.
pub(super) fn order<F>(
    steps: &[Step<F>],
    open: &[OpenFile<F>],
    there: &HashMap<Inode, &Candidate>,
) -> Option<HashMap<i64, i64>> {
    let reads = steps.iter().filter_map(|step| match step {
        Step::Read { id, candidate, .. } => Some((*id, candidate)),
        _ => None,
    });
    let reads: HashMap<i64, &Candidate> = reads.collect();
    if reads.is_empty() {
        return None;
    }
    let written = reads
        .iter()
        .map(|(id, it)| (line_of(it.shown()), order_of(it), *id));
    // A file that goes on in another one is where that is.
    let open = open.iter().filter(|open| !reads.contains_key(&open.row.id));
    let open = open.map(|open| {
        let is_here = open.row.life != Life::Overwritten;
        let candidate = there.get(&open.row.inode).filter(|_| is_here);
        let gone = (false, SystemTime::UNIX_EPOCH, Reverse(Age::Live));
        let order = candidate.map_or(gone, |candidate| order_of(candidate));
        (line_of(&open.row.path), order, open.row.id)
    });
    let mut written: Vec<(Line, Order, i64)> = written.chain(open).collect();
    written.sort();
    let pairs = written.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    Some(pairs.map(|pair| (pair[1].2, pair[0].2)).collect())
}
