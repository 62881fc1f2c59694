//! The worker's way to its database, and its pauses.
//!
//! A background worker can connect once in its life, and each failed try writes two lines to the
//! server log. So the start after a failed one connects to no database: it looks for the name in
//! the catalog until that accepts connections, and leaves the connecting to the next start.
//! `logwatch_pause()` makes the worker leave, and the next start waits without a connection.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use pgrx::{PgAtomic, pg_shmem_init};

use crate::{catalog, pg, settings, waiting, wake};

/// The longest time between two looks for the database.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// The longest pause before another try to connect to a database that seems to be all right.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);
/// The longest that `logwatch_pause()` waits for the worker to leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);
/// Databases that CREATE DATABASE copies, which a connection to them prevents.
const TEMPLATES: [&str; 2] = ["template0", "template1"];

// SAFETY: the names are this extension's own.
static PAUSED_UNTIL: PgAtomic<AtomicI64> = unsafe { PgAtomic::new(c"logwatch_paused_until") };
// SAFETY: as above.
static FAILED_STARTS: PgAtomic<AtomicI32> = unsafe { PgAtomic::new(c"logwatch_failed_starts") };
// SAFETY: as above.
static MAY_CONNECT: PgAtomic<AtomicBool> = unsafe { PgAtomic::new(c"logwatch_may_connect") };

// SAFETY: as above.
static CONNECTED_AT: PgAtomic<AtomicI64> = unsafe { PgAtomic::new(c"logwatch_connected_at") };

thread_local! {
    static PRELOADED: Cell<bool> = const { Cell::new(false) };
}

/// Reserves the shared memory; without preload there is no worker.
pub fn init(preloading: bool) {
    if preloading {
        PRELOADED.set(true);
        pg_shmem_init!(PAUSED_UNTIL);
        pg_shmem_init!(FAILED_STARTS);
        pg_shmem_init!(MAY_CONNECT);
        pg_shmem_init!(CONNECTED_AT);
    }
}

/// The two kinds of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Connect,
    /// After this number of starts that could not connect.
    Look {
        failed: u32,
    },
}

fn decide(failed: i32, may_connect: bool) -> Start {
    match u32::try_from(failed) {
        Ok(failed) if failed > 0 && !may_connect => Start::Look { failed },
        _ => Start::Connect,
    }
}

/// Returns how long to wait before another try to connect: 0, 5, 15, 35 … seconds.
fn back_off(failed: u32) -> Duration {
    let steps = 2_u32.saturating_pow(failed.saturating_sub(1)) - 1;
    Duration::from_secs(5).saturating_mul(steps).min(LONGEST_BACK_OFF)
}

/// Connects to the worker's database. Returns when there is a connection; a start that waits for
/// the database ends the process instead.
pub fn connect() {
    CONNECTED_AT.get().store(0, Ordering::Release);
    wake::set_worker_pid(pg::my_pid());
    wait_out_pause();
    let database = settings::database();
    if TEMPLATES.contains(&database.as_str()) {
        log!("logwatch worker: logwatch.database = '{database}' is a template: the worker does not start");
        loop {
            waiting::wait(Duration::from_secs(3600));
        }
    }
    let failed = FAILED_STARTS.get();
    match decide(
        failed.load(Ordering::Relaxed),
        MAY_CONNECT.get().swap(false, Ordering::Relaxed),
    ) {
        Start::Connect => {
            failed.fetch_add(1, Ordering::Relaxed);
            BackgroundWorker::connect_worker_to_spi(Some(&database), None);
            failed.store(0, Ordering::Relaxed);
            CONNECTED_AT
                .get()
                .store(Timestamp::now().as_microsecond(), Ordering::Release);
        }
        Start::Look { failed } => {
            BackgroundWorker::connect_worker_to_spi(None, None);
            wait_for_database(&database, back_off(failed));
            MAY_CONNECT.get().store(true, Ordering::Relaxed);
            pg::leave();
        }
    }
}

/// Waits until the database accepts connections. Where it does already, something else failed, and
/// the next try waits for this long.
fn wait_for_database(database: &str, back_off: Duration) {
    let began = Instant::now();
    let mut pause = Duration::from_secs(1);
    let mut was_missing = false;
    loop {
        let is_there = catalog::accepts_connections(database);
        if is_there && (was_missing || began.elapsed() >= back_off) {
            return;
        }
        if !is_there && !was_missing {
            was_missing = true;
            log!(
                "logwatch worker: waiting for database \"{database}\" to accept connections; to name another one, set \
                 logwatch.database and restart the server"
            );
        }
        waiting::wait(pause);
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

fn wait_out_pause() {
    while let Some(rest) = pause_left() {
        waiting::wait(rest);
    }
}

/// Returns how long the worker is to stay away from its database; None when it may work.
pub fn pause_left() -> Option<Duration> {
    let until = PAUSED_UNTIL.get().load(Ordering::Acquire);
    let rest = until.saturating_sub(Timestamp::now().as_microsecond());
    u64::try_from(rest)
        .ok()
        .filter(|rest| *rest > 0)
        .map(Duration::from_micros)
}

/// Makes the worker leave its database for this many seconds, or ends its pause with 0. Returns
/// whether it has left; NULL without a worker.
#[pg_extern(sql = false)]
fn pause_worker(seconds: f64) -> Option<bool> {
    if !PRELOADED.get() {
        return None;
    }
    let pid = wake::worker_pid();
    let until = if seconds > 0.0 {
        Timestamp::now()
            .as_microsecond()
            .saturating_add((seconds * 1e6) as i64)
    } else {
        0
    };
    let is_connected = pause_left().is_none();
    PAUSED_UNTIL.get().store(until, Ordering::Release);
    wake::wake_worker();
    let began = Instant::now();
    while is_connected && wake::is_running(pid) && pause_left().is_some() {
        if began.elapsed() >= LEAVES_WITHIN {
            return Some(false);
        }
        waiting::wait(Duration::from_millis(20));
    }
    Some(true)
}

/// Returns the worker's process; NULL when it does not run. pg_stat_activity shows it to some roles
/// only.
#[pg_extern(sql = false)]
fn worker_pid() -> Option<i32> {
    PRELOADED
        .get()
        .then(wake::worker_pid)
        .filter(|pid| wake::is_running(*pid))
}

/// Returns when the worker connected to its database, in seconds since 1970; NULL when it is not
/// connected.
#[pg_extern(sql = false)]
fn worker_connected_at() -> Option<f64> {
    worker_pid()?;
    let at = CONNECTED_AT.get().load(Ordering::Acquire);
    (at != 0).then_some(at as f64 / 1e6)
}

/// Returns the end of the worker's pause, in seconds since 1970; NULL when it is not paused.
#[pg_extern(sql = false)]
fn worker_paused_until() -> Option<f64> {
    let until = PRELOADED
        .get()
        .then(|| PAUSED_UNTIL.get().load(Ordering::Acquire))?;
    (until > Timestamp::now().as_microsecond()).then_some(until as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_after_a_failed_one_looks_and_the_next_connects() {
        assert_eq!(decide(0, false), Start::Connect);
        assert_eq!(decide(1, false), Start::Look { failed: 1 });
        assert_eq!(decide(1, true), Start::Connect);
        assert_eq!(decide(2, false), Start::Look { failed: 2 });
    }

    #[test]
    fn each_failed_start_doubles_the_pause_up_to_five_minutes() {
        assert_eq!(back_off(1), Duration::ZERO);
        assert_eq!(back_off(2), Duration::from_secs(5));
        assert_eq!(back_off(3), Duration::from_secs(15));
        assert_eq!(back_off(60), Duration::from_secs(300));
    }
}
