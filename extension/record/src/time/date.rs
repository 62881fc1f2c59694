//! The ways to write a date, each with the clock and the zone that follow it.

use super::clock::{self, Clock};
use super::zone::{self, Zone};
use super::{Stamp, TOO_LATE};
use crate::scan::Scanner;

/// Returns a time that starts with a digit.
pub(super) fn numeric(s: &mut Scanner) -> Option<Stamp> {
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
        // Cisco's NX-OS: `2026 Nov 28 01:35:33`.
        (4, Some(b' ')) => {
            let year = s.digits(4)? as i16;
            s.eat(b' ');
            let month = month(s)?;
            s.blanks().then_some(())?;
            let day = s.number(1, 2)?;
            date_then_clock(s, Some(year), month, day)
        }
        // OpenLDAP: seconds and nanoseconds in hexadecimal, `6b0a2f94.140d3067`.
        (_, Some(b'a'..=b'f' | b'.')) if is_hex_seconds(s.rest()) => hex_seconds(s),
        (8, Some(b' ' | b'T' | b'-' | b':')) => {
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
            clock::scan(s)?;
            // `12:30` alone may be anything; `9:00AM` and `10:00:00` are times.
            (s.at() >= 6).then_some(Stamp::Clock)
        }
        // Minecraft Forge: `28Nov2026 01:35:33.123`.
        (2, Some(b'A'..=b'Z')) => {
            let day = s.digits(2)?;
            let (month, year) = (month(s)?, s.digits(4)? as i16);
            date_then_clock(s, Some(year), month, day)
        }
        (1 | 2, Some(separator @ (b'/' | b'-' | b' ' | b'.'))) => day_or_month_first(s, separator),
        (10 | 13 | 16 | 19, _) => epoch_digits(s, run),
        _ => None,
    }
}

/// Reads `2026-11-22T10:00:00` and what may follow, which most programs write: as the general way
/// reads it, only sooner. None: it is not that.
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
    Some(clock::rest(s, hour, minute, second).and_then(|clock| {
        let zone = zone::scan(s);
        civil(Some((century * 100 + year) as i16), month, day, clock, zone)
    }))
}

/// Reads `22/Nov/2026:10:00:00`, `22-Nov-2026 10:00:00`, `22 Nov 2026 10:00:00`,
/// `11/22/2026 10:00:00`, `22.11.2026 10:00:00`, `17/06/09 20:10:40` (Spark), `11/22/26 10:00:00`
/// (WebSphere), `22 Nov 10:00:00` (Node-RED), `11-22 10:00:00.123` (Android),
/// `11-22|10:00:00.123` (Geth).
fn day_or_month_first(s: &mut Scanner, separator: u8) -> Option<Stamp> {
    let first = s.number(1, 2)?;
    s.eat(separator);
    if s.peek()?.is_ascii_alphabetic() {
        let month = month(s)?;
        // Bacula's and Node-RED's dates have no year: `28-Nov 01:35`, `28 Nov 01:35:33`.
        if matches!(s.rest(), [b' ', _, _, b':', ..]) {
            return date_then_clock(s, None, month, first);
        }
        s.eat(separator).then_some(())?;
        let year = s.digits(4)? as i16;
        return date_then_clock(s, Some(year), month, first);
    }
    let second = s.number(1, 2)?;
    match separator {
        b'-' if matches!(s.peek(), Some(b' ' | b'|')) => date_then_clock(s, None, first, second),
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
                    let stamp = date_then_clock(s, Some(year), month, day)?;
                    Some(
                        if separator != b'.' && first != second && first <= 12 && second <= 12 {
                            stamp.in_either_order()
                        } else {
                            stamp
                        },
                    )
                }
                2 if separator == b'/' => {
                    let last = s.digits(2)?;
                    // WebSphere's `11/28/26` can be read in no other order.
                    let (year, month, day) = if second > 12 {
                        (last, first, second)
                    } else {
                        (first, second, last)
                    };
                    date_then_clock(s, Some(2000 + year as i16), month, day)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Reads `1122 10:00:00.123456`, with the year before it in newer versions of glog and, in two
/// digits, in CockroachDB's.
pub(super) fn glog(s: &mut Scanner) -> Option<Stamp> {
    let run = s.rest().iter().take_while(|b| b.is_ascii_digit()).count();
    let year = match run {
        4 => None,
        6 => Some(2000 + s.digits(2)? as i16),
        8 => Some(s.digits(4)? as i16),
        _ => return None,
    };
    let (month, day) = (s.digits(2)?, s.digits(2)?);
    // Abseil before it knows its zone: `0000 00:00:1795829733.123456`.
    if (month, day) == (0, 0) && s.rest().starts_with(b" 00:00:") {
        s.skip(7);
        return epoch_digits(s, 10);
    }
    (s.peek() == Some(b' ')).then_some(())?;
    date_then_clock(s, year, month, day)
}

/// Returns true for eight hexadecimal digits, a point and eight more: the seconds lie between 2004
/// and 2038, and some digit is a letter or the clock would have read it otherwise.
fn is_hex_seconds(bytes: &[u8]) -> bool {
    bytes.first_chunk::<17>().is_some_and(|text| {
        matches!(text[0], b'4'..=b'7')
            && text[8] == b'.'
            && text[..8].iter().chain(&text[9..]).all(u8::is_ascii_hexdigit)
            && text.iter().any(u8::is_ascii_alphabetic)
    })
}

fn hex_seconds(s: &mut Scanner) -> Option<Stamp> {
    let text = std::str::from_utf8(s.rest().get(..17)?).ok()?;
    let seconds = i64::from_str_radix(&text[..8], 16).ok()?;
    let nanos = i64::from_str_radix(&text[9..], 16).ok()?;
    s.skip(17);
    (nanos < 1_000_000_000).then_some(Stamp::Epoch(seconds * 1_000_000 + nanos / 1000))
}

/// Reads a TAI64N label: `@` and 24 hexadecimal digits. daemontools and runit put 10 s between TAI
/// and UTC whatever the leap seconds; s6-log's labels, which count 37 s, look alike.
pub(super) fn tai64n(s: &mut Scanner) -> Option<Stamp> {
    const UTC: i64 = (1 << 62) + 10;
    let text = s.rest().first_chunk::<25>()?;
    text[1..].iter().all(u8::is_ascii_hexdigit).then_some(())?;
    let digits = std::str::from_utf8(&text[1..]).ok()?;
    let seconds = i64::from_str_radix(&digits[..16], 16).ok()?.checked_sub(UTC)?;
    let nanos = i64::from_str_radix(&digits[16..], 16).ok()?;
    let fits = (1_000_000_000..TOO_LATE).contains(&seconds) && nanos < 1_000_000_000;
    s.skip(25);
    fits.then_some(Stamp::Epoch(seconds * 1_000_000 + nanos / 1000))
}

/// Ten digits are seconds, thirteen milliseconds, sixteen microseconds, nineteen nanoseconds.
fn epoch_digits(s: &mut Scanner, run: usize) -> Option<Stamp> {
    let value = i64::try_from(s.digits(run)?).ok()?;
    let micros = match run {
        10 => {
            let fraction = if s.peek() == Some(b'.') {
                clock::fraction(s).unwrap_or(0)
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

/// Reads `Nov 22 10:00:00`, `Nov 22 2026 10:00:00`, `Nov 22, 2026 10:00:00 AM`,
/// `Sun Nov 22 10:00:00.123 2026`, `Sun, 22 Nov 2026 10:00:00 +0100`.
pub(super) fn named(s: &mut Scanner) -> Option<Stamp> {
    // Most words are told by their first letter and by the length of the names.
    let [
        b'A' | b'D' | b'F' | b'J' | b'M' | b'N' | b'O' | b'S' | b'T' | b'W',
        _,
        _,
        b' ' | b',',
        ..,
    ] = s.rest()
    else {
        return None;
    };
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
    let clock = clock::scan(s)?;
    let mut zone = zone::scan(s);
    if let [b' ', year_digits @ ..] = s.rest()
        && let [a, b, c, d, rest @ ..] = year_digits
        && [a, b, c, d].iter().all(|b| b.is_ascii_digit())
        && matches!(a, b'1' | b'2')
        && rest
            .first()
            .is_none_or(|b| matches!(b, b']' | b')' | b' ' | b':' | b',' | b'|'))
    {
        s.eat(b' ');
        year = Some(s.digits(4)? as i16);
        if zone == Zone::Local {
            zone = zone::scan(s);
        }
    }
    civil(year, month, day, clock, zone)
}

/// Reads what follows a date: `T`, a blank or what else programs write, the clock, the zone.
fn date_then_clock(s: &mut Scanner, year: Option<i16>, month: u64, day: u64) -> Option<Stamp> {
    match s.peek()? {
        // MariaDB pads hours with a blank.
        b' ' if s.rest().get(1) == Some(&b' ') => s.skip(2),
        b'T' | b't' | b' ' | b'-' | b'_' | b'|' => s.skip(1),
        // Rust's fern: `[2026-11-22][10:00:00]`; Nginx Proxy Manager: `[11/22/2026] [10:00:00 AM]`.
        b']' if s.rest().get(1) == Some(&b'[') => s.skip(2),
        b']' if s.rest().starts_with(b"] [") => s.skip(3),
        b':' => {
            s.skip(1);
            s.eat(b':');
        }
        b',' if s.rest().get(1) == Some(&b' ') => s.skip(2),
        _ => return None,
    }
    // Suricata's `28/11/2026 -- 01:35:33`.
    if s.rest().starts_with(b"-- ") {
        s.skip(3);
    }
    let clock = clock::scan(s)?;
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
        either_order: false,
    })
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
}
