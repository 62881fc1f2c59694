//! The parts of the worker's upkeep: each in transactions of its own, whatever becomes of the
//! others.

use pgrx::prelude::*;

use crate::pg;
use crate::plans::plan;
use crate::worker::TickError;

/// The parts of the upkeep, the last of which notes that it ran. Each returns whether there is more
/// to do at once.
const PARTS: [&str; 5] = [
    "SELECT false FROM logwatch_private.maintain_part('new partitions')",
    "SELECT m.done OPERATOR(pg_catalog.>=) 16 FROM logwatch_private.maintain_part('old partitions') AS m",
    "SELECT false FROM logwatch_private.maintain_part('folding')",
    "SELECT false FROM logwatch_private.maintain_part('retention')",
    "SELECT false FROM logwatch_private.maintained()",
];

/// Runs all parts; returns the first error.
pub fn run() -> Result<(), TickError> {
    let mut outcome = Ok(());
    for part in PARTS {
        outcome = outcome.and(run_part(part));
    }
    outcome
}

/// Does one part of the upkeep, and again as long as it takes steps.
fn run_part(part: &'static str) -> Result<(), TickError> {
    loop {
        let steps_left = pg::transaction(c"logwatch: maintain", || {
            Spi::connect_mut(|client| {
                let plan = plan(client, part)?;
                client.update(plan, Some(1), &[])?.first().get_one::<bool>()
            })
        })??;
        if steps_left != Some(true) {
            return Ok(());
        }
    }
}
