//! A throw-away PostgreSQL server: its own data directory, its own socket directory, no TCP port, gone when dropped. Run by
//! user postgres where we are root. Never touches a server of the machine.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgres::config::SslMode;
use postgres::error::Error as PgError;
use postgres::{Client, NoTls, SimpleQueryMessage};
use tempfile::TempDir;

use crate::process::{Process, is_alive, signal_pid};
use crate::programs;
use crate::valgrind;
use crate::wait::{wait_for, wait_until};

/// The longest time that starting or an orderly stop may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// How to stop a server, in PostgreSQL's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT: sessions are ended, work is rolled back, a checkpoint is written.
    Fast,
    /// SIGQUIT: everybody leaves at once, recovery at the next start.
    Immediate,
}

/// A cluster, running or not. Its superuser is `postgres`; anybody who reaches its socket may be anyone.
pub struct Server {
    dir: TempDir,
    /// The pg_config of the PostgreSQL that it belongs to.
    pg_config: PathBuf,
    /// Apart from `dir`, whose path may be too long for a socket.
    sockets: TempDir,
    settings: BTreeMap<String, String>,
    owner: Option<(u32, u32)>,
    postmaster: Option<Process>,
    /// What the postmaster's environment has besides.
    extra_env: Vec<(&'static str, PathBuf)>,
}

impl Server {
    /// Makes a cluster with these settings in a temporary directory; does not start it.
    pub fn create(settings: &[(&str, &str)]) -> Result<Server> {
        Server::create_in(&std::env::temp_dir(), settings)
    }

    /// Makes a cluster in a new directory below `parent`.
    pub fn create_in(parent: &Path, settings: &[(&str, &str)]) -> Result<Server> {
        Server::initialise(Server::empty_in(parent, programs::pg_config()?)?, settings)
    }

    /// Makes a cluster of another PostgreSQL than the one under test.
    pub fn create_of(pg_config: &Path, settings: &[(&str, &str)]) -> Result<Server> {
        Server::initialise(Server::empty_in(&std::env::temp_dir(), pg_config)?, settings)
    }

    fn initialise(mut server: Server, settings: &[(&str, &str)]) -> Result<Server> {
        server.run(
            "initdb",
            &[
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            "--pgdata",
        )?;
        let main = server.data().join("postgresql.conf");
        let text = fs::read_to_string(&main)? + "\ninclude = 'test.conf'\n";
        fs::write(&main, text)?;
        server.set(&[
            ("listen_addresses", ""),
            ("fsync", "off"),
            ("log_line_prefix", "%m [%p] %b "),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ])?;
        server.set_sockets()?;
        server.set(settings)?;
        Ok(server)
    }

    /// A copy of a running server by pg_basebackup, not started; `more` are further arguments, such as `--write-recovery-conf`.
    pub fn backup_of(primary: &Server, more: &[&str]) -> Result<Server> {
        let mut server = Server::empty_in(&std::env::temp_dir(), &primary.pg_config)?;
        let sockets = primary.sockets.path().display().to_string();
        let mut args = vec![
            "-h",
            sockets.as_str(),
            "-U",
            "postgres",
            "--checkpoint=fast",
            "--no-sync",
        ];
        args.extend_from_slice(more);
        server.run("pg_basebackup", &args, "--pgdata")?;
        server.settings.clone_from(&primary.settings);
        server.set_sockets()?;
        Ok(server)
    }

    /// Directories for a cluster, with nothing in them.
    fn empty_in(parent: &Path, pg_config: &Path) -> Result<Server> {
        let dir = tempfile::Builder::new()
            .prefix("logwatch-server-")
            .tempdir_in(parent)?;
        let sockets = tempfile::Builder::new().prefix("logwatch-socket-").tempdir()?;
        let owner = if programs::is_root() {
            Some(programs::ids("postgres")?)
        } else {
            None
        };
        for dir in [&dir, &sockets] {
            // For tests that connect or write as somebody else; the data directory is private anyway.
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
            if let Some((uid, gid)) = owner {
                chown(dir.path(), Some(uid), Some(gid))?;
            }
        }
        Ok(Server {
            dir,
            pg_config: pg_config.to_owned(),
            sockets,
            settings: BTreeMap::new(),
            owner,
            postmaster: None,
            extra_env: Vec::new(),
        })
    }

    fn set_sockets(&mut self) -> Result<()> {
        let sockets = self.sockets.path().display().to_string();
        self.set(&[("unix_socket_directories", &sockets)])
    }

    /// Runs one of PostgreSQL's programs to its end, as the cluster's owner, with the data directory as the last argument.
    fn run(&self, program: &str, args: &[&str], directory: &str) -> Result<()> {
        let output = self
            .program(program)
            .args(args)
            .arg(directory)
            .arg(self.data())
            .output()?;
        if !output.status.success() {
            bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Turns this cluster, new and not running, into what `old`, which does not run either, was, by pg_upgrade. Settings go along.
    pub fn upgrade_from(&mut self, old: &Server) -> Result<()> {
        // Both must have checksums or not, and since 18 a new cluster has them.
        if programs::major_version(&self.pg_config)? >= 18 {
            old.run("pg_checksums", &["--enable", "--no-sync"], "--pgdata")?;
        }
        for (name, value) in &old.settings {
            self.settings.insert(name.clone(), value.clone());
        }
        self.set_sockets()?;
        let programs = |server: &Server| server.pg_config.parent().map(Path::to_owned);
        let output = self
            .program("pg_upgrade")
            .current_dir(self.dir.path())
            .arg("--username=postgres")
            .arg("--old-bindir")
            .args(programs(old))
            .arg("--new-bindir")
            .args(programs(self))
            .arg("--old-datadir")
            .arg(old.data())
            .arg("--new-datadir")
            .arg(self.data())
            .arg("--socketdir")
            .arg(self.sockets.path())
            .output()?;
        if !output.status.success() {
            bail!("pg_upgrade failed: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(())
    }

    /// Ends recovery, as `pg_ctl promote` does; returns when the server is writable.
    pub fn promote(&self) -> Result<()> {
        self.run("pg_ctl", &["promote", "--wait"], "--pgdata")
    }

    /// A running server that preloads logwatch and has the extension in database postgres.
    pub fn with_worker(settings: &[(&str, &str)]) -> Result<Server> {
        let mut server = Server::create(&[("shared_preload_libraries", "logwatch")])?;
        server.set(settings)?;
        server.start_with_extension()?;
        Ok(server)
    }

    /// A running server without the worker (nothing preloaded) that has the extension in database postgres.
    pub fn without_worker(settings: &[(&str, &str)]) -> Result<Server> {
        let mut server = Server::create(settings)?;
        server.start_with_extension()?;
        Ok(server)
    }

    /// Starts the server for the first time and creates the extension in database postgres.
    pub fn start_with_extension(&mut self) -> Result<()> {
        self.start()?;
        self.sql("CREATE EXTENSION logwatch")?;
        Ok(())
    }

    /// A directory that the server's user may write, for an alert file or a password file.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Has the write-ahead log on another disk from now on; for a server that does not run.
    pub fn move_wal(&self, to: &Path) -> Result<()> {
        let (here, there) = (self.data().join("pg_wal"), to.join("pg_wal"));
        let status = Command::new("cp").arg("-a").arg(&here).arg(&there).status()?;
        if !status.success() {
            bail!("cp -a {} {}: {status}", here.display(), there.display());
        }
        fs::remove_dir_all(&here)?;
        Ok(symlink(there, here)?)
    }

    /// From its next start on the server sees the clock that `file` says, by libfaketime's `library`: `+3600` is an hour ahead.
    pub fn show_clock(&mut self, library: &Path, file: &Path) {
        self.extra_env = vec![
            ("LD_PRELOAD", library.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_owned()),
            ("FAKETIME_NO_CACHE", PathBuf::from("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", PathBuf::from("1")),
        ];
    }

    /// Makes a directory the server's own.
    pub fn give(&self, dir: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.owner {
            chown(dir, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// Writes a file that the server can read, such as a password or a certificate.
    pub fn write_file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        if let Some((uid, gid)) = self.owner {
            chown(&path, Some(uid), Some(gid))?;
        }
        Ok(path)
    }

    /// Changes settings in the configuration file. They count from the next start or reload.
    pub fn set(&mut self, settings: &[(&str, &str)]) -> Result<()> {
        for (name, value) in settings {
            self.settings.insert((*name).to_owned(), (*value).to_owned());
        }
        self.write_settings()
    }

    /// Takes a setting out of the configuration file.
    pub fn unset(&mut self, name: &str) -> Result<()> {
        self.settings.remove(name);
        self.write_settings()
    }

    fn write_settings(&self) -> Result<()> {
        let lines: String = self
            .settings
            .iter()
            .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
            .collect();
        let path = self.data().join("test.conf");
        fs::write(&path, lines)?;
        if let Some((uid, gid)) = self.owner {
            chown(&path, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// Starts the server and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        if !programs::extension_is_installed(&self.pg_config)? {
            bail!("logwatch is not installed in the private PostgreSQL tree; run `make build` first");
        }
        let pid_file = self.data().join("postmaster.pid");
        wait_until(LIMIT, "the server to be ready", || {
            match self.postmaster.as_mut().map(Process::exited) {
                // After kill -9 the first try may meet the shared memory of backends that have not left yet.
                None | Some(Ok(Some(_))) => self.postmaster = Some(self.spawn_postmaster()?),
                Some(_) => {}
            }
            // The postmaster's own word, which needs no connection that it would have to refuse.
            let told = fs::read_to_string(&pid_file)?;
            let ours = self.postmaster.as_ref().map(|process| process.pid().to_string());
            let mut lines = told.lines();
            Ok(lines.next() == ours.as_deref() && lines.nth(6).map(str::trim) == Some("ready"))
        })
        .with_context(|| format!("the server's log ends with:\n{}", self.log_tail(20)))
    }

    fn spawn_postmaster(&self) -> Result<Process> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut command = self.watched("postgres")?;
        command
            .arg("-D")
            .arg(self.data())
            .stdin(std::process::Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        command.envs(self.extra_env.iter().cloned());
        Process::spawn(&mut command, libc::SIGQUIT)
    }

    /// Stops the server; returns how long that took.
    pub fn stop(&mut self, how: Stop) -> Result<Duration> {
        let Some(mut postmaster) = self.postmaster.take() else {
            return Ok(Duration::ZERO);
        };
        let signal = match how {
            Stop::Fast => libc::SIGINT,
            Stop::Immediate => libc::SIGQUIT,
        };
        let (_, took) = postmaster
            .stop(signal, LIMIT)
            .with_context(|| format!("the server's log ends with:\n{}", self.log_tail(20)))?;
        Ok(took)
    }

    /// Whether the postmaster runs.
    pub fn is_running(&mut self) -> Result<bool> {
        match &mut self.postmaster {
            Some(postmaster) => Ok(postmaster.exited()?.is_none()),
            None => Ok(false),
        }
    }

    /// kill -9 of the postmaster. Its children notice and leave.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut postmaster) = self.postmaster.take() {
            postmaster.stop(libc::SIGKILL, LIMIT)?;
        }
        Ok(())
    }

    /// Fast stop and start.
    pub fn restart(&mut self) -> Result<()> {
        self.stop(Stop::Fast)?;
        self.start()
    }

    /// Makes the server read its configuration files again, like `pg_ctl reload`. Does not wait for the effect.
    pub fn reload(&self) {
        if let Some(postmaster) = &self.postmaster {
            postmaster.signal(libc::SIGHUP);
        }
    }

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

    /// Runs statements as superuser and returns the rows as psql's unaligned output does: `|` between columns.
    pub fn sql(&self, statements: &str) -> Result<String> {
        run(&mut self.client()?, statements)
    }

    /// The same as another role.
    pub fn sql_as(&self, user: &str, statements: &str) -> Result<String> {
        run(&mut self.client_as(user, "postgres")?, statements)
    }

    /// Runs statements that must fail, and returns the error: message, DETAIL, HINT and SQLSTATE, a line each.
    pub fn sql_error(&self, statements: &str) -> Result<String> {
        match self.sql(statements) {
            Ok(rows) => bail!("`{statements}` should have failed, but returned {rows:?}"),
            Err(error) => Ok(error.to_string()),
        }
    }

    /// What `psql -c COMMAND` prints to a person, notices last.
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

    /// Everything that the server has logged since it was made.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the server's log.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Waits until the server's log has `text`.
    pub fn wait_for_log(&self, limit: Duration, text: &str) -> Result<()> {
        wait_until(limit, &format!("{text:?} in the server's log"), || {
            Ok(self.log().contains(text))
        })
        .with_context(|| format!("the server's log ends with:\n{}", self.log_tail(20)))
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

    /// Sends a signal to a process of this server.
    pub fn signal(&self, pid: i32, signal: i32) {
        signal_pid(pid, signal);
    }

    /// Whether a process of this server still lives.
    pub fn is_alive(&self, pid: i32) -> bool {
        is_alive(pid)
    }

    /// The file that the server logs to.
    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// One of PostgreSQL's programs, to be run by the cluster's owner with a clean environment.
    fn program(&self, name: &str) -> Command {
        self.as_owner(Command::new(self.program_path(name)))
    }

    /// The same, under valgrind where that is asked for.
    fn watched(&self, name: &str) -> Result<Command> {
        let Some(valgrind) = valgrind::command(self.dir())? else {
            return Ok(self.program(name));
        };
        let mut command = Command::new(&valgrind[0]);
        command.args(&valgrind[1..]).arg(self.program_path(name));
        Ok(self.as_owner(command))
    }

    fn as_owner(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            // Where PyPI's builds have their libpq, which their libpqwalreceiver would take from the system.
            .env("LD_LIBRARY_PATH", self.pg_config.with_file_name("../lib"))
            .current_dir("/");
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// The path of one of PostgreSQL's programs.
    pub fn program_path(&self, name: &str) -> PathBuf {
        self.pg_config.with_file_name(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log ends with:\n{}", self.log_tail(40));
        }
        if self.stop(Stop::Immediate).is_err() {
            let _ = self.kill();
        }
        let found = valgrind::findings(self.dir()).unwrap_or_default();
        assert!(found.is_empty() || std::thread::panicking(), "{found}");
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
