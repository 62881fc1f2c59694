//! How catching up goes: a bar on a terminal, lines elsewhere. Nothing here knows what is read.

use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, HumanDuration, ProgressBar, ProgressStyle};

/// Less than this is read before anyone could look at a bar.
const MUCH: u64 = 64 * 1024 * 1024;
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The bar that is shown, for those who write to standard error meanwhile.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes to standard error without disturbing the bar.
pub fn beside<T>(write: impl FnOnce() -> T) -> T {
    let bar = SHOWN.lock().map(|shown| shown.clone()).unwrap_or_default();
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Nothing,
    Bar,
    Lines,
}

pub struct Progress {
    style: Style,
    /// Less than this to read is not worth showing.
    much: u64,
    /// Read since it was last caught up.
    read: u64,
    since: Instant,
    next: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `wanted`: asked for, and shown however little there is to read. Else only on a terminal, for
    /// much.
    pub fn new(wanted: bool) -> Progress {
        let now = Instant::now();
        Progress {
            style: match (wanted, io::stderr().is_terminal()) {
                (_, true) => Style::Bar,
                (true, false) => Style::Lines,
                (false, false) => Style::Nothing,
            },
            much: if wanted { 1 } else { MUCH },
            read: 0,
            since: now,
            next: now,
            bar: None,
        }
    }

    pub fn count(&mut self, bytes: u64) {
        self.read += bytes;
    }

    /// Shows how it stands, if it is time to. `behind` says how many bytes are left to read.
    pub fn show(&mut self, behind: impl FnOnce() -> u64) {
        if self.style != Style::Nothing && Instant::now() >= self.next {
            self.show_now(behind());
        }
    }

    /// All that is there was read.
    pub fn caught_up(&mut self) {
        if self.style == Style::Lines && self.read >= self.much {
            self.say(0);
        }
        if let Some(bar) = self.bar.take() {
            if let Ok(mut shown) = SHOWN.lock() {
                *shown = None;
            }
            bar.finish_and_clear();
        }
        self.read = 0;
        self.since = Instant::now();
        self.next = self.since;
    }

    fn show_now(&mut self, behind: u64) {
        let now = Instant::now();
        if self.style == Style::Lines {
            if self.read > 0 && behind >= self.much {
                self.say(behind);
            }
            self.next = now + LINE_EVERY;
            return;
        }
        self.next = now + BAR_EVERY;
        if self.bar.is_none() && behind >= self.much {
            let bar = ProgressBar::new(behind);
            bar.set_style(style());
            if let Ok(mut shown) = SHOWN.lock() {
                *shown = Some(bar.clone());
            }
            self.read = 0;
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_length(self.read + behind);
            bar.set_position(self.read);
        }
    }

    fn say(&self, behind: u64) {
        let seconds = self.since.elapsed().as_secs_f64().max(0.001);
        let rate = self.read as f64 / seconds;
        let left = Duration::from_secs_f64(behind as f64 / rate.max(1.0));
        eprintln!(
            "logwatch-tailer: {} of {} read, {}/s, {} left",
            BinaryBytes(self.read),
            BinaryBytes(self.read + behind),
            BinaryBytes(rate as u64),
            HumanDuration(left)
        );
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.style = Style::Nothing;
        self.caught_up();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{wide_bar} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}
