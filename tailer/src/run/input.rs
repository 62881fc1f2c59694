//! Reads a pipe or the journal piece by piece in a thread of its own, because a read can block
//! for ever.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::cli::Pipe;
use crate::failure::Failure;

/// As much as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// The pipe, and its name in the database. A FIFO that is followed is held open for writing too, so
/// that it does not end with its writer.
pub(super) fn open(pipe: &Pipe, once: bool) -> Result<(File, PathBuf), Failure> {
    let (opened, path) = match pipe {
        Pipe::StandardInput => (
            io::stdin().as_fd().try_clone_to_owned().map(File::from),
            PathBuf::from("-"),
        ),
        Pipe::Fifo(path) => (
            OpenOptions::new().read(true).write(!once).open(path),
            path.clone(),
        ),
        Pipe::Journal => return Err(Failure::Internal("the journal is no file".to_owned())),
    };
    match opened {
        Ok(file) => Ok((file, path)),
        Err(error) => Err(Failure::NoInput(format!("{}: {error}", path.display()))),
    }
}

/// Reads in a thread of its own, for a read can take forever. One piece is on its way at most; an
/// empty one is the end.
pub(super) fn pieces(mut file: File) -> Result<Receiver<io::Result<Vec<u8>>>, Failure> {
    let (sender, receiver) = sync_channel(0);
    thread::Builder::new()
        .name("pipe".to_owned())
        .spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                let piece = match file.read(&mut buffer) {
                    Ok(count) => Ok(buffer[..count].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_end = piece.as_ref().map_or(true, Vec::is_empty);
                if sender.send(piece).is_err() || is_end {
                    return;
                }
            }
        })
        .map_err(|error| Failure::Internal(format!("thread: {error}")))?;
    Ok(receiver)
}
