//! The editions that are measured: this one and, beside it, the first one (git d6d4b48), which
//! `tests/bench/first_edition.sh` builds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::tailer::Tailer;

/// A release build of one edition.
pub struct Edition {
    checkout: PathBuf,
    pg_config: PathBuf,
    tailer: PathBuf,
}

/// A small server's settings. Unlike in the tests a commit is on disk when it returns.
const SETTINGS: [(&str, &str); 3] = [
    ("fsync", "on"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
];

impl Edition {
    /// Returns the edition of this checkout.
    pub fn now() -> Result<Self> {
        Ok(Self {
            checkout: programs::checkout().to_owned(),
            pg_config: programs::pg_config()?.to_owned(),
            tailer: programs::built("logwatch-tailer")?,
        })
    }

    /// Returns the first edition, and builds it where that has not been done; None where the clone
    /// does not have its commit or `BENCH_FIRST=0` leaves it out.
    pub fn first() -> Result<Option<&'static Self>> {
        static FOUND: OnceLock<Option<Edition>> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found.as_ref());
        }
        let found = build_first()?;
        Ok(FOUND.get_or_init(|| found).as_ref())
    }

    /// Starts a server without the worker: nothing checks but the bench.
    pub fn server(&self, more: &[(&str, &str)]) -> Result<Server> {
        let mut server = Server::create_of(&self.pg_config, &SETTINGS)?;
        server.set(more)?;
        server.start()?;
        server.sql("SET client_min_messages = error; CREATE EXTENSION logwatch")?;
        Ok(server)
    }

    /// Starts a server with the worker.
    pub fn server_with_worker(&self, more: &[(&str, &str)]) -> Result<Server> {
        let mut settings = vec![("shared_preload_libraries", "logwatch")];
        settings.extend_from_slice(more);
        self.server(&settings)
    }

    /// Returns the directory of this edition's source.
    pub fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// Returns the path of this edition's tailer.
    pub fn tailer_path(&self) -> &Path {
        &self.tailer
    }

    /// Starts this edition's tailer against a server.
    pub fn start_tailer(&self, server: &Server, args: &[&str]) -> Result<Tailer> {
        let mut command = Command::new(&self.tailer);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(server.env())
            .args(args);
        Tailer::spawn(command)
    }
}

fn build_first() -> Result<Option<Edition>> {
    if std::env::var_os("BENCH_FIRST").is_some_and(|wanted| wanted == "0") {
        return Ok(None);
    }
    let script = programs::checkout().join("tests/bench/first_edition.sh");
    let output = Command::new(&script).output()?;
    // The script's word for a clone without that commit.
    if output.status.code() == Some(3) {
        return Ok(None);
    }
    ensure!(
        output.status.success(),
        "{}: {}",
        script.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines().map(PathBuf::from);
    let mut next = || lines.next().context("first_edition.sh printed too few lines");
    Ok(Some(Edition {
        checkout: next()?,
        pg_config: next()?,
        tailer: next()?,
    }))
}
