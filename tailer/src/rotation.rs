//! Where a log file goes when it is rotated: the names that log rotation gives, and the search for a file among them.
//!
//! A file is found by its bytes (see `identity`), never by its name alone: names only say where to look. What is newer than the file
//! that was found, and was never seen, was written in between and is read as well.

use std::collections::HashSet;
use std::path::Path;

use crate::content::Content;
use crate::files::{Inode, Seen, entries};
use crate::identity::Proof;

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

/// The rotated files of `base` that are there, the newest first. While a file is being compressed only the plain one counts.
pub fn siblings(base: &Path) -> Vec<Seen> {
    let mut seen: Vec<Seen> = entries(base.parent().unwrap_or(Path::new("/")))
        .iter()
        .filter(|path| is_rotation_of(path, base))
        .filter_map(|path| Seen::at(path).ok().flatten())
        .collect();
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
    seen.sort_by(|a, b| {
        b.modified
            .cmp(&a.modified)
            .then_with(|| number(&a.path).cmp(&number(&b.path)))
    });
    seen
}

/// The number that a name ends with, which grows with age.
fn number(path: &Path) -> u64 {
    let name = path.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name[name.len() - digits..].parse().unwrap_or(0)
}

/// A rotated file that was found again.
pub struct Trace {
    pub seen: Seen,
    pub content: Content,
    /// The rotated files that are newer, the oldest first.
    pub newer: Vec<Seen>,
}

/// Looks for a file among the rotated ones of `base`. `hint` is where it was last.
pub fn trace(base: &Path, hint: Option<Inode>, proof: &Proof) -> Option<Trace> {
    let mut siblings = siblings(base);
    // The one with the same inode is most likely it; the proof decides all the same.
    let mut order: Vec<usize> = (0..siblings.len()).collect();
    order.sort_by_key(|at| Some(siblings[*at].inode) != hint);
    for at in order {
        let Ok(mut content) = Content::open_seen(&siblings[at]) else {
            continue;
        };
        if proof.says_something() && matches!(proof.check(&mut content), Ok(Some(_))) {
            let mut newer: Vec<Seen> = siblings.drain(..=at).collect();
            let found = newer.pop()?;
            newer.reverse();
            return Some(Trace {
                seen: found,
                content,
                newer,
            });
        }
    }
    None
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
}
