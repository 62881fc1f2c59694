//! The database: calls, and what to do about records that it refuses.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use logwatch_record::{Flags, Level};
use postgres::error::Severity;
use postgres::types::{ToSql, Type};

use super::{Attached, Sink, Stretch, heartbeat};
use crate::connect::settings::Settings;
use crate::connect::{self, Session, Trouble};
use crate::failure::Failure;
use crate::records::reader::Found;
use crate::source::identity::Proof;
use crate::source::inputs::Inode;
use crate::tracked::health::Health;
use crate::tracked::state::{FileRow, Life};

const ATTACH: &str = "SELECT epoch, min_level, file, path, dev, inode, head_bytes, head_hash, tail_bytes, tail_hash, next_byte, state, place, expected \
     FROM {schema}.logwatch_attach($1, $2, $3, $4)";
const INGEST: &str = "CALL {schema}.logwatch_ingest_range($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
/// Stretches of many files, in one transaction. Each takes its part of all records.
const INGEST_ALL: &str = "SELECT {schema}.logwatch_ingest($1, $2, u.file, u.path, u.dev, u.inode, u.from_byte, u.to_byte, u.head_bytes, u.head_hash, \
     u.tail_bytes, u.tail_hash, $16[u.first:u.last], $17[u.first:u.last], u.gap, u.state, u.place) \
     FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), \
     pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), pg_catalog.unnest($12), \
     pg_catalog.unnest($13), pg_catalog.unnest($14), pg_catalog.unnest($15), pg_catalog.unnest($18), pg_catalog.unnest($19)) \
     AS u (file, path, dev, inode, from_byte, to_byte, head_bytes, head_hash, tail_bytes, tail_hash, gap, state, place, first, last)";
/// No row before PostgreSQL 17.
const TRANSACTION_TIMEOUT: &str = "SELECT s.setting::bigint FROM pg_catalog.pg_settings AS s \
     WHERE s.name OPERATOR(pg_catalog.=) 'transaction_timeout'";
/// Number of files in one call.
const ROWS: usize = 1000;
/// Bytes that are kept of a record that the server cannot store whole within its limits.
const KEPT_OF_TOO_LARGE: usize = 8 * 1024;

/// The source as the database knows it.
pub struct Source {
    pub name: String,
    pub host: String,
    /// The inputs of the command line.
    pub path: String,
    pub zone_name: String,
}

pub struct Database {
    settings: Settings,
    pub(super) source: Source,
    session: Option<Session>,
    /// Records in one call, once the server has refused more of them.
    most_records: usize,
    pub(super) epoch: i64,
    pub(super) last_call: Instant,
    pub(super) told: heartbeat::Told,
    /// Expressions of the lines that rules expect.
    pub(super) expected: Vec<String>,
    /// The reader has not taken these expressions yet.
    pub(super) has_expected_news: bool,
}

impl Database {
    pub fn new(settings: Settings, source: Source) -> Database {
        Database {
            settings,
            source,
            session: None,
            most_records: usize::MAX,
            epoch: 0,
            last_call: Instant::now(),
            told: heartbeat::Told::default(),
            expected: Vec::new(),
            has_expected_news: false,
        }
    }

    /// Runs one statement; an error that is not about the records ends the connection, which may be
    /// in any state.
    pub(super) fn call(
        &mut self,
        sql: &str,
        values: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<postgres::Row>, Trouble> {
        let Some(session) = &mut self.session else {
            return Err(Trouble::Later("not connected".to_owned()));
        };
        self.last_call = Instant::now();
        let result = session.query(sql, values).map_err(|error| {
            let is_fatal = error
                .as_db_error()
                .is_some_and(|error| error.parsed_severity() == Some(Severity::Fatal));
            let trouble = connect::of_call(&error, session, &self.settings);
            (is_fatal || matches!(trouble, Trouble::Later(_)), trouble)
        });
        result.map_err(|(ends_connection, trouble)| {
            if ends_connection {
                self.session = None;
            }
            trouble
        })
    }

    fn connect_if_closed(&mut self) -> Result<(), Trouble> {
        if self
            .session
            .as_ref()
            .is_none_or(|session| session.client.is_closed())
        {
            self.session = Some(connect::connect(&self.settings, &self.source.zone_name)?);
        }
        Ok(())
    }

    fn ingest(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        let (texts, flags) = texts_and_flags(stretch.records.iter());
        let (source, epoch) = (self.source.name.clone(), self.epoch);
        let row = stretch.row;
        let proof = &row.proof;
        self.call(
            INGEST,
            &[
                (&source, Type::TEXT),
                (&epoch, Type::INT8),
                (&row.id, Type::INT8),
                (&path_text(&row.path), Type::TEXT),
                (&row.inode.dev.cast_signed(), Type::INT8),
                (&row.inode.inode.cast_signed(), Type::INT8),
                (&stretch.from.cast_signed(), Type::INT8),
                (&proof.offset.cast_signed(), Type::INT8),
                (&small(proof.head_bytes), Type::INT4),
                (&proof.head_hash, Type::INT8),
                (&small(proof.tail_bytes), Type::INT4),
                (&proof.tail_hash, Type::INT8),
                (&texts, Type::TEXT_ARRAY),
                (&flags, Type::INT4_ARRAY),
                (&stretch.gap, Type::TEXT),
                (&row.life.as_str(), Type::TEXT),
                (&place_text(row), Type::TEXT),
            ],
        )
        .map(|_| ())
    }

    fn ingest_all(&mut self, stretches: &[Stretch]) -> Result<(), Trouble> {
        fn column<T>(stretches: &[Stretch], of: impl FnMut(&Stretch) -> T) -> Vec<T> {
            stretches.iter().map(of).collect()
        }
        let (source, epoch) = (self.source.name.clone(), self.epoch);
        let rows = stretches;
        let (texts, flags) = texts_and_flags(rows.iter().flat_map(|it| it.records));
        // SQL counts from 1, and includes the last one.
        let mut last = 0;
        let lasts = column(rows, |it| {
            last += small(it.records.len());
            last
        });
        let firsts: Vec<i32> = [1]
            .into_iter()
            .chain(lasts.iter().map(|last| last + 1))
            .take(rows.len())
            .collect();
        self.call(
            INGEST_ALL,
            &[
                (&source, Type::TEXT),
                (&epoch, Type::INT8),
                (&column(rows, |it| it.row.id), Type::INT8_ARRAY),
                (&column(rows, |it| path_text(&it.row.path)), Type::TEXT_ARRAY),
                (
                    &column(rows, |it| it.row.inode.dev.cast_signed()),
                    Type::INT8_ARRAY,
                ),
                (
                    &column(rows, |it| it.row.inode.inode.cast_signed()),
                    Type::INT8_ARRAY,
                ),
                (&column(rows, |it| it.from.cast_signed()), Type::INT8_ARRAY),
                (
                    &column(rows, |it| it.row.proof.offset.cast_signed()),
                    Type::INT8_ARRAY,
                ),
                (
                    &column(rows, |it| small(it.row.proof.head_bytes)),
                    Type::INT4_ARRAY,
                ),
                (&column(rows, |it| it.row.proof.head_hash), Type::INT8_ARRAY),
                (
                    &column(rows, |it| small(it.row.proof.tail_bytes)),
                    Type::INT4_ARRAY,
                ),
                (&column(rows, |it| it.row.proof.tail_hash), Type::INT8_ARRAY),
                (&column(rows, |it| it.gap.map(str::to_owned)), Type::TEXT_ARRAY),
                (&column(rows, |it| it.row.life.as_str()), Type::TEXT_ARRAY),
                (&column(rows, |it| place_text(it.row)), Type::TEXT_ARRAY),
                (&texts, Type::TEXT_ARRAY),
                (&flags, Type::INT4_ARRAY),
                (&firsts, Type::INT4_ARRAY),
                (&lasts, Type::INT4_ARRAY),
            ],
        )
        .map(|_| ())
    }

    /// The server refused these records: halves them until the one that it means stands alone. That
    /// one becomes a gap.
    fn bisect(&mut self, stretch: &Stretch, reason: &str) -> Result<(), Trouble> {
        match stretch.records {
            [] => Err(Trouble::Final(Failure::Internal(format!(
                "the database refuses the offset of {}: {reason}",
                stretch.row.path.display()
            )))),
            [record] => {
                log::warn!(
                    "{}: the database refuses the record at byte {}: {reason}",
                    stretch.row.path.display(),
                    record.start
                );
                let gap = format!("refused by the database: {reason}");
                self.ingest(&Stretch {
                    records: &[],
                    gap: Some(&gap),
                    ..*stretch
                })
            }
            _ => self.store_halves(stretch),
        }
    }

    /// Stores two records or more in two calls.
    fn store_halves(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        let (first, second) = stretch.records.split_at(stretch.records.len() / 2);
        let middle = second[0].start;
        // The bytes before the middle are no longer at hand: only the head proves the file until
        // the second half is stored.
        let row = FileRow {
            proof: stretch.row.proof.head_only(middle),
            life: Life::Live,
            ..stretch.row.clone()
        };
        self.store(&Stretch {
            row: &row,
            records: first,
            ..*stretch
        })?;
        self.store(&Stretch {
            from: middle,
            records: second,
            ..*stretch
        })
    }

    /// Stores stretches. A connection that ends when transaction_timeout is over ended for that
    /// limit: the driver loses the server's reason together with the connection.
    fn ingest_within_limit(&mut self, stretches: &[Stretch]) -> Result<(), Trouble> {
        let started = Instant::now();
        let result = match stretches {
            [stretch] => self.ingest(stretch),
            _ => self.ingest_all(stretches),
        };
        let is_empty = matches!(stretches, [stretch] if stretch.records.is_empty());
        match result {
            Err(Trouble::Later(reason)) if self.session.is_none() && !is_empty => {
                let took = started.elapsed();
                self.connect_if_closed()?;
                let limit = self.transaction_timeout()?;
                Err(if limit.is_some_and(|limit| took >= limit) {
                    Trouble::Limit(connect::of_closed_call(&reason, self.settings.user()))
                } else {
                    Trouble::Later(reason)
                })
            }
            result => result,
        }
    }

    fn transaction_timeout(&mut self) -> Result<Option<Duration>, Trouble> {
        let rows = self.call(TRANSACTION_TIMEOUT, &[])?;
        let milliseconds = rows
            .first()
            .and_then(|row| u64::try_from(row.get::<_, i64>(0)).ok());
        Ok(milliseconds.filter(|limit| *limit > 0).map(Duration::from_millis))
    }

    /// The call exceeded a limit of the server: halves the records, and cuts one that alone is too
    /// large.
    fn store_within_limit(&mut self, stretch: &Stretch, reason: String) -> Result<(), Trouble> {
        self.connect_if_closed()?;
        match stretch.records {
            [record] if record.text.len() > KEPT_OF_TOO_LARGE => self.store_cut(stretch, record),
            // Fewer bytes would not help: the server is busy, or another session holds a lock.
            [] | [_] => Err(Trouble::Later(reason)),
            records => {
                self.most_records = records.len() / 2;
                log::warn!(
                    "the server cannot store {} records at once: {reason}; sending {} at most",
                    records.len(),
                    self.most_records
                );
                self.store_halves(stretch)
            }
        }
    }

    fn store_cut(&mut self, stretch: &Stretch, record: &Found) -> Result<(), Trouble> {
        // A lock that is gone may have been the reason.
        let reason = match self.ingest_within_limit(std::slice::from_ref(stretch)) {
            Err(Trouble::Limit(reason)) => reason,
            Err(Trouble::Data(reason)) => return self.bisect(stretch, &reason),
            result => return result,
        };
        self.connect_if_closed()?;
        let mut cut = record.clone();
        cut.text.truncate(cut.text.floor_char_boundary(KEPT_OF_TOO_LARGE));
        cut.flags |= Flags::TRUNCATED;
        let stored = self.ingest_within_limit(&[Stretch {
            records: std::slice::from_ref(&cut),
            ..*stretch
        }]);
        match stored {
            Ok(()) => {
                log::warn!(
                    "{}: the record at byte {} is stored cut to {} bytes: {reason}",
                    stretch.row.path.display(),
                    record.start,
                    cut.text.len()
                );
                Ok(())
            }
            Err(Trouble::Limit(reason)) => Err(Trouble::Later(reason)),
            Err(trouble) => Err(trouble),
        }
    }
}

impl Sink for Database {
    fn has_server(&self) -> bool {
        true
    }

    fn attach(&mut self) -> Result<Attached, Trouble> {
        self.connect_if_closed()?;
        self.most_records = usize::MAX;
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
            rows: Vec::new(),
        };
        for row in &rows {
            self.epoch = row.get(0);
            if let Ok(least) = row.get::<_, &str>(1).parse() {
                attached.least = least;
            }
            if let Some(expected) = row.get::<_, Option<Vec<String>>>(13) {
                self.take_expected(expected);
                // The reader may have begun anew.
                self.has_expected_news = true;
            }
            let Some(id) = row.get::<_, Option<i64>>(2) else {
                continue;
            };
            let path = PathBuf::from(row.get::<_, String>(3));
            let place = row.get::<_, Option<String>>(12).map(PathBuf::from);
            attached.rows.push(FileRow {
                id,
                place: place.unwrap_or_else(|| path.clone()),
                path,
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
                life: Life::of(row.get(11)),
            });
        }
        log::info!(
            "attached as source \"{name}\", epoch {}, {} files known",
            self.epoch,
            attached.rows.len()
        );
        Ok(attached)
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        if stretch.records.len() > self.most_records {
            return self.store_halves(stretch);
        }
        match self.ingest_within_limit(std::slice::from_ref(stretch)) {
            Err(Trouble::Data(reason)) => self.bisect(stretch, &reason),
            Err(Trouble::Limit(reason)) => self.store_within_limit(stretch, reason),
            result => result,
        }
    }

    fn store_all(&mut self, stretches: &[Stretch]) -> Result<(), Trouble> {
        let records: usize = stretches.iter().map(|stretch| stretch.records.len()).sum();
        match stretches {
            [] => return Ok(()),
            [stretch] => return self.store(stretch),
            _ if stretches.len() > ROWS || records > self.most_records => {}
            _ => match self.ingest_within_limit(stretches) {
                // The file that is refused is stored alone in the end.
                Err(Trouble::Data(_) | Trouble::Limit(_)) => self.connect_if_closed()?,
                result => return result,
            },
        }
        let (first, second) = stretches.split_at(stretches.len() / 2);
        self.store_all(first)?;
        self.store_all(second)
    }

    fn expected_news(&mut self) -> Option<Vec<String>> {
        std::mem::take(&mut self.has_expected_news).then(|| self.expected.clone())
    }

    fn tell(&mut self, at_once: bool, health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        self.beat(at_once, health)
    }
}

/// Returns the columns of the records; no flags if none has any, as mostly: the server would read
/// thousands of zeros.
fn texts_and_flags<'a>(records: impl Iterator<Item = &'a Found> + Clone) -> (Vec<&'a str>, Option<Vec<i32>>) {
    let has_flags = records.clone().any(|record| !record.flags.is_empty());
    let flags = records.clone().map(|record| i32::from(record.flags.bits()));
    let flags = has_flags.then(|| flags.collect());
    (records.map(|record| record.text.as_str()).collect(), flags)
}

/// Where the file is, unless that is its path.
fn place_text(row: &FileRow) -> Option<String> {
    (row.place != row.path).then(|| path_text(&row.place))
}

/// A path as the database can hold it.
pub(super) fn path_text(path: &Path) -> String {
    path.to_string_lossy().replace('\0', "\u{FFFD}")
}

fn small(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

fn large(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}
