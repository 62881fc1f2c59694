//! The settings `logwatch.*` of postgresql.conf: their definition, and what they mean once read.
//!
//! A value that cannot work never stops anything: it is reported by [`email`] and by the status, in words that say what to type.

use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::time::Duration;

use logwatch_record::Level;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::prelude::*;

use crate::pg;

mod address;
mod email;
mod error;
mod secret;
mod webhook;

pub use address::{Security, Server};
pub use email::{Email, email, email_problem, recipients};
pub use error::SettingError;
pub use webhook::{Webhook, webhook};

type Text = GucSetting<Option<CString>>;

#[derive(PostgresGucEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum MinLevel {
    #[name = c"DEBUG"]
    Debug,
    #[name = c"INFO"]
    Info,
    #[name = c"WARN"]
    Warn,
    #[name = c"ERROR"]
    Error,
    #[name = c"FATAL"]
    Fatal,
}

static DATABASE: Text = Text::new(Some(c"postgres"));
static CHECK_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(10);
static MIN_LEVEL: GucSetting<MinLevel> = GucSetting::<MinLevel>::new(MinLevel::Error);
static MAX_LATENESS: GucSetting<i32> = GucSetting::<i32>::new(24 * 60 * 60);
static RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * 24 * 60);
static ALERT_FILE: Text = Text::new(None);
static EMAIL_FROM: Text = Text::new(None);
static EMAIL_TO: Text = Text::new(None);
static SMTP_URL: Text = Text::new(None);
static SMTP_USER: Text = Text::new(None);
static SMTP_PASSWORD_FILE: Text = Text::new(None);
static SMTP_CA_FILE: Text = Text::new(None);
static WEBHOOK_URL: Text = Text::new(None);
static WEBHOOK_HEADERS_FILE: Text = Text::new(None);
static SMTP_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(20);

/// Defines the settings. Outside preload `logwatch.database` cannot be one that needs a restart: PostgreSQL would end the session.
pub fn init(preloading: bool) {
    let text = |name, short, setting, context| {
        GucRegistry::define_string_guc(name, short, c"", setting, context, GucFlags::SUPERUSER_ONLY);
    };
    let number = |name, short, setting, least, most, unit: GucFlags| {
        GucRegistry::define_int_guc(
            name,
            short,
            c"",
            setting,
            least,
            most,
            GucContext::Sighup,
            GucFlags::SUPERUSER_ONLY | unit,
        );
    };
    text(
        c"logwatch.database",
        c"Database that the worker runs in; change needs a restart.",
        &DATABASE,
        if preloading {
            GucContext::Postmaster
        } else {
            GucContext::Sighup
        },
    );
    number(
        c"logwatch.check_interval",
        c"Time between checks when nothing wakes the worker.",
        &CHECK_INTERVAL,
        1,
        3600,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_enum_guc(
        c"logwatch.min_level",
        c"Records below this level are not stored.",
        c"",
        &MIN_LEVEL,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    number(
        c"logwatch.max_lateness",
        c"Records that are older than this when they arrive never alert by themselves.",
        &MAX_LATENESS,
        60,
        366 * 24 * 60 * 60,
        GucFlags::UNIT_S,
    );
    number(
        c"logwatch.retention",
        c"How long entries, counts, alerts and notifications are kept.",
        &RETENTION,
        60,
        i32::MAX,
        GucFlags::UNIT_MIN,
    );
    text(
        c"logwatch.alert_file",
        c"File that every check rewrites with the present status.",
        &ALERT_FILE,
        GucContext::Sighup,
    );
    text(
        c"logwatch.email_from",
        c"Sender of e-mails.",
        &EMAIL_FROM,
        GucContext::Sighup,
    );
    text(
        c"logwatch.email_to",
        c"Recipients of e-mails, separated by commas; rules may name others.",
        &EMAIL_TO,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_url",
        c"Mail server: smtp://host:587 (STARTTLS required), smtps://host:465 or smtp+plain://localhost:25; more, separated by commas, for when it is down.",
        &SMTP_URL,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_user",
        c"User name at the mail server.",
        &SMTP_USER,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_password_file",
        c"File that holds the password of logwatch.smtp_user.",
        &SMTP_PASSWORD_FILE,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_ca_file",
        c"PEM file of the certificate authority that signed the mail server's certificate; empty for the system's.",
        &SMTP_CA_FILE,
        GucContext::Sighup,
    );
    number(
        c"logwatch.smtp_timeout",
        c"Longest wait for a connection to or an answer of the mail server or the webhook.",
        &SMTP_TIMEOUT,
        1,
        60,
        GucFlags::UNIT_S,
    );
    text(
        c"logwatch.webhook_url",
        c"Where alerts are posted as Alertmanager posts them: https://host/path.",
        &WEBHOOK_URL,
        GucContext::Sighup,
    );
    text(
        c"logwatch.webhook_headers_file",
        c"File with headers for the webhook, a line \"Name: value\" each.",
        &WEBHOOK_HEADERS_FILE,
        GucContext::Sighup,
    );
    pg::reserve_setting_prefix(c"logwatch");
}

fn text(setting: &Text) -> Option<String> {
    setting
        .get()
        .map(|value| value.to_string_lossy().trim().to_owned())
        .filter(|value| !value.is_empty())
}

pub fn database() -> String {
    text(&DATABASE).unwrap_or_else(|| "postgres".to_owned())
}

pub fn check_interval() -> Duration {
    Duration::from_secs(CHECK_INTERVAL.get().unsigned_abs().into())
}

pub fn min_level() -> Level {
    match MIN_LEVEL.get() {
        MinLevel::Debug => Level::Debug,
        MinLevel::Info => Level::Info,
        MinLevel::Warn => Level::Warn,
        MinLevel::Error => Level::Error,
        MinLevel::Fatal => Level::Fatal,
    }
}

pub fn alert_file() -> Option<PathBuf> {
    text(&ALERT_FILE).map(PathBuf::from)
}

/// Why the alert file cannot be written, as far as its path tells.
pub fn alert_file_problem() -> Option<String> {
    let Some(file) = alert_file() else {
        return Some("off; set logwatch.alert_file in postgresql.conf to an absolute path, then: SELECT pg_reload_conf();".to_owned());
    };
    let complain = |why: &str| Some(format!("logwatch.alert_file = '{}': {why}", file.display()));
    if !file.is_absolute() {
        return complain("must be an absolute path");
    }
    match file.parent() {
        Some(folder) if folder.is_dir() && !pg::may_write(folder) => {
            complain("the server's user may not write into its directory")
        }
        Some(folder) if folder.is_dir() => None,
        _ => complain("its directory does not exist"),
    }
}

/// This server's name, as it stands in subjects and Message-IDs.
pub fn host_name() -> String {
    let name = hostname::get().unwrap_or_default();
    let clean: String = name
        .to_string_lossy()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        .collect();
    if clean.is_empty() {
        "localhost".to_owned()
    } else {
        clean
    }
}

/// The value of `logwatch.<name>` in its base unit.
#[pg_extern(sql = false)]
fn setting(name: &str) -> Option<String> {
    CString::new(format!("logwatch.{name}"))
        .ok()
        .and_then(|name| pg::config_option(&name))
}

#[pg_extern(sql = false)]
fn host() -> String {
    host_name()
}

/// Whether the settings turn a channel on.
#[pg_extern(sql = false)]
fn channel_configured(channel: &str) -> bool {
    match channel {
        "email" => text(&SMTP_URL).is_some(),
        "file" => alert_file().is_some(),
        "webhook" => text(&WEBHOOK_URL).is_some(),
        "log" => true,
        _ => false,
    }
}

/// Why a channel cannot work as it is set.
#[pg_extern(sql = false)]
fn channel_problem(channel: &str) -> Option<String> {
    match channel {
        "email" => email_problem().map(|problem| problem.to_string()),
        "file" => alert_file_problem(),
        "webhook" => webhook().err().map(|problem| problem.to_string()),
        "log" => None,
        other => Some(format!(
            "unknown channel \"{other}\"; use email, file, log or webhook"
        )),
    }
}

#[pg_extern(sql = false)]
fn source_id(name: &str) -> i64 {
    logwatch_record::source::id(name)
}

/// The name of the session's time zone: records that name none are read in it.
pub fn session_zone() -> String {
    const NAME: &CStr = c"TimeZone";
    pg::config_option(NAME).unwrap_or_else(|| "UTC".to_owned())
}
