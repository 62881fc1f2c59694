//! The loop: inputs are read as they grow, and what is new in them is stored.

pub mod follow;
mod stream;
mod turn;

/// A stretch without records moves the offset when it is this long.
const UNSTORED_BYTES: u64 = 16 * 1024 * 1024;
