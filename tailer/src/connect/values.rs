//! The values of connection options, as far as all hosts share them.
//!
//! rust-postgres parses the options that it knows. It has no defaults that fit a tailer, which must
//! notice a vanished server.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::Config;
use postgres::config::TargetSessionAttrs;

use super::invalid::Invalid;

/// Keys whose values rust-postgres parses, under its name, and what it accepts. It takes
/// `tcp_user_timeout` in seconds where libpq means milliseconds, so that one is not among them.
const DRIVER_KEYS: &[(&str, &str, &str)] = &[
    ("user", "user", "a role"),
    ("dbname", "dbname", "a database"),
    ("options", "options", "server options"),
    ("application_name", "application_name", "a name"),
    ("connect_timeout", "connect_timeout", "a number of seconds"),
    ("sslnegotiation", "sslnegotiation", "postgres or direct"),
    ("channel_binding", "channel_binding", "disable, prefer or require"),
    ("keepalives", "keepalives", "0 or 1"),
    ("keepalives_idle", "keepalives_idle", "a number of seconds"),
    (
        "keepalives_interval",
        "keepalives_interval",
        "a number of seconds",
    ),
    ("keepalives_count", "keepalives_retries", "a number"),
];

/// A host that does not answer: long enough for a slow line, short enough to try the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that vanished is noticed after this, also in the middle of a call.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
const KEEPALIVES_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVES_RETRIES: u32 = 3;

/// Returns what is the same for every host.
pub fn base(values: &BTreeMap<String, String>, hosts: usize) -> Result<Config, Invalid> {
    let mut pairs = Vec::new();
    for (option, key, allowed) in DRIVER_KEYS {
        if let Some(value) = values.get(*option) {
            parse(option, key, value, allowed)?;
            pairs.push(pair(key, value));
        }
    }
    let mut base: Config = pairs.join(" ").parse().map_err(|_| Invalid::UnterminatedQuote)?;
    if base.get_application_name().is_none() {
        base.application_name("logwatch-tailer");
    }
    if base.get_connect_timeout().is_none() {
        base.connect_timeout(CONNECT_TIMEOUT);
    }
    if !values.contains_key("keepalives_idle") {
        base.keepalives_idle(KEEPALIVES_IDLE);
    }
    if base.get_keepalives_interval().is_none() {
        base.keepalives_interval(KEEPALIVES_INTERVAL);
    }
    if base.get_keepalives_retries().is_none() {
        base.keepalives_retries(KEEPALIVES_RETRIES);
    }
    base.tcp_user_timeout(match values.get("tcp_user_timeout") {
        None => TCP_USER_TIMEOUT,
        Some(text) => match text.parse() {
            Ok(0) => TCP_USER_TIMEOUT,
            Ok(milliseconds) => Duration::from_millis(milliseconds),
            Err(_) => return Err(invalid("tcp_user_timeout", text, "a number of milliseconds")),
        },
    });
    base.target_session_attrs(match values.get("target_session_attrs").map(String::as_str) {
        // Only one of several servers accepts writes, and the tailer writes.
        None if hosts > 1 => TargetSessionAttrs::ReadWrite,
        None | Some("any") => TargetSessionAttrs::Any,
        Some("read-write" | "primary") => TargetSessionAttrs::ReadWrite,
        Some(other) => {
            let allowed = "any, read-write or primary: the tailer writes";
            return Err(invalid("target_session_attrs", other, allowed));
        }
    });
    Ok(base)
}

/// Parses one value with rust-postgres.
pub fn parse(option: &str, key: &str, value: &str, allowed: &'static str) -> Result<Config, Invalid> {
    pair(key, value).parse().map_err(|_| Invalid::Value {
        option: option.to_owned(),
        value: value.to_owned(),
        allowed,
    })
}

fn pair(key: &str, value: &str) -> String {
    format!("{key}='{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

fn invalid(option: &str, value: &str, allowed: &'static str) -> Invalid {
    Invalid::Value {
        option: option.to_owned(),
        value: value.to_owned(),
        allowed,
    }
}
