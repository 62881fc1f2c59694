//! Which templates a rule's regular expressions match, remembered for the session.
//!
//! PostgreSQL keeps 32 compiled expressions in a session and takes a hundred times as long to compile one as to use it; a check asks hundreds of
//! rules about the same few patterns over and over. The answer depends on the two texts only, so that nothing ever makes it stale.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use pgrx::fn_call::{Arg, FnCallError, fn_call};
use pgrx::prelude::*;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// What a regular expression without any of these looks for is its own text.
const SPECIAL: &[char] = &[
    '[', ']', '\\', '^', '$', '.', '|', '?', '*', '+', '(', ')', '{', '}',
];
/// So many answers take some 10 MB; then it begins anew.
const MOST_ANSWERS: usize = 200_000;

struct Answers {
    /// Another one in each session, so that no log text can be made to be taken for another.
    seed: u64,
    by_texts: HashMap<u128, bool>,
    /// The two texts of the question, kept for its memory.
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
        // No text of PostgreSQL holds a zero byte.
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

/// What `template ~ pattern` says.
#[pg_extern(sql = false)]
fn pattern_matches(template: &str, pattern: &str) -> Result<Option<bool>, FnCallError> {
    // Most rules look for plain words.
    if !pattern.contains(SPECIAL) {
        return Ok(Some(template.contains(pattern)));
    }
    let (key, known) = ANSWERS.with_borrow_mut(|answers| {
        let key = answers.key(template, pattern);
        (key, answers.by_texts.get(&key).copied())
    });
    if known.is_some() {
        return Ok(known);
    }
    // Not within the borrow: a bad expression is an error.
    let answer = fn_call::<bool>(
        "pg_catalog.textregexeq",
        &[&Arg::Value(template), &Arg::Value(pattern)],
    )?;
    if let Some(answer) = answer {
        ANSWERS.with_borrow_mut(|answers| answers.remember(key, answer));
    }
    Ok(answer)
}
