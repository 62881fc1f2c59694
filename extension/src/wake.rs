//! Wakes the worker when a transaction that stored something commits.
//!
//! The worker leaves its pid in shared memory; a backend whose transaction stored a batch sets that
//! process's latch right after its commit. Nothing here may raise an error in the commit callback:
//! that would take the whole server down.

use std::cell::Cell;
use std::convert::Infallible;
use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, Ordering};

use pgrx::prelude::*;
use pgrx::{AllocatedByPostgres, PgAtomic, pg_shmem_init};

// SAFETY: the name is this extension's own.
static WORKER_PID: PgAtomic<AtomicI32> = unsafe { PgAtomic::new(c"logwatch_worker_pid") };

thread_local! {
    static PRELOADED: Cell<bool> = const { Cell::new(false) };
    /// Set by the triggers, consumed at the end of the transaction.
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Reserves the shared memory. Without preload there is no worker to wake.
pub fn init(preloading: bool) {
    if !preloading {
        return;
    }
    PRELOADED.set(true);
    pg_shmem_init!(WORKER_PID);
    // SAFETY: registered once, by the postmaster; every backend inherits it.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end_of_transaction), std::ptr::null_mut()) };
}

/// Registers the worker's process; 0 for none.
pub fn set_worker_pid(pid: i32) {
    WORKER_PID.get().store(pid, Ordering::Release);
}

/// Returns the worker's process; 0 for none.
pub fn worker_pid() -> i32 {
    WORKER_PID.get().load(Ordering::Acquire)
}

/// Whether a process of this server runs.
pub fn is_running(pid: i32) -> bool {
    // SAFETY: BackendPidGetProc only reads shared memory, under its lock.
    pid != 0 && unsafe { !pg_sys::BackendPidGetProc(pid).is_null() }
}

/// Sets the worker's latch now.
pub fn wake_worker() {
    let pid = worker_pid();
    // SAFETY: as in `at_end_of_transaction`.
    unsafe {
        let process = pg_sys::BackendPidGetProc(pid);
        if pid != 0 && !process.is_null() {
            pg_sys::SetLatch(&raw mut (*process).procLatch);
        }
    }
}

/// Trigger that wakes the worker when this transaction commits.
#[pg_trigger(sql = false)]
fn wake<'a>(_: &'a PgTrigger<'a>) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, Infallible> {
    WANTED.set(true);
    Ok(None)
}

unsafe extern "C-unwind" fn at_end_of_transaction(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    if event != pg_sys::XactEvent::XACT_EVENT_COMMIT {
        if event == pg_sys::XactEvent::XACT_EVENT_ABORT || event == pg_sys::XactEvent::XACT_EVENT_PREPARE {
            WANTED.set(false);
        }
        return;
    }
    if !WANTED.replace(false) || !PRELOADED.get() {
        return;
    }
    let pid = WORKER_PID.get().load(Ordering::Acquire);
    if pid == 0 {
        return;
    }
    // SAFETY: BackendPidGetProc and SetLatch take no lock that this point of the commit holds,
    // allocate nothing and raise no error; a stale pid finds no process, or sets a latch that its
    // owner will find spurious.
    unsafe {
        let process = pg_sys::BackendPidGetProc(pid);
        if !process.is_null() {
            pg_sys::SetLatch(&raw mut (*process).procLatch);
        }
    }
}
