//! A directory of log files and the multiset of records that were written to them, to be compared
//! with what is stored.
//!
//! Comparing is exact: a record that is missing and one that is stored twice both fail, and so does
//! a row that nobody wrote.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::server::Server;
use crate::tailer::Tailer;
use crate::wait::wait_until;

/// Records and how often each is there. A record is its message; with continuation lines: message,
/// newline, detail.
pub type Records = BTreeMap<String, usize>;

/// The prefix of each line that [`Journal::write`] writes.
pub const PREFIX: &str = "2026-11-22 10:00:00 ERROR ";

/// The files of one source.
pub struct Journal {
    dir: TempDir,
    source: String,
    inputs: Vec<OsString>,
    written: Records,
}

impl Journal {
    /// A new directory whose files `inputs` (names or patterns) are read under the label `source`.
    pub fn new(source: &str, inputs: &[&str]) -> Result<Journal> {
        let dir = tempfile::Builder::new().prefix("logwatch-files-").tempdir()?;
        let inputs = inputs
            .iter()
            .map(|name| dir.path().join(name).into_os_string())
            .collect();
        Ok(Journal {
            dir,
            source: source.to_owned(),
            inputs,
            written: Records::new(),
        })
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Appends an ERROR record for each text, as one write.
    pub fn write<S: AsRef<str>>(&mut self, name: &str, texts: &[S]) -> Result<()> {
        let mut file = self.open(name)?;
        self.write_to(&mut file, texts)
    }

    /// The same through a handle that a writer has kept.
    pub fn write_to<S: AsRef<str>>(&mut self, file: &mut File, texts: &[S]) -> Result<()> {
        let mut lines = String::new();
        for text in texts {
            writeln!(lines, "{PREFIX}{}", text.as_ref())?;
            self.expect(text.as_ref());
        }
        Ok(file.write_all(lines.as_bytes())?)
    }

    /// A writer's handle: created if need be, appending.
    pub fn open(&self, name: &str) -> Result<File> {
        Ok(File::options().create(true).append(true).open(self.path(name))?)
    }

    /// From now on this record, once more, is demanded.
    pub fn expect(&mut self, record: &str) {
        *self.written.entry(record.to_owned()).or_default() += 1;
    }

    /// This record, once, is gone before anybody could read it.
    pub fn unexpect(&mut self, record: &str) {
        if let Some(times) = self.written.get_mut(record) {
            *times -= 1;
        }
        self.written.retain(|_, times| *times > 0);
    }

    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.path(from), self.path(to)).with_context(|| format!("rename {from} to {to}"))
    }

    /// Copies a file and truncates it, as logrotate's `copytruncate` does.
    pub fn copy_and_truncate(&self, from: &str, to: &str) -> Result<()> {
        fs::copy(self.path(from), self.path(to))?;
        self.truncate(from)
    }

    pub fn truncate(&self, name: &str) -> Result<()> {
        Ok(File::options().write(true).open(self.path(name))?.set_len(0)?)
    }

    /// Says that a file was last written to so long ago.
    pub fn age(&self, name: &str, age: Duration) -> Result<()> {
        Ok(self.open(name)?.set_modified(SystemTime::now() - age)?)
    }

    /// Compresses a file as logrotate does.
    pub fn gzip(&self, name: &str) -> Result<()> {
        let status = Command::new("gzip").arg(self.path(name)).status()?;
        if !status.success() {
            bail!("gzip {name}: {status}");
        }
        Ok(())
    }

    /// Moves NAME.1 to NAME.2 and so on, with and without `.gz`, so that NAME.1 is free.
    pub fn shift(&self, name: &str) -> Result<()> {
        let numbered = |n: usize, end: &str| self.path(&format!("{name}.{n}{end}"));
        let exists = |n: usize| numbered(n, "").exists() || numbered(n, ".gz").exists();
        let last = (1..).take_while(|n| exists(*n)).count();
        for n in (1..=last).rev() {
            for end in ["", ".gz"] {
                if numbered(n, end).exists() {
                    fs::rename(numbered(n, end), numbered(n + 1, end))?;
                }
            }
        }
        Ok(())
    }

    /// The tailer's arguments.
    pub fn args(&self, more: &[&str]) -> Vec<OsString> {
        ["--source", &self.source]
            .iter()
            .chain(more)
            .map(OsString::from)
            .chain(self.inputs.iter().cloned())
            .collect()
    }

    /// Starts the tailer.
    pub fn follow(&self, server: &Server) -> Result<Tailer> {
        Tailer::start(server, &self.args(&[]))
    }

    /// Runs `--once`, which must succeed and have nothing to say.
    pub fn once(&self, server: &Server) -> Result<()> {
        let said = Tailer::once(server, &self.args(&[]))?;
        if !said.is_empty() {
            bail!("the tailer should be silent but printed: {said}");
        }
        Ok(())
    }

    /// Runs `--once`, which must succeed; returns what it says.
    pub fn once_warned(&self, server: &Server) -> Result<String> {
        Tailer::once(server, &self.args(&[]))
    }

    /// Runs `--once` twice: the first run stores what is missing, the second nothing.
    pub fn catch_up(&self, server: &Server) -> Result<()> {
        for _ in 0..2 {
            self.once(server)?;
            self.check(server)?;
        }
        Ok(())
    }

    /// A query about this source: `{id}` in it stands for the source's id.
    pub fn sql(&self, server: &Server, query: &str) -> Result<String> {
        let id = format!("logwatch_private.source_id('{}')", self.source);
        server.sql(&query.replace("{id}", &id))
    }

    /// Returns the stored records.
    pub fn stored(&self, server: &Server) -> Result<Records> {
        let rows = server.client()?.query(
            "SELECT message || coalesce(E'\\n' || detail, ''), count(*) FROM logwatch.entries \
             WHERE source_id = logwatch_private.source_id($1) GROUP BY 1",
            &[&self.source],
        )?;
        rows.iter()
            .map(|row| Ok((row.get(0), usize::try_from(row.get::<_, i64>(1))?)))
            .collect()
    }

    pub fn written(&self) -> &Records {
        &self.written
    }

    /// The number of records that were written.
    pub fn len(&self) -> usize {
        self.written.values().sum()
    }

    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Demands that what is stored is what was written.
    pub fn check(&self, server: &Server) -> Result<()> {
        let told = difference(&self.written, &self.stored(server)?);
        if told.is_empty() {
            return Ok(());
        }
        let files = self.sql(
            server,
            "SELECT path, next_byte, state FROM logwatch.files WHERE source_id = {id} ORDER BY first_seen",
        )?;
        bail!(
            "{told}the database knows these files:\n{files}\nand the directory has:\n{}",
            self.listing()
        )
    }

    /// Waits until as many records are stored as were written, then demands that they are the same.
    pub fn wait(&self, server: &Server, limit: Duration) -> Result<()> {
        let query = "SELECT count(*) FROM logwatch.entries WHERE source_id = {id}";
        let expected = self.len();
        let reached = wait_until(limit, &format!("{expected} records"), || {
            Ok(self.sql(server, query)?.parse::<usize>()? >= expected)
        });
        self.check(server)?;
        reached
    }

    /// The reasons of the gaps that were recorded, in order.
    pub fn gaps(&self, server: &Server) -> Result<Vec<String>> {
        let gaps = self.sql(
            server,
            "SELECT reason FROM logwatch.gaps WHERE source_id = {id} ORDER BY id",
        )?;
        Ok(gaps.lines().map(str::to_owned).collect())
    }

    /// Whether a file of the directory, or below it, has this text.
    pub fn has_text(&self, text: &str) -> Result<bool> {
        let mut grep = Command::new("grep");
        grep.args(["-rqF", text]).arg(self.dir());
        Ok(grep.status()?.success())
    }

    /// The directory's files with their sizes.
    pub fn listing(&self) -> String {
        let mut lines: Vec<String> = fs::read_dir(self.dir())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| {
                let size = entry
                    .metadata()
                    .map(|metadata| metadata.len())
                    .unwrap_or_default();
                format!("{} {size}", entry.file_name().display())
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }
}

/// `TAG 0 xxx…`, `TAG 1 xxx…` and so on: texts that are all different.
pub fn numbered(tag: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("{tag} {n} {}", "x".repeat(60)))
        .collect()
}

/// Lists missing and surplus records, a line each; empty if there are none.
pub fn difference(expected: &Records, stored: &Records) -> String {
    let mut told = String::new();
    let mut tell = |word: &str, more: &Records, less: &Records| {
        let wrong: Vec<_> = more
            .iter()
            .filter(|(record, n)| less.get(*record).copied().unwrap_or(0) < **n)
            .collect();
        if !wrong.is_empty() {
            told += &format!("{} records {word}:\n", wrong.len());
        }
        for (record, n) in wrong.iter().take(8) {
            let beginning: String = record.chars().take(100).collect();
            told += &format!("  {n} x {beginning}\n");
        }
    };
    tell("missing", expected, stored);
    tell("too many", stored, expected);
    told
}
