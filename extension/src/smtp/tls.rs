//! The TLS side of a connection: which certificates are trusted.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::Error;
use crate::certificates;

/// Returns a configuration that trusts the certificates of a PEM file's text, or else those of the
/// system.
pub fn client_config(authority: Option<&[u8]>) -> Result<Arc<ClientConfig>, Error> {
    let fail = |why: &dyn std::fmt::Display| Error::Certificates(why.to_string());
    let certificates = certificates::trusted(authority).map_err(|why| fail(&why))?;
    let mut roots = RootCertStore::empty();
    if authority.is_some() {
        for certificate in certificates {
            roots.add(certificate).map_err(|why| fail(&why))?;
        }
    } else {
        // A certificate of the system that rustls cannot read is one that no server's certificate
        // needs.
        roots.add_parsable_certificates(certificates);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| fail(&why))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
