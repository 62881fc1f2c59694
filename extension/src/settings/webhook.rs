//! The webhook's settings: its address, and the headers that go with each post.

use std::time::Duration;

use url::Url;

use super::error::SettingError;
use super::secret::{is_loopback, secret_file, without_password};
use super::{SMTP_TIMEOUT, WEBHOOK_HEADERS_FILE, WEBHOOK_URL, text};

/// Where the webhook is, and what to say there besides the alert.
pub struct Webhook {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub timeout: Duration,
}

/// Reads the webhook's settings as they are now; its headers come from a file, since they may hold a secret.
pub fn webhook() -> Result<Webhook, SettingError> {
    let address = text(&WEBHOOK_URL).ok_or(SettingError::WebhookOff)?;
    let wrong = |why: &str| SettingError::WebhookUrl(without_password(&address), why.to_owned());
    let url = Url::parse(&address).map_err(|why| wrong(&why.to_string()))?;
    match (url.scheme(), url.host_str()) {
        (_, None) => return Err(wrong("the host is missing")),
        ("https", _) => {}
        ("http", Some(host)) if is_loopback(host.trim_start_matches('[').trim_end_matches(']')) => {}
        _ => return Err(wrong("it must begin with https:// (http:// to this host only)")),
    }
    if url.password().is_some() {
        return Err(wrong(
            "a secret does not belong here but into logwatch.webhook_headers_file",
        ));
    }
    let headers = match text(&WEBHOOK_HEADERS_FILE) {
        None => Vec::new(),
        Some(file) => secret_file("webhook_headers_file", &file)?
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| match line.split_once(':') {
                Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
                None => Err(SettingError::File(
                    "webhook_headers_file",
                    file.clone(),
                    "each line must be \"Name: value\"".to_owned(),
                )),
            })
            .collect::<Result<_, _>>()?,
    };
    let timeout = Duration::from_secs(SMTP_TIMEOUT.get().unsigned_abs().into());
    Ok(Webhook {
        url: address,
        headers,
        timeout,
    })
}
