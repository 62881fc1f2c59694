//! From bytes to records: where a level can be, which lines belong together, which formats have
//! a name.

mod expected_scan;
pub mod format;
pub mod level_scan;
pub mod multiline;
pub mod reader;
