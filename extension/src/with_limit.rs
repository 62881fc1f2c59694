//! Runs what may hang, in a thread, and waits for it no longer than a limit: a dead mount must not
//! hold a server process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::sender::spawn;

/// A place whose calls may hang: while one hangs, the others are refused, so that threads do not
/// pile up.
pub struct Place(AtomicBool);

impl Place {
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Returns the result of `body`, or None when it takes longer than the limit or an earlier call
    /// still hangs. `body` runs to its end all the same, if it has one.
    pub fn run<T: Send + 'static>(
        &'static self,
        limit: Duration,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if self.0.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (results, result) = channel();
        let started = spawn("logwatch file", move || {
            let value = body();
            self.0.store(false, Ordering::Release);
            // Nobody waits for a result that comes too late.
            let _ = results.send(value);
        });
        if started.is_err() {
            self.0.store(false, Ordering::Release);
            return None;
        }
        result.recv_timeout(limit).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_hangs_is_left_behind_and_the_place_is_free_again_when_it_ends() {
        static PLACE: Place = Place::new();
        let (release, held) = mpsc::channel::<()>();
        let limit = Duration::from_millis(50);
        assert_eq!(PLACE.run(limit, move || held.recv().is_ok()), None);
        assert_eq!(PLACE.run(limit, || 1), None);
        release.send(()).unwrap();
        let again = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            PLACE.run(limit, || 2)
        });
        assert_eq!(again, Some(2));
    }
}
