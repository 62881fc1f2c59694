//! The background worker: one per server, on the database `logwatch.database`.
//!
//! A *tick* is a few short transactions: check, claim, record, maintain. Between ticks the worker
//! waits on its latch, which a commit of new batches sets; mail is sent in sender threads. An idle
//! tick only reads: it assigns no transaction id. An error ends a tick, never the worker; SIGTERM
//! ends the worker as it ends any backend, but between ticks it first records the messages that
//! have been sent. The worker waits half a second for another session's
//! lock and then tries later, so that DROP EXTENSION or ALTER TABLE waits for one of its short
//! transactions at most.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::prelude::*;

use crate::channel::Ended;
use crate::heartbeat::Heartbeat;
use crate::home::Home;
use crate::last_check::LastCheck;
use crate::outbox::Senders;
use crate::pg::TransactionError;
use crate::plans::plan;
use crate::waiting::Wake;
use crate::work::{SHORTEST_PAUSE, Work};
use crate::worker_error::Subject;
use crate::{
    catalog, last_check, outbox, pg, report, session, settings, upkeep, waiting, work, worker_error,
    worker_start,
};

/// How long the postmaster waits before it starts a worker that failed again.
const RESTART_AFTER: Duration = Duration::from_secs(5);
/// How soon it tries again after it gave up waiting for a lock.
const YIELD: Duration = Duration::from_secs(1);
/// How often maintenance runs: partitions, folding, retention.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);

/// How long messages under way may take before the worker disconnects for a pause.
const LAST_MESSAGES: Duration = Duration::from_secs(5);
/// How long they may take when the worker has to end: a reply that is on its way comes within it.
const LAST_REPLIES: Duration = Duration::from_millis(500);

/// Registers the worker; called by the postmaster only.
pub fn init() {
    BackgroundWorkerBuilder::new("logwatch worker")
        .set_type("logwatch worker")
        .set_function("logwatch_worker_main")
        .set_library("logwatch")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(RESTART_AFTER))
        .load();
}

/// The worker's main function. It never returns: an exit with code 0 would mean that it must not be
/// started again.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn logwatch_worker_main(_argument: pg_sys::Datum) {
    waiting::attach_worker_signals();
    session::pin_settings();
    worker_start::connect();
    // The signal of a reload between the fork and the handler was lost.
    pg::reload_config();
    let mut worker = Worker::default();
    worker.log_setting_problems();
    loop {
        let began = Instant::now();
        if BackgroundWorker::sighup_received() {
            pg::reload_config();
            worker.log_setting_problems();
            worker.retry = Retry::Reloaded;
            worker.home.look_again();
        }
        if worker_start::pause_left().is_some() {
            worker.leave();
        }
        worker.tick();
        let next = work::pause_after(began.elapsed(), worker.found_work, settings::check_interval());
        worker.wait(worker.longest_wait());
        // A wake in this pause is served by the next tick.
        while let Some(rest) = next.checked_sub(began.elapsed()).filter(|rest| !rest.is_zero()) {
            worker.wait(rest);
        }
    }
}

#[derive(Default)]
struct Worker {
    senders: Senders,
    /// Attempts that have ended and are not recorded yet. Nothing else is claimed meanwhile: it
    /// would be sent twice.
    unrecorded: Vec<Ended>,
    home: Home,
    /// The last tick had something to take in, to send or to record.
    found_work: bool,
    /// Another session's lock was in the way of the last tick.
    yielded: bool,
    /// Seconds until the next notification is due for which there is room.
    next_delivery: Option<f64>,
    checked: LastCheck,
    /// No pattern is of an earlier masking: before that, checks renew them, step by step. An
    /// upgrade starts another worker.
    renewed: bool,
    /// Batches that the last check left for the next one.
    left: i64,
    /// The last check took only a part of the batches. The rest must not wait for a commit.
    has_backlog: bool,
    heartbeat: Heartbeat,
    maintained: Option<Instant>,
    retry: Retry,
    /// The last lines about settings and failed ticks in the server log: none is written twice in a
    /// row.
    logged_settings: Vec<String>,
    logged_tick: Option<String>,
    logged_file: Option<String>,
    logged_upkeep: Option<String>,
    /// Why a part of the last upkeep could not even record that it failed.
    upkeep_error: Option<String>,
}

/// After a reload, failed notifications are tried again at once: the settings may have been
/// corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Retry {
    #[default]
    None,
    /// The settings were read again.
    Reloaded,
    /// Attempts by older settings have yet to end.
    WhenEnded,
}

/// Whether the extension can be served in this database.
enum Installed {
    /// With the extension's oid.
    Yes(pg_sys::Oid),
    No,
    OtherVersion(String),
}

/// Why a tick was not completed.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(
        "the library is version {library}, the extension {0}; type: ALTER EXTENSION logwatch UPDATE; and restart \
         the server if it was not restarted after the new files were installed",
        library = env!("CARGO_PKG_VERSION")
    )]
    OtherVersion(String),
}

impl From<spi::Error> for TickError {
    fn from(why: spi::Error) -> Self {
        Self::Transaction(why.into())
    }
}

impl Worker {
    fn wait(&mut self, limit: Duration) {
        pg::report_statistics();
        if waiting::wait_idle(limit) == Wake::Terminated {
            self.finish(LAST_REPLIES);
            waiting::end();
        }
    }

    /// Disconnects for a pause.
    fn leave(&mut self) -> ! {
        self.finish(LAST_MESSAGES);
        pg::leave()
    }

    /// Lets messages under way end and records them, so that none is sent twice.
    fn finish(&mut self, limit: Duration) {
        let began = Instant::now();
        while !self.senders.is_idle() && began.elapsed() < limit {
            if waiting::wait_idle(Duration::from_millis(100)) == Wake::Terminated {
                break;
            }
            self.unrecorded.extend(self.senders.collect());
        }
        self.unrecorded.extend(self.senders.collect());
        if let Err(why) = self.record() {
            log!("logwatch worker: {why}");
        }
    }

    fn tick(&mut self) {
        let mut served = false;
        self.found_work = true;
        let error = match pg::transaction(c"logwatch: look", installed) {
            Ok(Installed::Yes(extension)) => {
                let error = self.serve_at_home(extension).err();
                served = error.is_none() && self.home.is_at_home();
                error
            }
            Ok(Installed::No) => {
                self.unrecorded.clear();
                self.checked = LastCheck::default();
                None
            }
            Ok(Installed::OtherVersion(version)) => Some(TickError::OtherVersion(version)),
            Err(why) => Some(why.into()),
        };
        self.yielded = matches!(error, Some(TickError::Transaction(TransactionError::Locked)));
        let error = error.filter(|_| !self.yielded).map(|error| error.to_string());
        let error = error.or_else(|| self.upkeep_error.clone());
        worker_error::set(Subject::Tick, error.as_deref());
        served &= error.is_none() && !self.checked.is_overdue();
        log_change(&mut self.logged_tick, error);
        self.log_overdue();
        self.heartbeat.follow(served);
    }

    /// Does nothing on a copy of a server, nor while a dump is being restored.
    fn serve_at_home(&mut self, extension: pg_sys::Oid) -> Result<(), TickError> {
        if self.home.may_serve(extension)? {
            return self.serve();
        }
        self.checked = LastCheck::default();
        self.unrecorded.extend(self.senders.collect());
        self.record()
    }

    /// Runs each part, whatever became of the others; returns the first error.
    fn serve(&mut self) -> Result<(), TickError> {
        let mut looked = work::find();
        let tended = if Work::of(&looked).fleet {
            work::tend_fleet()
        } else {
            Ok(false)
        };
        if matches!(tended, Ok(true)) {
            looked = work::find();
        }
        let work = Work::of(&looked);
        self.found_work = work.news;
        let checked = self.check(work);
        let delivered = self.deliver(work.deliveries || !matches!(checked, Ok(false)));
        let written = self.write_alert_file();
        let maintained = self.maintain();
        tended?;
        checked?;
        delivered?;
        written?;
        maintained?;
        looked.map(|_| ())
    }

    /// Evaluates the rules when there is something to evaluate; returns whether it did. Both count
    /// as a check, unless another session has the turn.
    fn check(&mut self, work: Work) -> Result<bool, TickError> {
        let began = Instant::now();
        self.has_backlog = false;
        let is_due = work.changes
            || !self.renewed
            || work.announcements
                && look("SELECT logwatch_private.open_changes(clock_timestamp())")? == Some(true);
        let left = if is_due {
            pg::transaction(c"logwatch: check", work::evaluate)??
        } else {
            Some(0)
        };
        if let Some(left) = left {
            // Batches that wait for data of a subscription stay, and call for no further check.
            self.has_backlog = left > 0 && left != self.left;
            self.left = left;
            let took = began.elapsed();
            last_check::record(took);
            if self.checked.is_overdue() {
                log!(
                    "logwatch worker: checks run again after {} s; this one took {} ms",
                    self.checked.at.elapsed().as_secs(),
                    took.as_millis()
                );
            }
            self.checked = LastCheck::default();
            self.renewed = true;
        } else {
            self.renewed = look("SELECT logwatch_private.patterns_are_renewed()")? == Some(true);
        }
        Ok(is_due)
    }

    /// Writes to the server log, once, that checks are overdue, and who blocks them.
    fn log_overdue(&mut self) {
        if self.checked.logged || !self.checked.is_overdue() {
            return;
        }
        self.checked.logged = true;
        let status = look::<String>("SELECT w.message FROM logwatch_private.worker_status() AS w");
        log!(
            "logwatch worker: no check has been completed for {} s: {}",
            self.checked.at.elapsed().as_secs(),
            match status {
                Ok(message) => message.unwrap_or_default(),
                Err(why) => why.to_string(),
            }
        );
    }

    /// Replaces the alert file, after the rows that it describes. A failure is reported and stops
    /// nothing.
    fn write_alert_file(&mut self) -> Result<(), TickError> {
        let written = pg::transaction(c"logwatch: alert file", report::write_file)?;
        let error = written.err().map(|error| error.to_string());
        worker_error::set(Subject::AlertFile, error.as_deref());
        log_change(&mut self.logged_file, error);
        Ok(())
    }

    /// Once a minute does the maintenance: each part in a transaction of its own, whatever becomes
    /// of the others. Returns the first error.
    fn maintain(&mut self) -> Result<(), TickError> {
        if self.maintained.is_some_and(|at| at.elapsed() < MAINTAIN_EVERY) {
            return Ok(());
        }
        self.maintained = Some(Instant::now());
        if look("SELECT d FROM logwatch_private.maintenance_due(now()) AS d")? != Some(true) {
            return Ok(());
        }
        let outcome = upkeep::run();
        log_change(
            &mut self.logged_upkeep,
            look("SELECT logwatch_private.upkeep_words()")?,
        );
        match &outcome {
            Err(TickError::Transaction(TransactionError::Locked)) => {}
            Err(why) => self.upkeep_error = Some(why.to_string()),
            Ok(()) => self.upkeep_error = None,
        }
        outcome
    }

    /// Records what has been sent, and hands what is due to the senders, channel by channel, unless
    /// nothing is `waiting`.
    fn deliver(&mut self, waiting: bool) -> Result<(), TickError> {
        self.unrecorded.extend(self.senders.collect());
        self.record()?;
        let leases = self.senders.leases_to_renew();
        if !leases.is_empty() {
            pg::transaction(c"logwatch: lease", || outbox::renew_leases(leases))??;
        }
        if self.retry == Retry::Reloaded {
            self.unrecorded.extend(self.senders.cancel_outdated());
            self.record()?;
        }
        let outdated = self.senders.has_outdated();
        if self.retry == Retry::Reloaded || self.retry == Retry::WhenEnded && !outdated {
            run(c"logwatch: retry", "SELECT logwatch_private.retry_now()")?;
            self.retry = if outdated { Retry::WhenEnded } else { Retry::None };
        }
        if !waiting {
            self.next_delivery = None;
            return Ok(());
        }
        for due in look_for_delivery()?.into_iter().filter(|due| due.seconds <= 0.0) {
            if let Some(ended) = self.senders.send_due(&due.channel)? {
                self.found_work = true;
                self.unrecorded.extend(ended);
                self.record()?;
            }
        }
        self.next_delivery = look_for_delivery()?
            .into_iter()
            .filter(|due| self.senders.room(&due.channel) > 0)
            .map(|due| due.seconds)
            .min_by(f64::total_cmp);
        Ok(())
    }

    /// Records outcomes. A message whose outcome is not recorded is sent again, so that SIGTERM
    /// waits for the end of this transaction, which waits for no lock longer than half a second.
    fn record(&mut self) -> Result<(), TickError> {
        if !self.unrecorded.is_empty() {
            self.found_work = true;
            waiting::without_termination(|| {
                pg::transaction(c"logwatch: record", || outbox::record(&self.unrecorded))
            })??;
            self.unrecorded.clear();
        }
        Ok(())
    }

    /// Returns how long nothing needs to be done unless the latch is set.
    fn longest_wait(&self) -> Duration {
        let mut limit = settings::check_interval();
        if self.yielded || !self.unrecorded.is_empty() {
            limit = limit.min(YIELD);
        }
        if self.home.is_restored_soon() {
            limit = limit.min(YIELD);
        }
        if !self.renewed || self.has_backlog {
            limit = limit.min(SHORTEST_PAUSE);
        }
        if !self.senders.is_idle() {
            // For deadlines and for one more thread; results set the latch.
            limit = limit.min(Duration::from_secs(1));
        }
        if let Some(seconds) = self.next_delivery.filter(|_| self.unrecorded.is_empty()) {
            limit = limit.min(Duration::from_secs_f64(seconds.clamp(0.05, 86_400.0)));
        }
        limit
    }

    /// Writes to the server log which settings cannot work, once.
    fn log_setting_problems(&mut self) {
        let channels = [settings::email_problem(), settings::webhook("default").err()];
        let mut problems: Vec<String> = channels
            .into_iter()
            .flatten()
            .chain(settings::receiver_problems())
            .filter(|problem| !problem.is_off())
            .map(|problem| problem.to_string())
            .collect();
        if settings::alert_file().is_some() {
            problems.extend(settings::alert_file_problem());
        }
        for problem in problems
            .iter()
            .filter(|problem| !self.logged_settings.contains(problem))
        {
            log!("logwatch worker: {problem}");
        }
        problems.dedup();
        self.logged_settings = problems;
    }
}

/// Writes an error to the server log, unless the last line about the subject was the same.
pub fn log_change(logged: &mut Option<String>, error: Option<String>) {
    if let Some(error) = error.as_ref().filter(|error| logged.as_ref() != Some(error)) {
        log!("logwatch worker: {error}");
    }
    *logged = error;
}

fn installed() -> Installed {
    match catalog::installed_extension() {
        None => Installed::No,
        Some((extension, version)) if version == env!("CARGO_PKG_VERSION") => Installed::Yes(extension),
        Some((_, version)) => Installed::OtherVersion(version),
    }
}

/// Returns one value, read without assigning a transaction id.
fn select<T: FromDatum + IntoDatum>(query: &'static str) -> spi::Result<Option<T>> {
    Spi::connect(|client| {
        let rows = client.select(plan(client, query)?, Some(1), &[])?;
        if rows.is_empty() {
            Ok(None)
        } else {
            rows.first().get_one::<T>()
        }
    })
}

/// Returns one value, read in a transaction of its own.
pub fn look<T: FromDatum + IntoDatum>(query: &'static str) -> Result<Option<T>, TickError> {
    Ok(pg::transaction(c"logwatch: look", || select(query))??)
}

/// Runs a command in a transaction of its own.
pub fn run(activity: &CStr, command: &'static str) -> Result<(), TickError> {
    Ok(pg::transaction(activity, || {
        Spi::connect_mut(|client| {
            let plan = plan(client, command)?;
            client.update(plan, None, &[]).map(|_| ())
        })
    })??)
}

/// Returns the channels that have something to send.
fn look_for_delivery() -> Result<Vec<outbox::Due>, TickError> {
    Ok(pg::transaction(c"logwatch: look", outbox::due)??)
}
