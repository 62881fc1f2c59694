//! Why a channel cannot work as it is set. Each text names the setting and what to put there.

use super::address::AddressError;
use super::secret::SecretError;

#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    #[error(
        "e-mail is off; set logwatch.smtp_url and logwatch.email_to in postgresql.conf, then: SELECT pg_reload_conf();"
    )]
    Off,
    #[error(
        "logwatch.smtp_url = '{0}': {1}; use smtp://host:587 (STARTTLS), smtps://host:465 or smtp+plain://localhost:25"
    )]
    Url(String, #[source] AddressError),
    #[error("logwatch.email_from: \"{0}\" is not an e-mail address; use a form like logwatch@example.com")]
    From(String),
    #[error(
        "logwatch.email_to: \"{0}\" is not an e-mail address; separate addresses by commas and give no names, \
         like ops@example.com, dba@example.com"
    )]
    To(String),
    #[error("logwatch.email_to is empty; set it to the recipients, separated by commas")]
    NoRecipient,
    #[error(
        "logwatch.smtp_user and logwatch.smtp_password_file belong together; set both, or none for a server without login"
    )]
    HalfALogin,
    #[error("logwatch.smtp_user cannot be used with smtp+plain:// to another host; use smtp:// or smtps://")]
    LoginInTheClear,
    #[error("off; set logwatch.webhook_url in postgresql.conf, then: SELECT pg_reload_conf();")]
    WebhookOff,
    #[error("logwatch.webhook_url = '{0}': {1}")]
    WebhookUrl(String, #[source] AddressError),
    #[error("logwatch.{0} = '{1}': {2}")]
    Secret(&'static str, String, #[source] SecretError),
    #[error("logwatch.smtp_ca_file = '{0}': {1}")]
    Authority(String, #[source] std::io::Error),
    #[error("logwatch.webhook_headers_file = '{0}': {1}")]
    Headers(String, #[source] AddressError),
}

impl SettingError {
    /// Whether the channel is merely not set.
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Off | Self::WebhookOff)
    }
}
