//! The times that programs write at the head of a line or as a value, and what moment they mean.
//!
//! [`scan`] says what is written, without any context; [`Stamp::resolve`] says when that was. A time that is not certain is no time:
//! a wrong one would count an error in the wrong window.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset};

use crate::Context;
use crate::scan::Scanner;
use crate::zone::{self, Zone};

/// A year-less date further ahead than this is last year's.
const YEARLESS_AHEAD: i64 = 24 * 3600;
/// The first second of the year 2201. A later time, or one before 1970, is an unset clock or a number that is no time.
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
    },
    /// Microseconds since 1970.
    Epoch(i64),
    /// A time of day without a date: certain to be a time, but not when.
    Clock,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    micros: i32,
}

/// The time at the start of `bytes`, and how many bytes it takes with its zone.
pub(crate) fn scan(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut s = Scanner::new(bytes);
    let stamp = match bytes.first()? {
        b'0'..=b'9' => numeric(&mut s)?,
        b'A'..=b'Z' => named(&mut s)?,
        _ => return None,
    };
    // Never half a number or half a word.
    match s.peek() {
        Some(b) if b.is_ascii_alphanumeric() || b == b'_' => None,
        _ => Some((stamp, s.at())),
    }
}

/// The moment that a whole text means: a date with a time, or an epoch.
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

/// The moment of an epoch in seconds, milli-, micro- or nanoseconds: the unit is the one that gives a date between 2001 and 2200.
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

/// The same of a whole number, without the rounding of a float.
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
    /// The moment, None when it is not certain or not plausible.
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
            } => plausible(moment(year, month, day, clock, zone, context)?),
            Stamp::Civil {
                year: None,
                month,
                day,
                clock,
                zone,
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
    let ambiguous = context.zone.to_ambiguous_timestamp(written);
    if let (Zone::Abbreviation(name), AmbiguousOffset::Fold { after, .. }) = (zone, ambiguous.offset()) {
        let later = after.to_timestamp(written).ok()?;
        let name = name.split(|&b| b == 0).next().unwrap_or_default();
        if context.zone.to_offset_info(later).abbreviation().as_bytes() == name {
            return Some(later);
        }
    }
    ambiguous.compatible().ok()
}

/// A time that starts with a digit.
fn numeric(s: &mut Scanner) -> Option<Stamp> {
    match iso(s) {
        Some(stamp) => stamp,
        None => any_numeric(s),
    }
}

fn any_numeric(s: &mut Scanner) -> Option<Stamp> {
    let run = s.rest().iter().take_while(|b| b.is_ascii_digit()).count();
    match (run, s.rest().get(run).copied()) {
        (4, Some(separator @ (b'-' | b'/' | b'.'))) => {
            let year = s.digits(4)? as i16;
            s.eat(separator);
            let month = s.number(1, 2)?;
            s.eat(separator).then_some(())?;
            let day = s.number(1, 2)?;
            date_then_clock(s, Some(year), month, day)
        }
        (8, Some(b' ' | b'T' | b'-')) => {
            let (year, month, day) = (s.digits(4)? as i16, s.digits(2)?, s.digits(2)?);
            date_then_clock(s, Some(year), month, day)
        }
        // MySQL 5.5 and HDFS: `081109 203518`, `140818 21:30:01`, `140818  9:30:01`.
        (6, Some(b' ')) => {
            let (year, month, day) = (2000 + s.digits(2)? as i16, s.digits(2)?, s.digits(2)?);
            if s.rest().starts_with(b"  ") {
                s.eat(b' ');
            }
            date_then_clock(s, Some(year), month, day)
        }
        (1 | 2, Some(b':')) => {
            clock(s)?;
            // `12:30` alone may be anything; `9:00AM` and `10:00:00` are times.
            (s.at() >= 6).then_some(Stamp::Clock)
        }
        (1 | 2, Some(separator @ (b'/' | b'-' | b' ' | b'.'))) => day_or_month_first(s, separator),
        (10 | 13 | 16 | 19, _) => epoch_digits(s, run),
        _ => None,
    }
}

/// `2026-11-22T10:00:00` and what may follow, which most programs write: as the general way reads it, only sooner. None: it is not that.
fn iso(s: &mut Scanner) -> Option<Option<Stamp>> {
    let text: &[u8; 19] = s.rest().first_chunk()?;
    let shaped = text[4] == b'-'
        && text[7] == b'-'
        && matches!(text[10], b'T' | b' ')
        && text[13] == b':'
        && text[16] == b':';
    let two = |at: usize| {
        let digits = [text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0')];
        (digits[0] < 10 && digits[1] < 10).then(|| u64::from(digits[0] * 10 + digits[1]))
    };
    if !shaped {
        return None;
    }
    let (century, year, month, day) = (two(0)?, two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    s.skip(text.len());
    Some(rest_of_clock(s, hour, minute, second).and_then(|clock| {
        let zone = zone::scan(s);
        civil(Some((century * 100 + year) as i16), month, day, clock, zone)
    }))
}

/// `22/Nov/2026:10:00:00`, `22-Nov-2026 10:00:00`, `22 Nov 2026 10:00:00`, `11/22/2026 10:00:00`, `22.11.2026 10:00:00`,
/// `17/06/09 20:10:40` (Spark), `11-22 10:00:00.123` (Android).
fn day_or_month_first(s: &mut Scanner, separator: u8) -> Option<Stamp> {
    let first = s.number(1, 2)?;
    s.eat(separator);
    if s.peek()?.is_ascii_alphabetic() {
        let month = month(s)?;
        s.eat(separator).then_some(())?;
        let year = s.digits(4)? as i16;
        return date_then_clock(s, Some(year), month, first);
    }
    let second = s.number(1, 2)?;
    match separator {
        b'-' if s.peek() == Some(b' ') => date_then_clock(s, None, first, second),
        b'/' | b'.' | b'-' if s.eat(separator) => {
            let run = s.rest().iter().take_while(|b| b.is_ascii_digit()).count();
            match run {
                4 => {
                    let year = s.digits(4)? as i16;
                    let day_first = separator == b'.' || first > 12;
                    let (month, day) = if day_first {
                        (second, first)
                    } else {
                        (first, second)
                    };
                    date_then_clock(s, Some(year), month, day)
                }
                2 if separator == b'/' => {
                    let day = s.digits(2)?;
                    date_then_clock(s, Some(2000 + first as i16), second, day)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Ten digits are seconds, thirteen milliseconds, sixteen microseconds, nineteen nanoseconds.
fn epoch_digits(s: &mut Scanner, run: usize) -> Option<Stamp> {
    let value = i64::try_from(s.digits(run)?).ok()?;
    let micros = match run {
        10 => {
            let fraction = if s.peek() == Some(b'.') {
                fraction(s).unwrap_or(0)
            } else {
                0
            };
            value * 1_000_000 + i64::from(fraction)
        }
        13 => value * 1000,
        16 => value,
        _ => value / 1000,
    };
    // A later unit would have had more digits.
    (1_000_000_000_000_000..TOO_LATE * 1_000_000)
        .contains(&micros)
        .then_some(Stamp::Epoch(micros))
}

/// `Nov 22 10:00:00`, `Nov 22 2026 10:00:00`, `Nov 22, 2026 10:00:00 AM`, `Sun Nov 22 10:00:00.123 2026`,
/// `Sun, 22 Nov 2026 10:00:00 +0100`.
fn named(s: &mut Scanner) -> Option<Stamp> {
    if weekday(s) {
        let comma = s.eat(b',');
        s.eat(b' ').then_some(())?;
        if comma {
            return day_or_month_first(s, b' ');
        }
    }
    let month = month(s)?;
    s.eat(b' ').then_some(())?;
    s.eat(b' ');
    let day = s.number(1, 2)?;
    let comma = s.eat(b',');
    s.eat(b' ').then_some(())?;
    let mut year = None;
    let run = s.rest().iter().take_while(|b| b.is_ascii_digit()).count();
    if run == 4 {
        year = Some(s.digits(4)? as i16);
        s.eat(b',');
        return date_then_clock(s, year, month, day);
    }
    if comma {
        return None;
    }
    let clock = clock(s)?;
    let mut zone = zone::scan(s);
    if let [b' ', year_digits @ ..] = s.rest()
        && let [a, b, c, d, rest @ ..] = year_digits
        && [a, b, c, d].iter().all(|b| b.is_ascii_digit())
        && matches!(a, b'1' | b'2')
        && rest
            .first()
            .is_none_or(|b| matches!(b, b']' | b' ' | b':' | b',' | b'|'))
    {
        s.eat(b' ');
        year = Some(s.digits(4)? as i16);
        if zone == Zone::Local {
            zone = zone::scan(s);
        }
    }
    civil(year, month, day, clock, zone)
}

/// After a date: `T`, a blank or what else programs write, the clock, the zone.
fn date_then_clock(s: &mut Scanner, year: Option<i16>, month: u64, day: u64) -> Option<Stamp> {
    match s.peek()? {
        b'T' | b't' | b' ' | b'-' | b'_' => s.skip(1),
        b':' => {
            s.skip(1);
            s.eat(b':');
        }
        b',' if s.rest().get(1) == Some(&b' ') => s.skip(2),
        _ => return None,
    }
    let clock = clock(s)?;
    let zone = zone::scan(s);
    civil(year, month, day, clock, zone)
}

fn civil(year: Option<i16>, month: u64, day: u64, clock: Clock, zone: Zone) -> Option<Stamp> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(Stamp::Civil {
        year,
        month: month as i8,
        day: day as i8,
        clock,
        zone,
    })
}

/// `10:00`, `10:00:00`, `10:00:00.123`, `10:00:00,123`, `15.42.50.675872`, `203518`, `3:04:05 PM`.
fn clock(s: &mut Scanner) -> Option<Clock> {
    let hour;
    let minute;
    let mut second = 0;
    let run = s.rest().iter().take_while(|b| b.is_ascii_digit()).count();
    if run == 6 {
        (hour, minute, second) = (s.digits(2)?, s.digits(2)?, s.digits(2)?);
    } else {
        hour = s.number(1, 2)?;
        let separator = s.peek()?;
        (matches!(separator, b':' | b'.') && s.eat(separator)).then_some(())?;
        minute = s.digits(2)?;
        if s.peek() == Some(separator) && s.rest().get(1).is_some_and(u8::is_ascii_digit) {
            s.eat(separator);
            second = s.digits(2)?;
        } else if separator == b'.' {
            return None;
        }
    }
    rest_of_clock(s, hour, minute, second)
}

/// The fraction of the second, `AM` or `PM`.
fn rest_of_clock(s: &mut Scanner, mut hour: u64, minute: u64, second: u64) -> Option<Clock> {
    let mut micros = 0;
    match s.peek() {
        Some(b'.' | b',') => micros = fraction(s).unwrap_or(0),
        // HealthApp: `22:15:29:606`.
        Some(b':') if s.rest().iter().skip(1).take_while(|b| b.is_ascii_digit()).count() == 3 => {
            micros = fraction(s).unwrap_or(0);
        }
        _ => {}
    }
    let half = match s.rest() {
        [b' ', half @ (b'A' | b'P' | b'a' | b'p'), b'M' | b'm', rest @ ..]
            if !rest.first().is_some_and(u8::is_ascii_alphanumeric) =>
        {
            Some((*half, 3))
        }
        [half @ (b'A' | b'P' | b'a' | b'p'), b'M' | b'm', rest @ ..]
            if !rest.first().is_some_and(u8::is_ascii_alphanumeric) =>
        {
            Some((*half, 2))
        }
        _ => None,
    };
    if let Some((half, len)) = half
        && (1..=12).contains(&hour)
    {
        s.skip(len);
        hour = hour % 12 + if half | 0x20 == b'p' { 12 } else { 0 };
    }
    // A leap second is the last one of its minute.
    let second = if second == 60 { 59 } else { second };
    (hour < 24 && minute < 60 && second < 60).then_some(Clock {
        hour: hour as i8,
        minute: minute as i8,
        second: second as i8,
        micros,
    })
}

/// The digits after a `.` or `,`, as microseconds. Nothing is taken when no digit follows.
fn fraction(s: &mut Scanner) -> Option<i32> {
    let digits = s.rest().iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let micros = (1..=6).fold(0, |sum, i| {
        let digit = if i <= digits {
            i32::from(s.rest()[i] - b'0')
        } else {
            0
        };
        sum * 10 + digit
    });
    s.skip(1 + digits);
    Some(micros)
}

fn weekday(s: &mut Scanner) -> bool {
    let found = matches!(
        s.rest().first_chunk(),
        Some(b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun")
    ) && !s.rest().get(3).is_some_and(u8::is_ascii_alphabetic);
    if found {
        s.skip(3);
    }
    found
}

fn month(s: &mut Scanner) -> Option<u64> {
    let month = match s.rest().first_chunk()? {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    s.skip(3);
    Some(month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn at(text: &str, now: &str) -> String {
        let context = Context {
            zone: TimeZone::get("America/New_York").unwrap(),
            now: now.parse().unwrap(),
        };
        let moment = scan(text.as_bytes()).and_then(|(stamp, _)| stamp.resolve(&context));
        moment.map_or("-".to_owned(), |moment| moment.to_string())
    }

    #[test]
    fn what_is_read_sooner_is_read_alike() {
        for date in [
            "2026-11-22T",
            "2026-11-22 ",
            "0000-00-00T",
            "2026-13-01 ",
            "9999-12-31T",
            "2026-1-22T1",
        ] {
            for clock in [
                "10:00:00", "23:59:60", "24:00:00", "10:60:00", "10:00:61", "10:00:0x", "12:00:00",
            ] {
                for rest in [
                    "",
                    "Z",
                    ".123",
                    ",123456789 x",
                    " PM",
                    "AM",
                    ":123",
                    "+02:00",
                    " CET",
                    " Europe/Berlin]",
                    "1",
                    "_",
                    ".",
                    " -0500",
                ] {
                    let text = format!("{date}{clock}{rest}");
                    let (mut soon, mut general) =
                        (Scanner::new(text.as_bytes()), Scanner::new(text.as_bytes()));
                    if let Some(stamp) = iso(&mut soon) {
                        assert_eq!(stamp, any_numeric(&mut general), "{text}");
                        assert!(stamp.is_none() || soon.at() == general.at(), "{text}");
                    }
                }
            }
        }
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
            ("2026-11-22 10:00:00 CET", "2026-11-22T15:00:00Z"),
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
            zone: TimeZone::UTC,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
        };
        assert!(whole(" 2026-11-22T10:00:00+01:00[Europe/Berlin] ", &context).is_some());
        assert!(whole("2026-11-22T10:00:00 and more", &context).is_none());
    }
}
