//! A certificate authority made for one test, and the certificate of a mail server on this host.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// An authority with one certificate for `localhost` and 127.0.0.1. All texts are PEM.
pub struct Certificate {
    /// The certificate that a client must trust: the content of `smtp_ca_file`.
    pub authority: String,
    /// The server's certificate.
    pub chain: String,
    /// The server's private key.
    pub key: String,
    config: Arc<ServerConfig>,
}

impl Certificate {
    pub fn new() -> Result<Certificate> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "logwatch test authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names)?.signed_by(&key, &authority)?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private)?;
        Ok(Certificate {
            authority: authority.pem(),
            chain: leaf.pem(),
            key: key.serialize_pem(),
            config: Arc::new(config),
        })
    }

    /// For a server written in Rust.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}
