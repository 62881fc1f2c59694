//! Which file is the one that was seen: one that the database knows, a copy of what is being read, or a new one.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::Roster;
use crate::sink::database::{State, Stored};
use crate::source::bytes::Content;
use crate::source::identity::{HEAD, Proof, Proven, TAIL};
use crate::source::inputs::Seen;
use crate::source::names;
use crate::tail::Tail;

impl Roster {
    /// The same inode and the same bytes as a file that the database knows, or a copy of one that is being read.
    pub(super) fn recognise_by_inode(&mut self, seen: &Seen) -> bool {
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        if self.find_copied(seen, &mut content).is_some() {
            return true;
        }
        self.resume_one_of(seen, |stored| stored.inode == seen.inode)
    }

    /// Goes on with the known file that has the most of the bytes of the one that was seen.
    fn resume_one_of(&mut self, seen: &Seen, may_be: impl Fn(&Stored) -> bool) -> bool {
        let mut rows: Vec<Stored> = self
            .free_rows()
            .filter(|stored| may_be(stored))
            .cloned()
            .collect();
        rows.sort_by_key(|stored| std::cmp::Reverse(stored.proof.offset));
        rows.iter().any(|stored| self.resume(stored, seen, None))
    }

    /// The same bytes as a file that was known by another inode: restored, compressed, copied back.
    pub(super) fn recognise_by_bytes(&mut self, seen: &Seen) -> bool {
        if self.resume_one_of(seen, |stored| names::are_related(&stored.path, &seen.path)) {
            return true;
        }
        // A file that lost its name to an identical one (cp a a.new; mv a.new a), or to its compressed twin.
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        for tail in self.tails.iter_mut().filter(|tail| tail.rotated.is_some()) {
            if !names::are_related(&tail.path, &seen.path) {
                continue;
            }
            let proof = tail.proof_now();
            if proof.says_something() && matches!(proof.check(&mut content), Ok(Some(_))) {
                log::info!(
                    "{}: the same bytes as {}",
                    seen.path.display(),
                    tail.path.display()
                );
                tail.finished = content.is_compressed();
                if !tail.is_gone() {
                    tail.content = content;
                    tail.inode = seen.inode;
                } else if !tail.go_on_in(content, seen.inode) {
                    return false;
                }
                tail.path.clone_from(&seen.path);
                tail.rotated = None;
                tail.aged = None;
                tail.look_again();
                return true;
            }
        }
        false
    }

    /// Goes on with a known file if the one that was seen has its bytes. `rotated`: the name that it had, and since when it is known
    /// to have lost it.
    pub(super) fn resume(&mut self, stored: &Stored, seen: &Seen, rotated: Option<(&Path, Instant)>) -> bool {
        let (path, inode) = (&seen.path, seen.inode);
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        let over = stored.state != State::Open && stored.inode == inode;
        if over
            && content.says_length(stored.proof.offset)
            && matches!(
                stored.proof.head_only(stored.proof.offset).check(&mut content),
                Ok(Some(_))
            )
        {
            // A compressed file that was read to its end: nothing more will come.
            self.matched.insert(stored.id);
            self.settled.insert(inode, seen.mark());
            return true;
        }
        let Ok(Some(proven)) = stored.proof.check(&mut content) else {
            return false;
        };
        let shown = rotated.map_or(path.as_path(), |(base, _)| base);
        let mut tail = Tail::new(
            stored.id,
            shown.to_path_buf(),
            inode,
            content,
            stored.proof,
            proven,
        );
        tail.known = true;
        tail.rotated = rotated.map(|(_, since)| since);
        log::info!("{}: going on at byte {}", path.display(), stored.proof.offset);
        self.tails.push(tail);
        true
    }

    /// A file that nobody knows. Returns its id, None when it is not to be read (now).
    pub(super) fn welcome(&mut self, seen: &Seen) -> Option<i64> {
        let mut content = match Content::open_seen(seen) {
            Ok(content) => content,
            Err(error) => {
                self.cannot_open(&seen.path, &error);
                return None;
            }
        };
        self.closed.remove(&seen.path);
        if self.find_copied(seen, &mut content).is_some() {
            return None;
        }
        // A compressed file whose end is not there yet is looked at again later.
        if content.is_compressed() && content.check_to_end().is_err() {
            return None;
        }
        let is_first = !self.looked && self.from_end;
        let is_related = self
            .rows()
            .any(|stored| names::are_related(&stored.path, &seen.path));
        let (proof, proven) = if is_first && !is_related && !content.is_compressed() {
            end_of(&mut content).unwrap_or_default()
        } else {
            Default::default()
        };
        log::info!("{}: new, reading from byte {}", seen.path.display(), proof.offset);
        let was_truncated = self.free_rows().any(|stored| {
            matches!(stored.state, State::Open | State::Truncated)
                && stored.path == seen.path
                && stored.inode == seen.inode
        });
        let id = self.add(&seen.path, seen.inode, content, proof, proven);
        if let Some(tail) = self.tails.last_mut() {
            tail.truncated = was_truncated;
        }
        Some(id)
    }
}

/// The place after the last whole line.
fn end_of(content: &mut Content) -> Option<(Proof, Proven)> {
    let size = content.plain_size().ok()?;
    let mut tail = vec![
        0;
        usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(logwatch_record::MAX_MESSAGE)
    ];
    let from = size - tail.len() as u64;
    content.fill_at(from, &mut tail).ok().filter(|filled| *filled)?;
    let end = memchr::memrchr(b'\n', &tail)? + 1;
    proof_at(content, from + end as u64).ok().flatten()
}

pub(super) fn proof_at(content: &mut Content, offset: u64) -> io::Result<Option<(Proof, Proven)>> {
    let length = |most: usize| usize::try_from(offset).unwrap_or(most).min(most);
    let (mut head, mut tail) = (vec![0; length(HEAD)], vec![0; length(TAIL)]);
    let filled = content.fill_at(0, &mut head)? && content.fill_at(offset - tail.len() as u64, &mut tail)?;
    Ok(filled.then(|| (Proof::of(offset, &head, &tail), Proven { head, tail })))
}
