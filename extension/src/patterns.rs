//! Which patterns of a batch are new: those go into the batch's row, and the next check makes them
//! known to all.
//!
//! Ingest itself inserts no pattern: a unique key would make it wait for every transaction that
//! stores the same new one.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use logwatch_record::{Level, pattern};
use pgrx::prelude::*;

use crate::column::Column;
use crate::ingest::{Pattern, known_patterns};

/// Patterns that the session remembers to be in the table, some 10 MB; then it begins anew.
const MOST_KNOWN: usize = 200_000;
/// New patterns that a session stores for one source in one minute. Masks that miss a program's
/// variable parts make a pattern of each record; those on top of this share one.
const MOST_NEW: usize = 5000;

thread_local! {
    /// Only what was read from the table: what this session stored itself may yet be rolled back.
    static KNOWN: RefCell<HashSet<i64>> = RefCell::default();
    /// The minute under way, and the new patterns of each source in it.
    static NEW: RefCell<(i64, HashMap<i64, HashSet<i64>>)> = RefCell::default();
}

/// Whether the session has seen the pattern in the table.
pub fn is_known(fingerprint: i64) -> bool {
    KNOWN.with_borrow(|known| known.contains(&fingerprint))
}

/// Leaves out the patterns that the table has.
pub fn new_ones(mut patterns: HashMap<i64, Pattern>) -> spi::Result<HashMap<i64, Pattern>> {
    if patterns.is_empty() {
        return Ok(patterns);
    }
    let mut asked = Column::<i64>::default();
    for fingerprint in patterns.keys() {
        asked.push(fingerprint);
    }
    let found = known_patterns(asked)?;
    KNOWN.with_borrow_mut(|known| {
        if known.len() + found.len() > MOST_KNOWN {
            known.clear();
        }
        known.extend(&found);
    });
    for fingerprint in found {
        patterns.remove(&fingerprint);
    }
    Ok(patterns)
}

/// Puts new patterns above the source's limit of this minute into one of their level. Returns what
/// is left, and which fingerprint stands for each of the others.
pub fn within_limit(
    source: i64,
    now: Timestamp,
    patterns: HashMap<i64, Pattern>,
) -> (Vec<(i64, Pattern)>, HashMap<i64, i64>) {
    NEW.with_borrow_mut(|(minute, sources)| {
        let this_minute = now.as_second().div_euclid(60);
        if *minute != this_minute {
            *minute = this_minute;
            sources.clear();
        }
        let stored = sources.entry(source).or_default();
        let mut kept = Vec::with_capacity(patterns.len());
        let mut overflow: HashMap<Level, (i64, Pattern)> = HashMap::new();
        let mut renamed = HashMap::new();
        for (fingerprint, pattern) in patterns {
            if stored.contains(&fingerprint) || stored.len() < MOST_NEW {
                stored.insert(fingerprint);
                kept.push((fingerprint, pattern));
                continue;
            }
            let (shared, seen) = overflow
                .entry(pattern.level)
                .or_insert_with(|| overflow_of(&pattern));
            seen.second = seen.second.min(pattern.second);
            renamed.insert(fingerprint, *shared);
        }
        kept.extend(overflow.into_values());
        (kept, renamed)
    })
}

/// The pattern that stands for those above the limit, with the first of them as its sample.
fn overflow_of(first: &Pattern) -> (i64, Pattern) {
    let template = format!("(one of more than {MOST_NEW} new patterns in a minute)");
    (
        pattern::fingerprint(first.level, &template),
        Pattern {
            level: first.level,
            template,
            second: first.second,
            sample: first.sample.clone(),
        },
    )
}

/// Returns a message with its variable parts masked: a centre makes the patterns of its edges'
/// entries itself.
#[pg_extern(sql = false)]
fn template(message: &str) -> String {
    pattern::template(message)
}

#[pg_extern(sql = false)]
fn pattern_version() -> i32 {
    i32::from(pattern::VERSION)
}

/// Returns the fingerprint of a level and a template; None for a level that does not exist.
#[pg_extern(sql = false)]
fn fingerprint(level: &str, template: &str) -> Option<i64> {
    Some(pattern::fingerprint(Level::of_word(level.as_bytes())?, template))
}

/// Whether an earlier version of the masking gave a pattern this fingerprint.
#[pg_extern(sql = false)]
fn is_earlier(fingerprint: i64, level: &str, template: &str) -> bool {
    Level::of_word(level.as_bytes()).is_some_and(|level| pattern::is_earlier(fingerprint, level, template))
}
