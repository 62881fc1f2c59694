//! Points: how many records came in each second of a minute, as 60 * n + second, in any order.
//!
//! A check of a new rule adds up the points of hundreds of thousands of rows, and then asks each of
//! thousands of groups for a second: in SQL these steps took a third of such a check.

use pgrx::prelude::*;
use pgrx::{Array, Internal};

use crate::pg;

/// Points that are kept before those of each second are added up.
const BUFFERED: usize = 240;

#[derive(Default)]
pub struct Points(Vec<i64>);

impl Points {
    /// Adds up the points of each second, and sorts them by second.
    fn merge(&mut self) {
        self.0.sort_unstable_by_key(|point| point % 60);
        self.0.dedup_by(|point, sum| {
            let is_same = *point % 60 == *sum % 60;
            if is_same {
                *sum = sum.saturating_add(*point - *point % 60);
            }
            is_same
        });
    }
}

/// Adds the points of one more row to those of an aggregate: of a row without points its number of
/// records.
#[pg_extern(sql = false)]
fn gather_points(fcinfo: pg_sys::FunctionCallInfo) -> Internal {
    pg::with_aggregate_state(fcinfo, |gathered: &mut Points| {
        let before = gathered.0.len();
        pg::each_bigint(fcinfo, 1, |point| gathered.0.push(point));
        if gathered.0.len() == before {
            let n = pg::bigint_argument(fcinfo, 2);
            gathered
                .0
                .extend(n.filter(|n| *n > 0).map(|n| n.saturating_mul(60)));
        }
        if gathered.0.len() > BUFFERED {
            gathered.merge();
        }
    })
}

/// Returns the points of an aggregate: one for each second, by second.
#[pg_extern(sql = false)]
fn gathered_points(fcinfo: pg_sys::FunctionCallInfo) -> Vec<i64> {
    let mut found = Vec::new();
    pg::with_aggregate_state(fcinfo, |gathered: &mut Points| {
        gathered.merge();
        found.clone_from(&gathered.0);
    });
    found
}

/// Returns the first second of a minute up to which more than `surplus` records came, of those
/// before `end`; None when there are not as many.
#[pg_extern(sql = false)]
fn second_above(points: Array<i64>, surplus: f64, end: f64) -> Option<f64> {
    first_above(points.iter().flatten(), surplus, end)
}

fn first_above(points: impl Iterator<Item = i64>, surplus: f64, end: f64) -> Option<f64> {
    let mut seconds = [0_i64; 60];
    for point in points {
        if let Some(n) = seconds.get_mut(usize::try_from(point % 60).ok()?) {
            *n = n.saturating_add(point / 60);
        }
    }
    let mut gone = 0_i64;
    (0_u8..60).zip(seconds).find_map(|(second, n)| {
        gone = gone.saturating_add(n);
        let second = f64::from(second);
        // A second without records is not the one.
        (n != 0 && gone as f64 > surplus && second < end).then_some(second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_second_become_one() {
        let mut points = Points(vec![60 + 5, 120 + 3, 180 + 5]);
        points.merge();
        assert_eq!(points.0, [120 + 3, 240 + 5]);
        points.0.extend([60 + 59; 1000]);
        points.merge();
        assert_eq!(points.0, [120 + 3, 240 + 5, 60_000 + 59]);
    }

    #[test]
    fn a_threshold_is_held_since_the_second_whose_records_it_needs() {
        // Two records at 3, three at 40, one at 41.
        let points = [180 + 40, 60 + 3, 60 + 41, 60 + 3];
        for (surplus, end, expected) in [
            (0.0, 60.0, Some(3.0)),
            (1.0, 60.0, Some(3.0)),
            (2.0, 60.0, Some(40.0)),
            (5.0, 60.0, Some(41.0)),
            (5.0, 41.0, None),
            (6.0, 60.0, None),
        ] {
            assert_eq!(
                first_above(points.into_iter(), surplus, end),
                expected,
                "{surplus} {end}"
            );
        }
    }
}
