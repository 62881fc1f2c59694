//! Real daemons: eleven are provoked into an error that must arrive with its level and time, and
//! the start, reload and stop of twenty must give no record.
//!
//! Rows are data, in `daemons/rows`. `DAEMON=words` plays only rows whose name has these words.

mod rows;

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use logwatch_tests::http::free_port;
use logwatch_tests::process::Process;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;
use logwatch_tests::wait::wait_until;
use tempfile::TempDir;

use crate::SOON;
use rows::{ERRORS, Provoked, QUIET, Ready, Row};

/// The programs as `install_missing.sh test` unpacks them. None without them.
fn tree() -> Option<PathBuf> {
    let tree = programs::checkout().join("target/daemons");
    if tree.join("usr/sbin/nginx").exists() {
        return Some(tree);
    }
    println!("skipped: the daemons are not unpacked (extension/package/install_missing.sh test)");
    None
}

/// A daemon in a folder of its own.
struct Daemon<'a> {
    row: &'a Row,
    tree: &'a Path,
    folder: TempDir,
    port: u16,
}

impl Daemon<'_> {
    fn new<'a>(row: &'a Row, tree: &'a Path, port: u16) -> Result<Daemon<'a>> {
        let folder = tempfile::tempdir()?;
        // Some give up the rights of root, and some refuse a folder that all may write.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let daemon = Daemon {
            row,
            tree,
            folder,
            port,
        };
        let config = daemon.path("config");
        fs::write(&config, daemon.filled(row.config))?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
        Ok(daemon)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Fills `{dir}`, `{tree}` and `{port}`.
    fn filled(&self, text: &str) -> String {
        text.replace("{dir}", &self.folder.path().to_string_lossy())
            .replace("{tree}", &self.tree.to_string_lossy())
            .replace("{port}", &self.port.to_string())
    }

    fn start(&self) -> Result<Process> {
        let printed = File::create(self.path("printed.log"))?;
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"]
            .map(|folder| self.tree.join(folder).to_string_lossy().into_owned());
        let mut command = Command::new(self.tree.join(self.row.program));
        command
            .args(self.row.args.iter().map(|argument| self.filled(argument)))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC")
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(printed.try_clone()?)
            .stderr(printed);
        Process::spawn(&mut command, libc::SIGKILL)
    }

    /// Returns all that the daemon has written.
    fn logs(&self) -> String {
        let read = |name: &str| fs::read(self.path(name)).unwrap_or_default();
        let bytes = [read("printed.log"), read("own.log")].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns true if the daemon is up, by what it has written from a position on.
    fn is_ready(&self, ready: Ready, from: usize) -> Result<bool> {
        Ok(match ready {
            Ready::Port => TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            Ready::Text(text) => self.logs().get(from..).is_some_and(|logs| logs.contains(text)),
        })
    }

    /// Reads its files with a tailer of the row's format.
    fn tail(&self, server: &Server) -> Result<()> {
        let files = ["printed.log", "own.log"]
            .map(|name| self.path(name))
            .into_iter()
            .filter(|path| path.exists())
            .map(|path| path.to_string_lossy().into_owned());
        let mut args = vec![
            "--source".to_owned(),
            self.row.name.to_owned(),
            "--tz".to_owned(),
            "UTC".to_owned(),
        ];
        if let Some(format) = self.row.format {
            args.extend(["--format".to_owned(), format.to_owned()]);
        }
        args.extend(files);
        Tailer::once(server, &args)?;
        Ok(())
    }
}

fn is_wanted(row: &Row) -> bool {
    std::env::var("DAEMON").map_or(true, |words| row.name.contains(&words))
}

#[test]
fn the_error_of_each_daemon_is_stored_with_its_time() -> Result<()> {
    let Some(tree) = tree() else { return Ok(()) };
    let server = Server::without_worker(&[])?;
    let mut wrong = Vec::new();
    for row in ERRORS.iter().filter(|row| is_wanted(row)) {
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let port = taken.local_addr()?.port();
        // Some daemons bind datagrams first.
        let _datagrams = std::net::UdpSocket::bind(("127.0.0.1", port));
        let Provoked {
            level,
            message,
            timed,
            count,
        } = row.provoked.context("a row of ERRORS says what is expected")?;
        let daemon = Daemon::new(row, &tree, port)?;
        let mut process = daemon.start()?;
        process
            .wait(SOON)
            .with_context(|| format!("{} goes on: {}", row.name, daemon.logs()))?;
        daemon.tail(&server)?;
        let stored = server.sql(&format!(
            "SELECT count(*), count(*) FILTER (WHERE level = '{level}' AND strpos(message, '{message}') > 0 \
             AND (logged_at BETWEEN now() - interval '5 minutes' AND now()) \
             AND coalesce('time_missing' = ANY (flags), false) <> {timed}) \
             FROM logwatch.entries AS e JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = '{}'",
            row.name
        ))?;
        if stored != format!("{count}|1") {
            wrong.push(format!("{}: {stored}; it wrote:\n{}", row.name, daemon.logs()));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_quiet_life_of_twenty_daemons_gives_no_record() -> Result<()> {
    let Some(tree) = tree() else { return Ok(()) };
    let server = Server::without_worker(&[])?;
    let mut wrong = Vec::new();
    for row in QUIET.iter().filter(|row| is_wanted(row)) {
        let daemon = Daemon::new(row, &tree, free_port()?)?;
        let mut process = daemon.start()?;
        wait_until(SOON, row.name, || daemon.is_ready(row.ready, 0)).with_context(|| daemon.logs())?;
        if let Some(reloaded) = row.reloads {
            let written = daemon.logs().len();
            process.signal(libc::SIGHUP);
            let ready = || Ok(process.exited()?.is_none() && daemon.is_ready(reloaded, written)?);
            wait_until(SOON, "the daemon after its reload", ready).with_context(|| daemon.logs())?;
        }
        process.stop(libc::SIGTERM, SOON)?;
        daemon.tail(&server)?;
        let stored = server.sql(&format!(
            "SELECT coalesce(string_agg(message, ' / '), '') FROM logwatch.entries AS e \
             JOIN logwatch.sources AS s ON s.id = e.source_id WHERE s.name = '{}'",
            row.name
        ))?;
        if !stored.is_empty() {
            wrong.push(format!("{}: {stored}", row.name));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
