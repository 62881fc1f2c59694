//! The alert file: the present status, rewritten as a whole, so that a reader never sees half of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces the file with a text. Others may read it, as they may read the server's state by asking it.
pub fn write_status(file: &Path, text: &str) -> io::Result<()> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    // One name per process: the worker and a session may write at the same time, and the last one stays.
    let mut part = name.to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(part);
    let written = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&part)
        .and_then(|mut open| open.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&part, file));
    if written.is_err() {
        // What is left of the attempt is of no use; the error that counts is the one before.
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_as_a_whole() {
        let folder = std::env::temp_dir().join(format!("logwatch-file-test-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("alerts.txt");
        write_status(&file, "a long first text\n").unwrap();
        write_status(&file, "second\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "second\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert!(write_status(&folder.join("no/such/folder"), "x").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
