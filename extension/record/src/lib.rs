//! Reads a log record: its level, time, message and pattern.
//!
//! The tailer and the extension both use this crate, so that they can never disagree. It knows no
//! PostgreSQL and does no I/O. Nothing here fails or panics, whatever a line holds: what cannot be
//! understood is kept as plain text.
//!
//! A record is a *headline* and perhaps continuation lines. [`level`] looks at a headline alone and
//! is fast; [`parse`] reads all of it.

#![forbid(unsafe_code)]

mod bytes;
mod expected;
mod flags;
pub mod formats;
mod head;
mod level;
pub mod line;
mod names;
pub mod pattern;
mod record;
mod scan;
mod shapes;
pub mod source;
mod structured;
mod text;
mod time;

pub use expected::{ExpectedLines, first_line};
pub use flags::Flags;
pub use level::detect::{level, object_level};
pub use level::{Level, UnknownLevel, needles};
pub use record::{Context, MAX_MESSAGE, Record, parse};
pub use text::clean;
pub use time::{DateOrder, certain_time, in_order};
