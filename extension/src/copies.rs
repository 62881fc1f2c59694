//! Tells a copy of a server from the server itself: a copy must not send the original's
//! notifications a second time.
//!
//! Two facts prove a copy: the server was recovered to a target (each timeline's history file has
//! the reason of every change of timeline), or `logwatch.only_on` names other servers. Without such
//! a proof the server sends, because silence after a real failover would be worse.

use std::fs;

use pgrx::prelude::*;

use crate::{pg, settings};

/// PostgreSQL's reason for a timeline that began where the WAL ended: a failover.
const FAILOVER: &str = "no recovery target specified";

/// Returns why a timeline newer than `adopted` was begun at a recovery target; None when none was.
/// `history` is the history file of timeline `present`: a line each for the timelines before it,
/// with the point and the reason of the change to the next one.
fn recovery_target(history: &str, present: u32, adopted: u32) -> Option<String> {
    let changes: Vec<(u32, &str)> = history
        .lines()
        .filter_map(|line| {
            let mut fields = line.trim().splitn(3, '\t');
            let timeline = fields.next()?.parse().ok()?;
            Some((timeline, fields.nth(1)?.trim()))
        })
        .collect();
    let begun = changes
        .iter()
        .skip(1)
        .map(|(timeline, _)| *timeline)
        .chain([present]);
    changes
        .iter()
        .zip(begun)
        .filter(|((_, reason), begun)| *begun > adopted && *reason != FAILOVER)
        .last()
        .map(|((_, reason), begun)| format!("timeline {begun} was begun {reason}"))
}

/// Whether one of the addresses, `host` or `host:port` separated by commas, is this server's. A
/// host without a domain also matches one with it. No address at all names every server.
fn names_server(only_on: &str, host: &str, port: u16) -> bool {
    let mut addresses = only_on
        .split(',')
        .map(str::trim)
        .filter(|address| !address.is_empty())
        .peekable();
    addresses.peek().is_none()
        || addresses.any(|address| {
            let (named, at) = match address.rsplit_once(':') {
                Some((named, at)) => (named, at.parse().ok()),
                None => (address, Some(port)),
            };
            at == Some(port) && is_same_host(named, host)
        })
}

fn is_same_host(one: &str, other: &str) -> bool {
    let label = |host: &str| host.split('.').next().unwrap_or_default().to_ascii_lowercase();
    one.eq_ignore_ascii_case(other)
        || (!one.contains('.') || !other.contains('.')) && label(one) == label(other)
}

fn address() -> String {
    format!("{}:{}", settings::host_name(), pg::port())
}

/// Returns the history file of a timeline; the first one has none.
fn history(timeline: u32) -> String {
    // A process of the server has the data directory as its working directory.
    fs::read_to_string(format!("pg_wal/{timeline:08X}.history")).unwrap_or_default()
}

/// Returns why this server is a copy, unless it was adopted under the same identifier since; NULL
/// when nothing proves one.
#[pg_extern(sql = false)]
fn copy_proof(system: Option<&str>, timeline: Option<i64>, adopted_address: Option<&str>) -> Option<String> {
    let present = pg::timeline()?;
    let is_same_system = system == Some(pg::system_identifier().to_string().as_str());
    let adopted = timeline
        .filter(|_| is_same_system)
        .and_then(|timeline| u32::try_from(timeline).ok())
        .unwrap_or(0);
    let address = address();
    let only_on = settings::only_on();
    let was_adopted = is_same_system && adopted_address == Some(address.as_str());
    if !was_adopted && !names_server(&only_on, &settings::host_name(), pg::port()) {
        return Some(format!(
            "logwatch.only_on = '{only_on}' does not name this server, {address}"
        ));
    }
    recovery_target(&history(present), present, adopted)
        .map(|change| format!("it was recovered to a target ({change})"))
}

#[pg_extern(sql = false)]
fn server_address() -> String {
    address()
}

#[pg_extern(sql = false)]
fn server_system() -> String {
    pg::system_identifier().to_string()
}

/// Returns the timeline that the server writes; NULL on a standby.
#[pg_extern(sql = false)]
fn server_timeline() -> Option<i64> {
    pg::timeline().map(i64::from)
}

/// Returns what tells this server from its copies, for people.
pub fn identity() -> String {
    let timeline = pg::timeline().map_or_else(|| "standby".to_owned(), |number| format!("timeline {number}"));
    format!("{}, system {}, {timeline}", address(), pg::system_identifier())
}

#[pg_extern(sql = false)]
fn server_identity() -> String {
    identity()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED_OVER: &str = "1\t0/3000090\tno recovery target specified\n";
    const TO_A_TARGET: &str =
        "1\t0/3000090\tno recovery target specified\n\n2\t0/5000000\tat restore point \"here\"\n";

    #[test]
    fn a_failover_proves_nothing_and_a_target_does() {
        assert_eq!(recovery_target("", 1, 0), None);
        assert_eq!(recovery_target(FAILED_OVER, 2, 0), None);
        let proof = Some("timeline 3 was begun at restore point \"here\"".to_owned());
        assert_eq!(recovery_target(TO_A_TARGET, 3, 0), proof);
        assert_eq!(recovery_target(TO_A_TARGET, 3, 2), proof);
    }

    #[test]
    fn an_adopted_timeline_counts_no_more_and_a_later_target_does() {
        assert_eq!(recovery_target(TO_A_TARGET, 3, 3), None);
        let failed_over_since = format!("{TO_A_TARGET}\n3\t0/6000000\tno recovery target specified\n");
        assert_eq!(recovery_target(&failed_over_since, 4, 3), None);
        assert!(recovery_target(&failed_over_since, 4, 2).is_some());
        let recovered_since = format!("{TO_A_TARGET}\n3\t0/6000000\tbefore 2026-11-28 08:00:00+00\n");
        assert_eq!(
            recovery_target(&recovered_since, 4, 3),
            Some("timeline 4 was begun before 2026-11-28 08:00:00+00".to_owned())
        );
    }

    #[test]
    fn only_on_names_hosts_with_or_without_domain_and_port() {
        for (only_on, is_named) in [
            ("", true),
            (" , ", true),
            ("db1:5432", true),
            ("DB1", true),
            ("db1.example.com:5432", true),
            ("db2:5432, db1:5432", true),
            ("db1:5433", false),
            ("db2:5432", false),
            ("db1:x", false),
        ] {
            assert_eq!(names_server(only_on, "db1", 5432), is_named, "{only_on}");
        }
        assert!(names_server("db1", "db1.example.com", 5432));
        assert!(!names_server("db1.example.org", "db1.example.com", 5432));
    }
}
