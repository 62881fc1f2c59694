//! The sender: a thread in which notifications are sent, so that the process itself never waits for a mail server.
//!
//! The thread touches no PostgreSQL and has all signals blocked: a signal handler on the wrong thread would take the server down.
//! It reports over a channel and wakes the process with SIGUSR1, whose handler in every backend sets the process's latch.

use std::sync::mpsc::{Receiver, Sender as Reports, channel};
use std::time::{Duration, Instant};

use crate::channel::{Channel, EmailChannel, Ended, Notification, Outcome, WebhookChannel};
use crate::settings;

/// A step that takes longer than this is given up; its notification is tried again later.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(55);

/// Notifications on their way.
pub struct InFlight {
    /// Ids and Message-IDs.
    waiting: Vec<(i64, String)>,
    results: Receiver<Ended>,
    last_progress: Instant,
}

impl InFlight {
    /// Starts a thread that sends these notifications one after the other, by the settings as they are now.
    pub fn start(notifications: Vec<Notification>) -> Self {
        let mut routes = Routes::from_settings();
        let waiting = notifications
            .iter()
            .map(|notification| (notification.id, notification.message_id.clone()))
            .collect();
        let (reports, results) = channel();
        let started = with_signals_blocked(|| {
            std::thread::Builder::new()
                .name("logwatch sender".to_owned())
                .spawn(move || send_all(notifications, &mut routes, &reports))
        });
        // Where no thread can be had, its end of the channel is gone, and the notifications are given up for now.
        drop(started);
        Self {
            waiting,
            results,
            last_progress: Instant::now(),
        }
    }

    /// What has come to an end since the last call; never waits.
    pub fn collect(&mut self) -> Vec<Ended> {
        let mut ended: Vec<Ended> = self.results.try_iter().collect();
        if !ended.is_empty() {
            self.last_progress = Instant::now();
        }
        self.waiting
            .retain(|(id, _)| !ended.iter().any(|done| done.id == *id));
        if self.last_progress.elapsed() > LONGEST_ATTEMPT {
            let given_up = Outcome::retry(format!("no answer for {} s", LONGEST_ATTEMPT.as_secs()));
            ended.extend(self.waiting.drain(..).map(|(id, message_id)| Ended {
                id,
                message_id,
                outcome: given_up.clone(),
            }));
        }
        ended
    }

    pub fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The channels that wait for the network, each as far as its settings can work.
struct Routes {
    email: Result<EmailChannel, String>,
    webhook: Result<WebhookChannel, String>,
}

impl Routes {
    fn from_settings() -> Self {
        Self {
            email: settings::email()
                .map(EmailChannel::new)
                .map_err(|why| why.to_string()),
            webhook: settings::webhook()
                .map(WebhookChannel::new)
                .map_err(|why| why.to_string()),
        }
    }

    /// Settings that cannot work end an attempt at once, to be repeated when they may have been mended.
    fn deliver(&mut self, notification: &Notification) -> Outcome {
        fn through<C: Channel>(route: &mut Result<C, String>, notification: &Notification) -> Outcome {
            match route {
                Ok(channel) => channel.deliver(notification),
                Err(why) => Outcome::retry(why.clone()),
            }
        }
        match notification.channel.as_str() {
            "email" => through(&mut self.email, notification),
            "webhook" => through(&mut self.webhook, notification),
            other => Outcome::failed(format!("unknown channel \"{other}\"")),
        }
    }
}

fn send_all(notifications: Vec<Notification>, routes: &mut Routes, reports: &Reports<Ended>) {
    for notification in notifications {
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| routes.deliver(&notification)))
                .unwrap_or_else(|_| Outcome::retry("the sender panicked, see the server log"));
        if reports.send(notification.ended(outcome)).is_err() {
            // Nobody waits any more; the rest is sent by whoever finds the lease expired.
            return;
        }
        wake_process();
    }
}

/// Sets the latch of this process, by the one way that is open to a thread.
fn wake_process() {
    // SAFETY: kill(2) with our own pid; all other threads block the signal, so that the main thread handles it.
    unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
}

/// Runs `spawn` so that the thread it starts inherits a mask with every signal blocked.
fn with_signals_blocked<R>(spawn: impl FnOnce() -> R) -> R {
    // SAFETY: sigset_t is plain data that sigfillset initialises; the old mask is restored on the same thread.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut old);
        let result = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, std::ptr::null_mut());
        result
    }
}
