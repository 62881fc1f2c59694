//! A cursor over the head of a plain line: it takes parts from the front and keeps them in
//! `fields`.

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::map::Entry;

use super::Head;
use crate::Context;
use crate::level::detect::FirstLevel;
use crate::shapes::Lead;
use crate::time::{self, Stamp};

/// A date further from now is doubtful, if it can be read in two orders.
const PLAUSIBLE: SignedDuration = SignedDuration::from_hours(24);

pub(crate) struct Cursor<'a, 'c> {
    pub(crate) line: &'a str,
    pub(crate) bytes: &'a [u8],
    /// The start of the message as far as is known. Always at a character's boundary: only ASCII
    /// and whole words are passed.
    pub(crate) at: usize,
    /// The end of the message.
    pub(crate) end: usize,
    pub(crate) head: Head<'a>,
    pub(super) timed: bool,
    /// The time that the line begins with.
    pub(super) lead: Option<Lead>,
    /// The first level that the whole line names.
    pub(super) first: Option<FirstLevel>,
    pub(super) context: &'c Context,
}

impl<'a> Cursor<'a, '_> {
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) fn rest_str(&self) -> &'a str {
        &self.line[self.at..]
    }

    pub(crate) fn blanks(&mut self) {
        self.at += self
            .rest()
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
    }

    /// Keeps a part of the head. Numbers stay text, so that a key has one type.
    pub(crate) fn keep(&mut self, key: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() || value == "-" {
            return;
        }
        match self.head.fields.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Value::String(value.to_owned()));
            }
            Entry::Occupied(mut entry) => {
                if let Value::String(old) = entry.get_mut()
                    && old != value
                {
                    old.push(' ');
                    old.push_str(value);
                }
            }
        }
    }

    /// Keeps the moment of a time.
    pub(super) fn resolve(&mut self, stamp: Stamp) {
        let Some(moment) = stamp.resolve(self.context) else {
            return;
        };
        self.head.time = Some(moment);
        self.head.doubtful =
            stamp.is_in_either_order() && moment.duration_since(self.context.now).abs() > PLAUSIBLE;
    }

    /// Takes the time at the cursor.
    pub(super) fn time(&mut self) -> bool {
        if self.timed {
            return false;
        }
        let (stamp, len) = match &self.lead {
            Some(lead) if lead.start == self.at => (lead.stamp, lead.end - lead.start),
            _ => match time::scan(self.rest()) {
                Some(read) => read,
                None => return false,
            },
        };
        self.timed = true;
        self.resolve(stamp);
        self.at += len;
        true
    }
}
