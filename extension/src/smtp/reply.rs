//! Replies of a mail server (RFC 5321 §4.2) and their enhanced status codes (RFC 3463).

use std::fmt;

/// A complete reply: its code, and the text of each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub lines: Vec<String>,
}

/// An enhanced status code: class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced(pub u16, pub u16, pub u16);

impl Reply {
    /// Returns the enhanced status code that the text begins with.
    pub fn enhanced(&self) -> Option<Enhanced> {
        let word = self.lines.first()?.split_whitespace().next()?;
        let mut parts = word.splitn(3, '.').map(|part| part.parse::<u16>().ok());
        match (parts.next()??, parts.next()??, parts.next()??) {
            (class @ (2 | 4 | 5), subject, detail) => Some(Enhanced(class, subject, detail)),
            _ => None,
        }
    }

    /// Returns the first digit of the code: 2 for done, 3 for go on, 4 for later, 5 for no.
    pub fn class(&self) -> u16 {
        self.code / 100
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.lines.join(" ").trim())
    }
}

/// Returns the code that bytes begin with, if these are three digits with no fourth one.
pub fn leading_code(bytes: &[u8]) -> Option<u16> {
    let (digits, rest) = bytes.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |code, digit| code * 10 + u16::from(digit - b'0')),
    )
}

/// Returns the reply that bytes begin with and its length, `Ok(None)` while its last line has not
/// ended, and the line that is no reply line as an error. Bytes that are not UTF-8 are replaced.
/// The code is the first line's.
pub fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let mut lines = Vec::new();
    let mut length = 0;
    let first = leading_code(bytes);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        length += line.len();
        let Some(ended) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        let ended = ended.strip_suffix(b"\r").unwrap_or(ended);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = leading_code(ended).and(first).ok_or_else(|| text(ended))?;
        match ended.get(3) {
            Some(b'-') => lines.push(text(&ended[4..])),
            None | Some(b' ') => {
                lines.push(text(ended.get(4..).unwrap_or_default()));
                return Ok(Some((Reply { code, lines }, length)));
            }
            Some(_) => return Err(text(ended)),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply {
            code,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn a_reply_ends_with_the_line_that_has_no_hyphen() {
        assert_eq!(parse(b"250-a\r\n250-b\r\n"), Ok(None));
        assert_eq!(parse(b"250-a\r\n250 b"), Ok(None));
        assert_eq!(
            parse(b"250-a\r\n250 b\r\n"),
            Ok(Some((reply(250, &["a", "b"]), 14)))
        );
        assert_eq!(parse(b"250\r\n"), Ok(Some((reply(250, &[""]), 5))));
        assert_eq!(parse(b"250 a\r\n354 b\r\n"), Ok(Some((reply(250, &["a"]), 7))));
        assert_eq!(parse(b"250 \xff\n"), Ok(Some((reply(250, &["\u{fffd}"]), 6))));
        assert_eq!(parse(b"HTTP/1.1 400 Bad\r\n"), Err("HTTP/1.1 400 Bad".to_owned()));
        assert_eq!(parse(b"2500 x\r\n"), Err("2500 x".to_owned()));
    }

    #[test]
    fn the_enhanced_code_is_the_first_word() {
        assert_eq!(
            reply(550, &["5.1.1 no such user"]).enhanced(),
            Some(Enhanced(5, 1, 1))
        );
        assert_eq!(
            reply(550, &["5.7.606 blocked"]).enhanced(),
            Some(Enhanced(5, 7, 606))
        );
        assert_eq!(reply(550, &["192.0.2.1 is blocked"]).enhanced(), None);
        assert_eq!(reply(550, &["no such user"]).enhanced(), None);
    }
}
