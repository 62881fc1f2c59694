//! The paths that a rotated file may have had, by its name.
//!
//! A name must say that it is a rotated one of this path. Its mark begins with a number or a date,
//! or is a word such as `old`; other words count only behind a date. What is left without the mark
//! is the live name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{DATE, OLD, WORDS, digits, is_date, is_old_mark, name_of, plain_name, without_first_date};

const SEPARATORS: &[u8] = b".-_~+#:";

/// Words in dates besides those of the calendar: `2026-11-28T10`, `2026-W48`, `00h00m00s`, log4j's
/// `2026-11-28-AM`; and the reasons that timberjack and flexi_logger add.
const DATED: [&[u8]; 13] = [
    b"t", b"z", b"w", b"h", b"m", b"s", b"am", b"pm", b"utc", b"gmt", b"size", b"time", b"restart",
];

/// Words of live names where rotated ones have a number or a date: flexi_logger's
/// `app_rCURRENT.log`, NLog's `app_Current.log`, Minecraft's `latest.log`.
const LIVE: [&[u8]; 4] = [b"current", b"Current", b"CURRENT", b"latest"];

/// Extensions that are put behind the mark of a name that has one: `app.log.2026-11-28.log`.
const APPENDED: [&[u8]; 2] = [b".log", b".txt"];

/// Returns the paths that this file may have had, if it is a rotated one.
pub fn bases(path: &Path) -> Vec<PathBuf> {
    let name = name_of(path);
    let plain = plain_name(name);
    let mut bases = Vec::new();
    if name.starts_with(b"@4") {
        bases.push(b"current".to_vec());
    }
    if plain.len() < name.len() {
        bases.push(plain.to_vec());
    }
    bases.push(without_first_date(plain).to_vec());
    let dots = (0..plain.len()).filter(|at| plain[*at] == b'.');
    for end in dots.chain([plain.len()]) {
        let (stem, extension) = plain.split_at(end);
        if is_extension(extension) {
            add_bases(stem, extension, &mut bases);
        }
    }
    bases.retain(|base| !base.is_empty() && base != name);
    bases
        .iter()
        .map(|base| path.with_file_name(OsStr::from_bytes(base)))
        .collect()
}

/// Adds the names that are left of `stem` and `extension` without a mark at the end of the stem.
fn add_bases(stem: &[u8], extension: &[u8], bases: &mut Vec<Vec<u8>>) {
    let is_whole = extension.is_empty();
    let has_two = extension.iter().filter(|byte| **byte == b'.').count() == 2;
    if is_date(stem) && is_mark(stem, is_whole) {
        bases.extend(LIVE.map(|word| [word, extension].concat()));
    }
    let mut is_first = true;
    for at in (1..stem.len()).filter(|at| is_start(stem, *at)) {
        let (before, mark) = stem.split_at(at);
        let separators = mark.iter().take_while(|byte| SEPARATORS.contains(byte)).count();
        // Behind a whole name with its extension, other words may be in a mark that begins and ends
        // with a number: logrotate's `app.log.week48-1795992040`.
        let begin = &mark[separators..];
        let begin = begin.strip_prefix(b"week").unwrap_or(begin);
        let is_number = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let is_dated = is_number(begin.first()) && is_number(begin.last()) && digits(mark) >= DATE;
        if is_whole && separators > 0 && is_dated && has_extension(before) {
            bases.push(before.to_vec());
        }
        if !is_mark(mark, is_whole) || has_two && mark[0] != b'.' {
            continue;
        }
        if separators > 0 || is_date(mark) || is_whole && has_extension(before) {
            bases.push([before, extension].concat());
        }
        if APPENDED.contains(&extension) && has_extension(before) {
            bases.push(before.to_vec());
        }
        if std::mem::take(&mut is_first) && (separators > 0 || digits(mark) >= 5) {
            bases.extend(LIVE.map(|word| [&stem[..at + separators], word, extension].concat()));
        }
    }
}

/// True for nothing, `.log` and WinSW's `.out.log`.
fn is_extension(end: &[u8]) -> bool {
    let is_word = |word: &[u8]| word.first().is_some_and(u8::is_ascii_alphabetic);
    let mut words = end.split(|byte| *byte == b'.');
    let starts = words.next().is_some_and(<[u8]>::is_empty);
    starts
        && words
            .clone()
            .all(|word| is_word(word) && word.iter().all(u8::is_ascii_alphanumeric))
        && words.count() <= 2
}

fn has_extension(name: &[u8]) -> bool {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    let extension = dot.map(|dot| &name[dot + 1..]);
    extension.is_some_and(|it| !it.is_empty() && it.iter().all(u8::is_ascii_alphabetic))
}

/// True where separators begin, or where digits touch a word.
fn is_start(name: &[u8], at: usize) -> bool {
    let (before, byte) = (name[at - 1], name[at]);
    !SEPARATORS.contains(&before)
        && (SEPARATORS.contains(&byte) || byte.is_ascii_digit() && !before.is_ascii_digit())
}

/// True for `.1`, `-20261122`, `__2026-11-22T10:00`, `.28Nov2026`, `.old`, `.1.bak`, `.old-1`.
/// `is_whole`: the whole name is in front of it. Else, a date behind a word such as `-backup` is no
/// rotation: programs name their daily files so.
fn is_mark(mark: &[u8], is_whole: bool) -> bool {
    if is_old_mark(mark) {
        return true;
    }
    let is_one_of = |word: &[u8], of: &[&[u8]]| of.iter().any(|it| word.eq_ignore_ascii_case(it));
    // CUPS' `.O` is a mark only where nothing else is.
    let is_old = |word: &[u8]| is_one_of(word, &OLD[..OLD.len() - 1]);
    let class = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_alphabetic());
    let mut parts = mark.chunk_by(|a, b| class(a) == class(b)).peekable();
    let starts = parts.next_if(|part| SEPARATORS.contains(&part[0])).is_some();
    let begins_old = parts.peek().is_some_and(|part| is_old(part));
    let begins = parts.peek().is_some_and(|part| part[0].is_ascii_digit()) || starts && begins_old;
    let is_dated = digits(mark) >= DATE;
    if !begins || begins_old && is_dated && !is_whole {
        return false;
    }
    let is_part = |part: &[u8]| match class(&part[0]) {
        (true, _) => true,
        (_, true) => is_old(part) || is_dated && (is_one_of(part, &DATED) || is_one_of(part, &WORDS)),
        _ => part.iter().all(|byte| SEPARATORS.contains(byte)),
    };
    parts.all(is_part)
}
