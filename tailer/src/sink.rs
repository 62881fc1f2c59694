//! Where records go, and what is told of the files.

pub mod database;
pub mod dry_run;
pub mod health;
