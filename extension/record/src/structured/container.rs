//! The wrappers that containers put around each line: Docker's json-file driver, the CRI format of
//! Kubernetes, the container's name of docker compose, and the rank of a process of PyTorch. What
//! counts is the line inside; the wrapper lends its time when that line has none.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;
use serde::Deserialize;

use crate::bytes::{self, NAME};

/// A line in the CRI format: `2026-11-22T10:00:00.123456789Z stderr F message`.
pub(crate) struct Cri<'a> {
    pub(crate) time: &'a [u8],
    pub(crate) body: &'a [u8],
    /// The line goes on in the next one (tag `P`).
    pub(crate) partial: bool,
}

/// Returns the parts of a line in the CRI format.
pub(crate) fn cri(line: &[u8]) -> Option<Cri<'_>> {
    // The shortest such time is 2026-11-22T10:00:00Z.
    if line.get(10) != Some(&b'T') || !line[0].is_ascii_digit() {
        return None;
    }
    let blank = line.get(20..)?.iter().take(17).position(|b| *b == b' ')? + 20;
    let rest = &line[blank + 1..];
    let rest = rest
        .strip_prefix(b"stderr ")
        .or_else(|| rest.strip_prefix(b"stdout "))?;
    let (partial, body) = match rest {
        [tag @ (b'F' | b'P')] => (*tag == b'P', &rest[1..]),
        [tag @ (b'F' | b'P'), b' ', ..] => (*tag == b'P', &rest[2..]),
        _ => return None,
    };
    Some(Cri {
        time: &line[..blank],
        body,
        partial,
    })
}

/// Returns the text of a line that CRI, docker compose or PyTorch has wrapped. Most lines are told
/// by their first byte.
#[inline]
pub(crate) fn line_inside(line: &[u8]) -> Option<&[u8]> {
    match line.first()? {
        b'0'..=b'9' => cri(line).map(|cri| cri.body),
        b'a'..=b'z' | b'[' => named(line).map(|(_, len)| &line[len..]),
        _ => None,
    }
}

/// Returns the name of the container or process that a line begins with, and the length of all
/// that stands before its text.
fn named(line: &[u8]) -> Option<(Range<usize>, usize)> {
    match line.first()? {
        b'[' => rank(line),
        _ => compose(line).map(|(name, len)| (0..name, len)),
    }
}

/// The same of PyTorch's `[rank0]: `, which its own log lines follow without a blank.
fn rank(line: &[u8]) -> Option<(Range<usize>, usize)> {
    const START: &[u8] = b"[rank";
    let number = line.strip_prefix(START)?;
    let digits = number.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    let text = number[digits..].strip_prefix(b"]:").filter(|_| digits > 0)?;
    let blank = match text {
        [b' ', ..] => 1,
        [b'[', ..] | [b'A'..=b'Z', b'0'..=b'9', ..] | [] => 0,
        _ => return None,
    };
    let name = START.len()..START.len() + digits;
    Some((name, line.len() - text.len() + blank))
}

/// Returns the length of the container's name that docker compose puts before a line, and the
/// length with its bar: `web-1  | `, `shop_db_1 | `.
pub(crate) fn compose(line: &[u8]) -> Option<(usize, usize)> {
    if !line.first()?.is_ascii_lowercase() {
        return None;
    }
    let name = bytes::run(NAME, &line[..line.len().min(80)]);
    // Most words are told by what follows them.
    if line.get(name) != Some(&b' ') {
        return None;
    }
    let digits = line[..name]
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let blanks = line[name..].iter().take(64).take_while(|b| **b == b' ').count();
    let counted = digits > 0 && matches!(line[..name - digits].last(), Some(b'-' | b'_'));
    let rest = &line[name + blanks..];
    // An empty line may have lost its last blank.
    let bar = if rest == b"|" { 1 } else { 2 };
    (counted && (bar == 1 || rest.starts_with(b"| "))).then_some((name, name + blanks + bar))
}

/// Docker's json-file:
/// `{"log":"message\n","stream":"stderr","time":"2026-11-22T10:00:00.123456789Z"}`.
#[derive(Deserialize)]
struct Docker<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    #[allow(dead_code, reason = "its presence is what tells Docker's objects from others")]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
}

/// The text inside a record's wrappers.
#[derive(Default)]
pub(crate) struct Unwrapped {
    pub(crate) text: String,
    /// The time of the first wrapper.
    pub(crate) time: Option<String>,
    /// The container's or the process' name, if the wrapper has one, and the field for it.
    pub(crate) name: Option<(&'static str, String)>,
}

/// Returns the text inside a record's wrappers. None when its first line is not wrapped.
pub(crate) fn unwrap(text: &str) -> Option<Unwrapped> {
    // Most lines are told by a byte.
    if !text.starts_with('{') && text.as_bytes().get(10) != Some(&b'T') {
        return without_name(text);
    }
    let mut inner = String::new();
    let mut time = None;
    for (number, line) in text.split('\n').enumerate() {
        let ends;
        if let Some(cri) = cri(line.as_bytes()) {
            // Both parts end at ASCII bytes.
            inner.push_str(
                std::str::from_utf8(cri.body)
                    .unwrap_or_default()
                    .trim_end_matches('\r'),
            );
            ends = !cri.partial;
            if number == 0 {
                time = std::str::from_utf8(cri.time).ok().map(str::to_owned);
            }
        } else if let Some(docker) = docker(line) {
            inner.push_str(docker.log.trim_end_matches(['\r', '\n']));
            ends = docker.log.ends_with('\n');
            if number == 0 {
                time = docker.time.map(Cow::into_owned);
            }
        } else if number == 0 {
            return None;
        } else {
            inner.push_str(line);
            ends = true;
        }
        if ends {
            inner.push('\n');
        }
    }
    Some(Unwrapped {
        text: inner,
        time,
        name: None,
    })
}

fn without_name(text: &str) -> Option<Unwrapped> {
    let (name, _) = named(text.as_bytes())?;
    let lines = text.split('\n').map(|line| match named(line.as_bytes()) {
        // The bar and the colon end at an ASCII byte.
        Some((_, len)) => &line[len..],
        None => line,
    });
    let field = if text.starts_with('[') {
        "rank"
    } else {
        "container"
    };
    Some(Unwrapped {
        text: lines.collect::<Vec<_>>().join("\n"),
        time: None,
        name: Some((field, text[name].to_owned())),
    })
}

fn docker(line: &str) -> Option<Docker<'_>> {
    static PARTS: LazyLock<[Finder; 2]> = LazyLock::new(|| ["\"log\":\"", "\"stream\":\""].map(Finder::new));
    if !line.starts_with('{') || PARTS.iter().any(|part| part.find(line.as_bytes()).is_none()) {
        return None;
    }
    serde_json::from_str(line).ok()
}

/// Returns the stream of a wrapped line, and whether the next line of that stream goes on with it.
/// Docker cuts a line at 16 KiB and leaves out the newline of each piece but the last.
pub(crate) fn piece(line: &[u8]) -> Option<(&[u8], bool)> {
    if let Some(cri) = cri(line) {
        let stream = &line[cri.time.len() + 1..];
        return Some((&stream[..6], cri.partial));
    }
    line.strip_prefix(b"{\"log\":\"")?;
    let stream = memchr::memmem::rfind(line, b"\"stream\":\"std")?;
    let partial = !line[..stream].ends_with(b"\\n\",");
    Some((line.get(stream + 10..stream + 16)?, partial))
}

/// Returns the start of a wrapped line's text, which tells whether it continues a record. None when
/// it is not wrapped.
#[inline]
pub(crate) fn inner_start<'b>(line: &'b [u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    if line.first() != Some(&b'{') {
        return line_inside(line);
    }
    let raw = line.strip_prefix(b"{\"log\":\"")?;
    let start = super::json_level::unescape(raw, buffer);
    Some(&start[..memchr(b'\n', start).unwrap_or(start.len())])
}
