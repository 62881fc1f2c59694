//! Classifies a line: the start of a wanted record, a part of the one before it, or neither.

use logwatch_record::{Flags, Level, line};

use crate::records::format::Format;
use crate::records::level_scan::Candidates;
use crate::records::multiline::Multiline;
use crate::source::identity::TAIL;

/// The search for records. All files share one, because its buffer is shared.
pub struct Search {
    pub multiline: Multiline,
    pub format: Option<Format>,
    pub least: Level,
    pub candidates: Candidates,
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
        }
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

    /// Returns true if a line that has a level may begin a record. `before`: the bytes before the line.
    pub fn begins(&self, line: &[u8], before: &[u8]) -> bool {
        if self.is_automatic() {
            line::begins(line, previous_line(before))
        } else {
            !self.continues(line)
        }
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
        match &self.format {
            Some(format) => format.headline(line),
            None => (line.to_vec(), Flags::empty()),
        }
    }
}

/// Returns the last line before that is not empty, as far as the reader keeps bytes for its proof: so a file
/// reads alike however it is cut into windows.
fn previous_line(before: &[u8]) -> Option<&[u8]> {
    let before = &before[before.len().saturating_sub(TAIL)..];
    let line = before.trim_ascii_end();
    if line.is_empty() {
        return None;
    }
    Some(&line[memchr::memrchr(b'\n', line).map_or(0, |newline| newline + 1)..])
}
