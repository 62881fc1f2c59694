//! Storing in a thread of its own, so that the next batch is read while the last one is stored.
//!
//! One call at most is under way, and the next one is not begun before the last one's outcome is known: the calls reach the database in
//! the same order and under the same conditions as without the thread. Only the news of a failure comes later, with the next call;
//! until then the reader's own idea of what is stored runs ahead. That does no harm, because after a failure it attaches again and
//! goes on from what the database says. Whoever gives up for good what cannot be read again must `settle` first.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::connect::Trouble;
use crate::failure::Failure;
use crate::records::reader::Found;
use crate::sink::database::{Attached, Sink, State, Stretch};
use crate::sink::health::Health;
use crate::source::identity::Proof;
use crate::source::inputs::Inode;

/// A stretch that the thread owns.
struct Owned {
    file: Option<i64>,
    path: PathBuf,
    inode: Inode,
    from: u64,
    proof: Proof,
    records: Vec<Found>,
    gap: Option<String>,
    state: State,
}

enum Job {
    Attach,
    Store(Box<Owned>),
    Tell {
        at_once: bool,
    },
    /// The answer to `HowAreThey`.
    Health(Health),
}

enum Outcome {
    Attached(Result<Attached, Trouble>),
    Done(Result<(), Trouble>),
    /// A question back: how the files stand.
    HowAreThey,
}

pub struct Ahead {
    /// None: the thread is told to end.
    jobs: Option<SyncSender<Job>>,
    outcomes: Receiver<Outcome>,
    thread: Option<JoinHandle<()>>,
    under_way: bool,
}

impl Ahead {
    /// Starts the thread; the sink is made there, since not every sink can move to another one.
    pub fn new<S: Sink>(make: impl FnOnce() -> S + Send + 'static) -> Result<Ahead, Failure> {
        let (jobs, to_do) = sync_channel(0);
        let (report, outcomes) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let mut sink = make();
                while let Ok(job) = to_do.recv() {
                    let outcome = match job {
                        Job::Attach => Outcome::Attached(sink.attach()),
                        Job::Store(owned) => Outcome::Done(sink.store(&owned.stretch())),
                        Job::Tell { at_once } => Outcome::Done(sink.tell(at_once, &|| {
                            let asked = report.send(Outcome::HowAreThey).is_ok();
                            match asked.then(|| to_do.recv()) {
                                Some(Ok(Job::Health(health))) => health,
                                _ => Health::default(),
                            }
                        })),
                        // Nobody asked.
                        Job::Health(_) => continue,
                    };
                    if report.send(outcome).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| Failure::Internal(format!("thread: {error}")))?;
        Ok(Ahead {
            jobs: Some(jobs),
            outcomes,
            thread: Some(thread),
            under_way: false,
        })
    }

    fn begin(&mut self, job: Job) -> Result<(), Trouble> {
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        self.under_way = sent;
        if sent { Ok(()) } else { Err(gone()) }
    }

    fn outcome(&mut self) -> Result<Outcome, Trouble> {
        self.under_way = false;
        self.outcomes.recv().map_err(|_| gone())
    }
}

/// The thread never ends by itself but for a panic, whose message it has printed.
fn gone() -> Trouble {
    Trouble::Final(Failure::Internal("the storing thread is gone".to_owned()))
}

impl Sink for Ahead {
    fn attach(&mut self) -> Result<Attached, Trouble> {
        // What came of a call before does not matter any more: the answer says what is stored.
        if let Err(Trouble::Final(failure)) = self.settle() {
            return Err(Trouble::Final(failure));
        }
        self.begin(Job::Attach)?;
        match self.outcome()? {
            Outcome::Attached(result) => result,
            Outcome::Done(_) | Outcome::HowAreThey => Err(gone()),
        }
    }

    fn store(&mut self, stretch: &Stretch) -> Result<(), Trouble> {
        let owned = Box::new(Owned::from(stretch));
        self.settle()?;
        self.begin(Job::Store(owned))
    }

    fn hand_over(&mut self, stretch: &Stretch, records: &mut Vec<Found>) -> Result<(), Trouble> {
        self.settle()?;
        self.begin(Job::Store(Box::new(Owned {
            records: std::mem::take(records),
            ..Owned::from(&Stretch {
                records: &[],
                ..*stretch
            })
        })))
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        if !self.under_way {
            return Ok(());
        }
        match self.outcome()? {
            Outcome::Done(result) => result,
            Outcome::Attached(_) | Outcome::HowAreThey => Err(gone()),
        }
    }

    fn tell(&mut self, at_once: bool, health: &dyn Fn() -> Health) -> Result<(), Trouble> {
        self.settle()?;
        self.begin(Job::Tell { at_once })?;
        loop {
            match self.outcome()? {
                Outcome::HowAreThey => self.begin(Job::Health(health()))?,
                Outcome::Done(result) => return result,
                Outcome::Attached(_) => return Err(gone()),
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

impl Owned {
    fn stretch(&self) -> Stretch<'_> {
        Stretch {
            file: self.file,
            path: &self.path,
            inode: self.inode,
            from: self.from,
            proof: self.proof,
            records: &self.records,
            gap: self.gap.as_deref(),
            state: self.state,
        }
    }
}

impl From<&Stretch<'_>> for Owned {
    fn from(stretch: &Stretch) -> Owned {
        Owned {
            file: stretch.file,
            path: stretch.path.to_owned(),
            inode: stretch.inode,
            from: stretch.from,
            proof: stretch.proof,
            records: stretch.records.to_vec(),
            gap: stretch.gap.map(str::to_owned),
            state: stretch.state,
        }
    }
}
