//! How a file grows, by which it is judged whether a truncation took bytes that nobody read.

use std::time::{Duration, Instant};

use crate::source::inputs::Mark;

/// A writer on a busy machine pauses this long although it is not done.
const LULL: Duration = Duration::from_millis(500);

/// How a file grows.
pub struct Growth {
    /// When it last grew.
    pub at: Instant,
    pub size: u64,
    /// Size and time of the last change at the last look; `None`: look again.
    pub looked: Option<Mark>,
    /// It was read to the end at least once.
    pub is_drained: bool,
    /// When all that was there had been read last.
    pub ended_at: Option<Instant>,
    grown: Option<Grown>,
    /// Since when the boundary is ahead of what is stored.
    pub unstored_since: Option<Instant>,
}

/// The last time when there was more to read than before.
struct Grown {
    at: Instant,
    /// Time since the time before. It may have grown more often when each look saw it grow.
    since_before: Option<Duration>,
    /// The shorter of this time and the one before it: a busy machine may have made one look late.
    pace: Option<Duration>,
    is_steady: bool,
}

impl Growth {
    pub fn new() -> Growth {
        Growth {
            at: Instant::now(),
            size: 0,
            looked: None,
            is_drained: false,
            ended_at: None,
            grown: None,
            unstored_since: None,
        }
    }

    /// All that is there was read.
    pub fn end(&mut self, now: Instant) {
        if self.ended_at.is_none_or(|before| self.at > before) {
            let before = self.grown.as_ref().map(|grown| grown.at);
            let earlier = self.grown.as_ref().and_then(|grown| grown.since_before);
            let since_before = before.map(|before| now.duration_since(before));
            self.grown = Some(Grown {
                at: now,
                since_before,
                pace: since_before.map(|since| earlier.map_or(since, |earlier| since.min(earlier))),
                is_steady: before.is_some() && before == self.ended_at,
            });
        }
        self.ended_at = Some(now);
        self.is_drained = true;
    }

    /// Returns true when at its pace the file has grown since the last look at it.
    pub fn is_likely_to_have_gone_on(&self) -> bool {
        let (Some(ended_at), Some(grown)) = (self.ended_at, &self.grown) else {
            return false;
        };
        let idle = ended_at.duration_since(grown.at);
        grown.is_steady && idle.is_zero()
            || grown
                .pace
                .is_some_and(|pace| idle < LULL.max(4 * pace) && ended_at.elapsed() >= pace / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the growth of a file that was looked at so many milliseconds ago, and grew at some
    /// of these looks.
    fn growth(looks: &[(u64, bool)]) -> Growth {
        let now = Instant::now();
        let mut growth = Growth::new();
        for (ago, has_grown) in looks {
            let at = now.checked_sub(Duration::from_millis(*ago)).unwrap();
            if *has_grown {
                growth.at = at;
            }
            growth.end(at);
        }
        growth
    }

    #[test]
    fn a_file_under_load_has_most_likely_gone_on_and_a_quiet_one_has_not() {
        for (looks, is_likely) in [
            // Each look saw it grow, so nobody knows how often it did.
            (&[(200, true), (100, true), (1, true)][..], true),
            // It grew each 100 ms, and 80 ms have passed since.
            (
                &[(300, true), (250, false), (200, true), (130, false), (80, true)],
                true,
            ),
            (
                &[(300, true), (250, false), (200, true), (150, false), (1, false)],
                false,
            ),
            // It grew each millisecond, and the last looks fell into a pause.
            (&[(203, true), (202, true), (201, false), (10, false)], true),
            // It grew each 10 ms, and one look came late.
            (
                &[
                    (500, true),
                    (495, false),
                    (490, true),
                    (485, false),
                    (90, true),
                    (80, false),
                ],
                true,
            ),
            // Quiet for long.
            (&[(5100, true), (5050, false), (5000, true), (100, false)], false),
            // Seen to grow once only.
            (&[(5000, true)], false),
            (&[], false),
        ] {
            assert_eq!(growth(looks).is_likely_to_have_gone_on(), is_likely, "{looks:?}");
        }
    }
}
