//! What a log record is: its level, time, message and pattern.
//!
//! The tailer and the extension both use this crate, so that they can never disagree. It knows no PostgreSQL and does no I/O.

mod level;

pub use level::Level;
