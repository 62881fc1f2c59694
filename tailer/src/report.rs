//! Tells people and systemd how the tailer is doing: `--check`, `--status`, messages, progress.

pub mod check;
pub mod log;
pub mod progress;
pub mod status;
pub mod systemd;
