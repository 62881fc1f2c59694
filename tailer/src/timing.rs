//! Every constant of time, each with its reason.

use std::time::Duration;

/// Files are looked at this often even when nothing says that they changed: inotify may be silent,
/// and a line is stored within 1 s.
pub const POLL: Duration = Duration::from_millis(250);
/// Rounds that find nothing to read take one part in so many of the time at most: with ten thousand
/// files each costs milliseconds.
pub const ROUND_SHARE: u32 = 128;
/// Files are looked at this often however much a round costs.
pub const LONGEST_POLL: Duration = Duration::from_millis(500);
/// Directories are listed this often even when nothing says that they changed.
pub const LOOK: Duration = Duration::from_secs(1);
/// Looks take one part in so many of the time at most, as long as nothing says that something
/// changed: with ten thousand files each costs tens of milliseconds.
pub const LOOK_SHARE: u32 = 96;
/// The same while names change: then a look is urgent.
pub const BUSY_LOOK_SHARE: u32 = 4;
/// A writer's next lines often follow at once: one look for all of them.
pub const GATHER: Duration = Duration::from_millis(1);
/// The first line after a silence of this length is looked at at once: it costs one look more.
pub const SILENCE: Duration = Duration::from_millis(20);
/// The first pause between two tries to reach the database: a restart of PostgreSQL takes about
/// that long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause: the delay that a long outage may add.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Records of several files are stored together. Those of the first one wait this long at most.
pub const TOGETHER: Duration = Duration::from_millis(10);
/// An offset without records moves when it is this old, so that a restart does not read much again.
pub const UNSTORED: Duration = Duration::from_secs(5);
/// A record of one plain line waits this long for a line that continues it: a trace is mostly one
/// write, or several without a pause.
pub const SHORT_WAIT: Duration = Duration::from_micros(1500);
/// A record with continuation lines waits this long: traces come in bursts.
pub const LONG_WAIT: Duration = Duration::from_secs(1);
/// A new file waits this long for the last record of the one before it, which may go on here.
pub const ADOPTION: Duration = Duration::from_secs(10);
/// With --once a trace whose last line is unfinished is left to the next run while the file is this
/// young.
pub const STILL_WRITTEN: Duration = Duration::from_secs(5);
/// A copy that has not been written to for this long is whole.
pub const COPYING: Duration = Duration::from_secs(10);
/// A file that is nowhere for this long was deleted: during renames a directory may not show all of
/// its files.
pub const MISSING: Duration = Duration::from_secs(3);
/// A directory's time of change proves that nothing changed only when it is this much older than
/// the listing.
pub const RACY: Duration = Duration::from_secs(2);
/// Earlier proofs, by which a copy that ends before the position is recognised, are this far apart.
pub const PAST_STEP: Duration = Duration::from_millis(200);
/// A run that is told to stop has this long; the next one can do again what this one does not
/// finish.
pub const GRACE: Duration = Duration::from_secs(1);
/// A pipe's last bytes are waited for this long when the run is told to stop.
pub const LAST_BYTES: Duration = Duration::from_millis(50);
/// A quiet tailer sends a heartbeat this often; the status calls a source silent much later.
pub const QUIET_BEAT: Duration = Duration::from_secs(30);
/// A busy tailer sends one at most this often.
pub const BUSY_BEAT: Duration = Duration::from_secs(5);
