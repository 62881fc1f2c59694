//! A certificate authority made for one test, and the certificate of a mail server on this host.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
        Certificate::for_names(&["localhost", "127.0.0.1"])
    }

    /// One authority that serves with its own certificate, which has CA:TRUE.
    pub fn authority_as_server() -> Result<Certificate> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let both = params.self_signed(&key)?;
        let config = server_config(both.der().clone(), &key)?;
        Ok(Certificate {
            authority: both.pem(),
            chain: both.pem(),
            key: key.serialize_pem(),
            config,
        })
    }

    /// An authority with one certificate for these names.
    pub fn for_names(names: &[&str]) -> Result<Certificate> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "logwatch test authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let leaf = CertificateParams::new(names)?.signed_by(&key, &authority)?;

        let config = server_config(leaf.der().clone(), &key)?;
        Ok(Certificate {
            authority: authority.pem(),
            chain: leaf.pem(),
            key: key.serialize_pem(),
            config,
        })
    }

    /// For a server written in Rust.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)?;
    Ok(Arc::new(config))
}
