//! Names of log files. They give an order and a hint where to look first; they never decide whether
//! two files are the same.
//!
//! Two questions are kept apart. A file that was read may have gone to any name. A file that nobody
//! knows is taken for a rotated one only when its name says so: `bases` gives the names that it may
//! have had, and `mail.err` is no rotation of `mail`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

mod bases;

pub use bases::bases;

/// Words that mark the one rotated file that some programs keep; CUPS writes `.O`.
const OLD: [&[u8]; 6] = [b"old", b"prev", b"previous", b"bak", b"backup", b"o"];

/// Suffixes that compression appends to a name.
const COMPRESSED: [&[u8]; 7] = [b".gz", b".zst", b".xz", b".bz2", b".lzma", b".Z", b".zip"];

/// Digits of a date, at least.
const DATE: usize = 6;

fn name_of(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

/// Returns the name without what compression appended.
fn plain_name(name: &[u8]) -> &[u8] {
    COMPRESSED
        .iter()
        .find_map(|end| name.strip_suffix(*end))
        .unwrap_or(name)
}

/// Returns the path without what compression appended, if it did.
pub fn uncompressed(path: &Path) -> Option<PathBuf> {
    let name = name_of(path);
    let plain = plain_name(name);
    (plain.len() < name.len()).then(|| path.with_file_name(OsStr::from_bytes(plain)))
}

/// True for a byte of a number, a date or a time.
fn is_mark(byte: u8) -> bool {
    byte.is_ascii_digit() || b".-_:TZ".contains(&byte)
}

/// Returns the name without compression, numbers and dates: files of one kind may be of one log.
pub fn kind(path: &Path) -> Vec<u8> {
    let name = plain_name(name_of(path));
    // multilog, svlogd and s6-log: `current`, and `@4000….s` beside it.
    if name.starts_with(b"@4") || name == b"current" {
        return b"current".to_vec();
    }
    let old = without_old(name);
    let name = without_marks(old.as_deref().unwrap_or(name));
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) => {
            let (stem, extension) = name.split_at(dot);
            let shorter = without_marks(stem);
            let is_separated = stem.get(shorter.len()).is_some_and(|byte| b".-_".contains(byte));
            let stem = if is_separated { shorter } else { stem };
            [stem, extension].concat()
        }
        None => name.to_vec(),
    }
}

/// Returns the same, also where the date comes first or touches the name: files of one series were
/// written one after the other. Such are Serilog's `app20261128_001.log`, rotating-file-stream's
/// `20261128-0101-01-app.log` and Jetty's `2026_11_28.request.log`.
pub fn series(path: &Path) -> Vec<u8> {
    let kind = kind(path);
    let dot = kind.iter().rposition(|byte| *byte == b'.').unwrap_or(kind.len());
    let (stem, extension) = kind.split_at(dot);
    let shorter = without_marks(stem);
    if is_date(&stem[shorter.len()..]) {
        return [shorter, extension].concat();
    }
    without_first_date(&kind).to_vec()
}

/// Returns the name without a date in front of it.
fn without_first_date(name: &[u8]) -> &[u8] {
    let marks = name.iter().take_while(|byte| is_mark(**byte)).count();
    let separator = name[..marks].iter().rposition(|byte| b".-_".contains(byte));
    // The T of `2026-11-28-Tracker.log` is no part of the date.
    let (date, rest) = name.split_at(separator.map_or(marks, |at| at + 1));
    if is_date(date) { rest } else { name }
}

fn digits(marks: &[u8]) -> usize {
    marks.iter().filter(|byte| byte.is_ascii_digit()).count()
}

/// True for what begins with a year and has a month at least.
fn is_date(marks: &[u8]) -> bool {
    let is_year = matches!(marks, [b'1', b'9', c, d, ..] | [b'2', b'0', c, d, ..]
        if c.is_ascii_digit() && d.is_ascii_digit());
    is_year && digits(marks) >= DATE
}

/// True for `.old`, `-prev`, `_bak` and `~`.
fn is_old_mark(mark: &[u8]) -> bool {
    let is_word = |word: &[u8]| OLD.iter().any(|old| word.eq_ignore_ascii_case(old));
    match mark.split_first() {
        Some((b'~', rest)) => rest.is_empty(),
        Some((separator, word)) => b".-_".contains(separator) && is_word(word),
        None => false,
    }
}

/// Returns the name without such a mark, if it has one: `app.log.old`, `app-old.log`.
fn without_old(name: &[u8]) -> Option<Vec<u8>> {
    let dot = name.iter().rposition(|byte| *byte == b'.');
    let mut ends = [Some(name.len()), dot].into_iter().flatten();
    ends.find_map(|end| {
        let (stem, extension) = name.split_at(end);
        let mark = stem.iter().rposition(|byte| b".-_~".contains(byte))?;
        (mark > 0 && is_old_mark(&stem[mark..])).then(|| [&stem[..mark], extension].concat())
    })
}

/// Weekdays and months in the dates of names: PostgreSQL's `postgresql-%a.log`.
const WORDS: [&[u8]; 19] = [
    b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun", b"jan", b"feb", b"mar", b"apr", b"may", b"jun",
    b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// Returns the name without the numbers and dates at its end.
fn without_marks(mut name: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| is_mark(*byte) && !byte.is_ascii_uppercase();
    loop {
        let marks = name.iter().rev().take_while(|byte| is_end(byte)).count();
        name = &name[..name.len() - marks];
        let Some((stem, word)) = name.len().checked_sub(3).map(|at| name.split_at(at)) else {
            return name;
        };
        let is_word = WORDS.iter().any(|it| word.eq_ignore_ascii_case(it));
        if !(is_word && stem.last().is_some_and(is_end)) {
            return name;
        }
        name = stem;
    }
}

/// Returns true when two directories may hold releases of one program: both names are numbers or
/// times (`20261128093000`), hashes of one length (`d6d4b48`), or versions (`shop-v1.2.3`).
pub fn are_releases(a: &Path, b: &Path) -> bool {
    /// Git prints as many digits of a hash at least.
    const SHORT_HASH: usize = 7;
    let (a, b) = (name_of(a), name_of(b));
    let is_number =
        |name: &[u8]| name.first().is_some_and(u8::is_ascii_digit) && name.iter().copied().all(is_mark);
    let is_hash = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    let are_hashes = a.len() == b.len() && a.len() >= SHORT_HASH && [a, b].concat().iter().all(is_hash);
    // The name before `1.2`.
    let program = |name: &[u8]| {
        let parts = without_digits(name);
        let version = parts.windows(3).position(|part| part == b"#.#")?;
        Some(parts[..version].to_vec())
    };
    is_number(a) && is_number(b) || are_hashes || program(a).is_some() && program(a) == program(b)
}

/// Returns the name with each run of digits replaced: two names that differ only in digits have the
/// same.
pub fn skeleton(path: &Path) -> Vec<u8> {
    without_digits(plain_name(name_of(path)))
}

fn without_digits(name: &[u8]) -> Vec<u8> {
    let mut skeleton = Vec::new();
    for byte in name {
        match byte {
            b'0'..=b'9' if skeleton.last() == Some(&b'#') => {}
            b'0'..=b'9' => skeleton.push(b'#'),
            other => skeleton.push(*other),
        }
    }
    skeleton
}

/// True when one name may be a rotation of the other one or both of a third: a hint only.
pub fn are_related(a: &Path, b: &Path) -> bool {
    kind(a) == kind(b) || extends(a, b) || extends(b, a)
}

/// True when the name begins with that of `base`: `app.log.week48-1` for `app.log`.
pub fn extends(path: &Path, base: &Path) -> bool {
    name_of(path)
        .strip_prefix(name_of(base))
        .and_then(<[u8]>::first)
        .is_some_and(|first| b".-_~".contains(first))
}

/// Extensions of the formats in which one program writes the same log: PostgreSQL's are `.log`,
/// `.csv` and `.json`.
const FORMATS: [&str; 3] = ["log", "csv", "json"];

/// Returns files whose names differ only in their formats, if there are any.
pub fn in_several_formats<'a>(paths: impl Iterator<Item = &'a Path>) -> Option<Vec<String>> {
    let is_format = |path: &&Path| {
        path.extension()
            .is_some_and(|end| FORMATS.iter().any(|it| end == *it))
    };
    let mut by_stem: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for path in paths.filter(is_format) {
        let files = by_stem.entry(path.with_extension("")).or_default();
        files.push(path.display().to_string());
    }
    let mut files = by_stem.into_values().find(|files| files.len() > 1)?;
    files.sort();
    Some(files)
}

/// Age of a file by its name. The newest is the least: a number grows with age, a date does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    Live,
    Number(u64),
    Date(Reverse<Vec<u64>>),
    Tai64n(Reverse<Vec<u8>>),
}

impl Age {
    /// Returns the age that a name gives among files of its kind.
    pub fn of(path: &Path) -> Age {
        let name = plain_name(name_of(path));
        if name.starts_with(b"@4") {
            return Age::Tai64n(Reverse(name.to_vec()));
        }
        let kind = kind(path);
        let shared = name.iter().zip(&kind).take_while(|(a, b)| a == b).count();
        let numbers: Vec<&[u8]> = name[shared..]
            .split(|byte| !byte.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .collect();
        let value = |digits: &&[u8]| {
            digits.iter().fold(0u64, |value, digit| {
                value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
            })
        };
        match numbers.iter().map(|digits| digits.len()).sum::<usize>() {
            0 if without_old(name).is_some() => Age::Number(1),
            0 => Age::Live,
            1..DATE => Age::Number(numbers.last().map_or(0, value)),
            _ => Age::Date(Reverse(numbers.iter().map(value).collect())),
        }
    }
}

#[cfg(test)]
mod tests;
