//! The identity of a source. It comes from the name alone, so that rows of several servers merge
//! without translation.

use xxhash_rust::xxh3::xxh3_64;

/// Returns the 64-bit hash of a source's name, as stored in `sources.id`.
pub fn id(name: &str) -> i64 {
    xxh3_64(name.as_bytes()).cast_signed()
}

/// Returns the 32-bit hash of a file's path, as stored in `paths.id` beside the source's id.
pub fn path_id(path: &str) -> i32 {
    xxh3_64(path.as_bytes()) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_the_same_id_forever() {
        // Stored in every installation: a change here would orphan their rows.
        assert_eq!(id(""), 0x2d06_8005_38d3_94c2);
        assert_ne!(id("web-1"), id("web-2"));
        assert_eq!(path_id(""), 0x38d3_94c2);
        assert_ne!(path_id("/var/log/a"), path_id("/var/log/b"));
    }
}
