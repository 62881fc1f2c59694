//! Child processes that never outlive the program that started them. Signals go to a pid that we
//! are the parent of, never to a name.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::wait::wait_for;

/// A running child. Dropping it kills and reaps it.
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `command` in a process group of its own. Should this program's thread die without
    /// running destructors, the kernel sends `last_signal` to the child.
    pub fn spawn(command: &mut Command, last_signal: i32) -> Result<Process> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.process_group(0);
        // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(move || match libc::prctl(libc::PR_SET_PDEATHSIG, last_signal) {
                -1 => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Process { child, name })
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Sends a signal, for instance `libc::SIGTERM`.
    pub fn signal(&self, signal: i32) {
        signal_pid(self.pid(), signal);
    }

    /// The exit status, `None` while it runs.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the end by itself; returns the status and how long that took.
    pub fn wait(&mut self, limit: Duration) -> Result<(ExitStatus, Duration)> {
        let started = Instant::now();
        let what = format!("the end of {}", self.name);
        let status = wait_for(limit, &what, || self.exited())?;
        Ok((status, started.elapsed()))
    }

    /// Sends a signal and waits for the end.
    pub fn stop(&mut self, signal: i32, limit: Duration) -> Result<(ExitStatus, Duration)> {
        self.signal(signal);
        self.wait(limit)
    }

    /// Makes the child's file handles ours.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal to a process that is known to be one of ours, such as a backend of our server.
pub fn signal_pid(pid: i32, signal: i32) {
    assert!(pid > 1, "{pid} is not a process of ours");
    // SAFETY: kill has no memory effects; the pid is a single process.
    unsafe { libc::kill(pid, signal) };
}

/// Whether a process with this id exists.
pub fn is_alive(pid: i32) -> bool {
    // SAFETY: signal 0 only asks.
    unsafe { libc::kill(pid, 0) == 0 }
}

/// Runs a command as root: directly, or through a sudo that asks for no password. `None` when
/// neither is possible.
pub fn as_root(command: &[&str]) -> Option<Command> {
    if !crate::programs::is_root() {
        let may = Command::new("sudo")
            .args(["-n", "true"])
            .output()
            .is_ok_and(|output| output.status.success());
        let mut sudo = Command::new("sudo");
        sudo.arg("-n").args(command);
        return may.then_some(sudo);
    }
    let mut direct = Command::new(command[0]);
    direct.args(&command[1..]);
    Some(direct)
}
