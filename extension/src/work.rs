//! The look with which each tick begins, and the check that may follow. An idle tick runs this one
//! statement, so that the log of an audit extension stays small.

use std::time::Duration;

use pgrx::prelude::*;

use crate::pg;
use crate::plans::plan;
use crate::worker::{TickError, look, run};

/// The work that a tick may find, see the view `logwatch_private.work`.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub fleet: bool,
    pub news: bool,
    pub changes: bool,
    pub announcements: bool,
    pub deliveries: bool,
}

impl Work {
    /// A lock on one of the tables stops the look, and then only the parts that need the table.
    pub fn of(looked: &Result<Self, TickError>) -> Self {
        *looked.as_ref().unwrap_or(&Self {
            fleet: true,
            news: true,
            changes: true,
            announcements: true,
            deliveries: true,
        })
    }
}

/// After a tick that found work, the next one begins this much later at the earliest.
pub const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// Returns how long after its begin the next tick may follow one that took so long. A storm of
/// commits is served in steps, and long ticks leave the processor to others for as long as they
/// took. A tick that found nothing is no such step: the next commit is served at once.
pub fn pause_after(took: Duration, found_work: bool, longest: Duration) -> Duration {
    let least = if found_work {
        SHORTEST_PAUSE
    } else {
        Duration::ZERO
    };
    least.max(took + took.min(longest))
}

/// Looks for work without assigning a transaction id. A tick that finds none has run one statement.
pub fn find() -> Result<Work, TickError> {
    const QUERY: &str =
        "SELECT w.fleet, w.news, w.changes, w.announcements, w.deliveries FROM logwatch_private.work AS w";
    let looked = pg::transaction(c"logwatch: look", || {
        Spi::connect(|client| {
            let row = client.select(plan(client, QUERY)?, Some(1), &[])?.first();
            let found = |column| Ok::<_, spi::Error>(row.get::<bool>(column)? == Some(true));
            Ok::<_, spi::Error>(Work {
                fleet: found(1)?,
                news: found(2)?,
                changes: found(3)?,
                announcements: found(4)?,
                deliveries: found(5)?,
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

/// Evaluates the rules; returns how many batches are left for the next check, or `None` when
/// another session is doing it.
pub fn evaluate() -> spi::Result<Option<i64>> {
    // A check that a crash undoes is repeated. Nothing is sent before the claim, whose commit waits
    // for the disk.
    const CHECK: &str = "SELECT pg_catalog.set_config('synchronous_commit', 'off', true), logwatch_private.check(tells => false)";
    const LEFT: &str = "SELECT pg_catalog.count(b.first_at) FROM logwatch.progress AS p
        LEFT JOIN logwatch.batches AS b ON b.first_at OPERATOR(pg_catalog.<=) p.checked_at
        WHERE p.checked_at OPERATOR(pg_catalog.>=) pg_catalog.now() HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0";
    Spi::connect_mut(|client| {
        let check = plan(client, CHECK)?;
        client.update(check, None, &[])?;
        let left = plan(client, LEFT)?;
        let left = client.update(left, Some(1), &[])?;
        if left.is_empty() {
            return Ok(None);
        }
        left.first().get_one::<i64>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tick_that_found_work_holds_up_the_next_commit() {
        let pause = |milliseconds, found_work| {
            let took = Duration::from_millis(milliseconds);
            pause_after(took, found_work, Duration::from_secs(5)).as_millis()
        };
        assert_eq!(pause(3, true), 50);
        assert_eq!(pause(3, false), 6);
        assert_eq!(pause(40, false), 80);
        assert_eq!(pause(40, true), 80);
        assert_eq!(pause(9000, true), 14_000);
    }
}
