//! The status as text: read from `logwatch_status()`, worded by `message`, printed in psql, the
//! alert file and mails.

use std::path::PathBuf;

use jiff::Timestamp;
use pgrx::prelude::*;

use crate::channel::FileProblem;
use crate::message::{Page, RuleLine, Status, StatusRow};
use crate::pg::IfDropped;
use crate::{channel, copies, outbox, pg, settings};

/// Returns the schema of the public functions, quoted, for the commands in messages.
pub fn schema() -> String {
    Spi::get_one::<String>("SELECT logwatch_private.schema()")
        .ok()
        .flatten()
        .unwrap_or_else(|| "public".to_owned())
}

/// Returns the present status. Reads only, so that it assigns no transaction id and works on a
/// standby.
pub fn status() -> spi::Result<Status> {
    let rows = Spi::connect(|client| {
        client
            .select(
                "SELECT s.component, s.name, s.state, s.message FROM logwatch.status AS s",
                None,
                &[],
            )?
            .map(|row| {
                Ok(StatusRow {
                    component: row.get(1)?.unwrap_or_default(),
                    name: row.get(2)?.unwrap_or_default(),
                    state: row.get(3)?.unwrap_or_default(),
                    message: row.get(4)?.unwrap_or_default(),
                })
            })
            .collect::<spi::Result<Vec<_>>>()
    })?;
    let database = Spi::connect(|client| {
        client
            .select("SELECT pg_catalog.current_database()::text", Some(1), &[])?
            .first()
            .get_one::<String>()
    })?;
    Ok(Status {
        host: settings::host_name(),
        database: database.unwrap_or_default(),
        server: copies::identity(),
        at: Timestamp::now(),
        zone: pg::config_option(c"log_timezone").unwrap_or_else(|| "UTC".to_owned()),
        rows,
    })
}

/// Why the alert file was not written.
#[derive(Debug, thiserror::Error)]
pub enum AlertFileError {
    #[error("the status cannot be read for logwatch.alert_file: {0}")]
    Status(#[from] spi::Error),
    #[error("{}", settings::alert_file_error(.0, .1))]
    File(PathBuf, #[source] FileProblem),
}

/// Replaces the alert file; None where there is none.
pub fn write_file() -> Result<Option<PathBuf>, AlertFileError> {
    let Some(file) = settings::alert_file() else {
        return Ok(None);
    };
    match channel::write_alert_file(&file, status()?.text()) {
        Ok(()) => Ok(Some(file)),
        Err(why) => Err(AlertFileError::File(file, why)),
    }
}

/// As `write_file`, for `logwatch_check()`: a file that cannot be written must not undo the check.
#[pg_extern(sql = false)]
fn write_alert_file() {
    if let Err(why) = write_file() {
        warning!("{why}");
    }
}

/// Returns the status message, and queues it to the channels.
#[pg_extern(sql = false)]
fn report(channel: Option<&str>) -> spi::Result<String> {
    pg::hold_extension(IfDropped::Wait);
    let channels = match channel {
        None => vec!["email", "log"],
        Some(one @ ("email" | "log")) => {
            if let Some(problem) = settings::email_problem().filter(|_| one == "email") {
                pg::raise(
                    PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    &problem.to_string(),
                    "After a change in postgresql.conf: SELECT pg_reload_conf();",
                );
            }
            vec![one]
        }
        Some(other) => pg::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            &format!("unknown channel \"{other}\""),
            "Use email or log, or nothing for all that are set.",
        ),
    };
    let status = status()?;
    let text = status.text();
    // On a standby nothing can be queued.
    if !pg::in_recovery() {
        outbox::queue_report(channels, serde_json::json!(status))?;
    }
    Ok(text)
}

/// Returns the report page. Reads only, as `status()`.
#[pg_extern(sql = false)]
fn report_html(period: Option<pgrx::datum::Interval>) -> spi::Result<String> {
    pg::hold_extension(IfDropped::Wait);
    let data = Spi::connect(|client| {
        client
            .select(
                "SELECT logwatch_private.page_data($1, clock_timestamp())::text WHERE $1 BETWEEN interval '1 minute' AND interval '366 days'",
                Some(1),
                &[period.into()],
            )?
            .next()
            .map(|row| row.get::<String>(1))
            .transpose()
            .map(Option::flatten)
    })?;
    let Some(data) = data else {
        pg::raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "the report's period must be between a minute and 366 days",
            &format!(
                "For example: SELECT {}.logwatch_report_html('7 days'::interval);",
                schema()
            ),
        )
    };
    match serde_json::from_str::<Page>(&data) {
        Ok(page) => Ok(page.html()),
        Err(why) => pg::raise(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            &format!("the report page cannot read its data: {why}"),
            "The library and the extension may have different versions: ALTER EXTENSION logwatch UPDATE;",
        ),
    }
}

/// Returns a new Message-ID, as the outbox makes them.
pub fn new_message_id() -> String {
    Spi::connect(|client| {
        client
            .select("SELECT logwatch_private.new_message_id()", Some(1), &[])?
            .first()
            .get_one::<String>()
    })
    .ok()
    .flatten()
    .unwrap_or_else(|| {
        format!(
            "<{}.logwatch@{}>",
            Timestamp::now().as_nanosecond(),
            settings::host_name()
        )
    })
}

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments, reason = "the arguments of the SQL function")]
fn rule_message(
    kind: Option<&str>,
    state: Option<&str>,
    rule: Option<&str>,
    grouped_by: Option<&str>,
    level: Option<&str>,
    count: Option<i64>,
    threshold: Option<i64>,
    within_seconds: Option<i64>,
    expects: Option<&str>,
) -> String {
    RuleLine {
        kind: kind.unwrap_or_default(),
        state: state.unwrap_or_default(),
        rule: rule.unwrap_or_default(),
        group: grouped_by.unwrap_or_default(),
        level: level.unwrap_or_default(),
        count: count.unwrap_or_default(),
        threshold: threshold.unwrap_or_default(),
        within: within_seconds.unwrap_or_default(),
        expects,
    }
    .sentence()
}
