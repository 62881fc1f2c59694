//! The look with which each tick begins. An idle tick runs this one statement, so that the log of
//! an audit extension stays small.

use pgrx::prelude::*;

use crate::pg;
use crate::plans::plan;
use crate::worker::{TickError, look, run};

/// The work that a tick may find, see the view `logwatch_private.work`.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub fleet: bool,
    pub changes: bool,
    pub announcements: bool,
    pub deliveries: bool,
}

impl Work {
    /// A lock on one of the tables stops the look, and then only the parts that need the table.
    pub fn of(looked: &Result<Self, TickError>) -> Self {
        *looked.as_ref().unwrap_or(&Self {
            fleet: true,
            changes: true,
            announcements: true,
            deliveries: true,
        })
    }
}

/// Looks for work without assigning a transaction id. A tick that finds none has run one statement.
pub fn find() -> Result<Work, TickError> {
    const QUERY: &str =
        "SELECT w.fleet, w.changes, w.announcements, w.deliveries FROM logwatch_private.work AS w";
    let looked = pg::transaction(c"logwatch: look", || {
        Spi::connect(|client| {
            let row = client.select(plan(client, QUERY)?, Some(1), &[])?.first();
            let found = |column| Ok::<_, spi::Error>(row.get::<bool>(column)? == Some(true));
            Ok::<_, spi::Error>(Work {
                fleet: found(1)?,
                changes: found(2)?,
                announcements: found(3)?,
                deliveries: found(4)?,
            })
        })
    })?;
    Ok(looked?)
}

/// Sends a beat or settles edges when that is due; returns whether it was.
pub fn tend_fleet() -> Result<bool, TickError> {
    let is_due = look("SELECT logwatch_private.fleet_due(clock_timestamp())")? == Some(true);
    if is_due {
        run(c"logwatch: fleet", "SELECT logwatch_private.tend_fleet()")?;
    }
    Ok(is_due)
}
