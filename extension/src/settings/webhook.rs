//! The webhook's settings: its address, and the headers that go with each post.

use std::time::Duration;

use super::address::{check_webhook_url, headers, without_password};
use super::error::SettingError;
use super::secret::secret_file;
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
    check_webhook_url(&address).map_err(|why| SettingError::WebhookUrl(without_password(&address), why))?;
    let headers = match text(&WEBHOOK_HEADERS_FILE) {
        None => Vec::new(),
        Some(file) => headers(&secret_file("webhook_headers_file", &file)?)
            .map_err(|why| SettingError::File("webhook_headers_file", file, why))?,
    };
    let timeout = Duration::from_secs(SMTP_TIMEOUT.get().unsigned_abs().into());
    Ok(Webhook {
        url: address,
        headers,
        timeout,
    })
}
