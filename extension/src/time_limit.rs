//! A limit on the time that one rule may take, within a statement that evaluates many.
//!
//! PostgreSQL's own statement_timeout covers whole statements of a client, and none of a worker.

use std::cell::Cell;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::pg;

#[derive(Clone, Copy)]
struct Limit {
    until: Instant,
    own: Option<i64>,
}

thread_local! {
    static LIMIT: Cell<Option<Limit>> = const { Cell::new(None) };
}

/// Cancels what runs after this many milliseconds; 0 ends the limit.
#[pg_extern(sql = false)]
fn limit_time(milliseconds: i32) {
    if let Some(limit) = LIMIT.take() {
        pg::end_timer(limit.own);
    }
    if let Ok(milliseconds @ 1..) = u64::try_from(milliseconds) {
        let limit = Duration::from_millis(milliseconds);
        LIMIT.set(Some(Limit {
            until: Instant::now() + limit,
            own: pg::start_timer(limit),
        }));
    }
}

/// Ends the limit; returns whether it was the limit that cancelled what ran.
#[pg_extern(sql = false)]
fn time_was_up() -> bool {
    LIMIT.take().is_some_and(|limit| {
        pg::end_timer(limit.own);
        Instant::now() >= limit.until
    })
}
