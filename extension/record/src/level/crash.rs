//! Crashes that name no level: an uncaught error of a language's runtime, a signal, the kernel.
//!
//! A crash is an ERROR, and FATAL where the process ends by it.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Level;

/// The beginnings of a crash's first line.
const HEADLINES: [(&[u8], Level); 17] = [
    // Python. `record::parse` finds out whether the process has ended.
    (b"Traceback (most recent call last):", Level::Error),
    // Java.
    (b"Exception in thread \"main\" ", Level::Fatal),
    (b"Exception in thread ", Level::Error),
    // Rust.
    (b"thread 'main' panicked at ", Level::Fatal),
    (b"thread 'main' (", Level::Fatal),
    (b"thread '", Level::Error),
    // Go and .NET; Mono and Dart.
    (b"panic: ", Level::Fatal),
    (b"fatal error: ", Level::Fatal),
    (b"Unhandled exception", Level::Fatal),
    (b"Unhandled Exception", Level::Fatal),
    // Node.
    (b"Uncaught ", Level::Fatal),
    (b"Uncaught:", Level::Fatal),
    // PHP.
    (b"PHP Fatal error:", Level::Fatal),
    // Erlang.
    (b"=CRASH REPORT====", Level::Error),
    (b"=SUPERVISOR REPORT====", Level::Error),
    // The kernel.
    (b"Kernel panic", Level::Fatal),
    (b"Out of memory: Kill", Level::Error),
];

/// The texts that the kernel and systemd write of a process that crashed.
const REPORTS: [(&str, Level); 8] = [
    ("Kernel panic - not syncing", Level::Fatal),
    ("Out of memory: Kill", Level::Error),
    ("Memory cgroup out of memory: Kill", Level::Error),
    (": segfault at ", Level::Error),
    ("Failed with result 'core-dump'", Level::Error),
    (" dumped core", Level::Error),
    ("BUG: ", Level::Error),
    ("BTRFS critical (device ", Level::Fatal),
];

/// Returns the level of a line that a crash begins with.
#[inline]
pub(crate) fn level(line: &[u8]) -> Option<Level> {
    // Most lines are told by their first four bytes.
    if !matches!(
        line.first_chunk()?,
        b"Trac"
            | b"Exce"
            | b"thre"
            | b"pani"
            | b"fata"
            | b"Unha"
            | b"Unca"
            | b"PHP "
            | b"=CRA"
            | b"=SUP"
            | b"Kern"
            | b"Out "
    ) {
        // The second letter of such a name is small: `TypeError`.
        let is_name = line[0].is_ascii_uppercase() && line[1].is_ascii_lowercase();
        return (is_name && is_exception(line)).then_some(Level::Error);
    }
    HEADLINES
        .iter()
        .find(|(start, _)| line.starts_with(start))
        .filter(|(start, _)| match start[0] {
            b't' => holds(line, b" panicked at "),
            b'U' if start.starts_with(b"Uncaught") => holds(line, b"Error: "),
            _ => true,
        })
        .map(|(_, level)| *level)
}

/// Returns the level of a report by the kernel or systemd, which stands behind a head of this
/// length.
pub(crate) fn report(line: &[u8], head: usize) -> Option<Level> {
    static TEXTS: LazyLock<[Finder; 8]> = LazyLock::new(|| REPORTS.map(|(text, _)| Finder::new(text)));
    let line = line.get(head..line.len().min(512))?;
    REPORTS
        .iter()
        .zip(&*TEXTS)
        .find(|(_, text)| text.find(line).is_some())
        .map(|(report, _)| report)
        // The kernel says the kind of access behind the addresses.
        .filter(|(text, _)| !text.contains("segfault") || memchr::memmem::find(line, b" error ").is_some())
        .map(|(_, level)| *level)
}

fn holds(line: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(&line[..line.len().min(200)], text).is_some()
}

/// Returns true for an error that Node or a script prints before its stack: `TypeError: x`.
fn is_exception(line: &[u8]) -> bool {
    let len = line
        .iter()
        .take(80)
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    len > 5 && line[..len].ends_with(b"Error") && line[len..].starts_with(b": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_s_crash_has_a_level() {
        for (line, expected) in [
            ("Traceback (most recent call last):", Level::Error),
            (
                "Exception in thread \"main\" java.lang.IllegalStateException: closed",
                Level::Fatal,
            ),
            (
                "Exception in thread \"pool-1\" java.lang.IllegalStateException: closed",
                Level::Error,
            ),
            ("Exception in thread Thread-1:", Level::Error),
            ("thread 'main' panicked at src/main.rs:2:5:", Level::Fatal),
            ("thread 'main' (4711) panicked at src/main.rs:2:5:", Level::Fatal),
            ("thread 'worker' panicked at 'x', src/main.rs:2:5", Level::Error),
            (
                "panic: runtime error: index out of range [3] with length 3",
                Level::Fatal,
            ),
            ("fatal error: all goroutines are asleep - deadlock!", Level::Fatal),
            ("=CRASH REPORT==== 28-Nov-2026::01:35:33.123456 ===", Level::Error),
            (
                "Unhandled exception. System.InvalidOperationException: x",
                Level::Fatal,
            ),
            ("Uncaught TypeError: x is not a function", Level::Fatal),
            (
                "TypeError: Cannot read properties of undefined (reading 'x')",
                Level::Error,
            ),
        ] {
            assert_eq!(level(line.as_bytes()), Some(expected), "{line}");
        }
        for line in [
            "thread 'main' started",
            "Traceback is off",
            "MyErrors: 3",
            "Error: x",
            "There: x",
        ] {
            assert_eq!(level(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn the_kernel_and_systemd_report_crashes_behind_a_head() {
        for line in [
            "[ 1234.567890] Out of memory: Killed process 4711 (java) total-vm:1kB",
            "Nov 28 01:35:33 h kernel: [12.3] app[7]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so",
            "Nov 28 01:35:33 h systemd[1]: app.service: Failed with result 'core-dump'.",
            "Nov 28 01:35:33 h systemd-coredump[7]: Process 42 (x) of user 0 dumped core.",
            "[ 1234.567890] BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "[ 1234.567890] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [x:1]",
        ] {
            assert_eq!(report(line.as_bytes(), 0), Some(Level::Error), "{line}");
        }
    }
}
