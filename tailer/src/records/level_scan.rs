//! Where in a buffer a record of the wanted level can be: the quick half of finding the level.
//!
//! The exact half is `logwatch_record::level`, called only for the lines found here. So this may
//! name too many places, and must never pass over a line that `level` would call ERROR or worse.
//! One pass over the buffer looks for all of these:
//!
//! - every word that names such a level, in any case (`err`, `Error`, `FATA`, `crit` …);
//! - the keys whose value may be a number (`"level":50`, `"severity":3`), also inside an escaped
//!   string (a container's log);
//! - a number or a single letter as a JSON value (`"level":"50"`, `"s":"E"`);
//! - at the start of a line, syslog's `<PRI>` and the letters of glog, Ruby, Android and Tornado; a
//!   lone letter after a number.
//!
//! The pass is made by `buckets`, with vector instructions. Of what it marks, most is no such shape
//! after all, which a second look at the bytes around the mark settles here, long before anybody
//! looks for the ends of the line. For WARN the words and letters of a warning join. Below that
//! nearly every line counts, and every line is looked at.

mod buckets;

use logwatch_record::{Level, needles};

/// The longest word that names a level, and one more byte.
const WORD: usize = 14;

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidates {
    /// Below a warning every line is a candidate.
    least: Level,
}

impl Candidates {
    pub fn new(least: Level) -> Candidates {
        Candidates { least }
    }

    /// The first place from `from` – the start of a line – on, in a line that has to be looked at.
    /// Any byte of that line may be named. None: no line that starts in the rest of the window
    /// needs a look, as far as it is there.
    pub fn next(&self, window: &[u8], from: usize) -> Option<usize> {
        let at = match from.checked_sub(1) {
            Some(before) if window[before] == b'\n' && self.least >= Level::Warn => before,
            // Without its newline the shapes that begin with one are not seen.
            _ => return (from < window.len()).then_some(from),
        };
        let warn = self.least == Level::Warn;
        let mark = buckets::find(warn, window, at, |mark| self.confirm(window, mark))?;
        Some(if window[mark] == b'\n' { mark + 1 } else { mark })
    }

    /// Settles by the bytes around a mark whether it is one of the shapes. What ends with the
    /// window before it is whole counts as one.
    fn confirm(self, window: &[u8], mark: usize) -> bool {
        let rest = &window[mark + 1..];
        match window[mark] {
            // stunnel's LOG3.
            b'L' if rest.starts_with(b"OG") => rest.get(2).is_none_or(|digit| self.is_severity(*digit)),
            b'l' | b'L' | b'y' | b'Y' | b'o' | b'O' | b'r' | b'R' => number(rest) && key(&window[..=mark]),
            0x80.. => needles::begins_translated(window, mark, self.least),
            b'<' => {
                let edge = mark.checked_sub(1).is_none_or(|before| is_edge(window[before]));
                let class =
                    |class: &&[u8]| window[mark..].starts_with(class) || class.starts_with(&window[mark..]);
                edge && (rest.first().is_none_or(u8::is_ascii_digit) || needles::CLASSES.iter().any(class))
            }
            b'"' => self.quoted(rest) || self.first_letter(rest) || number(rest) && key(&window[..mark]),
            b'\n' if matches!(rest, [b'{', b'\n' | b'\r', ..] | [b'{'] | []) => true,
            // WebSphere's `  E  `.
            b' ' | b'\t' if matches!(*rest, [b'E' | b'F', b' ' | b'\t', ..] | [b'E' | b'F']) => true,
            b' ' | b'\n' | b'\t' | 0 => self.first_letter(rest),
            // An escaped character, which may be a quote or the `<` of a `<PRI>`; or the quote of
            // an escaped key.
            b'\\' => rest.starts_with(b"u00") || rest.len() < 3 || number(rest) && key(&window[..mark]),
            // Tornado's `[E 261122`, Passenger's `[ E 2026`.
            b'[' => match *rest {
                [b' ', letter, b' ', ..] => self.is_letter(letter),
                [letter, b' ', digit, ..] => self.is_letter(letter) && digit.is_ascii_digit(),
                // Gitea's `[E] `, ESPHome's `[E][`, ONNX Runtime's `[E:o`.
                [letter, b']', b' ' | b'[', ..] | [letter, b':', b'a'..=b'z', ..] => self.is_letter(letter),
                // PyTorch's `[E1128 `.
                [letter, b'0'..=b'9', b'0'..=b'9', ..] => self.is_letter(letter),
                [_, _, _, ..] => false,
                _ => true,
            },
            b'(' => needles::MASKS
                .iter()
                .any(|mask| window[mark..].starts_with(mask) || mask.starts_with(&window[mark..])),
            // Cisco's `%LINK-3-UPDOWN`.
            b'-' => match *rest {
                [digit, b'-', code, ..] => {
                    self.is_severity(digit)
                        && (code.is_ascii_uppercase() || code.is_ascii_digit() || code == b'_')
                }
                [_, _, _, ..] => false,
                _ => true,
            },
            // Samba's `,  0]`.
            b',' => rest.starts_with(b"  0") || rest.len() < 3,
            // TensorFlow's `.123456: E tensorflow`.
            b':' => self.between_blanks(rest) || needles::is_phrase(window, mark),
            // gluster's `] E [`; PyTorch's `[rank0]:E1128 `.
            b']' => {
                self.between_blanks(rest)
                    || matches!(*rest, [b':', letter, b'0'..=b'9', ..] if self.is_letter(letter))
                    || matches!(*rest, [b' ', letter, b' ', ..] if needles::LETTERS.contains(&letter))
            }
            // Android's `5678 E Tag`, MongoDB's `+0000 E STORAGE`, Redis' `.123 # `, Telegraf's `Z
            // E! `.
            // Ceph's `0 -1 `.
            b'0' if rest.starts_with(b" -1 ") || rest.len() < 4 => true,
            b'0'..=b'9' | b'Z' | b'z' => match *rest {
                [b' ', letter, b'!', ..] => self.is_letter(letter),
                [b' ', letter, b' ', ..] => self.is_letter(letter) || letter == b'#',
                [_, _, _, ..] => false,
                _ => true,
            },
            letter if letter.is_ascii_alphabetic() => {
                begins_text(&window[mark..])
                    && (self.word(&window[mark..]) || needles::is_phrase(window, mark))
            }
            _ => false,
        }
    }

    /// A letter alone.
    fn between_blanks(self, text: &[u8]) -> bool {
        match *text {
            [b' ', letter, b' ', ..] => self.is_letter(letter),
            [_, _, _, ..] => false,
            _ => true,
        }
    }

    /// A word that names a level, whole: `error`, but not `errors`. What stands before it is not
    /// looked at: in an escaped text it may be the end of an escape, as in `\tERROR`.
    fn word(self, text: &[u8]) -> bool {
        let text = &text[..text.len().min(WORD)];
        match text
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
        {
            Some(end) => needles::word(&text[..end], text.get(end)).is_some_and(|level| level >= self.least),
            None => text.len() < WORD,
        }
    }

    /// A quote is followed by `50"` or `E"`, perhaps escaped.
    fn quoted(self, value: &[u8]) -> bool {
        let ends = |at: usize| value.get(at).is_none_or(|byte| matches!(byte, b'"' | b'\\'));
        match value.first() {
            Some(b'0'..=b'9') => ends(1) || ends(2) && value[1].is_ascii_digit(),
            Some(letter) => self.is_letter(letter.to_ascii_uppercase()) && ends(1),
            None => true,
        }
    }

    /// The first letter of a line of glog (`E0102`), Ruby (`E, [`), Android (`E/Tag(`) or
    /// ESP-IDF (`E (12`).
    fn first_letter(self, text: &[u8]) -> bool {
        match *text {
            [letter, b',' | b'/', ..] => self.is_letter(letter),
            // cups, CometBFT.
            [letter, b'[', b'0'..=b'9' | b'A'..=b'Z' | b'@', ..]
            | [letter, b' ' | b'\t', b'[' | b'(' | b' ' | b'\t', ..] => {
                needles::LETTERS.contains(&letter) || self.is_letter(letter)
            }
            [_, b' ' | b'\t' | b'['] => true,
            [letter, b'0'..=b'9', ..] => {
                self.is_letter(letter) && text.iter().skip(1).take(4).all(u8::is_ascii_digit)
            }
            [_, _, ..] => false,
            _ => true,
        }
    }

    /// A severity of syslog, as a digit.
    fn is_severity(self, digit: u8) -> bool {
        matches!(digit, b'0'..=b'3') || digit == b'4' && self.least == Level::Warn
    }

    fn is_letter(self, letter: u8) -> bool {
        matches!(letter, b'E' | b'F' | b'C' | b'A') || letter == b'W' && self.least == Level::Warn
    }
}

/// Tells quickly from the other marks where a word that names a level, or a phrase, may begin.
fn begins_text(text: &[u8]) -> bool {
    text.first_chunk::<4>().is_none_or(|start| {
        matches!(
            &start.map(|byte| byte | 0x20),
            [b'e', b'r', b'r', _]
                | [b'f', b't', b'l', _]
                | [b'w', b'r', b'n', _]
                | [b'c', b'r', b't', _]
                | b"fail"
                | b"fata"
                | b"fatl"
                | b"crit"
                | b"aler"
                | b"eror"
                | b"emer"
                | b"seve"
                | b"pani"
                | b"warn"
                | b"fehl"
                | b"fel:"
                | b"hata"
                | b"kata"
                | b"grav"
                | b"schw"
                | b"allv"
                | b"exce"
                | b"ceba"
                | b"e-du"
                | b"dump"
                | b"bug:"
                | b"t==="
        )
    })
}

/// Lists the bytes that can precede a line: a newline, a container's prefix, a hole.
fn is_edge(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\t' | b' ' | b'"' | 0)
}

/// True when the text ends with a key whose number may be a level.
fn key(text: &[u8]) -> bool {
    const KEYS: [&[u8]; 7] = [
        b"level",
        b"lvl",
        b"severity",
        b"priority",
        b"levelno",
        b"severitynumber",
        b"severity_number",
    ];
    KEYS.iter().any(|key| {
        text.len()
            .checked_sub(key.len())
            .is_some_and(|start| text[start..].eq_ignore_ascii_case(key))
    })
}

/// True when after a key – and its quote, perhaps escaped – a colon and a digit follow.
fn number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\\").unwrap_or(text);
    let text = text.strip_prefix(b"\"").unwrap_or(text).trim_ascii_start();
    match text.split_first() {
        Some((b':', value)) => value.trim_ascii_start().first().is_none_or(u8::is_ascii_digit),
        Some(_) => false,
        None => true,
    }
}

#[cfg(test)]
mod tests;
