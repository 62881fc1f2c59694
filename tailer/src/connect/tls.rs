//! TLS to the server: what each sslmode checks of its certificate.
//!
//! As in libpq (PostgreSQL manual, 34.19), `prefer` and `require` encrypt and check nothing;
//! `require` checks the chain when a root certificate is there. `verify-ca` checks the chain,
//! `verify-full` the host's name as well.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::invalid::Invalid;

/// How much of the server's certificate to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    Nothing,
    Chain(Roots),
    ChainAndName(Roots),
}

/// The certificates that are trusted to sign a server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    File(PathBuf),
    /// The host's own store, `sslrootcert=system`.
    System,
}

/// The certificate that the tailer shows, when the server asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub fn connector(check: &Check, identity: Option<&Identity>) -> Result<MakeRustlsConnect, Invalid> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Invalid::Tls(error.to_string()))?;
    let algorithms = provider.signature_verification_algorithms;
    let verifier: Arc<dyn ServerCertVerifier> = match check {
        Check::Nothing => Arc::new(Lenient {
            leniency: Leniency::Anyone,
            algorithms,
        }),
        Check::Chain(roots) => Arc::new(Lenient {
            leniency: Leniency::AnyName(chain(roots, provider)?),
            algorithms,
        }),
        Check::ChainAndName(roots) => chain(roots, provider)?,
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let private =
                PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("private key", key, &error))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, private)
                .map_err(|error| unusable("client certificate", certificate, &error))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn chain(roots: &Roots, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Invalid> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::File(file) => {
            for certificate in certificates(file)? {
                store
                    .add(certificate)
                    .map_err(|error| unusable("root certificate", file, &error))?;
            }
        }
        Roots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
        .build()
        .map_err(|error| Invalid::Tls(format!("no usable root certificate: {error}")))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable("certificate", file, &error))
}

fn unusable(what: &'static str, path: &Path, error: &dyn std::fmt::Display) -> Invalid {
    Invalid::Certificate {
        what,
        path: path.to_path_buf(),
        error: error.to_string(),
    }
}

/// How much of the certificate is checked. The signature of the handshake is checked in every case.
#[derive(Debug)]
enum Leniency {
    /// `verify-ca`: check the chain, but not the name.
    AnyName(Arc<WebPkiServerVerifier>),
    /// `prefer` and `require`: accept any certificate, as libpq does.
    Anyone,
}

#[derive(Debug)]
struct Lenient {
    leniency: Leniency,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Leniency::AnyName(verifier) = &self.leniency else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is checked last, so the chain is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
