//! Classes of bytes. A look in a table is cheaper than several comparisons, for what sees each byte
//! of a line.

/// A letter, a digit or an underscore.
pub(crate) const WORD: u8 = 1;
/// A byte of a key of logfmt.
pub(crate) const KEY: u8 = 2;
pub(crate) const LETTER: u8 = 4;
/// A byte of a token of a message: no blank, quote, bracket or other separator.
pub(crate) const TOKEN: u8 = 8;
pub(crate) const TOKEN_OR_COLON: u8 = 16;
/// A byte of a container's name.
pub(crate) const NAME: u8 = 32;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => WORD | KEY | NAME | TOKEN | TOKEN_OR_COLON,
            b'A'..=b'Z' | b'a'..=b'z' => WORD | KEY | NAME | LETTER | TOKEN | TOKEN_OR_COLON,
            b'_' => WORD | KEY | NAME | TOKEN | TOKEN_OR_COLON,
            b'.' | b'-' => KEY | NAME | TOKEN | TOKEN_OR_COLON,
            b'@' | b'/' => KEY | TOKEN | TOKEN_OR_COLON,
            b':' => TOKEN_OR_COLON,
            b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' | 0x80.. => 0,
            b'"' | b'\'' | b'`' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' => 0,
            b',' | b';' | b'|' | b'=' => 0,
            _ => TOKEN | TOKEN_OR_COLON,
        };
        byte += 1;
    }
    classes
};

#[inline]
pub(crate) fn is(class: u8, byte: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// Returns the count of bytes at the start that are of this class.
#[inline]
pub(crate) fn run(class: u8, bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| !is(class, *byte));
    end.unwrap_or(bytes.len())
}
