//! The heads of programs that the general reading would not understand: one table of rows, each a
//! template that says where time, level, pid, logger and message are.
//!
//! A new program is one row of [`table`] and its example. A line is compared with the few rows that
//! its first bytes allow, so that most lines are compared with none.

mod table;
mod template;

use std::sync::LazyLock;

use crate::level::Level;
use crate::level::words::word_level;
use crate::time::{self, Stamp};
use template::{Bytes, Template};

/// The most parts of a head that are kept.
const MOST_FIELDS: usize = 7;
/// A message is searched for words this far.
const SEARCHED: usize = 240;

/// A row of the table.
pub(crate) struct Row {
    #[cfg_attr(not(test), allow(dead_code, reason = "the tests name a row by it"))]
    pub(crate) name: &'static str,
    /// The template; [`template`] says how to write one.
    pub(crate) like: &'static str,
    pub(crate) says: Says,
    /// A line of the program, which the tests read with this row.
    #[cfg_attr(not(test), allow(dead_code, reason = "the tests read it"))]
    pub(crate) example: &'static str,
}

/// The way in which the lines of a row name their level.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    /// `{level}` is one of the usual words, which the general reading finds as well.
    Word,
    /// `{level}` is one of these, or one of the usual words.
    Words(&'static [(&'static str, Level)]),
    /// `{level}` is one of these, and the row is for no other line.
    Only(&'static [(&'static str, Level)]),
    /// `{level}` is a letter: F, C or A, E, W, I, D or V.
    Letter,
    /// The program names no level in such a line, whatever words it quotes.
    Nothing,
    /// Every such line has this level.
    Always(Level),
    /// A level word counts at the beginning of the message, or right before its first colon.
    Start,
    /// The first of these texts that the message holds gives the level; `^` binds one to its start,
    /// and `$` ends one with a word's end. Small letters stand for capitals too.
    Text(&'static [(&'static str, Level)], Option<Level>),
    /// The general reading decides, from the message on.
    Message,
}

/// The time that a line begins with, perhaps behind a bracket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lead {
    pub(crate) stamp: Stamp,
    pub(crate) start: usize,
    pub(crate) end: usize,
    bracket: usize,
}

/// Reads the time at the start of a line, behind `[` or `(` perhaps.
pub(crate) fn lead(line: &[u8]) -> Option<Lead> {
    let bracket = match line.first()? {
        b'0'..=b'9' | b'A'..=b'Z' | b'@' => 0,
        b'[' => 1,
        b'(' => 2,
        _ => return None,
    };
    let start = usize::from(bracket > 0);
    let (stamp, len) = time::scan(&line[start..])?;
    Some(Lead {
        stamp,
        start,
        end: start + len,
        bracket,
    })
}

/// A line that a row describes. Positions are in the line.
pub(crate) struct Shaped {
    row: &'static Row,
    template: &'static Template,
    pub(crate) level: Option<Level>,
    pub(crate) stamp: Option<Stamp>,
    ends: [(u8, u8); MOST_FIELDS],
    pub(crate) message: usize,
}

impl Shaped {
    /// Returns true if the row decides the level: the general reading would find another one.
    pub(crate) fn is_decisive(&self) -> bool {
        self.row.says.is_decisive()
    }

    /// Returns true if the message may begin with a level of its own.
    pub(crate) fn has_level_in_message(&self) -> bool {
        match self.row.says {
            Says::Start => self.level.is_some(),
            says => matches!(says, Says::Message),
        }
    }

    /// Returns the parts of the head, by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        self.template
            .names()
            .zip(self.ends)
            .map(|(name, (start, end))| (name, usize::from(start), usize::from(end)))
    }
}

/// Returns the shape of a line if it decides the line's level. Does not allocate.
pub(crate) fn decisive(line: &[u8], lead: Option<&Lead>) -> Option<Shaped> {
    TABLE.read(line, lead, true)
}

/// Returns the shape of a line.
pub(crate) fn read(line: &[u8], lead: Option<&Lead>) -> Option<Shaped> {
    TABLE.read(line, lead, false)
}

/// Returns true for a line of a program that writes its pid before its time or its level.
pub(crate) fn has_head(line: &[u8]) -> bool {
    read(line, lead(line).as_ref()).is_some_and(|shaped| shaped.stamp.is_some() || shaped.level.is_some())
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

struct Table {
    /// By the bracket before the time; the last are the rows that begin without a time.
    places: [Place; 4],
}

/// The rows that begin in one way.
#[derive(Default)]
struct Place {
    rows: Vec<(&'static Row, Template)>,
    index: Index,
    decisive: Rows,
}

/// A bit for each row of a place, in the order of the table.
type Rows = u128;

/// The rows that seven bytes of a line allow: the first two and the last of each of its first two
/// words, and the first of the third. Behind a time these are the words of the text after it.
struct Index {
    first: [Rows; 256],
    second: [Rows; 256],
    last: [Rows; 256],
    /// The same of the second word.
    next_first: [Rows; 256],
    next_second: [Rows; 256],
    next_last: [Rows; 256],
    third: [Rows; 256],
}

/// The place of the rows that begin without a time.
const NO_TIME: usize = 3;

impl Table {
    fn new() -> Table {
        let mut places: [Place; 4] = Default::default();
        for row in table::ROWS {
            let template = Template::new(row.like);
            places[template.lead().unwrap_or(NO_TIME)].add(row, template);
        }
        Table { places }
    }

    fn read(&'static self, line: &[u8], lead: Option<&Lead>, decisive: bool) -> Option<Shaped> {
        let (place, text) = match lead {
            None => (&self.places[NO_TIME], line),
            Some(lead) => (&self.places[lead.bracket], &line[lead.end..]),
        };
        let mut bits = place.index.rows(&text[template::blanks(text)..]);
        if decisive {
            bits &= place.decisive;
        }
        while bits != 0 {
            let (row, template) = &place.rows[bits.trailing_zeros() as usize];
            if let Some(shaped) = template.read(row, line, lead) {
                return Some(shaped);
            }
            bits &= bits - 1;
        }
        None
    }

    #[cfg(test)]
    fn rows(&self) -> impl Iterator<Item = &(&'static Row, Template)> {
        self.places.iter().flat_map(|place| &place.rows)
    }
}

impl Place {
    fn add(&mut self, row: &'static Row, template: Template) {
        assert!(self.rows.len() < 128, "a bit for each row of a place");
        let bit = 1 << self.rows.len();
        self.index.add(bit, row, &template);
        self.decisive |= if row.says.is_decisive() { bit } else { 0 };
        self.rows.push((row, template));
    }
}

impl Default for Index {
    fn default() -> Index {
        Index {
            first: [0; 256],
            second: [0; 256],
            last: [0; 256],
            next_first: [0; 256],
            next_second: [0; 256],
            next_last: [0; 256],
            third: [0; 256],
        }
    }
}

impl Index {
    fn add(&mut self, bit: Rows, row: &Row, template: &Template) {
        let places = [
            &mut self.first,
            &mut self.second,
            &mut self.last,
            &mut self.next_first,
            &mut self.next_second,
            &mut self.next_last,
            &mut self.third,
        ];
        for (rows, bytes) in places.into_iter().zip(template.may_have(row.says)) {
            match bytes {
                Bytes::Any => rows.iter_mut().for_each(|rows| *rows |= bit),
                Bytes::One(byte) => rows[usize::from(byte)] |= bit,
                Bytes::Some(bytes) => bytes.iter().for_each(|byte| rows[usize::from(*byte)] |= bit),
            }
        }
    }

    /// Returns the rows that a text allows. Most texts are told by their first bytes.
    fn rows(&self, text: &[u8]) -> Rows {
        let byte = |at: usize| usize::from(text.get(at).copied().unwrap_or(b'\n'));
        let mut rows = self.first[byte(0)] & self.second[byte(1)];
        if rows == 0 {
            return rows;
        }
        let end = template::word_len(text);
        rows &= self.last[byte(end.wrapping_sub(1))];
        if rows == 0 {
            return rows;
        }
        let next = end + template::blanks(&text[end..]);
        rows &= self.next_first[byte(next)] & self.next_second[byte(next + 1)];
        if rows == 0 {
            return rows;
        }
        let next_end = next + template::word_len(&text[next..]);
        rows &= self.next_last[byte(next_end.wrapping_sub(1))];
        if rows == 0 {
            return rows;
        }
        rows & self.third[byte(next_end + template::blanks(&text[next_end..]))]
    }
}

impl Says {
    /// Returns true if the general reading would find another level.
    fn is_decisive(self) -> bool {
        !matches!(self, Says::Word | Says::Message)
    }

    /// Returns the level that a `{level}` names, None if the row is not for such a line.
    fn of_word(self, word: &[u8]) -> Option<Level> {
        let listed = |words: &[(&str, Level)]| {
            words
                .iter()
                .find(|(known, _)| known.as_bytes() == word)
                .map(|(_, level)| *level)
        };
        match self {
            Says::Only(words) => listed(words),
            Says::Words(words) => listed(words).or_else(|| word_level(word).map(|(level, _)| level)),
            Says::Letter => match word {
                [letter] => crate::level::words::letter_level(*letter),
                _ => None,
            },
            _ => word_level(word).map(|(level, _)| level),
        }
    }

    /// Returns the level that a message has, if the head names none.
    fn of_message(self, message: &[u8]) -> Option<Level> {
        match self {
            Says::Always(level) => Some(level),
            Says::Start => start_level(message),
            Says::Text(texts, otherwise) => {
                let message = &message[..message.len().min(SEARCHED)];
                texts
                    .iter()
                    .find(|(text, _)| holds(message, text.as_bytes()))
                    .map(|(_, level)| *level)
                    .or(otherwise)
            }
            _ => None,
        }
    }
}

/// Returns the level of a message that begins with a level word, or has one before its first colon.
fn start_level(message: &[u8]) -> Option<Level> {
    let word_at = |bytes: &[u8]| {
        let len = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        word_level(&bytes[..len]).map(|(level, _)| level)
    };
    if let Some(level) = word_at(message) {
        return Some(level);
    }
    let colon = message.iter().take(40).position(|b| *b == b':')?;
    let before = message[..colon]
        .strip_suffix(b"]")
        .map_or(&message[..colon], |counted| {
            let open = counted.iter().rposition(|b| *b == b'[').unwrap_or(counted.len());
            &counted[..open]
        });
    let start = before
        .iter()
        .rposition(|b| !b.is_ascii_alphabetic())
        .map_or(0, |at| at + 1);
    word_at(&before[start..])
}

/// Returns true if `text` holds `wanted`, as [`Says::Text`] writes it.
fn holds(text: &[u8], wanted: &[u8]) -> bool {
    let (bound, wanted) = match wanted.strip_prefix(b"^") {
        Some(wanted) => (true, wanted),
        None => (false, wanted),
    };
    let (word, wanted) = match wanted.strip_suffix(b"$") {
        Some(wanted) => (true, wanted),
        None => (false, wanted),
    };
    let fits = |at: usize| {
        text[at..at + wanted.len()]
            .iter()
            .zip(wanted)
            .all(|(b, w)| b == w || b.to_ascii_lowercase() == *w)
            && !(word && text.get(at + wanted.len()).is_some_and(u8::is_ascii_alphanumeric))
    };
    let last = text.len().checked_sub(wanted.len());
    last.is_some_and(|last| (0..=if bound { 0 } else { last }).any(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_its_example() {
        for (row, _) in TABLE.rows() {
            let line = row.example.as_bytes();
            let line = &line[line.iter().take_while(|b| **b == b' ').count()..];
            let shaped = read(line, lead(line).as_ref());
            let name = shaped.map(|shaped| shaped.row.name);
            assert_eq!(name, Some(row.name), "{}", row.example);
        }
    }

    #[test]
    fn the_index_leaves_out_no_row_that_fits() {
        let fits = |line: &[u8], lead: Option<&Lead>| {
            let mut rows = TABLE.places[lead.map_or(NO_TIME, |lead| lead.bracket)]
                .rows
                .iter();
            rows.find_map(|(row, template)| template.read(row, line, lead).map(|_| row.name))
        };
        for (row, _) in TABLE.rows() {
            let line = row.example.trim_start();
            let cuts = (0..line.len()).filter_map(|at| line.get(..at)).map(str::to_owned);
            let wider =
                (0..line.len()).filter_map(|at| Some(format!("{}  {}", line.get(..at)?, &line[at..])));
            for line in cuts.chain(wider) {
                let lead = lead(line.as_bytes());
                let indexed = read(line.as_bytes(), lead.as_ref()).map(|shaped| shaped.row.name);
                assert_eq!(indexed, fits(line.as_bytes(), lead.as_ref()), "{line}");
            }
        }
    }

    #[test]
    fn texts_are_bound_to_starts_and_words() {
        assert!(holds(b"Fatal error loading", b"^fatal"));
        assert!(!holds(b"a Fatal error", b"^fatal"));
        assert!(holds(b"saving error", b"error$") && !holds(b"0 errors found", b"error$"));
        assert!(!holds(b"x", b"longer than the text"));
    }
}
