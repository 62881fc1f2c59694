//! The password file, ~/.pgpass (PostgreSQL manual, 34.16):
//! `hostname:port:database:username:password`.
//!
//! A file that others may read is not used, as in libpq. A credential that systemd hands over is
//! its user's alone, though its mode may not look so: where the file system has access control
//! lists, the mode shows their mask as the group's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The connection that needs the password.
pub struct Wanted<'a> {
    pub host: &'a str,
    pub port: u16,
    pub dbname: &'a str,
    pub user: &'a str,
}

/// The password of the first line that fits. None when there is no file, no such line, or when the
/// file is open to others.
pub fn find(file: &Path, wanted: &Wanted) -> Option<String> {
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() {
        log::warn!(
            "the password file {} is not a plain file: it is not used",
            file.display()
        );
        return None;
    }
    if metadata.permissions().mode() & 0o077 != 0 && !is_credential(file) {
        log::warn!(
            "the password file {} may be read by others: it is not used; type: chmod 0600 {}",
            file.display(),
            file.display()
        );
        return None;
    }
    password(&fs::read_to_string(file).ok()?, wanted)
}

/// The password of the first line that fits.
pub fn password(text: &str, wanted: &Wanted) -> Option<String> {
    text.lines().find_map(|line| password_of(line, wanted))
}

/// In the directory of systemd's credentials (systemd.exec(5)), which only the service's user may
/// enter.
fn is_credential(file: &Path) -> bool {
    std::env::var_os("CREDENTIALS_DIRECTORY")
        .is_some_and(|directory| !directory.is_empty() && file.parent() == Some(Path::new(&directory)))
}

fn password_of(line: &str, wanted: &Wanted) -> Option<String> {
    let fields = [wanted.host, &wanted.port.to_string(), wanted.dbname, wanted.user];
    let password = fields
        .iter()
        .try_fold(line, |line, value| skip_field(line, value))?;
    (!line.starts_with('#')).then(|| unescape(password))
}

/// Returns what follows the first field of a line and its colon, if the field is `*` or this value.
fn skip_field<'a>(line: &'a str, value: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut chars = line.chars();
    for wanted in value.chars() {
        let next = match chars.next()? {
            '\\' => chars.next()?,
            plain => plain,
        };
        if next != wanted {
            return None;
        }
    }
    chars.as_str().strip_prefix(':')
}

/// Removes the backslashes that escape. A fifth colon belongs to the password.
fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        let is_escape = c == '\\';
        text.push(if is_escape { chars.next().unwrap_or(c) } else { c });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const WANTED: Wanted<'static> = Wanted {
        host: "db1",
        port: 5432,
        dbname: "app",
        user: "me",
    };

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let file = file(
            "# a comment\ndb2:*:*:*:no\ndb1:5432:*:me:se\\:cr\\\\et\n*:*:*:*:late\n",
            0o600,
        );
        assert_eq!(find(file.path(), &WANTED).as_deref(), Some("se:cr\\et"));
        assert_eq!(
            find(
                file.path(),
                &Wanted {
                    user: "you",
                    ..WANTED
                }
            )
            .as_deref(),
            Some("late")
        );
    }

    #[test]
    fn escaped_colons_belong_to_a_field() {
        assert_eq!(
            password_of(
                r"db\:1:5432:app:me:x",
                &Wanted {
                    host: "db:1",
                    ..WANTED
                }
            )
            .as_deref(),
            Some("x")
        );
        assert_eq!(password_of("db1:5432:app:me", &WANTED), None);
        let wanted = Wanted {
            host: "::1",
            ..WANTED
        };
        for line in ["::1:5432:app:me:x:y", r"\:\:1:*:*:*:x\:y"] {
            assert_eq!(password_of(line, &wanted).as_deref(), Some("x:y"), "{line}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let file = file("*:*:*:*:secret\n", 0o644);
        assert_eq!(find(file.path(), &WANTED), None);
    }
}
