//! E-mail: one SMTP transaction per recipient, over one connection while that lasts.
//!
//! Runs in a sender thread and never calls PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustls::ClientConfig;

use super::mime::compose;
use super::oauth::TokenSource;
use super::{Channel, Notification, Outcome, Verdict};
use crate::claim::Claim;
use crate::settings::{Credentials, Email, Security};
use crate::smtp::{self, Enhanced, Error, Handle, Login, Protection, Reply, Secret, Session, Step};

/// The memory of the server that the threads of the channel share.
#[derive(Clone, Default)]
pub struct EmailMemory {
    /// It has accepted some recipient: a refusal without an enhanced code is about the recipient.
    accepts: Arc<AtomicBool>,
    tokens: TokenSource,
}

/// Why a mail was not handed over.
enum SendError {
    /// There is no conversation with a server.
    Unreached(Error),
    Failed(Error),
}

/// One thread's way to the mail server.
pub struct EmailChannel {
    settings: Arc<Email>,
    memory: EmailMemory,
    handle: Handle,
    session: Option<Session>,
    tls: Option<Arc<ClientConfig>>,
}

impl EmailChannel {
    pub fn new(settings: Arc<Email>, memory: EmailMemory, handle: Handle) -> Self {
        Self {
            settings,
            memory,
            handle,
            session: None,
            tls: None,
        }
    }

    /// Returns the open conversation, or a new one that is secured and logged in as the settings
    /// say.
    fn session(&mut self) -> Result<&mut Session, Error> {
        let session = match self.session.take() {
            Some(session) if session.has_time() => session,
            spent => {
                if let Some(session) = spent {
                    session.quit();
                }
                self.open()?
            }
        };
        Ok(self.session.insert(session))
    }

    /// Opens a conversation. A kept token that the server refuses is replaced once: it can have
    /// been revoked before its time.
    fn open(&mut self) -> Result<Session, Error> {
        let settings = Arc::clone(&self.settings);
        match &settings.login {
            None => self.open_with(None),
            Some(Credentials::Password(login)) => self.open_with(Some(login)),
            Some(Credentials::OAuth { user, source }) => loop {
                let (token, kept) = self
                    .memory
                    .tokens
                    .token(source, settings.waits.reply)
                    .map_err(|why| Error::Token(why.to_string()))?;
                let login = Login {
                    user: user.clone(),
                    secret: Secret::Token(token),
                };
                let opened = self.open_with(Some(&login));
                if !matches!(opened, Err(Error::Refused(Step::Auth, _))) {
                    return opened;
                }
                self.memory.tokens.forget();
                if !kept {
                    return opened;
                }
            },
        }
    }

    /// Tries the servers in their order; the error is the last one's.
    fn open_with(&mut self, login: Option<&Login>) -> Result<Session, Error> {
        let began = Instant::now();
        let mut opened = Err(Error::Cancelled);
        for (number, server) in self.settings.servers.iter().enumerate() {
            let mut waits = self.settings.waits;
            if number + 1 < self.settings.servers.len() {
                // Another server is nearer than a late greeting.
                waits.greeting = waits.reply;
            }
            let hello = self.settings.hello.as_deref();
            opened = protection(server.security, &self.settings, &mut self.tls).and_then(|protection| {
                Session::open(server, &protection, hello, login, waits, &self.handle, began)
            });
            if opened.is_ok() {
                break;
            }
        }
        opened
    }

    /// Hands a mail over. A server may have closed a conversation that was kept open: then the mail
    /// begins another one at once.
    fn send(&mut self, to: &str, mail: &str, claim: &Claim) -> Result<(Reply, String), SendError> {
        let from = self.settings.from.email.to_string();
        loop {
            let was_open = self.session.is_some();
            let session = self.session().map_err(SendError::Unreached)?;
            match session.send(&from, to, mail, claim) {
                Ok(reply) => return Ok((reply, session.server())),
                Err(why) if was_open && is_end_of_conversation(&why) => self.session = None,
                Err(why) => return Err(SendError::Failed(why)),
            }
        }
    }

    fn transaction(&mut self, to: &str, mail: &str, claim: &Claim) -> Outcome {
        let accepts = Arc::clone(&self.memory.accepts);
        match self.send(to, mail, claim) {
            // The rest of the queue need not wait for the same.
            Err(SendError::Unreached(error)) => Outcome {
                code: error.code().map(Into::into),
                ..Outcome::unreached(explain(&error))
            },
            Ok((reply, server)) => {
                accepts.store(true, Ordering::Relaxed);
                Outcome {
                    code: Some(reply.code.into()),
                    server: Some(server),
                    ..Outcome::sent(reply.to_string())
                }
            }
            Err(SendError::Failed(error)) => {
                if refused_after_recipient(&error) {
                    accepts.store(true, Ordering::Relaxed);
                }
                let outcome = Outcome {
                    verdict: verdict(&error, accepts.load(Ordering::Relaxed)),
                    code: error.code().map(Into::into),
                    ..Outcome::retry(explain(&error))
                };
                // After a plain refusal the conversation goes on with the next recipient; otherwise
                // it is given up.
                if matches!(error, Error::NoSmtpUtf8) {
                    return outcome;
                }
                let goes_on = error.code().is_some_and(|code| code != 421);
                self.session = self
                    .session
                    .take()
                    .filter(|_| goes_on)
                    .and_then(|mut session| session.reset().is_ok().then_some(session));
                outcome
            }
        }
    }
}

impl Channel for EmailChannel {
    fn deliver(&mut self, notification: &Notification) -> Outcome {
        if !self.settings.may_receive(&notification.recipient) {
            return Outcome::failed(format!(
                "{} is outside logwatch.email_domains",
                notification.recipient
            ));
        }
        let Some(to) = self.settings.recipient(&notification.recipient) else {
            return Outcome::failed(format!("\"{}\" is not an e-mail address", notification.recipient));
        };
        match compose(
            notification,
            &self.settings.from,
            &to,
            self.settings.subject_detail,
        ) {
            // All of it is UTF-8, and ASCII but for addresses: lettre encodes the rest.
            Ok(mail) => {
                let mail = mail.formatted();
                let text = String::from_utf8_lossy(&mail);
                self.transaction(to.email.as_ref(), &text, &notification.claim)
            }
            Err(why) => Outcome::failed(why.to_string()),
        }
    }

    fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.quit();
        }
    }
}

/// Returns how to encrypt a conversation. Certificates are read once, and for encryption only.
fn protection(
    security: Security,
    settings: &Email,
    tls: &mut Option<Arc<ClientConfig>>,
) -> Result<Protection, Error> {
    let mut config = || match tls {
        Some(known) => Ok(Arc::clone(known)),
        None => {
            let config = smtp::client_config(settings.ca.as_deref())?;
            Ok(Arc::clone(tls.insert(config)))
        }
    };
    Ok(match security {
        Security::Plain => Protection::None,
        Security::StartTls => Protection::StartTls(config()?),
        Security::ImplicitTls => Protection::ImplicitTls(config()?),
    })
}

/// Returns true if the server has ended the conversation before a mail began.
fn is_end_of_conversation(error: &Error) -> bool {
    match error {
        Error::Closed(step) | Error::Io(step, _) => *step == Step::MailFrom,
        Error::Refused(Step::MailFrom, reply) => reply.code == 421,
        _ => false,
    }
}

/// Whether the server has taken the recipient before it refused.
fn refused_after_recipient(error: &Error) -> bool {
    matches!(error, Error::Refused(Step::Data | Step::EndOfData, _))
}

/// Returns whether an attempt that failed so is repeated. Only a refusal of this one recipient or
/// of this one mail is final. A refusal that the operator can correct stays queued: every one
/// before RCPT, and at RCPT those about HELO, the sender or relaying, which servers such as Postfix
/// report there.
fn verdict(error: &Error, accepts_others: bool) -> Verdict {
    let (step, reply) = match error {
        Error::Refused(step, reply) => (step, reply),
        Error::NoSmtpUtf8 => return Verdict::Failed,
        _ => return Verdict::Retry,
    };
    if reply.class() != 5 {
        return Verdict::Retry;
    }
    let of_recipient = match (step, reply.enhanced()) {
        (Step::Rcpt, Some(Enhanced(_, 1, detail))) => !matches!(detail, 7 | 8),
        (Step::Rcpt, Some(Enhanced(_, 2, _))) => true,
        (Step::Rcpt, Some(_)) => false,
        (Step::Rcpt, None) => accepts_others,
        // 530 and 538 ask for a login or for encryption.
        (Step::Data | Step::EndOfData, _) => !matches!(reply.code, 530 | 538),
        _ => false,
    };
    if of_recipient {
        Verdict::Failed
    } else {
        Verdict::Retry
    }
}

/// Returns an error's text with the setting to look at.
fn explain(error: &Error) -> String {
    let setting = match error {
        Error::Refused(step, reply) if reply.class() == 5 => setting_for(*step, reply),
        _ => None,
    };
    match setting {
        Some(setting) => format!("{error} (reply to {}; see {setting})", step_of(error)),
        None => error.to_string(),
    }
}

fn step_of(error: &Error) -> Step {
    match error {
        Error::Refused(step, _) => *step,
        _ => Step::Other,
    }
}

/// Returns the setting that a refusal is about; None for one that is about the recipient or the
/// mail.
fn setting_for(step: Step, reply: &Reply) -> Option<&'static str> {
    const SENDER: &str = "logwatch.email_from";
    const SERVER: &str = "logwatch.smtp_url";
    const LOGIN: &str = "logwatch.smtp_user with logwatch.smtp_password_file or logwatch.smtp_oauth_file";
    match (step, reply.enhanced()) {
        (Step::Greeting | Step::StartTls, _) => Some(SERVER),
        (Step::Ehlo, _) | (Step::Rcpt, Some(Enhanced(_, 5, _))) => Some("logwatch.smtp_hello"),
        (Step::Auth, _) | (_, Some(Enhanced(_, 7, 0 | 8 | 9 | 11))) => Some(LOGIN),
        (_, _) if matches!(reply.code, 530 | 538) => Some(LOGIN),
        (Step::MailFrom, _) | (Step::Rcpt, Some(Enhanced(_, 1, 7 | 8))) => Some(SENDER),
        (Step::Rcpt, Some(Enhanced(_, 7, _)) | None) => {
            Some("logwatch.smtp_url, logwatch.smtp_user and logwatch.email_from")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(step: Step, text: &str) -> Error {
        let (code, rest) = text.split_once(' ').unwrap();
        let reply = Reply {
            code: code.parse().unwrap(),
            lines: vec![rest.to_owned()],
        };
        Error::Refused(step, reply)
    }

    #[test]
    fn only_a_refusal_of_this_recipient_or_mail_is_final() {
        for (step, reply, alone, beside_others) in [
            (
                Step::Greeting,
                "554 5.3.2 not today",
                Verdict::Retry,
                Verdict::Retry,
            ),
            (Step::Ehlo, "550 5.7.1 go away", Verdict::Retry, Verdict::Retry),
            (
                Step::Auth,
                "535 5.7.8 bad credentials",
                Verdict::Retry,
                Verdict::Retry,
            ),
            (
                Step::MailFrom,
                "550 5.7.1 sender refused",
                Verdict::Retry,
                Verdict::Retry,
            ),
            (
                Step::Rcpt,
                "550 5.1.1 no such user",
                Verdict::Failed,
                Verdict::Failed,
            ),
            (
                Step::Rcpt,
                "552 5.2.2 mailbox full",
                Verdict::Failed,
                Verdict::Failed,
            ),
            (
                Step::Rcpt,
                "504 5.5.2 need fully-qualified hostname",
                Verdict::Retry,
                Verdict::Retry,
            ),
            (
                Step::Rcpt,
                "554 5.7.1 relay access denied",
                Verdict::Retry,
                Verdict::Retry,
            ),
            (
                Step::Rcpt,
                "550 5.1.8 sender's domain not found",
                Verdict::Retry,
                Verdict::Retry,
            ),
            (
                Step::Rcpt,
                "530 5.7.0 authentication required",
                Verdict::Retry,
                Verdict::Retry,
            ),
            (Step::Rcpt, "550 unknown user", Verdict::Retry, Verdict::Failed),
            (Step::Rcpt, "451 4.7.1 greylisted", Verdict::Retry, Verdict::Retry),
            (
                Step::EndOfData,
                "554 5.7.1 looks like spam",
                Verdict::Failed,
                Verdict::Failed,
            ),
            (Step::EndOfData, "452 4.3.1 later", Verdict::Retry, Verdict::Retry),
        ] {
            let error = refused(step, reply);
            assert_eq!(verdict(&error, false), alone, "{reply}");
            assert_eq!(verdict(&error, true), beside_others, "{reply}");
        }
    }

    #[test]
    fn a_refusal_names_the_setting_to_look_at() {
        for (step, reply, setting) in [
            (Step::Auth, "535 5.7.8 bad credentials", "smtp_password_file"),
            (Step::MailFrom, "550 5.7.1 not yours", "email_from"),
            (Step::Rcpt, "554 5.7.1 relay access denied", "smtp_url"),
            (Step::Rcpt, "504 5.5.2 helo refused", "smtp_hello"),
            (Step::Rcpt, "550 5.1.8 unknown sender domain", "email_from"),
        ] {
            let text = explain(&refused(step, reply));
            assert!(text.starts_with(reply) && text.contains(setting), "{text}");
        }
        assert_eq!(
            explain(&refused(Step::Rcpt, "550 5.1.1 unknown")),
            "550 5.1.1 unknown"
        );
    }
}
