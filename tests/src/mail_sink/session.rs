//! One SMTP conversation, from the server's side (RFC 5321; STARTTLS: RFC 3207; AUTH: RFC 4954).

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::{ServerConnection, StreamOwned};

use super::{Action, Encryption, Mail, Shared, Step};

/// The connection, encrypted or not.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(buffer),
            Stream::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// A conversation and the mail that it is about to hand over.
struct Session<'a> {
    shared: &'a Shared,
    stream: BufReader<Stream>,
    hello: String,
    from: String,
    parameters: String,
    to: Vec<String>,
    user: Option<String>,
}

/// How a step ended.
enum Outcome {
    /// The usual answer is due.
    Usual,
    /// An instruction has answered.
    Answered,
}

/// Serves one connection to its end.
pub(super) fn serve(stream: &TcpStream, shared: &Arc<Shared>) -> Result<()> {
    stream.set_nodelay(true)?;
    let stream = stream.try_clone()?;
    let stream = match shared.encryption {
        Encryption::Implicit => encrypt(stream, shared)?,
        _ => Stream::Plain(stream),
    };
    let mut session = Session {
        shared,
        stream: BufReader::new(stream),
        hello: String::new(),
        from: String::new(),
        parameters: String::new(),
        to: Vec::new(),
        user: None,
    };
    if let Outcome::Usual = session.at(Step::Greeting)? {
        session.say("220 sink.test ESMTP")?;
    }
    while let Some(line) = session.line()? {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => session.ehlo(rest)?,
            "STARTTLS" => session = session.starttls()?,
            "AUTH" => session.auth(rest)?,
            "MAIL" => session.mail(rest)?,
            "RCPT" => session.rcpt(rest)?,
            "DATA" => session.data()?,
            "RSET" => {
                session.reset();
                session.say("250 2.0.0 ok")?;
            }
            "NOOP" => session.say("250 2.0.0 ok")?,
            "QUIT" => return session.say("221 2.0.0 bye"),
            _ => session.say("500 5.5.2 unknown command")?,
        }
    }
    Ok(())
}

impl Session<'_> {
    /// Follows the instruction for a step, if there is one.
    fn at(&mut self, step: Step) -> Result<Outcome> {
        match self.shared.reach(step) {
            None => Ok(Outcome::Usual),
            Some(Action::Delay(time)) => {
                std::thread::sleep(time);
                Ok(Outcome::Usual)
            }
            Some(Action::Reply(text)) => {
                self.say(&text)?;
                Ok(Outcome::Answered)
            }
            Some(Action::Stall | Action::KeepAndStall) => self.stall(),
            Some(Action::Close | Action::KeepAndClose) => Err(ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Reads on without an answer until the other side goes.
    fn stall<T>(&mut self) -> Result<T> {
        std::io::copy(&mut self.stream, &mut std::io::sink())?;
        Err(ErrorKind::ConnectionAborted.into())
    }

    fn say(&mut self, text: &str) -> Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{text}\r\n").as_bytes())?;
        stream.flush()
    }

    /// The next line without its end; `None` at the end of the connection.
    fn line(&mut self) -> Result<Option<String>> {
        let bytes = self.bytes()?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned()))
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let read = self.stream.read_until(b'\n', &mut bytes)?;
        Ok((read > 0).then_some(bytes))
    }

    fn encrypted(&self) -> bool {
        matches!(self.stream.get_ref(), Stream::Tls(_))
    }

    fn reset(&mut self) {
        self.from.clear();
        self.to.clear();
    }

    fn ehlo(&mut self, name: &str) -> Result<()> {
        name.clone_into(&mut self.hello);
        if let Outcome::Answered = self.at(Step::Ehlo)? {
            return Ok(());
        }
        self.reset();
        let mut answer = "250-sink.test\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n".to_owned();
        if self.shared.offers_pipelining {
            answer += "250-PIPELINING\r\n";
        }
        if self.shared.encryption == Encryption::StartTls && !self.encrypted() {
            answer += "250-STARTTLS\r\n";
        }
        if self.shared.login.is_some() && self.encrypted() {
            answer += "250-AUTH PLAIN LOGIN\r\n";
        }
        if let Some(mechanism) = &self.shared.bearer {
            answer += &format!("250-AUTH PLAIN {mechanism}\r\n");
        }
        self.say(&(answer + "250 SIZE 10485760"))
    }

    fn starttls(mut self) -> Result<Self> {
        if self.shared.encryption != Encryption::StartTls || self.encrypted() {
            self.say("502 5.5.1 no STARTTLS here")?;
            return Ok(self);
        }
        if let Outcome::Answered = self.at(Step::StartTls)? {
            return Ok(self);
        }
        self.say("220 2.0.0 go ahead")?;
        // Bytes sent before the handshake must not count as encrypted.
        if !self.stream.buffer().is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "commands behind STARTTLS"));
        }
        let Session { shared, stream, .. } = self;
        let Stream::Plain(stream) = stream.into_inner() else {
            return Err(ErrorKind::InvalidData.into());
        };
        let stream = BufReader::new(encrypt(stream, shared)?);
        Ok(Session {
            shared,
            stream,
            hello: String::new(),
            from: String::new(),
            parameters: String::new(),
            to: Vec::new(),
            user: None,
        })
    }

    fn auth(&mut self, arguments: &str) -> Result<()> {
        if let Outcome::Answered = self.at(Step::Auth)? {
            return Ok(());
        }
        if self.shared.bearer.is_some() {
            return self.bearer(arguments);
        }
        let Some((user, password)) = self.shared.login.clone() else {
            return self.say("502 5.5.1 no AUTH here");
        };
        let mut words = arguments.split(' ');
        let given = match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let response = match words.next() {
                    Some(initial) => initial.to_owned(),
                    None => self.ask("")?,
                };
                let text = decode(&response)?;
                let mut parts = text.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" => {
                let user = self.ask(&BASE64.encode("Username:"))?;
                let password = self.ask(&BASE64.encode("Password:"))?;
                (decode(&user)?, decode(&password)?)
            }
            _ => return self.say("504 5.5.4 unknown mechanism"),
        };
        if given == (user, password) {
            self.user = Some(given.0);
            self.say("235 2.7.0 welcome")
        } else {
            self.say("535 5.7.8 authentication failed")
        }
    }

    fn ask(&mut self, challenge: &str) -> Result<String> {
        self.say(&format!("334 {challenge}"))?;
        self.line()?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    /// Compares the whole SASL response; explains a refusal before it, as Gmail does.
    fn bearer(&mut self, arguments: &str) -> Result<()> {
        let (mechanism, initial) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let response = if initial.is_empty() {
            self.ask("")?
        } else {
            initial.to_owned()
        };
        let port = self.shared.state().port;
        let (user, token) = self.shared.state().token.clone().unwrap_or_default();
        let (wanted, farewell) = match mechanism {
            "XOAUTH2" => (format!("user={user}\x01auth=Bearer {token}\x01\x01"), ""),
            "OAUTHBEARER" => (
                format!("n,a={user},\x01host=localhost\x01port={port}\x01auth=Bearer {token}\x01\x01"),
                "AQ==",
            ),
            _ => return self.say("504 5.5.4 unknown mechanism"),
        };
        if decode(&response)? == wanted {
            self.user = Some(user);
            return self.say("235 2.7.0 welcome");
        }
        if self.ask(&BASE64.encode("{\"status\":\"401\"}"))? == farewell {
            self.say("535 5.7.8 Username and Password not accepted")
        } else {
            self.say("501 5.5.4 malformed answer")
        }
    }

    fn mail(&mut self, arguments: &str) -> Result<()> {
        if let Outcome::Answered = self.at(Step::MailFrom)? {
            return Ok(());
        }
        if (self.shared.login.is_some() || self.shared.bearer.is_some()) && self.user.is_none() {
            return self.say("530 5.7.0 authentication required");
        }
        self.reset();
        self.from = address(arguments);
        self.parameters = arguments
            .split_once('>')
            .map_or_else(String::new, |(_, rest)| rest.trim().to_owned());
        self.say("250 2.1.0 ok")
    }

    fn rcpt(&mut self, arguments: &str) -> Result<()> {
        let to = address(arguments);
        if let Outcome::Answered = self.at(Step::RcptOf(to.clone()))? {
            return Ok(());
        }
        self.to.push(to);
        self.say("250 2.1.5 ok")
    }

    fn data(&mut self) -> Result<()> {
        if let Outcome::Answered = self.at(Step::Data)? {
            return Ok(());
        }
        if self.to.is_empty() {
            return self.say("503 5.5.1 no recipients");
        }
        self.say("354 go on, end with a dot")?;
        let mut raw = Vec::new();
        loop {
            let line = self.bytes()?.ok_or(ErrorKind::UnexpectedEof)?;
            if line == b".\r\n" {
                break;
            }
            raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        let mail = Mail {
            from: std::mem::take(&mut self.from),
            to: std::mem::take(&mut self.to),
            raw,
            hello: self.hello.clone(),
            parameters: std::mem::take(&mut self.parameters),
            encrypted: self.encrypted(),
            user: self.user.clone(),
            at: std::time::SystemTime::now(),
        };
        match self.shared.reach(Step::EndOfData) {
            Some(Action::Reply(text)) if !text.starts_with('2') => return self.say(&text),
            Some(Action::Close) => return Err(ErrorKind::ConnectionAborted.into()),
            Some(Action::Stall) => return self.stall(),
            Some(Action::KeepAndStall) => {
                self.shared.state().mails.push(mail);
                return self.stall();
            }
            Some(Action::KeepAndClose) => {
                self.shared.state().mails.push(mail);
                return Err(ErrorKind::ConnectionAborted.into());
            }
            Some(Action::Delay(time)) => {
                std::thread::sleep(time);
                self.shared.state().mails.push(mail);
            }
            Some(Action::Reply(text)) => {
                self.shared.state().mails.push(mail);
                return self.say(&text);
            }
            None => self.shared.state().mails.push(mail),
        }
        self.say("250 2.0.0 kept")
    }
}

fn encrypt(stream: TcpStream, shared: &Shared) -> Result<Stream> {
    let config = shared.tls.clone().ok_or(ErrorKind::Unsupported)?;
    let connection = ServerConnection::new(config).map_err(Error::other)?;
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, stream))))
}

/// The address between `<` and `>`.
fn address(arguments: &str) -> String {
    let start = arguments.find('<').map_or(0, |i| i + 1);
    let end = arguments.find('>').unwrap_or(arguments.len());
    arguments.get(start..end).unwrap_or_default().to_owned()
}

fn decode(text: &str) -> Result<String> {
    let bytes = BASE64.decode(text).map_err(Error::other)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
