//! The times that programs write at the head of a line or as a value, and what moment they mean.
//!
//! [`scan`] says what is written, without any context; [`Stamp::resolve`] says when that was. A
//! time that is not certain is no time: a wrong one would count an error in the wrong window.

mod clock;
mod date;
mod order;
mod zone;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset};

use crate::record::{Context, FUTURE};
use crate::scan::Scanner;
use clock::Clock;
use zone::Zone;

pub use order::{certain_time, in_order};

/// A year-less date further ahead than this is last year's.
const YEARLESS_AHEAD: i64 = 24 * 3600;
/// The first second of the year 2201. A later time, or one before 1970, is an unset clock or a
/// number that is no time.
const TOO_LATE: i64 = 7_289_654_400;

/// A time as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stamp {
    Civil {
        year: Option<i16>,
        month: i8,
        day: i8,
        clock: Clock,
        zone: Zone,
        /// The day may be the month and the month the day: `03/12/2026`.
        either_order: bool,
    },
    /// Microseconds since 1970.
    Epoch(i64),
    /// A time of day without a date: certain to be a time, but not when.
    Clock,
}

/// Returns the time at the start of `bytes`, and how many bytes it takes with its zone. Most words
/// are told by their first letter.
#[inline]
pub(crate) fn scan(bytes: &[u8]) -> Option<(Stamp, usize)> {
    match bytes.first()? {
        b'0'..=b'9' | b'A'..=b'Z' | b'@' => scan_any(bytes),
        _ => None,
    }
}

fn scan_any(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut s = Scanner::new(bytes);
    let stamp = match bytes.first()? {
        b'0'..=b'9' => date::numeric(&mut s)?,
        b'A'..=b'Z' => date::named(&mut s)?,
        b'@' => date::tai64n(&mut s)?,
        _ => return None,
    };
    // Never half a number or half a word.
    match s.peek() {
        Some(b) if b.is_ascii_alphanumeric() || b == b'_' => None,
        _ => Some((stamp, s.at())),
    }
}

/// Reads glog's `mmdd hh:mm:ss.uuuuuu`, or `yyyymmdd hh:…`.
pub(crate) fn glog(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut s = Scanner::new(bytes);
    let stamp = date::glog(&mut s)?;
    Some((stamp, s.at()))
}

/// Returns the moment that a whole text means: a date with a time, or an epoch.
pub(crate) fn whole(text: &str, context: &Context) -> Option<Timestamp> {
    let text = text.trim();
    let (stamp, len) = scan(text.as_bytes())?;
    // Java's `2026-11-22T10:00:00+01:00[Europe/Berlin]` ends in a zone's name.
    let rest = &text[len..];
    if rest.is_empty() || rest.starts_with('[') {
        stamp.resolve(context)
    } else {
        None
    }
}

/// Returns the moment of an epoch in seconds, milli-, micro- or nanoseconds: the unit is the one
/// that gives a date between 2001 and 2200.
pub(crate) fn epoch(value: f64) -> Option<Timestamp> {
    let micros = match value {
        1e9..7.3e9 => value * 1e6,
        1e12..7.3e12 => value * 1e3,
        1e15..7.3e15 => value,
        1e18..7.3e18 => value / 1e3,
        _ => return None,
    };
    plausible(Timestamp::from_microsecond(micros.round() as i64).ok()?)
}

/// Returns the same of a whole number, without the rounding of a float.
pub(crate) fn epoch_whole(value: i64) -> Option<Timestamp> {
    let micros = match value {
        1_000_000_000..7_300_000_000 => value * 1_000_000,
        1_000_000_000_000..7_300_000_000_000 => value * 1000,
        1_000_000_000_000_000..7_300_000_000_000_000 => value,
        1_000_000_000_000_000_000..7_300_000_000_000_000_000 => value / 1000,
        _ => return None,
    };
    plausible(Timestamp::from_microsecond(micros).ok()?)
}

impl Stamp {
    /// Marks a date whose day and month may be swapped.
    fn in_either_order(self) -> Stamp {
        match self {
            Stamp::Civil {
                year,
                month,
                day,
                clock,
                zone,
                ..
            } => Stamp::Civil {
                year,
                month,
                day,
                clock,
                zone,
                either_order: true,
            },
            other => other,
        }
    }

    /// Returns true for a date whose day and month may be swapped.
    pub(crate) fn is_in_either_order(self) -> bool {
        matches!(
            self,
            Stamp::Civil {
                either_order: true,
                ..
            }
        )
    }

    /// Returns the moment, None when it is not certain or not plausible.
    pub(crate) fn resolve(self, context: &Context) -> Option<Timestamp> {
        match self {
            Stamp::Clock => None,
            Stamp::Epoch(micros) => plausible(Timestamp::from_microsecond(micros).ok()?),
            Stamp::Civil {
                year: Some(year),
                month,
                day,
                clock,
                zone,
                either_order,
            } => {
                let written = moment(year, month, day, clock, zone, context).and_then(plausible);
                if !either_order || context.date_order == DateOrder::MonthFirst {
                    return written;
                }
                let swapped = moment(year, day, month, clock, zone, context).and_then(plausible);
                match (written, swapped, context.date_order) {
                    (_, swapped, DateOrder::DayFirst) => swapped,
                    (Some(written), Some(swapped), _) => Some(context.likelier(written, swapped)),
                    (written, swapped, _) => written.or(swapped),
                }
            }
            Stamp::Civil {
                year: None,
                month,
                day,
                clock,
                zone,
                ..
            } => {
                let now = context.zone.to_datetime(context.now);
                let latest = if now.month() == 12 && month == 1 {
                    now.year() + 1
                } else {
                    now.year()
                };
                let limit = context.now.as_second() + YEARLESS_AHEAD;
                // Nine years hold a 29 February, 2100 included.
                (0..9)
                    .filter_map(|back| moment(latest - back, month, day, clock, zone, context))
                    .find(|moment| moment.as_second() <= limit)
                    .and_then(plausible)
            }
        }
    }
}

impl DateOrder {
    /// The names that `--date-order` takes.
    pub const NAMES: [(&str, DateOrder); 3] = [
        ("nearest", DateOrder::Nearest),
        ("day-first", DateOrder::DayFirst),
        ("month-first", DateOrder::MonthFirst),
    ];
}

/// The order of day and month in a date such as `03/12/2026`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateOrder {
    /// Takes the order under which the date is nearest to the file's other times and to now.
    #[default]
    Nearest,
    DayFirst,
    MonthFirst,
}

impl Context {
    /// Returns the likelier of two readings of one date. A log holds no times of the future, so
    /// such a reading is taken only if both are.
    fn likelier(&self, one: Timestamp, other: Timestamp) -> Timestamp {
        let ahead = |moment: Timestamp| moment.duration_since(self.now) > FUTURE;
        let distance = |moment: Timestamp| moment.duration_since(self.near.unwrap_or(self.now)).abs();
        match (ahead(one), ahead(other)) {
            (false, true) => one,
            (true, false) => other,
            _ if distance(one) <= distance(other) => one,
            _ => other,
        }
    }
}

fn plausible(moment: Timestamp) -> Option<Timestamp> {
    (0..TOO_LATE).contains(&moment.as_second()).then_some(moment)
}

fn moment(year: i16, month: i8, day: i8, clock: Clock, zone: Zone, context: &Context) -> Option<Timestamp> {
    let Clock {
        hour,
        minute,
        second,
        micros,
    } = clock;
    let written = DateTime::new(year, month, day, hour, minute, second, micros * 1000).ok()?;
    if let Zone::Offset(seconds) = zone {
        return Offset::from_seconds(seconds).ok()?.to_timestamp(written).ok();
    }
    if let Zone::Named(place) = zone {
        let zone = zone::named(place)?;
        return zone.to_ambiguous_timestamp(written).compatible().ok();
    }
    let ambiguous = context.zone.to_ambiguous_timestamp(written);
    let Zone::Abbreviation(name) = zone else {
        return ambiguous.compatible().ok();
    };
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    let is_named = |moment: Timestamp| context.zone.to_offset_info(moment).abbreviation().as_bytes() == name;
    if let AmbiguousOffset::Fold { after, .. } = ambiguous.offset() {
        let later = after.to_timestamp(written).ok()?;
        if is_named(later) {
            return Some(later);
        }
    }
    // An ambiguous abbreviation is the reader's own, and so is one that its zone uses at that time.
    let local = ambiguous.compatible().ok()?;
    match zone::offset(name).filter(|_| !is_named(local)) {
        Some(seconds) => Offset::from_seconds(seconds).ok()?.to_timestamp(written).ok(),
        None => Some(local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn at(text: &str, now: &str) -> String {
        let context = Context {
            now: now.parse().unwrap(),
            ..Context::of(TimeZone::get("America/New_York").unwrap())
        };
        let moment = scan(text.as_bytes()).and_then(|(stamp, _)| stamp.resolve(&context));
        moment.map_or("-".to_owned(), |moment| moment.to_string())
    }

    fn all(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(at(text, "2026-11-22T12:00:00Z"), *expected, "{text}");
        }
    }

    #[test]
    fn iso_8601_with_every_zone() {
        all(&[
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22 10:00:00.123456789Z", "2026-11-22T10:00:00.123456Z"),
            ("2026-11-22T10:00:00,5+02", "2026-11-22T08:00:00.5Z"),
            ("2026-11-22T10:00:00+0200", "2026-11-22T08:00:00Z"),
            ("2026-11-22T10:00:00-02:30", "2026-11-22T12:30:00Z"),
            ("2026-11-22 10:00:00 +0530", "2026-11-22T04:30:00Z"),
            ("2026-11-22 10:00:00 UTC", "2026-11-22T10:00:00Z"),
            ("2026-11-22 10:00:00 GMT", "2026-11-22T10:00:00Z"),
            ("2026-11-22 10:00:00", "2026-11-22T15:00:00Z"),
            ("2026-11-22 10:00:00 CET", "2026-11-22T09:00:00Z"),
            ("2026-11-22 10:00:00 CST", "2026-11-22T15:00:00Z"),
            ("2026-11-22 10:00:00 AEDT", "2026-11-21T23:00:00Z"),
            ("2026-11-22 10:00:00.5 -03 [7]", "2026-11-22T13:00:00.5Z"),
            ("2026-11-22  1:45:45", "2026-11-22T06:45:45Z"),
            ("2026-11-22 10:00:00 - x", "2026-11-22T15:00:00Z"),
            ("2026-11-22 10:00:00 INFO", "2026-11-22T15:00:00Z"),
            ("2026/11/22 10:00:00", "2026-11-22T15:00:00Z"),
            ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59Z"),
        ]);
    }

    #[test]
    fn the_other_ways_to_write_a_date() {
        all(&[
            ("22/Nov/2026:10:00:00 +0100", "2026-11-22T09:00:00Z"),
            ("22-Nov-2026 10:00:00 UTC", "2026-11-22T10:00:00Z"),
            ("22-Nov-2026 10:00:00 Europe/Berlin]", "2026-11-22T09:00:00Z"),
            ("22-Jul-2026 10:00:00 Europe/Berlin]", "2026-07-22T08:00:00Z"),
            ("22-Nov-2026 10:00:00 Nowhere/Land]", "2026-11-22T15:00:00Z"),
            ("22 Nov 2026 10:00:00.123", "2026-11-22T15:00:00.123Z"),
            ("Sun Nov 22 10:00:00.123456 2026", "2026-11-22T15:00:00.123456Z"),
            ("Sun Nov 22 10:00:00 UTC 2026", "2026-11-22T10:00:00Z"),
            ("Sun, 22 Nov 2026 10:00:00 +0100", "2026-11-22T09:00:00Z"),
            ("Nov 22, 2026 3:04:05 PM", "2026-11-22T20:04:05Z"),
            ("11/22/2026 12:04:05 AM", "2026-11-22T05:04:05Z"),
            ("22.11.2026 10:00:00", "2026-11-22T15:00:00Z"),
            ("17/06/09 20:10:40", "2017-06-10T00:10:40Z"),
            ("081109 203518", "2008-11-10T01:35:18Z"),
            ("20171223-22:15:29:606", "2017-12-24T03:15:29.606Z"),
            ("2005-06-03-15.42.50.675872", "2005-06-03T19:42:50.675872Z"),
            ("2005-06-03-15.42.50.675872+060 x", "2005-06-03T14:42:50.675872Z"),
            ("20261122:100000.095", "2026-11-22T15:00:00.095Z"),
            ("2026-11-22_10:00:00.12345", "2026-11-22T15:00:00.12345Z"),
            ("6b0a2f94.140d3067", "2026-11-28T01:34:12.336408Z"),
            ("@400000006b0a2f9e140d3067", "2026-11-28T01:34:12.336408Z"),
        ]);
    }

    #[test]
    fn epochs_of_every_unit() {
        all(&[
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("1700000000.5", "2023-11-14T22:13:20.5Z"),
            ("1700000000123", "2023-11-14T22:13:20.123Z"),
            ("1700000000123456", "2023-11-14T22:13:20.123456Z"),
            ("1700000000123456789", "2023-11-14T22:13:20.123456Z"),
            ("170000000", "-"),
            ("1700000000x", "-"),
            ("9999999999", "-"),
        ]);
        assert_eq!(epoch(1e300), None);
        assert_eq!(epoch(f64::NAN), None);
        assert_eq!(epoch_whole(-1), None);
    }

    #[test]
    fn a_year_less_date_is_never_more_than_a_day_ahead() {
        assert_eq!(
            at("Nov 22 10:00:00", "2026-11-22T12:00:00Z"),
            "2026-11-22T15:00:00Z"
        );
        assert_eq!(
            at("Nov 24 10:00:00", "2026-11-22T12:00:00Z"),
            "2025-11-24T15:00:00Z"
        );
        assert_eq!(
            at("Dec 31 23:59:59", "2027-01-01T06:00:00Z"),
            "2027-01-01T04:59:59Z"
        );
        assert_eq!(
            at("Jan  1 00:00:01", "2027-01-01T04:59:00Z"),
            "2027-01-01T05:00:01Z"
        );
        assert_eq!(
            at("Feb 29 10:00:00", "2026-11-22T12:00:00Z"),
            "2024-02-29T15:00:00Z"
        );
    }

    #[test]
    fn a_date_in_two_orders_is_the_one_nearest_to_now_or_to_the_file() {
        let context = |order, near: Option<&str>| Context {
            now: "2026-12-03T12:00:00Z".parse().unwrap(),
            near: near.map(|near| near.parse().unwrap()),
            date_order: order,
            ..Context::of(TimeZone::UTC)
        };
        let read = |text, context| whole(text, &context).unwrap().to_string();
        use DateOrder::*;
        let date = "03/12/2026 10:00:00";
        assert_eq!(read(date, context(Nearest, None)), "2026-12-03T10:00:00Z");
        assert_eq!(read(date, context(MonthFirst, None)), "2026-03-12T10:00:00Z");
        assert_eq!(
            read("11/12/2026 10:00:00", context(DayFirst, None)),
            "2026-12-11T10:00:00Z"
        );
        // A reading ahead of now is not taken.
        assert_eq!(
            read("11/12/2026 10:00:00", context(Nearest, None)),
            "2026-11-12T10:00:00Z"
        );
        let march = Some("2026-03-10T00:00:00Z");
        assert_eq!(read(date, context(Nearest, march)), "2026-03-12T10:00:00Z");
    }

    #[test]
    fn the_two_half_past_one_of_a_clock_change() {
        all(&[
            ("2026-11-01 01:30:00", "2026-11-01T05:30:00Z"),
            ("2026-11-01 01:30:00 EDT", "2026-11-01T05:30:00Z"),
            ("2026-11-01 01:30:00 EST", "2026-11-01T06:30:00Z"),
            ("2026-03-08 02:30:00", "2026-03-08T07:30:00Z"),
        ]);
    }

    #[test]
    fn what_is_not_certain_is_no_time() {
        all(&[
            ("10:00:00.123", "-"),
            ("2026-11-22", "-"),
            ("2026-13-22 10:00:00", "-"),
            ("2026-11-22 25:00:00", "-"),
            ("1969-12-31 10:00:00Z", "-"),
            ("2201-01-01 10:00:00Z", "-"),
            ("10.0.0.1:80", "-"),
            ("", "-"),
        ]);
    }

    #[test]
    fn a_whole_text_is_a_time_and_nothing_else() {
        let context = Context {
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            ..Context::of(TimeZone::UTC)
        };
        assert!(whole(" 2026-11-22T10:00:00+01:00[Europe/Berlin] ", &context).is_some());
        assert!(whole("2026-11-22T10:00:00 and more", &context).is_none());
    }
}
