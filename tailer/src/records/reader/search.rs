//! What a line is: the start of a record that is wanted, a part of the one before it, or nothing.

use logwatch_record::{Flags, Level};

use crate::records::format::Format;
use crate::records::level_scan::Candidates;
use crate::records::multiline::Multiline;

/// What to look for. One for all files: the search's buffer is shared.
pub struct Search {
    pub multiline: Multiline,
    pub format: Option<Format>,
    pub least: Level,
    pub candidates: Candidates,
}

impl Search {
    pub fn new(multiline: Multiline, format: Option<Format>, least: Level) -> Search {
        // What a format calls an error may look like anything.
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
