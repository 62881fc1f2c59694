//! One connection to a mail server. Each reply is read until the step's time is up and up to a
//! limit of bytes; when the conversation's time is up, every read and write fails.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, OtherError, StreamOwned};

use super::reply::{self, Reply};
use super::{Error, Step};

/// Longest reply that is read. RFC 5321 allows 512 bytes a line; servers list a few dozen
/// extensions.
const MAX_REPLY: usize = 64 * 1024;

/// Ends a conversation from another thread, unless the server may have accepted the mail already.
#[derive(Clone, Default)]
pub struct Handle(Arc<Mutex<HandleState>>);

#[derive(Default)]
struct HandleState {
    socket: Option<TcpStream>,
    cancelled: bool,
    /// The whole mail has been sent: to end the conversation now would send it twice.
    committed: bool,
}

impl Handle {
    fn state(&self) -> MutexGuard<'_, HandleState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the socket and refuses a new one. A mail whose data was sent in full is waited for.
    pub fn cancel(&self) {
        let mut state = self.state();
        if state.committed {
            return;
        }
        state.cancelled = true;
        if let Some(socket) = &state.socket {
            // Where the peer has closed it already there is nothing left to do.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether somebody else holds the handle too.
    pub fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub fn is_cancelled(&self) -> bool {
        self.state().cancelled
    }

    fn attach(&self, socket: &TcpStream) -> io::Result<()> {
        let mut state = self.state();
        if state.cancelled {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        state.socket = Some(socket.try_clone()?);
        state.committed = false;
        Ok(())
    }

    fn detach(&self) {
        let mut state = self.state();
        state.socket = None;
        state.committed = false;
    }

    /// From now on the mail may have been accepted; false when the conversation was cancelled
    /// before.
    pub fn commit(&self) -> bool {
        let mut state = self.state();
        state.committed = !state.cancelled;
        state.committed
    }

    pub fn uncommit(&self) {
        self.state().committed = false;
    }
}

/// A socket whose reads and writes end at a moment.
struct Socket {
    tcp: TcpStream,
    until: Instant,
}

impl Socket {
    fn left(&self) -> io::Result<Duration> {
        match self.until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }
}

/// A time-out of the socket is `WouldBlock` on Linux.
fn as_timeout(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(self.left()?))?;
        self.tcp.read(buffer).map_err(as_timeout)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(self.left()?))?;
        self.tcp.write(buffer).map_err(as_timeout)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Stream {
    fn socket(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.sock,
        }
    }

    fn io(&mut self) -> &mut dyn ReadWrite {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream,
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A connection, encrypted or not.
pub struct Connection {
    stream: Stream,
    /// When the whole conversation must have come to its end.
    deadline: Instant,
    handle: Handle,
    /// How long a reply may take once it has begun.
    tail: Duration,
    /// Bytes behind the last reply that was read: replies to commands that were sent together.
    received: Vec<u8>,
}

/// A reply that did not arrive in full: the bytes so far, and the reason.
pub struct Incomplete {
    pub bytes: Vec<u8>,
    pub why: Error,
}

impl Connection {
    /// Connects to the first address of the host that accepts, each within `wait`.
    pub fn open(
        host: &str,
        port: u16,
        wait: Duration,
        deadline: Instant,
        handle: &Handle,
    ) -> Result<Self, Error> {
        let addresses = (host, port)
            .to_socket_addrs()
            .map_err(|why| Error::Resolve(host.to_owned(), why))?;
        let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
        let addresses: Vec<_> = addresses.collect();
        for (number, address) in addresses.iter().enumerate() {
            let is_last = number + 1 == addresses.len();
            match TcpStream::connect_timeout(address, connect_wait(wait, is_last)) {
                Ok(tcp) => {
                    // Commands are small and each waits for its reply: nothing is gained by
                    // collecting them.
                    tcp.set_nodelay(true).map_err(Error::Connect)?;
                    handle.attach(&tcp).map_err(|_| Error::Cancelled)?;
                    return Ok(Self {
                        stream: Stream::Plain(Socket { tcp, until: deadline }),
                        deadline,
                        handle: handle.clone(),
                        tail: wait,
                        received: Vec::new(),
                    });
                }
                Err(why) => failed = why,
            }
        }
        Err(Error::Connect(failed))
    }

    /// Returns the address that the connection comes from, as EHLO has it (RFC 5321 §4.1.3).
    pub fn address_literal(&mut self) -> String {
        match self.stream.socket().tcp.local_addr().map(|address| address.ip()) {
            Ok(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
            Ok(IpAddr::V4(address)) => format!("[{address}]"),
            Err(_) => "[127.0.0.1]".to_owned(),
        }
    }

    /// Begins TLS and completes the handshake, so that what is wrong with it is reported as such.
    pub fn encrypt(&mut self, host: &str, config: Arc<ClientConfig>, wait: Duration) -> Result<(), Error> {
        let Stream::Plain(plain) = &self.stream else {
            return Ok(());
        };
        // Bytes from before the handshake must not count as encrypted.
        self.received.clear();
        let tcp = plain.tcp.try_clone().map_err(Error::Connect)?;
        let until = self.deadline.min(Instant::now() + wait);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|why| Error::Tls(io::Error::new(ErrorKind::InvalidInput, why)))?;
        let client = ClientConnection::new(config, name)
            .map_err(|why| Error::Tls(io::Error::new(ErrorKind::InvalidData, why)))?;
        let mut stream = StreamOwned::new(client, Socket { tcp, until });
        while stream.conn.is_handshaking() {
            stream
                .conn
                .complete_io(&mut stream.sock)
                .map_err(|why| handshake_error(why, host, wait))?;
        }
        self.stream = Stream::Tls(Box::new(stream));
        Ok(())
    }

    /// Sends a command, several at once, or a whole mail. Forgets replies that nothing has asked
    /// for.
    pub fn write(&mut self, step: Step, bytes: &[u8], wait: Duration) -> Result<(), Error> {
        self.received.clear();
        self.stream.socket().until = self.deadline.min(Instant::now() + wait);
        let written = self.stream.io().write_all(bytes);
        written
            .and_then(|()| self.stream.io().flush())
            .map_err(|why| self.io_error(step, why, wait))
    }

    /// Reads one reply within `wait`, positive or not. Once it has begun it must end within the
    /// ordinary time.
    pub fn read(&mut self, step: Step, wait: Duration) -> Result<Reply, Incomplete> {
        self.stream.socket().until = self.deadline.min(Instant::now() + wait);
        let mut bytes = std::mem::take(&mut self.received);
        loop {
            let why = match reply::parse(&bytes) {
                Ok(Some((reply, length))) => {
                    self.received = bytes.split_off(length);
                    return Ok(reply);
                }
                Ok(None) if bytes.len() <= MAX_REPLY => match self.receive(step, &mut bytes, wait) {
                    Ok(()) => continue,
                    Err(why) => why,
                },
                Ok(None) => Error::TooLong(step),
                Err(line) => Error::NotSmtp(step, line.chars().take(200).collect()),
            };
            return Err(Incomplete { bytes, why });
        }
    }

    /// Waits for more of a reply.
    fn receive(&mut self, step: Step, bytes: &mut Vec<u8>, wait: Duration) -> Result<(), Error> {
        let mut piece = [0_u8; 1024];
        loop {
            match self.stream.io().read(&mut piece) {
                Ok(0) if self.handle.is_cancelled() => return Err(Error::Cancelled),
                Ok(0) => return Err(Error::Closed(step)),
                Ok(n) => {
                    if bytes.is_empty() {
                        let socket = self.stream.socket();
                        socket.until = socket.until.min(Instant::now() + self.tail);
                    }
                    bytes.extend_from_slice(&piece[..n]);
                    return Ok(());
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(self.io_error(step, why, wait)),
            }
        }
    }

    fn io_error(&self, step: Step, why: io::Error, wait: Duration) -> Error {
        match why.kind() {
            _ if self.handle.is_cancelled() => Error::Cancelled,
            ErrorKind::TimedOut => Error::Timeout(step, wait),
            ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
                Error::Closed(step)
            }
            _ => Error::Io(step, why),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.handle.detach();
    }
}

/// Returns how long to wait for an address: not for long when another one follows, so that a dead
/// IPv6 address beside a live IPv4 one delays little.
fn connect_wait(wait: Duration, is_last: bool) -> Duration {
    const WITH_OTHERS: Duration = Duration::from_secs(10);
    if is_last { wait } else { wait.min(WITH_OTHERS) }
}

fn handshake_error(why: io::Error, host: &str, wait: Duration) -> Error {
    let tls = why
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, why.kind()) {
        (Some(rustls::Error::InvalidMessage(_)), _) => Error::NotTls,
        (Some(rustls::Error::InvalidCertificate(problem)), _) => {
            certificate_error(problem, host).unwrap_or(Error::Tls(why))
        }
        (_, ErrorKind::TimedOut) => Error::Timeout(Step::StartTls, wait),
        _ => Error::Tls(why),
    }
}

/// Returns the error for the problems that an operator can name a remedy for.
fn certificate_error(problem: &CertificateError, host: &str) -> Option<Error> {
    match problem {
        CertificateError::NotValidForNameContext { presented, .. } => Some(Error::CertificateName {
            host: host.to_owned(),
            names: presented.join(", "),
        }),
        // The latter where an authority of the same name is trusted.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Some(Error::UnknownAuthority(host.to_owned()))
        }
        CertificateError::Other(OtherError(other)) => other
            .downcast_ref::<webpki::Error>()
            .filter(|other| **other == webpki::Error::CaUsedAsEndEntity)
            .map(|_| Error::AuthorityAsServer(host.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_follow_is_given_up_soon() {
        let wait = Duration::from_secs(60);
        assert_eq!(connect_wait(wait, true), wait);
        assert_eq!(connect_wait(wait, false), Duration::from_secs(10));
        assert_eq!(
            connect_wait(Duration::from_secs(1), false),
            Duration::from_secs(1)
        );
    }
}
