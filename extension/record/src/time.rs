//! The times that programs write at the head of a line or as a value, and what moment they mean.
//!
//! [`scan`] says what is written, without any context; [`Stamp::resolve`] says when that was. A time that is not certain is no time:
//! a wrong one would count an error in the wrong window.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset};

use crate::Context;
use crate::scan::Scanner;

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

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Zone {
    /// None written, or a name that only the reader's zone can explain.
    Local,
    /// Seconds east of UTC.
    Offset(i32),
    /// An abbreviation, which tells the two 02:30 of a clock change apart.
    Abbreviation([u8; 5]),
}

/// The time at the start of `bytes`, and how many bytes it takes with its zone.
pub(crate) fn scan(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut s = Scanner::new(bytes);
    let stamp = match bytes.first()? {
        b'0'..=b'9' => numeric(&mut s)?,
        b'A'..=b'Z' | b'a'..=b'z' => named(&mut s)?,
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
    let mut zone = zone(s);
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
            zone = self::zone(s);
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
    let zone = zone(s);
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
    let mut hour;
    let minute;
    let mut second = 0;
    let mut micros = 0;
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

/// `Z`, `+02`, `+0200`, `+02:00`, ` +0200`, ` UTC`, ` CET`, ` Europe/Berlin`. Takes nothing when no zone is certain.
fn zone(s: &mut Scanner) -> Zone {
    let rest = s.rest();
    let ends = |at: usize| {
        !rest
            .get(at)
            .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/' | b'='))
    };
    let gap = usize::from(rest.first() == Some(&b' '));
    match rest.get(gap) {
        Some(b'Z' | b'z') if gap == 0 && ends(1) => {
            s.skip(1);
            Zone::Offset(0)
        }
        Some(sign @ (b'+' | b'-')) => {
            let two = |at: usize| match rest.get(at..at + 2) {
                Some([a @ b'0'..=b'9', b @ b'0'..=b'9']) => {
                    Some(i32::from(a - b'0') * 10 + i32::from(b - b'0'))
                }
                _ => None,
            };
            let Some(hours) = two(gap + 1).filter(|hours| *hours <= 18) else {
                return Zone::Local;
            };
            let colon = usize::from(rest.get(gap + 3) == Some(&b':'));
            let minutes = two(gap + 3 + colon).filter(|minutes| *minutes < 60);
            let (minutes, len) = match minutes {
                Some(minutes) if ends(gap + 5 + colon) => (minutes, 5 + colon),
                None if gap == 0 && ends(3) && rest.get(3) != Some(&b'-') => (0, 3),
                _ => return Zone::Local,
            };
            s.skip(gap + len);
            let seconds = hours * 3600 + minutes * 60;
            Zone::Offset(if *sign == b'-' { -seconds } else { seconds })
        }
        Some(b'A'..=b'Z') if gap == 1 => {
            let word = &rest[1..];
            let letters = word.iter().take_while(|b| b.is_ascii_uppercase()).count();
            if matches!(&word[..letters], b"UTC" | b"GMT") && ends(1 + letters) {
                s.skip(1 + letters);
                return Zone::Offset(0);
            }
            if ABBREVIATIONS.contains(&&word[..letters]) && ends(1 + letters) {
                s.skip(1 + letters);
                let mut name = [0; 5];
                name[..letters].copy_from_slice(&word[..letters]);
                return Zone::Abbreviation(name);
            }
            // PHP: `[22-Nov-2026 10:00:00 Europe/Berlin]`. The zone of the host, so the reader's.
            let name = word
                .iter()
                .take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'_'))
                .count();
            if word.get(name) == Some(&b']') && word[..name].contains(&b'/') {
                s.skip(1 + name);
            }
            Zone::Local
        }
        _ => Zone::Local,
    }
}

/// Known abbreviations. They are ambiguous across the world (IST, CST), so they only mark where the time ends and choose between the
/// two times of a clock change. None has more than five letters.
const ABBREVIATIONS: [&[u8]; 40] = [
    b"CET", b"CEST", b"MEZ", b"MESZ", b"WET", b"WEST", b"EET", b"EEST", b"MSK", b"BST", b"IST", b"EST",
    b"EDT", b"CST", b"CDT", b"MST", b"MDT", b"PST", b"PDT", b"AKST", b"AKDT", b"HST", b"AST", b"ADT", b"NST",
    b"NDT", b"BRT", b"ART", b"JST", b"KST", b"HKT", b"SGT", b"PKT", b"AEST", b"AEDT", b"ACST", b"ACDT",
    b"AWST", b"NZST", b"NZDT",
];

fn weekday(s: &mut Scanner) -> bool {
    let found =
        s.rest().get(..3).is_some_and(|word| {
            [&b"Mon"[..], b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"].contains(&word)
        }) && !s.rest().get(3).is_some_and(u8::is_ascii_alphabetic);
    if found {
        s.skip(3);
    }
    found
}

fn month(s: &mut Scanner) -> Option<u64> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    ];
    let word = s.rest().get(..3)?;
    let index = MONTHS.iter().position(|month| *month == word)?;
    s.skip(3);
    Some(index as u64 + 1)
}
