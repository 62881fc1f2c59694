//! Tells people and systemd how the tailer is doing: `--check`, `--status`, messages, progress.

pub mod check;
mod check_database;
mod check_files;
mod finding;
pub mod log;
pub mod permission;
pub mod progress;
pub mod status;
pub(crate) mod systemd;
