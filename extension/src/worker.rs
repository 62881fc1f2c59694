//! The background worker: one per server, on the database `logwatch.database`.
//!
//! A *tick* is a few short transactions: check, claim, record, keep house. Between ticks the worker waits on its latch, which a commit
//! of new batches sets; e-mail goes out in the sender's thread. An idle tick only reads: it assigns no transaction id.
//! An error ends a tick, never the worker; SIGTERM ends the worker as it ends any backend. Where somebody else's lock is in the way, the worker
//! yields and tries again soon: nobody's DROP EXTENSION or ALTER TABLE ever waits for more than one of its short transactions.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient};

use crate::channel::Ended;
use crate::pg::Failure;
use crate::sender::InFlight;
use crate::{outbox, pg, report, settings, wake, worker_error};

/// How long the postmaster waits before it starts a worker that failed again.
const RESTART_AFTER: Duration = Duration::from_secs(5);
/// After a wake has been served, the next one is served this much later at the earliest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// How long it waits for somebody else's lock; less than the deadlock_timeout after which others look for somebody to blame.
const LOCK_TIMEOUT: &CStr = c"500ms";
/// How soon it tries again what a lock has kept it from.
const YIELD: Duration = Duration::from_secs(1);
/// How often, under load, the counts are folded between.
const FOLD_EVERY: Duration = Duration::from_secs(2);
/// How often the house is kept: partitions, folding, retention.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);

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

/// The worker's main function. It never returns: an exit with code 0 would mean that it must not be started again.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn logwatch_worker_main(_argument: pg_sys::Datum) {
    pg::attach_worker_signals();
    BackgroundWorker::connect_worker_to_spi(Some(&settings::database()), None);
    // A reload between the fork and the handler was not heard.
    pg::reload_config();
    pg::set(c"application_name", c"logwatch worker");
    // Whatever the cluster's or the database's own search_path is.
    pg::set(c"search_path", c"pg_catalog, pg_temp");
    pg::set(c"lock_timeout", LOCK_TIMEOUT);
    // To compile a plan takes far longer than any that the worker has takes to run.
    pg::set(c"jit", c"off");
    wake::set_worker_pid(pg::my_pid());
    let mut worker = Worker::default();
    worker.tell_problems();
    loop {
        let began = Instant::now();
        if BackgroundWorker::sighup_received() {
            pg::reload_config();
            worker.tell_problems();
            worker.reloaded = true;
        }
        worker.tick();
        // A storm of commits is served in steps, and long ticks leave the processor to others for as long as they took.
        let took = began.elapsed();
        let next = SHORTEST_PAUSE.max(took + took.min(settings::check_interval()));
        pg::wait_idle(worker.longest_wait());
        // What sets the latch meanwhile is served with the next one.
        while let Some(rest) = next.checked_sub(began.elapsed()).filter(|rest| !rest.is_zero()) {
            pg::wait_idle(rest);
        }
    }
}

#[derive(Default)]
struct Worker {
    in_flight: Option<InFlight>,
    /// What was sent and could not be recorded yet. Nothing else is claimed meanwhile: it would be sent twice.
    unrecorded: Vec<Ended>,
    /// A lock was in the way of the last tick.
    yielded: bool,
    /// The next notification is due in this many seconds.
    next_delivery: Option<f64>,
    maintained: Option<Instant>,
    folded: Option<Instant>,
    /// Set by a reload: what could not be sent may be possible now.
    reloaded: bool,
    /// What was last written to the server log about settings and about failed ticks; nothing is told twice in a row.
    told_settings: Vec<String>,
    told_tick: Option<String>,
}

/// Whether the extension can be served in this database.
enum Installed {
    Yes,
    No,
    OtherVersion(String),
}

impl Worker {
    fn tick(&mut self) {
        let problem = match pg::transaction(c"logwatch: look", installed) {
            Ok(Ok(Installed::Yes)) => self.serve().err(),
            Ok(Ok(Installed::No)) => {
                self.unrecorded.clear();
                None
            }
            Ok(Ok(Installed::OtherVersion(version))) => Some(Failure::Error(format!(
                "the library is version {}, the extension {version}; type: ALTER EXTENSION logwatch UPDATE; and restart the server if it was not restarted since the new files came",
                env!("CARGO_PKG_VERSION")
            ))),
            Ok(Err(why)) => Some(why.into()),
            Err(why) => Some(why),
        };
        self.yielded = matches!(problem, Some(Failure::Locked));
        let problem = match problem {
            Some(Failure::Error(why)) => Some(why),
            Some(Failure::Locked) | None => None,
        };
        worker_error::set(problem.as_deref());
        if let Some(problem) = problem
            .as_ref()
            .filter(|problem| self.told_tick.as_ref() != Some(problem))
        {
            log!("logwatch worker: {problem}");
        }
        self.told_tick = problem;
    }

    /// Each part is tried, whatever became of the others; the first failure is told.
    fn serve(&mut self) -> Result<(), Failure> {
        let tended = if_due(
            "SELECT logwatch_private.fleet_due(clock_timestamp())",
            c"logwatch: fleet",
            "SELECT logwatch_private.tend_fleet()",
        );
        let checked = if_due(
            "SELECT logwatch_private.open_changes(clock_timestamp())",
            c"logwatch: check",
            // What a crash takes back is checked again. Nothing is sent before the claim, whose commit waits for the disk and for all before it.
            "SELECT pg_catalog.set_config('synchronous_commit', 'off', true), logwatch_private.check()",
        );
        let delivered = self.deliver();
        // After the rows, because it tells of them; it is only a file, so that a failure is told but stops nothing.
        let written = pg::transaction(c"logwatch: alert file", report::write_file);
        let maintained = self.maintain();
        tended?;
        checked?;
        delivered?;
        written??;
        maintained
    }

    /// Folds what checks would have to read over and over, and once in a while does the rest of the housekeeping.
    fn maintain(&mut self) -> Result<(), Failure> {
        if self.folded.is_none_or(|at| at.elapsed() >= FOLD_EVERY) {
            self.folded = Some(Instant::now());
            if_due(
                "SELECT logwatch_private.folding_due()",
                c"logwatch: fold",
                "SELECT logwatch_private.fold_counts(now()) WHERE logwatch_private.take_turn('fold')",
            )?;
        }
        if self.maintained.is_some_and(|at| at.elapsed() < MAINTAIN_EVERY) {
            return Ok(());
        }
        self.maintained = Some(Instant::now());
        if_due(
            "SELECT logwatch_private.maintenance_due(clock_timestamp())",
            c"logwatch: maintain",
            "SELECT logwatch_private.maintain()",
        )
    }

    /// Records what has been sent, and starts sending what is due.
    fn deliver(&mut self) -> Result<(), Failure> {
        if let Some(in_flight) = &mut self.in_flight {
            self.unrecorded.extend(in_flight.collect());
            if in_flight.is_done() {
                self.in_flight = None;
            }
        }
        self.record()?;
        // What is under way by the old settings is tried again by the new ones as soon as it has failed.
        if self.reloaded && self.in_flight.is_none() {
            run(c"logwatch: retry", "SELECT logwatch_private.retry_now()")?;
            self.reloaded = false;
        }
        self.next_delivery = look_for_delivery()?;
        if self.next_delivery.is_none_or(|seconds| seconds > 0.0) {
            return Ok(());
        }
        let channels: &[&str] = if self.in_flight.is_none() {
            outbox::CHANNELS
        } else {
            &["log"]
        };
        let claimed = pg::transaction(c"logwatch: claim", || outbox::claim(channels))??;
        let (log, others): (Vec<_>, Vec<_>) = claimed
            .into_iter()
            .partition(|notification| notification.channel == "log");
        if !others.is_empty() {
            self.in_flight = Some(InFlight::start(others));
        }
        self.unrecorded.extend(outbox::write_log(&log));
        self.record()?;
        self.next_delivery = look_for_delivery()?;
        Ok(())
    }

    fn record(&mut self) -> Result<(), Failure> {
        if !self.unrecorded.is_empty() {
            pg::transaction(c"logwatch: record", || outbox::settle(&self.unrecorded))??;
            self.unrecorded.clear();
        }
        Ok(())
    }

    /// How long nothing needs to be done unless the latch is set.
    fn longest_wait(&self) -> Duration {
        let mut limit = settings::check_interval();
        if self.yielded || !self.unrecorded.is_empty() {
            limit = limit.min(YIELD);
        }
        if self.in_flight.is_some() {
            // Only for the sender's deadline; its results set the latch.
            limit = limit.min(Duration::from_secs(1));
        } else if let Some(seconds) = self.next_delivery.filter(|_| self.unrecorded.is_empty()) {
            limit = limit.min(Duration::from_secs_f64(seconds.clamp(0.05, 86_400.0)));
        }
        limit
    }

    /// Writes to the server log which settings cannot work, once.
    fn tell_problems(&mut self) {
        let mut problems = Vec::new();
        match settings::email_problem() {
            None | Some(settings::SettingError::Off) => {}
            Some(problem) => problems.push(problem.to_string()),
        }
        match settings::webhook() {
            Ok(_) | Err(settings::SettingError::WebhookOff) => {}
            Err(problem) => problems.push(problem.to_string()),
        }
        if settings::alert_file().is_some() {
            problems.extend(settings::alert_file_problem());
        }
        for problem in problems
            .iter()
            .filter(|problem| !self.told_settings.contains(problem))
        {
            log!("logwatch worker: {problem}");
        }
        self.told_settings = problems;
    }
}

fn installed() -> spi::Result<Installed> {
    let version = select::<String>(
        "SELECT extversion FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'logwatch'",
    )?;
    Ok(match version {
        Some(version) if version == env!("CARGO_PKG_VERSION") => Installed::Yes,
        Some(version) => Installed::OtherVersion(version),
        None => Installed::No,
    })
}

/// One value, read without assigning a transaction id.
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

/// The plan of a statement that each tick runs: made once, and never given up.
fn plan(client: &SpiClient, query: &'static str) -> spi::Result<&'static OwnedPreparedStatement> {
    thread_local! {
        static PLANS: RefCell<HashMap<&'static str, &'static OwnedPreparedStatement>> = RefCell::default();
    }
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(query).copied()) {
        return Ok(plan);
    }
    let plan: &'static OwnedPreparedStatement = Box::leak(Box::new(client.prepare(query, &[])?.keep()));
    PLANS.with_borrow_mut(|plans| plans.insert(query, plan));
    Ok(plan)
}

/// One value, read in a transaction of its own.
fn look<T: FromDatum + IntoDatum>(query: &'static str) -> Result<Option<T>, Failure> {
    Ok(pg::transaction(c"logwatch: look", || select(query))??)
}

fn run(activity: &CStr, command: &'static str) -> Result<(), Failure> {
    Ok(pg::transaction(activity, || {
        Spi::connect_mut(|client| {
            let plan = plan(client, command)?;
            client.update(plan, None, &[]).map(|_| ())
        })
    })??)
}

/// Runs a command only when a look, which assigns no transaction id, says that there is something to do.
fn if_due(question: &'static str, activity: &CStr, command: &'static str) -> Result<(), Failure> {
    if look(question)? == Some(true) {
        run(activity, command)?;
    }
    Ok(())
}

/// Seconds until the next notification is due.
fn look_for_delivery() -> Result<Option<f64>, Failure> {
    look("SELECT extract(epoch FROM logwatch_private.next_delivery() - clock_timestamp())::float8")
}
