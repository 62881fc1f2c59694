//! Free space of the server's disks.

use pgrx::prelude::*;

/// Returns the free bytes of the disk that holds a directory, as an unprivileged user may use them.
#[pg_extern(sql = false)]
fn free_bytes(directory: &str) -> Option<i64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    i64::try_from(disk.f_bavail.saturating_mul(disk.f_frsize)).ok()
}
