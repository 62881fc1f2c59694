//! Wakes the loop early: for a signal, or for a notification of the file system.
//!
//! Polling is the truth, this only makes it quicker: inotify is silent on network file systems,
//! runs out of watches and drops events, and none of that may cost a line. So every failure here is
//! a remark, never an error.

use std::cell::Cell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::timing::{GATHER, GRACE, SILENCE};

const QUEUE: usize = 1024;

enum Word {
    Grown(PathBuf),
    Names,
    Stop,
}

/// Why the wait ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// A file came, went or was renamed.
    pub names: bool,
    /// Some file of a watched directory was written to.
    pub grown: HashSet<PathBuf>,
}

pub struct Waker {
    sender: SyncSender<Word>,
    receiver: Receiver<Word>,
    stopping: Arc<AtomicBool>,
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    /// When something last happened.
    last: Cell<Option<Instant>>,
}

impl Waker {
    pub fn new() -> Waker {
        let (sender, receiver) = sync_channel(QUEUE);
        Waker {
            sender,
            receiver,
            stopping: Arc::default(),
            watcher: None,
            watched: HashSet::new(),
            last: Cell::default(),
        }
    }

    /// When the time is over the loop ends, and after `GRACE` the process: a call to the database,
    /// or opening a FIFO, may never return.
    pub fn heed_limit(&self, limit: Duration) -> std::io::Result<()> {
        let is_over = move || {
            thread::sleep(limit);
            true
        };
        self.end_after("limit", is_over, || {
            let failure = Failure::Unreachable(
                "--max-runtime is over, and something is still waited for; what is not stored yet is left to the next run".to_owned(),
            );
            log::error!("{failure}");
            failure.status()
        })
    }

    /// From now on SIGTERM and SIGINT end the loop, and after `GRACE` the process.
    pub fn heed_signals(&self) -> std::io::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        self.end_after("signals", move || signals.forever().next().is_some(), || 0)
    }

    fn end_after(
        &self,
        name: &str,
        wait: impl FnOnce() -> bool + Send + 'static,
        status: impl FnOnce() -> u8 + Send + 'static,
    ) -> std::io::Result<()> {
        let (stopping, sender) = (Arc::clone(&self.stopping), self.sender.clone());
        let end = move || {
            if wait() {
                stopping.store(true, Ordering::Relaxed);
                // A full queue wakes the loop just as well.
                let _ = sender.try_send(Word::Stop);
                thread::sleep(GRACE);
                std::process::exit(status().into());
            }
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(end)
            .map(|_| ())
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Watches the directories, as far as the system lets it.
    pub fn watch<'a>(&mut self, directories: impl Iterator<Item = &'a PathBuf>) {
        for directory in directories {
            if self.watched.contains(directory) || !directory.is_dir() {
                continue;
            }
            if self.watcher.is_none() {
                let sender = self.sender.clone();
                match notify::recommended_watcher(move |event| tell(&sender, event)) {
                    Ok(watcher) => self.watcher = Some(watcher),
                    Err(error) => log::info!("no file notifications, polling only: {error}"),
                }
            }
            if let Some(watcher) = &mut self.watcher
                && let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive)
            {
                log::info!(
                    "no notifications for {}, polling only: {error}",
                    directory.display()
                );
            }
            self.watched.insert(directory.clone());
        }
    }

    /// A directory that was removed and made again needs a new watch.
    pub fn forget(&mut self, gone: impl Fn(&Path) -> bool) {
        self.watched.retain(|directory| {
            let keep = !gone(directory);
            if !keep && let Some(watcher) = &mut self.watcher {
                let _ = watcher.unwatch(directory);
            }
            keep
        });
    }

    /// Waits until something happens, at most for `limit`.
    pub fn wait(&self, limit: Duration) -> Woken {
        let mut woken = Woken::default();
        if self.is_stopping() {
            return woken;
        }
        let mut until = Instant::now() + limit;
        let mut gathering = false;
        loop {
            match self
                .receiver
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(Word::Stop) => return woken,
                Ok(Word::Names) => woken.names = true,
                Ok(Word::Grown(path)) => {
                    woken.grown.insert(path);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return woken,
            }
            let now = Instant::now();
            let last = self.last.replace(Some(now));
            if !gathering {
                gathering = true;
                until = until.min(now + gather(last, now));
            }
        }
    }
}

/// Returns how long to wait for more once something has happened, after the `last` that happened.
fn gather(last: Option<Instant>, now: Instant) -> Duration {
    match last {
        Some(last) if now.duration_since(last) < SILENCE => GATHER,
        _ => Duration::ZERO,
    }
}

fn tell(sender: &SyncSender<Word>, event: notify::Result<Event>) {
    // When the queue is full the loop is awake anyway, and looks at everything within its poll.
    let _ = match event {
        Ok(event) => match event.kind {
            EventKind::Modify(notify::event::ModifyKind::Data(_)) => event
                .paths
                .into_iter()
                .try_for_each(|path| sender.try_send(Word::Grown(path))),
            // Opening and closing, ours too.
            EventKind::Access(_) => Ok(()),
            // A change of times or rights, or a kind that the system does not tell.
            EventKind::Modify(notify::event::ModifyKind::Metadata(_)) => Ok(()),
            _ => sender.try_send(Word::Names),
        },
        Err(_) => sender.try_send(Word::Names),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_first_line_after_a_silence_is_looked_at_at_once() {
        let now = Instant::now();
        assert_eq!(gather(None, now), Duration::ZERO);
        assert_eq!(gather(Some(now - SILENCE / 2), now), GATHER);
        assert_eq!(gather(Some(now - SILENCE), now), Duration::ZERO);
    }

    #[test]
    fn writing_and_renaming_wake_the_loop_and_reading_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut file = std::fs::File::create(&path).unwrap();
        let mut waker = Waker::new();
        waker.watch([directory.path().to_path_buf()].iter());
        if waker.watcher.is_none() {
            return;
        }
        file.write_all(b"x\n").unwrap();
        assert!(waker.wait(Duration::from_secs(10)).grown.contains(&path));
        std::fs::read(&path).unwrap();
        assert_eq!(waker.wait(Duration::from_millis(50)), Woken::default());
        std::fs::rename(&path, directory.path().join("b.log")).unwrap();
        assert!(waker.wait(Duration::from_secs(10)).names);
    }
}
