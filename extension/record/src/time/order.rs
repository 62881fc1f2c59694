//! Dates whose day may be their month, such as `03/12/2026`.

use super::{DateOrder, Stamp, scan};
use crate::record::Context;
use jiff::Timestamp;

/// A date further behind the start of a line than this is part of its message.
const LOOKED_AT: usize = 64;

/// Returns the time at the start of a record, unless its date can be read in two orders. It tells
/// which order is meant in the other records of the file.
pub fn certain_time(text: &str, context: &Context) -> Option<Timestamp> {
    let (_, stamp) = first(text.as_bytes())?;
    let is_whole = matches!(stamp, Stamp::Civil { year: Some(_), .. } | Stamp::Epoch(_));
    let moment = stamp.resolve(context).filter(|_| is_whole)?;
    (!stamp.is_in_either_order() && moment <= context.now).then_some(moment)
}

/// Returns the line with its date as year, month and day, if the date can be read in two orders and
/// `order` says in which.
pub fn in_order(line: &[u8], order: DateOrder) -> Option<Vec<u8>> {
    if order == DateOrder::Nearest {
        return None;
    }
    let (at, stamp) = first(line)?;
    let Stamp::Civil {
        year: Some(year),
        month,
        day,
        either_order: true,
        ..
    } = stamp
    else {
        return None;
    };
    // A stamp has the month first.
    let (month, day) = match order {
        DateOrder::DayFirst => (day, month),
        _ => (month, day),
    };
    let len = line[at..]
        .iter()
        .take_while(|b| b.is_ascii_digit() || matches!(b, b'/' | b'-'))
        .count();
    let mut text = line[..at].to_vec();
    text.extend_from_slice(format!("{year:04}-{month:02}-{day:02}").as_bytes());
    text.extend_from_slice(&line[at + len..]);
    Some(text)
}

/// Returns the first time of a line and its position.
fn first(line: &[u8]) -> Option<(usize, Stamp)> {
    let starts = |at: &usize| *at == 0 || !line[at - 1].is_ascii_alphanumeric();
    (0..line.len().min(LOOKED_AT))
        .filter(|at| line[*at].is_ascii_alphanumeric() && starts(at))
        .find_map(|at| scan(&line[at..]).map(|(stamp, _)| (at, stamp)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(line: &str, order: DateOrder) -> Option<String> {
        in_order(line.as_bytes(), order).map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn a_fixed_order_rewrites_only_what_can_be_read_in_two() {
        let line = "[03/12/2026 10:00:00] ERROR x 04/05/2026";
        let day_first = "[2026-12-03 10:00:00] ERROR x 04/05/2026";
        assert_eq!(fixed(line, DateOrder::DayFirst).as_deref(), Some(day_first));
        let month_first = "[2026-03-12 10:00:00] ERROR x 04/05/2026";
        assert_eq!(fixed(line, DateOrder::MonthFirst).as_deref(), Some(month_first));
        assert_eq!(fixed(line, DateOrder::Nearest), None);
        for line in [
            "13/12/2026 10:00:00 ERROR x",
            "2026-03-12 10:00:00 ERROR x",
            "ERROR x",
        ] {
            assert_eq!(fixed(line, DateOrder::DayFirst), None, "{line}");
        }
        assert_eq!(
            fixed("ERROR 3-4-2026, 1:35:43 PM x", DateOrder::DayFirst).as_deref(),
            Some("ERROR 2026-04-03, 1:35:43 PM x")
        );
    }

    #[test]
    fn a_time_tells_the_order_if_it_has_one_itself() {
        let context = Context {
            now: "2026-12-03T12:00:00Z".parse().unwrap(),
            ..Context::of(jiff::tz::TimeZone::UTC)
        };
        let time = |text| certain_time(text, &context).map(|time| time.to_string());
        assert_eq!(
            time("13/11/2026 10:00:00 x").as_deref(),
            Some("2026-11-13T10:00:00Z")
        );
        assert_eq!(time("03/12/2026 10:00:00 x"), None);
        assert_eq!(time("2027-01-01 10:00:00 x"), None);
        assert_eq!(time("10:00:00 x"), None);
    }
}
