//! Appends records to a partition as COPY does: many tuples at a time, with one WAL record per
//! page.
//!
//! It appends only to a partition into which this transaction has just inserted a
//! record by SQL: that statement has checked everything that is the same for all records of a
//! batch, has routed them, and keeps both tables locked. Where a partition asks for more than heap
//! and indexes, the caller stores all records by SQL.

use std::ffi::CStr;
use std::ops::Range;

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use pgrx::{PgRelation, PgTupleDesc};

use super::statements::{LEVEL_NAMES, Plans};
use crate::column::{Column, Elements, Micros};
use crate::jsonb::Jsonb;

/// Tuples that are handed over together: some pages of them.
const MOST_TUPLES: usize = 256;

/// Columns of `logwatch.entries`, in the order of `Values`.
const COLUMNS: [&str; 11] = [
    "id",
    "received_at",
    "logged_at",
    "source_id",
    "level",
    "fingerprint",
    "message",
    "detail",
    "fields",
    "flags",
    "path_id",
];
const LEVEL: usize = 4;
/// Columns from this one on may be NULL.
const FIRST_NULLABLE: usize = 7;
/// The columns that few records have a value in.
const RARE: Range<usize> = 7..10;
/// Their places among `Records::elements`.
const RARE_ELEMENTS: Range<usize> = 4..7;

/// The records of a batch.
pub struct Records<'a> {
    pub source_id: i64,
    pub received_at: TimestampWithTimeZone,
    pub logged_at: &'a Column<Micros>,
    /// As `statements::number` has it.
    pub level: &'a Column<i32>,
    /// The file that the records were read from.
    pub path_id: Option<i32>,
    pub fingerprint: &'a Column<i64>,
    pub message: &'a Column<str>,
    pub detail: &'a Column<str>,
    pub fields: &'a Column<Jsonb>,
    /// Names between commas.
    pub flags: &'a Column<str>,
}

// Declared in PostgreSQL's commands/sequence.h and catalog/partition.h, which pgrx does not bind.
unsafe extern "C-unwind" {
    fn nextval_internal(sequence: pg_sys::Oid, check_permissions: bool) -> i64;
    fn get_partition_parent(partition: pg_sys::Oid, even_if_detached: bool) -> pg_sys::Oid;
}

/// A call with as many records appends them without SQL, where its partition allows that.
const MANY: usize = 20;

/// Stores the records: the first by SQL, the others beside it where that is allowed.
pub fn store(client: &mut SpiClient, plans: &Plans, records: &Records) -> spi::Result<()> {
    let count = records.message.len();
    if count < MANY || has_citus() {
        client.update(&plans.entries, None, &records.arguments(0..count))?;
        return Ok(());
    }
    let partition = client
        .update(&plans.first_entry, None, &records.arguments(0..1))?
        .first()
        .get_one::<pg_sys::Oid>()?;
    if !partition.is_some_and(|partition| append_rest(partition, records)) {
        client.update(&plans.entries, None, &records.arguments(1..count))?;
    }
    Ok(())
}

/// Whether this database has Citus, which stores the rows of distributed tables on its nodes. The
/// partition that such an insert returns is one of theirs.
fn has_citus() -> bool {
    let catalog = pg_sys::Oid::from(pg_sys::PG_CATALOG_NAMESPACE);
    // SAFETY: the name is a terminated string, and the syscache lookup has no other preconditions.
    unsafe { pg_sys::get_relname_relid(c"pg_dist_partition".as_ptr(), catalog) != pg_sys::InvalidOid }
}

/// Appends the records but the first to this partition. Returns false, with nothing done, where
/// only SQL does all that the table or the partition asks for.
fn append_rest(partition: pg_sys::Oid, records: &Records) -> bool {
    // SAFETY: the statement that has inserted the first record keeps both tables locked, so that
    // neither can be dropped or altered.
    let leaf = unsafe { PgRelation::open(partition) };
    // SAFETY: as above; the oid is looked at only.
    let parent = unsafe {
        if !(*leaf.rd_rel).relispartition || (*leaf.rd_rel).relkind != pg_sys::RELKIND_RELATION as i8 {
            return false;
        }
        pg_guard_ffi_boundary(|| get_partition_parent(partition, true))
    };
    if parent == pg_sys::InvalidOid {
        return false;
    }
    // SAFETY: as above.
    let parent = unsafe { PgRelation::open(parent) };
    let Some(target) = Target::of(&leaf, &parent) else {
        return false;
    };
    // SAFETY: the relations stay open until the end of this function.
    unsafe { target.append(&leaf, records) };
    true
}

/// A partition that is a heap with indexes, and nothing else.
struct Target {
    /// The position in the tuple of each of `COLUMNS`.
    positions: [usize; COLUMNS.len()],
    ids: pg_sys::Oid,
    level_type: pg_sys::Oid,
}

impl Target {
    fn of(leaf: &PgRelation, parent: &PgRelation) -> Option<Self> {
        // SAFETY: both relations are open, and their descriptors complete.
        unsafe {
            let am = (*leaf.as_ptr()).rd_tableam;
            let asks_for_more = [leaf, parent].iter().any(|relation| {
                let constraints = (*relation.rd_att).constr;
                !relation.trigdesc.is_null()
                    || !constraints.is_null()
                        && ((*constraints).num_check > 0 || (*constraints).has_generated_stored)
            });
            if asks_for_more || am != pg_sys::GetHeapamTableAmRoutine() {
                return None;
            }
        }
        let positions = positions(&leaf.tuple_desc())?;
        let id = parent
            .tuple_desc()
            .iter()
            .find(|column| column.name() == COLUMNS[0])
            .filter(|column| column.attidentity != 0)?
            .attnum;
        // SAFETY: the column exists; the level's position is that of a column.
        unsafe {
            #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16"))]
            let ids = pg_sys::getIdentitySequence(parent.oid(), id, true);
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            let ids = pg_sys::getIdentitySequence(parent.as_ptr(), id, true);
            (ids != pg_sys::InvalidOid).then_some(())?;
            Some(Self {
                positions,
                ids,
                level_type: leaf.tuple_desc().get(positions[LEVEL])?.atttypid,
            })
        }
    }

    /// # Safety
    /// `leaf` is the open relation that this target was made of.
    unsafe fn append(&self, leaf: &PgRelation, records: &Records) {
        // SAFETY: everything that is made here lives in the executor state's memory, or in a part
        // of it for some tuples; an error releases both with the transaction. The slots' values
        // point into the columns, which are not changed meanwhile, or into that memory.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let old_memory = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let result = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            pg_sys::InitResultRelInfo(result, leaf.as_ptr(), 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, false);
            let mut rest = records.message.len() - 1;
            let whole = (0..COLUMNS.len()).map(|column| self.positions[column] + 1);
            let common = (0..COLUMNS.len())
                .filter(|column| !RARE.contains(column))
                .map(|column| self.positions[column] + 1);
            let whole = slots(leaf, whole.max().unwrap_or_default(), rest.min(MOST_TUPLES));
            let common = slots(leaf, common.max().unwrap_or_default(), rest.min(MOST_TUPLES));
            let mut slots = [std::ptr::null_mut(); MOST_TUPLES];
            let tuples = pg_sys::AllocSetContextCreateInternal(
                (*state).es_query_cxt,
                c"logwatch tuples".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            let mut levels = [pg_sys::InvalidOid; LEVEL_NAMES.len()];
            let mut columns = records.elements();
            for column in &mut columns {
                column.next();
            }
            pg_sys::MemoryContextSwitchTo(tuples);
            while rest > 0 {
                let slots = &mut slots[..rest.min(MOST_TUPLES)];
                rest -= slots.len();
                let mut ids = [0; MOST_TUPLES];
                pg_guard_ffi_boundary(|| {
                    for id in &mut ids[..slots.len()] {
                        *id = nextval_internal(self.ids, false);
                    }
                });
                for (number, slot) in slots.iter_mut().enumerate() {
                    let row = columns.each_mut().map(|column| column.next().flatten());
                    let is_whole = row[RARE_ELEMENTS].iter().any(Option::is_some);
                    *slot = if is_whole { whole[number] } else { common[number] };
                    self.fill(*slot, ids[number], records, row, &mut levels);
                }
                insert(leaf, result, state, slots);
                pg_sys::MemoryContextReset(tuples);
            }
            pg_sys::ExecCloseIndices(result);
            pg_sys::MemoryContextSwitchTo(old_memory);
            pg_sys::FreeExecutorState(state);
        }
    }

    /// # Safety
    /// `slot` has a value for each column that is not NULL in this record.
    unsafe fn fill(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        id: i64,
        records: &Records,
        [logged_at, level, fingerprint, message, detail, fields, flags]: [Option<&[u8]>; 7],
        levels: &mut [pg_sys::Oid; LEVEL_NAMES.len()],
    ) {
        let number = |bytes: Option<&[u8]>| {
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
            i64::from_ne_bytes(bytes.unwrap_or_default())
        };
        let pointer = |bytes: Option<&[u8]>| bytes.map(|bytes| pg_sys::Datum::from(bytes.as_ptr()));
        let level = level.and_then(|bytes| bytes.try_into().ok());
        let level = usize::try_from(i32::from_ne_bytes(level.unwrap_or_default()) - 1).unwrap_or_default();
        if levels[level] == pg_sys::InvalidOid {
            levels[level] = label(self.level_type, LEVEL_NAMES[level]);
        }
        let flags = flags.and_then(|names| {
            let mut flags = Column::<str>::default();
            // After the length word.
            for name in String::from_utf8_lossy(&names[4..]).split(',') {
                flags.push(name);
            }
            flags.into_datum()
        });
        let values = [
            Some(pg_sys::Datum::from(id)),
            records.received_at.into_datum(),
            Some(pg_sys::Datum::from(number(logged_at))),
            Some(pg_sys::Datum::from(records.source_id)),
            Some(pg_sys::Datum::from(levels[level])),
            Some(pg_sys::Datum::from(number(fingerprint))),
            pointer(message),
            pointer(detail),
            pointer(fields),
            flags,
            records.path_id.into_datum(),
        ];
        // SAFETY: a slot has a descriptor.
        let width = unsafe { (*(*slot).tts_tupleDescriptor).natts as usize };
        for (value, position) in values.into_iter().zip(self.positions) {
            if position >= width {
                continue;
            }
            // SAFETY: the slot has as many values as its descriptor has columns.
            unsafe {
                *(*slot).tts_values.add(position) = value.unwrap_or(pg_sys::Datum::null());
                *(*slot).tts_isnull.add(position) = value.is_none();
            }
        }
    }
}

impl Records<'_> {
    /// Returns the arguments of the statements that store these records.
    pub fn arguments(&self, part: Range<usize>) -> [DatumWithOid<'_>; 10] {
        [
            self.source_id.into(),
            self.received_at.into(),
            self.logged_at.part(part.clone()).into(),
            self.level.part(part.clone()).into(),
            self.fingerprint.part(part.clone()).into(),
            self.message.part(part.clone()).into(),
            self.detail.part(part.clone()).into(),
            self.fields.part(part.clone()).into(),
            self.flags.part(part).into(),
            self.path_id.into(),
        ]
    }

    fn elements(&self) -> [Elements<'_>; 7] {
        [
            self.logged_at.elements(),
            self.level.elements(),
            self.fingerprint.elements(),
            self.message.elements(),
            self.detail.elements(),
            self.fields.elements(),
            self.flags.elements(),
        ]
    }
}

/// Makes slots for tuples of the first `width` columns. A tuple without the last ones, like one
/// from before these were added to the table, has NULL there and needs no bitmap that says so.
///
/// # Safety
/// `leaf` is an open relation with as many columns. The slots live in the current memory context.
unsafe fn slots(leaf: &PgRelation, width: usize, count: usize) -> Vec<*mut pg_sys::TupleTableSlot> {
    // SAFETY: by the caller. Slots with the relation's own descriptor would each be noted as a user
    // of it.
    unsafe {
        let descriptor = pg_sys::CreateTemplateTupleDesc(width as i32);
        for column in 1..=width as pg_sys::AttrNumber {
            pg_sys::TupleDescCopyEntry(descriptor, column, (*leaf.as_ptr()).rd_att, column);
        }
        (0..count)
            .map(|_| {
                let slot = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
                pg_sys::ExecStoreAllNullTuple(slot)
            })
            .collect()
    }
}

/// Returns the position of each of `COLUMNS`, which are all columns, NOT NULL as they were made,
/// and NULL in tuples that end before them.
fn positions(columns: &PgTupleDesc) -> Option<[usize; COLUMNS.len()]> {
    let mut positions = [0; COLUMNS.len()];
    if columns.len() != COLUMNS.len() {
        return None;
    }
    for (number, name) in COLUMNS.iter().enumerate() {
        let (position, column) = columns
            .iter()
            .enumerate()
            .find(|(_, column)| column.name() == *name && !column.attisdropped)?;
        if number >= FIRST_NULLABLE && (column.attnotnull || column.atthasmissing) {
            return None;
        }
        positions[number] = position;
    }
    Some(positions)
}

/// Returns the oid of an enum's label.
fn label(of: pg_sys::Oid, name: &CStr) -> pg_sys::Oid {
    let zero = pg_sys::Datum::null();
    // SAFETY: the cache's keys are a type and a name; the name is a terminated string.
    unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME as i32,
            pg_sys::Anum_pg_enum_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(of),
            pg_sys::Datum::from(name.as_ptr()),
            zero,
            zero,
        )
    }
}

/// Inserts the tuples of these slots, and their index entries.
///
/// # Safety
/// The slots are filled and of the relation, which is a heap; `result` has its indexes open.
unsafe fn insert(
    leaf: &PgRelation,
    result: *mut pg_sys::ResultRelInfo,
    state: *mut pg_sys::EState,
    slots: &mut [*mut pg_sys::TupleTableSlot],
) {
    let count = i32::try_from(slots.len()).unwrap_or_default();
    // SAFETY: by the caller.
    unsafe {
        let command = pg_sys::GetCurrentCommandId(true);
        pg_sys::heap_multi_insert(
            leaf.as_ptr(),
            slots.as_mut_ptr(),
            count,
            command,
            0,
            std::ptr::null_mut(),
        );
        if (*result).ri_NumIndices == 0 {
            return;
        }
        for slot in slots {
            pg_sys::ExecInsertIndexTuples(
                result,
                *slot,
                state,
                false,
                false,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
                false,
            );
        }
        if !(*state).es_per_tuple_exprcontext.is_null() {
            pg_sys::MemoryContextReset((*(*state).es_per_tuple_exprcontext).ecxt_per_tuple_memory);
        }
    }
}
