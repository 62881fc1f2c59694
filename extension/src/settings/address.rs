//! The addresses in the settings: mail servers, the webhook, its headers. No PostgreSQL, no I/O.

use url::Url;

/// Why a setting's text is not what it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("{0}")]
    Url(#[from] url::ParseError),
    #[error("unknown scheme \"{0}\"")]
    Scheme(String),
    #[error("the host is missing")]
    NoHost,
    #[error("a login does not belong here but into logwatch.smtp_user and smtp_password_file")]
    Login,
    #[error("nothing may follow host and port")]
    Trailing,
    #[error(
        "it must begin with https://; http:// is for this host, and for receivers with allow_plain = true"
    )]
    NotHttps,
    #[error("a secret does not belong here but into logwatch.webhook_headers_file")]
    Secret,
    #[error("each line must be \"Name: value\"")]
    Header,
}

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

/// Parses one server of `logwatch.smtp_url`.
pub fn smtp_server(text: &str) -> Result<Server, AddressError> {
    let url = Url::parse(text)?;
    let (security, port) = match url.scheme() {
        "smtp" => (Security::StartTls, 587),
        "smtps" => (Security::ImplicitTls, 465),
        "smtp+plain" => (Security::Plain, 25),
        other => return Err(AddressError::Scheme(other.to_owned())),
    };
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or(AddressError::NoHost)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Login);
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(AddressError::Trailing);
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(Server {
        host: host.to_owned(),
        port: url.port().unwrap_or(port),
        security,
    })
}

/// Returns the setting with the part before an `@` masked, which could be a secret.
pub fn without_password(setting: &str) -> String {
    let Some(at) = setting.rfind('@') else {
        return setting.to_owned();
    };
    let scheme = setting[..at]
        .find("://")
        .filter(|end| {
            setting[..*end]
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'+')
        })
        .map_or("", |end| &setting[..end + 3]);
    format!("{scheme}***{}", &setting[at..])
}

pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Checks the URL of a webhook receiver; `allow_plain` allows http:// to other hosts.
pub fn check_webhook_url(text: &str, allow_plain: bool) -> Result<(), AddressError> {
    let url = Url::parse(text)?;
    match (url.scheme(), url.host_str()) {
        (_, None) => return Err(AddressError::NoHost),
        ("https", _) => {}
        ("http", Some(host))
            if allow_plain || is_loopback(host.trim_start_matches('[').trim_end_matches(']')) => {}
        _ => return Err(AddressError::NotHttps),
    }
    if url.password().is_some() {
        return Err(AddressError::Secret);
    }
    Ok(())
}

/// Parses the headers of `logwatch.webhook_headers_file`, a line `Name: value` each.
pub fn headers(text: &str) -> Result<Vec<(String, String)>, AddressError> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(AddressError::Header),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smtp_urls_say_host_port_and_security() {
        let ok = |url: &str| {
            let server = smtp_server(url).unwrap();
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
            assert!(smtp_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_not_shown() {
        assert_eq!(without_password("smtp://u:secret@host:25"), "smtp://***@host:25");
        assert_eq!(without_password("smtp://host"), "smtp://host");
        // As the URL's grammar has it, both are a login.
        assert_eq!(without_password("https:u:secret@host"), "***@host");
        assert_eq!(without_password("https:\\\\u:secret@host"), "***@host");
    }
}
