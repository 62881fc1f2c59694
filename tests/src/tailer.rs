//! The real tailer as a child process, and the log generator.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use crate::process::Process;
use crate::programs;
use crate::server::Server;

/// A running `logwatch-tailer`. Dropping it kills it.
pub struct Tailer {
    process: Process,
    output: NamedTempFile,
}

impl Tailer {
    /// Starts the tailer with these arguments against a server, as its superuser.
    pub fn start<S: AsRef<OsStr>>(server: &Server, args: &[S]) -> Result<Tailer> {
        Tailer::spawn(Tailer::command(server, args)?)
    }

    /// Starts a tailer by its command, see [`Tailer::command`].
    pub fn spawn(mut command: Command) -> Result<Tailer> {
        let output = NamedTempFile::new()?;
        command
            .stdin(Stdio::null())
            .stdout(output.reopen()?)
            .stderr(output.reopen()?);
        Ok(Tailer {
            process: Process::spawn(&mut command, libc::SIGKILL)?,
            output,
        })
    }

    /// The command that [`Tailer::start`] runs, for a test that changes something about it.
    pub fn command<S: AsRef<OsStr>>(server: &Server, args: &[S]) -> Result<Command> {
        let mut command = Command::new(programs::built("logwatch-tailer")?);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(server.env())
            .args(args);
        Ok(command)
    }

    /// Runs `logwatch-tailer --once` to its end; it must succeed. Returns what it printed.
    pub fn once<S: AsRef<OsStr>>(server: &Server, args: &[S]) -> Result<String> {
        let output = Tailer::command(server, args)?.arg("--once").output()?;
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if !output.status.success() {
            bail!("the tailer ended with {}: {printed}", output.status);
        }
        Ok(printed)
    }

    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Returns its output so far.
    pub fn output(&self) -> String {
        fs::read_to_string(self.output.path()).unwrap_or_default()
    }

    /// The exit status, `None` while it runs.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.process.exited()
    }

    /// The most memory that it has had in use so far (resident, in bytes).
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid()))?;
        let kilobytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"))
            .context("no VmHWM in /proc/PID/status")?
            .trim()
            .parse()?;
        Ok(kilobytes * 1024)
    }

    /// The number of files, sockets and so on that it has open.
    pub fn open_files(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.pid()))?.count())
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let output = self.output();
        Ok(self
            .process
            .wait(limit)
            .with_context(|| format!("it printed: {output}"))?
            .0)
    }

    /// SIGTERM; returns the status and how long it took to leave.
    pub fn terminate(&mut self) -> Result<(ExitStatus, Duration)> {
        self.process.stop(libc::SIGTERM, Duration::from_secs(20))
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        Ok(self.process.stop(libc::SIGKILL, Duration::from_secs(20))?.0)
    }
}

/// Starts the log generator: `rate` lines a second for `seconds`, of which the share `errors` are
/// ERROR or FATAL records.
pub fn generate(file: &Path, rate: u32, seconds: u32, errors: f64) -> Result<Process> {
    let mut command = Command::new(programs::built("examples/generate_logs")?);
    command.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()]);
    command.args(["--errors", &errors.to_string()]).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Process::spawn(&mut command, libc::SIGKILL)
}

/// Appends lines to a file as an application does: one write, with a newline after each line.
pub fn append<S: AsRef<str>>(file: &Path, lines: &[S]) -> Result<()> {
    use std::io::Write;
    let mut text = String::new();
    for line in lines {
        text += line.as_ref();
        text.push('\n');
    }
    let mut file: File = File::options().create(true).append(true).open(file)?;
    Ok(file.write_all(text.as_bytes())?)
}
