//! Where in a buffer a record of the wanted level can be: the quick half of finding the level.
//!
//! The exact half is `logwatch_record::level`, called only for the lines found here. So this may name too many places, and must
//! never pass over a line that `level` would call ERROR or worse. What is looked for, all in one pass over the buffer:
//!
//! - the stems of every word that names such a level, in any case (`err`, `fata`, `crit` …);
//! - the keys whose value may be a number (`"level":50`, `"severity":3`), also inside an escaped string (a container's log);
//! - a single letter as a JSON value (`"s":"E"`);
//! - at the start of a line, syslog's `<PRI>` and the letters of glog, Ruby, Android and Tornado; a lone letter after a number.
//!
//! Each of these is settled, but for a few false alarms, by four bytes in a row. So the pass is one expression over four neighbours that
//! the compiler turns into vector instructions: no branches, no table, the same time for every text. Case is taken out by setting bit 5 of
//! each byte, which makes capitals small letters (and a newline `*`, a backslash `|`; the original bytes settle that for each hit).
//! For WARN the words and letters of a warning join. Below that nearly every line counts, and every line is looked at.

use logwatch_record::Level;

/// So many bytes are marked at once; the marks stay in the innermost cache.
const BLOCK: usize = 16 * 1024;
/// A mark is made by a byte and the three after it.
const REACH: usize = 3;
const FOLD: u8 = 0x20;

pub struct Candidates {
    /// None: every line is a candidate.
    marks: Option<Marks>,
}

struct Marks {
    warn: bool,
    /// One byte for each of the window's bytes from `from` to `to`: 1 where something may begin.
    marks: Vec<u8>,
    from: usize,
    to: usize,
}

impl Candidates {
    pub fn new(least: Level) -> Candidates {
        let marks = Marks {
            warn: least == Level::Warn,
            marks: vec![0; BLOCK],
            from: 0,
            to: 0,
        };
        Candidates {
            marks: (least >= Level::Warn).then_some(marks),
        }
    }

    /// A new window is about to be searched from `at` on.
    pub fn begin(&mut self, at: usize) {
        if let Some(marks) = &mut self.marks {
            marks.from = at.saturating_sub(1);
            marks.to = marks.from;
        }
    }

    /// The first place from `from` – the start of a line – on, in a line that has to be looked at. Any byte of that line may be
    /// named. None: no line that starts in the rest of the window needs a look, as far as it is there.
    pub fn next(&mut self, window: &[u8], from: usize) -> Option<usize> {
        let Some(marks) = &mut self.marks else {
            return (from < window.len()).then_some(from);
        };
        let mut at = match from.checked_sub(1) {
            Some(before) if window[before] == b'\n' => before,
            // Without its newline the shapes that begin with one are not seen.
            _ => return (from < window.len()).then_some(from),
        };
        loop {
            while let Some(mark) = marks.after(at) {
                if let Some(place) = confirm(window, mark) {
                    return Some(place);
                }
                at = mark + 1;
            }
            if marks.to >= window.len() {
                return None;
            }
            marks.advance(window);
        }
    }
}

impl Marks {
    /// The first mark from `at` on in this block.
    fn after(&self, at: usize) -> Option<usize> {
        let from = at.max(self.from);
        let marks = self.marks.get(from - self.from..self.to - self.from)?;
        memchr::memchr(1, marks).map(|mark| from + mark)
    }

    fn advance(&mut self, window: &[u8]) {
        self.from = self.to;
        self.to = (self.from + BLOCK).min(window.len());
        let marks = &mut self.marks[..self.to - self.from];
        let text = &window[self.from..window.len().min(self.to + REACH)];
        let full = text.len().saturating_sub(REACH).min(marks.len());
        mark(self.warn, text, &mut marks[..full]);
        if full < marks.len() {
            // The last bytes of the window have fewer neighbours: with blanks for those that are missing.
            let mut last = [b' '; 2 * REACH];
            let rest = &text[full..];
            last[..rest.len()].copy_from_slice(rest);
            mark(self.warn, &last, &mut marks[full..]);
        }
    }
}

/// Sets each mark whose byte, with the three after it, begins something to look at. `text` is at least `REACH` bytes longer.
fn mark(warn: bool, text: &[u8], marks: &mut [u8]) {
    if marks.is_empty() {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the instructions.
        return unsafe { mark_with_avx2(warn, text, marks) };
    }
    if warn {
        mark_any::<true>(text, marks)
    } else {
        mark_any::<false>(text, marks)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mark_with_avx2(warn: bool, text: &[u8], marks: &mut [u8]) {
    if warn {
        mark_any::<true>(text, marks)
    } else {
        mark_any::<false>(text, marks)
    }
}

#[inline(always)]
fn mark_any<const WARN: bool>(text: &[u8], marks: &mut [u8]) {
    let count = marks.len();
    let neighbours = text[..count]
        .iter()
        .zip(&text[1..=count])
        .zip(text[2..].iter().zip(&text[3..]));
    for (mark, ((a, b), (c, d))) in marks.iter_mut().zip(neighbours) {
        *mark = u8::from(begins::<WARN>([a | FOLD, b | FOLD, c | FOLD, d | FOLD]));
    }
}

/// True when four folded bytes begin a shape. `&` and `|` rather than `&&` and `||`: a branch would end the vectors.
#[inline(always)]
fn begins<const WARN: bool>([a, b, c, d]: [u8; 4]) -> bool {
    let digit = |byte: u8| byte.wrapping_sub(b'0') < 10;
    let letter = |byte: u8| {
        (byte == b'e') | (byte == b'f') | (byte == b'c') | (byte == b'a') | (WARN & (byte == b'w'))
    };
    // err, error, erro, eror, fail, fata(l), ftl, crit, aler(t), emer(g), seve(re), pani(c), dpanic; warn, wrn.
    let word = (a == b'e') & (b == b'r') & ((c == b'r') | ((c == b'o') & (d == b'r')))
        | (a == b'f') & (b == b'a') & ((c == b'i') & (d == b'l') | (c == b't') & (d == b'a'))
        | (a == b'f') & (b == b't') & (c == b'l')
        | (a == b'c') & (b == b'r') & (c == b'i') & (d == b't')
        | (a == b'a') & (b == b'l') & (c == b'e') & (d == b'r')
        | (a == b'e') & (b == b'm') & (c == b'e') & (d == b'r')
        | (a == b's') & (b == b'e') & (c == b'v') & (d == b'e')
        | (a == b'p') & (b == b'a') & (c == b'n') & (d == b'i')
        | WARN & (a == b'w') & ((b == b'a') & (c == b'r') & (d == b'n') | (b == b'r') & (c == b'n'));
    // The end of level, lvl, severity, priority, levelno, severityNumber; then `":5`, `": 5`, `" :`, `\":`.
    let key = ((a == b'l') | (a == b'y') | (a == b'o') | (a == b'r'))
        & ((b == b'"') & ((c == b':') & (digit(d) | (d == b' ')) | (c == b' ') & (d == b':'))
            | (b == (b'\\' | FOLD)) & (c == b'"') & ((d == b':') | (d == b' ')));
    // An escaped character, which may be a quote or the `<` of a `<PRI>`: `"\u003c3\u003e`.
    let escape = (a == (b'\\' | FOLD)) & (b == b'u') & (c == b'0') & (d == b'0');
    // A number as a string: `:"50"`, `: "3"`.
    let quoted = ((a == b':') | (a == b' ') | (a == (b'\\' | FOLD)))
        & (b == b'"')
        & (digit(c) | letter(c))
        & (digit(d) | (d == b'"') | (d == (b'\\' | FOLD)));
    // `<11>`, `E0102`, `E, [`, `E/Tag(` at the start of a line or of a container's inner one; Tornado's `[E 261122`.
    let edge = (a == (b'\n' | FOLD)) | (a == (b'\t' | FOLD)) | (a == b' ') | (a == b'"');
    let start = edge & ((b == b'<') & digit(c) | letter(b) & (digit(c) | (c == b',') | (c == b'/')))
        | (a == (b'[' | FOLD)) & letter(b) & (c == b' ') & digit(d);
    // Android's `5678 E Tag`, MongoDB's `+0000 E STORAGE`, Redis' `.123 # `.
    let amid = (digit(a) | (a == b'z')) & (b == b' ') & (letter(c) | WARN & (c == b'#')) & (d == b' ');
    word | key | escape | quoted | start | amid
}

/// Settles by the original bytes whether a mark counts, and names a byte of its line.
fn confirm(window: &[u8], at: usize) -> Option<usize> {
    match window[at] {
        b'\n' => Some(at + 1),
        // The fold made it look like a newline.
        b'*' => None,
        _ => Some(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that are named as candidates, by walking as the reader does from byte `at` on.
    fn candidates(text: &[u8], mut at: usize, least: Level) -> Vec<String> {
        let mut search = Candidates::new(least);
        search.begin(at);
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
    fn no_shape_is_passed_over_at_the_edge_of_a_block() {
        for shape in SHAPES {
            for shift in 0..shape.len() + 2 {
                let mut text = vec![b'x'; BLOCK - shift];
                *text.last_mut().unwrap() = b'\n';
                text.extend_from_slice(shape.as_bytes());
                let second = BLOCK - shift;
                assert_eq!(candidates(&text, second, Level::Error), [*shape], "shift {shift}");
                text[0] = b'\n';
                assert_eq!(candidates(&text, 1, Level::Error), [*shape], "shift {shift}");
            }
        }
    }

    #[test]
    fn quiet_lines_are_passed_over() {
        let quiet = "\n2026-11-22 10:00:00 INFO a user logged in\n{\"level\":\"info\",\"msg\":\"x\"}\nI1122 x\nexit *e0 *<1\n";
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
