//! Writers with their rotators: programs that read lines and rotate by themselves, and files that a
//! command rotates.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use crate::programs;
use crate::wait::wait_until;
use anyhow::{Context, Result, ensure};

/// The longest time that a program may take to end on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// Does to the files of a folder what a rotator would, and returns the file to write to from then
/// on. It is called with 0 before the first line.
pub type Imitation = fn(folder: &Path, rotation: usize) -> Result<PathBuf>;

#[derive(Clone)]
pub enum Rotator {
    /// A program that writes the lines of its standard input. In its arguments, {} is the row's
    /// folder.
    Program { command: Vec<String>, clock: Clock },
    File {
        rotate: Rotate,
        reopen: Reopen,
        clock: Clock,
    },
}

#[derive(Clone)]
pub enum Rotate {
    /// logrotate with these options for `log/app.log`.
    Logrotate(&'static str),
    /// A command. In its arguments, {} is the row's folder.
    Command(Vec<String>),
    Imitation(Imitation),
    /// A shell script that makes the renames in `log`, and the live file's name after that. Both
    /// know the number of the rotation as $n; it is 0 before the first line.
    Script(&'static str, &'static str),
}

/// The words of a script: rename, shift up by one number, copy, compress, point a link.
const WORDS: &str = r#"
set -e
to() { [ ! -e "$1" ] || mv "$1" "$2"; }
up() { for i in 9 8 7 6 5 4 3 2 1 0; do [ $i -lt $3 ] || to "$1$i$2" "$1$((i+1))$2"; done; }
gz() { [ ! -e "$1" ] || gzip -n "$1"; }
copy() { [ ! -e "$1" ] || cp "$1" "$2"; }
packed() { [ ! -e "$1" ] || { gzip -c "$1" >"$1.tmp"; mv "$1.tmp" "$1.gz"; rm "$1"; }; }
to_zstd() { [ ! -e "$1" ] || zstd -q --rm "$1"; }
unknown() { [ ! -e "$1" ] || { xz --format=raw -c "$1" >"$2"; rm "$1"; }; }
ruby_header() { echo '# Logfile created on 2026-01-01 00:00:00 +0000 by logger.rb/v1.5.0'; }
link() { ln -s "$2" "$1.new"; mv -T "$1.new" "$1"; }
"#;

/// Runs a script and returns the live file.
fn run_script(folder: &Path, moves: &str, live: &str, rotation: usize) -> Result<PathBuf> {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{WORDS}\nn={rotation}\n{moves}\nprintf %s {live}")])
        .current_dir(folder.join("log"));
    let name = run(&mut command)?;
    Ok(folder.join("log").join(name))
}

/// The use that a writer makes of its open file after a rotation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reopen {
    /// Writes one more line, then opens the new file.
    Late,
    AtOnce,
    Never,
}

/// When a rotation is possible.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Always,
    /// At the beginning of each period of this many seconds.
    Seconds(u64),
}

impl Clock {
    fn wait(self) -> Result<()> {
        if let Clock::Seconds(period) = self {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            let period = Duration::from_secs(period).as_nanos();
            let left = u64::try_from(period - now.as_nanos() % period)?;
            // time() may be behind by a tick of the kernel.
            sleep(Duration::from_nanos(left) + Duration::from_millis(50));
        }
        Ok(())
    }
}

/// A program among those that `install_missing.sh` has unpacked.
pub fn unpacked(program: &str) -> PathBuf {
    programs::checkout().join("target/rotators").join(program)
}

fn in_folder(command: &[String], folder: &Path) -> Result<Command> {
    let words: Vec<String> = command
        .iter()
        .map(|word| word.replace("{}", &folder.display().to_string()))
        .collect();
    let (program, args) = words.split_first().context("an empty command")?;
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(folder)
        .env("LD_LIBRARY_PATH", unpacked("usr/lib/x86_64-linux-gnu"))
        .env("PYTHONPATH", unpacked("usr/lib/python3/dist-packages"))
        .env(
            "NODE_PATH",
            programs::checkout().join("target/node/rotators/node_modules"),
        )
        .stderr(Stdio::inherit());
    Ok(command)
}

pub enum Writer {
    Program {
        child: Child,
        input: Option<ChildStdin>,
        clock: Clock,
    },
    File {
        folder: PathBuf,
        file: File,
        rotate: Rotate,
        rotation: usize,
        reopen: Reopen,
        clock: Clock,
    },
}

impl Rotator {
    /// A program that rotates when a period begins, whatever else happens.
    pub fn has_clock(&self) -> bool {
        matches!(self, Rotator::Program { clock, .. } if *clock != Clock::Always)
    }

    pub fn start(&self, folder: &Path) -> Result<Writer> {
        Ok(match self {
            Rotator::Program { command, clock } => {
                let mut child = in_folder(command, folder)?
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .spawn()
                    .with_context(|| format!("cannot start {command:?}; did make missing-test run?"))?;
                Writer::Program {
                    input: child.stdin.take(),
                    child,
                    clock: *clock,
                }
            }
            Rotator::File {
                rotate,
                reopen,
                clock,
            } => {
                let live = match rotate {
                    Rotate::Imitation(imitate) => imitate(folder, 0)?,
                    Rotate::Script(moves, live) => run_script(folder, moves, live, 0)?,
                    _ => folder.join("log/app.log"),
                };
                if let Rotate::Logrotate(options) = rotate {
                    let options = options.replace("{}", &folder.display().to_string());
                    let files = format!("{}/log/app.log {{\n{options}\n}}\n", folder.display());
                    fs::write(folder.join("logrotate.conf"), files)?;
                }
                Writer::File {
                    file: File::options().create(true).append(true).open(live)?,
                    folder: folder.to_path_buf(),
                    rotate: rotate.clone(),
                    rotation: 0,
                    reopen: *reopen,
                    clock: *clock,
                }
            }
        })
    }
}

impl Writer {
    pub fn write(&mut self, line: &str) -> Result<()> {
        match self {
            Writer::Program { input, .. } => {
                let input = input.as_mut().context("it has no input")?;
                input.write_all(line.as_bytes())?;
                input.flush()?;
            }
            Writer::File { file, .. } => file.write_all(line.as_bytes())?,
        }
        Ok(())
    }

    /// Rotates, or lets the program rotate. Returns true when `late` was written to the old file.
    pub fn rotate(&mut self, late: &str) -> Result<bool> {
        let Writer::File {
            folder,
            file,
            rotate,
            rotation,
            reopen,
            clock,
        } = self
        else {
            if let Writer::Program { clock, .. } = self {
                clock.wait()?;
            }
            return Ok(false);
        };
        clock.wait()?;
        *rotation += 1;
        let mut live = folder.join("log/app.log");
        match rotate {
            Rotate::Logrotate(_) => {
                run(Command::new("/usr/sbin/logrotate")
                    .args(["-f", "-s"])
                    .arg(folder.join("logrotate.state"))
                    .arg(folder.join("logrotate.conf"))
                    .current_dir(&folder))?;
            }
            Rotate::Command(command) => {
                run(&mut in_folder(command, folder)?)?;
            }
            Rotate::Imitation(imitate) => live = imitate(folder, *rotation)?,
            Rotate::Script(moves, name) => live = run_script(folder, moves, name, *rotation)?,
        }
        let is_late = *reopen == Reopen::Late;
        if is_late {
            file.write_all(late.as_bytes())?;
        }
        if *reopen != Reopen::Never {
            *file = File::options().create(true).append(true).open(live)?;
        }
        Ok(is_late)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Writer::Program { child, input, .. } = self {
            // The end of the input ends each of these programs, unless its processor fails again
            // and again.
            drop(input.take());
            let _ = wait_until(SOON, "the end of the program", || Ok(child.try_wait()?.is_some()));
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a command and returns its output.
fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
