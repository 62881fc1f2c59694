//! What keeps the worker from its work, for everybody to see: the error of its last tick, in shared memory.
//!
//! The server log has it too, but people ask `logwatch_status()` first.

use std::cell::Cell;

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};

/// As much of an error as a line of the status can hold.
const LONGEST: usize = 500;

#[derive(Clone, Copy)]
struct Text {
    length: usize,
    bytes: [u8; LONGEST],
}

impl Default for Text {
    fn default() -> Self {
        Self {
            length: 0,
            bytes: [0; LONGEST],
        }
    }
}

// SAFETY: plain data without pointers, which means the same in every process.
unsafe impl PGRXSharedMemory for Text {}

// SAFETY: the name is this extension's own.
static TROUBLE: PgLwLock<Text> = unsafe { PgLwLock::new(c"logwatch_trouble") };

thread_local! {
    static PRELOADED: Cell<bool> = const { Cell::new(false) };
}

/// Reserves the shared memory; without preload there is no worker.
pub fn init(preloading: bool) {
    if preloading {
        PRELOADED.set(true);
        pg_shmem_init!(TROUBLE);
    }
}

/// The worker tells what its tick failed of; None when it went well.
pub fn set(trouble: Option<&str>) {
    if !PRELOADED.get() {
        return;
    }
    let trouble = trouble.unwrap_or_default();
    let cut = trouble.floor_char_boundary(LONGEST);
    let mut shared = TROUBLE.exclusive();
    shared.length = cut;
    shared.bytes[..cut].copy_from_slice(&trouble.as_bytes()[..cut]);
}

/// What the last tick failed of; NULL when nothing did.
#[pg_extern(sql = false)]
fn worker_trouble() -> Option<String> {
    if !PRELOADED.get() {
        return None;
    }
    let shared = *TROUBLE.share();
    let text = String::from_utf8_lossy(&shared.bytes[..shared.length.min(LONGEST)]);
    (!text.is_empty()).then(|| text.into_owned())
}
