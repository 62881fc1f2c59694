//! Where records go besides the database.

pub mod dry_run;
