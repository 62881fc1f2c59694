//! The addresses in the settings: mail servers, the webhook, its headers. Plain text in, plain values out: no PostgreSQL, no I/O.

use url::Url;

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

/// What `logwatch.smtp_url` says of one server; an error says what is wrong with it.
pub fn smtp_server(text: &str) -> Result<Server, String> {
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

/// The setting as it may be shown: whatever stands before an `@`, but for the scheme, could be a secret.
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

/// What keeps `logwatch.webhook_url` from working.
pub fn check_webhook_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|why| why.to_string())?;
    match (url.scheme(), url.host_str()) {
        (_, None) => return Err("the host is missing".to_owned()),
        ("https", _) => {}
        ("http", Some(host)) if is_loopback(host.trim_start_matches('[').trim_end_matches(']')) => {}
        _ => return Err("it must begin with https:// (http:// to this host only)".to_owned()),
    }
    if url.password().is_some() {
        return Err("a secret does not belong here but into logwatch.webhook_headers_file".to_owned());
    }
    Ok(())
}

/// The headers of `logwatch.webhook_headers_file`, a line `Name: value` each.
pub fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err("each line must be \"Name: value\"".to_owned()),
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
