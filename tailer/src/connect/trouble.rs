//! Why the database did not do what was asked, by what the tailer has to do about it.
//!
//! The server's SQLSTATE decides, and the driver's causes where the server was not reached. Texts
//! never decide: a server may speak any language. No message may hold a password.

use std::error::Error;
use std::io::{self, ErrorKind};

use postgres::error::{DbError, SqlState};

use super::attempts::Attempt;
use super::settings::Settings;
use super::{Session, functions};
use crate::failure::Failure;

#[derive(Debug)]
pub enum Trouble {
    /// The server is away, overloaded or shutting down: wait, connect again, ask for the offsets
    /// again.
    Later(String),
    /// The offset in the database is not the one expected (SQLSTATE 40001): ask for the offsets
    /// again, at once.
    Moved(String),
    /// The server refuses these records (SQLSTATE classes 22, 23 and 54): find the one that it
    /// means.
    Data(String),
    /// The call took more time, memory or locks than the server allows: send fewer records at once.
    Limit(String),
    /// Waiting would not help.
    Final(Failure),
}

impl Trouble {
    /// Returns the reason why to try again, unless waiting would not help.
    pub fn reason(self) -> Result<String, Failure> {
        match self {
            Trouble::Final(failure) => Err(failure),
            Trouble::Later(text) | Trouble::Moved(text) | Trouble::Data(text) | Trouble::Limit(text) => {
                Ok(text)
            }
        }
    }
}

impl From<Trouble> for Failure {
    /// For a run that does not try again.
    fn from(trouble: Trouble) -> Failure {
        trouble
            .reason()
            .map_or_else(|failure| failure, Failure::Unreachable)
    }
}

/// Returns what a refused connection means.
pub fn of_connection(error: &postgres::Error, attempt: &Attempt, settings: &Settings) -> Trouble {
    let text = format!("{}: {}", attempt.name, describe(error));
    let (user, dbname) = (settings.user(), settings.dbname());
    let Some(server) = error.as_db_error() else {
        return unreached(error, text, attempt, user);
    };
    match server.code() {
        code if code.code().starts_with("28") => Trouble::Final(Failure::Denied(format!(
            "{text}; {}",
            how_to_log_in(server, user, dbname)
        ))),
        &SqlState::INSUFFICIENT_PRIVILEGE => Trouble::Final(Failure::Denied(format!(
            "{text}; type: GRANT CONNECT ON DATABASE \"{dbname}\" TO \"{user}\";"
        ))),
        &SqlState::UNDEFINED_DATABASE => Trouble::Later(format!("{text}; name another database with -d")),
        &SqlState::INVALID_PARAMETER_VALUE => Trouble::Final(Failure::Usage(format!(
            "{text}; name a zone that the server knows with --tz"
        ))),
        _ => Trouble::Later(text),
    }
}

/// Returns what a connection means that failed before the server said anything.
fn unreached(error: &postgres::Error, text: String, attempt: &Attempt, user: &str) -> Trouble {
    // The driver gives this complaint no type.
    if error
        .source()
        .is_some_and(|cause| cause.to_string() == "password missing")
    {
        return Trouble::Final(Failure::Denied(format!(
            "{}: the server asks for a password; set PGPASSWORD or add a line for user \"{user}\" to ~/.pgpass",
            attempt.name
        )));
    }
    let Some(io) = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()) else {
        return Trouble::Later(text);
    };
    let tls = io
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (io.kind(), tls) {
        (_, Some(rustls::Error::InvalidCertificate(_))) => Trouble::Final(Failure::Denied(format!(
            "{text}; check sslrootcert, and that the server's certificate names the host that you connect to"
        ))),
        (ErrorKind::ConnectionRefused | ErrorKind::NotFound, _) => Trouble::Later(format!(
            "{text}; is the server running, and on this port? -p or PGPORT sets another one"
        )),
        _ => Trouble::Later(text),
    }
}

/// Returns what to type after a refused login. One SQLSTATE stands for several reasons; the name of
/// the server's function tells them apart, and is never translated.
fn how_to_log_in(server: &DbError, user: &str, dbname: &str) -> String {
    match server.routine() {
        Some("InitializeSessionUserId") => {
            format!("name another role with -U, or type in the database: CREATE ROLE \"{user}\" LOGIN;")
        }
        Some("auth_failed") if server.code() != &SqlState::INVALID_PASSWORD => format!(
            "on its socket the server accepts a system user under the same name only: run as user \"{user}\", or connect \
             with -h localhost and a password"
        ),
        _ => format!(
            "check the password (PGPASSWORD, ~/.pgpass) and pg_hba.conf for user \"{user}\", database \"{dbname}\""
        ),
    }
}

/// Returns what an error in a call of the extension's functions means.
pub fn of_call(error: &postgres::Error, session: &mut Session, settings: &Settings) -> Trouble {
    let text = describe(error);
    let Some(code) = error.code() else {
        return Trouble::Later(text);
    };
    let (user, dbname) = (settings.user(), settings.dbname());
    match code.code() {
        "57014" => Trouble::Limit(format!("{text}; {}", how_to_lift("statement_timeout", user))),
        "25P04" => Trouble::Limit(format!("{text}; {}", how_to_lift("transaction_timeout", user))),
        "53200" | "53400" => Trouble::Limit(text),
        "55006" => Trouble::Final(Failure::Held(format!(
            "{text}; this tailer stops: only one may read a source"
        ))),
        "40001" => Trouble::Moved(text),
        // The next connection finds it.
        "42883" | "3F000" if session.has_another_schema() => {
            Trouble::Later(format!("{text}; the extension's schema was renamed"))
        }
        "42883" | "42P01" | "3F000" => Trouble::Final(Failure::Denied(format!(
            "the extension logwatch is missing in database \"{dbname}\", or has another version ({text}); \
             type in that database: CREATE EXTENSION logwatch;"
        ))),
        // The extension's own refusal, of another role's source, has a hint.
        "42501" if error.as_db_error().is_some_and(|error| error.hint().is_some()) => {
            Trouble::Final(Failure::Denied(text))
        }
        "42501" => Trouble::Final(Failure::Denied(format!(
            "{text}; type in database \"{dbname}\": {}",
            functions::grant(
                &effective_role(session).unwrap_or_else(|| user.to_owned()),
                &session.schema
            )
        ))),
        code => match &code[..2] {
            "22" | "23" | "54" => Trouble::Data(text),
            _ => Trouble::Later(text),
        },
    }
}

/// Returns what to report when transaction_timeout ended the connection during a call.
pub fn of_closed_call(reason: &str, user: &str) -> String {
    format!(
        "{reason} by transaction_timeout; {}",
        how_to_lift("transaction_timeout", user)
    )
}

/// Returns how to lift a time limit for this role's sessions only.
fn how_to_lift(setting: &str, user: &str) -> String {
    format!(
        "to lift the limit for this role, type: ALTER ROLE {} SET {setting} = 0;",
        functions::quoted(user)
    )
}

/// Returns the role whose privileges count. A `SET role` of the role or the database makes it
/// another one than that of the login.
fn effective_role(session: &mut Session) -> Option<String> {
    let rows = session.query("SELECT current_user::text", &[]).ok()?;
    rows.first().map(|row| row.get(0))
}

/// Returns the error in one line, with the server's detail and hint, or with the driver's causes.
fn describe(error: &postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        let mut text = format!("{} (SQLSTATE {})", server.message(), server.code().code());
        for extra in [server.detail(), server.hint()].into_iter().flatten() {
            text.push_str("; ");
            text.push_str(extra);
        }
        return text;
    }
    let mut text = error.to_string();
    for cause in causes(error) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn causes(error: &postgres::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
