//! The words, letters and numbers that name a level.

use super::Level;

/// The evidence that a word needs from its looks before it counts as a level in a line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// Counts wherever it stands alone: `error`, `Warning`.
    Word,
    /// Is also a common word: counts in capitals, in brackets or before a colon (`[crit]`, `ALERT`,
    /// `fail:`).
    Shape,
    /// Is a common heading too: counts in brackets, or in capitals before a colon (`LOG:`,
    /// `[Note]`).
    Heading,
    /// Counts only as the value of a level key.
    Key,
}

/// Returns the level that a word names, whatever its case, and the proof it needs in a line of
/// text.
#[inline]
pub(crate) fn word_level(word: &[u8]) -> Option<(Level, Evidence)> {
    const LONGEST: usize = 13;
    if word.len() > LONGEST || lengths(*word.first()?) & 1 << word.len() == 0 {
        return None;
    }
    let mut lower = [0; LONGEST];
    let lower = &mut lower[..word.len()];
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    use Evidence::*;
    use Level::*;
    Some(match &*lower {
        b"error" => (Error, Word),
        b"info" | b"information" | b"informational" => (Info, Word),
        b"warn" | b"warning" => (Warn, Word),
        b"debug" => (Debug, Word),
        b"fatal" => (Fatal, Word),
        b"err" | b"eror" | b"erro" | b"severe" | b"sever" | b"fail" | b"failure" => (Error, Shape),
        b"critical" | b"crit" | b"criti" | b"alert" | b"emer" | b"emerg" | b"emergency" | b"panic"
        | b"pani" | b"dpanic" | b"fata" | b"fatl" | b"ftl" => (Fatal, Shape),
        // btclog's.
        b"crt" => (Fatal, Heading),
        b"wrn" | b"warni" => (Warn, Shape),
        b"notice" | b"inf" => (Info, Shape),
        b"trace" | b"trc" | b"trce" | b"dbg" | b"dbug" | b"debu" | b"vrb" | b"finer" | b"finest"
        | b"verbose" => (Debug, Shape),
        b"debug1" | b"debug2" | b"debug3" | b"debug4" | b"debug5" => (Debug, Shape),
        // PostgreSQL's LOG and its companions, MySQL's [Note] and [System], java.util.logging's
        // CONFIG and FINE.
        b"log" | b"note" | b"system" | b"config" | b"statement" | b"detail" | b"hint" | b"context" => {
            (Info, Heading)
        }
        b"fine" => (Debug, Heading),
        // loguru's.
        b"success" => (Info, Heading),
        b"http" | b"default" => (Info, Key),
        b"silly" => (Debug, Key),
        _ => return None,
    })
}

/// Returns true if a level word may begin with this byte.
pub(crate) fn may_begin_with(byte: u8) -> bool {
    lengths(byte) != 0
}

/// Returns the level that the value of a key names: a word, in colours perhaps (`\u001b[31merror`),
/// or with slog's distance from it (`ERROR+4`).
pub(crate) fn value_level(value: &[u8]) -> Option<Level> {
    let mut word = value.trim_ascii();
    // Most values are plain words.
    if let Some((level, _)) = word_level(word) {
        return Some(level);
    }
    for escape in [&b"\\u001b["[..], b"\\u001B[", b"\x1b["] {
        if let Some(rest) = word.strip_prefix(escape) {
            let sequence = rest.iter().position(|b| *b == b'm')?;
            let rest = &rest[sequence + 1..];
            let end = rest
                .iter()
                .position(|b| matches!(b, b'\\' | 0x1b))
                .unwrap_or(rest.len());
            word = &rest[..end];
        }
    }
    let sign = word.iter().position(|b| matches!(b, b'+' | b'-'));
    if let Some(sign) =
        sign.filter(|at| word.len() - at <= 4 && word[at + 1..].iter().all(u8::is_ascii_digit))
    {
        word = &word[..sign];
    }
    word_level(word.trim_ascii()).map(|(level, _)| level)
}

fn lengths(first: u8) -> u16 {
    LENGTHS[usize::from(first.to_ascii_lowercase().wrapping_sub(b'a')).min(26)]
}

/// For each first letter, a bit for each length that its words above have: most words of a line are
/// told by these two.
const LENGTHS: [u16; 27] = {
    const fn bits(lengths: &[u16]) -> u16 {
        let mut bits = 0;
        let mut i = 0;
        while i < lengths.len() {
            bits |= 1 << lengths[i];
            i += 1;
        }
        bits
    }
    let mut table = [0; 27];
    table[0] = bits(&[5]); // alert
    table[2] = bits(&[3, 4, 5, 6, 7, 8]); // crt crit criti config context critical
    table[3] = bits(&[3, 4, 5, 6, 7]); // dbg dbug debug dpanic default
    table[4] = bits(&[3, 4, 5, 9]); // err emer eror error emergency
    table[5] = bits(&[3, 4, 5, 6, 7]); // ftl fatl fatal finest failure
    table[7] = bits(&[4]); // hint http
    table[8] = bits(&[3, 4, 11, 13]); // inf info information informational
    table[11] = bits(&[3]); // log
    table[13] = bits(&[4, 6]); // note notice
    table[15] = bits(&[4, 5]); // pani panic
    table[18] = bits(&[5, 6, 7, 9]); // sever severe success statement
    table[19] = bits(&[3, 4, 5]); // trc trce trace
    table[21] = bits(&[3, 7]); // vrb verbose
    table[22] = bits(&[3, 4, 5, 7]); // wrn warn warni warning
    table
};

/// Returns the level of a letter: glog, Android, MongoDB, Ruby.
pub(crate) fn letter_level(letter: u8) -> Option<Level> {
    Some(match letter {
        b'F' | b'C' | b'A' => Level::Fatal,
        b'E' => Level::Error,
        b'W' => Level::Warn,
        b'I' => Level::Info,
        b'D' | b'V' => Level::Debug,
        _ => return None,
    })
}

/// Returns the level of a syslog severity, 0 to 7 (RFC 5424 §6.2.1).
pub(crate) fn syslog_level(severity: u64) -> Option<Level> {
    Some(match severity {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        7 => Level::Debug,
        _ => return None,
    })
}
