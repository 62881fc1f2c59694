//! Why a channel cannot work as it is set.

/// Why e-mail cannot be sent as it is set. Each says which setting, and what to put there.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    #[error(
        "e-mail is off; set logwatch.smtp_url and logwatch.email_to in postgresql.conf, then: SELECT pg_reload_conf();"
    )]
    Off,
    #[error(
        "logwatch.smtp_url = '{0}': {1}; use smtp://host:587 (STARTTLS), smtps://host:465 or smtp+plain://localhost:25"
    )]
    Url(String, String),
    #[error("logwatch.{0}: \"{1}\" is not an e-mail address; use a form like ops@example.com")]
    Address(&'static str, String),
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
    WebhookUrl(String, String),
    #[error("logwatch.{0} = '{1}': {2}")]
    File(&'static str, String, String),
}
