//! The addresses in the extension's settings: what is accepted is whole, and no secret is shown.

#[path = "../../../extension/src/settings/address.rs"]
mod address;

use address::{Security, check_webhook_url, headers, is_loopback, smtp_server, without_password};
use url::Url;

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    for scheme in [
        "",
        "smtp://",
        "smtps://",
        "smtp+plain://",
        "https://",
        "http://",
        "https:",
    ] {
        address(&format!("{scheme}{text}"));
    }
    if let Ok(headers) = headers(text) {
        for (name, value) in headers {
            assert!(!name.contains(['\n', ':']) && !value.contains('\n'));
        }
    }
}

fn address(text: &str) {
    if let Ok(server) = smtp_server(text) {
        assert!(!server.host.is_empty());
        assert!(
            !server
                .host
                .contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '/' | '\\')),
            "{server:?}"
        );
        let host = if server.host.contains(':') {
            format!("[{}]", server.host)
        } else {
            server.host.clone()
        };
        let scheme = match server.security {
            Security::StartTls => "smtp",
            Security::ImplicitTls => "smtps",
            Security::Plain => "smtp+plain",
        };
        let written = format!("{scheme}://{host}:{}", server.port);
        assert_eq!(smtp_server(&written), Ok(server), "{written}");
    }
    let webhook = check_webhook_url(text, false);
    if let Ok(url) = Url::parse(text) {
        if webhook.is_ok() && url.scheme() == "http" {
            assert!(
                url.host_str()
                    .is_some_and(|host| is_loopback(host.trim_matches(['[', ']'])))
            );
        }
        let shown = without_password(text);
        let shown = shown.split_once("://").map_or(&*shown, |(_, rest)| rest);
        // A login as it was written, which the parser may have encoded.
        for secret in [Some(url.username()), url.password()]
            .into_iter()
            .flatten()
            .filter(|secret| secret.len() > 3)
        {
            let hidden = text.rfind('@').is_some_and(|at| !text[at..].contains(secret));
            assert!(!hidden || !shown.contains(secret), "{text} is shown as {shown}");
        }
    }
}
