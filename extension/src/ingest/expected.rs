//! Lines of a batch that rules expect: noted in a row of the queue of their own, so that the
//! statements of all other batches stay as they are.

use std::collections::BTreeSet;
use std::rc::Rc;

use logwatch_record::{ExpectedLines, first_line};
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

use super::{SECOND, from_micros, offset};
use crate::column::Column;
use crate::expectations;

/// The lines that rules expect of a source, and those that the batch brings.
#[derive(Default)]
pub struct Expected {
    lines: Option<Rc<ExpectedLines>>,
    /// The second (microseconds since 2000) and the number of the expression.
    came: BTreeSet<(i64, usize)>,
}

impl Expected {
    pub fn of_source(source: &str) -> spi::Result<Expected> {
        Ok(Expected {
            lines: expectations::of_source(source)?,
            came: BTreeSet::new(),
        })
    }

    /// Returns the numbers of the expressions that a record matches.
    pub fn matches(&self, record: &str, message: &str) -> Vec<usize> {
        match &self.lines {
            None => Vec::new(),
            Some(lines) => lines.matches(first_line(record).as_bytes(), message).collect(),
        }
    }

    /// Notes a record that matches these expressions.
    pub fn note(&mut self, matches: Vec<usize>, second: i64) {
        self.came
            .extend(matches.into_iter().map(|expression| (second, expression)));
    }

    /// Queues the lines for the next check.
    pub fn store(
        &self,
        client: &mut SpiClient,
        source_id: i64,
        source: &str,
        received_at: TimestampWithTimeZone,
    ) -> spi::Result<()> {
        let (Some(lines), Some((first, _)), Some((last, _))) =
            (&self.lines, self.came.first(), self.came.last())
        else {
            return Ok(());
        };
        let (mut expressions, mut seconds) = (Column::<str>::default(), Column::<i32>::default());
        for (second, expression) in &self.came {
            expressions.push(lines.expression(*expression));
            seconds.push(&offset(*second, *first));
        }
        client.update(
            "INSERT INTO logwatch.batches (source_id, received_at, first_at, last_at, n, source, expected, expected_seconds)
             VALUES ($1, $2, $3, $4, 0, $5, $6, $7)",
            None,
            &[
                source_id.into(),
                received_at.into(),
                from_micros(*first).into(),
                from_micros(*last + SECOND - 1).into(),
                source.into(),
                expressions.into(),
                seconds.into(),
            ],
        )?;
        Ok(())
    }
}
