//! The outbox: claim, commit, send, record. The worker and `CALL logwatch_deliver()` both go this way.
//!
//! Nothing is sent while a transaction holds a lock or a snapshot.

use std::time::Duration;

use jiff::Timestamp;
use pgrx::JsonB;
use pgrx::prelude::*;

use crate::channel::{Channel, Ended, LogChannel, Notification, Outcome, Verdict};
use crate::pg::{self, IfDropped, Procedure};
use crate::sender::InFlight;
use crate::settings;

/// Takes due notifications of these channels and leases them.
pub fn claim(channels: &[&str]) -> spi::Result<Vec<Notification>> {
    Spi::connect_mut(|client| {
        client
            .update(
                "SELECT c.id, c.channel, c.recipient, c.reason, c.message_id, c.in_reply_to, c.created_at, c.payload::pg_catalog.text
                   FROM logwatch_private.claim($1) AS c",
                None,
                &[channels.to_vec().into()],
            )?
            .map(|row| {
                Ok(Notification {
                    id: row.get(1)?.unwrap_or_default(),
                    channel: row.get(2)?.unwrap_or_default(),
                    recipient: row.get(3)?.unwrap_or_default(),
                    reason: row.get(4)?.unwrap_or_default(),
                    message_id: row.get(5)?.unwrap_or_default(),
                    in_reply_to: row.get(6)?,
                    created_at: row.get::<String>(7)?.and_then(|at| at.parse().ok()).unwrap_or_else(Timestamp::now),
                    payload: row.get(8)?.unwrap_or_default(),
                })
            })
            .collect()
    })
}

/// Records how attempts ended.
pub fn settle(ended: &[Ended]) -> spi::Result<()> {
    for Ended {
        id,
        message_id,
        outcome,
    } in ended
    {
        Spi::run_with_args(
            "SELECT logwatch_private.settle($1, $2, $3, $4, $5)",
            &[
                (*id).into(),
                message_id.as_str().into(),
                outcome.verdict.word().into(),
                outcome.code.into(),
                outcome.answer.as_str().into(),
            ],
        )?;
    }
    Ok(())
}

/// Writes the notifications for the server log.
pub fn write_log(notifications: &[Notification]) -> Vec<Ended> {
    notifications
        .iter()
        .map(|notification| notification.ended(LogChannel.deliver(notification)))
        .collect()
}

/// The channels that the worker and `logwatch_deliver()` send to.
pub const CHANNELS: &[&str] = &["log", "email", "webhook"];

/// How long a look at what is in flight may wait for news.
const LOOK: Duration = Duration::from_secs(1);

/// Sends what is due, and returns when nothing is due any more.
#[pg_extern(sql = false)]
fn deliver() -> spi::Result<()> {
    pg::refuse_in_recovery(c"logwatch_deliver()");
    let procedure = Procedure::begin();
    // Inside a transaction block PostgreSQL refuses this, before anything is claimed.
    procedure.commit();
    loop {
        pg::hold_extension(IfDropped::Wait);
        let (log, others): (Vec<_>, Vec<_>) = claim(CHANNELS)?
            .into_iter()
            .partition(|notification| notification.channel == "log");
        if log.is_empty() && others.is_empty() {
            break;
        }
        procedure.commit();
        pg::hold_extension(IfDropped::Wait);
        settle(&write_log(&log))?;
        procedure.commit();
        let mut in_flight = InFlight::start(others);
        while !in_flight.is_done() {
            pg::wait(LOOK);
            pg::hold_extension(IfDropped::Wait);
            settle(&in_flight.collect())?;
            procedure.commit();
        }
    }
    procedure.end();
    Ok(())
}

/// Sends one test notification now and says what the server answered.
#[pg_extern(sql = false)]
fn test_channel(channel: Option<&str>, recipient: Option<&str>) -> String {
    use PgSqlErrorCode::{ERRCODE_INVALID_PARAMETER_VALUE, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE};
    match channel.unwrap_or_default() {
        "log" => {
            pg::server_log("logwatch: test notification", "sent by logwatch_test('log')");
            "written to the server log".to_owned()
        }
        "file" => match crate::report::write_file() {
            Ok(Some(file)) => format!("written to {}", file.display()),
            Ok(None) => pg::raise(
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the alert file is off",
                "Set logwatch.alert_file in postgresql.conf, then: SELECT pg_reload_conf();",
            ),
            Err(why) => pg::raise(
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                &why,
                "Set logwatch.alert_file to a file that the server's user may write.",
            ),
        },
        "email" => test_email(recipient),
        "webhook" => test_webhook(),
        other => pg::raise(
            ERRCODE_INVALID_PARAMETER_VALUE,
            &format!("unknown channel \"{other}\""),
            "Use email, webhook, file or log, for example: SELECT logwatch_test('email');",
        ),
    }
}

fn test_email(recipient: Option<&str>) -> String {
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    let settings = match settings::email() {
        Ok(settings) => settings,
        Err(problem) => pg::raise(
            code,
            &problem.to_string(),
            "After a change in postgresql.conf: SELECT pg_reload_conf();",
        ),
    };
    let Some(recipient) = recipient
        .map(str::to_owned)
        .or_else(|| settings::recipients().into_iter().next())
    else {
        pg::raise(
            code,
            "nobody to send to: logwatch.email_to is empty",
            "Name a recipient: SELECT logwatch_test('email', 'ops@example.com');",
        )
    };
    let server = format!("{}:{}", settings.server.host, settings.server.port);
    let payload = crate::report::status().map(|status| serde_json::json!(status).to_string());
    let notification = Notification {
        id: 0,
        channel: "email".to_owned(),
        recipient: recipient.clone(),
        reason: "report".to_owned(),
        message_id: crate::report::new_message_id(),
        in_reply_to: None,
        created_at: Timestamp::now(),
        payload: payload.unwrap_or_default(),
    };
    let answer = send_now(
        notification,
        &format!("{server} did not take the message for {recipient}"),
        "See logwatch.smtp_url, smtp_user, smtp_password_file, smtp_ca_file and email_from in postgresql.conf.",
    );
    format!("{server} accepted the message for {recipient}: {answer}")
}

fn test_webhook() -> String {
    if let Err(problem) = settings::webhook() {
        pg::raise(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            &problem.to_string(),
            "After a change in postgresql.conf: SELECT pg_reload_conf();",
        );
    }
    let host = settings::host_name();
    let notification = Notification {
        id: 0,
        channel: "webhook".to_owned(),
        recipient: String::new(),
        reason: "test".to_owned(),
        message_id: crate::report::new_message_id(),
        in_reply_to: None,
        created_at: Timestamp::now(),
        payload: crate::message::test_alert(&host, Timestamp::now()).to_string(),
    };
    let answer = send_now(
        notification,
        "the webhook did not take the test alert",
        "See logwatch.webhook_url and webhook_headers_file in postgresql.conf.",
    );
    format!("the webhook accepted the test alert: {answer}")
}

/// Sends one notification now and returns the answer; an error when it was not taken.
fn send_now(notification: Notification, not_taken: &str, hint: &str) -> String {
    let mut in_flight = InFlight::start(vec![notification]);
    let mut ended = Vec::new();
    while ended.is_empty() {
        pg::wait(LOOK);
        ended = in_flight.collect();
    }
    match ended.pop().map(|ended| ended.outcome) {
        Some(Outcome {
            verdict: Verdict::Sent,
            answer,
            ..
        }) => answer,
        Some(outcome) => pg::raise(
            PgSqlErrorCode::ERRCODE_CONNECTION_EXCEPTION,
            &format!("{not_taken}: {}", outcome.answer),
            hint,
        ),
        None => String::new(),
    }
}

/// A report's payload, queued to one channel or to all.
pub fn queue_report(channels: Vec<&str>, payload: serde_json::Value) -> spi::Result<()> {
    Spi::run_with_args(
        "SELECT logwatch_private.queue_report($1, $2)",
        &[channels.into(), JsonB(payload).into()],
    )
}
