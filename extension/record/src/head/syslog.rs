//! The heads that syslog puts before a message: RFC 5424, and RFC 3164 with its old or its ISO 8601
//! time.

use super::cursor::Cursor;
use crate::level::words::word_level;
use crate::names::LONGEST;

/// RFC 5424 after its time: `host program pid id [data] message`. None (and nothing kept) when it
/// is not that.
pub(crate) fn rfc5424(cursor: &mut Cursor) -> Option<()> {
    let rest = cursor.rest_str();
    let mut parts = rest.strip_prefix(' ')?.splitn(5, ' ');
    let (host, program, pid, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let data = parts.next()?;
    if [host, program, pid, id]
        .iter()
        .any(|part| part.is_empty() || part.len() > 255)
    {
        return None;
    }
    let data_len = match data.as_bytes().first()? {
        b'-' => 1,
        b'[' => structured_data(data.as_bytes())?,
        _ => return None,
    };
    for (key, value) in [("host", host), ("program", program), ("pid", pid), ("id", id)] {
        cursor.keep(key, value);
    }
    if data_len > 1 {
        cursor.keep("data", &data[..data_len]);
    }
    cursor.at += rest.len() - data.len() + data_len;
    cursor.blanks();
    if cursor.rest_str().starts_with('\u{FEFF}') {
        cursor.at += '\u{FEFF}'.len_utf8();
    }
    Some(())
}

/// Returns the length of `[id name="value" …][…]`.
fn structured_data(data: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut at = 0;
    while let Some(byte) = data.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted && data.get(at + 1) != Some(&b'[') => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Reads `host program[pid]: ` after a syslog time. A classic, year-less time (`sure`) needs no pid
/// to tell it from a sentence.
pub(crate) fn host_and_program(cursor: &mut Cursor, sure: bool) -> bool {
    let rest = cursor.rest_str();
    let Some(after) = rest.strip_prefix(' ') else {
        return false;
    };
    let Some((host, after)) = after.split_once(' ') else {
        return false;
    };
    let plausible = !host.is_empty()
        && host.len() <= LONGEST
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'))
        && !host.ends_with(':')
        && word_level(host.as_bytes()).is_none();
    let Some((_, _, len)) = tag(after).filter(|(_, pid, _)| plausible && (sure || pid.is_some())) else {
        return false;
    };
    cursor.keep("host", host);
    cursor.at += rest.len() - after.len();
    program(cursor);
    debug_assert!(len > 0);
    true
}

/// Reads `program[pid]: ` at the cursor.
pub(crate) fn program(cursor: &mut Cursor) {
    if let Some((program, pid, len)) = tag(cursor.rest_str()) {
        cursor.keep("program", program);
        cursor.keep("pid", pid.unwrap_or_default());
        cursor.at += len;
    }
}

/// Returns the parts and the length of `program[pid]:` or `program:`. A level word is no program.
fn tag(text: &str) -> Option<(&str, Option<&str>, usize)> {
    let len = text.bytes().take(LONGEST).position(|b| {
        !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b'@' | b'(' | b')' | b'+'))
    })?;
    let (program, rest) = text.split_at(len);
    if program.is_empty() || word_level(program.as_bytes()).is_some() {
        return None;
    }
    if let Some(inner) = rest.strip_prefix('[') {
        let (pid, rest) = inner
            .split_once(']')
            .filter(|(pid, _)| pid.len() <= 32 && !pid.contains(' '))?;
        let colon = usize::from(rest.starts_with(':'));
        return Some((program, Some(pid), len + 1 + pid.len() + 1 + colon));
    }
    rest.strip_prefix(':')
        .filter(|rest| rest.is_empty() || rest.starts_with(' '))
        .map(|_| (program, None, len + 1))
}
