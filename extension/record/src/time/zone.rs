//! The zone that a time names: an offset, UTC, or an abbreviation that only the reader's zone can
//! explain.

use std::sync::RwLock;

use jiff::tz::TimeZone;

use crate::scan::Scanner;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Zone {
    /// None written, or a name that only the reader's zone can explain.
    Local,
    /// Seconds east of UTC.
    Offset(i32),
    /// An abbreviation: the reader's zone explains it, or it means the same all over the world.
    Abbreviation([u8; 5]),
    /// A zone of the time zone database, by its place in [`NAMED`].
    Named(u8),
}

/// The zones that times have named. A place is a byte, which keeps a time small.
static NAMED: RwLock<Vec<TimeZone>> = RwLock::new(Vec::new());

/// The last names that this host did not know: a look-up reads the zone database, and a program
/// writes its zone into each record.
static UNKNOWN: RwLock<Vec<Box<str>>> = RwLock::new(Vec::new());
const MOST_UNKNOWN: usize = 16;
/// `America/Argentina/ComodRivadavia` has 32 bytes.
const LONGEST_NAME: usize = 64;

/// Returns the zone of this name; None if this host does not know it.
fn by_name(name: &[u8]) -> Option<Zone> {
    let name = std::str::from_utf8(name).ok()?;
    let zones = NAMED.read().ok()?;
    let mut place = zones.iter().position(|zone| zone.iana_name() == Some(name));
    drop(zones);
    if place.is_none() {
        let zone = look_up(name)?;
        let mut zones = NAMED.write().ok()?;
        // The name may be written in another case.
        place = zones.iter().position(|known| *known == zone);
        if place.is_none() && zones.len() < usize::from(u8::MAX) {
            place = Some(zones.len());
            zones.push(zone);
        }
    }
    Some(Zone::Named(u8::try_from(place?).ok()?))
}

/// Reads a zone from the host's database, unless it was not there before.
fn look_up(name: &str) -> Option<TimeZone> {
    if name.len() > LONGEST_NAME || UNKNOWN.read().ok()?.iter().any(|known| **known == *name) {
        return None;
    }
    let zone = TimeZone::get(name).ok();
    if zone.is_none() {
        let mut unknown = UNKNOWN.write().ok()?;
        if unknown.len() == MOST_UNKNOWN {
            unknown.remove(0);
        }
        unknown.push(name.into());
    }
    zone
}

/// Returns a zone that [`Zone::Named`] stands for.
pub(super) fn named(place: u8) -> Option<TimeZone> {
    NAMED.read().ok()?.get(usize::from(place)).cloned()
}

/// Reads `Z`, ` Z` at the end, `+02`, `+0200`, `+02:00`, ` +0200`, ` UTC`, ` CET`,
/// ` Europe/Berlin`. Takes nothing when no zone is certain.
pub(crate) fn scan(s: &mut Scanner) -> Zone {
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
                // Db2 counts minutes: `+060 `, `-300 `.
                None if matches!(rest, [_, _, _, b'0'..=b'9', b' ', ..]) && gap == 0 => {
                    let minutes = 10 * hours + i32::from(rest[3] - b'0');
                    s.skip(4);
                    return Zone::Offset(if *sign == b'-' {
                        -60 * minutes
                    } else {
                        60 * minutes
                    });
                }
                // PostgreSQL's zones without a name: ` -03 [4711]`.
                // Duplicati's: ` +01 - [Error-x]`.
                None if gap == 1
                    && [&b" ["[..], b" - ["]
                        .iter()
                        .any(|next| rest[4..].starts_with(next)) =>
                {
                    (0, 3)
                }
                _ => return Zone::Local,
            };
            s.skip(gap + len);
            let seconds = hours * 3600 + minutes * 60;
            Zone::Offset(if *sign == b'-' { -seconds } else { seconds })
        }
        Some(b'A'..=b'Z') if gap == 1 => {
            let word = &rest[1..];
            let letters = word.iter().take_while(|b| b.is_ascii_uppercase()).count();
            // Mattermost's `10:00:00.123 Z`, which nothing else follows.
            let is_z = letters == 1 && word[0] == b'Z' && matches!(word.get(1), None | Some(b']'));
            if is_z || matches!(&word[..letters], b"UTC" | b"GMT") && ends(1 + letters) {
                s.skip(1 + letters);
                return Zone::Offset(0);
            }
            if is_abbreviation(&word[..letters]) && ends(1 + letters) {
                s.skip(1 + letters);
                let mut name = [0; 5];
                name[..letters].copy_from_slice(&word[..letters]);
                return Zone::Abbreviation(name);
            }
            // PHP: `[22-Nov-2026 10:00:00 Europe/Berlin]`. A name that this host does not know is
            // taken for the reader's zone.
            let is_name = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'/' | b'_');
            if word.get(letters).is_some_and(is_name) {
                let name = word.iter().take_while(|b| is_name(b)).count();
                if word.get(name) == Some(&b']') && word[..name].contains(&b'/') {
                    s.skip(1 + name);
                    return by_name(&word[..name]).unwrap_or(Zone::Local);
                }
            }
            Zone::Local
        }
        _ => Zone::Local,
    }
}

/// Returns the offset of an abbreviation that means the same all over the world, in seconds east of
/// UTC. The reader's zone alone explains the others.
pub(crate) fn offset(name: &[u8]) -> Option<i32> {
    let minutes = match abbreviation(name)? {
        AMBIGUOUS => return None,
        minutes => minutes,
    };
    Some(minutes * 60)
}

fn is_abbreviation(word: &[u8]) -> bool {
    abbreviation(word).is_some()
}

const AMBIGUOUS: i32 = i32::MAX;

/// Returns the minutes east of UTC. No known abbreviation has more than five letters.
fn abbreviation(word: &[u8]) -> Option<i32> {
    Some(match word {
        b"WET" => 0,
        b"CET" | b"MEZ" | b"WEST" => 60,
        b"CEST" | b"MESZ" | b"EET" | b"SAST" => 2 * 60,
        b"EEST" | b"MSK" => 3 * 60,
        b"PKT" => 5 * 60,
        b"WIB" => 7 * 60,
        b"HKT" | b"SGT" | b"AWST" => 8 * 60,
        b"JST" | b"KST" => 9 * 60,
        b"ACST" => 9 * 60 + 30,
        b"AEST" => 10 * 60,
        b"ACDT" => 10 * 60 + 30,
        b"AEDT" => 11 * 60,
        b"NZST" => 12 * 60,
        b"NZDT" => 13 * 60,
        b"NDT" => -(2 * 60 + 30),
        b"BRT" | b"ART" => -3 * 60,
        b"NST" => -(3 * 60 + 30),
        b"EDT" => -4 * 60,
        b"EST" | b"CDT" => -5 * 60,
        b"MDT" => -6 * 60,
        b"PDT" => -7 * 60,
        b"PST" | b"AKDT" => -8 * 60,
        b"AKST" => -9 * 60,
        b"HST" => -10 * 60,
        // British or Bangladesh; Indian, Irish or Israeli; American or Chinese; mountain or
        // Malaysian; Atlantic or Arabian; Gulf or South Georgian.
        b"BST" | b"IST" | b"CST" | b"MST" | b"AST" | b"ADT" | b"GST" => AMBIGUOUS,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_looked_up_once_and_the_last_ones_are_kept() {
        let kept = || UNKNOWN.read().unwrap().clone();
        for number in 0..3 * MOST_UNKNOWN {
            let name = format!("Nowhere/Town{number}");
            for _ in 0..2 {
                assert_eq!(by_name(name.as_bytes()), None, "{name}");
            }
            let times = kept().iter().filter(|known| ***known == *name).count();
            assert_eq!(times, 1, "{name}");
        }
        assert_eq!(kept().len(), MOST_UNKNOWN);
        assert_eq!(by_name("X/".repeat(LONGEST_NAME).as_bytes()), None);
        assert!(kept().iter().all(|known| known.starts_with("Nowhere/")));
        assert!(matches!(by_name(b"Europe/Berlin"), Some(Zone::Named(_))));
    }
}
