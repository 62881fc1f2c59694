//! From bytes to records: where a level can be, which lines belong together, which formats have
//! a name.

pub mod format;
pub mod level_scan;
pub mod multiline;
pub mod reader;
