//! When the worker last completed a check, in shared memory: a check that finds nothing to do
//! assigns no transaction id, and so leaves no row.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgrx::prelude::*;
use pgrx::{PgAtomic, pg_shmem_init};

use crate::settings;

/// Checks are overdue after this many intervals …
const INTERVALS: u32 = 3;
/// … and not before this.
const SHORTEST: Duration = Duration::from_secs(30);

// SAFETY: the names are this extension's own.
static AT: PgAtomic<AtomicI64> = unsafe { PgAtomic::new(c"logwatch_last_check_at") };
// SAFETY: as above.
static TOOK: PgAtomic<AtomicI64> = unsafe { PgAtomic::new(c"logwatch_last_check_took") };

thread_local! {
    static PRELOADED: Cell<bool> = const { Cell::new(false) };
}

/// Reserves the shared memory; without preload there is no worker.
pub fn init(preloading: bool) {
    if preloading {
        PRELOADED.set(true);
        pg_shmem_init!(AT);
        pg_shmem_init!(TOOK);
    }
}

/// Records that the worker has completed a check now.
pub fn record(took: Duration) {
    if PRELOADED.get() {
        let microseconds = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        TOOK.get().store(microseconds, Ordering::Relaxed);
        AT.get()
            .store(Timestamp::now().as_microsecond(), Ordering::Release);
    }
}

/// Returns how long after the last check the next one is overdue.
pub fn overdue_after() -> Duration {
    SHORTEST.max(settings::check_interval().saturating_mul(INTERVALS))
}

/// The worker's last check, or its start.
pub struct LastCheck {
    pub at: Instant,
    /// The server log says that the next one is overdue.
    pub logged: bool,
}

impl Default for LastCheck {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            logged: false,
        }
    }
}

impl LastCheck {
    pub fn is_overdue(&self) -> bool {
        self.at.elapsed() >= overdue_after()
    }
}

/// Returns when the worker completed its last check, in seconds since 1970; NULL before the first.
#[pg_extern(sql = false)]
fn worker_checked_at() -> Option<f64> {
    let at = PRELOADED.get().then(|| AT.get().load(Ordering::Acquire))?;
    (at != 0).then_some(at as f64 / 1e6)
}

/// Returns how many seconds that check took.
#[pg_extern(sql = false)]
fn worker_check_took() -> Option<f64> {
    PRELOADED
        .get()
        .then(|| TOOK.get().load(Ordering::Relaxed) as f64 / 1e6)
}

/// Returns, in seconds, how long after the last check the next one is overdue.
#[pg_extern(sql = false)]
fn check_overdue_after() -> f64 {
    overdue_after().as_secs_f64()
}
