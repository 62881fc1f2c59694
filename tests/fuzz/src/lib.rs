//! Properties that hold for every input that logwatch reads: one module for each fuzz target,
//! each with a `check` that panics where something does not hold.
//!
//! The checks are more than "no panic": two ways to the same result must agree, however the bytes
//! are cut. `make fuzz` tries new inputs; `cargo test` replays those of `corpus` and of `found`,
//! which are those that once broke something.

pub mod candidates;
pub mod connection;
pub mod content;
pub mod corpus;
pub mod level;
pub mod reader;
pub mod record;
pub mod settings;
pub mod template;

/// A check of one input.
pub type Check = fn(&[u8]);

/// All targets, by the names that cargo-fuzz and the corpus know them by.
pub const TARGETS: [(&str, Check); 8] = [
    ("candidates", candidates::check),
    ("connection", connection::check),
    ("content", content::check),
    ("level", level::check),
    ("reader", reader::check),
    ("record", record::check),
    ("settings", settings::check),
    ("template", template::check),
];

/// The first bytes of an input, which choose what is done with the rest; zeros for those that are
/// missing.
fn choices<const COUNT: usize>(input: &[u8]) -> ([u8; COUNT], &[u8]) {
    let (first, rest) = input.split_at(input.len().min(COUNT));
    let mut choices = [0; COUNT];
    choices[..first.len()].copy_from_slice(first);
    (choices, rest)
}
