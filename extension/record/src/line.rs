//! Decides whether a line belongs to the record before it.
//!
//! [`continues`] looks at the line alone. [`joins`] knows the record that is open as well, and
//! [`begins`] the line before where none is. A line that starts with a time is a continuation only
//! if it repeats the head of the record, as RabbitMQ does for each line of one event.

mod before;
pub(crate) mod tagged;

use memchr::{memchr_iter, memmem};

use crate::level::translated;
use crate::level::words::word_level;
use crate::shapes;
use crate::structured::container;
use crate::time;

pub use before::{Open, Piece, begins, joins, passes, piece};

/// The bytes of a line that are looked at.
const LOOKED_AT: usize = 256;

/// Returns true if a line belongs to the record before it: it is indented, or it starts like a part
/// of a stack trace (`Caused by:`, `... 3 more`, `Traceback`, `goroutine 1 [`, `java.lang.X: …`),
/// or it is one of PostgreSQL's companions (`DETAIL:  `). An empty line does not, but a container's
/// line that is empty inside does: Go prints one after `panic:`.
pub fn continues(line: &[u8]) -> bool {
    let mut buffer = [0; LOOKED_AT];
    let inner = container::inner_start(line, &mut buffer);
    let line = without_colour(inner.unwrap_or(line));
    let text = line.trim_ascii();
    let Some(first) = text.first() else {
        return inner.is_some();
    };
    let text = &text[..text.len().min(LOOKED_AT)];
    let timed = time::scan(text.strip_prefix(b"[").unwrap_or(text)).is_some();
    if timed {
        return companion(text);
    }
    if line[0].is_ascii_whitespace() {
        return !has_its_own_head(text);
    }
    match first {
        // The end of an object printed over several lines; Laravel's `"} `.
        b'}' | b']' => text.len() <= 3,
        b'"' => text == b"\"}",
        // PHP's and GDB's frames, Elixir's exceptions, .NET's markers.
        b'#' => text.get(1).is_some_and(u8::is_ascii_digit),
        b'*' => text.starts_with(b"** "),
        b'-' => [&b"--- End of "[..], b"---> "]
            .iter()
            .any(|start| text.starts_with(start)),
        b'[' => text == b"[stacktrace]" || text == b"[previous exception]",
        b'.' => text.starts_with(b"... "),
        _ => {
            STARTS
                .iter()
                .any(|start| start[0] == *first && text.starts_with(start))
                || exception(text)
                || frame(text)
                || companion(text)
        }
    }
}

/// Returns true for the first line of a JSON object that is printed over several lines.
pub fn opens_object(line: &[u8]) -> bool {
    line.first() == Some(&b'{') && line[1..].trim_ascii().is_empty()
}

/// Returns the line without the terminal's colours at its start.
pub(crate) fn without_colour(mut line: &[u8]) -> &[u8] {
    while let Some(sequence) = line.strip_prefix(b"\x1b[") {
        let Some(end) = sequence.iter().take(12).position(u8::is_ascii_alphabetic) else {
            return line;
        };
        line = &sequence[end + 1..];
    }
    line
}

/// Returns true for a right-aligned head: `  ERROR 2026-11-28 01:33:52 x`,
/// ` 21494:20261128:015055.095 x`, ` 0(4711) ERROR: x`.
fn has_its_own_head(text: &[u8]) -> bool {
    let len = text
        .iter()
        .take(12)
        .take_while(|b| b.is_ascii_alphabetic())
        .count();
    if len >= 3 && word_level(&text[..len]).is_some() {
        let rest = text[len..].trim_ascii_start();
        let rest = rest.strip_prefix(b"[").unwrap_or(rest);
        return rest.len() < text.len() - len && time::scan(rest).is_some();
    }
    text[0].is_ascii_digit() && shapes::has_head(text)
}

const STARTS: [&[u8]; 22] = [
    b"Caused by:",
    b"Suppressed:",
    b"Wrapped by:",
    b"at ",
    b"Traceback (most recent call last):",
    b"During handling of the above exception",
    b"The above exception was the direct cause",
    b"Stack trace:",
    b"Stacktrace:",
    b"Backtrace:",
    b"stack backtrace:",
    b"goroutine ",
    b"created by ",
    b"exit status ",
    b"[signal ",
    b"PHP Stack trace:",
    b"PHP   ",
    b"note: run with `RUST_BACKTRACE",
    b"Location:",
    b"HINT: ",
    b"DETAIL: ",
    // OpenVPN's second line of every such error.
    b"Options error: Please correct",
];

/// Returns the line of a trace that names the exception: `java.io.IOException: x`, `ValueError: x`,
/// `psycopg2.OperationalError`.
fn exception(text: &[u8]) -> bool {
    let len = text
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'\\')))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(len);
    // `Error: x` and `Exception: x` are what Node, Python scripts and shells say without any trace
    // before it.
    let class = [
        "Exception",
        "Error",
        "Throwable",
        "Interrupt",
        "Exit",
        "Timeout",
        "Warning",
    ]
    .iter()
    .any(|end| name.len() > end.len() && name.ends_with(end.as_bytes()));
    let dotted = || {
        [&b".exceptions."[..], b".errors."]
            .iter()
            .any(|part| memmem::find(name, part).is_some())
    };
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && (rest.is_empty() || rest.starts_with(b": ") || rest == b":")
        && (class || dotted())
}

/// Returns a frame that is not indented: Go's `main.(*T).run(0xc000, …)`, Ruby's ``app/x.rb:12:in
/// `run'``.
fn frame(text: &[u8]) -> bool {
    let mut colons = memchr_iter(b':', text);
    if let Some(at) = colons.find(|at| text[..*at].ends_with(b".rb")) {
        let line = &text[at + 1..];
        let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
        return digits > 0 && line[digits..].starts_with(b":in ");
    }
    let Some(open) = text.iter().position(|b| *b == b'(') else {
        return false;
    };
    let name = &text[..open];
    text.last() == Some(&b')')
        && name.contains(&b'.')
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-'))
}

/// PostgreSQL's lines about the one before: `… DETAIL:  Key (id)=(1) already exists.`, with its two
/// blanks.
fn companion(text: &[u8]) -> bool {
    // repmgr's `[2026-11-28 01:48:28] [DETAIL] x`.
    if text.first() == Some(&b'[') {
        let rest = &text[text.iter().position(|b| *b == b']').unwrap_or(0)..];
        if [&b"] [DETAIL]"[..], b"] [HINT]"]
            .iter()
            .any(|start| rest.starts_with(start))
        {
            return true;
        }
    }
    const NAMES: [&[u8]; 7] = [
        b"DETAIL:  ",
        b"HINT:  ",
        b"STATEMENT:  ",
        b"CONTEXT:  ",
        b"QUERY:  ",
        b"LOCATION:  ",
        b"BACKTRACE:  ",
    ];
    let mut colons = memchr_iter(b':', text);
    let Some(at) = colons.find(|at| text[at + 1..].starts_with(b"  ")) else {
        return false;
    };
    let start = text[..at]
        .iter()
        .rposition(|b| !b.is_ascii_uppercase())
        .map_or(0, |at| at + 1);
    if translated::ends_with_label(&text[..at]) {
        return true;
    }
    NAMES.contains(&&text[start..at + 3]) && (start == 0 || matches!(text[start - 1], b' ' | b':' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &str, expected: bool) {
        for line in lines.lines() {
            assert_eq!(continues(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn traces_of_java_python_go_ruby_php_and_dotnet_continue() {
        all(
            r#"java.lang.NullPointerException: Cannot invoke "x"
	at com.example.Foo.bar(Foo.java:12)
	... 23 more
Caused by: java.io.IOException: broken pipe
Traceback (most recent call last):
  File "/app/x.py", line 3, in <module>
ValueError: invalid literal for int() with base 10: 'x'
requests.exceptions.ConnectTimeout: timed out
During handling of the above exception, another exception occurred:
goroutine 1 [running]:
main.(*Server).run(0xc000010018, 0x1)
main.main()
created by main.main in goroutine 1
exit status 2
app/models/user.rb:12:in `find'
#0 /var/www/index.php(12): foo()
[stacktrace]
"}
   at System.Linq.Enumerable.First[TSource](IEnumerable`1 source)
--- End of stack trace from previous location ---
** (RuntimeError) boom
}"#,
            true,
        );
    }

    #[test]
    fn a_right_aligned_head_begins_a_record() {
        all(
            "  ERROR 2026-11-28 01:33:52 b
   INFO 2026-11-28 01:33:51.000000 [  main ] a
 21494:20261128:015055.095 database is down
 WARNING [2026-11-28 01:33:52] x",
            false,
        );
        all(
            "  error in line 3
    12: foo
  ERROR: indented text of a message
[31m    at com.example.Foo.bar(Foo.java:12)[0m",
            true,
        );
    }

    #[test]
    fn a_container_s_empty_line_continues() {
        all(
            "go-1  | \ngo-1  |\n2026-11-22T10:00:00.123456789Z stderr F \n{\"log\":\"\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-22T10:00:00Z\"}",
            true,
        );
    }

    #[test]
    fn new_records_and_empty_lines_do_not_continue() {
        all(
            "2026-11-22 10:00:00 ERROR x
  2026-11-22 10:00:00 indented but timed
[2026-11-22 10:00:00] production.ERROR: x
Nov 22 10:00:00 host app[1]: x
Error: boom
ERROR: no time here
Exception in thread \"main\" java.lang.RuntimeException: x
panic: runtime error: index out of range
connect failed (errno 111)
{\"level\":\"error\"}",
            false,
        );
        assert!(!continues(b"") && !continues(b"   ") && !continues(b"\r"));
    }

    #[test]
    fn postgresql_companions_continue_although_they_have_a_time() {
        all(
            "2026-11-22 10:00:00.123 UTC [123] DETAIL:  Key (id)=(1) already exists.
2026-11-22 10:00:00.123 UTC [123] app@db STATEMENT:  SELECT error
HINT:  try again",
            true,
        );
        all(
            "2026-11-22 10:00:00.123 UTC [123] ERROR:  duplicate key
2026-11-22 10:00:00.123 UTC [123] LOG:  could not parse DETAIL:  x",
            false,
        );
    }

    #[test]
    fn wrapped_lines_are_judged_by_what_is_inside() {
        all(
            r#"{"log":"\tat com.example.Foo.bar(Foo.java:12)\n","stream":"stderr","time":"2026-11-22T10:00:00Z"}
2026-11-22T10:00:00.123456789Z stderr F 	at com.example.Foo.bar(Foo.java:12)"#,
            true,
        );
        all(
            r#"{"log":"ERROR x\n","stream":"stderr","time":"2026-11-22T10:00:00Z"}"#,
            false,
        );
    }
}
