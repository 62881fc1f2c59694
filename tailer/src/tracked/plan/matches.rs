//! Which candidate has the bytes of which row: by its inode first, then by the most bytes. A row
//! that is done comes after another one that has more of a candidate's bytes.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::{Planner, World};
use crate::source::identity::{Proof, hash};
use crate::tracked::state::FileRow;

/// A row, or an open file whose bytes are not at hand.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Row(usize),
    Open(usize),
}

/// The proof of a row or file that is looked for.
type Sought<'a> = (Holder, &'a FileRow, Proof);

impl<W: World> Planner<'_, '_, W> {
    /// Finds among the candidates from this index on the ones that have the bytes of each row, and
    /// of each open file whose bytes are gone, and gives each the best one.
    pub(super) fn match_from(&mut self, from: usize) {
        let mut by_head: HashMap<(usize, i64), Vec<Sought>> = HashMap::new();
        let rows = self.rows.iter().enumerate();
        let rows = rows.map(|(index, row)| (Holder::Row(index), *row, row.proof));
        let sought = (0..self.open.len()).filter(|index| self.is_sought(*index));
        let sought = sought.flat_map(|index| {
            let open = &self.open[index];
            [open.now, open.row.proof].map(|proof| (Holder::Open(index), open.row, proof))
        });
        for known in rows.chain(sought) {
            let proof = known.2;
            if proof.says_something() {
                let key = (proof.head_bytes, proof.head_hash);
                by_head.entry(key).or_default().push(known);
            }
        }
        let lengths: HashSet<usize> = by_head.keys().map(|(length, _)| *length).collect();
        let mut found = Vec::new();
        for (at, fresh) in self.fresh.iter_mut().enumerate().skip(from) {
            let Some(fresh) = fresh else { continue };
            let heads = lengths
                .iter()
                .filter_map(|length| Some((*length, hash(fresh.head.get(..*length)?))));
            for (holder, row, proof) in heads
                .filter_map(|head| by_head.get(&head))
                .flatten()
                .copied()
                .collect::<Vec<_>>()
            {
                let place = self.there.get(&row.inode).map(|there| &*there.seen.place);
                if fresh.holds(row, &proof, place) {
                    let seen = &fresh.candidate.seen;
                    // The same inode, most bytes, the same path, the longest – another one may be a
                    // copy that is not whole yet –, the latest change.
                    let rank = (
                        row.inode == seen.inode,
                        proof.offset,
                        row.path == seen.path,
                        fresh.plain_length(),
                        seen.modified,
                    );
                    found.push((Reverse(rank), at, holder));
                }
            }
        }
        found.sort_by_key(|(rank, ..)| *rank);
        let mut most: HashMap<usize, u64> = HashMap::new();
        for (Reverse((_, bytes, ..)), at, _) in &found {
            let most = most.entry(*at).or_default();
            *most = (*most).max(*bytes);
        }
        for (Reverse((_, bytes, ..)), at, holder) in &found {
            // A copy that was stored before it was whole: another row has more of its bytes.
            let is_done = matches!(holder, Holder::Row(index) if !self.rows[*index].life.is_open());
            if is_done && *bytes < most[at] {
                continue;
            }
            if !self.same.contains_key(at) && self.taken.insert(*holder) {
                self.same.insert(*at, *holder);
            }
        }
        for (_, at, holder) in found {
            if let Holder::Row(index) = holder {
                self.also.entry(at).or_default().push(index);
            }
        }
    }
}
