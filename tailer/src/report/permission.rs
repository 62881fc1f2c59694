//! Hints for files that may not be read.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The permission bits of the group.
const GROUP_READ: u32 = 0o040;
const GROUP_SEARCH: u32 = 0o010;

/// Returns what to type to let this user read a path.
pub fn hint(path: &Path) -> String {
    let (denied, needed) = denied(path);
    let group = fs::metadata(&denied)
        .ok()
        .filter(|metadata| opens_to_group(metadata, needed))
        .map(|metadata| group_name(metadata.gid()));
    match group {
        Some(group) => format!("type: {}", join_group(&group)),
        None => format!(
            "type: setfacl -m u:{}:rX {}, and let rotation create the file for a group of this user",
            user(),
            denied.display()
        ),
    }
}

/// Returns what to type so that this user is in a group.
pub fn join_group(group: &str) -> String {
    format!(
        "usermod -aG {group} {}, then start the tailer anew (in a systemd unit: SupplementaryGroups={group})",
        user()
    )
}

fn user() -> String {
    whoami::username().unwrap_or_else(|_| "USER".to_owned())
}

/// The group of root is nobody's to join.
fn opens_to_group(metadata: &Metadata, needed: u32) -> bool {
    metadata.gid() != 0 && metadata.mode() & needed == needed
}

/// Returns the directory that may not be searched, or else the path itself, and the bits that are
/// needed there.
fn denied(path: &Path) -> (PathBuf, u32) {
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    for pair in ancestors.windows(2) {
        if fs::metadata(pair[1]).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            return (pair[0].to_path_buf(), GROUP_SEARCH);
        }
    }
    let needed = if path.is_dir() {
        GROUP_READ | GROUP_SEARCH
    } else {
        GROUP_READ
    };
    (path.to_path_buf(), needed)
}

/// Returns the group's name in /etc/group, where usermod looks too, or its number.
fn group_name(gid: u32) -> String {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == gid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| gid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_as_in_etc_group() {
        assert_eq!(group_name(0), "root");
        assert_eq!(group_name(4_000_000_000), "4000000000");
    }
}
