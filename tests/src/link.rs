//! A network between a client and a server that can be cut or fall silent: a loopback port in front of a server's Unix socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

/// How often a connection that carries nothing looks whether it is to be closed.
const LOOK: Duration = Duration::from_millis(20);

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It arrives.
    Up,
    /// It does not arrive, and nobody is told; new connections hang as well.
    Stalled,
    /// Connections are reset, new ones too.
    Down,
}

struct Shared {
    socket: PathBuf,
    state: Mutex<State>,
}

struct State {
    condition: Condition,
    closing: bool,
    connections: Vec<JoinHandle<()>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condition(&self) -> Condition {
        let state = self.state();
        if state.closing {
            Condition::Down
        } else {
            state.condition
        }
    }
}

/// A port of 127.0.0.1 that leads to a server. Dropping it resets all connections.
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Link {
    /// A link to the server that listens, or will listen, on this Unix socket.
    pub fn to(socket: &Path) -> Result<Link> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            socket: socket.to_owned(),
            state: Mutex::new(State {
                condition: Condition::Up,
                closing: false,
                connections: Vec::new(),
            }),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(Link {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes what happens to what is sent from now on.
    pub fn set(&self, condition: Condition) {
        self.shared.state().condition = condition;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.state().closing = true;
        // The acceptor waits for a connection: give it one.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let connections = std::mem::take(&mut self.shared.state().connections);
        for connection in connections {
            let _ = connection.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let mut state = shared.state();
        if state.closing {
            return;
        }
        let Ok(client) = client else { continue };
        let shared = Arc::clone(shared);
        // The ends see by themselves that a connection broke; there is nobody else to tell.
        state.connections.push(std::thread::spawn(move || {
            let _ = carry(&client, &shared);
            let _ = client.shutdown(Shutdown::Both);
        }));
    }
}

/// Carries both directions of a connection until one end closes it or the link is down.
fn carry(client: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    while shared.condition() == Condition::Stalled {
        std::thread::sleep(LOOK);
    }
    if shared.condition() == Condition::Down {
        return Ok(());
    }
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(LOOK))?;
    let server = UnixStream::connect(&shared.socket)?;
    server.set_read_timeout(Some(LOOK))?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = pump(client, &server, shared);
            let _ = server.shutdown(Shutdown::Both);
        });
        let _ = pump(&server, client, shared);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn pump<'a, R, W>(mut from: &'a R, mut to: &'a W, shared: &Shared) -> std::io::Result<()>
where
    &'a R: Read,
    &'a W: Write,
{
    let mut buffer = [0; 65536];
    loop {
        match shared.condition() {
            Condition::Down => return Ok(()),
            Condition::Stalled => {
                std::thread::sleep(LOOK);
                continue;
            }
            Condition::Up => {}
        }
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => to.write_all(&buffer[..n])?,
            Err(why)
                if matches!(
                    why.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(why) => return Err(why),
        }
    }
}
