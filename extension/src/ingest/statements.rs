//! The SQL statements of ingest, planned once per session.

use std::cell::OnceCell;
use std::ffi::CStr;

use logwatch_record::Level;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient};

/// The statements of a call, planned once per session.
pub struct Plans {
    pub source: OwnedPreparedStatement,
    pub offset: OwnedPreparedStatement,
    pub batch: OwnedPreparedStatement,
    pub entries: OwnedPreparedStatement,
    /// The same for one record; returns the partition that has it.
    pub first_entry: OwnedPreparedStatement,
    pub known: OwnedPreparedStatement,
}

/// Runs statements of this session's plans.
pub fn with_plans<R>(run: impl FnOnce(&mut SpiClient, &Plans) -> spi::Result<R>) -> spi::Result<R> {
    thread_local! {
        static PLANS: OnceCell<Plans> = const { OnceCell::new() };
    }
    Spi::connect_mut(|client| {
        PLANS.with(|plans| match plans.get() {
            Some(plans) => run(client, plans),
            None => {
                let prepared = Plans::prepare(client)?;
                run(client, plans.get_or_init(|| prepared))
            }
        })
    })
}

/// Returns the 1-based number of a level, which `LEVELS` turns back: a constant to the planner.
pub fn number(level: Level) -> i32 {
    level as i32 + 1
}

const LEVELS: &str = "('{DEBUG,INFO,WARN,ERROR,FATAL}'::logwatch.level[])";
/// The labels of these numbers, from 1 on.
pub const LEVEL_NAMES: [&CStr; 5] = [c"DEBUG", c"INFO", c"WARN", c"ERROR", c"FATAL"];

const ENTRY_TYPES: [pg_sys::Oid; 10] = [
    pg_sys::INT8OID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::TIMESTAMPTZARRAYOID,
    pg_sys::INT4ARRAYOID,
    pg_sys::INT8ARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::JSONBARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::INT4OID,
];

/// In a select list unnest returns row after row; in FROM it would first store all of them.
fn insert_entries(returning: &str) -> String {
    format!(
        "INSERT INTO logwatch.entries (source_id, received_at, logged_at, level, path_id, fingerprint, message, detail, fields, flags)
         SELECT $1, $2, r.logged_at, {LEVELS}[r.level], $10, r.fingerprint, r.message, r.detail, r.fields,
                pg_catalog.string_to_array(r.flags, ',')
           FROM (SELECT pg_catalog.unnest($3) AS logged_at, pg_catalog.unnest($4) AS level, pg_catalog.unnest($5) AS fingerprint,
                        pg_catalog.unnest($6) AS message, pg_catalog.unnest($7) AS detail, pg_catalog.unnest($8) AS fields,
                        pg_catalog.unnest($9) AS flags) AS r {returning}"
    )
}

impl Plans {
    fn prepare(client: &mut SpiClient) -> spi::Result<Self> {
        use pg_sys::{
            INT2ARRAYOID, INT4ARRAYOID, INT4OID, INT8ARRAYOID, INT8OID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID,
        };
        let prepare = |sql: String, types: &[pg_sys::Oid]| {
            let types: Vec<PgOid> = types.iter().map(|oid| PgOid::from(*oid)).collect();
            client.prepare_mut(sql.as_str(), &types).map(|plan| plan.keep())
        };
        Ok(Self {
            source: prepare(
                "SELECT logwatch_private.need_owner(s.name, s.owner) FROM logwatch.sources AS s WHERE s.id OPERATOR(pg_catalog.=) $1".to_owned(),
                &[INT8OID],
            )?,
            offset: prepare(
                "SELECT logwatch_private.move_offset($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)".to_owned(),
                &[
                    TEXTOID, INT8OID, INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT4OID, INT8OID, INT4OID, INT8OID, TEXTOID, TEXTOID, TEXTOID,
                ],
            )?,
            // Its trigger wakes the worker at commit.
            batch: prepare(
                "INSERT INTO logwatch.batches (source_id, received_at, first_at, last_at, n, source, seconds, fingerprints, levels, numbers,
                                               new_patterns, new_seconds, new_levels, templates, samples, path_id, path)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
                    .to_owned(),
                &[
                    INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, TEXTOID, INT4ARRAYOID, INT8ARRAYOID, INT2ARRAYOID,
                    INT4ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT2ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4OID, TEXTOID,
                ],
            )?,
            entries: prepare(insert_entries(""), &ENTRY_TYPES)?,
            first_entry: prepare(insert_entries("RETURNING tableoid"), &ENTRY_TYPES)?,
            known: prepare(
                "SELECT p.fingerprint FROM logwatch.patterns AS p WHERE p.fingerprint OPERATOR(pg_catalog.=) ANY ($1)".to_owned(),
                &[INT8ARRAYOID],
            )?,
        })
    }
}
