//! The connection to PostgreSQL: made as psql makes it, and what each error of it means for the tailer.
//!
//! Nothing here waits or tries again by itself: that is for the loop in `follow`, which must also notice SIGTERM and rotated files.
//! No message may hold a password.

pub mod conninfo;
pub mod functions;
pub mod hosts;
pub mod pgpass;
pub mod service;
pub mod settings;
pub mod sslmode;
pub mod tls;

use std::error::Error as _;

use postgres::error::SqlState;
use postgres::{Client, NoTls};

use crate::failure::Failure;
use hosts::Attempt;
use settings::Settings;

/// Why a call to the database did not succeed, by what the tailer has to do.
#[derive(Debug)]
pub enum Trouble {
    /// The server is away, overloaded or shutting down: wait, connect again, ask for the offsets again.
    Later(String),
    /// The offset in the database is not the one expected (SQLSTATE 40001): ask for the offsets again, at once.
    Moved(String),
    /// The server will not take these records (SQLSTATE classes 22, 23 and 54): find the one that it means.
    Data(String),
    /// Nothing that waiting would mend.
    Final(Failure),
}

/// Connects to the first server that takes the connection, and prepares the session.
pub fn connect(settings: &Settings, zone_name: &str) -> Result<Client, Trouble> {
    let mut trouble = None;
    for attempt in settings.attempts() {
        match open(&attempt).and_then(|client| prepare_session(client, zone_name)) {
            Ok(client) => {
                log::info!("connected to {}, database {}", attempt.name, settings.dbname());
                return Ok(client);
            }
            Err(error) => {
                let next = refusal(&error, &attempt, settings);
                // The first host's answer is the one that the user asked for; a later one only replaces "not reachable".
                if !matches!(trouble, Some(Trouble::Final(_))) {
                    trouble = Some(next);
                }
            }
        }
    }
    Err(trouble.unwrap_or_else(|| Trouble::Final(Failure::Usage("no server to connect to".to_owned()))))
}

enum Refused {
    Tls(String),
    Server(postgres::Error),
}

fn open(attempt: &Attempt) -> Result<Client, Refused> {
    match &attempt.tls {
        None => attempt.config.connect(NoTls).map_err(Refused::Server),
        Some((check, identity)) => {
            let connector = tls::connector(check, identity.as_ref()).map_err(Refused::Tls)?;
            attempt.config.connect(connector).map_err(Refused::Server)
        }
    }
}

/// The server reads times without a zone in the session's TimeZone. It is the one setting of the session: a pooler in transaction mode
/// carries it along (PgBouncer tracks it), and would leave any other to the next client.
fn prepare_session(mut client: Client, zone_name: &str) -> Result<Client, Refused> {
    let zone = zone_name.replace('\'', "''");
    client
        .batch_execute(&format!("SET TimeZone = '{zone}'"))
        .map_err(Refused::Server)?;
    Ok(client)
}

fn refusal(refused: &Refused, attempt: &Attempt, settings: &Settings) -> Trouble {
    let error = match refused {
        Refused::Tls(message) => return Trouble::Final(Failure::Usage(message.clone())),
        Refused::Server(error) => error,
    };
    let text = format!("{}: {}", attempt.name, describe(error));
    match error.code() {
        Some(code) if code.code().starts_with("28") => Trouble::Final(Failure::Denied(format!(
            "{text}; {}",
            how_to_log_in(&text, settings)
        ))),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Trouble::Final(Failure::Denied(format!(
            "{text}; type: GRANT CONNECT ON DATABASE \"{}\" TO \"{}\";",
            settings.dbname(),
            settings.user()
        ))),
        Some(&SqlState::INVALID_PARAMETER_VALUE) => Trouble::Final(Failure::Usage(format!(
            "{text}; name a zone that the server knows with --tz"
        ))),
        _ if text.contains("password missing") => Trouble::Final(Failure::Denied(format!(
            "{}: the server asks for a password; set PGPASSWORD or add a line for user \"{}\" to ~/.pgpass",
            attempt.name,
            settings.user()
        ))),
        _ if text.contains("invalid peer certificate") => Trouble::Final(Failure::Denied(format!(
            "{text}; check sslrootcert, and that the server's certificate names the host that you connect to"
        ))),
        _ => Trouble::Later(text),
    }
}

/// What to do about a login that the server refuses. It has one code for all reasons; those that newcomers meet are known by their words.
fn how_to_log_in(text: &str, settings: &Settings) -> String {
    let user = settings.user();
    if text.contains("role ") && text.contains("does not exist") {
        format!("name another role with -U, or type in the database: CREATE ROLE \"{user}\" LOGIN;")
    } else if text.contains("Peer authentication failed") {
        format!(
            "on its socket the server lets in a user of the operating system under the same name only: run as user \"{user}\", or \
             connect with -h localhost and a password"
        )
    } else {
        format!(
            "check the password (PGPASSWORD, ~/.pgpass) and pg_hba.conf for user \"{user}\", database \"{}\"",
            settings.dbname()
        )
    }
}

/// What an error in a call of the extension's functions means.
pub fn judge(error: &postgres::Error, settings: &Settings) -> Trouble {
    let text = describe(error);
    let Some(code) = error.code() else {
        return Trouble::Later(text);
    };
    let (user, dbname) = (settings.user(), settings.dbname());
    match code.code() {
        "55006" => Trouble::Final(Failure::Held(format!(
            "{text}; this tailer stops: only one may read a source"
        ))),
        "40001" => Trouble::Moved(text),
        "42883" | "42P01" | "3F000" => Trouble::Final(Failure::Denied(format!(
            "the extension logwatch is missing in database \"{dbname}\", or not in user \"{user}\"'s search_path ({text}); type in that \
             database: CREATE EXTENSION logwatch;"
        ))),
        "42501" => Trouble::Final(Failure::Denied(format!(
            "{text}; type in database \"{dbname}\": {}",
            functions::grant(user)
        ))),
        code => match &code[..2] {
            "22" | "23" | "54" => Trouble::Data(text),
            _ => Trouble::Later(text),
        },
    }
}

/// The error in one line, with the server's detail and hint, or with the causes that the driver keeps apart.
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
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
