//! The background worker: one per server, on the database `logwatch.database`.
//!
//! A *tick* is a few short transactions: check, claim, record, keep house. Between ticks the worker waits on its latch, which a commit
//! of new batches sets; e-mail goes out in the sender's thread. An idle tick only reads: it assigns no transaction id.
//! An error ends a tick, never the worker; SIGTERM ends the worker as it ends any backend.

use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::prelude::*;

use crate::channel::Outcome;
use crate::sender::InFlight;
use crate::{backend, outbox, report, settings, trouble, wake};

/// How long the postmaster waits before it starts a worker that failed again.
const RESTART_AFTER: Duration = Duration::from_secs(5);
/// After a wake has been served, the next one is served this much later at the earliest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
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
    backend::attach_worker_signals();
    BackgroundWorker::connect_worker_to_spi(Some(&settings::database()), None);
    backend::set(c"application_name", c"logwatch worker");
    // Whatever the cluster's or the database's own search_path is.
    backend::set(c"search_path", c"pg_catalog, pg_temp");
    wake::set_worker_pid(backend::my_pid());
    let mut worker = Worker::default();
    worker.tell_problems();
    loop {
        let began = Instant::now();
        if BackgroundWorker::sighup_received() {
            backend::reload_config();
            worker.tell_problems();
            worker.reloaded = true;
        }
        worker.tick();
        backend::wait_idle(worker.longest_wait());
        // A storm of commits is served in steps; what sets the latch meanwhile is served with the next one.
        while let Some(rest) = SHORTEST_PAUSE
            .checked_sub(began.elapsed())
            .filter(|rest| !rest.is_zero())
        {
            backend::wait_idle(rest);
        }
    }
}

#[derive(Default)]
struct Worker {
    in_flight: Option<InFlight>,
    /// What has been sent, or refused, and is not recorded yet.
    ended: Vec<(i64, Outcome)>,
    /// The next notification is due in this many seconds.
    next_delivery: Option<f64>,
    maintained: Option<Instant>,
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
        let problem = match backend::transaction(c"logwatch: look", installed) {
            Ok(Ok(Installed::Yes)) => self.serve().err(),
            Ok(Ok(Installed::No)) => None,
            Ok(Ok(Installed::OtherVersion(version))) => Some(format!(
                "the library is version {}, the extension {version}; type: ALTER EXTENSION logwatch UPDATE; and restart the server",
                env!("CARGO_PKG_VERSION")
            )),
            Ok(Err(why)) => Some(why.to_string()),
            Err(why) => Some(why),
        };
        trouble::tell(problem.as_deref());
        if let Some(problem) = problem
            .as_ref()
            .filter(|problem| self.told_tick.as_ref() != Some(problem))
        {
            log!("logwatch worker: {problem}");
        }
        self.told_tick = problem;
    }

    /// What one part of a tick fails of stops no other part: mail goes out although a check cannot be made. The first error is told.
    fn serve(&mut self) -> Result<(), String> {
        let tended = tend_fleet();
        let checked = check();
        let delivered = self.deliver();
        // After the rows, because it tells of them.
        let written = backend::transaction(c"logwatch: alert file", report::write_file);
        let kept = self.keep_house();
        tended
            .and(checked)
            .and(delivered)
            .and(kept)
            .and(written?.map(drop))
    }

    fn keep_house(&mut self) -> Result<(), String> {
        if self.maintained.is_some_and(|at| at.elapsed() < MAINTAIN_EVERY) {
            return Ok(());
        }
        self.maintained = Some(Instant::now());
        let due = flatten(backend::transaction(c"logwatch: look", || {
            select::<bool>("SELECT logwatch.maintenance_due(clock_timestamp())")
        }))?;
        if due == Some(true) {
            flatten(backend::transaction(c"logwatch: maintain", || {
                Spi::run("SELECT logwatch.maintain()")
            }))?;
        }
        Ok(())
    }

    /// Records what has been sent, and starts sending what is due.
    fn deliver(&mut self) -> Result<(), String> {
        if self.reloaded {
            flatten(backend::transaction(c"logwatch: retry", || {
                Spi::run("SELECT logwatch.retry_now()")
            }))?;
            self.reloaded = false;
        }
        if let Some(in_flight) = &mut self.in_flight {
            self.ended.extend(in_flight.collect());
            if in_flight.is_done() {
                self.in_flight = None;
            }
        }
        self.record()?;
        self.next_delivery = self.look_for_delivery()?;
        if self.next_delivery.is_none_or(|seconds| seconds > 0.0) {
            return Ok(());
        }
        let channels: &[&str] = if self.in_flight.is_none() {
            outbox::CHANNELS
        } else {
            &["log"]
        };
        let claimed = flatten(backend::transaction(c"logwatch: claim", || {
            outbox::claim(channels)
        }))?;
        let (log, others): (Vec<_>, Vec<_>) = claimed
            .into_iter()
            .partition(|notification| notification.channel == "log");
        if !others.is_empty() {
            self.in_flight = Some(InFlight::start(others));
        }
        self.ended.extend(outbox::write_log(&log));
        self.record()?;
        self.next_delivery = self.look_for_delivery()?;
        Ok(())
    }

    /// Records how attempts ended. What cannot be recorded now is kept: forgotten, it would be sent again when its lease has run out.
    fn record(&mut self) -> Result<(), String> {
        if self.ended.is_empty() {
            return Ok(());
        }
        flatten(backend::transaction(c"logwatch: record", || {
            outbox::settle(&self.ended)
        }))?;
        self.ended.clear();
        Ok(())
    }

    fn look_for_delivery(&self) -> Result<Option<f64>, String> {
        flatten(backend::transaction(c"logwatch: look", || {
            select::<f64>("SELECT extract(epoch FROM logwatch.next_delivery() - clock_timestamp())::float8")
        }))
    }

    /// How long nothing needs to be done unless the latch is set.
    fn longest_wait(&self) -> Duration {
        let mut limit = settings::check_interval();
        if self.in_flight.is_some() || !self.ended.is_empty() {
            // Only for the sender's deadline and for what could not be recorded; results set the latch.
            limit = limit.min(Duration::from_secs(1));
        } else if let Some(seconds) = self.next_delivery {
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
fn select<T: FromDatum + IntoDatum>(query: &str) -> spi::Result<Option<T>> {
    Spi::connect(|client| {
        let rows = client.select(query, Some(1), &[])?;
        if rows.is_empty() {
            Ok(None)
        } else {
            rows.first().get_one::<T>()
        }
    })
}

fn tend_fleet() -> Result<(), String> {
    let waits = flatten(backend::transaction(c"logwatch: look", || {
        select::<bool>("SELECT logwatch.fleet_due(clock_timestamp())")
    }))?;
    if waits == Some(true) {
        flatten(backend::transaction(c"logwatch: fleet", || {
            Spi::run("SELECT logwatch.tend_fleet()")
        }))?;
    }
    Ok(())
}

fn check() -> Result<(), String> {
    let something_to_check = flatten(backend::transaction(c"logwatch: look", || {
        select::<bool>("SELECT logwatch.open_changes(clock_timestamp())")
    }))?;
    if something_to_check == Some(true) {
        flatten(backend::transaction(c"logwatch: check", || {
            Spi::run("SELECT logwatch.check()")
        }))?;
    }
    Ok(())
}

fn flatten<T>(result: Result<spi::Result<T>, String>) -> Result<T, String> {
    result?.map_err(|why| why.to_string())
}
