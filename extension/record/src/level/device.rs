//! The severities of network devices of Cisco and Arista, which write a code before the message:
//! `%LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down`.

use super::Level;
use super::words::syslog_level;

/// The longest code.
const LONGEST: usize = 80;

/// Returns the severity of the code at the start of a text, behind its percent sign.
#[inline(never)]
pub(super) fn severity(text: &[u8]) -> Option<Level> {
    let is_code = |b: &&u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let code = &text[..text.iter().take(LONGEST).take_while(is_code).count()];
    let (before, name) = code.split_at(code.iter().rposition(|b| *b == b'-')?);
    match (before, text.get(code.len())) {
        ([b'A'..=b'Z', .., b'-', digit @ b'0'..=b'7'], Some(b':')) if name.len() > 1 => {
            syslog_level(u64::from(digit - b'0'))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digit_of_a_code_is_a_severity_of_syslog() {
        for (text, level) in [
            ("LINK-3-UPDOWN: x", Some(Level::Error)),
            ("SYS-SW1-2-MALLOCFAIL: x", Some(Level::Fatal)),
            ("ASA-4-106023: error", Some(Level::Warn)),
            ("PKT_INFRA-LINK-5-CHANGED: x", Some(Level::Info)),
            ("LINK-3-UPDOWN x", None),
            ("LINK-8-UPDOWN: x", None),
            ("LINK-33-UPDOWN: x", None),
            ("LINK-3: x", None),
            ("LINK-3-: x", None),
            ("-3-X: x", None),
            ("20-3-X: x", None),
        ] {
            assert_eq!(severity(text.as_bytes()), level, "{text}");
        }
    }
}
