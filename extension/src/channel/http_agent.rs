//! The HTTP client of sender threads: one request, no redirects, a limit of time and of bytes.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, DefaultConnector};

use super::reply_limit::ReplyLimit;
use crate::certificates;

/// Returns a client for requests to `url`. It trusts the certificates of a PEM file's text, or else
/// those of the system.
pub fn http_agent(url: &str, authority: Option<&[u8]>, timeout: Duration) -> Result<ureq::Agent, String> {
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("logwatch/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("https:") {
        let authorities = certificates::trusted(authority)?
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(authorities)))
            .build();
        config = config.tls_config(tls);
    }
    let connector = DefaultConnector::new().chain(ReplyLimit);
    Ok(ureq::Agent::with_parts(
        config.build(),
        connector,
        DefaultResolver::default(),
    ))
}

/// Returns why a server did not reply; no text holds the URL.
pub fn explain(why: &ureq::Error, timeout: Duration) -> String {
    match why {
        ureq::Error::Timeout(_) => format!("no reply within {} s", timeout.as_secs()),
        ureq::Error::HostNotFound => "could not find the address of the host".to_owned(),
        other => other.to_string(),
    }
}
