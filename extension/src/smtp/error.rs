//! How a conversation with a mail server can fail.

use std::fmt;
use std::io;
use std::time::Duration;

use super::Reply;

/// The steps of a conversation, by the reply that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    MailFrom,
    Rcpt,
    Data,
    EndOfData,
    /// RSET and QUIT: nothing depends on their replies.
    Other,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the connection",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::MailFrom => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::EndOfData => "the end of the message",
            Self::Other => "RSET",
        })
    }
}

/// Why a mail could not be handed over. The texts say what to change where the settings can be at
/// fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not find the address of host \"{0}\": {1}")]
    Resolve(String, #[source] io::Error),
    #[error("could not connect: {0}")]
    Connect(#[source] io::Error),
    #[error(
        "no reply to {0} within {seconds} s{hint}",
        seconds = .1.as_secs(),
        hint = if *.0 == Step::Greeting { "; if this port speaks TLS from the first byte, use smtps://" } else { "" }
    )]
    Timeout(Step, Duration),
    #[error("the conversation was given up because the settings have changed")]
    Cancelled,
    #[error("the server closed the connection after {0}")]
    Closed(Step),
    #[error("connection lost after {0}: {1}")]
    Io(Step, #[source] io::Error),
    #[error("the reply to {0} is longer than 64 KiB")]
    TooLong(Step),
    #[error("the reply to {0} is not SMTP: \"{1}\"")]
    NotSmtp(Step, String),
    #[error("this port does not speak TLS from the first byte; use smtp:// for STARTTLS (port 587)")]
    NotTls,
    #[error(
        "the certificate is for {names}, not for {host}; name the server in logwatch.smtp_url as its certificate does"
    )]
    CertificateName { host: String, names: String },
    #[error(
        "the certificate of {0} is signed by an authority that is not trusted here; name its PEM file in logwatch.smtp_ca_file"
    )]
    UnknownAuthority(String),
    #[error(
        "the certificate of {0} is one of an authority (CA:TRUE); give the server a certificate without that"
    )]
    AuthorityAsServer(String),
    #[error("TLS failed: {0}")]
    Tls(#[source] io::Error),
    #[error("the certificates to check the server's with cannot be used: {0}")]
    Certificates(String),
    #[error(
        "the server does not offer STARTTLS; use smtps:// if it is port 465, smtp+plain:// for a server on this host"
    )]
    NoStartTls,
    #[error(
        "the server offers no login that logwatch can use with {setting} ({usable}); it offers: {offered}"
    )]
    NoMechanism {
        setting: &'static str,
        usable: &'static str,
        offered: String,
    },
    #[error("no access token: {0}")]
    Token(String),
    #[error("the address is not ASCII before the @, and the server does not offer SMTPUTF8")]
    NoSmtpUtf8,
    #[error("{1}")]
    Refused(Step, Reply),
}

impl Error {
    /// The server's reply code, where it has refused something.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(_, reply) => Some(reply.code),
            _ => None,
        }
    }
}
