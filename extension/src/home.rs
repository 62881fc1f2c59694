//! Whether the worker may check and send in its database: not on a copy of a server, and not while
//! a dump is being restored, whose tables it would see half filled.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::worker::{TickError, look, run};

/// How long no session of a restore may be seen before the restore counts as ended: `pg_restore -j`
/// ends its first session before it begins the others.
const QUIET: Duration = Duration::from_secs(5);
const FINISH: &CStr = c"logwatch: restored";

#[derive(Debug, Default)]
pub struct Home {
    standing: Standing,
    /// The extension that this is known of; a restore makes another one.
    extension: Option<pg_sys::Oid>,
    /// Since when no session of a restore has been seen.
    quiet_since: Option<Instant>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Unknown,
    /// Nothing but a reload, a restart or another extension can change that.
    AtHome,
    Copied(String),
}

impl Home {
    /// After a reload the answer may be another one.
    pub fn look_again(&mut self) {
        self.standing = Standing::Unknown;
    }

    /// Whether the last answer was yes.
    pub fn is_at_home(&self) -> bool {
        self.standing == Standing::AtHome
    }

    /// Whether a restore seems to have ended, so that the worker looks again soon.
    pub fn is_restored_soon(&self) -> bool {
        self.quiet_since.is_some()
    }

    pub fn may_serve(&mut self, extension: pg_sys::Oid) -> Result<bool, TickError> {
        if self.extension != Some(extension) {
            self.standing = Standing::Unknown;
            if !self.is_restored()? {
                return Ok(false);
            }
            self.extension = Some(extension);
        }
        if self.standing != Standing::AtHome {
            let words = look::<String>("SELECT logwatch_private.copy_words()")?;
            let standing = words.map_or(Standing::AtHome, Standing::Copied);
            if let Standing::Copied(words) = &standing
                && standing != self.standing
            {
                log!("logwatch worker: {words}");
            }
            self.standing = standing;
        }
        Ok(self.standing == Standing::AtHome)
    }

    /// Whether no restore is running; takes in what one has left to count.
    fn is_restored(&mut self) -> Result<bool, TickError> {
        if look("SELECT EXISTS (SELECT FROM logwatch_private.restoring)")? != Some(true) {
            return Ok(true);
        }
        if look::<String>("SELECT logwatch_private.restore_words()")?.is_some() {
            self.quiet_since = None;
            return Ok(false);
        }
        if self.quiet_since.get_or_insert_with(Instant::now).elapsed() < QUIET {
            return Ok(false);
        }
        run(FINISH, "SELECT logwatch_private.finish_restore()")?;
        self.quiet_since = None;
        Ok(true)
    }
}
