//! The e-mail settings: which servers, in whose name, with what login, to whom.

use std::time::Duration;

use lettre::message::Mailbox;
use url::Url;

use super::error::SettingError;
use super::secret::{is_loopback, secret_file, without_password};
use super::{
    EMAIL_FROM, EMAIL_TO, SMTP_CA_FILE, SMTP_PASSWORD_FILE, SMTP_TIMEOUT, SMTP_URL, SMTP_USER, host_name,
    text,
};

/// How a connection to the mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    StartTls,
    ImplicitTls,
    Plain,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub security: Security,
}

/// Where and how mail is sent; owns everything, so that it can go to the sender's thread.
pub struct Email {
    pub server: Server,
    /// Where to turn when the server cannot be reached.
    pub relays: Vec<Server>,
    pub from: Mailbox,
    pub login: Option<(String, String)>,
    pub ca: Option<Vec<u8>>,
    pub timeout: Duration,
}

/// Reads the e-mail settings as they are now. The password is read from its file each time, so that it can be changed there.
pub fn email() -> Result<Email, SettingError> {
    let urls = text(&SMTP_URL).ok_or(SettingError::Off)?;
    let mut servers = urls
        .split(',')
        .map(str::trim)
        .map(|url| parse_smtp_url(url).map_err(|why| SettingError::Url(without_password(url), why)));
    let server = servers.next().ok_or(SettingError::Off)??;
    let relays = servers.collect::<Result<Vec<_>, _>>()?;
    let from = text(&EMAIL_FROM).unwrap_or_else(|| format!("logwatch@{}", host_name()));
    let from = from
        .parse()
        .map_err(|_| SettingError::Address("email_from", from))?;
    if let Some(bad) = recipients()
        .into_iter()
        .find(|address| address.parse::<lettre::Address>().is_err())
    {
        return Err(SettingError::Address("email_to", bad));
    }
    let login = match (text(&SMTP_USER), text(&SMTP_PASSWORD_FILE)) {
        (None, None) => None,
        (Some(_), Some(_))
            if std::iter::once(&server)
                .chain(&relays)
                .any(|server| server.security == Security::Plain && !is_loopback(&server.host)) =>
        {
            return Err(SettingError::LoginInTheClear);
        }
        (Some(user), Some(file)) => Some((user, password(&file)?)),
        _ => return Err(SettingError::HalfALogin),
    };
    let ca = text(&SMTP_CA_FILE)
        .map(|file| {
            std::fs::read(&file).map_err(|why| SettingError::File("smtp_ca_file", file, why.to_string()))
        })
        .transpose()?;
    let timeout = Duration::from_secs(SMTP_TIMEOUT.get().unsigned_abs().into());
    Ok(Email {
        server,
        relays,
        from,
        login,
        ca,
        timeout,
    })
}

/// The addresses of `logwatch.email_to`.
pub fn recipients() -> Vec<String> {
    let all = text(&EMAIL_TO).unwrap_or_default();
    all.split(',')
        .map(str::trim)
        .filter(|address| !address.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What keeps e-mail from working, recipients included.
pub fn email_problem() -> Option<SettingError> {
    match email() {
        Err(problem) => Some(problem),
        Ok(_) if recipients().is_empty() => Some(SettingError::NoRecipient),
        Ok(_) => None,
    }
}

fn parse_smtp_url(text: &str) -> Result<Server, String> {
    let url = Url::parse(text).map_err(|why| why.to_string())?;
    let (security, port) = match url.scheme() {
        "smtp" => (Security::StartTls, 587),
        "smtps" => (Security::ImplicitTls, 465),
        "smtp+plain" => (Security::Plain, 25),
        other => return Err(format!("unknown scheme \"{other}\"")),
    };
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or("the host is missing")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "a login does not belong here but into logwatch.smtp_user and smtp_password_file".to_owned(),
        );
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("nothing may follow host and port".to_owned());
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(Server {
        host: host.to_owned(),
        port: url.port().unwrap_or(port),
        security,
    })
}

fn password(file: &str) -> Result<String, SettingError> {
    let text = secret_file("smtp_password_file", file)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smtp_urls_say_host_port_and_security() {
        let ok = |url: &str| {
            let server = parse_smtp_url(url).unwrap();
            (server.host, server.port, server.security)
        };
        assert_eq!(
            ok("smtp://mail.example.com"),
            ("mail.example.com".into(), 587, Security::StartTls)
        );
        assert_eq!(
            ok("smtps://mail.example.com/"),
            ("mail.example.com".into(), 465, Security::ImplicitTls)
        );
        assert_eq!(
            ok("smtp+plain://localhost:2525"),
            ("localhost".into(), 2525, Security::Plain)
        );
        assert_eq!(ok("smtp+plain://[::1]:25"), ("::1".into(), 25, Security::Plain));
        for bad in [
            "",
            "mail.example.com:25",
            "http://x",
            "smtp://",
            "smtp://u:p@h",
            "smtp://h/path",
            "smtp://h:99999",
        ] {
            assert!(parse_smtp_url(bad).is_err(), "{bad}");
        }
    }
}
