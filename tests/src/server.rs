//! A PostgreSQL server for one test: its own data directory, its own socket directory, no TCP port.
//! User `postgres` runs it if the test runs as root. Dropping a [`Server`] stops it and removes its
//! files. This module never touches a server of the machine.
//!
//! - [`cluster`]: makes a data directory, its settings and its files;
//! - [`client`]: connects, and runs statements;
//! - [`log`]: reads the server's log.

pub mod client;
pub mod cluster;
pub mod log;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

pub use client::{SqlError, run, run_error};

use crate::process::{Process, is_alive, signal_pid};
use crate::programs;
use crate::valgrind;
use crate::wait::wait_until;

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

/// A cluster, running or not. Its superuser is `postgres`; anybody who reaches its socket may be
/// anyone.
pub struct Server {
    dir: TempDir,
    /// The pg_config of the PostgreSQL that it belongs to.
    pg_config: PathBuf,
    /// Apart from `dir`, whose path may be too long for a socket.
    sockets: TempDir,
    settings: BTreeMap<String, String>,
    owner: Option<(u32, u32)>,
    postmaster: Option<Process>,
    /// Further environment variables of the postmaster.
    extra_env: Vec<(&'static str, PathBuf)>,
}

impl Server {
    /// Starts the server and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        programs::require_extension(&self.pg_config)?;
        let pid_file = self.data().join("postmaster.pid");
        wait_until(LIMIT, "the server to be ready", || {
            match self.postmaster.as_mut().map(Process::exited) {
                // After kill -9 the first try may meet the shared memory of backends that have not
                // left yet.
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
    pub fn kill(&mut self) -> Result<ExitStatus> {
        let mut postmaster = self.postmaster.take().context("the server does not run")?;
        Ok(postmaster.stop(libc::SIGKILL, LIMIT)?.0)
    }

    /// Fast stop and start.
    pub fn restart(&mut self) -> Result<()> {
        self.stop(Stop::Fast)?;
        self.start()
    }

    /// Makes the server read its configuration files again, like `pg_ctl reload`. Does not wait for
    /// the effect.
    pub fn reload(&self) {
        if let Some(postmaster) = &self.postmaster {
            postmaster.signal(libc::SIGHUP);
        }
    }

    /// Sends a signal to a process of this server.
    pub fn signal(&self, pid: i32, signal: i32) {
        signal_pid(pid, signal);
    }

    /// Whether a process of this server still lives.
    pub fn is_alive(&self, pid: i32) -> bool {
        is_alive(pid)
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
            // Where PyPI's builds have their libpq, which their libpqwalreceiver would take from
            // the system.
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
