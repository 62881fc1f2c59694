//! TLS to the server: `sslmode` and `sslrootcert`, whether to encrypt, and what to check of the
//! server's certificate.
//!
//! As in libpq (PostgreSQL manual, 34.19), `prefer` and `require` encrypt and check nothing;
//! `require` checks the chain when a root certificate is there. `verify-ca` checks the chain,
//! `verify-full` the host's name as well.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postgres::config::SslMode;
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

/// Returns how to encrypt, in the order in which it is tried, and what to check. `root_in_home` is
/// the file that libpq takes when sslrootcert is not given.
pub(super) fn of_options(
    mode: Option<&str>,
    root: Option<&str>,
    root_in_home: Option<PathBuf>,
) -> Result<(&'static [SslMode], Check), Invalid> {
    let is_system = root == Some("system");
    let mode = mode.unwrap_or(if is_system { "verify-full" } else { "prefer" });
    let encryption: &[SslMode] = match mode {
        "disable" => &[SslMode::Disable],
        "allow" => &[SslMode::Disable, SslMode::Require],
        "prefer" => &[SslMode::Prefer, SslMode::Disable],
        "require" | "verify-ca" | "verify-full" => &[SslMode::Require],
        other => {
            let allowed = "disable, allow, prefer, require, verify-ca or verify-full";
            return Err(Invalid::value("sslmode", other, allowed));
        }
    };
    if is_system && mode != "verify-full" {
        return Err(Invalid::SystemNeedsName);
    }
    let file = root.map(PathBuf::from).or(root_in_home).unwrap_or_default();
    let roots = match is_system {
        true => Some(Roots::System),
        false => file.exists().then(|| Roots::File(file.clone())),
    };
    let check = match (mode, roots) {
        ("verify-full", Some(roots)) => Check::ChainAndName(roots),
        ("verify-ca" | "require", Some(roots)) => Check::Chain(roots),
        ("verify-ca" | "verify-full", None) => return Err(Invalid::RootMissing(file)),
        _ => Check::Nothing,
    };
    Ok((encryption, check))
}

pub fn connector(check: &Check, identity: Option<&Identity>) -> Result<MakeRustlsConnect, Invalid> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Invalid::Tls(error.to_string()))?;
    let algorithms = provider.signature_verification_algorithms;
    let any_name = |chain| AnyName { chain, algorithms };
    let verifier: Arc<dyn ServerCertVerifier> = match check {
        Check::Nothing => Arc::new(any_name(None)),
        Check::Chain(roots) => Arc::new(any_name(Some(chain(roots, provider)?))),
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

/// Checks the signature of the handshake, and the chain if one is given, but not the name.
#[derive(Debug)]
struct AnyName {
    chain: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_modes_need_a_root_certificate() {
        let root = tempfile::NamedTempFile::new().unwrap();
        let path = root.path();
        let with = |mode| of_options(Some(mode), path.to_str(), None).unwrap().1;
        assert_eq!(with("verify-ca"), Check::Chain(Roots::File(path.into())));
        assert_eq!(with("verify-full"), Check::ChainAndName(Roots::File(path.into())));
        assert_eq!(with("require"), Check::Chain(Roots::File(path.into())));
        assert_eq!(with("prefer"), Check::Nothing);
        assert!(matches!(
            of_options(Some("verify-full"), None, Some(Path::new("/nowhere").into())),
            Err(Invalid::RootMissing(file)) if file == Path::new("/nowhere")
        ));
        assert_eq!(
            of_options(None, Some("system"), None).unwrap().1,
            Check::ChainAndName(Roots::System)
        );
        assert!(matches!(
            of_options(Some("require"), Some("system"), None),
            Err(Invalid::SystemNeedsName)
        ));
    }
}
