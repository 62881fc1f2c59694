//! `host`, `hostaddr` and `port`: the servers that the three lists name (PostgreSQL manual,
//! 34.1.1.3).

use std::net::IpAddr;

use postgres::Config;
use postgres::config::Host;

use super::invalid::Invalid;
use super::values::parse;

const DEFAULT_PORT: u16 = 5432;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Without a host, the socket in the usual directory is meant.
    pub host: Option<String>,
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// Returns the servers that the three lists name. A single port is for all of them.
pub fn hosts(
    host: Option<&str>,
    hostaddr: Option<&str>,
    port: Option<&str>,
) -> Result<Vec<HostPort>, Invalid> {
    let list = |key, value: Option<&str>, allowed| {
        value.map_or_else(|| Ok(Config::new()), |value| parse(key, key, value, allowed))
    };
    let names = list("host", host, "host names")?;
    let addresses = list("hostaddr", hostaddr, "IP addresses")?;
    let ports = list("port", port, "numbers from 1 to 65535")?;
    let (names, addresses, ports) = (names.get_hosts(), addresses.get_hostaddrs(), ports.get_ports());
    let count = names.len().max(addresses.len()).max(1);
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        return Err(Invalid::HostCount {
            names: names.len(),
            addresses: addresses.len(),
        });
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(Invalid::PortCount {
            ports: ports.len(),
            hosts: count,
        });
    }
    let servers = (0..count).map(|at| HostPort {
        host: match names.get(at) {
            Some(Host::Tcp(name)) if name.is_empty() => None,
            Some(Host::Tcp(name)) => Some(name.clone()),
            Some(Host::Unix(directory)) => Some(directory.display().to_string()),
            None => None,
        },
        address: addresses.get(at).copied(),
        port: ports.get(at).or(ports.first()).copied().unwrap_or(DEFAULT_PORT),
    });
    Ok(servers.collect())
}
