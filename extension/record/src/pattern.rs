//! The pattern of a message: the message with its variable parts masked, and the hash that stands for it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::Level;

/// The version of the masking. It is part of every fingerprint: a change of the masking never mixes with stored patterns.
pub const VERSION: u8 = 1;

/// The most bytes of a template.
const MAX_TEMPLATE: usize = 512;

/// The message with its variable parts masked, at most 512 bytes.
pub fn template(message: &str) -> String {
    let mut template = String::with_capacity(message.len());
    let mut digits = false;
    for c in message.chars() {
        if c.is_ascii_digit() {
            if !digits {
                template.push_str("<*>");
            }
            digits = true;
        } else {
            template.push(c);
            digits = false;
        }
    }
    template.truncate(template.floor_char_boundary(MAX_TEMPLATE));
    template
}

/// The hash of a pattern, as stored in `patterns.fingerprint`.
pub fn fingerprint(level: Level, template: &str) -> i64 {
    let seed = u64::from(VERSION) << 8 | level as u64;
    xxh3_64_with_seed(template.as_bytes(), seed).cast_signed()
}
