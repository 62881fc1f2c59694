//! Files that hold a password or a token.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;

use super::error::SettingError;

/// Why a secret cannot be read from its file.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is a directory; name a file")]
    Directory,
    #[error("the server's user may not read it; type: chown postgres {0}")]
    OtherOwner(String),
    #[error("others can read it; type: chmod 600 {0}")]
    OthersCanRead(String),
    #[error("it is empty")]
    Empty,
}

/// Reads a file with a secret. As for the server's own key file, others may not read it, and the
/// group may where root owns it.
pub fn secret_file(setting: &'static str, file: &str) -> Result<String, SettingError> {
    read(file).map_err(|why| SettingError::Secret(setting, file.to_owned(), why))
}

/// Reads a secret.
pub fn read(file: &str) -> Result<String, SecretError> {
    let meta = std::fs::metadata(file)?;
    if meta.is_dir() {
        return Err(SecretError::Directory);
    }
    let allowed = if meta.uid() == 0 { 0o040 } else { 0 };
    if meta.mode() & 0o077 & !allowed != 0 {
        return Err(SecretError::OthersCanRead(file.to_owned()));
    }
    let text = std::fs::read_to_string(file).map_err(|why| match why.kind() {
        ErrorKind::PermissionDenied => SecretError::OtherOwner(file.to_owned()),
        _ => why.into(),
    })?;
    if text.trim().is_empty() {
        return Err(SecretError::Empty);
    }
    Ok(text)
}
