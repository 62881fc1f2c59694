//! The heads that syslog puts before a message: RFC 5424, and RFC 3164 with its old or its ISO 8601 time.

use crate::headline::Reader;
use crate::level::word_level;
use crate::names::LONGEST;

/// RFC 5424 after its time: `host program pid id [data] message`. None (and nothing kept) when it is not that.
pub(crate) fn rfc5424(reader: &mut Reader) -> Option<()> {
    let rest = reader.rest_str();
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
        reader.keep(key, value);
    }
    if data_len > 1 {
        reader.keep("data", &data[..data_len]);
    }
    reader.at += rest.len() - data.len() + data_len;
    reader.blanks();
    if reader.rest_str().starts_with('\u{FEFF}') {
        reader.at += '\u{FEFF}'.len_utf8();
    }
    Some(())
}

/// The length of `[id name="value" …][…]`.
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

/// `host program[pid]: ` after a syslog time. A classic, year-less time (`sure`) needs no pid to tell it from a sentence.
pub(crate) fn host_and_program(reader: &mut Reader, sure: bool) -> bool {
    let rest = reader.rest_str();
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
    reader.keep("host", host);
    reader.at += rest.len() - after.len();
    program(reader);
    debug_assert!(len > 0);
    true
}

/// `program[pid]: ` at the cursor.
pub(crate) fn program(reader: &mut Reader) {
    if let Some((program, pid, len)) = tag(reader.rest_str()) {
        reader.keep("program", program);
        reader.keep("pid", pid.unwrap_or_default());
        reader.at += len;
    }
}

/// The parts and the length of `program[pid]:` or `program:`. A level word is no program.
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
