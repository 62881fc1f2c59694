//! Waiting for a condition with a limit: the only way in which a test may let time pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Time between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Waits until `probe` gives a value and returns it. An error names `what` was waited for;
/// `probe`'s own errors count as "not yet", the last one is told.
pub fn wait_for<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        let outcome = probe();
        if let Ok(Some(value)) = outcome {
            return Ok(value);
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            bail!("interrupted while waiting for {what}");
        }
        if started.elapsed() >= limit {
            match outcome {
                Err(error) => bail!("waited {limit:?} in vain for {what}; the last error was: {error:#}"),
                Ok(_) => bail!("waited {limit:?} in vain for {what}"),
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits until `probe` says true.
pub fn wait_until(limit: Duration, what: &str, mut probe: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_for(limit, what, || Ok(probe()?.then_some(())))
}

/// Checks for the whole of `time` that `probe` stays true: for what must *not* happen.
pub fn stays(time: Duration, what: &str, mut probe: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < time {
        if !probe()? {
            bail!("{what} was no longer so after {:?}", started.elapsed());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Ends all waits of this process at their next look. Everything that a harness object started is
/// then stopped by the normal unwinding of its owner.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Whether [`interrupt`] was called: nothing new is to be begun.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
