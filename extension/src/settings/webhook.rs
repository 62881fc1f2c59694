//! The webhook's settings: its address, and the headers that go with each post.

use std::time::Duration;

use super::address::{check_webhook_url, headers, without_password};
use super::error::SettingError;
use super::secret::secret_file;
use super::{WEBHOOK_HEADERS_FILE, WEBHOOK_URL, network_timeout, text};

/// A webhook receiver. It owns everything, so that it can go to a sender thread.
#[derive(PartialEq, Eq)]
pub struct Webhook {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub timeout: Duration,
}

/// Reads the webhook's settings as they are now. Headers may hold a secret, so they come from a
/// file.
pub fn webhook() -> Result<Webhook, SettingError> {
    let url = text(&WEBHOOK_URL).ok_or(SettingError::WebhookOff)?;
    check_webhook_url(&url).map_err(|why| SettingError::WebhookUrl(without_password(&url), why))?;
    let headers = match text(&WEBHOOK_HEADERS_FILE) {
        None => Vec::new(),
        Some(file) => headers(&secret_file("webhook_headers_file", &file)?)
            .map_err(|why| SettingError::Headers(file, why))?,
    };
    Ok(Webhook {
        url,
        headers,
        timeout: network_timeout(),
    })
}
