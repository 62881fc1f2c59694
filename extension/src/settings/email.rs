//! The e-mail settings: the servers, the sender, the login, the recipients.

use lettre::message::Mailbox;

use super::address::{Security, Server, is_loopback, smtp_server, without_password};
use super::error::SettingError;
use super::secret::secret_file;
use super::{
    EMAIL_DOMAINS, EMAIL_FROM, EMAIL_TO, SMTP_CA_FILE, SMTP_PASSWORD_FILE, SMTP_URL, SMTP_USER, host_name,
    network_timeout, text,
};
use crate::smtp::{Login, Waits};

/// Where and how mail is sent. It owns everything, so that it can go to a sender thread.
#[derive(PartialEq, Eq)]
pub struct Email {
    /// The first one takes the mail; the others are for when it cannot be reached. Never empty.
    pub servers: Vec<Server>,
    pub from: Mailbox,
    pub login: Option<Login>,
    /// PEM text of the certificate authority; None for those of the system.
    pub ca: Option<Vec<u8>>,
    pub waits: Waits,
    allowed: Allowed,
}

impl Email {
    /// Whether `logwatch.email_domains` allows mail to the address.
    pub fn may_receive(&self, address: &str) -> bool {
        self.allowed.includes(address)
    }
}

/// The addresses that may get mail.
#[derive(PartialEq, Eq)]
struct Allowed {
    /// In lower case; empty for any.
    domains: Vec<String>,
    recipients: Vec<String>,
}

impl Allowed {
    fn from_settings() -> Self {
        Self {
            domains: list(&text(&EMAIL_DOMAINS).unwrap_or_default().to_lowercase()),
            recipients: recipients(),
        }
    }

    fn includes(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        self.domains.is_empty()
            || domain.is_some_and(|domain| self.domains.contains(&domain))
            || self.recipients.iter().any(|recipient| recipient == address)
    }
}

/// Whether a rule may name the address as a recipient.
pub fn is_allowed(address: &str) -> bool {
    Allowed::from_settings().includes(address)
}

/// Reads the e-mail settings as they are now. The password is read from its file each time, so that
/// it can be changed there.
pub fn email() -> Result<Email, SettingError> {
    let urls = text(&SMTP_URL).ok_or(SettingError::Off)?;
    let servers = urls
        .split(',')
        .map(|url| smtp_server(url.trim()).map_err(|why| SettingError::Url(without_password(&urls), why)))
        .collect::<Result<Vec<_>, _>>()?;
    let from = text(&EMAIL_FROM).unwrap_or_else(|| format!("logwatch@{}", host_name()));
    let from = from.parse().map_err(|_| SettingError::From(from))?;
    if let Some(bad) = recipients()
        .into_iter()
        .find(|address| address.parse::<lettre::Address>().is_err())
    {
        return Err(SettingError::To(bad));
    }
    let login = match (text(&SMTP_USER), text(&SMTP_PASSWORD_FILE)) {
        (None, None) => None,
        (Some(_), Some(_))
            if servers
                .iter()
                .any(|server| server.security == Security::Plain && !is_loopback(&server.host)) =>
        {
            return Err(SettingError::LoginInTheClear);
        }
        (Some(user), Some(file)) => Some(Login {
            user,
            password: password(&file)?,
        }),
        _ => return Err(SettingError::HalfALogin),
    };
    let ca = text(&SMTP_CA_FILE)
        .map(|file| std::fs::read(&file).map_err(|why| SettingError::Authority(file, why)))
        .transpose()?;
    Ok(Email {
        servers,
        from,
        login,
        ca,
        waits: Waits::patient(network_timeout()),
        allowed: Allowed::from_settings(),
    })
}

/// Returns the addresses of `logwatch.email_to`.
pub fn recipients() -> Vec<String> {
    list(&text(&EMAIL_TO).unwrap_or_default())
}

/// Parses a list separated by commas.
fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Returns what keeps e-mail from working, recipients included.
pub fn email_problem() -> Option<SettingError> {
    match email() {
        Err(problem) => Some(problem),
        Ok(_) if recipients().is_empty() => Some(SettingError::NoRecipient),
        Ok(_) => None,
    }
}

fn password(file: &str) -> Result<String, SettingError> {
    let text = secret_file("smtp_password_file", file)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_goes_to_the_domains_of_the_setting_and_to_email_to() {
        let allowed = |domains: &str, address: &str| {
            Allowed {
                domains: list(domains),
                recipients: list("boss@other.test"),
            }
            .includes(address)
        };
        assert!(allowed("", "a@anywhere.test"));
        assert!(allowed("example.com, b.test", "a@Example.COM"));
        assert!(allowed("example.com", "boss@other.test"));
        for address in [
            "a@other.test",
            "a@example.com.other.test",
            "a@sub.example.com",
            "example.com",
        ] {
            assert!(!allowed("example.com", address), "{address}");
        }
    }
}
