//! E-mail over SMTP: one transaction per recipient, over one connection for as long as that holds.
//!
//! Runs in the sender's thread and must never call PostgreSQL. The password gets into no error text: lettre's errors hold replies only.

use std::fmt::{self, Display};
use std::time::SystemTime;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};
use lettre::{Address, Message};

use super::{Channel, Notification, Outcome, Verdict};
use crate::settings::{Email, Security, Server, host_name};

pub struct EmailChannel {
    settings: Email,
    connection: Option<SmtpConnection>,
    /// Set once the server could not be reached: the rest of the batch need not wait for it as well.
    unreachable: Option<Outcome>,
}

/// A mail as it follows DATA, with its end. lettre writes the end by itself, after the mail: the kernel keeps such a small second piece back until
/// the server has acknowledged the first one, which most do only 40 ms later.
struct Content<'a>(&'a str);

impl Display for Content<'_> {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        for line in self.0.split_inclusive('\n') {
            // RFC 5321, 4.5.2: a line with nothing but a dot would be the end.
            if line.starts_with('.') {
                to.write_str(".")?;
            }
            to.write_str(line)?;
        }
        to.write_str(if self.0.ends_with("\r\n") {
            ".\r\n"
        } else {
            "\r\n.\r\n"
        })
    }
}

/// RFC 3834: no vacation message shall answer this one.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// RFC 2919: what mail programs file and filter by.
#[derive(Clone)]
struct ListId(String);

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

impl EmailChannel {
    pub fn new(settings: Email) -> Self {
        Self {
            settings,
            connection: None,
            unreachable: None,
        }
    }

    /// The open connection, or a new one that is secured and logged in as the settings say.
    fn connect(&mut self) -> Result<&mut SmtpConnection, Error> {
        // A connection that a failed step has left in an unknown state is not used again.
        let connection = match self
            .connection
            .take()
            .filter(|connection| !connection.has_broken())
        {
            Some(connection) => connection,
            None => self.open()?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Tries the servers in their order; the error is the last one's.
    fn open(&self) -> Result<SmtpConnection, Error> {
        let mut opened = self.open_at(&self.settings.server);
        for relay in &self.settings.relays {
            if opened.is_err() {
                opened = self.open_at(relay);
            }
        }
        opened
    }

    fn open_at(&self, server: &Server) -> Result<SmtpConnection, Error> {
        let settings = &self.settings;
        let hello = ClientId::Domain(host_name());
        let tls = match server.security {
            Security::Plain => None,
            Security::StartTls | Security::ImplicitTls => Some(self.tls(&server.host)?),
        };
        let address = (server.host.as_str(), server.port);
        let implicit = tls.as_ref().filter(|_| server.security == Security::ImplicitTls);
        let mut connection =
            SmtpConnection::connect(address, Some(settings.timeout), &hello, implicit, None)?;
        if let Some(tls) = tls.as_ref().filter(|_| server.security == Security::StartTls) {
            // An error when the server does not offer it: nothing is ever sent in the clear instead.
            connection.starttls(tls, &hello)?;
        }
        if let Some((user, password)) = &settings.login {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)?;
        }
        Ok(connection)
    }

    fn tls(&self, host: &str) -> Result<TlsParameters, Error> {
        let builder = TlsParameters::builder(host.to_owned());
        match &self.settings.ca {
            None => builder.build_rustls(),
            Some(pem) => builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(pem)?)
                .build_rustls(),
        }
    }

    fn transaction(&mut self, to: Address, mail: &str) -> Outcome {
        let from = self.settings.from.email.clone();
        let connection = match self.connect() {
            Ok(connection) => connection,
            // Whatever the code: that the server does not want to talk to us is for its operator to mend, not the recipient's fault.
            Err(error) => {
                let outcome = outcome(&error, Verdict::Retry);
                self.unreachable = Some(outcome.clone());
                return outcome;
            }
        };
        let sent = connection
            .command(Mail::new(Some(from), vec![]))
            .map_err(|error| outcome(&error, Verdict::Retry))
            .and_then(|_| {
                connection
                    .command(Rcpt::new(to, vec![]))
                    .map_err(|error| refusal(&error))
            })
            .and_then(|_| connection.command(Data).map_err(|error| refusal(&error)))
            .and_then(|_| connection.command(Content(mail)).map_err(|error| refusal(&error)));
        match sent {
            Ok(response) => Outcome {
                verdict: Verdict::Sent,
                code: Some(u16::from(response.code()).into()),
                answer: reply(&response),
            },
            Err(outcome) => {
                // After a plain refusal the connection goes on with the next recipient; otherwise it is given up.
                if outcome.code.is_none() || connection.command(Rset).is_err() {
                    connection.abort();
                    self.connection = None;
                }
                outcome
            }
        }
    }
}

impl Channel for EmailChannel {
    fn deliver(&mut self, notification: &Notification) -> Outcome {
        if let Some(outcome) = &self.unreachable {
            return outcome.clone();
        }
        match compose(notification, &self.settings.from) {
            // All of it is ASCII: lettre encodes what is not.
            Ok((to, mail)) => self.transaction(to, &String::from_utf8_lossy(&mail.formatted())),
            Err(why) => Outcome::failed(why.to_string()),
        }
    }
}

impl Drop for EmailChannel {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            // The mails are accepted already; a server that is gone by now loses nothing.
            let _ = connection.quit();
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ComposeError {
    #[error("the notification's payload cannot be read: {0}")]
    Payload(#[from] serde_json::Error),
    #[error("\"{0}\" is not an e-mail address")]
    Address(String),
    #[error("the message cannot be built: {0}")]
    Build(#[from] lettre::error::Error),
}

/// The mail as it goes over the wire; the same bytes but for the boundary on each attempt.
fn compose(notification: &Notification, from: &Mailbox) -> Result<(Address, Message), ComposeError> {
    let message = notification.content()?.message();
    let to: Address = notification
        .recipient
        .parse()
        .map_err(|_| ComposeError::Address(notification.recipient.clone()))?;
    let mut mail = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(message.subject)
        .date(SystemTime::from(notification.created_at))
        .message_id(Some(notification.message_id.clone()))
        .header(AutoSubmitted)
        .header(ListId(format!("logwatch <logwatch.{}>", host_name())));
    if let Some(first) = &notification.in_reply_to {
        mail = mail.in_reply_to(first.clone()).references(first.clone());
    }
    Ok((
        to,
        mail.multipart(MultiPart::alternative_plain_html(message.text, message.html))?,
    ))
}

/// A refusal by the server is final when it says so (5xx); everything else is tried again.
fn refusal(error: &Error) -> Outcome {
    outcome(
        error,
        if error.is_permanent() {
            Verdict::Failed
        } else {
            Verdict::Retry
        },
    )
}

fn outcome(error: &Error, verdict: Verdict) -> Outcome {
    let mut answer = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(why) = cause {
        let why_text = why.to_string();
        if !answer.contains(&why_text) {
            answer = format!("{answer}: {why_text}");
        }
        cause = why.source();
    }
    Outcome {
        verdict,
        code: error.status().map(|code| u16::from(code).into()),
        answer,
    }
}

fn reply(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    format!("{} {}", u16::from(response.code()), text.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_at_line_starts_are_doubled_and_the_end_is_one_dot() {
        assert_eq!(Content("a\r\n.\r\n..b.").to_string(), "a\r\n..\r\n...b.\r\n.\r\n");
        assert_eq!(Content("a\r\n").to_string(), "a\r\n.\r\n");
    }

    #[test]
    fn a_mail_has_the_headers_that_mail_programs_go_by() {
        let payload = serde_json::json!({"host": "db01", "database": "appdb", "at": "2026-11-22T10:00:00Z", "zone": "UTC", "rows": [
            {"component": "rule", "name": "error", "state": "ok", "message": "x\r\nBcc: a@b"}]});
        let notification = Notification {
            id: 1,
            channel: "email".into(),
            recipient: "ops@example.com".into(),
            reason: "report".into(),
            message_id: "<1@db01>".into(),
            in_reply_to: Some("<0@db01>".into()),
            created_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            payload: payload.to_string(),
        };
        let (_, mail) = compose(&notification, &"logwatch@db01".parse().unwrap()).unwrap();
        let mail = String::from_utf8(mail.formatted()).unwrap();
        for line in [
            "Subject: [OK] status of db01/appdb (logwatch)",
            "Message-ID: <1@db01>",
            "In-Reply-To: <0@db01>",
            "References: <0@db01>",
            "Auto-Submitted: auto-generated",
            "Date: Sun, 22 Nov 2026 10:00:00 +0000",
        ] {
            assert!(mail.contains(&format!("{line}\r\n")), "{line}\n{mail}");
        }
        assert!(!mail.contains("\r\nBcc"));
    }
}
