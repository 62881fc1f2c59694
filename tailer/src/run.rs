//! The loops: files are followed, a pipe or the journal is read as it comes.

pub mod follow;
mod input;
mod journal;
pub mod pipe;
mod turn;

/// A stretch without records moves the offset when it is this long.
const UNSTORED_BYTES: u64 = 16 * 1024 * 1024;
