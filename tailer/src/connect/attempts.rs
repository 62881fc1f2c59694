//! How each server is tried: with the password that is meant for it, and with or without TLS, as
//! sslmode asks for.

use std::path::{Path, PathBuf};

use postgres::Config;
use postgres::config::{Host, SslMode};

use super::pgpass;
use super::settings::{Settings, servers_of};

/// Debian's socket directory, then PostgreSQL's own.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

const DEFAULT_PORT: u16 = 5432;

/// One way to try: a host, with or without TLS.
pub struct Attempt {
    pub config: Config,
    /// For messages: `db1:5432`, `/tmp/.s.PGSQL.5432`.
    pub name: String,
}

impl Settings {
    /// Returns what to try, in this order, until one succeeds. Computed at each connect: a socket
    /// may have appeared, a password changed.
    pub fn attempts(&self) -> Vec<Attempt> {
        (0..servers_of(&self.servers))
            .flat_map(|at| self.attempts_at(at))
            .collect()
    }

    fn attempts_at(&self, at: usize) -> impl Iterator<Item = Attempt> {
        let ports = self.servers.get_ports();
        let port = *ports.get(at).or(ports.first()).unwrap_or(&DEFAULT_PORT);
        let address = self.servers.get_hostaddrs().get(at);
        let host = match (self.servers.get_hosts().get(at), address) {
            (Some(Host::Tcp(name)), Some(address)) if name.is_empty() => Host::Tcp(address.to_string()),
            (Some(Host::Tcp(name)), None) if name.is_empty() => Host::Unix(usual_socket_directory(port)),
            (Some(host), _) => host.clone(),
            (None, Some(address)) => Host::Tcp(address.to_string()),
            (None, None) => Host::Unix(usual_socket_directory(port)),
        };
        let mut config = self.base.clone();
        config.port(port);
        let (shown, name, modes) = match &host {
            // A socket never carries TLS, whatever sslmode says.
            Host::Unix(directory) => {
                config.host_path(directory);
                let shown = directory.display().to_string();
                let name = format!("{shown}/.s.PGSQL.{port}");
                (shown, name, &[SslMode::Disable][..])
            }
            Host::Tcp(host) => {
                config.host(host);
                if let Some(address) = address {
                    config.hostaddr(*address);
                }
                (host.clone(), format!("{host}:{port}"), self.encryption)
            }
        };
        if config.get_password().is_none()
            && let Some(passfile) = &self.passfile
        {
            let wanted = pgpass::Wanted {
                // The password file calls every socket in a usual directory "localhost".
                host: if SOCKET_DIRECTORIES.contains(&&*shown) {
                    "localhost"
                } else {
                    &shown
                },
                port,
                dbname: self.dbname(),
                user: self.user(),
            };
            if let Some(password) = pgpass::find(passfile, &wanted) {
                config.password(password);
            }
        }
        modes.iter().map(move |mode| Attempt {
            config: config.clone().ssl_mode(*mode).clone(),
            name: name.clone(),
        })
    }
}

fn usual_socket_directory(port: u16) -> PathBuf {
    SOCKET_DIRECTORIES
        .map(Path::new)
        .into_iter()
        .find(|directory| directory.join(format!(".s.PGSQL.{port}")).exists())
        .unwrap_or(Path::new(SOCKET_DIRECTORIES[0]))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::settings::tests::settings;
    use postgres::config::TargetSessionAttrs;

    #[test]
    fn no_host_is_the_usual_socket_without_tls() {
        let attempts = settings("dbname=app sslmode=require").unwrap().attempts();
        assert_eq!(attempts.len(), 1);
        assert_eq!(attempts[0].config.get_ssl_mode(), SslMode::Disable);
        assert!(
            matches!(&attempts[0].config.get_hosts()[0], Host::Unix(path) if SOCKET_DIRECTORIES.contains(&path.to_str().unwrap()))
        );
    }

    #[test]
    fn each_sslmode_has_its_attempts() {
        let attempts = |mode: &str| -> Vec<SslMode> {
            settings(&format!("host=db1 sslmode={mode}"))
                .unwrap()
                .attempts()
                .iter()
                .map(|attempt| attempt.config.get_ssl_mode())
                .collect()
        };
        assert_eq!(attempts("disable"), [SslMode::Disable]);
        assert_eq!(attempts("allow"), [SslMode::Disable, SslMode::Require]);
        assert_eq!(attempts("prefer"), [SslMode::Prefer, SslMode::Disable]);
        assert_eq!(attempts("require"), [SslMode::Require]);
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

    #[test]
    fn each_server_has_its_host_address_and_port() {
        let names = |text: &str| -> Vec<String> {
            let attempts = settings(&format!("{text} sslmode=disable")).unwrap().attempts();
            attempts.into_iter().map(|attempt| attempt.name).collect()
        };
        assert_eq!(names("host=db1,/run/pg port=1"), ["db1:1", "/run/pg/.s.PGSQL.1"]);
        assert_eq!(
            names("hostaddr=127.0.0.1,::1 port=,2"),
            ["127.0.0.1:5432", "::1:2"]
        );
        assert_eq!(
            names("host=db1, hostaddr=127.0.0.1,::1"),
            ["db1:5432", "::1:5432"]
        );
    }
}
