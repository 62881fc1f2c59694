//! Reads catalogs row by row, where a statement would need a database, or would be logged by others
//! in each tick.

use pgrx::prelude::*;

/// Whether a database of this name exists and accepts connections. For a process that is connected
/// to none, as the autovacuum launcher reads that catalog.
pub fn accepts_connections(database: &str) -> bool {
    let mut found = false;
    // SAFETY: called outside of any transaction; pg_database is shared, so that its description is
    // at hand without a database, and its rows are of this type.
    unsafe {
        pg_sys::StartTransactionCommand();
        pg_sys::GetTransactionSnapshot();
        scan_catalog(pg_sys::DatabaseRelationId, |tuple, _| {
            let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            found |= (*form).datallowconn && pgrx::name_data_to_str(&(*form).datname) == database;
        });
        pg_sys::CommitTransactionCommand();
    }
    found
}

/// Returns oid and version of the extension in this database, without a statement that others would
/// log in each tick.
pub fn installed_extension() -> Option<(pg_sys::Oid, String)> {
    let mut found = None;
    // SAFETY: called within a transaction; pg_extension has rows of this type, and its column
    // extversion is text.
    unsafe {
        scan_catalog(pg_sys::ExtensionRelationId, |tuple, descriptor| {
            let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_extension>();
            if pgrx::name_data_to_str(&(*form).extname) == "logwatch" {
                let mut is_null = false;
                let version = pg_sys::heap_getattr(
                    tuple,
                    pg_sys::Anum_pg_extension_extversion as i32,
                    descriptor,
                    &mut is_null,
                );
                let version = String::from_datum(version, is_null).unwrap_or_default();
                found = Some(((*form).oid, version));
            }
        });
    }
    found
}

/// Calls `each` for the rows of a catalog, with their description.
///
/// # Safety
///
/// A transaction must be open; the relation must be a catalog; `each` must not keep the row.
unsafe fn scan_catalog(catalog: pg_sys::Oid, mut each: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc)) {
    // SAFETY: as above; each tuple is read before the next one is asked for.
    unsafe {
        let mode = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(catalog, mode);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            each(tuple, (*relation).rd_att);
        }
        if let Some(end) = (*(*relation).rd_tableam).scan_end {
            end(scan);
        }
        pg_sys::table_close(relation, mode);
    }
}
