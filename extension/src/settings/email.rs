//! The e-mail settings: the servers, the sender, the login, the recipients.

use lettre::message::Mailbox;

use super::address::{Security, Server, is_loopback, smtp_server, without_password};
use super::error::SettingError;
use super::host::{host_name, is_domain, is_hello, qualified_name};
use super::mail_address::{address, domain_name, list, mailbox};
use super::oauth::{OAuth, oauth};
use super::secret::secret_file;
use super::{
    EMAIL_DOMAINS, EMAIL_FROM, EMAIL_TO, SMTP_CA_FILE, SMTP_HELLO, SMTP_OAUTH_FILE, SMTP_PASSWORD_FILE,
    SMTP_URL, SMTP_USER, SUBJECT_DETAIL, network_timeout, text,
};
use crate::smtp::{Login, Secret, Waits};

/// How logwatch logs in to the mail server.
#[derive(PartialEq, Eq)]
pub enum Credentials {
    Password(Login),
    OAuth { user: String, source: OAuth },
}

/// Where and how mail is sent. It owns everything, so that it can go to a sender thread.
#[derive(PartialEq, Eq)]
pub struct Email {
    /// The first one takes the mail; the others are for when it cannot be reached. Never empty.
    pub servers: Vec<Server>,
    pub from: Mailbox,
    /// The name for EHLO; None for the address that the connection comes from.
    pub hello: Option<String>,
    /// Whether log text may be in a subject.
    pub subject_detail: bool,
    /// The mailboxes of `logwatch.email_to`, some of which have names.
    named: Vec<Mailbox>,
    pub login: Option<Credentials>,
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

    /// Returns a recipient with the name that `logwatch.email_to` has for it; None for a text that
    /// is no address.
    pub fn recipient(&self, text: &str) -> Option<Mailbox> {
        let email = address(text)?;
        let known = self.named.iter().find(|one| one.email == email);
        Some(known.cloned().unwrap_or_else(|| Mailbox::new(None, email)))
    }
}

/// The addresses that may get mail.
#[derive(PartialEq, Eq)]
struct Allowed {
    /// In lower case, as A-labels; empty for any.
    domains: Vec<String>,
    recipients: Vec<String>,
}

impl Allowed {
    fn from_settings() -> Self {
        Self {
            domains: domains(&text(&EMAIL_DOMAINS).unwrap_or_default()),
            recipients: recipients().iter().map(|one| comparable(one)).collect(),
        }
    }

    fn includes(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, domain)| a_labels(domain));
        self.domains.is_empty()
            || domain.is_some_and(|domain| self.domains.contains(&domain))
            || self.recipients.contains(&comparable(address))
    }
}

/// Returns the domains of a list, in the form that addresses are compared in.
fn domains(text: &str) -> Vec<String> {
    list(text).iter().map(|domain| a_labels(domain)).collect()
}

/// Returns an address with its domain as A-labels.
fn comparable(text: &str) -> String {
    address(text).map_or_else(|| text.to_owned(), |address| address.to_string())
}

fn a_labels(domain: &str) -> String {
    let name = domain_name(domain).unwrap_or_else(|| domain.to_owned());
    name.to_lowercase()
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
    let from = sender()?;
    let named: Vec<Mailbox> = list(&text(&EMAIL_TO).unwrap_or_default())
        .into_iter()
        .map(|one| mailbox(&one).ok_or(SettingError::To(one)))
        .collect::<Result<_, _>>()?;
    let login = match (
        text(&SMTP_USER),
        text(&SMTP_PASSWORD_FILE),
        text(&SMTP_OAUTH_FILE),
    ) {
        (None, None, None) => None,
        (Some(_), _, _)
            if servers
                .iter()
                .any(|server| server.security == Security::Plain && !is_loopback(&server.host)) =>
        {
            return Err(SettingError::LoginInTheClear);
        }
        (Some(user), Some(file), None) => Some(Credentials::Password(Login {
            user,
            secret: Secret::Password(password(&file)?),
        })),
        (Some(user), None, Some(file)) => Some(Credentials::OAuth {
            user,
            source: oauth(&file)?,
        }),
        _ => return Err(SettingError::HalfALogin),
    };
    let ca = text(&SMTP_CA_FILE)
        .map(|file| std::fs::read(&file).map_err(|why| SettingError::Authority(file, why)))
        .transpose()?;
    Ok(Email {
        servers,
        hello: hello_name(&from)?,
        subject_detail: SUBJECT_DETAIL.get(),
        named,
        from,
        login,
        ca,
        waits: Waits::patient(network_timeout()),
        allowed: Allowed::from_settings(),
    })
}

fn sender() -> Result<Mailbox, SettingError> {
    let from = text(&EMAIL_FROM)
        .unwrap_or_else(|| format!("logwatch@{}", qualified_name().unwrap_or_else(host_name)));
    // With SMTPUTF8 in the sender no server without it could be used.
    mailbox(&from)
        .filter(|from| from.email.user().is_ascii())
        .ok_or(SettingError::From(from))
}

/// Returns the domain of Message-IDs and of the List-Id: the sender's, which exists where any mail
/// arrives.
pub fn domain() -> String {
    match sender() {
        Ok(from) => from.email.domain().to_owned(),
        Err(_) => qualified_name().unwrap_or_else(host_name),
    }
}

/// Returns the name for EHLO; None where neither this host nor the sender's domain has a qualified
/// one.
fn hello_name(from: &Mailbox) -> Result<Option<String>, SettingError> {
    match text(&SMTP_HELLO) {
        Some(name) if is_hello(&name) => Ok(Some(name)),
        Some(name) => Err(SettingError::Hello(name)),
        None => Ok(qualified_name().or_else(|| {
            let domain = from.email.domain();
            is_domain(domain).then(|| domain.to_owned())
        })),
    }
}

/// Returns the addresses of `logwatch.email_to` without names, as they are written; a text that is
/// no address as a whole.
pub fn recipients() -> Vec<String> {
    list(&text(&EMAIL_TO).unwrap_or_default())
        .into_iter()
        .map(|one| match (mailbox(&one), one.rsplit_once('<')) {
            (Some(_), Some((_, address))) => address.trim_end_matches('>').to_owned(),
            _ => one,
        })
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
                domains: super::domains(domains),
                recipients: list("boss@other.test"),
            }
            .includes(address)
        };
        assert!(allowed("", "a@anywhere.test"));
        assert!(allowed("example.com, b.test", "a@Example.COM"));
        assert!(allowed("bücher.example", "a@xn--bcher-kva.example"));
        assert!(allowed("xn--bcher-kva.example", "a@BÜCHER.example"));
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
