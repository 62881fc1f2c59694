//! Which file is the one that was seen: one that the database knows, a copy of what is being read, or a new one.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use super::Roster;
use crate::content::Content;
use crate::files::{Inputs, Seen};
use crate::identity::{HEAD, Proof, Proven, TAIL};
use crate::rotation;
use crate::send::Stored;
use crate::tail::Tail;

impl Roster {
    /// The same inode and the same bytes as a file that the database knows.
    pub(super) fn recognise_by_inode(&mut self, seen: &Seen) -> bool {
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
        if self.resume_one_of(seen, |stored| rotation::are_related(&stored.path, &seen.path)) {
            return true;
        }
        // A file that lost its name to an identical one (cp a a.new; mv a.new a), or to its compressed twin.
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        for tail in self.tails.iter_mut().filter(|tail| tail.rotated.is_some()) {
            if !rotation::are_related(&tail.path, &seen.path) {
                continue;
            }
            let Some(proof) = tail.proofs().next() else {
                continue;
            };
            if matches!(proof.check(&mut content), Ok(Some(_))) {
                log::info!(
                    "{}: the same bytes as {}",
                    seen.path.display(),
                    tail.path.display()
                );
                tail.finished = content.is_compressed();
                tail.content = content;
                tail.inode = seen.inode;
                tail.path.clone_from(&seen.path);
                tail.rotated = None;
                tail.aged = None;
                tail.look_again();
                return true;
            }
        }
        false
    }

    /// Goes on with a known file if the one that was seen has its bytes.
    pub(super) fn resume(&mut self, stored: &Stored, seen: &Seen, rotated: Option<Instant>) -> bool {
        let (path, inode) = (&seen.path, seen.inode);
        let Ok(mut content) = Content::open_seen(seen) else {
            return false;
        };
        let Ok(Some(proven)) = stored.proof.check(&mut content) else {
            return false;
        };
        let shown = if rotated.is_some() { &stored.path } else { path };
        let mut tail = Tail::new(
            stored.id,
            shown.to_path_buf(),
            inode,
            content,
            stored.proof,
            proven,
        );
        tail.known = true;
        tail.rotated = rotated;
        log::info!("{}: going on at byte {}", path.display(), stored.proof.offset);
        self.tails.push(tail);
        true
    }

    /// A file that nobody knows. Returns its id, None when it is not to be read (now).
    pub(super) fn welcome(&mut self, seen: &Seen, inputs: &Inputs) -> Option<i64> {
        let mut content = match Content::open_seen(seen) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                if self.closed.insert(seen.path.clone(), error.to_string()).is_none() {
                    log::warn!("{} cannot be read: {error}", seen.path.display());
                }
                return None;
            }
        };
        self.closed.remove(&seen.path);
        let mut copied = false;
        for tail in &mut self.tails {
            if rotation::is_rotation_of(&seen.path, &tail.path)
                && inputs.covers(&tail.path)
                && tail.is_copied_by(&mut content, seen.size)
            {
                copied = true;
                break;
            }
        }
        if copied {
            log::info!("{}: a copy of what is being read", seen.path.display());
            self.settled.insert(seen.inode, seen.size);
            return None;
        }
        // A compressed file whose end is not there yet is looked at again later.
        if content.is_compressed() && content.check_to_end().is_err() {
            return None;
        }
        let is_first = !self.looked && self.from_end;
        let is_related = self
            .known
            .iter()
            .flat_map(HashMap::values)
            .any(|stored| rotation::are_related(&stored.path, &seen.path));
        let (proof, proven) = if is_first && !is_related && !content.is_compressed() {
            end_of(&mut content).unwrap_or_default()
        } else {
            Default::default()
        };
        log::info!("{}: new, reading from byte {}", seen.path.display(), proof.offset);
        let was_truncated = self
            .free_rows()
            .any(|stored| stored.open && stored.path == seen.path && stored.inode == seen.inode);
        let id = self.add(seen.path.clone(), seen.inode, content, proof, proven);
        if let Some(tail) = self.tails.last_mut() {
            tail.truncated = was_truncated;
        }
        Some(id)
    }
}

impl Tail {
    /// True when `content` holds the same bytes as this file, as far as it goes: `cp` makes such a file before it is truncated here.
    fn is_copied_by(&mut self, content: &mut Content, size: u64) -> bool {
        if !content.is_plain() {
            return self
                .proofs()
                .any(|proof| matches!(proof.check(content), Ok(Some(_))));
        }
        if size == 0 {
            return false;
        }
        let same = |own: &mut Content, content: &mut Content, from: u64, length: usize| {
            let (mut a, mut b) = (vec![0; length], vec![0; length]);
            own.fill_at(from, &mut a).unwrap_or(false)
                && content.fill_at(from, &mut b).unwrap_or(false)
                && a == b
        };
        let head = usize::try_from(size).unwrap_or(HEAD).min(HEAD);
        let tail = usize::try_from(size).unwrap_or(TAIL).min(TAIL);
        same(&mut self.content, content, 0, head)
            && same(&mut self.content, content, size - tail as u64, tail)
            || self
                .proofs()
                .any(|proof| matches!(proof.check(content), Ok(Some(_))))
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
