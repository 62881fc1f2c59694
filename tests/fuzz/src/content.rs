//! Any part of a file reads as the same part of the whole: plain, compressed, UTF-16, whole or
//! damaged.

use std::cell::RefCell;
use std::io::{Read, Seek, Write};

use flate2::read::MultiGzDecoder;
use logwatch_tailer::source::bytes::Bytes;
use logwatch_tailer::source::identity::Sample;

use crate::choices;

thread_local! {
    /// Written anew for each input.
    static FILE: RefCell<tempfile::NamedTempFile> = RefCell::new(tempfile::NamedTempFile::new().expect("a temporary directory"));
}

pub fn check(input: &[u8]) {
    let ([kind, times, at, length], bytes) = choices(input);
    // Long enough for several reads, now and then.
    let times = if times < 250 {
        1
    } else {
        usize::from(times - 249) * 100
    };
    let bytes = match kind % 12 {
        8 => zstd(&bytes.repeat(times)),
        9 => xz(&bytes.repeat(times)),
        10 => bzip2(&bytes.repeat(times)),
        11 => match at % 3 {
            0 => damaged(zstd(bytes), at, length),
            1 => damaged(xz(bytes), at, length),
            _ => damaged(bzip2(bytes), at, length),
        },
        0 => [b"\xff\xfe", &bytes.repeat(times)[..]].concat(),
        1 => [b"\xfe\xff", &bytes.repeat(times)[..]].concat(),
        2 => compressed(&bytes.repeat(times)),
        3 => compressed(&[b"\xff\xfe", &bytes.repeat(times)[..]].concat()),
        // Damaged in one place.
        4 => damaged(compressed(bytes), at, length),
        // Several members, the last one cut off.
        5 => {
            let one = compressed(bytes);
            [&one[..], &one[..one.len() * usize::from(length) / 256]].concat()
        }
        _ => bytes.to_vec(),
    };
    FILE.with_borrow_mut(|file| {
        let written = file
            .rewind()
            .and_then(|()| file.as_file().set_len(0))
            .and_then(|()| file.write_all(&bytes));
        written.expect("a writable temporary file");
        let path = file.path().to_path_buf();
        let (expected, whole) = text_of(&bytes);
        let mut content = Bytes::open(&path).expect("a readable temporary file");
        for offset in [0, usize::from(at) * 7, expected.len() / 2, usize::from(at), 0] {
            let mut buffer = vec![0; usize::from(length) + 1];
            let there = expected.get(offset..).unwrap_or_default();
            match content.read_at(offset as u64, &mut buffer) {
                Ok(count) if whole => {
                    assert_eq!(&buffer[..count], &there[..count.min(there.len())], "at {offset}");
                    assert!(count > 0 || there.is_empty(), "at {offset} there is more");
                }
                // The bytes before the damage can be read, and the damage is never the end of the
                // file.
                Ok(count) => {
                    let known = count.min(there.len());
                    assert_eq!(&buffer[..known], &there[..known], "at {offset}");
                    assert!(
                        count > 0 || !there.is_empty() || content.plain_size().is_err(),
                        "at {offset} a damaged file ends"
                    );
                }
                Err(_) => assert!(!whole, "at {offset} of a whole file"),
            }
        }
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 * (usize::from(length) + 1)];
        while let Ok(count @ 1..) = content.read_at(all.len() as u64, &mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(all.len(), expected.len());
        assert!(all == expected);
        assert_eq!(content.plain_size().is_ok(), whole);
        if whole {
            assert_eq!(content.plain_size().ok(), Some(expected.len() as u64));
        }
        let _ = content.end_of_nuls(usize::from(at) as u64);
    });
}

/// The text of a file, as far as it can be read, and whether that is all.
fn text_of(bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut raw = Vec::new();
    let whole = match bytes {
        [0x1f, 0x8b, ..] => MultiGzDecoder::new(bytes).read_to_end(&mut raw).is_ok(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::Decoder::new(bytes)
            .and_then(|mut decoder| decoder.read_to_end(&mut raw))
            .is_ok(),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => liblzma::read::XzDecoder::new_multi_decoder(bytes)
            .read_to_end(&mut raw)
            .is_ok(),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => bzip2::read::MultiBzDecoder::new(bytes)
            .read_to_end(&mut raw)
            .is_ok(),
        _ => {
            raw.extend_from_slice(bytes);
            true
        }
    };
    let unit: fn([u8; 2]) -> u16 = match raw.get(..2) {
        Some(b"\xff\xfe") => u16::from_le_bytes,
        Some(b"\xfe\xff") => u16::from_be_bytes,
        _ => return (raw, whole),
    };
    let mut units: Vec<u16> = raw[2..]
        .chunks_exact(2)
        .map(|pair| unit([pair[0], pair[1]]))
        .collect();
    units.pop_if(|last| (0xd800..0xdc00).contains(last));
    let mut text = Vec::new();
    for character in char::decode_utf16(units) {
        match character {
            Ok(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(_) => text.push(0xff),
        }
    }
    (text, whole)
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory takes it")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory takes it")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let read = liblzma::read::XzEncoder::new(bytes, 0).read_to_end(&mut packed);
    read.expect("memory takes it");
    packed
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let read = bzip2::read::BzEncoder::new(bytes, bzip2::Compression::fast()).read_to_end(&mut packed);
    read.expect("memory takes it");
    packed
}

fn damaged(mut bytes: Vec<u8>, at: u8, with: u8) -> Vec<u8> {
    let at = 2 + usize::from(at) % (bytes.len() - 2);
    bytes[at] ^= with;
    bytes
}
