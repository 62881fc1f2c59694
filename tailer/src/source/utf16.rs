//! A UTF-16 file read as UTF-8: what Windows programs and .NET write.
//!
//! Offsets are those of the text that comes out. To go to one without decoding all that is before
//! it, places where a character starts are remembered on the way. A lone surrogate becomes a byte
//! that is no UTF-8, so that the record is flagged as any other bad text is.

use std::io;

use super::identity::fill;

/// Number of bytes of the file that are decoded at once.
const CHUNK: usize = 64 * 1024;
/// At most one place is remembered for so many bytes of text.
const STEP: u64 = 256 * 1024;
const MARK: u64 = 2;
/// Replaces a code unit that is no character: never a byte of UTF-8.
const BAD: u8 = 0xff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    /// Reads the byte order from the first two bytes of a file.
    pub fn of(mark: [u8; 2]) -> Option<Order> {
        match mark {
            [0xff, 0xfe] => Some(Order::Little),
            [0xfe, 0xff] => Some(Order::Big),
            _ => None,
        }
    }

    fn unit(self, pair: &[u8]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
            Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
        }
    }
}

/// Where a character starts, in the text and in the file.
#[derive(Clone, Copy)]
struct Place {
    text: u64,
    raw: u64,
}

pub struct Utf16 {
    order: Order,
    places: Vec<Place>,
}

impl Utf16 {
    /// The text of a file that starts with the mark of this order.
    pub fn new(order: Order) -> Utf16 {
        Utf16 {
            order,
            places: vec![Place { text: 0, raw: MARK }],
        }
    }

    /// Reads text. `raw` reads bytes of the file.
    pub fn read_at(
        &mut self,
        raw: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
        offset: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let mut count = 0;
        let end = self.decode(raw, offset, |at, text| {
            // Skips the text before `offset`.
            let skip = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
            let fresh = text.get(skip..).unwrap_or_default();
            let room = (buffer.len() - count).min(fresh.len());
            buffer[count..count + room].copy_from_slice(&fresh[..room]);
            count += room;
            count < buffer.len()
        });
        // Returns the text before the damage first; the next read reports the damage.
        if count > 0 { Ok(count) } else { end.map(|()| 0) }
    }

    /// The number of bytes of the text.
    pub fn length(&mut self, raw: impl FnMut(u64, &mut [u8]) -> io::Result<usize>) -> io::Result<u64> {
        let mut length = 0;
        self.decode(raw, u64::MAX, |at, text| {
            length = at + text.len() as u64;
            true
        })?;
        Ok(length)
    }

    /// Hands out pieces of text with their offsets, from one at or before `offset` on, until `take`
    /// has enough or the file ends.
    fn decode(
        &mut self,
        mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
        offset: u64,
        mut take: impl FnMut(u64, &[u8]) -> bool,
    ) -> io::Result<()> {
        let after = self.places.partition_point(|place| place.text <= offset);
        let mut place = self.places[after.saturating_sub(1)];
        let mut raw = vec![0; CHUNK];
        let mut text = Vec::with_capacity(CHUNK * 3 / 2);
        loop {
            // As many bytes as there are, perhaps before an error.
            let mut count = 0;
            let end = fill(&mut raw, |at, rest| {
                let more = read(place.raw + at, rest)?;
                count += more;
                Ok(more)
            });
            text.clear();
            let used = decode_whole(&raw[..count], self.order, &mut text);
            if used == 0 {
                return end.map(|_| ());
            }
            let enough = !take(place.text, &text);
            place = Place {
                text: place.text + text.len() as u64,
                raw: place.raw + used as u64,
            };
            if self
                .places
                .last()
                .is_some_and(|last| place.text >= last.text + STEP)
            {
                self.places.push(place);
            }
            if enough {
                return Ok(());
            }
        }
    }
}

/// Decodes the characters that are whole, and returns how many bytes they were.
fn decode_whole(raw: &[u8], order: Order, text: &mut Vec<u8>) -> usize {
    let mut units: Vec<u16> = raw.chunks_exact(2).map(|pair| order.unit(pair)).collect();
    // The other half of the last one is still to come.
    if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
        units.pop();
    }
    for character in char::decode_utf16(units.iter().copied()) {
        match character {
            Ok(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(_) => text.push(BAD),
        }
    }
    units.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::bytes::Bytes;
    use crate::source::identity::Sample;
    use std::io::Write;

    fn encoded(text: &str, order: Order) -> Vec<u8> {
        std::iter::once(0xfeff)
            .chain(text.encode_utf16())
            .flat_map(|unit| match order {
                Order::Little => unit.to_le_bytes(),
                Order::Big => unit.to_be_bytes(),
            })
            .collect()
    }

    fn content(bytes: &[u8]) -> Bytes {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Bytes::open(file.path()).unwrap()
    }

    #[test]
    fn any_part_of_the_text_can_be_read() {
        let text = "ERROR naïve 日本 😀 x\n".repeat(60_000);
        for order in [Order::Little, Order::Big] {
            let mut content = content(&encoded(&text, order));
            assert!(!content.is_plain());
            assert_eq!(content.plain_size().unwrap(), text.len() as u64);
            let mut buffer = [0; 1000];
            for offset in [0, text.len() - 1000, 700_001, 3, 300_000] {
                assert!(content.fill_at(offset as u64, &mut buffer).unwrap());
                assert_eq!(buffer, text.as_bytes()[offset..offset + 1000]);
            }
            assert_eq!(content.read_at(text.len() as u64, &mut buffer).unwrap(), 0);
        }
    }

    #[test]
    fn half_a_character_is_left_for_later_and_a_lone_one_is_bad() {
        let whole = encoded("a😀b", Order::Little);
        for (length, text) in [
            (2, &b""[..]),
            (3, b""),
            (4, b"a"),
            (6, b"a"),
            (7, b"a"),
            (8, "a😀".as_bytes()),
        ] {
            let mut buffer = [0; 16];
            let count = content(&whole[..length]).read_at(0, &mut buffer).unwrap();
            assert_eq!(&buffer[..count], text, "{length}");
        }
        let mut buffer = [0; 16];
        let mut content = content(b"\xff\xfea\0\0\xd8b\0");
        assert_eq!(content.read_at(0, &mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..3], b"a\xffb");
    }
}
