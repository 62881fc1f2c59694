//! Lines of daemons that are not in tests/corpus.

use crate::all;

#[test]
fn postfix_sshd_and_the_kernel_in_syslog() {
    all(&[
        (
            "Nov 22 10:00:00 mx postfix/smtpd[4711]: fatal: bind 0.0.0.0 port 25: Address already in use",
            "FATAL",
            "2026-11-22T09:00:00Z",
            "bind 0.0.0.0 port 25: Address already in use",
        ),
        (
            "Nov 22 10:00:00 mx postfix/smtpd[4711]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 <error@example.org>: denied",
            "-",
            "2026-11-22T09:00:00Z",
            "NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 <error@example.org>: denied",
        ),
        (
            "Nov 22 10:00:00 h sshd[123]: Failed password for invalid user error from 192.0.2.7 port 22 ssh2",
            "-",
            "2026-11-22T09:00:00Z",
            "Failed password for invalid user error from 192.0.2.7 port 22 ssh2",
        ),
        (
            "[12345.678901] Out of memory: Killed process 4711 (java) total-vm:123kB",
            "ERROR",
            "-",
            "[12345.678901] Out of memory: Killed process 4711 (java) total-vm:123kB",
        ),
    ]);
}

#[test]
fn icinga_unbound_jenkins_and_celery() {
    all(&[
        (
            "[2026-11-22 10:00:00 +0000] critical/cli: Could not fetch listener",
            "FATAL",
            "2026-11-22T10:00:00Z",
            "Could not fetch listener",
        ),
        (
            "[1795341600] unbound[4711:0] error: bind: address already in use",
            "ERROR",
            "2026-11-22T10:00:00Z",
            "bind: address already in use",
        ),
        (
            "2026-11-22 10:00:00.123+0000 [id=1]\tSEVERE\thudson.util.BootFailure#publish: Failed to start",
            "ERROR",
            "2026-11-22T10:00:00.123Z",
            "Failed to start",
        ),
        (
            "[2026-11-22 10:00:00,123: CRITICAL/MainProcess] Unrecoverable error: x",
            "FATAL",
            "2026-11-22T09:00:00.123Z",
            "Unrecoverable error: x",
        ),
    ]);
}

#[test]
fn mariadb_pads_hours_and_sssd_writes_masks() {
    all(&[
        (
            "2026-11-22  9:00:00 0 [ERROR] mariadbd: Can't lock aria control file",
            "ERROR",
            "2026-11-22T08:00:00Z",
            "mariadbd: Can't lock aria control file",
        ),
        (
            "(2026-11-22  9:00:00): [sssd] [confdb_get] (0x0020): Unknown domain [x]",
            "FATAL",
            "2026-11-22T08:00:00Z",
            "Unknown domain [x]",
        ),
    ]);
}
