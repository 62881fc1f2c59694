//! Where in a buffer a record of the wanted level can be: the quick half of finding the level.
//!
//! The exact half is `logwatch_record::level`, called only for the lines found here. So this may name too many places, and must
//! never pass over a line that `level` would call ERROR or worse. What is looked for, all in one pass over the buffer (Teddy, SIMD):
//!
//! - the stems of every word that names such a level, in any case (`err`, `fata`, `crit` …);
//! - the keys whose value may be a number (`"level":50`, `"severity":3`), also inside an escaped string (a container's log);
//! - a single letter as a JSON value (`"s":"E"`);
//! - at the start of a line, syslog's `<PRI>` and the letters of glog and Ruby; amid a line, Android's letter after a number.
//!
//! Case is taken out by setting bit 5 of every byte of a copy, which maps capitals to small letters and is one instruction for
//! sixteen bytes. It also maps some other characters onto each other (a newline becomes `*`, a backslash `|`): the original bytes
//! settle that. For WARN the words and letters of a warning join. Below that nearly every line counts, and every line is looked at.

use aho_corasick::{AhoCorasick, packed};
use logwatch_record::Level;

/// The copy is made in blocks that stay in the innermost cache.
const BLOCK: usize = 16 * 1024;
const FOLD: u8 = 0x20;

const WORDS: [&[u8]; 10] = [
    b"err", b"ero", b"sever", b"fail", b"fata", b"ftl", b"crit", b"alert", b"emerg", b"pani",
];
const WARN_WORDS: [&[u8]; 2] = [b"warn", b"wrn"];
/// The ends of `level`, `lvl`, `severity`, `priority`, `levelno`, `severityNumber`, each before a quote or a backslash and a quote.
const KEYS: [&[u8]; 10] = [
    b"vel\"", b"lvl\"", b"ity\"", b"lno\"", b"ber\"", b"vel\\", b"lvl\\", b"ity\\", b"lno\\", b"ber\\",
];

/// What a hit means and how to be sure of it.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A stem of a word: that is enough.
    Word,
    /// A key: a number must follow.
    Key,
    /// A letter between quotes after a colon: that is enough.
    Value,
    /// A shape that starts with the newline before the line.
    LineStart,
    /// Android's ` E `: a digit before it.
    AfterNumber,
}

pub struct Candidates {
    /// None: every line is a candidate.
    search: Option<Search>,
}

struct Search {
    engine: Engine,
    kinds: Vec<Kind>,
    longest: usize,
    letters: &'static [u8],
    /// The folded copy of the window, as far as it was needed.
    folded: Vec<u8>,
    folded_to: usize,
}

enum Engine {
    Packed(packed::Searcher),
    /// For processors without the instructions.
    Automaton(AhoCorasick),
}

impl Candidates {
    pub fn new(least: Level) -> Candidates {
        if least < Level::Warn {
            return Candidates { search: None };
        }
        let warn = least == Level::Warn;
        let letters: &'static [u8] = if warn { b"FCAEW" } else { b"FCAE" };
        let mut literals: Vec<(Vec<u8>, Kind)> = Vec::new();
        let mut add =
            |text: &[u8], kind| literals.push((text.iter().map(|byte| byte | FOLD).collect(), kind));
        for word in WORDS {
            add(word, Kind::Word);
        }
        for word in WARN_WORDS.iter().filter(|_| warn) {
            add(word, Kind::Word);
        }
        for key in KEYS {
            add(key, Kind::Key);
        }
        for &letter in letters {
            add(&[b':', b'"', letter, b'"'], Kind::Value);
            add(&[b':', b' ', b'"', letter, b'"'], Kind::Value);
            add(&[b':', b'\\', b'"', letter, b'\\'], Kind::Value);
            // glog's month, Ruby's comma.
            for next in [b'0', b'1', b','] {
                add(&[b'\n', letter, next], Kind::LineStart);
            }
            if letter != b'A' && letter != b'C' {
                add(&[b' ', letter, b' '], Kind::AfterNumber);
            }
        }
        for digit in b'0'..=b'9' {
            add(&[b'\n', b'<', digit], Kind::LineStart);
        }
        let (patterns, kinds): (Vec<_>, Vec<_>) = literals.into_iter().unzip();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(1);
        let engine = match packed::Searcher::new(&patterns) {
            Some(searcher) => Some(Engine::Packed(searcher)),
            None => AhoCorasick::new(&patterns).ok().map(Engine::Automaton),
        };
        let search = engine.map(|engine| Search {
            engine,
            kinds,
            longest,
            letters,
            folded: Vec::new(),
            folded_to: 0,
        });
        Candidates { search }
    }

    /// A new window is about to be searched.
    pub fn begin(&mut self, window: &[u8], from: usize) {
        if let Some(search) = &mut self.search {
            if search.folded.len() < window.len() {
                search.folded.resize(window.len(), 0);
            }
            search.folded_to = from.saturating_sub(1);
        }
    }

    /// The first place from `from` – the start of a line – on, in a line that has to be looked at. Any byte of that line may be
    /// named. None: no line that starts in the rest of the window needs a look, as far as it is there.
    pub fn next(&mut self, window: &[u8], from: usize) -> Option<usize> {
        let Some(search) = &mut self.search else {
            return (from < window.len()).then_some(from);
        };
        let mut at = match from.checked_sub(1) {
            Some(before) if window[before] == b'\n' => before,
            // Without its newline the shapes that begin with one are not seen.
            _ if window
                .get(from)
                .is_some_and(|first| *first == b'<' || search.letters.contains(first)) =>
            {
                return Some(from);
            }
            _ => from,
        };
        loop {
            let hit = match &search.engine {
                Engine::Packed(searcher) => searcher.find_in(
                    &search.folded[..search.folded_to.max(at)],
                    (at..search.folded_to.max(at)).into(),
                ),
                Engine::Automaton(automaton) => automaton.find(
                    aho_corasick::Input::new(&search.folded[..search.folded_to.max(at)])
                        .range(at..search.folded_to.max(at)),
                ),
            };
            match hit {
                Some(hit) => {
                    if let Some(place) = search.kinds[hit.pattern()].confirm(window, hit.start(), hit.end()) {
                        return Some(place);
                    }
                    at = hit.start() + 1;
                }
                None if search.folded_to >= window.len() => return None,
                None => {
                    at = at.max(search.folded_to.saturating_sub(search.longest - 1));
                    search.fold(window);
                }
            }
        }
    }
}

impl Search {
    fn fold(&mut self, window: &[u8]) {
        let to = (self.folded_to + BLOCK).min(window.len());
        let block = self.folded_to..to;
        for (folded, byte) in self.folded[block.clone()].iter_mut().zip(&window[block]) {
            *folded = byte | FOLD;
        }
        self.folded_to = to;
    }
}

impl Kind {
    /// Settles by the original bytes whether a hit counts, and names a byte of its line.
    fn confirm(self, window: &[u8], start: usize, end: usize) -> Option<usize> {
        match self {
            Kind::Word | Kind::Value => Some(start),
            Kind::Key => number_follows(&window[end - 1..]).then_some(start),
            Kind::LineStart => (window[start] == b'\n').then_some(start + 1),
            Kind::AfterNumber => {
                (window[start + 1].is_ascii_uppercase() && start > 0 && window[start - 1].is_ascii_digit())
                    .then_some(start)
            }
        }
    }
}

/// After a key's name: its closing quote, a colon, perhaps another quote, then a digit – blanks and backslashes anywhere between.
/// True also when the buffer ends too early to tell.
fn number_follows(rest: &[u8]) -> bool {
    let mut colon = false;
    for &byte in rest.iter().take(16) {
        match byte {
            b'"' | b'\\' | b' ' | b'\t' => {}
            b':' if !colon => colon = true,
            byte => return colon && byte.is_ascii_digit(),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that are named as candidates, by walking as the reader does.
    fn candidates(text: &[u8], least: Level) -> Vec<String> {
        let mut search = Candidates::new(least);
        search.begin(text, 0);
        let mut found = Vec::new();
        let mut at = 0;
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
    ];

    #[test]
    fn no_shape_is_passed_over_wherever_it_stands() {
        let quiet = "2026-11-22 10:00:00 INFO nothing to see here, move along\n";
        for shape in SHAPES {
            let first = format!("{shape}\n{quiet}");
            assert_eq!(candidates(first.as_bytes(), Level::Error), [*shape], "first line");
            let later = format!("{quiet}{shape}\n{quiet}");
            assert_eq!(candidates(later.as_bytes(), Level::Error), [*shape], "later line");
        }
    }

    #[test]
    fn no_shape_is_passed_over_at_the_edge_of_a_block() {
        for shape in SHAPES {
            for shift in 0..shape.len() + 2 {
                let mut text = vec![b'x'; BLOCK - shift];
                *text.last_mut().unwrap() = b'\n';
                text.extend_from_slice(shape.as_bytes());
                assert_eq!(candidates(&text, Level::Error), [*shape], "shift {shift}");
            }
        }
    }

    #[test]
    fn quiet_lines_are_passed_over() {
        let quiet = "2026-11-22 10:00:00 INFO a user logged in\n{\"level\":\"info\",\"msg\":\"x\"}\nI1122 x\nexit *e0 *<1\n";
        assert!(candidates(quiet.as_bytes(), Level::Error).is_empty());
    }

    #[test]
    fn a_lower_level_looks_at_more() {
        let text = b"10:00 WARN a\n10:00 INFO b\n";
        assert_eq!(candidates(text, Level::Error).len(), 0);
        assert_eq!(candidates(text, Level::Warn), ["10:00 WARN a"]);
        assert_eq!(candidates(text, Level::Info).len(), 2);
    }
}
