//! Connects to a server, runs statements and psql, and waits for their results.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgres::config::SslMode;
use postgres::error::Error as PgError;
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

    /// Runs statements that must fail, and returns the error: message, DETAIL, HINT and SQLSTATE, a
    /// line each.
    pub fn sql_error(&self, statements: &str) -> Result<String> {
        match self.sql(statements) {
            Ok(rows) => bail!("`{statements}` should have failed, but returned {rows:?}"),
            Err(error) => Ok(error.to_string()),
        }
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
        .map_err(|error| anyhow::anyhow!(describe(&error)))?;
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

/// A server's error with all that a person would read of it.
pub fn describe(error: &PgError) -> String {
    let Some(db) = error.as_db_error() else {
        return error.to_string();
    };
    let mut text = format!("{}: {}", db.severity(), db.message());
    for (label, part) in [
        ("DETAIL", db.detail()),
        ("HINT", db.hint()),
        ("CONTEXT", db.where_()),
    ] {
        if let Some(part) = part {
            text += &format!("\n{label}: {part}");
        }
    }
    text + "\nSQLSTATE: " + db.code().code()
}
