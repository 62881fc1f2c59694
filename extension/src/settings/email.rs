//! The e-mail settings: which servers, in whose name, with what login, to whom.

use std::time::Duration;

use lettre::message::Mailbox;

use super::address::{Security, Server, is_loopback, smtp_server, without_password};
use super::error::SettingError;
use super::secret::secret_file;
use super::{
    EMAIL_FROM, EMAIL_TO, SMTP_CA_FILE, SMTP_PASSWORD_FILE, SMTP_TIMEOUT, SMTP_URL, SMTP_USER, host_name,
    text,
};

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
        .map(|url| smtp_server(url).map_err(|why| SettingError::Url(without_password(&urls), why)));
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

fn password(file: &str) -> Result<String, SettingError> {
    let text = secret_file("smtp_password_file", file)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
