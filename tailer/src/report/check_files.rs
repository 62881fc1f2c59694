//! The part of `--check` that looks at the inputs.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::finding::Finding;
use super::permission;
use crate::cli::{Options, Pipe, fixed_part};
use crate::failure::Failure;
use crate::source::inputs::{Inputs, Seen};

pub fn findings(options: &Options) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    match &options.pipe {
        Some(Pipe::StandardInput) => findings.push(Finding::Good("standard input is read".to_owned())),
        Some(Pipe::Journal) => findings.push(check_journal()),
        Some(Pipe::Fifo(path)) => {
            findings.push(
                open(path)
                    .map(|_| format!("{}: a pipe, readable", path.display()))
                    .into(),
            );
        }
        None => {
            for input in &options.inputs {
                findings.extend(check_input(input, options)?);
            }
            findings.extend(options.source_note().map(Finding::Note));
        }
    }
    Ok(findings)
}

/// Reads one line of the journal. A user who may not read it sees an empty one, or his own lines.
fn check_journal() -> Finding {
    let output = Command::new("journalctl")
        .args(["--lines=1", "--output=cat", "--no-pager"])
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return bad(format!("cannot start journalctl: {error}; install systemd")),
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.split_whitespace().collect::<Vec<_>>().join(" ");
    let how = format!("type: {}", permission::join_group("systemd-journal"));
    match (output.status.success(), complaint.is_empty()) {
        (true, true) if output.stdout.is_empty() => {
            Finding::Note("the journal has no lines that this user may read".to_owned())
        }
        (true, true) => Finding::Good("journalctl reads the journal".to_owned()),
        (true, false) => Finding::Note(format!("journalctl: {complaint}; {how}")),
        (false, _) => bad(format!("journalctl: {complaint}; {how}")),
    }
}

fn check_input(input: &Path, options: &Options) -> Result<Vec<Finding>, Failure> {
    let mut inputs = Inputs::new(&[input.to_path_buf()], &options.exclude, &options.rotated_to)?;
    let (seen, problems) = inputs.look();
    let refused: Vec<Finding> = problems
        .iter()
        .map(|(path, problem)| refused(path, problem))
        .collect();
    if seen.is_empty() && refused.is_empty() {
        return Ok(vec![absent(input, inputs.names().next().is_none(), options.once)]);
    }
    Ok(seen.iter().map(check_file).chain(refused).collect())
}

/// Returns a problem of the look-up, with what to type where a permission is the reason.
fn refused(path: &Path, problem: &impl Display) -> Finding {
    match open(path) {
        Err(failure) => Finding::Bad(failure),
        Ok(_) => bad(format!("{}: {problem}", path.display())),
    }
}

/// Returns why an input gives no file. A file that is missing is no failure for a tailer that
/// waits.
fn absent(input: &Path, is_pattern: bool, once: bool) -> Finding {
    let shown = input.display();
    let why = if is_pattern {
        match fs::read_dir(fixed_part(input)) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Finding::Bad(unreadable(&fixed_part(input), &error));
            }
            _ => format!("no file matches \"{shown}\""),
        }
    } else {
        match fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => {
                return bad(format!(
                    "{shown} is a directory; name its files, as in '{shown}/*.log'"
                ));
            }
            Ok(_) => return bad(format!("{shown} is neither a plain file nor a pipe")),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Finding::Bad(unreadable(input, &error));
            }
            Err(error) => format!("{shown}: {error}"),
        }
    };
    if once {
        bad(format!("{why}; --once exits with 66 until there is one"))
    } else {
        Finding::Note(format!(
            "{why}; a tailer that follows waits for it, --once exits with 66"
        ))
    }
}

fn bad(text: String) -> Finding {
    Finding::Bad(Failure::NoInput(text))
}

fn check_file(seen: &Seen) -> Finding {
    let path = seen.path.display();
    open(&seen.path)
        .and_then(|mut file| {
            file.read(&mut [0])
                .map_err(|error| unreadable(&seen.path, &error))
        })
        .map(|_| format!("{path}: {} bytes, readable", seen.size))
        .into()
}

/// Opens without waiting for the writer of a pipe.
fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => format!("; {}", permission::hint(path)),
        _ => String::new(),
    };
    Failure::NoInput(format!("{}: {error}{hint}", path.display()))
}
