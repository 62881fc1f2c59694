//! Connects to a server, runs statements and psql, and waits for their results.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgres::config::SslMode;
use postgres::error::DbError;
use postgres::{Client, NoTls, SimpleQueryMessage};

use super::Server;
use crate::wait::{wait_for, wait_until};

impl Server {
    /// The port, which also names the socket.
    pub fn port(&self) -> u16 {
        self.settings
            .get("port")
            .and_then(|port| port.parse().ok())
            .unwrap_or(5432)
    }

    /// The directory of the socket.
    pub fn sockets(&self) -> &Path {
        self.sockets.path()
    }

    /// A new connection as superuser to database postgres.
    pub fn client(&self) -> Result<Client> {
        self.client_as("postgres", "postgres")
    }

    /// A new connection as `user` to `database`.
    pub fn client_as(&self, user: &str, database: &str) -> Result<Client> {
        let mut config = postgres::Config::new();
        config
            .host_path(self.sockets.path())
            .port(self.port())
            .user(user)
            .dbname(database)
            .ssl_mode(SslMode::Disable);
        Ok(config.connect(NoTls)?)
    }

    /// Runs statements as superuser and returns the rows as psql's unaligned output does: `|`
    /// between columns.
    pub fn sql(&self, statements: &str) -> Result<String> {
        run(&mut self.client()?, statements)
    }

    /// The same as another role.
    pub fn sql_as(&self, user: &str, statements: &str) -> Result<String> {
        run(&mut self.client_as(user, "postgres")?, statements)
    }

    /// Runs statements that must fail, and returns the server's error.
    pub fn sql_error(&self, statements: &str) -> Result<SqlError> {
        self.sql_error_as("postgres", statements)
    }

    /// The same as another role.
    pub fn sql_error_as(&self, user: &str, statements: &str) -> Result<SqlError> {
        run_error(&mut self.client_as(user, "postgres")?, statements)
    }

    /// Returns the output of `psql -c COMMAND`, notices last.
    pub fn psql(&self, command: &str) -> Result<String> {
        self.run_psql(&["-P", "pager=off", "-c", command], "")
    }

    /// The same for a script with psql's own commands, such as `\gexec`.
    pub fn psql_script(&self, script: &str) -> Result<String> {
        self.run_psql(&["-P", "pager=off", "-f", "-"], script)
    }

    fn run_psql(&self, args: &[&str], input: &str) -> Result<String> {
        let mut psql = Command::new(self.program_path("psql"));
        psql.args(["-X", "-v", "ON_ERROR_STOP=1"])
            .args(args)
            .envs(self.env())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = psql.spawn()?;
        if let Some(mut stdin) = running.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = running.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "psql {args:?} {input} failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8([output.stdout, output.stderr].concat())?)
    }

    /// The Unix socket that the server listens on while it runs.
    pub fn socket(&self) -> PathBuf {
        self.sockets.path().join(".s.PGSQL.5432")
    }

    /// The environment that leads libpq's programs and the tailer to this server.
    pub fn env(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", self.sockets.path().display().to_string()),
            ("PGPORT", self.port().to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGDATABASE", "postgres".to_owned()),
        ]
    }

    /// Waits until `query` returns `expected`, in `sql`'s format.
    pub fn wait_for_sql(&self, limit: Duration, query: &str, expected: &str) -> Result<()> {
        let mut last = String::new();
        wait_until(limit, &format!("{expected:?} from `{query}`"), || {
            last = self.sql(query)?;
            Ok(last == expected)
        })
        .with_context(|| {
            format!(
                "it last returned {last:?}; the server's log ends with:\n{}",
                self.log_tail(10)
            )
        })
    }

    /// The pid of logwatch's worker, `None` when it does not run.
    pub fn worker(&self) -> Result<Option<i32>> {
        let pid = self.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'logwatch worker'")?;
        Ok(if pid.is_empty() { None } else { Some(pid.parse()?) })
    }

    /// Waits until the worker runs, with another pid than `not`.
    pub fn wait_for_worker(&self, limit: Duration, not: Option<i32>) -> Result<i32> {
        wait_for(limit, "the worker to run", || {
            Ok(self.worker()?.filter(|pid| Some(*pid) != not))
        })
        .with_context(|| format!("the server's log ends with:\n{}", self.log_tail(20)))
    }
}

/// Runs statements on a connection, see [`Server::sql`].
pub fn run(client: &mut Client, statements: &str) -> Result<String> {
    let messages = client
        .simple_query(statements)
        .map_err(|error| match error.as_db_error() {
            Some(db) => anyhow::Error::new(SqlError::from(db)),
            None => anyhow::Error::new(error),
        })?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|i| row.get(i).unwrap_or(""))
                .collect::<Vec<_>>()
                .join("|"),
        ),
        _ => None,
    });
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

/// Runs statements that must fail on a connection, and returns the server's error.
pub fn run_error(client: &mut Client, statements: &str) -> Result<SqlError> {
    match run(client, statements) {
        Ok(rows) => bail!("`{statements}` should have failed, but returned {rows:?}"),
        Err(error) => error.downcast(),
    }
}

/// An error that the server reported. It prints as psql prints it, with the SQLSTATE last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    pub severity: String,
    /// The SQLSTATE.
    pub code: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub context: Option<String>,
}

impl From<&DbError> for SqlError {
    fn from(error: &DbError) -> SqlError {
        let owned = |part: Option<&str>| part.map(str::to_owned);
        SqlError {
            severity: error.severity().to_owned(),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            context: owned(error.where_()),
        }
    }
}

impl Display for SqlError {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.severity, self.message)?;
        for (label, part) in [
            ("DETAIL", &self.detail),
            ("HINT", &self.hint),
            ("CONTEXT", &self.context),
        ] {
            if let Some(part) = part {
                write!(out, "\n{label}: {part}")?;
            }
        }
        write!(out, "\nSQLSTATE: {}", self.code)
    }
}

impl Error for SqlError {}
