//! The zone that a time names: an offset, UTC, or an abbreviation that only the reader's zone can
//! explain.

use crate::scan::Scanner;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Zone {
    /// None written, or a name that only the reader's zone can explain.
    Local,
    /// Seconds east of UTC.
    Offset(i32),
    /// An abbreviation, which tells the two 02:30 of a clock change apart.
    Abbreviation([u8; 5]),
}

/// Reads `Z`, `+02`, `+0200`, `+02:00`, ` +0200`, ` UTC`, ` CET`, ` Europe/Berlin`. Takes nothing
/// when no zone is certain.
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
            if is_abbreviation(&word[..letters]) && ends(1 + letters) {
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

/// Known abbreviations. They are ambiguous across the world (IST, CST), so they only mark where the
/// time ends and choose between the two times of a clock change. None has more than five letters.
fn is_abbreviation(word: &[u8]) -> bool {
    matches!(
        word,
        b"CET"
            | b"CEST"
            | b"MEZ"
            | b"MESZ"
            | b"WET"
            | b"WEST"
            | b"EET"
            | b"EEST"
            | b"MSK"
            | b"BST"
            | b"IST"
            | b"EST"
            | b"EDT"
            | b"CST"
            | b"CDT"
            | b"MST"
            | b"MDT"
            | b"PST"
            | b"PDT"
            | b"AKST"
            | b"AKDT"
            | b"HST"
            | b"AST"
            | b"ADT"
            | b"NST"
            | b"NDT"
            | b"BRT"
            | b"ART"
            | b"JST"
            | b"KST"
            | b"HKT"
            | b"SGT"
            | b"PKT"
            | b"AEST"
            | b"AEDT"
            | b"ACST"
            | b"ACDT"
            | b"AWST"
            | b"NZST"
            | b"NZDT"
    )
}
