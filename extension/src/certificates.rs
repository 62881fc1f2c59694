//! The certificate authorities that connections trust.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Returns the certificates of a PEM file's text, or else those of the system.
pub fn trusted(authority: Option<&[u8]>) -> Result<Vec<CertificateDer<'static>>, String> {
    match authority {
        Some(pem) => {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
                .collect::<Result<_, _>>()
                .map_err(|why| why.to_string())?;
            if certificates.is_empty() {
                return Err("the file of the authority holds no certificate".to_owned());
            }
            Ok(certificates)
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            match found.errors.first() {
                Some(why) if found.certs.is_empty() => Err(why.to_string()),
                _ => Ok(found.certs),
            }
        }
    }
}
