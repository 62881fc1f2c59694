//! Where to connect and how: flags, connection string, service file, PG* variables and defaults,
//! with libpq's names and in libpq's order (PostgreSQL manual, 34.1.2, 34.15).
//!
//! rust-postgres reads no variable and no file. It parses the values that it knows, see `values`;
//! the others are parsed here. An option of libpq that makes no sense here (GSSAPI, replication) is
//! refused by name rather than ignored.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use postgres::Config;

use super::hosts::{HostPort, hosts};
use super::invalid::Invalid;
use super::sslmode::{Mode, tls_check};
use super::tls::{Check, Identity};
use super::values::base;
use super::{conninfo, service};

/// Each key and its variable.
const KEYS: &[(&str, Option<&str>)] = &[
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("dbname", Some("PGDATABASE")),
    ("user", Some("PGUSER")),
    ("password", Some("PGPASSWORD")),
    ("passfile", Some("PGPASSFILE")),
    ("service", Some("PGSERVICE")),
    ("options", Some("PGOPTIONS")),
    ("application_name", Some("PGAPPNAME")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("sslmode", Some("PGSSLMODE")),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("sslnegotiation", Some("PGSSLNEGOTIATION")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("keepalives", None),
    ("keepalives_idle", None),
    ("keepalives_interval", None),
    ("keepalives_count", None),
    ("tcp_user_timeout", None),
];

/// Keys that change nothing here: the tailer always speaks UTF-8, names itself, and never asks for
/// GSSAPI.
const IGNORED: &[&str] = &[
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "sslcompression",
    "sslsni",
];

/// All that is needed to connect, checked once at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) hosts: Vec<HostPort>,
    pub(super) password: Option<String>,
    pub(super) passfile: Option<PathBuf>,
    pub(super) mode: Mode,
    pub(super) check: Check,
    pub(super) identity: Option<Identity>,
    /// Everything that is the same for every host.
    pub(super) base: Config,
}

impl Settings {
    /// `dbname` is psql's -d: a name or a whole connection string; `flags` are psql's other flags,
    /// which win over all else.
    pub fn resolve(dbname: Option<&str>, flags: Vec<(&'static str, String)>) -> Result<Settings, Invalid> {
        let values = merge(explicit(dbname, flags)?, |name| env::var(name).ok())?;
        Settings::build(values)
    }

    fn build(mut values: BTreeMap<String, String>) -> Result<Settings, Invalid> {
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

        let hosts = hosts(get("host"), get("hostaddr"), get("port"))?;
        let base = base(&values, hosts.len())?;
        let root_in_home = in_home(".postgresql/root.crt");
        let (mode, check) = tls_check(get("sslmode"), get("sslrootcert"), root_in_home.as_deref())?;
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
            hosts,
            password: get("password").map(str::to_owned),
            passfile: get("passfile").map(PathBuf::from).or_else(|| in_home(".pgpass")),
            mode,
            check,
            identity,
            base,
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
fn explicit(
    dbname: Option<&str>,
    flags: Vec<(&'static str, String)>,
) -> Result<BTreeMap<String, String>, Invalid> {
    let mut values = BTreeMap::new();
    match dbname {
        Some(text) if conninfo::is_conninfo(text) => {
            for (key, value) in conninfo::parse(text)? {
                known(&key)?;
                values.insert(key, value);
            }
        }
        Some(name) => {
            values.insert("dbname".to_owned(), name.to_owned());
        }
        None => {}
    }
    values.extend(flags.into_iter().map(|(key, value)| (key.to_owned(), value)));
    Ok(values)
}

/// Options come first, then the service, then the environment.
fn merge(
    mut values: BTreeMap<String, String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, Invalid> {
    if let Some(name) = values
        .get("service")
        .cloned()
        .or_else(|| variable("PGSERVICE"))
        .filter(|name| !name.is_empty())
    {
        let user_file = variable("PGSERVICEFILE")
            .or_else(|| variable("HOME").map(|home| format!("{home}/.pg_service.conf")))
            .unwrap_or_default();
        let system_directory =
            variable("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
        let system_file = Path::new(&system_directory).join("pg_service.conf");
        for (key, value) in service::find(&name, &[Path::new(&user_file), &system_file])? {
            known(&key)?;
            values.entry(key).or_insert(value);
        }
    }
    for (key, name) in KEYS {
        if let Some(value) = name.and_then(&variable).filter(|value| !value.is_empty()) {
            values.entry((*key).to_owned()).or_insert(value);
        }
    }
    Ok(values)
}

fn known(key: &str) -> Result<(), Invalid> {
    if KEYS.iter().any(|(known, _)| *known == key) || IGNORED.contains(&key) {
        Ok(())
    } else {
        Err(Invalid::UnknownOption(key.to_owned()))
    }
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
            ("sslmode=on", "sslmode"),
            ("hostaddr=db1", "hostaddr"),
            ("target_session_attrs=standby", "target_session_attrs"),
            ("sslcert=/a", "sslkey"),
        ] {
            let error = settings(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
