//! Which lines belong to the record before them.

/// True when a line belongs to the record before it (indented, `Caused by:`, `... 3 more`, …). An empty line does not.
pub fn continues(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    if text.is_empty() {
        return false;
    }
    line[0].is_ascii_whitespace()
        || [
            &b"Caused by:"[..],
            b"... ",
            b"Traceback (",
            b"goroutine ",
            b"created by ",
        ]
        .iter()
        .any(|p| text.starts_with(p))
}
