//! Makes clusters: initdb, base backup, pg_upgrade, settings, and files that the server may read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::Server;
use crate::programs;

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

    /// A copy of a running server by pg_basebackup, not started; `more` are further arguments, such
    /// as `--write-recovery-conf`.
    pub fn backup_of(primary: &Server, more: &[&str]) -> Result<Server> {
        let mut server = Server::empty_in(&std::env::temp_dir(), &primary.pg_config)?;
        let sockets = primary.sockets.path().display().to_string();
        let port = primary.port().to_string();
        let mut args = vec![
            "-h",
            sockets.as_str(),
            "-p",
            port.as_str(),
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
            // For tests that connect or write as somebody else; the data directory is private
            // anyway.
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

    /// Runs one of PostgreSQL's programs to its end, as the cluster's owner, with the data
    /// directory as the last argument.
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

    /// Turns this cluster, new and not running, into what `old`, which does not run either, was, by
    /// pg_upgrade, with `more` arguments. Settings go along.
    pub fn upgrade_from(&mut self, old: &Server, more: &[&str]) -> Result<()> {
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
            .args(more)
            .output()?;
        if !output.status.success() {
            bail!("pg_upgrade failed: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(())
    }

    /// Makes this server, which does not run, a standby of `source`, which does, by pg_rewind.
    pub fn rewind_from(&self, source: &Server) -> Result<()> {
        let connection = format!(
            "host={} user=postgres dbname=postgres",
            source.sockets.path().display()
        );
        let settings = fs::read(self.data().join("test.conf"))?;
        self.run(
            "pg_rewind",
            &[
                "--no-sync",
                "--write-recovery-conf",
                "--source-server",
                &connection,
            ],
            "--target-pgdata",
        )?;
        // It copied the source's own.
        Ok(fs::write(self.data().join("test.conf"), settings)?)
    }

    /// Makes this standby, which does not run, a logical subscriber of `publisher`, which does, by
    /// pg_createsubscriber.
    pub fn create_subscriber(&self, publisher: &Server) -> Result<()> {
        let source = format!(
            "host={} user=postgres dbname=postgres",
            publisher.sockets.path().display()
        );
        let sockets = self.sockets.path().display().to_string();
        let settings = self.data().join("test.conf").display().to_string();
        self.run(
            "pg_createsubscriber",
            &[
                "--database=postgres",
                "--publisher-server",
                &source,
                "--socketdir",
                &sockets,
                "--config-file",
                &settings,
            ],
            "--pgdata",
        )
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

    /// A running server without the worker (nothing preloaded) that has the extension in database
    /// postgres.
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

    /// From its next start on the server sees the clock that `file` says, by libfaketime's
    /// `library`: `+3600` is an hour ahead.
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
}
