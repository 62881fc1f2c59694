//! Programs whose level is one character. Such a character counts only where the whole head of the
//! line has its program's shape.

use super::Level;
use super::words::letter_level;
use crate::scan::Scanner;
use crate::time::{self, Stamp};

/// The head of a line of one of these programs. Positions are in the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Letter {
    pub(crate) level: Level,
    pub(crate) family: Family,
    /// The start of the time, if the shape has one.
    pub(crate) time: Option<usize>,
    /// The end of the head: after glog's `]`, Android's `Tag: `, MongoDB's component.
    pub(crate) body: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Glog,
    Android,
    Mongo,
    Tornado,
    Redis,
}

/// Returns the head of a line that has such a shape.
pub(crate) fn read(line: &[u8]) -> Option<Letter> {
    match *line {
        [b'A'..=b'Z', b'0'..=b'9', ..] => glog(line),
        [b'A'..=b'Z', b'/', ..] => android_brief(line, 0, None),
        [b'0'..=b'9', b'0'..=b'9', b'-', ..] => android(line),
        [b'[', b'A'..=b'Z', b' ', b'0'..=b'9', ..] => tornado(line),
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..] => match line.get(10) {
            Some(b'T') => mongo(line),
            Some(b' ') => android(line),
            _ => None,
        },
        [b'0'..=b'9', ..] => redis(line),
        _ => None,
    }
}

/// Reads `Lmmdd hh:mm:ss.uuuuuu threadid file:line] msg` (glog, klog; newer glog writes the year
/// too).
fn glog(line: &[u8]) -> Option<Letter> {
    let level = letter_level(line[0]).filter(|_| matches!(line[0], b'I' | b'W' | b'E' | b'F'))?;
    let mut s = Scanner::new(&line[1..]);
    let digits = s.rest().iter().take_while(|b| b.is_ascii_digit()).count();
    (matches!(digits, 4 | 8)).then(|| s.skip(digits))?;
    clock(&mut s, b' ')?;
    // `threadid file:line] `
    let rest = s.rest();
    let close = rest.iter().take(200).position(|b| *b == b']')?;
    rest[..close]
        .iter()
        .rev()
        .take_while(|b| **b != b':')
        .all(u8::is_ascii_digit)
        .then_some(())?;
    Some(Letter {
        level,
        family: Family::Glog,
        time: Some(1),
        body: 1 + s.at() + close + 1,
    })
}

/// Returns android's `threadtime` (`11-22 10:00:00.123  1234  1234 E Tag: msg`) and `time`
/// (`11-22 10:00:00.123 E/Tag( 1234): msg`).
fn android(line: &[u8]) -> Option<Letter> {
    let mut s = Scanner::new(line);
    if line[2] != b'-' {
        s.digits(4)?;
        s.eat(b'-');
    }
    s.digits(2)?;
    s.eat(b'-').then_some(())?;
    s.digits(2)?;
    clock(&mut s, b' ')?;
    s.blanks().then_some(())?;
    if matches!(s.rest(), [b'A'..=b'Z', b'/', ..]) {
        return android_brief(line, s.at(), Some(0));
    }
    // pid and tid, with a user's name or number before them on some versions.
    let mut numbers = 0;
    let mut end = s.at();
    while s.number(1, 7).is_some() {
        end = s.at();
        s.blanks().then_some(())?;
        numbers += 1;
    }
    let [b' ', letter, b' ', rest @ ..] = &line[end..] else {
        return None;
    };
    let level = letter_level(*letter).filter(|_| (2..=3).contains(&numbers))?;
    let tag = rest.iter().take(100).position(|b| *b == b':')?;
    Some(Letter {
        level,
        family: Family::Android,
        time: Some(0),
        body: end + 3 + tag + 1,
    })
}

/// Reads `E/Tag( 1234): msg`
fn android_brief(line: &[u8], start: usize, time: Option<usize>) -> Option<Letter> {
    let [letter, b'/', rest @ ..] = &line[start..] else {
        return None;
    };
    let level = letter_level(*letter)?;
    let open = rest.iter().take(100).position(|b| *b == b'(')?;
    let mut s = Scanner::new(&rest[open + 1..]);
    s.blanks();
    s.number(1, 7)?;
    s.rest().starts_with(b"):").then_some(())?;
    Some(Letter {
        level,
        family: Family::Android,
        time,
        body: start + 2 + open + 1 + s.at() + 2,
    })
}

/// MongoDB before 4.4: `2026-11-22T10:00:00.123+0000 E STORAGE  [initandlisten] msg`.
fn mongo(line: &[u8]) -> Option<Letter> {
    let blank = line.iter().take(36).position(|b| *b == b' ')?;
    let [letter, b' ', rest @ ..] = &line[blank + 1..] else {
        return None;
    };
    let level = letter_level(*letter)?;
    let ends = matches!(line[..blank].last(), Some(b'0'..=b'9' | b'Z'));
    time::scan(&line[..blank]).filter(|(_, len)| ends && *len == blank)?;
    let component = rest
        .iter()
        .take_while(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'))
        .count();
    let mut s = Scanner::new(&rest[component..]);
    (component > 0 && s.blanks() && s.peek() == Some(b'[')).then_some(())?;
    Some(Letter {
        level,
        family: Family::Mongo,
        time: Some(0),
        body: blank + 3 + component + s.at(),
    })
}

/// Tornado and Jupyter: `[E 261122 10:00:00 web:2064] msg`,
/// `[E 2026-11-22 10:00:00.123 ServerApp] msg`.
fn tornado(line: &[u8]) -> Option<Letter> {
    let level = letter_level(line[1])?;
    let close = line.iter().take(128).position(|b| *b == b']')?;
    time::scan(&line[3..close])?;
    Some(Letter {
        level,
        family: Family::Tornado,
        time: Some(3),
        body: close + 1,
    })
}

/// Redis: `1234:M 22 Nov 2026 10:00:00.123 # msg`.
fn redis(line: &[u8]) -> Option<Letter> {
    let mut s = Scanner::new(line);
    s.number(1, 7)?;
    let [b':', b'A'..=b'Z', b' ', ..] = s.rest() else {
        return None;
    };
    let time = s.at() + 3;
    let (_, len) = time::scan(&line[time..])?;
    let [b' ', mark, b' ', ..] = line[time + len..] else {
        return None;
    };
    let level = match mark {
        b'#' => Level::Warn,
        b'*' => Level::Info,
        b'-' | b'.' => Level::Debug,
        _ => return None,
    };
    Some(Letter {
        level,
        family: Family::Redis,
        time: Some(time),
        body: time + len + 2,
    })
}

/// Reads `before`, then `hh:mm:ss` and any fraction.
fn clock(s: &mut Scanner, before: u8) -> Option<()> {
    s.eat(before).then_some(())?;
    s.digits(2)?;
    s.eat(b':').then_some(())?;
    s.digits(2)?;
    s.eat(b':').then_some(())?;
    s.digits(2)?;
    if s.eat(b'.') {
        let digits = s.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        s.skip(digits);
    }
    Some(())
}

/// glog's `mmdd hh:mm:ss.uuuuuu` or `yyyymmdd hh:…`.
pub(crate) fn glog_time(bytes: &[u8]) -> Option<Stamp> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 8 {
        return time::scan(bytes).map(|(stamp, _)| stamp);
    }
    // Android's form, which `time::scan` reads: `mm-dd hh:mm:ss.uuuuuu`.
    let mut dashed = [b'-'; 21];
    let len = bytes.len().min(20);
    dashed[..2].copy_from_slice(bytes.get(..2)?);
    dashed[3..len + 1].copy_from_slice(bytes.get(2..len)?);
    let end = dashed[..len + 1].iter().rposition(u8::is_ascii_digit)? + 1;
    time::scan(&dashed[..end]).map(|(stamp, _)| stamp)
}
