//! The TLS side of a connection: which certificates are trusted.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Error;

/// Returns a configuration that trusts the certificates of a PEM file's text, or else those of the
/// system.
pub fn client_config(authority: Option<&[u8]>) -> Result<Arc<ClientConfig>, Error> {
    let fail = |why: &dyn std::fmt::Display| Error::Certificates(why.to_string());
    let mut roots = RootCertStore::empty();
    match authority {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|why| fail(&why))?;
                roots.add(certificate).map_err(|why| fail(&why))?;
            }
            if roots.is_empty() {
                return Err(fail(&"logwatch.smtp_ca_file holds no certificate"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            // A certificate of the system that rustls cannot read is one that no server's
            // certificate needs.
            roots.add_parsable_certificates(found.certs);
            if let Some(why) = found.errors.first().filter(|_| roots.is_empty()) {
                return Err(fail(why));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| fail(&why))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
