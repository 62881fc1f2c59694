//! A cache of which templates the rules' regular expressions match, one in each session.
//!
//! PostgreSQL keeps 32 compiled expressions in a session and takes a hundred times as long to
//! compile one as to use it; a check tests the same few patterns against hundreds of rules. An
//! answer depends on the two texts only, so it never becomes stale.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use pgrx::fn_call::{Arg, FnCallError, fn_call};
use pgrx::prelude::*;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A regular expression without any of these matches its own text.
const SPECIAL: &[char] = &[
    '[', ']', '\\', '^', '$', '.', '|', '?', '*', '+', '(', ')', '{', '}',
];
/// Answers that are kept, in some 10 MB; beyond that the cache is emptied.
const MOST_ANSWERS: usize = 200_000;

struct Answers {
    /// Random in each session, so that nobody can write two texts that share a key.
    seed: u64,
    by_texts: HashMap<u128, bool>,
    /// A buffer for the two texts of a key.
    question: Vec<u8>,
}

thread_local! {
    static ANSWERS: RefCell<Answers> = RefCell::new(Answers {
        seed: RandomState::new().build_hasher().finish(),
        by_texts: HashMap::new(),
        question: Vec::new(),
    });
}

impl Answers {
    fn key(&mut self, template: &str, pattern: &str) -> u128 {
        self.question.clear();
        self.question.extend_from_slice(pattern.as_bytes());
        // A separator: no text of PostgreSQL holds a zero byte.
        self.question.push(0);
        self.question.extend_from_slice(template.as_bytes());
        xxh3_128_with_seed(&self.question, self.seed)
    }

    fn remember(&mut self, key: u128, answer: bool) {
        if self.by_texts.len() >= MOST_ANSWERS {
            self.by_texts.clear();
        }
        self.by_texts.insert(key, answer);
    }
}

/// Whether a regular expression matches its own text and nothing else.
#[pg_extern(sql = false)]
fn is_plain(pattern: &str) -> bool {
    !pattern.contains(SPECIAL)
}

/// Returns the result of `template ~ pattern`.
#[pg_extern(sql = false)]
fn pattern_matches(template: &str, pattern: &str) -> Result<Option<bool>, FnCallError> {
    // Most rules look for plain words.
    if is_plain(pattern) {
        return Ok(Some(template.contains(pattern)));
    }
    let (key, known) = ANSWERS.with_borrow_mut(|answers| {
        let key = answers.key(template, pattern);
        (key, answers.by_texts.get(&key).copied())
    });
    if known.is_some() {
        return Ok(known);
    }
    // Outside the borrow, because a bad expression raises an error.
    let answer = fn_call::<bool>(
        "pg_catalog.textregexeq",
        &[&Arg::Value(template), &Arg::Value(pattern)],
    )?;
    if let Some(answer) = answer {
        ANSWERS.with_borrow_mut(|answers| answers.remember(key, answer));
    }
    Ok(answer)
}
