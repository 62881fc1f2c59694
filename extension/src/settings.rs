//! The settings `logwatch.*` of postgresql.conf: their definition and their values.
//!
//! A value that cannot work never stops anything: the status and the server log report it, and say
//! what to type.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use logwatch_record::Level;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::prelude::*;

use crate::channel::{self, FileProblem};
use crate::{message, pg};

mod address;
mod email;
mod error;
mod host;
mod mail_address;
mod oauth;
mod secret;
mod webhook;

pub use address::{Security, Server};
pub use email::{Credentials, Email, email, email_problem, is_allowed, recipients};
pub use error::SettingError;
pub use host::host_name;
pub use oauth::{OAuth, Refresh, token_of_file};
pub use secret::SecretError;
pub use webhook::{Webhook, receiver_name, receiver_names, receiver_problems, webhook};

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
static ONLY_ON: Text = Text::new(None);
static CHECK_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(10);
static MIN_LEVEL: GucSetting<MinLevel> = GucSetting::<MinLevel>::new(MinLevel::Error);
static MAX_LATENESS: GucSetting<i32> = GucSetting::<i32>::new(24 * 60 * 60);
static RULE_TIME_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(1000);
static ENTRIES_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(-1);
static RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * 24 * 60);
static ALERT_FILE: Text = Text::new(None);
static EMAIL_FROM: Text = Text::new(None);
static EMAIL_TO: Text = Text::new(None);
static EMAIL_DOMAINS: Text = Text::new(None);
static SUBJECT_DETAIL: GucSetting<bool> = GucSetting::<bool>::new(true);
static SMTP_HELLO: Text = Text::new(None);
static SMTP_URL: Text = Text::new(None);
static SMTP_USER: Text = Text::new(None);
static SMTP_PASSWORD_FILE: Text = Text::new(None);
static SMTP_OAUTH_FILE: Text = Text::new(None);
static SMTP_CA_FILE: Text = Text::new(None);
static WEBHOOK_URL: Text = Text::new(None);
static WEBHOOK_HEADERS_FILE: Text = Text::new(None);
static RECEIVERS_FILE: Text = Text::new(None);
static HEARTBEAT_URL: Text = Text::new(None);
static SMTP_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(20);
static MAILS_PER_HOUR: GucSetting<i32> = GucSetting::<i32>::new(300);

/// Defines the settings. Outside preload `logwatch.database` cannot be one that needs a restart:
/// PostgreSQL would end the session.
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
        c"Sets the database that the worker runs in. A change needs a restart.",
        &DATABASE,
        if preloading {
            GucContext::Postmaster
        } else {
            GucContext::Sighup
        },
    );
    text(
        c"logwatch.only_on",
        c"Sets the servers that may check and send, host:port separated by commas. Empty for any.",
        &ONLY_ON,
        GucContext::Sighup,
    );
    number(
        c"logwatch.check_interval",
        c"Sets the time between checks when nothing wakes the worker.",
        &CHECK_INTERVAL,
        1,
        3600,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_enum_guc(
        c"logwatch.min_level",
        c"Sets the level below which records are not stored.",
        c"",
        &MIN_LEVEL,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    number(
        c"logwatch.max_lateness",
        c"Sets the age from which a record that arrives causes no alert by itself.",
        &MAX_LATENESS,
        60,
        366 * 24 * 60 * 60,
        GucFlags::UNIT_S,
    );
    number(
        c"logwatch.rule_time_limit",
        c"Sets how long a check may evaluate one rule; a rule that takes longer is left out until it is changed.",
        &RULE_TIME_LIMIT,
        10,
        60 * 60 * 1000,
        GucFlags::UNIT_MS,
    );
    number(
        c"logwatch.retention",
        c"Sets how long entries, counts, alerts and notifications are kept.",
        &RETENTION,
        60,
        i32::MAX,
        GucFlags::UNIT_MIN,
    );
    number(
        c"logwatch.entries_retention",
        c"Sets how long entries are kept, at least an hour; -1 keeps them as long as all else.",
        &ENTRIES_RETENTION,
        -1,
        i32::MAX,
        GucFlags::UNIT_MIN,
    );
    text(
        c"logwatch.alert_file",
        c"Sets the file that every check replaces with the present status.",
        &ALERT_FILE,
        GucContext::Sighup,
    );
    text(
        c"logwatch.email_from",
        c"Sets the sender of e-mails.",
        &EMAIL_FROM,
        GucContext::Sighup,
    );
    text(
        c"logwatch.email_to",
        c"Sets the recipients of e-mails, separated by commas, with or without names. Rules may name others.",
        &EMAIL_TO,
        GucContext::Sighup,
    );
    text(
        c"logwatch.email_domains",
        c"Sets the domains that rules may send mail to, separated by commas. Empty for any.",
        &EMAIL_DOMAINS,
        GucContext::Sighup,
    );
    GucRegistry::define_bool_guc(
        c"logwatch.subject_detail",
        c"Sets whether a mail's subject shows the most frequent pattern.",
        c"",
        &SUBJECT_DETAIL,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    text(
        c"logwatch.smtp_url",
        c"Sets the mail server: smtp://host:587 (requires STARTTLS), smtps://host:465 or smtp+plain://localhost:25. Others, separated by commas, take over when it is down.",
        &SMTP_URL,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_hello",
        c"Sets the name that is given to the mail server in EHLO. Empty for this host's fully qualified name.",
        &SMTP_HELLO,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_user",
        c"Sets the user name for the mail server.",
        &SMTP_USER,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_password_file",
        c"Sets the file that holds the password of logwatch.smtp_user.",
        &SMTP_PASSWORD_FILE,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_oauth_file",
        c"Sets the TOML file that names the source of the access token for logwatch.smtp_user.",
        &SMTP_OAUTH_FILE,
        GucContext::Sighup,
    );
    text(
        c"logwatch.smtp_ca_file",
        c"Sets the PEM file of the authority that signed the mail server's certificate. Empty for the system's authorities.",
        &SMTP_CA_FILE,
        GucContext::Sighup,
    );
    number(
        c"logwatch.smtp_timeout",
        c"Sets how long to wait for a connection to, and for a reply of, the mail server or the webhook.",
        &SMTP_TIMEOUT,
        1,
        60,
        GucFlags::UNIT_S,
    );
    number(
        c"logwatch.mails_per_hour",
        c"Sets how many mails all recipients together get in an hour; a digest lists the rest.",
        &MAILS_PER_HOUR,
        1,
        1_000_000,
        GucFlags::default(),
    );
    text(
        c"logwatch.webhook_url",
        c"Sets the URL that alerts are posted to as Alertmanager posts them: https://host/path.",
        &WEBHOOK_URL,
        GucContext::Sighup,
    );
    text(
        c"logwatch.webhook_headers_file",
        c"Sets the file with headers for the webhook, a line \"Name: value\" each.",
        &WEBHOOK_HEADERS_FILE,
        GucContext::Sighup,
    );
    text(
        c"logwatch.receivers_file",
        c"Sets the TOML file of webhook receivers, which rules name as webhook:NAME in their channels.",
        &RECEIVERS_FILE,
        GucContext::Sighup,
    );
    text(
        c"logwatch.heartbeat_url",
        c"Sets the URL that is requested after each check interval while checks run.",
        &HEARTBEAT_URL,
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

/// Returns the servers that may check and send; empty for any.
pub fn only_on() -> String {
    text(&ONLY_ON).unwrap_or_default()
}

/// Returns for how many minutes entries are kept: they need their patterns, which
/// `logwatch.retention` removes.
fn entries_kept_for_minutes() -> i32 {
    let all_else = RETENTION.get();
    match ENTRIES_RETENTION.get() {
        ..0 => all_else,
        entries => entries.max(60).min(all_else),
    }
}

#[pg_extern(sql = false)]
fn entries_kept_for() -> Result<pgrx::datum::Interval, pgrx::datum::datetime_support::IntervalConversionError>
{
    const MINUTE: i64 = 60_000_000;
    pgrx::datum::Interval::new(0, 0, MINUTE * i64::from(entries_kept_for_minutes()))
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

/// Returns the longest wait for a connection or a reply.
pub fn network_timeout() -> Duration {
    Duration::from_secs(SMTP_TIMEOUT.get().unsigned_abs().into())
}

/// Returns the URL of the dead man's switch, or why it cannot be used; None when it is not set.
pub fn heartbeat_url() -> Option<Result<String, SettingError>> {
    let url = text(&HEARTBEAT_URL)?;
    Some(match address::check_webhook_url(&url, false) {
        Ok(()) => Ok(url),
        Err(why) => Err(SettingError::Heartbeat(why)),
    })
}

/// Returns a problem of the alert file in the words of the status.
pub fn alert_file_error(file: &Path, problem: &FileProblem) -> String {
    format!("logwatch.alert_file = '{}': {problem}", file.display())
}

/// Returns why the alert file cannot be written, as far as its path tells.
pub fn alert_file_problem() -> Option<String> {
    let Some(file) = alert_file() else {
        return Some(
            "off; set logwatch.alert_file in postgresql.conf to an absolute path, then: SELECT pg_reload_conf();"
                .to_owned(),
        );
    };
    let problem = channel::check_alert_file(&file).err()?;
    Some(alert_file_error(&file, &problem))
}

/// Returns the value of `logwatch.<name>` in its base unit.
#[pg_extern(sql = false)]
fn setting(name: &str) -> Option<String> {
    CString::new(format!("logwatch.{name}"))
        .ok()
        .and_then(|name| pg::config_option(&name))
}

/// Returns a setting of the server that PostgreSQL shows to some roles only: the extension's owner
/// may be another one.
#[pg_extern(sql = false)]
fn server_setting(name: &str) -> Option<String> {
    match name {
        "shared_preload_libraries" => pg::config_option(c"shared_preload_libraries"),
        "data_directory" => pg::config_option(c"data_directory"),
        _ => None,
    }
}

#[pg_extern(sql = false)]
fn host() -> String {
    host_name()
}

#[pg_extern(sql = false)]
fn mail_domain() -> String {
    email::domain()
}

/// Whether a rule can send mail to a text.
#[pg_extern(sql = false)]
fn is_mail_address(text: &str) -> bool {
    mail_address::address(text).is_some()
}

/// Returns the addresses of `logwatch.email_to` without names.
#[pg_extern(sql = false)]
fn default_recipients() -> Vec<String> {
    recipients()
}

/// Whether the settings turn a channel on. A webhook receiver is a channel of its own.
#[pg_extern(sql = false)]
fn channel_configured(channel: &str) -> bool {
    match channel {
        "email" => text(&SMTP_URL).is_some(),
        "file" => alert_file().is_some(),
        "webhook" => text(&WEBHOOK_URL).is_some() || !matches!(webhook("default"), Err(why) if why.is_off()),
        "log" => true,
        "heartbeat" => text(&HEARTBEAT_URL).is_some(),
        // A name that the file does not have is an error to report, not a channel that is off.
        other => receiver_name(other).is_some() && text(&RECEIVERS_FILE).is_some(),
    }
}

/// Returns why a channel cannot work as it is set.
#[pg_extern(sql = false)]
fn channel_problem(channel: &str) -> Option<String> {
    match channel {
        "email" => email_problem().map(|problem| problem.to_string()),
        "file" => alert_file_problem(),
        "log" => None,
        "heartbeat" => heartbeat_url()?.err().map(|problem| problem.to_string()),
        other => match receiver_name(other) {
            Some(name) => webhook(name).err().map(|problem| problem.to_string()),
            None => Some(format!(
                "unknown channel \"{other}\"; use email, file, log, webhook or webhook:NAME"
            )),
        },
    }
}

/// Returns the channels of the receivers in `logwatch.receivers_file`.
#[pg_extern(sql = false)]
fn receiver_channels() -> Vec<String> {
    let names = receiver_names();
    names.into_iter().map(|name| format!("webhook:{name}")).collect()
}

/// Whether a rule may name the address as a recipient.
#[pg_extern(sql = false)]
fn recipient_allowed(address: &str) -> bool {
    is_allowed(address)
}

/// Returns the known name that is nearest to a misspelt one.
#[pg_extern(sql = false)]
fn nearest_name(name: &str, known: Vec<Option<String>>) -> Option<String> {
    let likeness = |known: &str| strsim::jaro_winkler(beginning(name), beginning(known));
    known
        .into_iter()
        .flatten()
        .max_by(|one, two| likeness(one).total_cmp(&likeness(two)))
}

/// Returns up to 64 characters: the comparison of long texts takes minutes, and no cancel stops it.
fn beginning(name: &str) -> &str {
    let end = name.char_indices().nth(64).map_or(name.len(), |(at, _)| at);
    &name[..end]
}

/// Returns a name or a reason from outside, with blanks in place of control and invisible
/// characters.
#[pg_extern(sql = false)]
fn printable(name: &str) -> String {
    message::printable(name)
}

#[pg_extern(sql = false)]
fn source_id(name: &str) -> i64 {
    logwatch_record::source::id(&message::printable(name))
}

/// Returns the session's time zone: records that name none are read in it.
pub fn session_zone() -> String {
    const NAME: &CStr = c"TimeZone";
    pg::config_option(NAME).unwrap_or_else(|| "UTC".to_owned())
}
