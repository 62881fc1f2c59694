//! Webhook receivers: those of `logwatch.receivers_file`, and the one of `logwatch.webhook_url`,
//! whose name is `default`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::address::{check_webhook_url, headers, without_password};
use super::error::{ReceiverError, SettingError};
use super::secret::secret_file;
use super::{RECEIVERS_FILE, WEBHOOK_HEADERS_FILE, WEBHOOK_URL, network_timeout, text};
use crate::channel::{Format, test_body};

/// The receiver of the channel `webhook`.
const DEFAULT: &str = "default";

/// A webhook receiver. It owns everything, so that it can go to a sender thread.
#[derive(PartialEq, Eq)]
pub struct Webhook {
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// PEM text of the certificate authority; None for those of the system.
    pub ca: Option<Vec<u8>>,
    pub format: Format,
    /// The receiver's words for logwatch's severities.
    pub severities: BTreeMap<String, String>,
    /// Values that the format needs beside the alert.
    pub params: BTreeMap<String, Value>,
    pub timeout: Duration,
}

/// A table of `logwatch.receivers_file`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receiver {
    url: String,
    #[serde(default = "alertmanager")]
    format: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    ca_file: Option<String>,
    #[serde(default)]
    allow_plain: bool,
    template: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    severities: BTreeMap<String, String>,
    #[serde(default)]
    params: BTreeMap<String, Value>,
}

fn alertmanager() -> String {
    "alertmanager".to_owned()
}

/// Returns the name of a receiver's channel; None for a channel that is no receiver.
pub fn receiver_name(channel: &str) -> Option<&str> {
    match channel {
        "webhook" => Some(DEFAULT),
        other => other.strip_prefix("webhook:"),
    }
}

/// Reads a receiver's settings as they are now. They may hold secrets, so they come from files.
pub fn webhook(name: &str) -> Result<Webhook, SettingError> {
    if name == DEFAULT
        && let Some(url) = text(&WEBHOOK_URL)
    {
        return from_settings(url);
    }
    let Some(file) = text(&RECEIVERS_FILE) else {
        return Err(match name {
            DEFAULT => SettingError::WebhookOff,
            _ => SettingError::ReceiversOff,
        });
    };
    let mut receivers = parse(&secret_file("receivers_file", &file)?)
        .map_err(|why| SettingError::Receivers(file.clone(), why))?;
    let Some(receiver) = receivers.remove(name) else {
        return Err(match name {
            DEFAULT => SettingError::WebhookOff,
            _ => SettingError::Receivers(
                file,
                ReceiverError::Unknown(name.to_owned(), receivers.into_keys().collect()),
            ),
        });
    };
    receiver
        .build(name)
        .map_err(|why| SettingError::Receivers(file, ReceiverError::In(name.to_owned(), why.into())))
}

/// Returns the receiver of `logwatch.webhook_url`.
fn from_settings(url: String) -> Result<Webhook, SettingError> {
    check_webhook_url(&url, false).map_err(|why| SettingError::WebhookUrl(without_password(&url), why))?;
    let headers = match text(&WEBHOOK_HEADERS_FILE) {
        None => Vec::new(),
        Some(file) => headers(&secret_file("webhook_headers_file", &file)?)
            .map_err(|why| SettingError::Headers(file, why))?,
    };
    let format = Format::named(&alertmanager())
        .map_err(|why| SettingError::Receivers(DEFAULT.to_owned(), why.into()))?;
    Ok(Webhook {
        url,
        headers,
        ca: None,
        format,
        severities: BTreeMap::new(),
        params: BTreeMap::new(),
        timeout: network_timeout(),
    })
}

/// Returns the names in `logwatch.receivers_file` beside `default`; none where it cannot be read.
pub fn receiver_names() -> Vec<String> {
    text(&RECEIVERS_FILE)
        .and_then(|file| secret_file("receivers_file", &file).ok())
        .and_then(|text| parse(&text).ok())
        .map(|receivers| receivers.into_keys().filter(|name| name != DEFAULT).collect())
        .unwrap_or_default()
}

/// Returns why a receiver of the file cannot work, each one's reason.
pub fn receiver_problems() -> Vec<SettingError> {
    let Some(file) = text(&RECEIVERS_FILE) else {
        return Vec::new();
    };
    let receivers = secret_file("receivers_file", &file)
        .and_then(|text| parse(&text).map_err(|why| SettingError::Receivers(file.clone(), why)));
    match receivers {
        Err(why) => vec![why],
        Ok(receivers) => receivers
            .into_keys()
            .filter_map(|name| webhook(&name).err())
            .collect(),
    }
}

/// Whether a name can be typed after `webhook:`.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    !name.is_empty() && name.len() <= 63 && name.chars().all(plain)
}

/// Parses the text of `logwatch.receivers_file`. No error holds text of the file.
fn parse(text: &str) -> Result<BTreeMap<String, Receiver>, ReceiverError> {
    let tables: BTreeMap<String, Receiver> = toml::from_str(text).map_err(|why| {
        let line = why
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        ReceiverError::Toml(line, why.message().to_owned())
    })?;
    match tables.keys().find(|name| !is_name(name)) {
        Some(name) => Err(ReceiverError::Name(name.clone())),
        None => Ok(tables),
    }
}

impl Receiver {
    fn build(self, name: &str) -> Result<Webhook, ReceiverError> {
        check_webhook_url(&self.url, self.allow_plain)?;
        let format = match (self.format.as_str(), self.template) {
            ("template", Some(source)) => Format::template(source, self.content_type),
            ("template", None) => return Err(ReceiverError::NoTemplate(name.to_owned())),
            (_, Some(_)) => return Err(ReceiverError::TemplateUnused),
            (format, None) => Format::named(format)?,
        };
        if let Some((header, _)) = self
            .headers
            .iter()
            .find(|(name, value)| !is_header(name) || value.chars().any(char::is_control))
        {
            return Err(ReceiverError::Header(header.clone()));
        }
        let ca = self
            .ca_file
            .map(|file| std::fs::read(&file).map_err(|why| ReceiverError::Authority(file, why)))
            .transpose()?;
        let webhook = Webhook {
            url: self.url,
            headers: self.headers.into_iter().collect(),
            ca,
            format,
            severities: self.severities,
            params: self.params,
            timeout: network_timeout(),
        };
        test_body(&webhook)?;
        Ok(webhook)
    }
}

fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_line_and_shows_no_secret() {
        let error = |text: &str| parse(text).err().map(|why| why.to_string()).unwrap_or_default();
        let unknown = error("[a]\nurl = 'https://h/S3CRET'\nformt = 'slack'\n");
        assert!(unknown.starts_with("line 3: unknown field `formt`"), "{unknown}");
        let broken = error("[a]\nurl = https://h/S3CRET\n");
        assert!(
            broken.starts_with("line 2: ") && !broken.contains("S3CRET"),
            "{broken}"
        );
        assert!(error("[\"A b\"]\nurl = 'x'\n").contains("\"A b\""));
        assert_eq!(parse("").map(|receivers| receivers.len()).ok(), Some(0));
    }

    #[test]
    fn a_channel_names_its_receiver() {
        assert_eq!(receiver_name("webhook"), Some("default"));
        assert_eq!(receiver_name("webhook:ops"), Some("ops"));
        assert_eq!(receiver_name("email"), None);
    }
}
