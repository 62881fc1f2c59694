//! How each server is tried: with the password that is meant for it, and with or without TLS, as
//! sslmode asks for.

use std::path::Path;

use postgres::Config;
use postgres::config::SslMode;

use super::hosts::HostPort;
use super::pgpass;
use super::settings::Settings;
use super::sslmode::Mode;
use super::tls::{Check, Identity};

/// Debian's socket directory, then PostgreSQL's own.
const SOCKET_DIRECTORIES: &[&str] = &["/var/run/postgresql", "/tmp"];

/// One way to try: a host, with or without TLS.
pub struct Attempt {
    pub config: Config,
    pub tls: Option<(Check, Option<Identity>)>,
    /// For messages: `db1:5432`, `/tmp/.s.PGSQL.5432`.
    pub name: String,
}

impl Settings {
    /// Returns what to try, in this order, until one succeeds. Computed at each connect: a socket
    /// may have appeared, a password changed.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.hosts
            .iter()
            .flat_map(|host| self.attempts_at(host))
            .collect()
    }

    fn attempts_at(&self, at: &HostPort) -> Vec<Attempt> {
        let socket_directory = match &at.host {
            Some(host) if host.starts_with('/') => Some(host.clone()),
            None if at.address.is_none() => Some(usual_socket_directory(at.port)),
            _ => None,
        };
        let mut config = self.base.clone();
        config.port(at.port);
        let name = match (&socket_directory, &at.host, at.address) {
            (Some(directory), _, _) => {
                config.host_path(directory);
                format!("{directory}/.s.PGSQL.{}", at.port)
            }
            (None, host, address) => {
                if let Some(address) = address {
                    config.hostaddr(address);
                }
                let host = host
                    .clone()
                    .or(address.map(|address| address.to_string()))
                    .unwrap_or_default();
                config.host(&host);
                format!("{host}:{}", at.port)
            }
        };
        // The password file calls every socket in a usual directory "localhost".
        let pgpass_host = match (&at.host, at.address) {
            (Some(host), _) if !SOCKET_DIRECTORIES.contains(&host.as_str()) => host.clone(),
            (None, Some(address)) => address.to_string(),
            _ => "localhost".to_owned(),
        };
        let password = self.password.clone().or_else(|| {
            let wanted = pgpass::Wanted {
                host: &pgpass_host,
                port: at.port,
                dbname: self.dbname(),
                user: self.user(),
            };
            pgpass::find(self.passfile.as_deref()?, &wanted)
        });
        if let Some(password) = password {
            config.password(password);
        }
        // A socket never carries TLS, whatever sslmode says.
        let mode = if socket_directory.is_some() {
            Mode::Disable
        } else {
            self.mode
        };
        let plain = |mut config: Config| {
            config.ssl_mode(SslMode::Disable);
            Attempt {
                config,
                tls: None,
                name: name.clone(),
            }
        };
        let encrypted = |mut config: Config, ssl_mode| {
            config.ssl_mode(ssl_mode);
            Attempt {
                config,
                tls: Some((self.check.clone(), self.identity.clone())),
                name: name.clone(),
            }
        };
        match mode {
            Mode::Disable => vec![plain(config)],
            Mode::Allow => vec![plain(config.clone()), encrypted(config, SslMode::Require)],
            Mode::Prefer => vec![encrypted(config.clone(), SslMode::Prefer), plain(config)],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => vec![encrypted(config, SslMode::Require)],
        }
    }
}

fn usual_socket_directory(port: u16) -> String {
    SOCKET_DIRECTORIES
        .iter()
        .find(|directory| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists())
        .unwrap_or(&SOCKET_DIRECTORIES[0])
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::settings::tests::settings;
    use postgres::config::{Host, TargetSessionAttrs};

    #[test]
    fn no_host_is_the_usual_socket_without_tls() {
        let attempts = settings("dbname=app sslmode=require").unwrap().attempts();
        assert_eq!(attempts.len(), 1);
        assert!(attempts[0].tls.is_none());
        assert!(
            matches!(&attempts[0].config.get_hosts()[0], Host::Unix(path) if SOCKET_DIRECTORIES.contains(&path.to_str().unwrap()))
        );
    }

    #[test]
    fn each_sslmode_has_its_attempts() {
        let attempts = |mode: &str| -> Vec<(SslMode, bool)> {
            settings(&format!("host=db1 sslmode={mode}"))
                .unwrap()
                .attempts()
                .iter()
                .map(|attempt| (attempt.config.get_ssl_mode(), attempt.tls.is_some()))
                .collect()
        };
        assert_eq!(attempts("disable"), [(SslMode::Disable, false)]);
        assert_eq!(
            attempts("allow"),
            [(SslMode::Disable, false), (SslMode::Require, true)]
        );
        assert_eq!(
            attempts("prefer"),
            [(SslMode::Prefer, true), (SslMode::Disable, false)]
        );
        assert_eq!(attempts("require"), [(SslMode::Require, true)]);
    }

    #[test]
    fn several_hosts_are_tried_in_order_and_must_take_writes() {
        let settings = settings("postgresql://db1:1,db2:2/app?sslmode=disable").unwrap();
        let names: Vec<_> = settings
            .attempts()
            .into_iter()
            .map(|attempt| attempt.name)
            .collect();
        assert_eq!(names, ["db1:1", "db2:2"]);
        assert_eq!(
            settings.base.get_target_session_attrs(),
            TargetSessionAttrs::ReadWrite
        );
    }
}
