//! Reports to systemd by sd_notify(3): ready, status, watchdog, stopping. Sends nothing where no
//! systemd listens.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The status line is for people.
const STATUS_EVERY: Duration = Duration::from_secs(1);

pub struct Service {
    /// How often it must say that it lives; None: nobody asks.
    watchdog: Option<Duration>,
    beaten: Instant,
    ready: bool,
    status: String,
    next_status: Instant,
}

impl Service {
    pub fn new() -> Service {
        Service {
            // A third of what it is allowed: a round may take its time.
            watchdog: sd_notify::watchdog_enabled().map(|limit| limit / 3),
            beaten: Instant::now(),
            ready: false,
            status: String::new(),
            next_status: Instant::now(),
        }
    }

    /// The files are being read and the database takes what is found.
    pub fn ready(&mut self) {
        if !self.ready {
            self.ready = true;
            tell(NotifyState::Ready);
        }
    }

    /// Called in every round of the loop. `status` is asked for once a second at most.
    pub fn alive(&mut self, status: impl FnOnce() -> String) {
        let now = Instant::now();
        if let Some(every) = self.watchdog
            && now.duration_since(self.beaten) >= every
        {
            self.beaten = now;
            tell(NotifyState::Watchdog);
        }
        if now >= self.next_status {
            self.next_status = now + STATUS_EVERY;
            let status = status();
            if status != self.status {
                tell(NotifyState::Status(&status));
                self.status = status;
            }
        }
    }

    pub fn stopping(&self) {
        tell(NotifyState::Stopping);
    }
}

/// Nothing depends on being heard.
fn tell(state: NotifyState) {
    if let Err(error) = sd_notify::notify(&[state]) {
        log::debug!("cannot notify systemd: {error}");
    }
}
