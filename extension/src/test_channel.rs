//! `logwatch_test()`: sends one test notification now, and returns the server's answer or raises an
//! error with a hint.

use std::time::Duration;

use jiff::Timestamp;
use pgrx::prelude::*;

use crate::channel::{Notification, Outcome, Verdict};
use crate::claim::Claim;
use crate::message::test_alert;
use crate::sender::{Route, Sender};
use crate::smtp::Waits;
use crate::{copies, pg, report, settings, waiting};

/// How long to wait for a result before interrupts are looked at again; a result ends the wait.
const LOOK: Duration = Duration::from_secs(1);

const RELOAD: &str = "After a change in postgresql.conf: SELECT pg_reload_conf();";

#[pg_extern(sql = false)]
fn test_channel(channel: Option<&str>, recipient: Option<&str>) -> String {
    match channel.unwrap_or_default() {
        "log" => {
            pg::server_log("logwatch: test notification", "sent by logwatch_test('log')");
            "written to the server log".to_owned()
        }
        "file" => test_file(),
        "email" => test_email(recipient),
        other => match settings::receiver_name(other) {
            Some(name) => test_webhook(other, name),
            None => pg::raise(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                &format!("unknown channel \"{other}\""),
                &format!(
                    "Use email, webhook, webhook:NAME, file or log, for example: SELECT {}.logwatch_test('email'::text, NULL::text);",
                    report::schema()
                ),
            ),
        },
    }
}

/// Raises an error about a setting.
fn refuse(message: &str, hint: &str) -> ! {
    pg::raise(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        message,
        hint,
    )
}

fn test_file() -> String {
    match report::write_file() {
        Ok(Some(file)) => format!("written to {}", file.display()),
        Ok(None) => refuse(
            "the alert file is off",
            "Set logwatch.alert_file in postgresql.conf to an absolute path, then: SELECT pg_reload_conf();",
        ),
        Err(why) => refuse(
            &why.to_string(),
            "Set logwatch.alert_file to a file in a directory that the server's user may write to.",
        ),
    }
}

fn test_email(recipient: Option<&str>) -> String {
    let mut settings = settings::email().unwrap_or_else(|why| refuse(&why.to_string(), RELOAD));
    settings.waits = Waits::impatient(settings.waits.reply);
    let Some(recipient) = recipient
        .map(str::to_owned)
        .or_else(|| settings::recipients().into_iter().next())
    else {
        refuse(
            "no recipient: logwatch.email_to is empty",
            &format!(
                "Name a recipient: SELECT {}.logwatch_test('email'::text, 'ops@example.com'::text);",
                report::schema()
            ),
        )
    };
    if settings.recipient(&recipient).is_none() {
        pg::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            &format!("\"{recipient}\" is not an e-mail address"),
            &format!(
                "For example: SELECT {}.logwatch_test('email'::text, 'ops@example.com'::text);",
                report::schema()
            ),
        );
    }
    let server = match settings.servers.first() {
        Some(server) => format!("{}:{}", server.host, server.port),
        None => String::new(),
    };
    let payload = report::status().map(|status| serde_json::json!(status).to_string());
    let notification = Notification {
        recipient: recipient.clone(),
        ..notification("report", payload.unwrap_or_default())
    };
    let answer = send_now(
        notification,
        &Route::Email(settings.into()),
        &format!("{server} did not take the message for {recipient}"),
        "See logwatch.smtp_url, smtp_user, smtp_password_file, smtp_oauth_file, smtp_ca_file and email_from in postgresql.conf.",
    );
    let server = answer.server.unwrap_or(server);
    format!("{server} accepted the message for {recipient}: {}", answer.answer)
}

fn test_webhook(channel: &str, name: &str) -> String {
    let settings = settings::webhook(name).unwrap_or_else(|why| refuse(&why.to_string(), RELOAD));
    let mut alert = test_alert(&settings::host_name(), Timestamp::now());
    alert["server"] = copies::identity().into();
    let answer = send_now(
        notification("test", alert.to_string()),
        &Route::Webhook(settings.into()),
        &format!("{channel} did not take the test alert"),
        "See logwatch.webhook_url, webhook_headers_file and receivers_file in postgresql.conf.",
    );
    format!("{channel} accepted the test alert: {}", answer.answer)
}

fn notification(reason: &str, payload: String) -> Notification {
    Notification {
        id: 0,
        urgency: 0,
        recipient: String::new(),
        reason: reason.to_owned(),
        message_id: report::new_message_id(),
        in_reply_to: Vec::new(),
        created_at: Timestamp::now(),
        payload,
        claim: Claim::on_disk(),
    }
}

/// Sends one notification now and returns the outcome; raises an error when the server did not take
/// it.
fn send_now(notification: Notification, route: &Route, not_taken: &str, hint: &str) -> Outcome {
    let mut sender = Sender::default();
    sender.send(vec![notification], route);
    let outcome = loop {
        waiting::wait(LOOK);
        if let Some(ended) = sender.collect().pop() {
            break ended.outcome;
        }
    };
    let answer = &outcome.answer;
    match outcome.verdict {
        Verdict::Sent => outcome,
        Verdict::Retry | Verdict::Failed => pg::raise(
            PgSqlErrorCode::ERRCODE_CONNECTION_EXCEPTION,
            &format!("{not_taken}: {answer}"),
            hint,
        ),
    }
}
