//! Where in a buffer a record of the wanted level can be: the quick half of finding the level.
//!
//! The exact half is `logwatch_record::level`, called only for the lines found here. So this may name too many places, and must
//! never pass over a line that `level` would call ERROR or worse. What is looked for, all in one pass over the buffer:
//!
//! - every word that names such a level, in any case (`err`, `Error`, `FATA`, `crit` …);
//! - the keys whose value may be a number (`"level":50`, `"severity":3`), also inside an escaped string (a container's log);
//! - a number or a single letter as a JSON value (`"level":"50"`, `"s":"E"`);
//! - at the start of a line, syslog's `<PRI>` and the letters of glog, Ruby, Android and Tornado; a lone letter after a number.
//!
//! The pass is made by `buckets`, with vector instructions. Of what it marks, most is no such shape
//! after all, which a second look at the bytes around the mark settles here, long before anybody looks for the ends of the line.
//! For WARN the words and letters of a warning join. Below that nearly every line counts, and every line is looked at.

mod buckets;

use logwatch_record::{Level, needles};

/// The longest word that names a level, and one more byte.
const WORD: usize = 14;

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidates {
    /// None: every line is a candidate.
    shapes: Option<Shapes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Shapes {
    least: Level,
}

impl Candidates {
    pub fn new(least: Level) -> Candidates {
        Candidates {
            shapes: (least >= Level::Warn).then_some(Shapes { least }),
        }
    }

    /// The first place from `from` – the start of a line – on, in a line that has to be looked at. Any byte of that line may be
    /// named. None: no line that starts in the rest of the window needs a look, as far as it is there.
    pub fn next(&self, window: &[u8], from: usize) -> Option<usize> {
        let Some(shapes) = self.shapes else {
            return (from < window.len()).then_some(from);
        };
        let at = match from.checked_sub(1) {
            Some(before) if window[before] == b'\n' => before,
            // Without its newline the shapes that begin with one are not seen.
            _ => return (from < window.len()).then_some(from),
        };
        let warn = shapes.least == Level::Warn;
        let mark = buckets::find(warn, window, at, |mark| shapes.confirm(window, mark))?;
        Some(if window[mark] == b'\n' { mark + 1 } else { mark })
    }
}

impl Shapes {
    /// Settles by the bytes around a mark whether it is one of the shapes. What ends with the window before it is whole counts as one.
    fn confirm(self, window: &[u8], mark: usize) -> bool {
        let rest = &window[mark + 1..];
        match window[mark] {
            b'e' | b'E' | b'f' | b'F' | b'c' | b'C' | b'a' | b'A' | b's' | b'S' | b'p' | b'P' | b'w'
            | b'W' => {
                self.word(&window[mark..])
                    || begins_phrase(&window[mark..]) && needles::is_phrase(window, mark)
            }
            b'l' | b'L' | b'y' | b'Y' | b'o' | b'O' | b'r' | b'R' => number(rest) && key(&window[..=mark]),
            b'<' => {
                let edge = mark.checked_sub(1).is_none_or(|before| is_edge(window[before]));
                edge && rest.first().is_none_or(u8::is_ascii_digit)
            }
            b'"' => self.quoted(rest) || self.first_letter(rest) || number(rest) && key(&window[..mark]),
            b' ' | b'\n' | b'\t' | 0 => self.first_letter(rest),
            // An escaped character, which may be a quote or the `<` of a `<PRI>`; or the quote of an escaped key.
            b'\\' => rest.starts_with(b"u00") || rest.len() < 3 || number(rest) && key(&window[..mark]),
            // Tornado's `[E 261122`.
            b'[' => match *rest {
                [letter, b' ', digit, ..] => self.is_letter(letter) && digit.is_ascii_digit(),
                [_, _, _, ..] => false,
                _ => true,
            },
            b'(' => needles::MASKS
                .iter()
                .any(|mask| window[mark..].starts_with(mask) || mask.starts_with(&window[mark..])),
            // Samba's `,  0]`.
            b',' => rest.starts_with(b"  0") || rest.len() < 3,
            b':' => needles::is_phrase(window, mark),
            // gluster's `] E [`.
            b']' => match *rest {
                [b' ', letter, b' ', ..] => self.is_letter(letter) || needles::LETTERS.contains(&letter),
                [_, _, _, ..] => false,
                _ => true,
            },
            // Android's `5678 E Tag`, MongoDB's `+0000 E STORAGE`, Redis' `.123 # `.
            b'0'..=b'9' | b'Z' | b'z' => match *rest {
                [b' ', letter, b' ', ..] => self.is_letter(letter) || letter == b'#',
                [_, _, _, ..] => false,
                _ => true,
            },
            _ => false,
        }
    }

    /// A word that names a level, whole: `error`, but not `errors`. What stands before it is not looked at: in an escaped text it
    /// may be the end of an escape, as in `\tERROR`.
    fn word(self, text: &[u8]) -> bool {
        if let Some(start) = text.first_chunk::<4>()
            && !begins_word(*start)
        {
            return false;
        }
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

    /// The first letter of a line of glog (`E0102`), Ruby (`E, [`) or Android (`E/Tag(`).
    fn first_letter(self, text: &[u8]) -> bool {
        match *text {
            [letter, b',' | b'/', ..] => self.is_letter(letter),
            // cups.
            [letter, b' ', b'[', ..] => needles::LETTERS.contains(&letter) || self.is_letter(letter),
            [_, b' '] => true,
            [letter, b'0'..=b'9', ..] => {
                self.is_letter(letter) && text.iter().skip(1).take(4).all(u8::is_ascii_digit)
            }
            [_, _, ..] => false,
            _ => true,
        }
    }

    fn is_letter(self, letter: u8) -> bool {
        matches!(letter, b'E' | b'F' | b'C' | b'A') || letter == b'W' && self.least == Level::Warn
    }
}

/// True when a word that names a level may begin with these bytes: tells quickly what else the marks hold.
fn begins_word(start: [u8; 4]) -> bool {
    matches!(
        &start.map(|byte| byte | 0x20),
        [b'e', b'r', b'r', _]
            | b"fail"
            | b"fata"
            | b"crit"
            | b"aler"
            | b"eror"
            | b"emer"
            | b"seve"
            | b"pani"
            | [b'f', b't', b'l', _]
            | b"fehl"
            | [b'w', b'r', b'n', _]
            | b"warn"
    )
}

/// Tells the marks of a phrase quickly from the others.
fn begins_phrase(text: &[u8]) -> bool {
    text.first_chunk::<4>()
        .is_none_or(|start| matches!(start, b"Exce" | b"exce" | b"ceba" | b"pani" | b"e-du"))
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
mod tests {
    use super::*;

    /// The lines that are named as candidates, by walking as the reader does from byte `at` on.
    fn candidates(text: &[u8], mut at: usize, least: Level) -> Vec<String> {
        let search = Candidates::new(least);
        let mut found = Vec::new();
        while let Some(place) = search.next(text, at) {
            let start = memchr::memrchr(b'\n', &text[..place])
                .map_or(0, |newline| newline + 1)
                .max(at);
            let end = memchr::memchr(b'\n', &text[place..]).map_or(text.len(), |newline| place + newline);
            found.push(String::from_utf8_lossy(&text[start..end]).into_owned());
            at = end + 1;
            if at >= text.len() {
                break;
            }
        }
        found
    }

    /// One line of each shape that `level` can call ERROR or worse.
    const SHAPES: &[&str] = &[
        "2026-11-22 10:00:00 ERROR x",
        "2026-11-22 10:00:00 eRRoR x",
        "[crit] x",
        "ts=1 lvl=eror msg=x",
        "SEVERE: x",
        "fail: x",
        "FATA[0000] x",
        "[10:00:00 FTL] x",
        "ALERT x",
        "emerg: x",
        "PANIC: x",
        "DPANIC\tx",
        r#"{"level":50,"msg":"x"}"#,
        r#"{"msg":"x","level": 60}"#,
        r#"{"msg":"x","LEVEL" : 60}"#,
        r#"{"level":"50"}"#,
        r#"{"log":"{\"level\":50,\"msg\":\"x\"}\n","stream":"stdout"}"#,
        r#"{"log":"{\"level\" : 50,\"msg\":\"x\"}\n","stream":"stdout"}"#,
        r#"{"log":"\u003c3\u003ex\n","stream":"stdout"}"#,
        r#"{"severity":3}"#,
        r#"{"PRIORITY":"2","MESSAGE":"x"}"#,
        r#"{"levelno":40}"#,
        r#"{"severityNumber":17}"#,
        r#"{"lvl":55}"#,
        r#"{"t":{"$date":"x"},"s":"E","c":"-"}"#,
        r#"{"t":{"$date":"x"},"s": "F"}"#,
        r#"{"short_message":"x","level":3}"#,
        "<3>x",
        "\0\0<3>x",
        "\0E1122 10:00:00.000000 1234 file.go:1] x",
        "<11>Nov 22 10:00:00 host app: x",
        "<187>1 2026-11-22T10:00:00Z host app - - - x",
        "E1122 10:00:00.000000 1234 file.go:1] x",
        "F0102 10:00:00.000000 1234 file.go:1] x",
        "E, [2026-11-22T10:00:00.000000 #1] x",
        "11-22 10:00:00.000  1234  5678 E Tag: x",
        "11-22 10:00:00.000  1234  5678 F Tag: x",
        "11-22 10:00:00.000 E/Tag( 1234): x",
        "E/Tag( 1234): x",
        "E20261122 10:00:00.000000 1234 file.go:1] x",
        "[E 261122 10:00:00 web:2064] x",
        "2026-11-22T10:00:00.123+0000 E STORAGE  [thread] x",
        "2026-11-22T10:00:00.123Z F STORAGE  [thread] x",
        "2026-11-22T10:00:00.123456789Z stderr F E1122 10:00:00.000000 1 file.go:1] x",
        "E [28/Nov/2026:01:32:59 +0000] cupsdLoadBanners: Unable to open banner directory",
        "X [28/Nov/2026:01:32:59 +0000] x",
        "[2026-11-28 01:39:22.153680 +0000] E [MSGID: 101032] [store.c:461:gf_store] 0-: x",
        "[2026-11-28 01:39:22.153680 +0000] M [store.c:461:gf_store] 0-x: x",
        "[2026/11/28 01:38:37.106679,  0] ../../lib/util/become_daemon.c:119(exit_daemon)",
        "(2026-11-28  1:45:45): [sssd] [confdb_get] (0x0020): x",
        "4843:M 28 Nov 2026 01:35:53.661 # Failed listening on port 6379 (TCP), aborting.",
        "2026/11/28 01:37:48.303 errors: ZEBRA: [SHWNK-NWT5S] x",
        "2026-11-22 10:00:00.123 CET [1] FEHLER:  x",
        "2026-11-22 10:00:00.123 CET [1] ERREUR:  x",
        "Traceback (most recent call last):",
        "Exception in thread \"main\" java.lang.X: x",
        "Unhandled exception. System.X: x",
        "thread 'main' panicked at src/main.rs:2:5:",
        "TypeError: x is not a function",
        "[ 1234.567890] Out of memory: Killed process 4711 (java) total-vm:1kB",
        "[ 1234.567890] Kernel panic - not syncing: x",
        "Nov 28 01:35:33 h systemd[1]: app.service: Failed with result 'core-dump'.",
        r#"{"record":{"level":{"name":"ERROR"}},"text":"x"}"#,
        r#"{"level":"\u001b[31merror\u001b[39m","message":"x"}"#,
        r#"{"level":"ERROR+4","msg":"x"}"#,
        r#"{"PRIORITY":["3","3"],"MESSAGE":"x"}"#,
    ];

    #[test]
    fn no_shape_is_passed_over_wherever_it_stands() {
        let quiet = "2026-11-22 10:00:00 INFO nothing to see here, move along\n";
        for shape in SHAPES {
            let text = format!("\n{quiet}{shape}\n{quiet}");
            assert_eq!(candidates(text.as_bytes(), 1, Level::Error), [*shape]);
        }
    }

    #[test]
    fn the_first_line_is_always_looked_at() {
        assert_eq!(candidates(b"<3>x\nINFO y\n", 0, Level::Error), ["<3>x"]);
        assert_eq!(candidates(b"INFO x\nINFO y\n", 0, Level::Error), ["INFO x"]);
    }

    #[test]
    fn no_shape_is_passed_over_wherever_the_vectors_begin() {
        for shape in SHAPES {
            for shift in 1..100 {
                let mut text = vec![b'x'; shift];
                text[shift - 1] = b'\n';
                text.extend_from_slice(shape.as_bytes());
                assert_eq!(candidates(&text, shift, Level::Error), [*shape], "shift {shift}");
                text.extend_from_slice(&[b'x'; 100]);
                assert_eq!(candidates(&text, shift, Level::Error).len(), 1, "shift {shift}");
                text[0] = b'\n';
                assert_eq!(candidates(&text, 1, Level::Error).len(), 1, "shift {shift}");
            }
        }
    }

    /// Parts of lines, alone or within other text.
    const PARTS: &[&str] = &[
        "error",
        "ERR",
        "Erro",
        "eror",
        "severe",
        "FAIL",
        "failure",
        "critical",
        "crit",
        "ALERT",
        "emerg",
        "emergency",
        "panic",
        "dpanic",
        "pani",
        "fata",
        "fatal",
        "ftl",
        "warn",
        "WRN",
        "Warning",
        "info",
        "s",
        "_x",
        "2",
        " ",
        " ",
        ": ",
        ":",
        "=",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        "/",
        "|",
        "-",
        ".",
        "\"",
        "\\",
        "\\\"",
        "\\t",
        "\\n",
        "\t",
        "\x1b[31m",
        "<",
        ">",
        "<3>",
        "E",
        "F",
        "W",
        "A",
        "level",
        "lvl",
        "severity",
        "SeverityNumber",
        "levelno",
        "PRIORITY",
        "\"level\":",
        "\"s\":",
        "\"log\":\"",
        "\"severity\": ",
        "level=",
        "msg=x ",
        "50",
        "17",
        "3",
        "1122 10:00:00.000000 1234 file.go:1] ",
        "11-22 10:00:00.000  1234  5678 ",
        "\"stream\":\"x\"",
        "2026-11-22T10:00:00.123456789Z",
        " stderr F ",
        "E 261122 10:00:00 web:2064]",
        "1234:M 22 Nov 2026 10:00:00.123 # x",
        "#",
        "é",
    ];

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]
        #[test]
        fn what_has_a_level_is_a_candidate(
            lines in proptest::collection::vec(proptest::collection::vec(0..PARTS.len(), 1..10), 1..20)
        ) {
            let lines: Vec<String> = lines
                .iter()
                .map(|parts| parts.iter().map(|part| PARTS[*part]).collect())
                .collect();
            let text = format!("\n{}\n", lines.join("\n"));
            for least in [Level::Warn, Level::Error, Level::Fatal] {
                let found = candidates(text.as_bytes(), 1, least);
                for line in &lines {
                    let counts = logwatch_record::level(line.as_bytes()).is_some_and(|level| level >= least);
                    assert!(!counts || found.contains(line), "{line:?}");
                }
            }
        }
    }

    #[test]
    fn quiet_lines_are_passed_over() {
        let quiet = "\n2026-11-22 10:00:00 INFO a user logged in\n{\"level\":\"info\",\"msg\":\"x\"}\nI1122 x\nexit *e0 *<1\n\
            0 errors, a failed try, criteria, false alerts, serif, (E1) [e 1], a <b>\n{\"time\":\"2026-11-22T10:00:00Z\",\"order\":17}\n";
        assert!(candidates(quiet.as_bytes(), 1, Level::Error).is_empty());
    }

    #[test]
    fn a_lower_level_looks_at_more() {
        let text = b"\n10:00 WARN a\n10:00 INFO b\n";
        assert_eq!(candidates(text, 1, Level::Error).len(), 0);
        assert_eq!(candidates(text, 1, Level::Warn), ["10:00 WARN a"]);
        assert_eq!(candidates(text, 1, Level::Info).len(), 2);
    }
}
