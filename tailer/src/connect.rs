//! The connection to PostgreSQL: made as psql makes it, and what each error of it means for the
//! tailer.
//!
//! Nothing here waits or tries again: that is for the loop in `follow`, which must also notice
//! SIGTERM and rotated files. No message may hold a password.

mod attempts;
pub mod conninfo;
pub mod functions;
mod invalid;
pub mod pgpass;
pub mod service;
pub mod settings;
mod tls;
mod trouble;

use postgres::config::SslMode;
use postgres::types::{ToSql, Type};
use postgres::{Client, NoTls, Row, SimpleQueryMessage};

use crate::failure::Failure;
use attempts::Attempt;
pub use invalid::Invalid;
use settings::Settings;
pub use trouble::{Trouble, of_call, of_closed_call};

/// Finds the schema of the extension's functions.
const SCHEMA: &str = "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension AS e \
       JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
      WHERE e.extname OPERATOR(pg_catalog.=) 'logwatch'";

/// A connection, and the schema of the extension's functions, quoted.
pub struct Session {
    pub client: Client,
    pub schema: String,
}

impl Session {
    /// Runs one statement, with the schema in the place of `{schema}`. A call without it could
    /// reach a function of another role.
    pub fn query(
        &mut self,
        sql: &str,
        values: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, postgres::Error> {
        self.client
            .query_typed(&sql.replace("{schema}", &self.schema), values)
    }

    /// Whether the schema was renamed after this session had found it.
    fn has_another_schema(&mut self) -> bool {
        let rows = self.query(SCHEMA, &[]).unwrap_or_default();
        rows.first()
            .is_some_and(|row| row.get::<_, String>(0) != self.schema)
    }
}

/// Connects to the first server that accepts the connection, and prepares the session.
pub fn connect(settings: &Settings, zone_name: &str) -> Result<Session, Trouble> {
    let mut trouble = None;
    for attempt in settings.attempts() {
        match open(&attempt, settings, zone_name) {
            Ok(session) => {
                log::info!("connected to {}, database {}", attempt.name, settings.dbname());
                return Ok(session);
            }
            // The user asked for the first host, so its refusal is reported rather than a later
            // one.
            Err(_) if matches!(trouble, Some(Trouble::Final(_))) => {}
            Err(error) => trouble = Some(error),
        }
    }
    Err(trouble.unwrap_or_else(|| Trouble::Final(Failure::Usage("no server to connect to".to_owned()))))
}

fn open(attempt: &Attempt, settings: &Settings, zone_name: &str) -> Result<Session, Trouble> {
    let client = match attempt.config.get_ssl_mode() {
        SslMode::Disable => attempt.config.connect(NoTls),
        _ => {
            let connector = tls::connector(&settings.check, settings.identity.as_ref())
                .map_err(|error| Trouble::Final(error.into()))?;
            attempt.config.connect(connector)
        }
    };
    client
        .and_then(|client| prepare_session(client, zone_name))
        .map_err(|error| trouble::of_connection(&error, attempt, settings))
}

/// Sets the session's TimeZone, in which the server reads times without a zone, and finds the
/// extension's schema. TimeZone is the only setting of the session: a pooler in transaction mode
/// carries it along (PgBouncer tracks it), and would leave any other to the next client.
fn prepare_session(mut client: Client, zone_name: &str) -> Result<Session, postgres::Error> {
    let answers = client.simple_query(&format!(
        "SET TimeZone = '{}'; {SCHEMA}",
        zone_name.replace('\'', "''")
    ))?;
    let schema = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    // Without the extension the first call fails, and that error says so.
    let schema = schema.unwrap_or("public").to_owned();
    Ok(Session { client, schema })
}
