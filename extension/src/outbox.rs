//! The outbox: claim, commit, send, record. The worker and `CALL logwatch_deliver()` share it.
//!
//! No message is sent while a transaction holds a lock or a snapshot. The worker's conversation
//! with a mail server begins while the claim is committed, and gets the mail afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use pgrx::JsonB;
use pgrx::prelude::*;

use crate::channel::{Channel, Ended, LogChannel, Notification, Outcome};
use crate::claim::{Claim, Claiming};
use crate::pg::{self, IfDropped, Procedure};
use crate::plans::{plan, plan_with};
use crate::sender::{Route, Sender};
use crate::worker::TickError;
use crate::{settings, waiting};

/// Log lines that are written before others get their turn.
const LOG_LINES: usize = 20;

/// A channel with notifications that wait to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    pub channel: String,
    /// Seconds until the next one is due; not positive when it is.
    pub seconds: f64,
}

/// Returns the channels that have something to send, and when. Assigns no transaction id.
pub fn due() -> spi::Result<Vec<Due>> {
    Spi::connect(|client| {
        let query = "SELECT d.channel, d.seconds FROM logwatch_private.due_channels() AS d";
        client
            .select(plan(client, query)?, None, &[])?
            .map(|row| {
                Ok(Due {
                    channel: row.get(1)?.unwrap_or_default(),
                    seconds: row.get(2)?.unwrap_or_default(),
                })
            })
            .collect()
    })
}

/// Takes due notifications of a channel and leases them.
pub fn claim(channel: &str, most: usize, claim: &Claim) -> spi::Result<Vec<Notification>> {
    const QUERY: &str =
        "SELECT c.id, c.urgency, c.recipient, c.reason, c.message_id, c.in_reply_to, c.created_at, \
                                c.payload::pg_catalog.text
                           FROM logwatch_private.claim($1, $2) AS c";
    const TYPES: [PgBuiltInOids; 2] = [PgBuiltInOids::TEXTOID, PgBuiltInOids::INT4OID];
    Spi::connect_mut(|client| {
        let plan = plan_with(client, QUERY, &TYPES)?;
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        client
            .update(plan, None, &[channel.into(), most.into()])?
            .map(|row| {
                let created_at: Option<String> = row.get(7)?;
                Ok(Notification {
                    id: row.get(1)?.unwrap_or_default(),
                    urgency: row.get(2)?.unwrap_or_default(),
                    recipient: row.get(3)?.unwrap_or_default(),
                    reason: row.get(4)?.unwrap_or_default(),
                    message_id: row.get(5)?.unwrap_or_default(),
                    in_reply_to: row.get::<Vec<String>>(6)?.unwrap_or_default(),
                    created_at: created_at
                        .and_then(|at| at.parse().ok())
                        .unwrap_or_else(Timestamp::now),
                    payload: row.get(8)?.unwrap_or_default(),
                    claim: claim.clone(),
                })
            })
            .collect()
    })
}

/// Records how attempts ended.
pub fn record(ended: &[Ended]) -> spi::Result<()> {
    fn column<'a, T>(ended: &'a [Ended], read: impl Fn(&'a Ended) -> T) -> Vec<T> {
        ended.iter().map(read).collect()
    }
    const RECORD: &str = "SELECT logwatch_private.record_attempts($1, $2, $3, $4, $5)";
    const TYPES: [PgBuiltInOids; 5] = [
        PgBuiltInOids::INT8ARRAYOID,
        PgBuiltInOids::TEXTARRAYOID,
        PgBuiltInOids::TEXTARRAYOID,
        PgBuiltInOids::INT4ARRAYOID,
        PgBuiltInOids::TEXTARRAYOID,
    ];
    let columns = [
        column(ended, |one| one.id).into(),
        column(ended, |one| one.message_id.as_str()).into(),
        column(ended, |one| one.outcome.verdict.word()).into(),
        column(ended, |one| one.outcome.code).into(),
        column(ended, |one| one.outcome.answer.as_str()).into(),
    ];
    Spi::connect_mut(|client| {
        let record = plan_with(client, RECORD, &TYPES)?;
        client.update(record, None, &columns).map(|_| ())
    })
}

/// Keeps other senders from notifications that wait for their server for long.
pub fn renew_leases(ids: Vec<i64>) -> spi::Result<()> {
    Spi::run_with_args("SELECT logwatch_private.renew_leases($1)", &[ids.into()])
}

/// A sender for each channel, made when the channel has something to send for the first time.
#[derive(Default)]
pub struct Senders(BTreeMap<String, Sender>);

impl Senders {
    /// Returns how many notifications a channel can take now.
    pub fn room(&self, channel: &str) -> usize {
        match (channel, self.0.get(channel)) {
            ("log", _) => LOG_LINES,
            (_, Some(sender)) => sender.room(),
            (_, None) => Sender::default().room(),
        }
    }

    /// Hands claimed notifications to the threads, which wait for the end of the claim where they
    /// must; returns what no thread takes.
    fn begin(&mut self, channel: &str, claimed: Vec<Notification>) -> Unsent {
        if claimed.is_empty() {
            return Unsent::default();
        }
        let why = match channel {
            "log" => None,
            _ => match route(channel) {
                Some(Ok(route)) => {
                    self.0
                        .entry(channel.to_owned())
                        .or_default()
                        .send(claimed, &route);
                    return Unsent::default();
                }
                // Settings that cannot work end an attempt at once; it is repeated when they may
                // have been corrected.
                Some(Err(why)) => Some(Outcome::retry(why.to_string())),
                None => Some(Outcome::failed(format!("unknown channel \"{channel}\""))),
            },
        };
        Unsent { claimed, why }
    }

    /// Takes due notifications of a channel in a transaction of the worker, and starts to send
    /// them. Returns the attempts that have ended already; None where nothing was due.
    pub fn send_due(&mut self, channel: &str) -> Result<Option<Vec<Ended>>, TickError> {
        let room = self.room(channel);
        if room == 0 {
            return Ok(None);
        }
        let claiming = Claiming::default();
        let claim = claiming.claim();
        let claimed = pg::transaction(c"logwatch: claim", || {
            let claimed = self::claim(channel, room, &claim)?;
            spi::Result::Ok((!claimed.is_empty(), self.begin(channel, claimed)))
        });
        let claimed = claimed.map_err(TickError::from).and_then(|claimed| Ok(claimed?));
        if claimed.is_ok() {
            claiming.committed();
        } else if let Some(sender) = self.0.get_mut(channel) {
            sender.forget(&claim);
        }
        let (any, unsent) = claimed?;
        Ok(any.then(|| unsent.end()))
    }

    /// Returns the attempts that have ended since the last call; never waits.
    pub fn collect(&mut self) -> Vec<Ended> {
        self.0.values_mut().flat_map(Sender::collect).collect()
    }

    /// Gives up what is under way by other settings than the present ones; returns what had not
    /// begun.
    pub fn cancel_outdated(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        for (channel, sender) in &mut self.0 {
            let present = route(channel).and_then(Result::ok);
            ended.extend(sender.cancel_others(present.as_ref()));
        }
        ended
    }

    /// Returns the ids of the notifications whose lease is to be renewed now; mostly none.
    pub fn leases_to_renew(&mut self) -> Vec<i64> {
        self.0.values_mut().flat_map(Sender::leases_to_renew).collect()
    }

    /// Whether an attempt by older settings has not ended.
    pub fn has_outdated(&self) -> bool {
        self.0.values().any(Sender::has_outdated)
    }

    pub fn is_idle(&self) -> bool {
        self.0.values().all(Sender::is_idle)
    }
}

/// Claimed notifications that go to no thread: lines for the log, or the reason why not.
#[derive(Default)]
struct Unsent {
    claimed: Vec<Notification>,
    why: Option<Outcome>,
}

impl Unsent {
    /// Ends the attempts, once the claim is on disk.
    fn end(self) -> Vec<Ended> {
        let outcome = |notification| match &self.why {
            Some(why) => why.clone(),
            None => LogChannel.deliver(notification),
        };
        self.claimed
            .iter()
            .map(|notification| notification.ended(outcome(notification)))
            .collect()
    }
}

/// Reads a channel's settings as they are now; None for a channel that does not exist.
fn route(channel: &str) -> Option<Result<Route, settings::SettingError>> {
    match channel {
        "email" => Some(settings::email().map(|settings| Route::Email(settings.into()))),
        other => settings::receiver_name(other)
            .map(|name| settings::webhook(name).map(|settings| Route::Webhook(settings.into()))),
    }
}

/// How long `logwatch_deliver()` waits for a result before it looks for others.
const LOOK: Duration = Duration::from_secs(1);

/// Raises an error on a copy of a server, which must not send the original's queue.
fn refuse_on_copy() -> spi::Result<()> {
    let words = Spi::connect(|client| {
        client
            .select("SELECT logwatch_private.copy_words()", Some(1), &[])?
            .first()
            .get_one::<String>()
    })?;
    if let Some(words) = words {
        pg::raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "a copy of a server delivers nothing",
            &words,
        );
    }
    Ok(())
}

/// Sends what is due, and returns when nothing is due any more.
#[pg_extern(sql = false)]
fn deliver() -> spi::Result<()> {
    pg::refuse_in_recovery(c"logwatch_deliver()");
    let procedure = Procedure::begin();
    // Inside a transaction block PostgreSQL refuses this, before anything is claimed.
    procedure.commit();
    refuse_on_copy()?;
    let mut senders = Senders::default();
    loop {
        pg::hold_extension(IfDropped::Wait);
        let leases = senders.leases_to_renew();
        if !leases.is_empty() {
            renew_leases(leases)?;
        }
        let mut claimed = Vec::new();
        for one in due()?.into_iter().filter(|one| one.seconds <= 0.0) {
            let room = senders.room(&one.channel);
            if room > 0 {
                // They are sent after the commit.
                let notifications = claim(&one.channel, room, &Claim::on_disk())?;
                claimed.push((one.channel, notifications));
            }
        }
        procedure.commit();
        let mut ended = Vec::new();
        let mut sent = false;
        for (channel, notifications) in claimed {
            sent |= !notifications.is_empty();
            ended.extend(senders.begin(&channel, notifications).end());
        }
        if !senders.is_idle() {
            waiting::wait(LOOK);
            ended.extend(senders.collect());
        }
        if !ended.is_empty() {
            pg::hold_extension(IfDropped::Wait);
            record(&ended)?;
            procedure.commit();
        }
        if !sent && senders.is_idle() {
            break;
        }
    }
    procedure.end();
    Ok(())
}

/// Queues a report's payload to channels; those that are not set are left out.
pub fn queue_report(channels: Vec<&str>, payload: serde_json::Value) -> spi::Result<()> {
    Spi::run_with_args(
        "SELECT logwatch_private.queue_report($1, $2)",
        &[channels.into(), JsonB(payload).into()],
    )
}
