//! Storing records: one pass of Rust per record, then a few statements per batch.
//!
//! Nothing in a record may fail the batch: an odd record gets a flag. The statements are
//! append-only, so that many tailers never wait for each other.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use logwatch_record::{Context, Flags, Level, pattern, source};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::column::{Column, Micros};
use crate::jsonb::Jsonb;
use crate::message::printable;
use crate::patterns;
use crate::pg::{self, IfDropped};
use crate::{report, settings};

mod append;
mod expected;
mod statements;
mod sums;

use append::Records;
use expected::Expected;
use statements::{number, with_plans};
use sums::Sums;

/// A record that says it was logged later than this from now on is not believed.
const FUTURE: SignedDuration = SignedDuration::from_mins(5);
/// Continuation lines are cut after this many bytes.
const MAX_DETAIL: usize = 1024 * 1024;
/// Fields of a JSON or logfmt record that would take more than this, as jsonb, are left out.
const MAX_FIELDS: usize = 256 * 1024;
/// Limits of one call in records and bytes: a client must not make the server run out of memory.
const MAX_CALL_RECORDS: usize = 100_000;
const MAX_CALL_BYTES: usize = 64 * 1024 * 1024;
/// How much of a pattern's first message is kept as its sample.
const MAX_SAMPLE: usize = 2000;

/// Columns of one batch, in the form that its statements take.
#[derive(Default)]
struct Batch {
    logged_at: Column<Micros>,
    level: Column<i32>,
    fingerprint: Vec<i64>,
    message: Column<str>,
    detail: Column<str>,
    fields: Column<Jsonb>,
    flags: Column<str>,
    /// First and last event time, microseconds since 2000; a clock that is ahead counts as now.
    span: Option<(i64, i64)>,
    /// Second (microseconds since 2000), fingerprint and level of each record.
    counted: Vec<(i64, i64, Level)>,
    /// Patterns that this session has not seen in the table yet.
    unknown: HashMap<i64, Pattern>,
    expected: Expected,
}

/// A pattern as its first record in the batch has it.
pub struct Pattern {
    pub level: Level,
    pub template: String,
    /// Its first second.
    pub second: i64,
    pub sample: String,
}

impl Batch {
    /// Classifies one record and adds it, unless it is below the level and no rule expects it.
    fn add(&mut self, text: &str, given: Flags, least: Level, context: &Context) {
        if text.trim().is_empty() {
            return;
        }
        let record = logwatch_record::parse(text, context);
        let expected = self.expected.matches(text, &record.message);
        let level = match record.level {
            Some(level) if level >= least => level,
            _ if expected.is_empty() => return,
            level => level.unwrap_or(Level::Info),
        };
        let mut flags = record.flags | given;
        let now = to_postgres(context.now);
        let logged_at = match record.logged_at {
            Some(at) if at.duration_since(context.now) > FUTURE => {
                flags |= Flags::TIME_FUTURE;
                now
            }
            Some(at) => to_postgres(at),
            None => {
                flags |= Flags::TIME_MISSING;
                now
            }
        };
        let detail = record
            .detail
            .as_deref()
            .map(|detail| match cut(detail, MAX_DETAIL) {
                Some(shorter) => {
                    flags |= Flags::TRUNCATED;
                    shorter
                }
                None => detail,
            });
        let template = pattern::template(&record.message);
        let fingerprint = pattern::fingerprint(level, &template);
        // Clocks that are a little ahead count as now: a window that ends now must see them.
        let counted = logged_at.min(now);
        let (first, last) = self.span.unwrap_or((counted, counted));
        self.span = Some((first.min(counted), last.max(counted)));
        let second = counted.div_euclid(SECOND) * SECOND;
        self.counted.push((second, fingerprint, level));
        self.expected.note(expected, second);
        if !patterns::is_known(fingerprint) {
            let pattern = self.unknown.entry(fingerprint).or_insert_with(|| Pattern {
                level,
                template,
                second,
                sample: cut(&record.message, MAX_SAMPLE)
                    .unwrap_or(&record.message)
                    .to_owned(),
            });
            pattern.second = pattern.second.min(second);
        }
        let fields = record
            .fields
            .filter(|fields| !fields.is_empty())
            .and_then(Jsonb::of);
        if fields.as_ref().is_some_and(|fields| fields.len() > MAX_FIELDS) {
            flags |= Flags::TRUNCATED;
        }
        self.logged_at.push(&Micros(logged_at));
        self.level.push(&number(level));
        self.fingerprint.push(fingerprint);
        self.message.push(&*record.message);
        self.detail.push_option(detail);
        self.fields
            .push_option(fields.as_ref().filter(|fields| fields.len() <= MAX_FIELDS));
        let flags = (!flags.is_empty()).then(|| flags.names().collect::<Vec<_>>().join(","));
        self.flags.push_option(flags.as_deref());
    }

    /// Stores the batch, which was read from `path`; returns the number of records.
    fn store(mut self, source: &str, path: Option<&str>, now: Timestamp) -> spi::Result<i64> {
        let stored = self.message.len() as i64;
        let Some((first_at, last_at)) = self.span else {
            return Ok(0);
        };
        let (source_id, received_at) = (source::id(source), from_micros(to_postgres(now)));
        let path_id = path.map(source::path_id);
        let new = patterns::new_ones(std::mem::take(&mut self.unknown))?;
        let (new, renamed) = patterns::within_limit(source_id, now, new);
        if !renamed.is_empty() {
            let counted = self.counted.iter_mut().map(|one| &mut one.1);
            for fingerprint in self.fingerprint.iter_mut().chain(counted) {
                *fingerprint = renamed.get(fingerprint).copied().unwrap_or(*fingerprint);
            }
        }
        let base = first_at.div_euclid(SECOND) * SECOND;
        let sums = Sums::of(self.counted, base);
        let (mut fingerprints, mut seconds, mut levels, mut templates, mut samples) = (
            Column::<i64>::default(),
            Column::<i32>::default(),
            Column::<i16>::default(),
            Column::<str>::default(),
            Column::<str>::default(),
        );
        for (fingerprint, pattern) in new {
            fingerprints.push(&fingerprint);
            seconds.push(&offset(pattern.second, base));
            levels.push(&(number(pattern.level) as i16));
            templates.push(&*pattern.template);
            samples.push(&*pattern.sample);
        }
        let mut fingerprint = Column::<i64>::default();
        for one in &self.fingerprint {
            fingerprint.push(one);
        }
        with_plans(|client, plans| {
            client.update(
                &plans.batch,
                None,
                &[
                    source_id.into(),
                    received_at.into(),
                    from_micros(first_at).into(),
                    from_micros(last_at).into(),
                    stored.into(),
                    source.into(),
                    sums.seconds.into(),
                    sums.fingerprints.into(),
                    sums.levels.into(),
                    sums.numbers.into(),
                    fingerprints.into(),
                    seconds.into(),
                    levels.into(),
                    templates.into(),
                    samples.into(),
                    path_id.into(),
                    path.into(),
                ],
            )?;
            let records = Records {
                source_id,
                received_at,
                logged_at: &self.logged_at,
                level: &self.level,
                path_id,
                fingerprint: &fingerprint,
                message: &self.message,
                detail: &self.detail,
                fields: &self.fields,
                flags: &self.flags,
            };
            self.expected.store(client, source_id, source, received_at)?;
            append::store(client, plans, &records)?;
            Ok(stored)
        })
    }
}

/// Seconds from the batch's first one; a record is at most 230 years old, so that they fit.
fn offset(second: i64, base: i64) -> i32 {
    i32::try_from((second - base) / SECOND).unwrap_or(i32::MAX)
}

/// Which of these patterns the table has.
pub fn known_patterns(fingerprints: Column<i64>) -> spi::Result<Vec<i64>> {
    with_plans(|client, plans| {
        client
            .select(&plans.known, None, &[fingerprints.into()])?
            .map(|row| row[1].value::<i64>().map(Option::unwrap_or_default))
            .collect()
    })
}

/// Microseconds.
pub const SECOND: i64 = 1_000_000;

/// A time as PostgreSQL counts it: microseconds since 2000.
fn to_postgres(at: Timestamp) -> i64 {
    const UNIX_TO_2000: i64 = 946_684_800_000_000;
    at.as_microsecond().saturating_sub(UNIX_TO_2000)
}

/// The record crate gives years 1970 to 2200 only, all of which PostgreSQL can hold.
fn from_micros(micros: i64) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(micros).unwrap_or_else(|_| TimestampWithTimeZone::positive_infinity())
}

/// Returns the start of a text that is longer than `most` bytes, cut at a character boundary, or
/// None for a text that is not longer.
fn cut(text: &str, most: usize) -> Option<&str> {
    (text.len() > most).then(|| &text[..text.floor_char_boundary(most)])
}

/// How records are read in this session, now.
fn context() -> Context {
    thread_local! {
        static ZONE: RefCell<Option<(String, jiff::tz::TimeZone)>> = const { RefCell::new(None) };
    }
    let name = settings::session_zone();
    let zone = ZONE.with_borrow_mut(|known| match known {
        Some((known, zone)) if *known == name => zone.clone(),
        _ => {
            let zone = jiff::tz::TimeZone::get(&name)
                .or_else(|_| jiff::tz::TimeZone::posix(&name))
                .unwrap_or(jiff::tz::TimeZone::UTC);
            *known = Some((name, zone.clone()));
            zone
        }
    });
    Context::of(zone)
}

/// Refuses to store when the library and the installed extension have different versions.
fn know_version() -> spi::Result<()> {
    thread_local! {
        static KNOWN: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    if KNOWN.get() {
        return Ok(());
    }
    let problem = Spi::connect(|client| {
        client
            .select("SELECT logwatch_private.library_problem()", Some(1), &[])?
            .first()
            .get_one::<String>()
    })?;
    if let Some(problem) = problem {
        // Clients try again at this code.
        pg::raise(
            PgSqlErrorCode::ERRCODE_CANNOT_CONNECT_NOW,
            &problem,
            "Type: ALTER EXTENSION logwatch UPDATE;",
        );
    }
    pg::hold_extension(IfDropped::Wait);
    // A session that stores before that would be in the way of the rows of a dump.
    Spi::run("SELECT logwatch_private.wait_for_restore()")?;
    KNOWN.set(true);
    Ok(())
}

fn ingest<'a>(
    records: impl Iterator<Item = Option<&'a str>>,
    mut flags: impl Iterator<Item = Flags>,
    source: &str,
    path: Option<&str>,
) -> spi::Result<i64> {
    let (mut context, least) = (context(), settings::min_level());
    let mut batch = Batch {
        expected: Expected::of_source(source)?,
        ..Batch::default()
    };
    let mut bytes = 0_usize;
    for (number, record) in records.enumerate() {
        let given = flags.next().unwrap_or_default();
        if let Some(record) = record {
            bytes = bytes.saturating_add(record.len());
            if number >= MAX_CALL_RECORDS || bytes > MAX_CALL_BYTES {
                pg::raise(
                    PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                    "more records than one call may bring",
                    "Send at most 100000 records or 64 MB at a time.",
                );
            }
            // A call brings records of one file.
            if context.near.is_none() {
                context.near = logwatch_record::certain_time(record, &context);
            }
            batch.add(record, given, least, &context);
        }
    }
    batch.store(source, path, context.now)
}

/// The source of records whose own source would be one too many.
const OTHER_SOURCES: &str = "(other)";

/// Whether a source has a row. Raises an error when it belongs to another role's tailer.
fn is_known(source: &str) -> spi::Result<bool> {
    with_plans(|client, plans| {
        client
            .select(&plans.source, Some(1), &[source::id(source).into()])
            .map(|rows| !rows.is_empty())
    })
}

/// Makes the row of a new source, unless another session is about to: then the next check does, and
/// nobody waits. Raises an error when the source belongs to another role's tailer.
fn know_source(source: Option<&str>) -> spi::Result<String> {
    let Some(source) = source.filter(|source| !source.is_empty()) else {
        pg::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "the source's name is empty",
            &format!(
                "Give it a name, for example: SELECT {}.logwatch_ingest('ERROR disk full'::text, 'backup-job'::text);",
                report::schema()
            ),
        );
    };
    let mut source = printable(source);
    if is_known(&source)? {
        return Ok(source);
    }
    if Spi::get_one::<bool>("SELECT logwatch_private.sources_are_full()")? == Some(true) {
        OTHER_SOURCES.clone_into(&mut source);
    }
    let source_id = source::id(&source);
    if !is_known(&source)? && pg::try_queue_for_source(source_id) {
        Spi::run_with_args(
            "INSERT INTO logwatch.sources (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[source_id.into(), source.as_str().into()],
        )?;
    }
    Ok(source)
}

#[pg_extern(sql = false)]
fn ingest_line(line: Option<&str>, source: Option<&str>) -> spi::Result<i64> {
    pg::refuse_in_recovery(c"logwatch_ingest()");
    know_version()?;
    pg::hold_extension(IfDropped::Wait);
    let source = know_source(source)?;
    ingest(std::iter::once(line), std::iter::empty(), &source, None)
}

#[pg_extern(sql = false)]
fn ingest_lines(lines: Option<Array<&str>>, source: Option<&str>) -> spi::Result<i64> {
    let Some(lines) = lines else { return Ok(0) };
    pg::refuse_in_recovery(c"logwatch_ingest()");
    know_version()?;
    pg::hold_extension(IfDropped::Wait);
    let source = know_source(source)?;
    ingest(lines.iter(), std::iter::empty(), &source, None)
}

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn ingest_range(
    source: Option<&str>,
    epoch: Option<i64>,
    file: Option<i64>,
    path: Option<&str>,
    dev: Option<i64>,
    inode: Option<i64>,
    from_byte: Option<i64>,
    to_byte: Option<i64>,
    head_bytes: Option<i32>,
    head_hash: Option<i64>,
    tail_bytes: Option<i32>,
    tail_hash: Option<i64>,
    records: Option<Array<&str>>,
    flags: Option<Array<i32>>,
    gap: Option<&str>,
    state: Option<&str>,
    place: Option<&str>,
) -> spi::Result<i64> {
    pg::refuse_in_recovery(c"logwatch_ingest()");
    know_version()?;
    pg::hold_extension(IfDropped::Wait);
    let (Some(source), Some(epoch)) = (source, epoch) else {
        pg::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "a tailer's source and epoch must not be NULL",
            "Take both from logwatch_attach().",
        );
    };
    let source = printable(source);
    // First the offset: when it does not hold, nothing of the batch is even looked at.
    with_plans(|client, plans| {
        client.update(
            &plans.offset,
            None,
            &[
                source.as_str().into(),
                epoch.into(),
                file.into(),
                path.into(),
                dev.into(),
                inode.into(),
                from_byte.into(),
                to_byte.into(),
                head_bytes.into(),
                head_hash.into(),
                tail_bytes.into(),
                tail_hash.into(),
                gap.into(),
                state.into(),
                place.into(),
            ],
        )?;
        Ok(())
    })?;
    let Some(records) = records else { return Ok(0) };
    let path = file.and(path).map(printable);
    let flags: Vec<Flags> = flags
        .iter()
        .flat_map(|flags| flags.iter())
        .map(|bits| Flags::from_bits_truncate(bits.unwrap_or_default() as u8))
        .collect();
    ingest(records.iter(), flags.into_iter(), &source, path.as_deref())
}
