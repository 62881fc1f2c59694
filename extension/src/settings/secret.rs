//! What is secret in the settings stays so: files with passwords, and addresses that hold one.

use std::os::unix::fs::MetadataExt;

use super::error::SettingError;

/// The URL as it may be shown: whatever stands before an `@` could be a secret.
pub fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}***{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_url_is_not_shown() {
        assert_eq!(without_password("smtp://u:secret@host:25"), "smtp://***@host:25");
        assert_eq!(without_password("smtp://host"), "smtp://host");
    }
}
