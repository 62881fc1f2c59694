//! The connection to PostgreSQL: made as psql makes it, and what each error of it means for the tailer.
//!
//! Nothing here waits or tries again: that is for the loop in `follow`, which must also notice SIGTERM
//! and rotated files. No message may hold a password.

mod attempts;
pub mod conninfo;
pub mod functions;
mod hosts;
mod invalid;
pub mod pgpass;
pub mod service;
pub mod settings;
mod sslmode;
mod tls;
mod trouble;
mod values;

use postgres::{Client, NoTls};

use crate::failure::Failure;
use attempts::Attempt;
pub use invalid::Invalid;
use settings::Settings;
pub use trouble::{Trouble, of_call};

/// Connects to the first server that accepts the connection, and prepares the session.
pub fn connect(settings: &Settings, zone_name: &str) -> Result<Client, Trouble> {
    let mut trouble = None;
    for attempt in settings.attempts() {
        match open(&attempt, settings, zone_name) {
            Ok(client) => {
                log::info!("connected to {}, database {}", attempt.name, settings.dbname());
                return Ok(client);
            }
            // The user asked for the first host, so its refusal is reported rather than a later one.
            Err(_) if matches!(trouble, Some(Trouble::Final(_))) => {}
            Err(error) => trouble = Some(error),
        }
    }
    Err(trouble.unwrap_or_else(|| Trouble::Final(Failure::Usage("no server to connect to".to_owned()))))
}

fn open(attempt: &Attempt, settings: &Settings, zone_name: &str) -> Result<Client, Trouble> {
    let client = match &attempt.tls {
        None => attempt.config.connect(NoTls),
        Some((check, identity)) => {
            let connector =
                tls::connector(check, identity.as_ref()).map_err(|error| Trouble::Final(error.into()))?;
            attempt.config.connect(connector)
        }
    };
    client
        .and_then(|client| prepare_session(client, zone_name))
        .map_err(|error| trouble::of_connection(&error, attempt, settings))
}

/// Sets the session's TimeZone, in which the server reads times without a zone. It is the only setting
/// of the session: a pooler in transaction mode carries it along (PgBouncer tracks it), and would
/// leave any other to the next client.
fn prepare_session(mut client: Client, zone_name: &str) -> Result<Client, postgres::Error> {
    client.batch_execute(&format!("SET TimeZone = '{}'", zone_name.replace('\'', "''")))?;
    Ok(client)
}
