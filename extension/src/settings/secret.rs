//! What is secret in the settings stays so: files with passwords and tokens.

use std::os::unix::fs::MetadataExt;

use super::error::SettingError;

/// Reads a file with a secret. Like the server's own key file it must not be readable for others; the group may read it if root owns it.
pub fn secret_file(setting: &'static str, file: &str) -> Result<String, SettingError> {
    let failed = |why: String| SettingError::File(setting, file.to_owned(), why);
    let meta = std::fs::metadata(file).map_err(|why| failed(why.to_string()))?;
    let allowed = if meta.uid() == 0 { 0o040 } else { 0 };
    if meta.mode() & 0o077 & !allowed != 0 {
        return Err(failed("others can read it; type: chmod 600".to_owned()));
    }
    let text = std::fs::read_to_string(file).map_err(|why| failed(why.to_string()))?;
    if text.trim().is_empty() {
        return Err(failed("is empty".to_owned()));
    }
    Ok(text)
}
