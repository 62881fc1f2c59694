//! Why a channel cannot work as it is set. Each text names the setting and what to put there.

use super::address::AddressError;
use super::oauth::OAuthError;
use super::secret::SecretError;
use crate::channel::FormatError;

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
        "logwatch.email_to: \"{0}\" is not an e-mail address; separate addresses by commas, \
         like ops@example.com, Jane Doe <dba@example.com>"
    )]
    To(String),
    #[error(
        "logwatch.smtp_hello = '{0}': it is neither a host name nor an address in brackets; use a name like db1.example.com"
    )]
    Hello(String),
    #[error("logwatch.email_to is empty; set it to the recipients, separated by commas")]
    NoRecipient,
    #[error(
        "logwatch.smtp_user belongs together with logwatch.smtp_password_file or logwatch.smtp_oauth_file; set it and \
         one of these, or none for a server without login"
    )]
    HalfALogin,
    #[error("logwatch.smtp_user cannot be used with smtp+plain:// to another host; use smtp:// or smtps://")]
    LoginInTheClear,
    #[error("off; set logwatch.webhook_url in postgresql.conf, then: SELECT pg_reload_conf();")]
    WebhookOff,
    #[error("logwatch.webhook_url = '{0}': {1}")]
    WebhookUrl(String, #[source] AddressError),
    #[error("off; set logwatch.receivers_file in postgresql.conf, then: SELECT pg_reload_conf();")]
    ReceiversOff,
    #[error("logwatch.heartbeat_url: {0}")]
    Heartbeat(#[source] AddressError),
    #[error("logwatch.receivers_file = '{0}': {1}")]
    Receivers(String, #[source] ReceiverError),
    #[error("logwatch.{0} = '{1}': {2}")]
    Secret(&'static str, String, #[source] SecretError),
    #[error(
        "logwatch.smtp_oauth_file = '{0}': {1}; it needs token_url, client_id and refresh_token, or token_file alone"
    )]
    OAuth(String, #[source] OAuthError),
    #[error("logwatch.smtp_ca_file = '{0}': {1}")]
    Authority(String, #[source] std::io::Error),
    #[error("logwatch.webhook_headers_file = '{0}': {1}")]
    Headers(String, #[source] AddressError),
}

impl SettingError {
    /// Whether the channel is merely not set.
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Off | Self::WebhookOff | Self::ReceiversOff)
    }
}

/// Why a receiver of `logwatch.receivers_file` cannot work. No text shows a URL or a header.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    #[error("line {0}: {1}")]
    Toml(usize, String),
    #[error("\"{0}\" is no name of a receiver; use a to z, 0 to 9, _ and -")]
    Name(String),
    #[error("it has no receiver [{0}]; it has {known}", known = if .1.is_empty() { "none".to_owned() } else { .1.join(", ") })]
    Unknown(String, Vec<String>),
    #[error("[{0}]: {1}")]
    In(String, #[source] Box<ReceiverError>),
    #[error("url: {0}")]
    Url(#[from] AddressError),
    #[error("{0}")]
    Format(#[from] FormatError),
    #[error("format = 'template' needs a template; add it to [{0}]: template = '''...'''")]
    NoTemplate(String),
    #[error("template is for format = 'template' only")]
    TemplateUnused,
    #[error("headers: \"{0}\" is no HTTP header of one line")]
    Header(String),
    #[error("ca_file = '{0}': {1}")]
    Authority(String, #[source] std::io::Error),
}
