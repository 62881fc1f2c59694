//! A conversation with a mail server, from the greeting to QUIT.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::ClientConfig;

use super::connection::{Connection, Handle, Incomplete};
use super::reply::{self, Reply};
use super::{Error, Step};
use crate::claim::Claim;
use crate::settings::Server;

/// Time to begin another mail in: then as much is left for it as its reply may take.
const NEXT_MAIL_WITHIN: Duration = Duration::from_secs(5 * 60);
/// For the replies that nothing depends on.
const FAREWELL: Duration = Duration::from_secs(2);

/// The longest waits of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For a connection and for any reply but the two below: logwatch.smtp_timeout.
    pub reply: Duration,
    /// A busy server accepts the connection and greets later.
    pub greeting: Duration,
    /// A server may scan the whole mail before it replies; to give up early makes it deliver the
    /// mail twice.
    pub end_of_data: Duration,
    /// For everything: then the socket is closed.
    pub conversation: Duration,
}

impl Waits {
    /// Returns the waits of RFC 5321 §4.5.3.2 for the greeting and the end of data.
    pub fn patient(reply: Duration) -> Self {
        Self {
            reply,
            greeting: Duration::from_secs(5 * 60),
            end_of_data: Duration::from_secs(10 * 60),
            conversation: NEXT_MAIL_WITHIN + Duration::from_secs(11 * 60),
        }
    }

    /// Returns waits for a person who looks on: no step takes longer than `reply`.
    pub fn impatient(reply: Duration) -> Self {
        Self {
            greeting: reply,
            end_of_data: reply,
            ..Self::patient(reply)
        }
    }
}

/// How a conversation is encrypted.
pub enum Protection {
    None,
    StartTls(Arc<ClientConfig>),
    ImplicitTls(Arc<ClientConfig>),
}

/// A user name and what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub secret: Secret,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    Password(String),
    /// An access token (RFC 6750).
    Token(String),
}

/// A conversation in which mail can be sent.
pub struct Session {
    connection: Connection,
    server: Server,
    /// The keywords of the reply to EHLO, in capitals, with what follows them.
    offers: Vec<String>,
    waits: Waits,
    began: Instant,
    handle: Handle,
}

impl Session {
    /// Connects, secures the connection as the settings demand, and logs in. The conversation's
    /// time runs from `began`.
    pub fn open(
        server: &Server,
        protection: &Protection,
        hello: Option<&str>,
        login: Option<&Login>,
        waits: Waits,
        handle: &Handle,
        began: Instant,
    ) -> Result<Self, Error> {
        let deadline = began + waits.conversation;
        let mut connection = Connection::open(&server.host, server.port, waits.reply, deadline, handle)?;
        if let Protection::ImplicitTls(tls) = protection {
            connection.encrypt(&server.host, Arc::clone(tls), waits.reply)?;
        }
        let mut session = Self {
            connection,
            server: server.clone(),
            offers: Vec::new(),
            waits,
            began,
            handle: handle.clone(),
        };
        session.expect(Step::Greeting, waits.greeting, 2)?;
        session.hello(hello)?;
        if let Protection::StartTls(tls) = protection {
            if !session.has("STARTTLS") {
                // Nothing is ever sent in the clear instead.
                return Err(Error::NoStartTls);
            }
            session.command(Step::StartTls, "STARTTLS")?;
            session
                .connection
                .encrypt(&server.host, Arc::clone(tls), waits.reply)?;
            session.hello(hello)?;
        }
        if let Some(login) = login {
            session.login(login)?;
        }
        Ok(session)
    }

    /// Whether another mail may begin: not when its reply could come after the conversation's end.
    pub fn has_time(&self) -> bool {
        self.began.elapsed() < NEXT_MAIL_WITHIN
    }

    /// Hands over one mail. `mail` has CRLF line ends; its dots are doubled here. Before its claim
    /// is on disk the server gets the envelope only.
    pub fn send(&mut self, from: &str, to: &str, mail: &str, claim: &Claim) -> Result<Reply, Error> {
        // RFC 6531: for a local part that is not ASCII; all domains are.
        let parameter = if to.is_ascii() {
            ""
        } else if self.has("SMTPUTF8") {
            " SMTPUTF8"
        } else {
            return Err(Error::NoSmtpUtf8);
        };
        let mail_from = format!("MAIL FROM:<{from}>{parameter}");
        let rcpt = format!("RCPT TO:<{to}>");
        if self.has("PIPELINING") {
            self.envelope(&mail_from, &rcpt)?;
        } else {
            self.command(Step::MailFrom, &mail_from)?;
            self.command(Step::Rcpt, &rcpt)?;
            self.ask(Step::Data, "DATA")?;
        }
        if !claim.holds() || !self.handle.commit() {
            return Err(Error::Cancelled);
        }
        let reply = self.hand_over(mail);
        self.handle.uncommit();
        reply
    }

    /// Sends the commands before a mail at once (RFC 2920) and reads their replies. The error is
    /// the first refusal.
    fn envelope(&mut self, mail_from: &str, rcpt: &str) -> Result<(), Error> {
        let wait = self.waits.reply;
        let commands = format!("{mail_from}\r\n{rcpt}\r\nDATA\r\n");
        self.connection.write(Step::MailFrom, commands.as_bytes(), wait)?;
        let mut refused = None;
        let mut asked_for_mail = false;
        for (step, class) in [(Step::MailFrom, 2), (Step::Rcpt, 2), (Step::Data, 3)] {
            match self.expect(step, wait, class) {
                Ok(_) => asked_for_mail = step == Step::Data,
                Err(why @ Error::Refused(..)) => refused = refused.or(Some(why)),
                // After a refusal the server may close the connection.
                Err(why) => return Err(refused.unwrap_or(why)),
            }
        }
        let Some(why) = refused else {
            return Ok(());
        };
        if asked_for_mail {
            // It goes to nobody: an empty one ends that.
            self.exchange(Step::Other, ".", 2).ok();
        }
        Err(why)
    }

    fn hand_over(&mut self, mail: &str) -> Result<Reply, Error> {
        // In one piece: a small last packet would be kept back until the one before it is
        // acknowledged, 40 ms later.
        let bytes = stuffed(mail);
        self.connection
            .write(Step::EndOfData, bytes.as_bytes(), self.waits.end_of_data)?;
        match self.connection.read(Step::EndOfData, self.waits.end_of_data) {
            Ok(reply) if reply.class() == 2 => Ok(reply),
            Ok(reply) => Err(Error::Refused(Step::EndOfData, reply)),
            Err(incomplete) => accepted(&incomplete).ok_or(incomplete.why),
        }
    }

    /// Ends a mail that was refused; the conversation goes on when this succeeds.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.command(Step::Other, "RSET").map(drop)
    }

    /// Says goodbye. The mails are accepted already: nothing depends on the reply.
    pub fn quit(mut self) {
        let sent = self.connection.write(Step::Other, b"QUIT\r\n", FAREWELL);
        if sent.is_ok() {
            let _ = self.connection.read(Step::Other, FAREWELL);
        }
    }

    /// Whether the server offers an extension.
    fn has(&self, extension: &str) -> bool {
        self.offers
            .iter()
            .any(|offer| offer.split(' ').next() == Some(extension))
    }

    /// Introduces this host by a name, or else by the address that it connects from.
    fn hello(&mut self, name: Option<&str>) -> Result<(), Error> {
        let name = name.map_or_else(|| self.connection.address_literal(), str::to_owned);
        let reply = match self.command(Step::Ehlo, &format!("EHLO {name}")) {
            // A server that does not know EHLO (RFC 5321 §3.2).
            Err(Error::Refused(_, reply)) if matches!(reply.code, 500 | 502) => {
                self.command(Step::Ehlo, &format!("HELO {name}"))?;
                self.offers.clear();
                return Ok(());
            }
            reply => reply?,
        };
        // The first line is the server's name.
        self.offers = reply
            .lines
            .iter()
            .skip(1)
            .map(|line| line.trim().to_ascii_uppercase())
            .collect();
        Ok(())
    }

    /// RFC 4954, with PLAIN (RFC 4616) or else LOGIN, which some providers offer alone; with a
    /// token XOAUTH2 or else OAUTHBEARER (RFC 7628).
    fn login(&mut self, login: &Login) -> Result<(), Error> {
        // Old servers write "AUTH=".
        let offered: Vec<String> = self
            .offers
            .iter()
            .filter_map(|offer| offer.strip_prefix("AUTH"))
            .flat_map(|rest| rest.split([' ', '=']).filter(|word| !word.is_empty()))
            .map(str::to_owned)
            .collect();
        let has = |mechanism: &str| offered.iter().any(|one| one == mechanism);
        let user = &login.user;
        let (setting, usable) = match &login.secret {
            Secret::Password(password) if has("PLAIN") => {
                let response = BASE64.encode(format!("\0{user}\0{password}"));
                return self
                    .command(Step::Auth, &format!("AUTH PLAIN {response}"))
                    .map(drop);
            }
            Secret::Password(password) if has("LOGIN") => {
                self.ask(Step::Auth, "AUTH LOGIN")?;
                self.ask(Step::Auth, &BASE64.encode(user))?;
                return self.command(Step::Auth, &BASE64.encode(password)).map(drop);
            }
            Secret::Token(token) if has("XOAUTH2") => {
                let response = format!("user={user}\x01auth=Bearer {token}\x01\x01");
                return self.bearer("XOAUTH2", &response, "");
            }
            Secret::Token(token) if has("OAUTHBEARER") => {
                let Server { host, port, .. } = &self.server;
                let response =
                    format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01");
                return self.bearer("OAUTHBEARER", &response, "\x01");
            }
            Secret::Password(_) => ("logwatch.smtp_password_file", "PLAIN or LOGIN"),
            Secret::Token(_) => ("logwatch.smtp_oauth_file", "XOAUTH2 or OAUTHBEARER"),
        };
        let offered = if offered.is_empty() {
            "none".to_owned()
        } else {
            offered.join(" ")
        };
        Err(Error::NoMechanism {
            setting,
            usable,
            offered,
        })
    }

    /// Logs in with a token. A server first explains a refusal, and refuses after the client's
    /// `farewell`.
    fn bearer(&mut self, mechanism: &str, response: &str, farewell: &str) -> Result<(), Error> {
        /// The longest command line (RFC 5321 §4.5.3.1.4), without its end.
        const MOST: usize = 510;
        let response = BASE64.encode(response);
        let line = format!("AUTH {mechanism} {response}");
        let last = if line.len() <= MOST {
            line
        } else {
            self.ask(Step::Auth, &format!("AUTH {mechanism}"))?;
            response
        };
        match self.command(Step::Auth, &last) {
            Err(Error::Refused(_, reply)) if reply.class() == 3 => {
                self.command(Step::Auth, &BASE64.encode(farewell)).map(drop)
            }
            reply => reply.map(drop),
        }
    }

    /// Returns the server's host and port.
    pub fn server(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }

    /// Sends a command that one positive reply completes.
    fn command(&mut self, step: Step, line: &str) -> Result<Reply, Error> {
        self.exchange(step, line, 2)
    }

    /// Sends a command whose reply asks for more.
    fn ask(&mut self, step: Step, line: &str) -> Result<Reply, Error> {
        self.exchange(step, line, 3)
    }

    fn exchange(&mut self, step: Step, line: &str, class: u16) -> Result<Reply, Error> {
        let wait = self.waits.reply;
        self.connection
            .write(step, format!("{line}\r\n").as_bytes(), wait)?;
        self.expect(step, wait, class)
    }

    fn expect(&mut self, step: Step, wait: Duration, class: u16) -> Result<Reply, Error> {
        let reply = self
            .connection
            .read(step, wait)
            .map_err(|incomplete| incomplete.why)?;
        if reply.class() == class {
            Ok(reply)
        } else {
            Err(Error::Refused(step, reply))
        }
    }
}

/// Returns the acceptance that a damaged final reply begins with: by its first digit alone the mail
/// is the server's (RFC 5321 §4.2), and a second attempt would make a second copy.
fn accepted(incomplete: &Incomplete) -> Option<Reply> {
    let code = reply::leading_code(&incomplete.bytes).filter(|code| (200..300).contains(code))?;
    let text: String = String::from_utf8_lossy(&incomplete.bytes[3..])
        .chars()
        .take(200)
        .collect();
    Some(Reply {
        code,
        lines: vec![text.trim_start_matches(['-', ' ']).trim_end().to_owned()],
    })
}

/// Returns the mail as it follows DATA: dots at the beginning of lines doubled (RFC 5321 §4.5.2),
/// with its end.
fn stuffed(mail: &str) -> String {
    let mut bytes = String::with_capacity(mail.len() + mail.len() / 32 + 8);
    for line in mail.split_inclusive('\n') {
        if line.starts_with('.') {
            bytes.push('.');
        }
        bytes.push_str(line);
    }
    bytes.push_str(if mail.ends_with("\r\n") {
        ".\r\n"
    } else {
        "\r\n.\r\n"
    });
    bytes
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
