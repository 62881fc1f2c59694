//! The inputs that are kept: a file for each target, an input in each line, with escapes as in a
//! Rust byte string. `corpus` holds the fewest that reach everything, `found` those that once broke
//! something.

use std::path::PathBuf;

/// The file of a target's inputs in one of the folders.
pub fn file(folder: &str, target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(target)
        .with_extension("txt")
}

/// A line of such a file.
pub fn escaped(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}

/// The input of a line; None for a line that is none.
pub fn unescaped(line: &str) -> Option<Vec<u8>> {
    let mut input = Vec::with_capacity(line.len());
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        input.push(match byte {
            b'\\' => match bytes.next()? {
                b't' => b'\t',
                b'r' => b'\r',
                b'n' => b'\n',
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                itself @ (b'\\' | b'\'' | b'"') => itself,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_its_line() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescaped(&escaped(&all)), Some(all));
        assert_eq!(unescaped(r"\q"), None);
    }
}
