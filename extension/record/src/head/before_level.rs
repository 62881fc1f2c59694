//! The parts that stand between a line's time and its level: pid, thread, logger, session.

use super::around_level::keep_group;
use super::cursor::Cursor;
use crate::names::{LONGEST, group, is_dotted, is_name, is_position};

/// Keeps all parts up to `end` and tells so when each has the shape of a head's part; keeps nothing
/// otherwise.
pub(crate) fn all_certain(cursor: &mut Cursor, end: usize, timed: bool) -> bool {
    let text = &cursor.line[cursor.at..end];
    if channel(cursor, text, end) || program(cursor, text) {
        return true;
    }
    let mut parts: [(&str, &str); 8] = [("", ""); 8];
    let mut count = 0;
    let mut rest = text.trim();
    // Ruby's `E, ` before its time.
    while !rest.is_empty() {
        let next;
        let part;
        if let Some((inside, after)) = group(rest) {
            (part, next) = (("", inside), after);
        } else if let Some((inside, after)) = braced_position(rest) {
            (part, next) = (("caller", inside), after);
        } else {
            let len = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '|' | '['))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(len);
            let separated = {
                let after = after.trim_start();
                after.is_empty() && text.trim_end().ends_with(['-', '|', ':'])
                    || after.starts_with("- ")
                    || after == "-"
                    || after.starts_with('|')
                    || after.starts_with(": ")
                    || after == ":"
            };
            let number = word.trim_start_matches('#');
            part = if matches!(word, "-" | "--" | "---" | "|" | ":" | "") {
                ("", "")
            } else if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b':') {
                ("pid", number)
            } else if is_position(word.trim_end_matches(':')) {
                ("caller", word.trim_end_matches(':'))
            } else if is_dotted(word.trim_end_matches(':'))
                || (timed && separated && is_name(word))
                || (timed && word.ends_with(':') && is_name(word.trim_end_matches(':')))
            {
                ("logger", word.trim_end_matches([':', '.']))
            } else if timed && is_session(word) {
                ("session", word.trim_end_matches([':', ',']))
            } else {
                return false;
            };
            next = if len == 0 {
                after.get(1..).unwrap_or_default()
            } else {
                after
            };
        }
        if part != ("", "") {
            if count == parts.len() {
                return false;
            }
            parts[count] = part;
            count += 1;
        }
        rest = next.trim_start();
    }
    if count == 0 && !timed {
        return text.trim().is_empty();
    }
    for (key, value) in &parts[..count] {
        if key.is_empty() {
            keep_group(cursor, value)
        } else {
            cursor.keep(key, value)
        }
    }
    true
}

/// Returns Airflow's `{taskinstance.py:1824}` and the text after it.
fn braced_position(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.strip_prefix('{')?.split_once('}')?;
    is_position(inside).then_some((inside, after))
}

/// Takes `nginx: ` and `zabbix_server [4711]: ` from the start of a line.
fn program(cursor: &mut Cursor, text: &str) -> bool {
    let Some(name) = text.strip_suffix(": ").filter(|_| cursor.at == 0) else {
        return false;
    };
    let (name, pid) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, pid)) => (name.trim_end(), pid),
        None => (name, ""),
    };
    let is_program = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fits = !name.is_empty()
        && name.len() <= LONGEST
        && name.bytes().all(is_program)
        && name.bytes().any(|b| b.is_ascii_alphabetic())
        && pid.bytes().all(|b| b.is_ascii_digit());
    if fits {
        cursor.keep("program", name);
        cursor.keep("pid", pid);
    }
    fits
}

/// Monolog's `channel.ERROR: message {"context":…} []`.
fn channel(cursor: &mut Cursor, text: &str, end: usize) -> bool {
    let Some(name) = text.strip_suffix('.').filter(|name| is_name(name)) else {
        return false;
    };
    cursor.keep("logger", name);
    cursor.at = end;
    let mut message = cursor.line.trim_end();
    for _ in 0..2 {
        message = message.strip_suffix(" []").unwrap_or(message);
    }
    cursor.end = message.len();
    true
}

/// Returns true for a session as PostgreSQL's log_line_prefix writes it: `app@db`,
/// `user=app,db=db,client=192.0.2.1`, `192.0.2.1(5432):app@db:[12]:`.
fn is_session(word: &str) -> bool {
    word.len() <= 2 * LONGEST
        && (word.ends_with(':') || word.contains(['@', '=']))
        && word
            .split(',')
            .all(|part| part.contains(['@', '=', '(']) || part.is_empty())
}
