//! The life of a file, as the database, the plan and the sender share it.
//!
//! ```text
//!          new, or known by its bytes
//!                     │
//!                     ▼       its name is lost, or a newer file of its kind is there
//!                   Live ───────────────────────────────────────▶ Rotated
//!                     │ ◀─────────────── its name is back ───────── │  │
//!   its bytes are gone│                                             │  │ read to its end, quiet
//!                     ▼            its bytes are gone               │  ▼
//!                Overwritten ◀──────────────────────────────────────┘ Done, or Removed without a name
//!                  │      │                                            ▲
//!        no copy   │      │ a copy holds them                          │ read to its end
//!                  ▼      └────────────▶ Sealed ───────────────────────┘
//!              Truncated                   ▲
//!                                          └── compressed, or a pipe that ended: nobody writes to it
//! ```
//!
//! A file that is Done may still grow, for a writer may hold it open: then it is read on from where
//! it was. So Done says one thing: all that was in it is stored, and that it is deleted is no loss.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::source::identity::Proof;
use crate::source::inputs::Inode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It may be written to under a name that is watched.
    Live,
    /// It lost its name, or a newer file took its place, at this time.
    Rotated(Instant),
    /// Nobody can be writing to it: it is a copy, compressed, or a pipe that ended.
    Sealed,
    /// Its bytes are not where they were read. A copy may hold them.
    Overwritten,
    /// All that was in it is stored.
    Done,
    /// Its bytes are gone from where they were read, and it began anew.
    Truncated,
    /// Deleted.
    Removed,
}

/// Events in the life of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    NameLost(Instant),
    NameBack,
    /// The proof failed.
    BytesGone,
    /// It is read in a copy, or in its compressed twin.
    FoundInCopy,
    /// The pipe or the journal gives no more.
    WriterGone,
    /// Read to its end, and nothing more is expected.
    ReadToEnd {
        has_name: bool,
    },
    /// No copy has its bytes.
    NoCopy,
    /// It is nowhere, or it was read before and is deleted.
    Deleted,
}

impl Life {
    /// Returns the life after an event. What cannot happen changes nothing.
    pub fn after(self, event: Event) -> Life {
        match (self, event) {
            (Life::Live, Event::NameLost(at)) => Life::Rotated(at),
            (Life::Rotated(_), Event::NameBack) => Life::Live,
            (Life::Live | Life::Rotated(_) | Life::Sealed, Event::BytesGone) => Life::Overwritten,
            (Life::Live | Life::Rotated(_) | Life::Overwritten, Event::FoundInCopy) => Life::Sealed,
            (Life::Live, Event::WriterGone) => Life::Sealed,
            (Life::Rotated(_) | Life::Sealed | Life::Live, Event::ReadToEnd { has_name: true }) => Life::Done,
            (Life::Rotated(_) | Life::Sealed | Life::Live, Event::ReadToEnd { has_name: false }) => {
                Life::Removed
            }
            (Life::Overwritten | Life::Live, Event::NoCopy) => Life::Truncated,
            (_, Event::Deleted) => Life::Removed,
            (life, _) => life,
        }
    }

    /// Returns true while it may have bytes that are not stored.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Life::Live | Life::Rotated(_) | Life::Sealed | Life::Overwritten
        )
    }

    /// Returns the life that the database's word stands for; a state of a later version is over as
    /// well.
    pub fn of(text: &str) -> Life {
        match text {
            "open" => Life::Live,
            "done" => Life::Done,
            "truncated" => Life::Truncated,
            _ => Life::Removed,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Life::Live | Life::Rotated(_) | Life::Sealed | Life::Overwritten => "open",
            Life::Done => "done",
            Life::Truncated => "truncated",
            Life::Removed => "removed",
        }
    }
}

/// A file as the database, the plan and the sender know it.
#[derive(Clone, Debug)]
pub struct FileRow {
    pub id: i64,
    /// As an input gives it; a rotated file keeps the path of the live one.
    pub path: PathBuf,
    /// Where it is: behind a link, or under the name that rotation gave it.
    pub place: PathBuf,
    pub inode: Inode,
    /// How far it is stored.
    pub proof: Proof,
    pub life: Life,
}

impl FileRow {
    pub fn whereabouts(&self) -> (&Path, &Path, Inode) {
        (&self.path, &self.place, self.inode)
    }
}

/// Returns a file's name in the database: random, so that no two tailers draw the same.
pub fn draw_id() -> i64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(Instant::now().elapsed().as_nanos());
    (hasher.finish() >> 1).cast_signed().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_follows_its_picture() {
        let now = Instant::now();
        let end = Event::ReadToEnd { has_name: true };
        for (events, life) in [
            (&[Event::NameLost(now), end][..], Life::Done),
            (&[Event::NameLost(now), Event::NameBack], Life::Live),
            (&[Event::BytesGone, Event::FoundInCopy, end], Life::Done),
            (&[Event::BytesGone, Event::NoCopy], Life::Truncated),
            (&[Event::WriterGone, end], Life::Done),
            (
                &[Event::NameLost(now), Event::ReadToEnd { has_name: false }],
                Life::Removed,
            ),
            (&[Event::NameLost(now), end, Event::Deleted], Life::Removed),
        ] {
            let lived = events.iter().fold(Life::Live, |life, event| life.after(*event));
            assert_eq!(lived, life, "{events:?}");
        }
    }
}
