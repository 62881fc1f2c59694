//! The faults of a round. Each fault strikes while records are written, is observed, and is
//! repaired. It is observed twice: where it strikes – the signal that ended a process, the bytes
//! that the network held back, the error of a full disk – and as an operator would, by
//! `logwatch_status()`, or, without a database, by the messages of the tailer and of the server's
//! log.
//!
//! A fault that did not take effect, or that leaves no trace, fails the round as a lost record
//! does.

mod channels;
mod clone;
mod disks;
mod mail;
mod network;
mod processes;
mod sessions;
pub mod times;

use anyhow::{Result, ensure};
use fastrand::Rng;

use crate::round::Source;
use crate::stage::Stage;
use crate::tailers::Tailers;

/// The tailer's message while it cannot reach the database.
const RETRIES: &str = "trying again";

/// Its messages when a call ends with the connection. While the server still answers, that looks
/// like a limit of the server, and the tailer sends less at once.
const CALL_ENDED: [&str; 2] = [RETRIES, " records at once: "];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    TailerKilled,
    /// Has rotators that are real programs, see `Written::rotated`.
    BothKilled,
    WorkerKilled,
    WorkerTerminated,
    IngestKilled,
    PostmasterKilled,
    ImmediateShutdown,
    WalDiskFull,
    DataDiskFull,
    AlertDiskFull,
    NetworkReset,
    NetworkStalled,
    RequestCut,
    AnswerLost,
    MailClosed,
    MailSilent,
    MailDeferred,
    MailAnswerLost,
    MailLossy,
    CloneBeside,
    WebhookHanging,
    LogFlooded,
    AdvisoryLocks,
    AckUncommitted,
    RecordsFromElsewhen,
    /// Has a server and a course of its own, see `clock`.
    ClockSet,
}

/// All of them, with the words that the table has for them.
const ALL: [(Fault, &str); 26] = [
    (Fault::TailerKilled, "kill -9 of the tailer"),
    (
        Fault::BothKilled,
        "kill -9 of tailer and server, under a real rotator",
    ),
    (Fault::WorkerKilled, "kill -9 of the worker"),
    (Fault::WorkerTerminated, "the worker terminated"),
    (Fault::IngestKilled, "kill -9 of a backend in ingest"),
    (Fault::PostmasterKilled, "kill -9 of the postmaster"),
    (Fault::ImmediateShutdown, "immediate shutdown"),
    (Fault::WalDiskFull, "disk full: write-ahead log"),
    (Fault::DataDiskFull, "disk full: data directory"),
    (Fault::AlertDiskFull, "disk full: alert file"),
    (Fault::NetworkReset, "network reset"),
    (Fault::NetworkStalled, "network stalled"),
    (Fault::RequestCut, "network cut within a call"),
    (Fault::AnswerLost, "network cut after COMMIT, before the answer"),
    (Fault::MailClosed, "SMTP closed, at any step"),
    (Fault::MailSilent, "SMTP silent within the conversation"),
    (Fault::MailDeferred, "SMTP 4xx, at any step"),
    (Fault::MailAnswerLost, "SMTP cut after the mail was taken"),
    (Fault::MailLossy, "SMTP lossy and slow"),
    (Fault::CloneBeside, "a clone of the database beside the original"),
    (Fault::WebhookHanging, "a webhook accepts and never replies"),
    (Fault::LogFlooded, "3 000 lines queued for the server log"),
    (Fault::AdvisoryLocks, "advisory locks held by another role"),
    (Fault::AckUncommitted, "an acknowledgement that is not committed"),
    (Fault::RecordsFromElsewhen, "records ±1 h and ±1 day away"),
    (Fault::ClockSet, "the server's clock ±1 h and ±1 day, and back"),
];

/// How a fault was observed.
pub struct Observed {
    /// The fault itself, where it struck.
    pub effect: String,
    /// The report of logwatch, or of the server's log, while it lasted.
    pub report: String,
}

impl Observed {
    /// Fails when either is missing: the round would prove nothing.
    fn new(effect: String, report: String) -> Result<Observed> {
        ensure!(!effect.is_empty(), "the fault did not take effect");
        ensure!(!report.is_empty(), "nothing reported the fault");
        Ok(Observed { effect, report })
    }
}

/// The objects that a fault may change.
pub struct Scene<'a> {
    pub stage: &'a mut Stage,
    pub tailers: &'a mut Tailers,
    pub sources: &'a [Source],
    /// The rule that fires when a source is silent for a second.
    pub silence: &'a str,
    /// How often the mail server had followed an instruction when the round began.
    pub mails_failed: usize,
    pub random: &'a mut Rng,
}

impl Fault {
    /// The faults that can be had here.
    pub fn available(disks: bool, clock: bool, rotators: bool) -> Vec<Fault> {
        let all = ALL.iter().map(|(fault, _)| *fault);
        all.filter(|fault| match fault {
            Fault::ClockSet => clock,
            Fault::BothKilled => rotators,
            _ => disks || !fault.needs_disks(),
        })
        .collect()
    }

    pub fn words(self) -> &'static str {
        ALL.iter()
            .find(|(fault, _)| *fault == self)
            .map_or("", |(_, words)| words)
    }

    fn needs_disks(self) -> bool {
        matches!(
            self,
            Fault::WalDiskFull | Fault::DataDiskFull | Fault::AlertDiskFull
        )
    }

    /// Prepares a fault before the rules exist, because it concerns their first alert.
    pub fn prepare(self, stage: &Stage, random: &mut Rng) -> Result<()> {
        match self {
            Fault::MailClosed
            | Fault::MailSilent
            | Fault::MailDeferred
            | Fault::MailAnswerLost
            | Fault::MailLossy => {
                mail::prepare(self, stage, random)?;
            }
            // Some crashes shall come in the middle of a mail.
            Fault::WorkerKilled | Fault::PostmasterKilled | Fault::ImmediateShutdown if random.bool() => {
                mail::stall_once(stage, random);
            }
            Fault::WebhookHanging | Fault::LogFlooded => channels::prepare(self, stage)?,
            _ => {}
        }
        Ok(())
    }

    /// Strikes, looks, mends.
    pub fn play(self, scene: &mut Scene) -> Result<Observed> {
        let (effect, report) = match self {
            Fault::TailerKilled => processes::kill_tailers(scene),
            Fault::BothKilled => processes::kill_both(scene),
            Fault::WorkerKilled => processes::kill_worker(scene),
            Fault::WorkerTerminated => processes::terminate_worker(scene),
            Fault::IngestKilled => processes::kill_ingest(scene),
            Fault::PostmasterKilled => processes::kill_postmaster(scene),
            Fault::ImmediateShutdown => processes::shut_down(scene),
            Fault::WalDiskFull => disks::fill_wal(scene),
            Fault::DataDiskFull => disks::fill_data(scene),
            Fault::AlertDiskFull => disks::fill_alerts(scene),
            Fault::NetworkReset => network::reset(scene),
            Fault::NetworkStalled => network::stall(scene),
            Fault::RequestCut => network::cut_request(scene),
            Fault::AnswerLost => network::lose_answer(scene),
            Fault::MailClosed | Fault::MailSilent | Fault::MailDeferred | Fault::MailAnswerLost => {
                mail::look(scene)
            }
            Fault::MailLossy => mail::look_at_failures(scene),
            Fault::CloneBeside => clone::look(scene),
            Fault::WebhookHanging => channels::look_at_webhook(scene),
            Fault::LogFlooded => channels::look_at_log(scene),
            Fault::AdvisoryLocks => sessions::hold_advisory_locks(scene),
            Fault::AckUncommitted => sessions::hold_acknowledgement(scene),
            Fault::RecordsFromElsewhen => times::look(scene),
            Fault::ClockSet => anyhow::bail!("this fault has a server of its own"),
        }?;
        Observed::new(effect, report)
    }
}

impl Scene<'_> {
    /// Waits until the status says that nothing is heard of the sources' tailers.
    fn wait_for_silence(&self) -> Result<String> {
        self.stage.wait_for_status("rule", self.silence, "firing", "")
    }
}
