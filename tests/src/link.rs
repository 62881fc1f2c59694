//! A network between a client and a server that fails on request: a port on 127.0.0.1 that passes
//! bytes to the server's Unix socket.
//!
//! The condition applies to each piece of data that arrives, so a change takes effect at once, even
//! in the middle of a conversation.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

/// How often a connection without data looks whether something has changed.
const LOOK: Duration = Duration::from_millis(20);

/// The condition of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Everything arrives.
    Up,
    /// Takes everything and hands nothing on, in either direction.
    Stalled,
    /// Ends every connection with a reset, new ones too.
    Down,
    /// Hands on so many bytes of the next thing that a present connection asks, then resets it.
    /// New connections pass.
    CutsRequest(usize),
    /// Hands on what a present connection asks, waits for the server's answer, and resets the
    /// connection instead of handing that on: what was committed is not known to have been. New
    /// connections pass.
    LosesAnswer,
}

struct State {
    condition: Condition,
    /// Goes up with each change; a connection knows by it whether it was there before.
    change: u64,
    /// Connections that were reset, cut, or whose answer was lost.
    struck: usize,
    /// Pieces of data that were held back.
    held: usize,
    pumps: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    closing: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both ends of one connection, and whether it is over.
struct Connection {
    client: TcpStream,
    server: UnixStream,
    over: AtomicBool,
    /// The change that it was opened after.
    born: u64,
    /// Something was asked since the answers are to be lost.
    asked: AtomicBool,
}

/// The running link. Dropping it ends all connections.
pub struct Link {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Link {
    /// Listens on a port of 127.0.0.1 and passes connections to a Unix socket.
    pub fn to(socket: &Path) -> Result<Link> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                condition: Condition::Up,
                change: 0,
                struck: 0,
                held: 0,
                pumps: Vec::new(),
            }),
            closing: AtomicBool::new(false),
        });
        let acceptor = std::thread::spawn({
            let (shared, socket) = (Arc::clone(&shared), socket.to_owned());
            move || accept(&listener, &socket, &shared)
        });
        Ok(Link {
            port,
            shared,
            acceptor: Some(acceptor),
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on the network is so.
    pub fn set(&self, condition: Condition) {
        let mut state = self.shared.state();
        state.condition = condition;
        state.change += 1;
    }

    /// How many connections were reset, cut, or lost an answer, so far.
    pub fn struck(&self) -> usize {
        self.shared.state().struck
    }

    /// How many pieces of data were held back so far.
    pub fn held(&self) -> usize {
        self.shared.state().held
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        // The acceptor waits for a connection: give it one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let pumps = std::mem::take(&mut self.shared.state().pumps);
        for pump in pumps {
            let _ = pump.join();
        }
    }
}

fn accept(listener: &TcpListener, socket: &PathBuf, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.closing.load(Ordering::Relaxed) {
            return;
        }
        let Ok(client) = client else { continue };
        // A server that is away refuses: the client's connection ends as it would at a port that
        // nobody listens on.
        let refused = shared.state().condition == Condition::Down;
        let opened = UnixStream::connect(socket).and_then(|server| {
            client.set_nodelay(true)?;
            client.set_read_timeout(Some(LOOK))?;
            server.set_read_timeout(Some(LOOK))?;
            Ok(server)
        });
        let (Ok(server), false) = (opened, refused) else {
            reset_at_close(&client);
            continue;
        };
        let born = shared.state().change;
        let connection = Arc::new(Connection {
            client,
            server,
            over: AtomicBool::new(false),
            born,
            asked: AtomicBool::new(false),
        });
        for pump in [pump_requests, pump_answers] {
            let (shared_here, connection) = (Arc::clone(shared), Arc::clone(&connection));
            let pump = std::thread::spawn(move || {
                // However a connection ends, the other side sees that it has.
                let _ = pump(&shared_here, &connection);
                connection.over.store(true, Ordering::Relaxed);
                let _ = connection.server.shutdown(std::net::Shutdown::Both);
            });
            let mut state = shared.state();
            state.pumps.retain(|pump| !pump.is_finished());
            state.pumps.push(pump);
        }
    }
}

/// Closing the socket will send a reset instead of an orderly end.
fn reset_at_close(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = libc::socklen_t::try_from(size_of_val(&linger)).unwrap_or_default();
    // SAFETY: the descriptor is open, and the kernel reads one `linger` of the size told.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        );
    }
}

fn pump_requests(shared: &Shared, connection: &Connection) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    while let Some(count) = next(&connection.client, &mut buffer, shared, connection)? {
        match await_passage(shared, connection) {
            None => return Ok(()),
            Some(Condition::CutsRequest(bytes)) => {
                (&connection.server).write_all(&buffer[..count.min(bytes)])?;
                strike(shared, connection);
                return Ok(());
            }
            Some(Condition::LosesAnswer) => connection.asked.store(true, Ordering::Relaxed),
            Some(_) => {}
        }
        (&connection.server).write_all(&buffer[..count])?;
    }
    Ok(())
}

fn pump_answers(shared: &Shared, connection: &Connection) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    while let Some(count) = next(&connection.server, &mut buffer, shared, connection)? {
        match await_passage(shared, connection) {
            None => return Ok(()),
            Some(Condition::LosesAnswer) if connection.asked.load(Ordering::Relaxed) => {
                strike(shared, connection);
                return Ok(());
            }
            Some(_) => (&connection.client).write_all(&buffer[..count])?,
        }
    }
    Ok(())
}

/// The next bytes; None at the end of the connection.
fn next(
    mut from: impl Read,
    buffer: &mut [u8],
    shared: &Shared,
    connection: &Connection,
) -> io::Result<Option<usize>> {
    loop {
        if shared.closing.load(Ordering::Relaxed) || connection.over.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if shared.state().condition == Condition::Down {
            strike(shared, connection);
            return Ok(None);
        }
        match from.read(buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => return Ok(Some(count)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the present condition for data of this connection; waits while it stalls. `None` means
/// that the connection is over.
fn await_passage(shared: &Shared, connection: &Connection) -> Option<Condition> {
    let mut is_held = false;
    loop {
        if shared.closing.load(Ordering::Relaxed) || connection.over.load(Ordering::Relaxed) {
            return None;
        }
        let (condition, is_older) = {
            let state = shared.state();
            (state.condition, connection.born < state.change)
        };
        match condition {
            Condition::Stalled => {
                if !is_held {
                    is_held = true;
                    shared.state().held += 1;
                }
                std::thread::sleep(LOOK);
            }
            Condition::Down => {
                strike(shared, connection);
                return None;
            }
            Condition::CutsRequest(_) | Condition::LosesAnswer if !is_older => return Some(Condition::Up),
            condition => return Some(condition),
        }
    }
}

fn strike(shared: &Shared, connection: &Connection) {
    reset_at_close(&connection.client);
    // The pump of the other direction may have come first.
    if !connection.over.swap(true, Ordering::Relaxed) {
        shared.state().struck += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A server that answers each byte with the same byte, and tells how many it has heard.
    fn echo(socket: &Path) -> Arc<Mutex<Vec<u8>>> {
        let listener = UnixListener::bind(socket).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while (&stream).read(&mut byte).is_ok_and(|count| count == 1) {
                        kept.lock().unwrap().push(byte[0]);
                        if (&stream).write_all(&byte).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        heard
    }

    fn ask(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(bytes)?;
        let mut answer = vec![0; bytes.len()];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn the_network_fails_as_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("echo");
        let heard = echo(&socket);
        let link = Link::to(&socket).unwrap();
        let connect = || TcpStream::connect(("127.0.0.1", link.port())).unwrap();

        let mut first = connect();
        assert_eq!(ask(&mut first, b"abc").unwrap(), b"abc");

        link.set(Condition::LosesAnswer);
        assert!(ask(&mut first, b"d").is_err());
        assert_eq!(*heard.lock().unwrap(), b"abcd");
        let mut second = connect();
        assert_eq!(ask(&mut second, b"e").unwrap(), b"e");

        link.set(Condition::CutsRequest(1));
        assert!(ask(&mut second, b"fgh").is_err());
        assert_eq!(link.struck(), 2);

        link.set(Condition::Stalled);
        let mut third = connect();
        third.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(ask(&mut third, b"i").is_err());
        link.set(Condition::Up);
        let mut late = [0];
        third.read_exact(&mut late).unwrap();
        assert_eq!(late, *b"i");

        link.set(Condition::Down);
        assert!(ask(&mut third, b"j").is_err());
        let mut fourth = connect();
        assert!(ask(&mut fourth, b"k").is_err());
    }
}
