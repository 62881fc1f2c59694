//! The names of this host: one for subjects, one for EHLO and Message-IDs.
//!
//! The fully qualified name comes from the host name and /etc/hosts. DNS is not asked: a resolver
//! that hangs would hold up a check.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The qualified name is looked up at most this often: a check may need it for thousands of mails.
const LOOK_UP_EVERY: Duration = Duration::from_secs(10);

/// Returns this server's name for subjects.
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

/// Returns the fully qualified name of this host; None where only DNS knows it.
pub fn qualified_name() -> Option<String> {
    static KNOWN: Mutex<Option<(Instant, Option<String>)>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, name)) = &*known
        && at.elapsed() < LOOK_UP_EVERY
    {
        return name.clone();
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let name = qualified(&host_name(), &hosts);
    *known = Some((Instant::now(), name.clone()));
    name
}

/// Returns the host name if it is qualified, or else the qualified name beside it in the text of
/// /etc/hosts (hosts(5)). Names of this machine alone, such as localhost.localdomain, do not count.
fn qualified(host: &str, hosts: &str) -> Option<String> {
    let counts = |name: &str| is_domain(name) && !name.starts_with("localhost.");
    if counts(host) {
        return Some(host.to_owned());
    }
    hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<&str> = line.split_whitespace().skip(1).collect();
        let found = names.iter().find(|name| counts(name))?;
        names.contains(&host).then(|| (*found).to_owned())
    })
}

/// Whether a text can be a domain name of at least two labels.
pub fn is_domain(text: &str) -> bool {
    text.contains('.') && text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether a text can follow EHLO: a name, or an address in brackets (RFC 5321 §4.1.3).
pub fn is_hello(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address
            .strip_prefix("IPv6:")
            .unwrap_or(address)
            .parse::<std::net::IpAddr>()
            .is_ok(),
        None => text.split('.').all(is_label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "127.0.0.1 localhost\n\
                         127.0.1.1\tdb1.example.com db1 # this host\n\
                         10.0.0.9 db9 db9.example.com\n\
                         # 10.0.0.8 db8.example.com db8\n\
                         ::1 localhost.localdomain db7\n";

    #[test]
    fn the_qualified_name_is_the_host_name_or_beside_it_in_hosts() {
        for (host, name) in [
            ("db.example.com", Some("db.example.com")),
            ("db1", Some("db1.example.com")),
            ("db9", Some("db9.example.com")),
            ("db8", None),
            ("db7", None),
            ("example", None),
            ("localhost.localdomain", None),
        ] {
            assert_eq!(qualified(host, HOSTS).as_deref(), name, "{host}");
        }
    }

    #[test]
    fn a_hello_name_is_a_domain_or_an_address_in_brackets() {
        for good in ["db1.example.com", "db1", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
            assert!(is_hello(good), "{good}");
        }
        for bad in [
            "",
            "db1 x",
            "db1\r\nRSET",
            "-a.b",
            "a..b",
            "[x]",
            "db_1.example.com",
        ] {
            assert!(!is_hello(bad), "{bad}");
        }
    }
}
