//! The lines that rules expect, as a session that stores records knows them.
//!
//! A session reads the rules once, and again when they have changed: their trigger sends
//! PostgreSQL's own invalidation of caches, which reaches each session with its next lock. So
//! ingest costs nothing where no rule expects a line.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::rc::Rc;

use logwatch_record::ExpectedLines;
use pgrx::AllocatedByPostgres;
use pgrx::prelude::*;

/// Sources of one session that are remembered; then it begins anew.
const MOST_SOURCES: usize = 1000;

#[derive(Default)]
struct Known {
    /// Some rule expects a line.
    any: bool,
    by_source: HashMap<String, Option<Rc<ExpectedLines>>>,
}

thread_local! {
    static KNOWN: RefCell<Option<Known>> = const { RefCell::new(None) };
    /// The rules have changed since they were read.
    static STALE: Cell<bool> = const { Cell::new(false) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
    /// The table of rules.
    static RULES: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::Oid::INVALID) };
}

/// Returns the lines that rules expect of a source; None if there are none.
pub fn of_source(source: &str) -> spi::Result<Option<Rc<ExpectedLines>>> {
    if STALE.get() {
        KNOWN.set(None);
    }
    if let Some(known) = KNOWN.with_borrow(|known| known.as_ref().and_then(|known| known.of(source))) {
        return Ok(known);
    }
    listen();
    // Before the rules are read: a change from now on is noticed.
    STALE.set(false);
    let (rules, any, lines) = Spi::connect_mut(|client| {
        // With a snapshot of its own: that of a long statement is older than the change.
        client
            .update(
                "SELECT 'logwatch.rules'::pg_catalog.regclass::pg_catalog.oid,
                        EXISTS (SELECT FROM logwatch.rules AS r WHERE r.enabled AND logwatch_private.expects_lines(r)),
                        logwatch_private.lines_for($1)",
                Some(1),
                &[source.into()],
            )?
            .first()
            .get_three::<pg_sys::Oid, bool, Vec<String>>()
    })?;
    RULES.set(rules.unwrap_or(pg_sys::Oid::INVALID));
    let lines = lines
        .map(ExpectedLines::new)
        .filter(|lines| !lines.is_empty())
        .map(Rc::new);
    KNOWN.with_borrow_mut(|known| {
        let known = known.get_or_insert_default();
        known.any = any == Some(true);
        if known.by_source.len() >= MOST_SOURCES {
            known.by_source.clear();
        }
        known.by_source.insert(source.to_owned(), lines.clone());
    });
    // The snapshot of such a transaction may be older than the last change.
    if uses_one_snapshot() {
        STALE.set(true);
    }
    Ok(lines)
}

impl Known {
    /// Returns what is known about a source; None if nothing is.
    fn of(&self, source: &str) -> Option<Option<Rc<ExpectedLines>>> {
        if self.any {
            self.by_source.get(source).cloned()
        } else {
            Some(None)
        }
    }
}

/// Returns why lines cannot be tested with an expression.
#[pg_extern(sql = false)]
fn line_problem(expression: &str) -> Option<String> {
    ExpectedLines::problem(expression)
}

/// Trigger that makes all sessions read the rules anew once this transaction has committed.
#[pg_trigger(sql = false)]
fn expectations_changed<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, Infallible> {
    if let Ok(rules) = trigger.relid() {
        // SAFETY: the table is open and locked while its trigger runs.
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(rules) };
    }
    Ok(None)
}

fn listen() {
    if !REGISTERED.replace(true) {
        // SAFETY: registered once in this process; the function lives as long as the library, which
        // PostgreSQL never unloads.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(changed), pg_sys::Datum::from(0)) };
    }
}

/// Called while invalidations are taken in, perhaps outside a transaction: it raises no error.
unsafe extern "C-unwind" fn changed(_: pg_sys::Datum, relation: pg_sys::Oid) {
    if relation == RULES.get() || relation == pg_sys::Oid::INVALID {
        STALE.set(true);
    }
}

/// Whether all statements of the transaction see the database as of its first one.
fn uses_one_snapshot() -> bool {
    // SAFETY: a plain read of a variable of this process.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}
