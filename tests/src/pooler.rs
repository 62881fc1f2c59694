//! Connection poolers of our own in front of a server, each on a Unix socket: PgBouncer, and
//! pgpool-II where it is unpacked.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::programs;
use crate::server::Server;
use crate::tailer::Tailer;
use crate::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(30);

pub struct Pooler {
    process: Process,
    /// At this signal it ends its own processes at once.
    last_signal: i32,
    folder: tempfile::TempDir,
    port: &'static str,
}

impl Pooler {
    /// Starts PgBouncer in a pool mode over one server connection, so that clients must share it.
    pub fn bouncer(server: &Server, mode: &str) -> Result<Pooler> {
        let folder = tempfile::tempdir()?;
        let configuration = format!(
            "[databases]\npostgres = host={} port={} dbname=postgres user=postgres\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {}\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 1\nlogfile = {}\n",
            server.sockets().display(),
            server.port(),
            folder.path().display(),
            folder.path().join("log").display()
        );
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command.arg(folder.path().join("configuration"));
        start(command, libc::SIGTERM, folder, &configuration, "6432")
            .context("is package pgbouncer installed?")
    }

    /// Starts pgpool-II; None where it is not unpacked.
    pub fn pgpool(server: &Server) -> Result<Option<Pooler>> {
        let tree = programs::checkout().join("target/pgpool/usr");
        let program = tree.join("sbin/pgpool");
        if !program.exists() {
            println!("skipped: pgpool is not unpacked (extension/package/install_missing.sh test)");
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let here = folder.path().display();
        let configuration = format!(
            "listen_addresses = ''\nport = 9999\nsocket_dir = '{here}'\npcp_socket_dir = '{here}'\n\
             pid_file_name = '{here}/pid'\nwork_dir = '{here}'\nlogdir = '{here}'\nbackend_clustering_mode = 'raw'\n\
             backend_hostname0 = '{}'\nbackend_port0 = {}\nnum_init_children = 2\nenable_pool_hba = off\n\
             memory_cache_enabled = off\n",
            server.sockets().display(),
            server.port()
        );
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", tree.join("lib/x86_64-linux-gnu"));
        command
            .arg("-n")
            .arg("-f")
            .arg(folder.path().join("configuration"));
        Ok(Some(start(
            command,
            libc::SIGINT,
            folder,
            &configuration,
            "9999",
        )?))
    }

    /// The directory of its socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join(format!(".s.PGSQL.{}", self.port))
    }

    /// A command of the tailer that connects through the pooler.
    pub fn tailer(&self, server: &Server, args: &[&str]) -> Result<Command> {
        let mut command = Tailer::command(server, args)?;
        command.env("PGHOST", self.folder()).env("PGPORT", self.port);
        Ok(command)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.stop(self.last_signal, LIMIT);
    }
}

/// Runs a pooler, which refuses to run as root, as the server's user; returns when it listens.
fn start(
    mut command: Command,
    last_signal: i32,
    folder: tempfile::TempDir,
    configuration: &str,
    port: &'static str,
) -> Result<Pooler> {
    let path = |name: &str| folder.path().join(name);
    fs::write(path("configuration"), configuration)?;
    fs::write(path("log"), "")?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    if programs::is_root() {
        use std::os::unix::process::CommandExt;
        let (uid, gid) = programs::ids("postgres")?;
        for name in ["", "log", "configuration"] {
            chown(path(name), Some(uid), Some(gid))?;
        }
        command.uid(uid).gid(gid);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(path("errors"))?);
    let process = Process::spawn(&mut command, last_signal)?;
    let pooler = Pooler {
        process,
        last_signal,
        folder,
        port,
    };
    wait_until(LIMIT, "the pooler's socket", || Ok(pooler.socket().exists()))
        .with_context(|| fs::read_to_string(pooler.folder.path().join("errors")).unwrap_or_default())?;
    Ok(pooler)
}
