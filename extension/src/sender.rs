//! Sender threads: each channel, and each webhook receiver, has its own queue and its own thread,
//! so that a server that hangs delays no other channel.
//!
//! A thread touches no PostgreSQL and has all signals blocked: a signal handler on the wrong thread
//! would take the server down. It reports over a channel and wakes the process with SIGUSR1, whose
//! handler in every backend sets the process's latch.
//!
//! A channel has one thread, which keeps the queue's order. Where it has been waiting for its
//! server, another one is started beside it for the other recipients, up to a few; those end when
//! the queue is empty.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender as Reports, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::channel::{Channel, EmailChannel, EmailMemory, Ended, Notification, Outcome, WebhookChannel};
use crate::claim::Claim;
use crate::settings::{Email, Webhook};
use crate::smtp::Handle;

/// One more thread is started for a notification that has waited for this long.
const PATIENCE: Duration = Duration::from_secs(1);
/// Threads of a channel that may be waiting for servers at the same time.
const MOST_THREADS: usize = 4;
/// A notification that waits longer than this for a thread goes back to the outbox.
const LONGEST_QUEUE: Duration = Duration::from_secs(60);
/// How often a lease is renewed: half of the time that `logwatch_private.claim` gives it.
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// Notifications of a channel that are claimed at the same time: as few as that at first, and where
/// the server is quick, up to so many. What is claimed for a slow one would wait here.
const FEWEST_CLAIMED: usize = 20;
const MOST_CLAIMED: usize = 160;
/// The connection stays open for this long for the next notification.
const KEEP_OPEN: Duration = Duration::from_secs(2);

/// The settings of a channel, as they were when a notification was claimed.
#[derive(Clone)]
pub enum Route {
    Email(Arc<Email>),
    Webhook(Arc<Webhook>),
}

impl Route {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Email(one), Self::Email(two)) => one == two,
            (Self::Webhook(one), Self::Webhook(two)) => one == two,
            _ => false,
        }
    }

    /// Returns the time after which an attempt is given up even where its thread does not return,
    /// in a resolver for example.
    fn longest_attempt(&self) -> Duration {
        let longest = match self {
            Self::Email(email) => email.waits.conversation,
            Self::Webhook(webhook) => webhook.timeout,
        };
        longest + Duration::from_secs(30)
    }
}

struct Job {
    notification: Notification,
    route: Route,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    /// Threads that wait for a job.
    idle: usize,
    threads: usize,
    closed: bool,
    /// The conversations that `cancel` ends.
    open: Vec<(Route, Handle)>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    news: Condvar,
    email: EmailMemory,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claimed notification.
struct UnderWay {
    id: i64,
    /// The time from which it waits for a thread, or is being sent.
    since: Instant,
    running: bool,
    leased: Instant,
    route: Route,
    claim: Claim,
    /// The settings have changed since.
    outdated: bool,
}

/// The sender of one channel.
pub struct Sender {
    shared: Arc<Shared>,
    /// By Message-ID: after DROP EXTENSION and CREATE EXTENSION ids begin anew.
    under_way: HashMap<String, UnderWay>,
    reports: Reports<Report>,
    results: Receiver<Report>,
    /// How many it takes at the same time.
    most_claimed: usize,
}

enum Report {
    Began(String),
    Ended(Ended, Claim),
}

impl Default for Sender {
    fn default() -> Self {
        let (reports, results) = channel();
        Self {
            shared: Arc::default(),
            under_way: HashMap::new(),
            reports,
            results,
            most_claimed: FEWEST_CLAIMED,
        }
    }
}

impl Sender {
    /// Returns how many notifications it can take.
    pub fn room(&self) -> usize {
        self.most_claimed.saturating_sub(self.under_way.len())
    }

    /// Whether everything it was given has ended.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Queues notifications: the most urgent first, the older one of two.
    pub fn send(&mut self, notifications: Vec<Notification>, route: &Route) {
        let mut queue = self.shared.queue();
        for notification in notifications {
            let under_way = UnderWay {
                id: notification.id,
                since: Instant::now(),
                running: false,
                leased: Instant::now(),
                route: route.clone(),
                claim: notification.claim.clone(),
                outdated: false,
            };
            self.under_way.insert(notification.message_id.clone(), under_way);
            queue.jobs.push(Job {
                notification,
                route: route.clone(),
            });
        }
        queue
            .jobs
            .sort_by_key(|job| (Reverse(job.notification.urgency), job.notification.id));
        drop(queue);
        self.shared.news.notify_one();
        self.start_thread_if_stuck();
    }

    /// Forgets the notifications of a claim that was undone.
    pub fn forget(&mut self, claim: &Claim) {
        self.under_way.retain(|_, one| !one.claim.is(claim));
        self.shared
            .queue()
            .jobs
            .retain(|job| !job.notification.claim.is(claim));
    }

    /// Returns the attempts that have ended since the last call; never waits.
    pub fn collect(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        for report in self.results.try_iter() {
            match report {
                Report::Began(message_id) => {
                    if let Some(one) = self.under_way.get_mut(&message_id) {
                        (one.since, one.running) = (Instant::now(), true);
                    }
                }
                // A thread that was given up may report late, when there is another attempt.
                Report::Ended(one, claim) => {
                    let known = self.under_way.get(&one.message_id);
                    if known.is_some_and(|known| known.claim.is(&claim)) {
                        self.under_way.remove(&one.message_id);
                        ended.push(one);
                    }
                }
            }
        }
        let is_slow = self.under_way.values().any(|one| one.since.elapsed() >= PATIENCE);
        self.most_claimed = next_claim(self.most_claimed, ended.len(), is_slow);
        ended.extend(self.take_back(|one| {
            let (limit, why) = if one.running {
                (one.route.longest_attempt(), "the attempt did not end")
            } else {
                (LONGEST_QUEUE, "every connection was waiting for the server")
            };
            (one.since.elapsed() > limit).then(|| format!("{why} for {} s", limit.as_secs()))
        }));
        self.start_thread_if_stuck();
        ended
    }

    /// Ends the attempts by other settings than the present ones, except those whose mail the
    /// server may have accepted. Returns those that had not begun.
    pub fn cancel_others(&mut self, present: Option<&Route>) -> Vec<Ended> {
        let is_present = |route: &Route| present.is_some_and(|present| present.is(route));
        for one in self.under_way.values_mut() {
            one.outdated |= !is_present(&one.route);
        }
        for (route, handle) in &self.shared.queue().open {
            if !is_present(route) {
                handle.cancel();
            }
        }
        self.take_back(|one| (one.outdated && !one.running).then(|| "the settings have changed".to_owned()))
    }

    /// Gives up the notifications for which there is a reason to.
    fn take_back(&mut self, reason: impl Fn(&UnderWay) -> Option<String>) -> Vec<Ended> {
        let mut ended = Vec::new();
        self.under_way.retain(|message_id, one| {
            let why = reason(one);
            if let Some(why) = &why {
                ended.push(Ended {
                    id: one.id,
                    message_id: message_id.clone(),
                    outcome: Outcome::retry(why.clone()),
                });
            }
            why.is_none()
        });
        if !ended.is_empty() {
            self.shared
                .queue()
                .jobs
                .retain(|job| self.under_way.contains_key(&job.notification.message_id));
        }
        ended
    }

    /// Starts a thread where jobs wait and none takes them, because there is none or all have been
    /// busy for a while.
    fn start_thread_if_stuck(&mut self) {
        let busy = self
            .under_way
            .values()
            .all(|one| !one.running || one.since.elapsed() >= PATIENCE);
        let waiting = self
            .under_way
            .values()
            .any(|one| !one.running && one.since.elapsed() >= PATIENCE);
        let running = self.under_way.values().any(|one| one.running);
        let mut queue = self.shared.queue();
        let is_first = queue.threads == 0;
        let stuck = waiting || running && busy;
        if queue.jobs.is_empty() || queue.idle > 0 || !(is_first || stuck && queue.threads < MOST_THREADS) {
            return;
        }
        queue.threads += 1;
        drop(queue);
        let (shared, reports) = (Arc::clone(&self.shared), self.reports.clone());
        if spawn("logwatch sender", move || run(&shared, &reports, is_first)).is_err() {
            // The next call tries again; meanwhile the notifications wait.
            self.shared.queue().threads -= 1;
        }
    }

    /// Returns the ids of those whose lease is to be renewed now.
    pub fn leases_to_renew(&mut self) -> Vec<i64> {
        let mut ids = Vec::new();
        for one in self.under_way.values_mut() {
            if one.leased.elapsed() >= RENEW_EVERY {
                one.leased = Instant::now();
                ids.push(one.id);
            }
        }
        ids
    }

    /// Whether an attempt by older settings has not ended.
    pub fn has_outdated(&self) -> bool {
        self.under_way.values().any(|one| one.outdated)
    }
}

/// Returns how many notifications to claim at the same time, after so many have ended since the
/// last look.
fn next_claim(most: usize, ended: usize, is_slow: bool) -> usize {
    match ended {
        _ if is_slow => FEWEST_CLAIMED,
        ended if ended * 2 >= most => MOST_CLAIMED.min(most * 2),
        _ => most,
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        for (_, handle) in &queue.open {
            handle.cancel();
        }
        drop(queue);
        self.shared.news.notify_all();
    }
}

/// An open way to a server.
struct Open {
    route: Route,
    channel: Box<dyn Channel>,
    handle: Handle,
}

impl Open {
    fn new(route: &Route, shared: &Shared) -> Self {
        let handle = Handle::default();
        let mut queue = shared.queue();
        queue.open.retain(|(_, handle)| handle.is_used());
        queue.open.push((route.clone(), handle.clone()));
        drop(queue);
        let channel: Box<dyn Channel> = match route {
            Route::Email(settings) => Box::new(EmailChannel::new(
                Arc::clone(settings),
                shared.email.clone(),
                handle.clone(),
            )),
            Route::Webhook(settings) => Box::new(WebhookChannel::new(Arc::clone(settings))),
        };
        Self {
            route: route.clone(),
            channel,
            handle,
        }
    }
}

/// Takes jobs in their order until the sender is gone; threads beside the first end when the queue
/// is empty.
fn run(shared: &Shared, reports: &Reports<Report>, is_first: bool) {
    let mut open: Option<Open> = None;
    while let Some(job) = next_job(shared, is_first, &mut open) {
        let began = Report::Began(job.notification.message_id.clone());
        if reports.send(began).is_err() {
            break;
        }
        let mut way = open
            .take()
            .filter(|open| open.route.is(&job.route) && !open.handle.is_cancelled())
            .unwrap_or_else(|| Open::new(&job.route, shared));
        let attempt = AssertUnwindSafe(|| way.channel.deliver(&job.notification));
        let outcome = match catch_unwind(attempt) {
            Ok(outcome) => {
                open = Some(way);
                outcome
            }
            Err(_) => Outcome::retry("the sender thread panicked; see the server log"),
        };
        if !report(shared, reports, &job, &outcome) {
            break;
        }
    }
    shared.queue().threads -= 1;
}

/// Reports an attempt; where the server was not reached, those that wait for it end alike. False
/// when nobody listens.
fn report(shared: &Shared, reports: &Reports<Report>, job: &Job, outcome: &Outcome) -> bool {
    let end = |job: &Job| {
        let notification = &job.notification;
        Report::Ended(notification.ended(outcome.clone()), notification.claim.clone())
    };
    let mut ended = vec![end(job)];
    if !outcome.reached {
        shared.queue().jobs.retain(|waiting| {
            let same = waiting.route.is(&job.route);
            if same {
                ended.push(end(waiting));
            }
            !same
        });
    }
    let received = ended.into_iter().all(|one| reports.send(one).is_ok());
    wake_process();
    received
}

/// Waits for a job; the connection is closed when none comes soon. None when the thread is to end.
fn next_job(shared: &Shared, is_first: bool, open: &mut Option<Open>) -> Option<Job> {
    let mut queue = shared.queue();
    loop {
        if queue.closed {
            return None;
        }
        if !queue.jobs.is_empty() {
            return Some(queue.jobs.remove(0));
        }
        if is_first {
            let limit = if open.is_some() { KEEP_OPEN } else { Duration::MAX };
            queue.idle += 1;
            let (woken, waited) = shared
                .news
                .wait_timeout(queue, limit)
                .unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
            if !waited.timed_out() || !queue.jobs.is_empty() {
                continue;
            }
        }
        if let Some(mut way) = open.take() {
            // Without the lock: the server may be slow to say goodbye.
            drop(queue);
            way.channel.close();
            queue = shared.queue();
        } else if !is_first {
            return None;
        }
    }
}

/// Sets the latch of this process, by the one way that is open to a thread.
fn wake_process() {
    // SAFETY: kill(2) with our own pid; all other threads block the signal, so that the main thread
    // handles it.
    unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
}

/// Starts a thread that touches no PostgreSQL, with every signal blocked.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    // SAFETY: sigset_t is plain data that sigfillset initialises; the thread inherits the mask, and
    // the old one is restored on this thread.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, &mut old);
        let started = builder.spawn(body).map(drop);
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, std::ptr::null_mut());
        started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_server_gets_more_at_a_time_and_a_slow_one_few() {
        let mut most = FEWEST_CLAIMED;
        for expected in [40, 80, 160, MOST_CLAIMED, MOST_CLAIMED] {
            most = next_claim(most, most, false);
            assert_eq!(most, expected);
        }
        assert_eq!(next_claim(80, 39, false), 80);
        assert_eq!(next_claim(80, 80, true), FEWEST_CLAIMED);
    }
}
