//! The pattern of a message: the message with its variable parts masked, and the hash that stands
//! for it.
//!
//! Masking has no state and no order: the same message gives the same template on every host and in
//! every year. One pass, no regex: it runs for each stored record. Any change of what it gives
//! needs a new [`VERSION`].

mod quotes;
mod token;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::Level;
use crate::bytes::{self, LETTER, TOKEN, TOKEN_OR_COLON};
use quotes::{cause_len, curly, quoted};
use token::{is_digits, is_host, is_whole};

/// The version of the masking. It is part of every fingerprint, so that a changed masking never
/// mixes with stored patterns.
pub const VERSION: u8 = 2;

/// The most bytes of a template.
const MAX_TEMPLATE: usize = 512;
/// Stands for a variable part.
const MASK: &str = "<*>";
/// A longer message differs before this point or not at all.
const MAX_READ: usize = 4096;

/// Returns the hash of a pattern, as stored in `patterns.fingerprint`: XXH3 over version, level and
/// template.
pub fn fingerprint(level: Level, template: &str) -> i64 {
    fingerprint_of(VERSION, level, template)
}

/// Returns true for a fingerprint that an earlier version of the masking gave this pattern: an
/// upgrade carries such a pattern over, so that it is not announced as new.
pub fn is_earlier(fingerprint: i64, level: Level, template: &str) -> bool {
    (1..VERSION).any(|version| fingerprint_of(version, level, template) == fingerprint)
}

#[inline]
fn fingerprint_of(version: u8, level: Level, template: &str) -> i64 {
    let seed = u64::from(version) << 8 | level as u64;
    xxh3_64_with_seed(template.as_bytes(), seed).cast_signed()
}

/// Returns the message with its variable parts (quoted texts, UUIDs, URLs, e-mail addresses, paths,
/// hosts, IP addresses, hex and other numbers) as `<*>`; at most 512 bytes.
pub fn template(message: &str) -> String {
    let message = message.trim();
    let message = &message[..message.floor_char_boundary(MAX_READ)];
    let bytes = message.as_bytes();
    let mut out = String::with_capacity(message.len().min(MAX_TEMPLATE));
    let mut at = code_len(bytes);
    out.push_str(&message[..at]);
    while at < bytes.len() && out.len() < MAX_TEMPLATE {
        at += part(message, at, &mut out);
    }
    // A mask that the limit would cut in two is left out.
    if out.len() > MAX_TEMPLATE {
        let end = (MAX_TEMPLATE - 2..=MAX_TEMPLATE)
            .find(|end| out.as_bytes().get(end - 1) == Some(&b'<') && out[end - 1..].starts_with(MASK))
            .map_or(MAX_TEMPLATE, |end| end - 1);
        out.truncate(out.floor_char_boundary(end));
    }
    out.truncate(out.trim_end().len());
    out
}

/// Adds the part of a message that begins at `at`, and returns its length.
fn part(message: &str, at: usize, out: &mut String) -> usize {
    let bytes = &message.as_bytes()[at..];
    let kept = match bytes[0] {
        // A constraint or an SQLSTATE tells errors apart.
        b'"' | b'\'' | b'`' | b'0'..=b'9' | b'A'..=b'Z' if let Some(len) = cause_len(bytes, out) => len,
        b'A'..=b'Z' | b'a'..=b'z' if let Some(len) = plain_words(bytes) => len,
        // The quotes stay: `key "<*>" exists` reads better than `key <*> exists`.
        b'"' | b'\'' | b'`' if let Some(len) = quoted(message.as_bytes(), at) => {
            out.push_str(&message[at..at + 1]);
            out.push_str(MASK);
            out.push_str(&message[at..at + 1]);
            return len;
        }
        0x80.. if let Some((open, len, close)) = curly(bytes) => {
            out.push_str(&message[at..at + open]);
            out.push_str(MASK);
            out.push_str(&message[at + len - close..at + len]);
            return len;
        }
        b'<' if bytes.starts_with(MASK.as_bytes()) => {
            mask(out);
            return MASK.len();
        }
        byte if byte.is_ascii_whitespace() => {
            if !out.ends_with(' ') {
                out.push(' ');
            }
            return 1;
        }
        byte if starts_token(byte) => {
            let len = token_len(bytes);
            mask_token(&message[at..at + len], out);
            return len;
        }
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    };
    out.push_str(&message[at..at + kept]);
    kept
}

/// Returns the length of an error code at the start, which tells what the message is about:
/// `ORA-00942: …`, `AH00124: …`, `E11000 …`.
fn code_len(bytes: &[u8]) -> usize {
    let letters = bytes
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    let dash = usize::from(bytes.get(letters) == Some(&b'-'));
    let start = letters + dash;
    let digits = bytes[start..]
        .iter()
        .take(7)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let end = start + digits;
    let fits = (1..=5).contains(&letters) && (3..=6).contains(&digits) && bytes.get(end) == Some(&b':');
    if fits { end } else { 0 }
}

fn starts_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'/' | b'-' | b'+' | b'_' | b'.' | b'~' | b'\\' | b'@' | b':' | b'#'
        )
}

/// Returns the length of the token at the start: up to a blank, a quote, a bracket or another
/// separator.
fn token_len(bytes: &[u8]) -> usize {
    let mut len = bytes::run(TOKEN, bytes);
    // A URL keeps its query, a number its thousands' commas.
    if bytes[len..].starts_with(b"://") {
        let stop = |b: &u8| {
            b.is_ascii_whitespace()
                || matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>' | b')' | b']' | b'}' | b'|')
        };
        return bytes.iter().position(stop).unwrap_or(bytes.len());
    }
    len += bytes::run(TOKEN_OR_COLON, &bytes[len..]);
    if bytes.get(len) == Some(&b',') && bytes[..len].iter().all(u8::is_ascii_digit) {
        while bytes.get(len) == Some(&b',')
            && bytes
                .get(len + 1..len + 4)
                .is_some_and(|three| three.iter().all(u8::is_ascii_digit))
            && !bytes.get(len + 4).is_some_and(u8::is_ascii_alphanumeric)
        {
            len += 4;
        }
    }
    len
}

/// Returns the length of the words of letters at the start, each with the blank behind it: most of
/// a message is made of them. None for anything else.
fn plain_words(bytes: &[u8]) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(MAX_TEMPLATE)];
    let mut end = 0;
    loop {
        let len = bytes::run(LETTER, &bytes[end..]);
        match bytes.get(end + len..end + len + 2) {
            Some([b' ', next]) if len > 0 && *next != b' ' => end += len + 1,
            _ => return (end > 0).then_some(end),
        }
    }
}

/// Adds a mask, one for a run of them.
fn mask(out: &mut String) {
    if !out.ends_with(MASK) {
        out.push_str(MASK);
    }
}

/// Adds a token, masked as what it is.
fn mask_token(text: &str, out: &mut String) {
    if bytes::run(LETTER, text.as_bytes()) == text.len() {
        out.push_str(text);
        return;
    }
    // The punctuation of the sentence is not the token's.
    let bare = text.trim_end_matches(['.', ':', '!', '?', ',', ';']);
    let tail = &text[bare.len()..];
    if bare.is_empty() {
        out.push_str(text);
        return;
    }
    if is_whole(bare) {
        mask(out);
    } else if let Some((head, port)) = bare.rsplit_once(':').filter(|(_, port)| is_digits(port)) {
        // `db01.example.com:5432`, `Foo.java:12`.
        if is_host(head) || head.contains('.') && head.bytes().any(|b| b.is_ascii_digit()) {
            mask(out);
        } else {
            words(head, out);
            out.push(':');
            words(port, out);
        }
    } else {
        words(bare, out);
    }
    out.push_str(tail);
}

/// Adds a name, with the numbers and the random parts in it masked: `blk_-123` and
/// `blk_123` give `blk_<*>`.
fn words(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() {
            // A sign belongs to the number after it, unless it joins two words.
            let signs = matches!(bytes[at], b'-' | b'+')
                && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
            if !signs {
                out.push(bytes[at] as char);
            }
            at += 1;
            continue;
        }
        let len = bytes[at..]
            .iter()
            .position(|b| !b.is_ascii_alphanumeric())
            .unwrap_or(bytes.len() - at);
        if token::is_pod_part(bytes, at, len) {
            mask(out);
        } else {
            word(&text[at..at + len], out);
        }
        at += len;
    }
}

/// Adds a run of letters and digits.
fn word(text: &str, out: &mut String) {
    let bytes = text.as_bytes();
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        out.push_str(text);
        return;
    }
    let groups = bytes
        .windows(2)
        .filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit())
        .count();
    let hex = bytes.len() >= 8 && bytes.iter().all(u8::is_ascii_hexdigit);
    // `x7Kp9q2Z` is random; `node12` and `utf8` are a name and a number.
    if hex || groups >= 3 || digits == bytes.len() {
        mask(out);
        return;
    }
    let mut masked = false;
    for b in bytes {
        if !b.is_ascii_digit() {
            out.push(*b as char);
        } else if !masked {
            mask(out);
        }
        masked = b.is_ascii_digit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(&str, &str)]) {
        for (message, expected) in cases {
            assert_eq!(template(message), *expected, "{message}");
            assert_eq!(template(expected), *expected, "a template is its own template");
        }
    }

    #[test]
    fn numbers_with_signs_units_and_separators() {
        check(&[
            (
                "Receiving block blk_-1608999687919862906 of size 67108864",
                "Receiving block blk_<*> of size <*>",
            ),
            (
                "Receiving block blk_1608999687919862906 of size 91178",
                "Receiving block blk_<*> of size <*>",
            ),
            (
                "took 12ms, 1.5GB left, -3 retries, 1,234 rows",
                "took <*>, <*> left, <*> retries, <*> rows",
            ),
            ("at 10:00:00.123 on 2026-11-22", "at <*> on <*>"),
            (
                "attempt_1445087491445_0005_m_000000_0 failed",
                "attempt_<*>_<*>_m_<*>_<*> failed",
            ),
            ("exit code 1.", "exit code <*>."),
            ("pid=12 code=0x7fff12 n=+4", "pid=<*> code=<*> n=<*>"),
        ]);
    }

    #[test]
    fn hosts_addresses_paths_and_urls() {
        check(&[
            ("connect to 10.0.0.1:5432 failed", "connect to <*> failed"),
            (
                "connect to [2001:db8::1]:5432 failed",
                "connect to [<*>]:<*> failed",
            ),
            ("no route to db01.example.com:5432", "no route to <*>"),
            (
                "cannot open /var/log/app/x.log: denied",
                "cannot open <*>: denied",
            ),
            (r"cannot open C:\temp\x.txt", "cannot open <*>"),
            ("GET https://example.com/a?b=c,d&e=1 failed", "GET <*> failed"),
            ("mail to bob@example.com bounced", "mail to <*> bounced"),
            (
                "read/write error in com.example.Foo",
                "read/write error in com.example.Foo",
            ),
        ]);
    }

    #[test]
    fn quotes_uuids_and_hex() {
        check(&[
            (
                r#"duplicate key "users_pkey" in 'a b'"#,
                r#"duplicate key "<*>" in '<*>'"#,
            ),
            ("don't stop, it's bob's", "don't stop, it's bob's"),
            (
                "request 123e4567-e89b-12d3-a456-426614174000 failed",
                "request <*> failed",
            ),
            ("commit deadbeef12 by x7Kp9q2Z", "commit <*> by <*>"),
            ("pod web-7d9f8b6c5f-x2x4z died", "pod web-<*>-<*> died"),
            ("pod shop-web-bcdfghjklm-xkqjz died", "pod shop-web-<*>-<*> died"),
            ("pod fluentd-zkwpq died", "pod fluentd-<*> died"),
            (
                "cannot reach web-https and my-nginx",
                "cannot reach web-https and my-nginx",
            ),
            ("Relation »orders« fehlt", "Relation »<*>« fehlt"),
            ("user “bob” is unknown", "user “<*>” is unknown"),
            ("encoding utf8 on node12", "encoding utf<*> on node<*>"),
        ]);
    }

    #[test]
    fn what_tells_errors_apart_stays() {
        check(&[
            (
                r#"duplicate key value violates unique constraint "users_pkey""#,
                r#"duplicate key value violates unique constraint "users_pkey""#,
            ),
            (
                "failed (SQLSTATE 23505) for 42",
                "failed (SQLSTATE 23505) for <*>",
            ),
            ("SQLSTATE[HY000] [2002] refused", "SQLSTATE[HY000] [<*>] refused"),
            ("bind failed errno=98", "bind failed errno=98"),
        ]);
    }

    #[test]
    fn hosts_below_any_domain_are_one() {
        check(&[
            ("cannot reach db-1.prod.acme.shop today", "cannot reach <*> today"),
            (
                "cannot reach node7.eu.acme.example:9200 today",
                "cannot reach <*> today",
            ),
            (
                "error in com.example.shop.Order2",
                "error in com.example.shop.Order<*>",
            ),
            ("no module app.views.orders", "no module app.views.orders"),
        ]);
    }

    #[test]
    fn five_hundred_pods_with_one_message_are_one_pattern() {
        let alphabet = b"bcdfghjklmnpqrstvwxz2456789";
        let name = |seed: usize, len: usize| -> String {
            (0..len)
                .map(|at| char::from(alphabet[(seed * 31 + at * 17 + seed / 27 * 7) % alphabet.len()]))
                .collect()
        };
        let templates: std::collections::BTreeSet<String> = (0..500)
            .map(|pod| {
                template(&format!(
                    "pod shop-{}-{} cannot pay",
                    name(pod, 9),
                    name(pod + 3, 5)
                ))
            })
            .collect();
        assert_eq!(
            templates.into_iter().collect::<Vec<_>>(),
            ["pod shop-<*>-<*> cannot pay"]
        );
    }

    #[test]
    fn an_error_code_at_the_start_stays() {
        check(&[
            (
                "ORA-00942: table or view does not exist",
                "ORA-00942: table or view does not exist",
            ),
            (
                "AH00124: Request exceeded the limit of 10",
                "AH00124: Request exceeded the limit of <*>",
            ),
        ]);
    }

    #[test]
    fn a_template_is_at_most_512_bytes_and_never_ends_in_half_a_mask() {
        for prefix in 500..520 {
            let template = template(&format!(
                "{} 12 é 34 end",
                "x ".repeat(prefix / 2) + &"y".repeat(prefix % 2)
            ));
            assert!(template.len() <= MAX_TEMPLATE);
            assert!(
                !template.ends_with('<') && !template.ends_with("<*"),
                "{template}"
            );
        }
    }

    #[test]
    fn fingerprints_are_those_of_stored_patterns() {
        // Stored in every installation: a change needs a new VERSION.
        assert_eq!(
            fingerprint(Level::Error, "connect to <*> failed"),
            -816_773_520_666_188_278
        );
        assert_ne!(fingerprint(Level::Error, "x"), fingerprint(Level::Fatal, "x"));
    }

    #[test]
    fn the_fingerprint_of_an_earlier_version_is_recognised() {
        let template = "connect to <*> failed";
        let earlier = fingerprint_of(1, Level::Error, template);
        assert!(is_earlier(earlier, Level::Error, template));
        assert!(!is_earlier(earlier, Level::Fatal, template));
        assert!(!is_earlier(
            fingerprint(Level::Error, template),
            Level::Error,
            template
        ));
    }
}
