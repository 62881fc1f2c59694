//! How the files stand, as the database and systemd are told every few seconds.

use std::fmt;
use std::path::PathBuf;

use indicatif::BinaryBytes;

/// A file that the database has a row of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHealth {
    pub id: i64,
    /// Unknown for a compressed file.
    pub size: Option<u64>,
    /// It began when the one before it was truncated.
    pub truncated: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub files: Vec<FileHealth>,
    /// Files that cannot be read, and why.
    pub errors: Vec<(PathBuf, String)>,
    /// All that is read at present, rows or not.
    pub reading: usize,
    /// Bytes that are there and were not looked at.
    pub behind: u64,
}

impl fmt::Display for Health {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let files = if self.reading == 1 { "file" } else { "files" };
        write!(
            out,
            "reading {} {files}, {} behind",
            self.reading,
            BinaryBytes(self.behind)
        )?;
        match self.errors.as_slice() {
            [] => Ok(()),
            [(path, error)] => write!(out, "; {}: {error}", path.display()),
            errors => write!(out, "; {} files cannot be read", errors.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_counts() {
        let mut health = Health {
            reading: 1,
            ..Health::default()
        };
        assert_eq!(health.to_string(), "reading 1 file, 0 B behind");
        health.behind = 3 * 1024 * 1024;
        health.errors.push(("/a".into(), "denied".to_owned()));
        assert_eq!(health.to_string(), "reading 1 file, 3.00 MiB behind; /a: denied");
    }
}
