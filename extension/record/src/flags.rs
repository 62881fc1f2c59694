//! The oddities of a record, as a small set. It only names oddities and never decides what to do
//! about them.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of oddities. Its bits travel from the tailer to the extension; its names are what
/// `entries.flags` stores.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// The record names no time that could be read.
    pub const TIME_MISSING: Flags = Flags(1);
    /// The record's time is more than five minutes ahead of the reader's clock.
    pub const TIME_FUTURE: Flags = Flags(1 << 1);
    /// The record was longer than what is stored of it.
    pub const TRUNCATED: Flags = Flags(1 << 2);
    /// The file's bytes were not UTF-8; each bad sequence became U+FFFD.
    pub const BAD_UTF8: Flags = Flags(1 << 3);
    /// The record held NULs, which PostgreSQL cannot store.
    pub const NUL: Flags = Flags(1 << 4);

    /// The record's date can be read in two orders, and neither gives a time of the last day.
    pub const TIME_DOUBTFUL: Flags = Flags(1 << 5);

    const NAMES: [(Flags, &'static str); 6] = [
        (Flags::TIME_MISSING, "time_missing"),
        (Flags::TIME_FUTURE, "time_future"),
        (Flags::TRUNCATED, "truncated"),
        (Flags::BAD_UTF8, "bad_utf8"),
        (Flags::NUL, "nul"),
        (Flags::TIME_DOUBTFUL, "time_doubtful"),
    ];
    const ALL: u8 = (1 << 6) - 1;

    /// Returns the empty set.
    pub const fn empty() -> Flags {
        Flags(0)
    }

    /// Returns the set as a number, as it travels in `logwatch_ingest`'s `flags`.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns the set of a number; bits that mean nothing here (a newer tailer's) are left out.
    pub const fn from_bits_truncate(bits: u8) -> Flags {
        Flags(bits & Flags::ALL)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns true if every flag of `other` is in this set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the words stored in `entries.flags`, always in the same order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Flags::NAMES
            .into_iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, name)| name)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_set_in_a_fixed_order() {
        let flags = Flags::NUL | Flags::TIME_MISSING;
        assert_eq!(flags.names().collect::<Vec<_>>(), ["time_missing", "nul"]);
        assert_eq!(Flags::empty().names().count(), 0);
        assert_eq!(format!("{flags:?}"), r#"{"time_missing", "nul"}"#);
    }

    #[test]
    fn bits_survive_the_journey_and_unknown_ones_are_dropped() {
        let mut flags = Flags::TRUNCATED;
        flags |= Flags::BAD_UTF8;
        assert_eq!(Flags::from_bits_truncate(flags.bits()), flags);
        assert_eq!(Flags::from_bits_truncate(0b1100_0000), Flags::empty());
        assert!(flags.contains(Flags::BAD_UTF8) && !flags.contains(Flags::NUL));
    }
}
