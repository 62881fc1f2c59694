//! The reader of the model: it looks, does what the plan says, and reads.

use std::time::{Duration, Instant, SystemTime};

use super::model::Model;
use super::model_files::{Node, Sampled, lines_of, names_of};
use super::{How, OpenFile, Setting, Step, plan};
use crate::source::directory::Candidate;
use crate::source::identity::{Proof, proof_at};
use crate::tracked::state::{Event, FileRow, Life};

/// An open file of the reader.
pub struct Held {
    pub row: FileRow,
    pub position: u64,
    /// The bytes it read, which make its proof.
    pub read: Vec<u8>,
}

impl Model {
    /// Starts the reader if it is stopped, looks, and does what the plan says.
    pub fn look(&mut self) {
        if self.held.is_none() {
            self.note("start".to_owned());
        }
        let mut held = self.held.take().unwrap_or_default();
        for file in &mut held {
            let node = self.node(file.row.inode.inode);
            let is_same = node.is_some_and(|node| node.bytes.starts_with(&file.read));
            if !is_same {
                file.row.life = file.row.life.after(Event::BytesGone);
            }
        }
        let candidates = self.folder.candidates(self.covers_all);
        let mut bodies: Vec<Option<Sampled>> = held
            .iter()
            .map(|file| {
                let node = self.node(file.row.inode.inode)?;
                (file.row.life != Life::Overwritten).then(|| Sampled(node.bytes.clone(), node.is_compressed))
            })
            .collect();
        let rows: Vec<&FileRow> = self
            .rows
            .values()
            .filter(|row| held.iter().all(|file| file.row.id != row.id))
            .collect();
        let mut open: Vec<OpenFile<Sampled>> = held
            .iter()
            .zip(&mut bodies)
            .map(|(file, body)| OpenFile {
                row: &file.row,
                now: if file.position == file.row.proof.offset {
                    file.row.proof
                } else {
                    Proof::of(file.position, &file.read, &file.read)
                },
                past: vec![file.row.proof],
                head: &file.read[..file.read.len().min(1024)],
                file: body.as_mut(),
            })
            .collect();
        let (settled, id) = (self.settled.clone(), &mut self.id);
        let steps = plan(
            &mut self.folder,
            &rows,
            &mut open,
            &candidates,
            &mut Setting {
                has_begun: &|_| true,
                belongs: &|_| true,
                is_settled: &|candidate| {
                    settled.get(&candidate.seen.inode.inode) == Some(&candidate.seen.modified)
                },
                from_end: false,
                now: SystemTime::UNIX_EPOCH,
                room: usize::MAX,
                draw_id: &mut || {
                    *id += 1;
                    *id
                },
            },
        );
        drop(open);
        self.note(format!("look: {}", names_of(&steps)));
        for step in steps {
            self.apply(step, &mut held);
        }
        // No copy was found: it ends.
        held.retain(|file| {
            let is_over = file.row.life == Life::Overwritten;
            if is_over {
                self.rows.insert(
                    file.row.id,
                    FileRow {
                        life: Life::Truncated,
                        ..file.row.clone()
                    },
                );
            }
            !is_over
        });
        self.held = Some(held);
        self.read();
    }

    pub fn node(&self, inode: u64) -> Option<&Node> {
        self.folder
            .nodes
            .values()
            .chain(&self.unlinked)
            .find(|node| node.inode == inode)
    }

    fn settle(&mut self, candidate: &Candidate) {
        let seen = &candidate.seen;
        self.settled.insert(seen.inode.inode, seen.modified);
    }

    fn apply(&mut self, step: Step<Sampled>, held: &mut Vec<Held>) {
        match step {
            Step::Named { open, candidate, .. } => held[open].row.place = candidate.seen.place,
            Step::Nameless { open } => {
                held[open].row.life = held[open].row.life.after(Event::NameLost(Instant::now()));
            }
            Step::Read {
                id,
                candidate,
                file,
                how: How::Resume,
                ..
            } => {
                let row = self.rows[&id].clone();
                let length = usize::try_from(row.proof.offset).unwrap();
                held.push(Held {
                    position: row.proof.offset,
                    read: file.0[..length].to_vec(),
                    row: FileRow {
                        inode: candidate.seen.inode,
                        place: candidate.seen.place,
                        life: Life::Live,
                        ..row
                    },
                });
            }
            Step::Read {
                id,
                candidate,
                how: How::Start { .. },
                ..
            } => held.push(Held {
                row: FileRow {
                    id,
                    path: candidate.shown().to_path_buf(),
                    place: candidate.seen.place.clone(),
                    inode: candidate.seen.inode,
                    proof: Proof::default(),
                    life: Life::Live,
                },
                position: 0,
                read: Vec::new(),
            }),
            Step::Read {
                id,
                candidate,
                mut file,
                how: How::GoOn,
                ..
            } => {
                if let Some(held) = held.iter_mut().find(|held| held.row.id == id)
                    && matches!(held.row.proof.check(&mut file), Ok(Some(_)))
                {
                    held.row.inode = candidate.seen.inode;
                    held.row.place = candidate.seen.place;
                    held.row.life = Life::Sealed;
                }
            }
            Step::CopyOf { id, candidate, proof } => {
                self.settle(&candidate);
                let is_copying = |(_, copy): &(_, u64)| *copy == candidate.seen.inode.inode;
                if self.copying.as_ref().is_some_and(is_copying) {
                    // The database is told once the copy is quiet.
                    return;
                }
                let of = held.iter().find(|file| file.row.id == id);
                let position = of.map(|file| file.position);
                let position = position.or_else(|| Some(self.rows.get(&id)?.proof.offset));
                let is_stored = position.is_some_and(|position| position >= proof.offset);
                if is_stored {
                    self.add_row(&candidate, proof);
                } else {
                    self.settled.remove(&candidate.seen.inode.inode);
                }
            }
            Step::Settle { id, candidate } => {
                self.settle(&candidate);
                self.rows.entry(id).and_modify(|row| {
                    row.inode = candidate.seen.inode;
                    row.place.clone_from(&candidate.seen.place);
                });
            }
            Step::Mark { candidate, proof } => self.add_row(&candidate, proof),
            Step::Gap { id, .. } => {
                self.gaps += 1;
                self.rows.entry(id).and_modify(|row| row.life = Life::Removed);
            }
            Step::Gone { id } => {
                let row = &self.rows[&id];
                let node = self.folder.nodes.values().find(|it| it.inode == row.inode.inode);
                let node = node.filter(|it| it.bytes.len() as u64 == row.proof.offset);
                let mut body = node.map(|it| Sampled(it.bytes.clone(), it.is_compressed));
                let proven = body.as_mut().map(|body| row.proof.check(body));
                if matches!(proven, Some(Ok(Some(_)))) {
                    self.faults.push(format!("{id} exists and is called deleted"));
                }
                self.rows.entry(id).and_modify(|row| row.life = Life::Removed);
            }
            Step::Order(before) => {
                let chain = |id| std::iter::successors(Some(id), |id| before.get(id).copied());
                if before
                    .keys()
                    .any(|id| chain(*id).skip(1).take(before.len()).any(|it| it == *id))
                {
                    self.faults.push(format!("files wait for each other: {before:?}"));
                }
            }
            Step::Defer | Step::NotALog { .. } | Step::Unreadable { .. } => {}
        }
    }

    fn add_row(&mut self, candidate: &Candidate, proof: Proof) {
        self.id += 1;
        let row = FileRow {
            id: self.id,
            path: candidate.shown().to_path_buf(),
            place: candidate.seen.place.clone(),
            inode: candidate.seen.inode,
            proof,
            life: Life::Done,
        };
        self.rows.insert(row.id, row);
    }

    /// Rotated files that are read to their end are done.
    pub fn end_rotated(&mut self) {
        let Some(held) = self.held.take() else { return };
        let (over, held) = held.into_iter().partition(|file| {
            let node = self.node(file.row.inode.inode);
            file.row.place != self.folder.live && node.is_some_and(|node| node.bytes == file.read)
        });
        self.held = Some(held);
        for file in Vec::<Held>::into_iter(over) {
            let inode = file.row.inode.inode;
            let node = self.node(inode);
            let has_name = self.folder.nodes.values().any(|node| node.inode == inode);
            let modified = node.map_or(0, |node| node.modified);
            if has_name {
                let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(modified);
                self.settled.insert(inode, modified);
            }
            self.note(format!("{} is done", file.row.place.display()));
            let life = file.row.life.after(Event::NameLost(Instant::now()));
            let life = life.after(Event::ReadToEnd { has_name });
            self.rows.insert(file.row.id, FileRow { life, ..file.row });
        }
    }

    /// Reads what is in the open files, and stores it.
    pub fn read(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        for file in &mut held {
            let Some(node) = self.node(file.row.inode.inode).cloned() else {
                continue;
            };
            if file.row.life == Life::Overwritten || !node.bytes.starts_with(&file.read) {
                continue;
            }
            for line in lines_of(&node.bytes[file.read.len()..]) {
                *self.stored.entry(line).or_default() += 1;
            }
            file.read.clone_from(&node.bytes);
            file.position = file.read.len() as u64;
            if let Ok(Some((proof, _))) = proof_at(&mut Sampled(node.bytes, false), file.position) {
                file.row.proof = proof;
            }
            self.rows.insert(file.row.id, file.row.clone());
        }
        self.held = Some(held);
    }
}
