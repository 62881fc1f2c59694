//! A mail server for tests: speaks real SMTP over a socket on 127.0.0.1, keeps what it receives,
//! and refuses, closes or falls silent exactly where it is told to. It never sends anything on.
//!
//! Written here because servers of the registries cannot be told to misbehave at a given step.

mod mail;
mod session;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use crate::certificate::Certificate;
use crate::wait::{wait_for, wait_until};

pub use mail::Mail;

/// The steps of an SMTP conversation at which the sink can be told what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    MailFrom,
    /// RCPT TO, of anybody.
    Rcpt,
    /// RCPT TO of this address.
    RcptOf(String),
    Data,
    /// The dot that ends the message.
    EndOfData,
}

/// The sink's deviation from the usual reply at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer so, for instance `451 4.7.1 try later`.
    Reply(String),
    /// Close the connection without an answer.
    Close,
    /// Say nothing more; the connection stays open.
    Stall,
    /// Do the usual after this time.
    Delay(Duration),
    /// At [`Step::EndOfData`]: keep the mail as if accepted, but close before saying so.
    KeepAndClose,
    /// At [`Step::EndOfData`]: keep the mail as if accepted, but never say so.
    KeepAndStall,
}

impl Action {
    pub fn reply(text: &str) -> Action {
        Action::Reply(text.to_owned())
    }
}

/// An instruction, and how often it still counts (`None`: always).
struct Instruction {
    step: Step,
    action: Action,
    left: Option<usize>,
}

/// When the connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    None,
    StartTls,
    Implicit,
}

/// The state that connections share.
struct Shared {
    encryption: Encryption,
    offers_pipelining: bool,
    tls: Option<Arc<rustls::ServerConfig>>,
    login: Option<(String, String)>,
    /// The mechanism that takes a token, such as XOAUTH2.
    bearer: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The user name and the token that are valid now.
    token: Option<(String, String)>,
    port: u16,
    mails: Vec<Mail>,
    instructions: Vec<Instruction>,
    /// How often an instruction made a step fail.
    failed: usize,
    /// Every step reached, in order: what a test counts attempts with.
    steps: Vec<Step>,
    open: Vec<TcpStream>,
    sessions: Vec<JoinHandle<()>>,
    closing: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a step is reached and says what to do there.
    fn reach(&self, step: Step) -> Option<Action> {
        let mut state = self.state();
        let fits =
            |wanted: &Step| *wanted == step || (*wanted == Step::Rcpt && matches!(step, Step::RcptOf(_)));
        let found = state
            .instructions
            .iter_mut()
            .find(|i| i.left != Some(0) && fits(&i.step));
        let action = found.map(|instruction| {
            if let Some(left) = &mut instruction.left {
                *left -= 1;
            }
            instruction.action.clone()
        });
        let fails = action
            .as_ref()
            .is_some_and(|action| !matches!(action, Action::Delay(_)));
        state.failed += usize::from(fails);
        state.steps.push(step);
        action
    }
}

/// The running mail server. Dropping it closes all connections.
pub struct MailSink {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl MailSink {
    /// Without encryption and login.
    pub fn plain() -> Result<MailSink> {
        MailSink::start(Encryption::None, false, None, None, None)
    }

    /// The same, and takes several commands at once (RFC 2920), as most servers do.
    pub fn pipelining() -> Result<MailSink> {
        MailSink::start(Encryption::None, true, None, None, None)
    }

    /// Wants a login by this mechanism, XOAUTH2 or OAUTHBEARER, with the token of `accept_token`.
    pub fn with_token(mechanism: &str) -> Result<MailSink> {
        MailSink::start(Encryption::None, false, None, None, Some(mechanism))
    }

    /// From now on takes this user's token and no other one.
    pub fn accept_token(&self, user: &str, token: &str) {
        self.shared.state().token = Some((user.to_owned(), token.to_owned()));
    }

    /// Offers STARTTLS; with `login`, wants AUTH with this user and password before it takes mail.
    pub fn starttls(certificate: &Certificate, login: Option<(&str, &str)>) -> Result<MailSink> {
        MailSink::start(Encryption::StartTls, false, Some(certificate), login, None)
    }

    /// Encrypted from the first byte.
    pub fn implicit_tls(certificate: &Certificate, login: Option<(&str, &str)>) -> Result<MailSink> {
        MailSink::start(Encryption::Implicit, false, Some(certificate), login, None)
    }

    fn start(
        encryption: Encryption,
        offers_pipelining: bool,
        certificate: Option<&Certificate>,
        login: Option<(&str, &str)>,
        bearer: Option<&str>,
    ) -> Result<MailSink> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            encryption,
            offers_pipelining,
            tls: certificate.map(Certificate::server_config),
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            bearer: bearer.map(str::to_owned),
            state: Mutex::new(State {
                port: address.port(),
                ..State::default()
            }),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(MailSink {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The value of `logwatch.smtp_url` for this sink.
    pub fn url(&self) -> String {
        let scheme = match self.shared.encryption {
            Encryption::None => "smtp+plain",
            Encryption::StartTls => "smtp",
            Encryption::Implicit => "smtps",
        };
        format!("{scheme}://localhost:{}", self.port())
    }

    /// From now on does `action` whenever `step` is reached.
    pub fn always(&self, step: Step, action: Action) {
        self.shared.state().instructions.push(Instruction {
            step,
            action,
            left: None,
        });
    }

    /// Does `action` the next `times` times that `step` is reached, then goes on as usual.
    pub fn times(&self, times: usize, step: Step, action: Action) {
        self.shared.state().instructions.push(Instruction {
            step,
            action,
            left: Some(times),
        });
    }

    /// Forgets all instructions.
    pub fn behave(&self) {
        self.shared.state().instructions.clear();
    }

    /// How often an instruction made a step fail so far.
    pub fn failed(&self) -> usize {
        self.shared.state().failed
    }

    /// How often a step was reached.
    pub fn reached(&self, step: &Step) -> usize {
        self.shared.state().steps.iter().filter(|s| *s == step).count()
    }

    /// All mails so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.state().mails.clone()
    }

    /// Waits until no conversation is open: the next mail begins another one.
    pub fn wait_until_idle(&self, limit: Duration) -> Result<()> {
        wait_until(limit, "the end of all conversations", || {
            Ok(self.shared.state().sessions.iter().all(JoinHandle::is_finished))
        })
    }

    /// How many mails have come.
    pub fn count(&self) -> usize {
        self.shared.state().mails.len()
    }

    /// The first mail to this address.
    pub fn mail_to(&self, address: &str) -> Option<Mail> {
        let state = self.shared.state();
        let found = state
            .mails
            .iter()
            .find(|mail| mail.to.iter().any(|to| to == address));
        found.cloned()
    }

    /// The mails whose subject contains `text`.
    pub fn mails_with_subject(&self, text: &str) -> Vec<Mail> {
        self.mails()
            .into_iter()
            .filter(|mail| mail.subject().contains(text))
            .collect()
    }

    /// Waits for a mail whose subject contains `text` and returns the first.
    pub fn wait_for_subject(&self, limit: Duration, text: &str) -> Result<Mail> {
        let what = format!("a mail with {text:?} in its subject");
        wait_for(limit, &what, || {
            Ok(self.mails_with_subject(text).into_iter().next())
        })
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        self.shared.state().closing = true;
        // The acceptor waits for a connection: give it one.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let (open, sessions) = {
            let mut state = self.shared.state();
            (
                std::mem::take(&mut state.open),
                std::mem::take(&mut state.sessions),
            )
        };
        for stream in open {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for session in sessions {
            let _ = session.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = shared.state();
        if state.closing {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(handle) = stream.try_clone() else { continue };
        state.open.push(handle);
        let shared = Arc::clone(shared);
        // A session's error is the other side's going away: the test sees that in its own results.
        state.sessions.push(std::thread::spawn(move || {
            let _ = session::serve(&stream, &shared);
            let _ = stream.shutdown(Shutdown::Both);
        }));
    }
}

#[cfg(test)]
mod tests;
