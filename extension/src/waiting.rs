//! Waits of this process, and the signal that ends the worker. A session waits as it does for any
//! other command; the worker may put SIGTERM off for as long as it takes to record what was sent.

use std::time::Duration;

use pgrx::prelude::*;

use crate::pg;

/// Prepares the worker's process: SIGTERM ends it as it ends any backend, SIGHUP sets a flag and
/// the latch.
pub fn attach_worker_signals() {
    use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
    unsafe extern "C-unwind" {
        /// PostgreSQL's own handler of SIGTERM, without the guard of pgrx that has no place in a
        /// signal handler.
        fn die(signal: std::ffi::c_int);
    }
    // SAFETY: called once at the start of the worker's main function, with signals still blocked.
    // pgrx's own SIGTERM handler would only set a flag, which cannot stop a running query.
    unsafe {
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(pg_sys::SIGTERM as i32, Some(die));
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(pg_sys::SIGTERM as i32, Some(die));
    }
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
}

/// Waits until the latch is set or the time is up; honours termination, cancellation and the
/// postmaster's death.
pub fn wait(limit: Duration) {
    wait_on_latch(limit);
    pgrx::check_for_interrupts!();
}

/// Why a wait between the worker's ticks ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The latch was set, or the time is up.
    Work,
    /// SIGTERM came. It has no effect until `end` is called or the next one comes.
    Terminated,
}

/// As `wait`, between the worker's ticks. A cancel is dropped there, as by an idle session.
pub fn wait_idle(limit: Duration) -> Wake {
    wait_on_latch(limit);
    // SAFETY: plain accesses to flags of this process, which otherwise only its signal handlers
    // set.
    let wake = unsafe {
        pg_sys::QueryCancelPending = 0;
        // A signal that comes after this look keeps its flag.
        if pg_sys::ProcDiePending == 0 {
            Wake::Work
        } else {
            pg_sys::ProcDiePending = 0;
            Wake::Terminated
        }
    };
    pgrx::check_for_interrupts!();
    wake
}

/// Ends the worker as SIGTERM does.
pub fn end() -> ! {
    // SAFETY: as in `wait_idle`.
    unsafe {
        pg_sys::ProcDiePending = 1;
        pg_sys::InterruptPending = 1;
    }
    pgrx::check_for_interrupts!();
    pg::leave()
}

/// Runs `body` while SIGTERM is blocked: it takes effect afterwards.
pub fn without_termination<R>(body: impl FnOnce() -> R) -> R {
    struct Mask(libc::sigset_t);
    impl Drop for Mask {
        fn drop(&mut self) {
            // SAFETY: restores a mask that pthread_sigmask has returned.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
        }
    }
    // SAFETY: sigset_t is plain data that sigemptyset and pthread_sigmask initialise.
    let before = unsafe {
        let mut sigterm: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut sigterm);
        libc::sigaddset(&mut sigterm, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &sigterm, &mut before);
        Mask(before)
    };
    let result = body();
    drop(before);
    result
}

fn wait_on_latch(limit: Duration) {
    let milliseconds = i64::try_from(limit.as_millis())
        .unwrap_or(i64::MAX)
        .clamp(1, 3_600_000);
    // SAFETY: MyLatch belongs to this process and lives as long as it.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            (pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH) as i32,
            milliseconds as _,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
}
