//! Where to connect and how: flags, connection string, service file, PG* variables and defaults,
//! with libpq's names and in libpq's order (PostgreSQL manual, 34.1.2, 34.15).
//!
//! rust-postgres parses the values that it knows. It reads no variable and no file, and has no
//! defaults that fit a tailer, which must notice a vanished server. An option of libpq that makes
//! no sense here (GSSAPI, replication) is refused by name rather than ignored.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::Config;
use postgres::config::{SslMode, TargetSessionAttrs};

use super::invalid::Invalid;
use super::tls::{self, Check, Identity};
use super::{conninfo, service};

/// Each key, its variable, and the values that rust-postgres takes for it. Those of the keys
/// without are parsed here.
const KEYS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("host", Some("PGHOST"), Some("host names")),
    ("hostaddr", Some("PGHOSTADDR"), Some("IP addresses")),
    ("port", Some("PGPORT"), Some("numbers from 1 to 65535")),
    ("dbname", Some("PGDATABASE"), Some("a database")),
    ("user", Some("PGUSER"), Some("a role")),
    ("password", Some("PGPASSWORD"), Some("a password")),
    ("passfile", Some("PGPASSFILE"), None),
    ("service", Some("PGSERVICE"), None),
    ("options", Some("PGOPTIONS"), Some("server options")),
    ("application_name", Some("PGAPPNAME"), Some("a name")),
    (
        "connect_timeout",
        Some("PGCONNECT_TIMEOUT"),
        Some("a number of seconds"),
    ),
    ("sslmode", Some("PGSSLMODE"), None),
    ("sslrootcert", Some("PGSSLROOTCERT"), None),
    ("sslcert", Some("PGSSLCERT"), None),
    ("sslkey", Some("PGSSLKEY"), None),
    (
        "sslnegotiation",
        Some("PGSSLNEGOTIATION"),
        Some("postgres or direct"),
    ),
    (
        "channel_binding",
        Some("PGCHANNELBINDING"),
        Some("disable, prefer or require"),
    ),
    // rust-postgres does not know `primary`.
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS"), None),
    ("keepalives", None, Some("0 or 1")),
    ("keepalives_idle", None, Some("a number of seconds")),
    ("keepalives_interval", None, Some("a number of seconds")),
    ("keepalives_count", None, Some("a number")),
    // rust-postgres takes seconds where libpq means milliseconds.
    ("tcp_user_timeout", None, None),
];

/// Keys of the lists that name the servers.
const SERVER_KEYS: [&str; 3] = ["host", "hostaddr", "port"];

/// Keys that change nothing here: the tailer always speaks UTF-8, names itself, and never asks for
/// GSSAPI.
const IGNORED: &[&str] = &[
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "sslcompression",
    "sslsni",
];

/// A host that does not answer: long enough for a slow line, short enough to try the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that vanished is noticed after this, also in the middle of a call.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
const KEEPALIVES_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVES_RETRIES: u32 = 3;

type Values = BTreeMap<String, String>;

/// All that is needed to connect, checked once at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything that is the same for every server.
    pub(super) base: Config,
    /// The lists of host names, addresses and ports.
    pub(super) servers: Config,
    pub(super) passfile: Option<PathBuf>,
    /// How to encrypt, in the order in which it is tried.
    pub(super) encryption: &'static [SslMode],
    pub(super) check: Check,
    pub(super) identity: Option<Identity>,
}

impl Settings {
    /// `dbname` is psql's -d: a name or a whole connection string; `flags` are psql's other flags,
    /// which win over all else.
    pub fn resolve(dbname: Option<&str>, flags: Vec<(&'static str, String)>) -> Result<Settings, Invalid> {
        let values = merge(explicit(dbname, flags)?, |name| env::var(name).ok())?;
        Settings::build(values)
    }

    fn build(mut values: Values) -> Result<Settings, Invalid> {
        values.retain(|_, value| !value.is_empty());
        if !values.contains_key("user") {
            let user = whoami::username().map_err(|_| Invalid::NoUser)?;
            values.insert("user".to_owned(), user);
        }
        if !values.contains_key("dbname") {
            values.insert("dbname".to_owned(), values["user"].clone());
        }
        let get = |key: &str| values.get(key).map(String::as_str);
        let home = env::var_os("HOME").map(PathBuf::from);
        let in_home = |name: &str| home.as_ref().map(|home| home.join(name));

        let servers = servers(&values)?;
        let (encryption, check) = tls::of_options(
            get("sslmode"),
            get("sslrootcert"),
            in_home(".postgresql/root.crt"),
        )?;
        let identity = match (get("sslcert"), get("sslkey")) {
            (None, None) => in_home(".postgresql/postgresql.crt")
                .zip(in_home(".postgresql/postgresql.key"))
                .filter(|(certificate, key)| certificate.exists() && key.exists())
                .map(|(certificate, key)| Identity { certificate, key }),
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.into(),
                key: key.into(),
            }),
            _ => return Err(Invalid::HalfAnIdentity),
        };
        Ok(Settings {
            base: base(&values, servers_of(&servers))?,
            servers,
            passfile: get("passfile").map(PathBuf::from).or_else(|| in_home(".pgpass")),
            encryption,
            check,
            identity,
        })
    }

    pub fn dbname(&self) -> &str {
        self.base.get_dbname().unwrap_or_default()
    }

    pub fn user(&self) -> &str {
        self.base.get_user().unwrap_or_default()
    }
}

/// The flags and the connection string, keys checked.
fn explicit(dbname: Option<&str>, flags: Vec<(&'static str, String)>) -> Result<Values, Invalid> {
    let mut values = Values::new();
    match dbname {
        Some(text) if conninfo::is_conninfo(text) => values.extend(known(conninfo::parse(text)?)?),
        Some(name) => values.extend([("dbname".to_owned(), name.to_owned())]),
        None => {}
    }
    values.extend(flags.into_iter().map(|(key, value)| (key.to_owned(), value)));
    Ok(values)
}

/// Adds the service's values, then the environment's, where none is given yet.
fn merge(mut values: Values, variable: impl Fn(&str) -> Option<String>) -> Result<Values, Invalid> {
    let service = values.get("service").cloned().or_else(|| variable("PGSERVICE"));
    if let Some(name) = service.filter(|name| !name.is_empty()) {
        let user_file = variable("PGSERVICEFILE")
            .or_else(|| variable("HOME").map(|home| format!("{home}/.pg_service.conf")))
            .unwrap_or_default();
        let system_directory =
            variable("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
        let system_file = Path::new(&system_directory).join("pg_service.conf");
        for (key, value) in known(service::find(&name, &[Path::new(&user_file), &system_file])?)? {
            values.entry(key).or_insert(value);
        }
    }
    for (key, name, _) in KEYS {
        if let Some(value) = name.and_then(&variable).filter(|value| !value.is_empty()) {
            values.entry((*key).to_owned()).or_insert(value);
        }
    }
    Ok(values)
}

/// Refuses an unknown key.
fn known(pairs: conninfo::Pairs) -> Result<conninfo::Pairs, Invalid> {
    let is_known = |key: &str| KEYS.iter().any(|(known, ..)| *known == key) || IGNORED.contains(&key);
    match pairs.iter().find(|(key, _)| !is_known(key)) {
        Some((key, _)) => Err(Invalid::UnknownOption(key.clone())),
        None => Ok(pairs),
    }
}

/// Returns the three lists. They must have the same length, or a single port for all servers.
fn servers(values: &Values) -> Result<Config, Invalid> {
    let servers = parse(values, |key| SERVER_KEYS.contains(&key))?;
    let (names, addresses) = (servers.get_hosts().len(), servers.get_hostaddrs().len());
    let (ports, hosts) = (servers.get_ports().len(), servers_of(&servers));
    if names > 0 && addresses > 0 && names != addresses {
        return Err(Invalid::HostCount { names, addresses });
    }
    if ports > 1 && ports != hosts {
        return Err(Invalid::PortCount { ports, hosts });
    }
    Ok(servers)
}

/// Returns how many servers the lists name. Without any, the local socket is meant.
pub(super) fn servers_of(servers: &Config) -> usize {
    (servers.get_hosts().len())
        .max(servers.get_hostaddrs().len())
        .max(1)
}

/// Returns what is the same for every server.
fn base(values: &Values, servers: usize) -> Result<Config, Invalid> {
    let mut base = parse(values, |key| !SERVER_KEYS.contains(&key))?;
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
    let get = |key: &'static str| values.get(key).map(|text| (key, text.as_str()));
    base.tcp_user_timeout(match get("tcp_user_timeout") {
        None => TCP_USER_TIMEOUT,
        Some((key, text)) => match text.parse() {
            Ok(0) => TCP_USER_TIMEOUT,
            Ok(milliseconds) => Duration::from_millis(milliseconds),
            Err(_) => return Err(Invalid::value(key, text, "a number of milliseconds")),
        },
    });
    base.target_session_attrs(match get("target_session_attrs") {
        // Only one of several servers accepts writes, and the tailer writes.
        None if servers > 1 => TargetSessionAttrs::ReadWrite,
        None | Some((_, "any")) => TargetSessionAttrs::Any,
        Some((_, "read-write" | "primary")) => TargetSessionAttrs::ReadWrite,
        Some((key, text)) => {
            let allowed = "any, read-write or primary: the tailer writes";
            return Err(Invalid::value(key, text, allowed));
        }
    });
    Ok(base)
}

/// Parses the values that rust-postgres knows, of the wanted keys.
fn parse(values: &Values, is_wanted: impl Fn(&str) -> bool) -> Result<Config, Invalid> {
    let mut text = String::new();
    for (key, _, allowed) in KEYS.iter().filter(|(key, ..)| is_wanted(key)) {
        let (Some(allowed), Some(value)) = (*allowed, values.get(*key)) else {
            continue;
        };
        let its_key = if *key == "keepalives_count" {
            "keepalives_retries"
        } else {
            key
        };
        let pair = format!("{its_key}='{}' ", value.replace('\\', r"\\").replace('\'', r"\'"));
        pair.parse::<Config>()
            .map_err(|_| Invalid::value(key, value, allowed))?;
        text += &pair;
    }
    text.parse().map_err(|_| Invalid::UnterminatedQuote)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    pub fn settings(text: &str) -> Result<Settings, Invalid> {
        let mut values = merge(explicit(Some(text), Vec::new())?, |_| None)?;
        values.entry("user".to_owned()).or_insert_with(|| "me".to_owned());
        Settings::build(values)
    }

    #[test]
    fn flags_win_over_the_string_the_service_and_the_environment() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"[prod]\nhost=service\nport=1\nuser=service\ndbname=service\n")
            .unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let environment = |name: &str| match name {
            "PGSERVICEFILE" => Some(path.clone()),
            "PGHOST" | "PGDATABASE" | "PGPASSWORD" => Some("environment".to_owned()),
            _ => None,
        };
        let given = explicit(
            Some("service=prod port=2 user=string"),
            vec![("user", "flag".to_owned())],
        )
        .unwrap();
        let values = merge(given, environment).unwrap();
        for (key, value) in [
            ("user", "flag"),
            ("port", "2"),
            ("host", "service"),
            ("dbname", "service"),
            ("password", "environment"),
        ] {
            assert_eq!(values[key], value, "{key}");
        }
    }

    #[test]
    fn the_database_is_named_like_the_user_by_default() {
        let settings = settings("user=someone").unwrap();
        assert_eq!((settings.user(), settings.dbname()), ("someone", "someone"));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, word) in [
            ("host=a nonsense=1", "nonsense"),
            ("port=seven", "seven"),
            ("host=a,b port=1,2,3", "3 ports"),
            ("host=a,b hostaddr=127.0.0.1", "2 host names"),
            ("sslmode=on", "sslmode"),
            ("hostaddr=db1", "hostaddr"),
            ("keepalives_count=some", "keepalives_count"),
            ("tcp_user_timeout=1s", "milliseconds"),
            ("target_session_attrs=standby", "target_session_attrs"),
            ("sslcert=/a", "sslkey"),
        ] {
            let error = settings(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
