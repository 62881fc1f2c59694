//! The worker's present errors in shared memory, for `logwatch_status()`. The server log has them
//! too.

use std::cell::Cell;

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};

/// Bytes of an error that are kept.
const LONGEST: usize = 500;

/// The parts of the worker's work whose errors are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Tick,
    AlertFile,
    Heartbeat,
}

const SUBJECTS: usize = 3;

#[derive(Clone, Copy)]
struct Text {
    length: usize,
    bytes: [u8; LONGEST],
}

#[derive(Clone, Copy)]
struct Errors([Text; SUBJECTS]);

impl Default for Errors {
    fn default() -> Self {
        let empty = Text {
            length: 0,
            bytes: [0; LONGEST],
        };
        Self([empty; SUBJECTS])
    }
}

// SAFETY: plain data without pointers, which means the same in every process.
unsafe impl PGRXSharedMemory for Errors {}

// SAFETY: the name is this extension's own.
static ERRORS: PgLwLock<Errors> = unsafe { PgLwLock::new(c"logwatch_worker_errors") };

thread_local! {
    static PRELOADED: Cell<bool> = const { Cell::new(false) };
}

/// Reserves the shared memory; without preload there is no worker.
pub fn init(preloading: bool) {
    if preloading {
        PRELOADED.set(true);
        pg_shmem_init!(ERRORS);
    }
}

/// Sets the present error of a subject; None when all is well.
pub fn set(subject: Subject, error: Option<&str>) {
    if !PRELOADED.get() {
        return;
    }
    let error = error.unwrap_or_default();
    let cut = error.floor_char_boundary(LONGEST);
    let text = &mut ERRORS.exclusive().0[subject as usize];
    text.length = cut;
    text.bytes[..cut].copy_from_slice(&error.as_bytes()[..cut]);
}

fn get(subject: Subject) -> Option<String> {
    if !PRELOADED.get() {
        return None;
    }
    let text = ERRORS.share().0[subject as usize];
    let text = String::from_utf8_lossy(&text.bytes[..text.length.min(LONGEST)]);
    (!text.is_empty()).then(|| text.into_owned())
}

/// Returns the error of the worker's last tick; NULL when it had none.
#[pg_extern(sql = false)]
fn worker_error() -> Option<String> {
    get(Subject::Tick)
}

/// Returns why the worker could not write the alert file; NULL when it could.
#[pg_extern(sql = false)]
fn alert_file_error() -> Option<String> {
    get(Subject::AlertFile)
}

/// Returns why the last request of `logwatch.heartbeat_url` failed; NULL when it succeeded.
#[pg_extern(sql = false)]
fn heartbeat_error() -> Option<String> {
    get(Subject::Heartbeat)
}
