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
    if line.starts_with('#') {
        return None;
    }
    let fields = fields(line);
    let [host, port, dbname, user, password] = fields.as_slice() else {
        return None;
    };
    let fits = |field: &str, value: &str| field == "*" || unescape(field) == value;
    (fits(host, wanted.host)
        && fits(port, &wanted.port.to_string())
        && fits(dbname, wanted.dbname)
        && fits(user, wanted.user))
    .then(|| unescape(password))
}

/// The five fields, still escaped. What follows a fifth colon belongs to the password.
fn fields(line: &str) -> Vec<&str> {
    let mut fields = Vec::with_capacity(5);
    let mut start = 0;
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'\\' if !escaped => escaped = true,
            b':' if !escaped && fields.len() < 4 => {
                fields.push(&line[start..at]);
                start = at + 1;
            }
            _ => escaped = false,
        }
    }
    fields.push(&line[start..]);
    fields
}

fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' {
            chars.next().unwrap_or('\\')
        } else {
            c
        });
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
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let file = file("*:*:*:*:secret\n", 0o644);
        assert_eq!(find(file.path(), &WANTED), None);
    }
}
