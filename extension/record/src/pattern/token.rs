//! Tells the tokens that are variable as a whole: a number, an address, a path.

/// Returns true for the random part of a pod's name: `x2x4z` at its end, `7d9f8b6c5f` before that.
/// Kubernetes draws them from an alphabet without vowels, so that they are never words.
pub(super) fn is_pod_part(bytes: &[u8], at: usize, len: usize) -> bool {
    let random = |b: &u8| matches!(b, b'b'..=b'd' | b'f'..=b'h' | b'j'..=b'n' | b'p'..=b't' | b'v'..=b'x' | b'z' | b'2' | b'4'..=b'9');
    let is_random = |part: &[u8]| part.iter().all(random);
    let part = &bytes[at..at + len];
    let rest = &bytes[at + len..];
    if at == 0 || bytes[at - 1] != b'-' {
        return false;
    }
    match len {
        5 => !rest.starts_with(b"-") && is_random(part) && part != b"https",
        8..=10 if is_random(part) => {
            let next = rest.strip_prefix(b"-").unwrap_or_default();
            let next_len = next.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            next_len == 5 && is_random(&next[..5])
        }
        _ => false,
    }
}

/// Returns true for a host by its shape, whatever its domain: three names or more in small letters,
/// the first with a number or a hyphen.
fn is_host_of_any_domain(text: &str) -> bool {
    let mut labels = text.split('.');
    let first = labels.next().unwrap_or_default();
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_lowercase())
        && first.bytes().any(|b| b.is_ascii_digit() || b == b'-')
        && last.len() >= 2
        && last.bytes().all(|b| b.is_ascii_lowercase())
        && is_label(first)
        && labels.clone().count() >= 2
        && labels.all(is_label)
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Returns a token that is variable as a whole.
pub(super) fn is_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes
        .iter()
        .all(|b| b.is_ascii_alphabetic() || *b == b'_' || *b == b'-')
    {
        return false;
    }
    is_number(bytes)
        || text.contains("://")
        || is_path(bytes)
        || is_email(text)
        || is_host(text)
        || is_ipv6(bytes)
        || is_uuid(bytes)
}

/// It starts with a digit, after a sign perhaps: `12`, `-3.5`, `12ms`, `10:00:00.123`,
/// `10.0.0.1:80`, `2026-11-22`, `0x7f`.
fn is_number(bytes: &[u8]) -> bool {
    let digits = match bytes {
        [b'-' | b'+' | b'#' | b'.', rest @ ..] => rest,
        all => all,
    };
    let Some(b'0'..=b'9') = digits.first() else {
        return false;
    };
    // `2nd_stage/of:something` is a name; its digits are masked one by one.
    let letters = digits.iter().filter(|b| b.is_ascii_alphabetic()).count();
    letters <= 4 || digits.starts_with(b"0x") || digits.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
}

/// Returns true for `/var/log/x`, `~/x`, `./x`, `C:\x`, `a/b/c`. One slash between
/// words (`read/write`) is none.
fn is_path(bytes: &[u8]) -> bool {
    let slashes = bytes.iter().filter(|b| matches!(b, b'/' | b'\\')).count();
    match bytes {
        [b'/', first, ..] if first.is_ascii_alphanumeric() || matches!(first, b'.' | b'_') => true,
        [b'~' | b'.', b'/', ..] | [b'.', b'.', b'/', ..] => true,
        [b'A'..=b'Z' | b'a'..=b'z', b':', b'\\', ..] => true,
        [b'\\', b'\\', ..] => true,
        _ => slashes >= 2 && bytes[0].is_ascii_alphanumeric(),
    }
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.contains('.')
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    })
}

/// Returns a dotted name that ends like a host's: `db01.example.com`, `x.internal`. A Java package
/// starts with such a word instead.
pub(super) fn is_host(text: &str) -> bool {
    const ENDS: [&str; 30] = [
        "com",
        "net",
        "org",
        "edu",
        "gov",
        "mil",
        "int",
        "io",
        "info",
        "dev",
        "app",
        "cloud",
        "de",
        "uk",
        "fr",
        "nl",
        "eu",
        "us",
        "ch",
        "at",
        "jp",
        "cn",
        "ru",
        "local",
        "localdomain",
        "internal",
        "lan",
        "corp",
        "svc",
        "arpa",
    ];
    let Some((head, last)) = text.rsplit_once('.') else {
        return false;
    };
    let first = head.split('.').next().unwrap_or_default();
    if is_host_of_any_domain(text) {
        return true;
    }
    ENDS.contains(&last)
        && !matches!(first, "com" | "org" | "net" | "io" | "java" | "javax")
        && head.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

fn is_ipv6(bytes: &[u8]) -> bool {
    let colons = bytes.iter().filter(|b| **b == b':').count();
    let first = bytes.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    colons >= 2
        && first <= 4
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes
            .iter()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'%' | b'/'))
}

/// 8-4-4-4-12 hex digits.
fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, b)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}
