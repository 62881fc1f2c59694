//! Where records go: to the database, or – in `sink::dry_run` – to standard output.
//!
//! A call stores the records of a stretch of a file together with the stretch's end, in one transaction. So there is nothing to
//! remember here: what failed is asked for again.

mod heartbeat;

use std::path::{Path, PathBuf};
use std::time::Instant;

use logwatch_record::Level;
use postgres::Client;
use postgres::types::{ToSql, Type};

use crate::connect::settings::Settings;
use crate::connect::{self, Trouble};
use crate::failure::Failure;
use crate::records::reader::Found;
use crate::sink::health::Health;
use crate::source::identity::Proof;
use crate::source::inputs::Inode;

const ATTACH: &str = "SELECT epoch, min_level, file, path, dev, inode, head_bytes, head_hash, tail_bytes, tail_hash, next_byte, state \
     FROM logwatch_attach($1, $2, $3, $4)";
const INGEST: &str =
    "SELECT logwatch_ingest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Rotated away and read to its end.
    Done,
    /// It began again: its bytes are gone, or in a copy.
    Truncated,
    /// Deleted.
    Removed,
}

impl State {
    /// What the database says; a state that a later version made is over as well.
    fn of(text: &str) -> State {
        match text {
            "open" => State::Open,
            "done" => State::Done,
            "truncated" => State::Truncated,
            _ => State::Removed,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Done => "done",
            State::Truncated => "truncated",
            State::Removed => "removed",
        }
    }
}

/// A file as the database knows it.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: i64,
    pub path: PathBuf,
    pub inode: Inode,
    pub proof: Proof,
    pub state: State,
}

/// The answer to an attach.
pub struct Attached {
    pub least: Level,
    pub files: Vec<Stored>,
}

/// A stretch of a file, from the stored offset to `proof.offset`.
pub struct Stretch<'a> {
    /// None: a sign of life, about no file.
    pub file: Option<i64>,
    pub path: &'a Path,
    pub inode: Inode,
    pub from: u64,
    pub proof: Proof,
    pub records: &'a [Found],
    /// Why the bytes could not be read.
    pub gap: Option<&'a str>,
    pub state: State,
}

pub trait Sink {
    /// Claims the source, connecting first if need be.
    fn attach(&mut self) -> Result<Attached, Trouble>;
    /// Stores a stretch, or begins to: then the next call tells what came of it.
    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble>;
    /// As `store`, with these records in place of the stretch's. They may be taken.
    fn hand_over(&mut self, stretch: &Stretch, records: &mut Vec<Found>) -> Result<(), Trouble> {
        self.store(&Stretch { records, ..*stretch })
    }
    /// Waits until all that was begun is stored.
    fn settle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }
    /// How the files stand: offered often, and taken when it is time to. `at_once`: the run ends.
    fn tell(&mut self, at_once: bool, health: &dyn Fn() -> Health) -> Result<(), Trouble>;
}

/// The source as the database knows it.
pub struct Source {
    pub name: String,
    pub host: String,
    /// What the tailer was told to read.
    pub path: String,
    pub zone_name: String,
}

pub struct Database {
    settings: Settings,
    source: Source,
    client: Option<Client>,
    epoch: i64,
    last_call: Instant,
    told: heartbeat::Told,
}

impl Database {
    pub fn new(settings: Settings, source: Source) -> Database {
        Database {
            settings,
            source,
            client: None,
            epoch: 0,
            last_call: Instant::now(),
            told: heartbeat::Told::default(),
        }
    }

    /// Runs one statement; an error that is not about the records ends the connection, which may be in any state.
    fn call(
        &mut self,
        sql: &str,
        values: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<postgres::Row>, Trouble> {
        let Some(client) = &mut self.client else {
            return Err(Trouble::Later("not connected".to_owned()));
        };
        self.last_call = Instant::now();
        client.query_typed(sql, values).map_err(|error| {
            let trouble = connect::of_call(&error, &self.settings);
            if matches!(trouble, Trouble::Later(_)) {
                self.client = None;
            }
            trouble
        })
    }

    fn ingest(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        let texts: Vec<&str> = stretch
            .records
            .iter()
            .map(|record| record.text.as_str())
            .collect();
        let flags: Vec<i32> = stretch
            .records
            .iter()
            .map(|record| i32::from(record.flags.bits()))
            .collect();
        let source = self.source.name.clone();
        let epoch = self.epoch;
        let path = path_text(stretch.path);
        let proof = &stretch.proof;
        self.call(
            INGEST,
            &[
                (&source, Type::TEXT),
                (&epoch, Type::INT8),
                (&stretch.file, Type::INT8),
                (&path, Type::TEXT),
                (&stretch.inode.dev.cast_signed(), Type::INT8),
                (&stretch.inode.inode.cast_signed(), Type::INT8),
                (&stretch.from.cast_signed(), Type::INT8),
                (&proof.offset.cast_signed(), Type::INT8),
                (&small(proof.head_bytes), Type::INT4),
                (&proof.head_hash, Type::INT8),
                (&small(proof.tail_bytes), Type::INT4),
                (&proof.tail_hash, Type::INT8),
                (&texts, Type::TEXT_ARRAY),
                (&flags, Type::INT4_ARRAY),
                (&stretch.gap, Type::TEXT),
                (&stretch.state.as_str(), Type::TEXT),
            ],
        )
        .map(|_| ())
    }

    /// The server refused these records: halves them until the one that it means stands alone. That one becomes a gap.
    fn bisect(&mut self, stretch: &Stretch, reason: &str) -> Result<(), Trouble> {
        match stretch.records {
            [] => Err(Trouble::Final(Failure::Internal(format!(
                "the database refuses the offset of {}: {reason}",
                stretch.path.display()
            )))),
            [record] => {
                log::warn!(
                    "{}: the database refuses the record at byte {}: {reason}",
                    stretch.path.display(),
                    record.start
                );
                let gap = format!("refused by the database: {reason}");
                self.ingest(&Stretch {
                    records: &[],
                    gap: Some(&gap),
                    ..*stretch
                })
            }
            records => {
                let (first, second) = records.split_at(records.len() / 2);
                let middle = second[0].start;
                // The bytes before the middle are no longer at hand: only the head proves the file until the second half is stored.
                let proof = stretch.proof.head_only(middle);
                self.store(&Stretch {
                    proof,
                    records: first,
                    state: State::Open,
                    ..*stretch
                })?;
                self.store(&Stretch {
                    from: middle,
                    records: second,
                    ..*stretch
                })
            }
        }
    }
}

impl Sink for Database {
    fn attach(&mut self) -> Result<Attached, Trouble> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = Some(connect::connect(&self.settings, &self.source.zone_name)?);
        }
        self.told = heartbeat::Told::default();
        let (name, path, host) = (
            self.source.name.clone(),
            self.source.path.clone(),
            self.source.host.clone(),
        );
        let rows = self.call(
            ATTACH,
            &[
                (&name, Type::TEXT),
                (&path, Type::TEXT),
                (&host, Type::TEXT),
                (&env!("CARGO_PKG_VERSION"), Type::TEXT),
            ],
        )?;
        let mut attached = Attached {
            least: Level::Error,
            files: Vec::new(),
        };
        for row in &rows {
            self.epoch = row.get(0);
            if let Ok(least) = row.get::<_, &str>(1).parse() {
                attached.least = least;
            }
            if let Some(id) = row.get::<_, Option<i64>>(2) {
                attached.files.push(Stored {
                    id,
                    path: PathBuf::from(row.get::<_, String>(3)),
                    inode: Inode {
                        dev: row.get::<_, i64>(4).cast_unsigned(),
                        inode: row.get::<_, i64>(5).cast_unsigned(),
                    },
                    proof: Proof {
                        offset: row.get::<_, i64>(10).cast_unsigned(),
                        head_bytes: large(row.get(6)),
                        head_hash: row.get(7),
                        tail_bytes: large(row.get(8)),
                        tail_hash: row.get(9),
                    },
                    state: State::of(row.get(11)),
                });
            }
        }
        log::info!(
            "attached as source \"{name}\", epoch {}, {} files known",
            self.epoch,
            attached.files.len()
        );
        Ok(attached)
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        match self.ingest(stretch) {
            Err(Trouble::Data(reason)) => self.bisect(stretch, &reason),
            result => result,
        }
    }

    fn tell(&mut self, at_once: bool, health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        self.beat(at_once, health)
    }
}

/// A path as the database can hold it.
fn path_text(path: &Path) -> String {
    path.to_string_lossy().replace('\0', "\u{FFFD}")
}

fn small(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

fn large(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}
