//! Mistakes in what the user gave to connect with. No message may hold a password.

use std::path::PathBuf;

use crate::failure::Failure;

#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    #[error("missing \"=\" after \"{0}\" in connection string")]
    NoEqualsSign(String),
    #[error("unterminated quoted string in connection string")]
    UnterminatedQuote,
    #[error("connection URI holds a percent-encoded byte that is not UTF-8")]
    NotUtf8,
    #[error("unknown connection option \"{0}\"")]
    UnknownOption(String),
    #[error("invalid value \"{value}\" for connection option \"{option}\"; use {allowed}")]
    Value {
        option: String,
        value: String,
        allowed: &'static str,
    },
    #[error("cannot match {names} host names to {addresses} host addresses")]
    HostCount { names: usize, addresses: usize },
    #[error("cannot match {ports} ports to {hosts} hosts")]
    PortCount { ports: usize, hosts: usize },
    #[error("connection service \"{name}\" is not defined; add it to {}", files.join(" or "))]
    ServiceMissing { name: String, files: Vec<String> },
    #[error("{file}, line {line}: missing \"=\" in \"{text}\"")]
    ServiceLine { file: String, line: usize, text: String },
    #[error(
        "root certificate \"{0}\" does not exist; put it there, or set sslrootcert=FILE or sslrootcert=system"
    )]
    RootMissing(PathBuf),
    #[error(
        "sslrootcert=system accepts any public certificate; set sslmode=verify-full, which checks the name"
    )]
    SystemNeedsName,
    #[error("sslcert and sslkey need each other; set both")]
    HalfAnIdentity,
    #[error("this system user has no name to connect as; set -U USER")]
    NoUser,
    #[error("cannot read {what} \"{}\": {error}", path.display())]
    Certificate {
        what: &'static str,
        path: PathBuf,
        error: String,
    },
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

impl Invalid {
    pub(super) fn value(option: &str, value: &str, allowed: &'static str) -> Invalid {
        Invalid::Value {
            option: option.to_owned(),
            value: value.to_owned(),
            allowed,
        }
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Failure {
        Failure::Usage(invalid.to_string())
    }
}
