//! The evidence that a word of a line is its level: case, brackets, colon, and the words before it.

use super::words::{Evidence, word_level};
use crate::time;

/// Returns the evidence that the surroundings and the case of a word give; None when it does not
/// stand alone (`error.log`, `/error`, `on-error`).
pub(super) fn of(line: &[u8], start: usize, end: usize, level_key: bool) -> Option<Evidence> {
    let before = start.checked_sub(1).map(|i| line[i]);
    let next = line.get(end).copied();
    let after_next = line.get(end + 1).copied();
    let upper = !line[start..end].iter().any(u8::is_ascii_lowercase);
    if level_key && before.is_some_and(|b| matches!(b, b'=' | b'"' | b'\'')) {
        return Some(Evidence::Key);
    }
    let ends = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_whitespace());
    let coloured =
        before == Some(b'm') && start >= 2 && line[..start].iter().rev().take(8).any(|b| *b == 0x1b);
    let stands_before = coloured
        || match before {
            None => true,
            Some(b) if b.is_ascii_whitespace() => true,
            Some(
                b'[' | b'(' | b'<' | b'{' | b'|' | b',' | b';' | b'"' | b'\'' | b'>' | b'!' | b'*' | b'#',
            ) => true,
            Some(b'^' | b'~' | b']' | b')') => true,
            // `=ERROR REPORT====`, but not `state=ERROR`.
            Some(b'=') => upper && start == 1,
            // A path of names is no head: `std::error::Error`; but SABnzbd's `,123::ERROR::[` is.
            Some(b':') => start < 2 || line[start - 2] != b':' || between_colons(line, start, end),
            // `app-ERROR`, `local.ERROR:`.
            Some(b'-') => upper || start < 2 || !line[start - 2].is_ascii_alphanumeric(),
            // Or syslog's `daemon.err `.
            Some(b'.') => upper && matches!(next, Some(b':' | b']')) || is_priority(line, start, next),
            // `[Server thread/ERROR]`.
            Some(b'/') => upper && next == Some(b']'),
            Some(0x80..) => upper,
            Some(_) => false,
        };
    let stands_after = match next {
        Some(b':') => after_next != Some(b':') || between_colons(line, start, end),
        Some(b']' | b')' | b'>' | b'}' | b'|' | b',' | b';' | b'"' | b'\'' | b'!' | b'?' | b'[' | 0x1b) => {
            true
        }
        Some(b'(') => upper || before.is_none() && is_scope(&line[end..]),
        Some(b'*' | b'#' | b'<' | 0x80..) => upper,
        Some(b'-') => upper || ends(after_next),
        // `ERROR/MainProcess]`, `error/Component:`.
        Some(b'/') => slashed(&line[end + 1..], upper),
        Some(b'.') => ends(after_next),
        other => ends(other),
    };
    if !stands_before || !stands_after || denied(line, start, upper) || is_name_of(line, start, end, upper) {
        return None;
    }
    let opens = matches!(before, Some(b'[' | b'(' | b'<' | b'|'));
    let closes = matches!(next, Some(b']' | b')' | b'>' | b'|'));
    // loguru's `| SUCCESS  | x`, but not the column before a level's: `| SYSTEM | ERROR | x`.
    let piped = || {
        let column = match behind_blanks(line, end) {
            [b'|', b' ', column @ ..] => column,
            _ => return false,
        };
        let len = column.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        upper && line[..start].ends_with(b"| ") && word_level(&column[..len]).is_none()
    };
    // Apache's `[core:error]`.
    let grouped = (opens && closes) || (before == Some(b':') && next == Some(b']')) || piped();
    // structlog's `[critical ]`.
    let filled = || before == Some(b'[') && behind_blanks(line, end).first() == Some(&b']');
    let tabbed = matches!(before, None | Some(b'\t')) && next == Some(b'\t');
    // Mattermost's `error [2026-11-28 01:35:33.123 Z] x`.
    let before_time = || match behind_blanks(line, end) {
        [b'[', time @ ..] => before.is_none() && time::scan(time).is_some(),
        _ => false,
    };
    // MaxScale's `error  : x`, libvirt's `error : x`.
    let padded = || next == Some(b' ') && behind_blanks(line, end).starts_with(b": ");
    let colon = next == Some(b':') || padded();
    let slash = next == Some(b'/');
    Some(if grouped || (upper && colon) {
        Evidence::Heading
    } else if upper
        || tabbed
        || filled()
        || before_time()
        || coloured
        || slash
        || before == Some(b'.')
        || next == Some(b'(')
        || (colon && (next != Some(b':') || matches!(after_next, None | Some(b' ' | b'\t'))))
    {
        Evidence::Shape
    } else {
        Evidence::Word
    })
}

/// Returns true for the severity of a priority that OpenWrt's syslog writes behind a time:
/// `kern.warn `.
fn is_priority(line: &[u8], start: usize, next: Option<u8>) -> bool {
    const FACILITIES: [&[u8]; 11] = [
        b"daemon",
        b"kern",
        b"user",
        b"auth",
        b"authpriv",
        b"cron",
        b"syslog",
        b"mail",
        b"news",
        b"lpr",
        b"ftp",
    ];
    let before = &line[..start - 1];
    let Some(blank) = before.iter().rposition(|b| *b == b' ') else {
        return false;
    };
    let word = &before[blank + 1..];
    let local = matches!(word, [b'l', b'o', b'c', b'a', b'l', b'0'..=b'7']);
    next == Some(b' ')
        && before[..blank].last().is_some_and(u8::is_ascii_digit)
        && (local || FACILITIES.contains(&word))
}

/// Returns the text behind a word and the few blanks that fill its column.
fn behind_blanks(line: &[u8], end: usize) -> &[u8] {
    let rest = &line[end..];
    let blanks = rest.iter().take(8).take_while(|b| **b == b' ').count();
    &rest[blanks..]
}

/// Returns true for a word in capitals behind a time, with two colons on each side.
fn between_colons(line: &[u8], start: usize, end: usize) -> bool {
    matches!(line[..start], [.., b'0'..=b'9', b':', b':'])
        && line[end..].starts_with(b"::")
        && line[start..end].iter().all(u8::is_ascii_uppercase)
}

/// Returns true for the scope of a line of Zig, behind the level: `error(http): x`, but not
/// `error(s): x`.
fn is_scope(rest: &[u8]) -> bool {
    let Some(close) = rest.iter().take(40).position(|b| *b == b')') else {
        return false;
    };
    let name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    close > 2 && rest[1..close].iter().all(name) && rest[close..].starts_with(b"): ")
}

/// Returns true for the component behind a level and a slash.
fn slashed(rest: &[u8], upper: bool) -> bool {
    let len = rest
        .iter()
        .take(40)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        .count();
    len > 0
        && match rest.get(len) {
            Some(b']') => true,
            Some(b':') => rest.get(len + 1).is_none_or(|b| *b == b' '),
            _ => upper && rest.get(len).is_none_or(|b| *b == b' '),
        }
}

/// Returns true if a word of running text is somebody's name, or what is done to an error: `from
/// user error`, `host "error"`, `(error)`, `error ignored`.
fn is_name_of(line: &[u8], start: usize, end: usize, upper: bool) -> bool {
    const BEFORE: [&[u8]; 14] = [
        b"from", b"as", b"user", b"for", b"by", b"named", b"called", b"client", b"host", b"zone", b"realm",
        b"account", b"topic", b"queue",
    ];
    // The nouns that an error belongs to, in the middle of a sentence.
    const AFTER: [&[u8]; 14] = [
        b"ignored",
        b"page",
        b"pages",
        b"rate",
        b"rates",
        b"count",
        b"counts",
        b"counter",
        b"counters",
        b"handler",
        b"log",
        b"recovery",
        b"service",
        b"budget",
    ];
    if upper || start == 0 {
        return false;
    }
    let around = (line[start - 1], line.get(end));
    if around == (b'(', Some(&b')')) {
        return line[..start - 1].iter().any(u8::is_ascii_alphabetic) && line.get(end + 1) != Some(&b':');
    }
    // A value has a colon or an equals sign before it: `'level': 'error'`.
    if let (quote @ (b'"' | b'\''), Some(close)) = around
        && quote == *close
        && let Some(before) = line[..start - 1].strip_suffix(b" ")
    {
        let value = match before.trim_ascii_end() {
            [.., key, b':' | b'='] => key.is_ascii_alphabetic() || matches!(key, b'"' | b'\''),
            _ => false,
        };
        return !value;
    }
    // The user of an access log: `192.0.2.1 - error [28/Nov/2026:`.
    if let [b' ', b'[', b'0'..=b'3', b'0'..=b'9', b'/', ..] = line[end..] {
        return true;
    }
    if AFTER.iter().any(|what| is_followed_by(&line[end..], what)) || is_addressed(&line[end..]) {
        return true;
    }
    let Some(head) = line[..start].strip_suffix(b" ") else {
        return false;
    };
    // `user error: …` is a kind of error all the same.
    line.get(end) != Some(&b':') && BEFORE.iter().any(|name| ends_with_word(head, name))
}

/// Returns true if an address in brackets follows: `downstream error (192.0.2.1:53)`.
fn is_addressed(rest: &[u8]) -> bool {
    let Some(address) = rest.strip_prefix(b" (") else {
        return false;
    };
    let len = address
        .iter()
        .take(50)
        .take_while(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))
        .count();
    address.get(len) == Some(&b')') && address[..len].iter().filter(|b| matches!(b, b'.' | b':')).count() >= 2
}

/// Returns true if a blank and this word follow.
fn is_followed_by(rest: &[u8], word: &[u8]) -> bool {
    let after = rest.strip_prefix(b" ").and_then(|rest| rest.strip_prefix(word));
    after.is_some_and(|after| after.first().is_none_or(|b| !b.is_ascii_alphanumeric()))
}

/// Returns true after a denial: `no error`, `without error`, `0 error`.
fn denied(line: &[u8], start: usize, upper: bool) -> bool {
    let Some(head) = line[..start].strip_suffix(b" ") else {
        return false;
    };
    ends_with_word(head, b"no") || ends_with_word(head, b"without") || !upper && ends_with_word(head, b"0")
}

/// Returns true if the last word of a text is this one, in any case.
fn ends_with_word(text: &[u8], word: &[u8]) -> bool {
    text.split_at_checked(text.len().wrapping_sub(word.len()))
        .is_some_and(|(before, last)| {
            matches!(before.last(), None | Some(b' ')) && last.eq_ignore_ascii_case(word)
        })
}

/// Returns an access log's `] "GET /…`: its status is a number, and a word in its URL or user agent
/// says nothing.
pub(super) fn is_request(line: &[u8], start: usize, word: &[u8]) -> bool {
    start >= 3
        && &line[start - 3..start] == b"] \""
        && matches!(
            word,
            b"GET" | b"POST" | b"PUT" | b"HEAD" | b"DELETE" | b"OPTIONS" | b"PATCH" | b"CONNECT" | b"TRACE"
        )
}

#[cfg(test)]
mod tests {
    use crate::level::{Level, detect};

    #[test]
    fn a_filled_column_is_a_level() {
        for (line, expected) in [
            ("2026-11-28 01:35:33 [critical ] x", Some(Level::Fatal)),
            (
                "2026-11-28 01:35:33 | SUCCESS  | a:b:1 - after an error",
                Some(Level::Info),
            ),
            // The column before a level's.
            ("2026-11-28 01:35:33 | SYSTEM | ERROR | x", Some(Level::Error)),
            ("2026-11-28 01:35:33 [system   ] [ERROR] x", Some(Level::Error)),
            ("2026-11-28 01:35:33 [critical section] x", None),
        ] {
            assert_eq!(detect::level(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn colons_on_both_sides_need_a_time_before_them() {
        for (line, expected) in [
            ("2026-11-28 01:35:33,123::ERROR::[a:1] x", Some(Level::Error)),
            ("std::ERROR::x", None),
            ("2026-11-28 01:35:33,123::Error::x", None),
        ] {
            assert_eq!(detect::level(line.as_bytes()), expected, "{line}");
        }
    }
}
