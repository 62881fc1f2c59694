//! Where a log file goes when it is rotated: the names that log rotation gives, and the search for a file among them.
//!
//! A file is found by its bytes (see `identity`), never by its name alone: names only say where to look. Two questions are kept apart:
//! a file that was read may have gone to any name that begins like its own (`is_rotation_of`), while a file that nobody knows is only
//! taken for a rotated one when nothing else gives such names (`bases`): `mail.err` is no rotation of `mail`.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::source::bytes::Content;
use crate::source::identity::Proof;
use crate::source::inputs::{Inode, Seen, entries};

/// True when `name` is what rotation makes of `base`: `app.log` → `app.log.1`, `app.log-20261122.gz`, `app-2026-11-22.log`, `app.1.log`.
pub fn is_rotation_of(name: &Path, base: &Path) -> bool {
    if name.parent() != base.parent() {
        return false;
    }
    let (Some(name), Some(base_name)) = (name.file_name(), base.file_name()) else {
        return false;
    };
    let (name, base_name) = (name.as_encoded_bytes(), base_name.as_encoded_bytes());
    if let Some(rest) = name.strip_prefix(base_name) {
        return rest.first().is_some_and(|first| b".-_~".contains(first));
    }
    // The date or number before the extension.
    let (Some(stem), Some(extension)) = (base.file_stem(), base.extension()) else {
        return false;
    };
    let name = name.strip_suffix(b".gz").unwrap_or(name);
    let middle = name
        .strip_prefix(stem.as_encoded_bytes())
        .and_then(|rest| rest.strip_suffix(extension.as_encoded_bytes()))
        .and_then(|rest| rest.strip_suffix(b"."));
    middle.is_some_and(|middle| {
        middle.len() > 1
            && b".-_".contains(&middle[0])
            && middle.iter().any(u8::is_ascii_digit)
            && middle
                .iter()
                .all(|byte| byte.is_ascii_digit() || b".-_:T".contains(byte))
    })
}

/// True when two names may be of one log: they are the same but for what rotation and compression put in.
pub fn are_related(a: &Path, b: &Path) -> bool {
    a.parent() == b.parent() && family(a) == family(b)
}

/// The name without `.gz`, a number, a date.
fn family(path: &Path) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_mark = |byte: &u8| byte.is_ascii_digit() || b".-_:T".contains(byte);
    let name = name.strip_suffix(b".gz").unwrap_or(name);
    let name = &name[..name.len() - name.iter().rev().take_while(|byte| is_mark(byte)).count()];
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) => {
            let (stem, extension) = name.split_at(dot);
            let marks = stem.iter().rev().take_while(|byte| is_mark(byte)).count();
            let separated = stem
                .get(stem.len() - marks)
                .is_some_and(|byte| b".-_".contains(byte));
            let stem = if separated {
                &stem[..stem.len() - marks]
            } else {
                stem
            };
            [stem, extension].concat()
        }
        None => name.to_vec(),
    }
}

/// The names that this file may have had, if it is a rotated one.
pub fn bases(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut bases = Vec::new();
    for (at, _) in name.iter().enumerate().filter(|(_, byte)| b".-_".contains(byte)) {
        if at > 0 && is_rotation_mark(&name[at..]) {
            bases.push(name[..at].to_vec());
        }
    }
    let plain = name.strip_suffix(b".gz").unwrap_or(name);
    if let Some(dot) = plain.iter().rposition(|byte| *byte == b'.') {
        let (stem, extension) = plain.split_at(dot);
        for (at, _) in stem.iter().enumerate().filter(|(_, byte)| b".-_".contains(byte)) {
            if at > 0 && !extension[1..].iter().all(is_mark) && is_rotation_mark(&stem[at..]) {
                bases.push([&stem[..at], extension].concat());
            }
        }
    }
    bases
        .iter()
        .map(|base| path.with_file_name(OsStr::from_bytes(base)))
        .collect()
}

/// True for `.1`, `-20261122.gz`, `.2026-11-22.3`, `.old`, `.gz`.
fn is_rotation_mark(end: &[u8]) -> bool {
    let mark = end.strip_suffix(b".gz").unwrap_or(end);
    if mark.len() < end.len() && mark.is_empty() || mark == b".old" {
        return true;
    }
    mark.len() > 1 && mark[1].is_ascii_digit() && mark.iter().all(is_mark)
}

/// A byte of a number, a date or a time.
fn is_mark(byte: &u8) -> bool {
    byte.is_ascii_digit() || b".-_:TZ".contains(byte)
}

/// The rotated files of `base` that are there, the newest first.
pub fn siblings(base: &Path) -> Vec<Seen> {
    let mut seen: Vec<Seen> = entries(base.parent().unwrap_or(Path::new("/")))
        .iter()
        .filter(|path| is_rotation_of(path, base))
        .filter_map(|path| Seen::at(path).ok().flatten())
        .collect();
    sort(&mut seen, base);
    seen
}

/// Sorts the rotated files of `base`, the newest first. While a file is being compressed only the plain one counts.
pub fn sort(seen: &mut Vec<Seen>, base: &Path) {
    drop_twins(seen);
    seen.sort_by(|a, b| {
        b.modified
            .cmp(&a.modified)
            .then_with(|| Age::of(&a.path, base).cmp(&Age::of(&b.path, base)))
    });
}

/// Leaves out compressed files whose plain twin is there.
pub fn drop_twins(seen: &mut Vec<Seen>) {
    let plain: HashSet<Vec<u8>> = seen
        .iter()
        .map(|seen| seen.path.as_os_str().as_encoded_bytes().to_vec())
        .collect();
    seen.retain(|seen| {
        seen.path
            .as_os_str()
            .as_encoded_bytes()
            .strip_suffix(b".gz")
            .is_none_or(|twin| !plain.contains(twin))
    });
}

/// What a name says about a file's age, the newest first: a number grows with age, a date does not.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Number(u64),
    Date(std::cmp::Reverse<Vec<u64>>),
}

impl Age {
    fn of(path: &Path, base: &Path) -> Age {
        let name = |path: &Path| path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
        let (own, base) = (name(path), name(base));
        let shared = own.iter().zip(&base).take_while(|(a, b)| a == b).count();
        let numbers: Vec<&[u8]> = own[shared..]
            .split(|byte| !byte.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .collect();
        let value = |digits: &&[u8]| {
            digits.iter().fold(0u64, |value, digit| {
                value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
            })
        };
        // A date has six digits at least.
        if numbers.iter().map(|digits| digits.len()).sum::<usize>() < 6 {
            Age::Number(numbers.last().map_or(0, value))
        } else {
            Age::Date(std::cmp::Reverse(numbers.iter().map(value).collect()))
        }
    }
}

/// Looks for a file among those that may have been `base`. `hint` is where it was last.
pub fn trace(base: &Path, hint: Inode, proof: &Proof, may_be: impl Fn(&Seen) -> bool) -> Option<Seen> {
    let mut siblings = siblings(base);
    // The one with the same inode is most likely it; the proof decides all the same.
    siblings.sort_by_key(|seen| seen.inode != hint);
    siblings.into_iter().filter(may_be).find(|seen| {
        let content = Content::open_seen(seen);
        proof.says_something()
            && content.is_ok_and(|mut content| matches!(proof.check(&mut content), Ok(Some(_))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files_are_known() {
        let base = Path::new("/log/app.log");
        for name in [
            "app.log.1",
            "app.log.2.gz",
            "app.log-20261122",
            "app.log.old",
            "app-2026-11-22.log",
            "app.2026-11-22.3.log.gz",
        ] {
            assert!(is_rotation_of(&Path::new("/log").join(name), base), "{name}");
        }
        for name in [
            "app.log",
            "app2.log",
            "app-error.log",
            "app.logger",
            "other.log",
            "app-.log",
        ] {
            assert!(!is_rotation_of(&Path::new("/log").join(name), base), "{name}");
        }
        assert!(!is_rotation_of(Path::new("/old/app.log.1"), base));
        for name in [
            "app.log",
            "app.log.12.gz",
            "app.log-20261122",
            "app-2026-11-22.log.gz",
        ] {
            assert!(are_related(&Path::new("/log").join(name), base), "{name}");
            assert!(
                are_related(&Path::new("/log").join(name), Path::new("/log/app.log.1")),
                "{name}"
            );
        }
        for name in ["app2.log", "app.txt", "web.log"] {
            assert!(!are_related(&Path::new("/log").join(name), base), "{name}");
        }
    }

    #[test]
    fn only_a_number_a_date_or_old_makes_an_unknown_file_a_rotated_one() {
        let bases = |name: &str| bases(&Path::new("/log").join(name));
        for (name, base) in [
            ("app.log.1", "/log/app.log"),
            ("app.log.2.gz", "/log/app.log"),
            ("app.log.gz", "/log/app.log"),
            ("app.log.old", "/log/app.log"),
            ("app.log-20261122", "/log/app.log"),
            ("app.log.2026-11-22T10:00.3.gz", "/log/app.log"),
            ("app-2026-11-22.log.gz", "/log/app.log"),
            ("app.1.log", "/log/app.log"),
            ("mail.1", "/log/mail"),
        ] {
            assert!(
                bases(name).contains(&PathBuf::from(base)),
                "{name}: {:?}",
                bases(name)
            );
        }
        for name in ["app.log", "mail.err", "app.log.bak", "2026.log"] {
            assert_eq!(bases(name), Vec::<PathBuf>::new(), "{name}");
        }
        for name in ["app.log.2.xz", "app.log.1.tmp"] {
            assert!(!bases(name).contains(&PathBuf::from("/log/app.log")), "{name}");
        }
    }

    #[test]
    fn of_files_as_old_as_each_other_the_lower_number_or_the_later_date_is_the_newer() {
        let base = Path::new("/log/db1.log");
        let sorted = |names: &[&str]| {
            let mut seen: Vec<Seen> = names
                .iter()
                .map(|name| Seen {
                    path: Path::new("/log").join(name),
                    inode: Inode { dev: 1, inode: 1 },
                    size: 1,
                    modified: std::time::SystemTime::UNIX_EPOCH,
                })
                .collect();
            sort(&mut seen, base);
            seen.iter()
                .map(|seen| seen.path.file_name().unwrap().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            sorted(&["db1.log.2.gz", "db1.log.10", "db1.log.1"]),
            ["db1.log.1", "db1.log.2.gz", "db1.log.10"]
        );
        assert_eq!(
            sorted(&["db1.log-20261120.gz", "db1.log-20261122", "db1.log-20261121"]),
            ["db1.log-20261122", "db1.log-20261121", "db1.log-20261120.gz"]
        );
        assert_eq!(
            sorted(&["db1-2026-09-30.log", "db1-2026-10-01.log"]),
            ["db1-2026-10-01.log", "db1-2026-09-30.log"]
        );
    }
}
