//! Classifies a line: the start of a wanted record, a part of the one before it, or neither.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use logwatch_record::{DateOrder, Flags, Level, in_order, line};

use crate::records::expected_scan::ExpectedScan;
use crate::records::format::{Format, PathFormats};
use crate::records::level_scan::Candidates;
use crate::records::multiline::Multiline;
use crate::source::identity::TAIL;

/// The search for records. All files share one, because its buffer is shared.
pub struct Search {
    pub multiline: Multiline,
    pub format: Option<Format>,
    pub least: Level,
    candidates: Candidates,
    /// The lines that rules expect; None if there are none.
    expected: Option<Rc<ExpectedScan>>,
    /// The formats of all files if they differ, and the file whose format is in use.
    by_path: Option<(PathFormats, PathBuf)>,
    date_order: DateOrder,
}

impl Search {
    pub fn new(multiline: Multiline, format: Option<Format>, least: Level) -> Search {
        // A format can call any text an error.
        let shown = if format.is_some() { Level::Debug } else { least };
        Search {
            multiline,
            format,
            least,
            candidates: Candidates::new(shown),
            expected: None,
            by_path: None,
            date_order: DateOrder::default(),
        }
    }

    /// Returns a search whose format may depend on the file; see [`Search::turn_to`].
    pub fn of_options(
        multiline: Multiline,
        formats: Option<&PathFormats>,
        least: Level,
        date_order: DateOrder,
    ) -> Search {
        let format = formats.and_then(|formats| formats.of(None));
        Search {
            by_path: formats
                .filter(|formats| formats.depends_on_path())
                .map(|formats| (formats.clone(), PathBuf::new())),
            date_order,
            ..Search::new(multiline, format, least)
        }
    }

    /// Keeps the lines that match one of these expressions, too.
    pub fn expect(&mut self, expressions: Vec<String>) {
        self.expected = ExpectedScan::new(expressions).map(Rc::new);
    }

    /// Returns the first place from `from` – the start of a line – on in a line that has to be
    /// looked at, as [`Candidates::next`] does.
    pub fn next(&self, window: &[u8], from: usize) -> Option<usize> {
        match &self.expected {
            None => self.candidates.next(window, from),
            Some(expected) => expected.next(&self.candidates, window, from),
        }
    }

    /// Takes the format of this file for what is read next.
    pub fn turn_to(&mut self, path: &Path) {
        let Some((formats, current)) = self.by_path.take() else {
            return;
        };
        if current != path {
            *self = Search {
                date_order: self.date_order,
                expected: self.expected.take(),
                ..Search::new(self.multiline.clone(), formats.of(Some(path)), self.least)
            };
        }
        self.by_path = Some((formats, path.to_owned()));
    }

    /// True when the line belongs to the record before it.
    pub fn continues(&self, line: &[u8]) -> bool {
        match (&self.format, &self.multiline) {
            (Some(format), Multiline::Auto) => !format.is_match(line),
            _ => self.multiline.continues(line),
        }
    }

    /// Returns true for an empty line, behind which a record may go on.
    pub fn is_blank(&self, line: &[u8]) -> bool {
        self.is_automatic() && line.trim_ascii().is_empty()
    }

    /// Returns true if the line belongs to the open record.
    pub fn joins(&self, line: &[u8], open: line::Open) -> bool {
        if self.is_automatic() {
            line::joins(line, open)
        } else {
            self.continues(line)
        }
    }

    /// Returns true if a line that has a level may begin a record. `before`: the bytes before the
    /// line.
    pub fn begins(&self, line: &[u8], before: &[u8]) -> bool {
        if self.is_automatic() {
            line::begins(line, previous_line(before))
        } else {
            !self.continues(line)
        }
    }

    /// Returns true if a line of another stream may stand between two pieces of the open record.
    pub fn passes(&self, line: &[u8], open: line::Open) -> bool {
        self.is_automatic() && line::passes(line, open)
    }

    /// Returns true for the first line of a JSON object whose other lines may name a level.
    pub fn opens_object(&self, line: &[u8]) -> bool {
        self.is_automatic() && line::opens_object(line)
    }

    /// Returns true if a line names the wanted level or a higher one, or a rule expects it.
    pub fn is_wanted(&self, line: &[u8]) -> bool {
        self.level(line) >= Some(self.least)
            || self
                .expected
                .as_ref()
                .is_some_and(|expected| expected.is_expected(line))
    }

    fn is_automatic(&self) -> bool {
        self.format.is_none() && matches!(self.multiline, Multiline::Auto)
    }

    pub fn level(&self, line: &[u8]) -> Option<Level> {
        match &self.format {
            Some(format) => format.level(line),
            None => logwatch_record::level(line),
        }
    }

    /// The headline as it goes into the record, and what was odd about it.
    pub fn headline(&self, line: &[u8]) -> (Vec<u8>, Flags) {
        let (text, flags) = match &self.format {
            Some(format) => format.headline(line),
            None => (line.to_vec(), Flags::empty()),
        };
        (in_order(&text, self.date_order).unwrap_or(text), flags)
    }
}

/// Returns the last line before that is not empty, as far as the reader keeps bytes for its proof:
/// so a file reads alike however it is cut into windows.
fn previous_line(before: &[u8]) -> Option<&[u8]> {
    let before = &before[before.len().saturating_sub(TAIL)..];
    let line = before.trim_ascii_end();
    if line.is_empty() {
        return None;
    }
    Some(&line[memchr::memrchr(b'\n', line).map_or(0, |newline| newline + 1)..])
}
