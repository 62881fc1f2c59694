//! The time of day.

use crate::scan::Scanner;

/// A time of day as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clock {
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    pub(super) micros: i32,
}

/// Reads `10:00`, `10:00:00`, `10:00:00.123`, `10:00:00,123`, `15.42.50.675872`, `203518`,
/// `3:04:05 PM`.
pub(super) fn scan(s: &mut Scanner) -> Option<Clock> {
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
    rest(s, hour, minute, second)
}

/// Returns the fraction of the second, `AM` or `PM`.
pub(super) fn rest(s: &mut Scanner, mut hour: u64, minute: u64, second: u64) -> Option<Clock> {
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

/// Returns the digits after a `.` or `,`, as microseconds. Nothing is taken when no digit follows.
pub(super) fn fraction(s: &mut Scanner) -> Option<i32> {
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
