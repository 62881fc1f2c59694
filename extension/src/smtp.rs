//! An SMTP client (RFC 5321, 3207, 4954) for the sender threads: every wait and every reply has a
//! limit.
//!
//! Our own, although lettre has a client, which cannot be given another stream. lettre 0.11.23
//! reports an error for mail that the server has accepted (a bare `250`, a byte that is not UTF-8,
//! a long text), so that the mail is sent again; it reads a line without an end into memory without
//! a limit; it has no deadline for a conversation, and one time-out for all replies (RFC 5321
//! §4.5.3.2 wants ten minutes for the last one); and it tells a missing STARTTLS from others by its
//! text only.
//!
//! Never calls PostgreSQL. No error holds a password: it holds replies of the server only.

mod connection;
mod error;
mod reply;
mod session;
mod tls;

pub use connection::Handle;
pub use error::{Error, Step};
pub use reply::{Enhanced, Reply};
pub use session::{Login, Protection, Secret, Session, Waits};
pub use tls::client_config;
