//! The vector half of the search: where four bytes in a row may begin something to look at.
//!
//! The method is the one of Hyperscan's "Teddy". The shapes are put into eight buckets; for each of
//! the four places a table tells in which buckets a byte may stand there, by its low and by its
//! high half. Two shuffles look up 32 bytes at once, and a bit that is left in all four places is a
//! mark. A bucket that holds several shapes takes their mixtures too (`frit` for `fail` and
//! `crit`), and so do the halves of bytes: marks are hints, to be settled by `Candidates`.
//!
//! The crates aho-corasick and regex have no such search: theirs takes at most 64 texts, as
//! written, and these shapes in any case are thousands of texts.

#![allow(
    unsafe_code,
    reason = "vector instructions: asked for before they are used, and all loads end within a slice that was cut for them"
)]

/// A mark is made by a byte and the three after it.
const REACH: usize = 3;
/// The value of a missing byte behind the text.
const BLANK: u8 = b' ';

/// A bucket, and the bytes that may stand in each of the four places. Small letters mean capitals
/// too.
type Shape = (u8, [&'static [u8]; 4]);

/// Any byte, in the last place only.
const ANY: &[u8] = b"";
const DIGIT: &[u8] = b"0123456789";
/// The start of a line, perhaps behind a hole of NULs.
const START: &[u8] = b"\n\t \"\0";

/// Each bucket's shapes. [`Candidates`](super::Candidates) tells which programs write them. They are
/// distributed so that few mixtures are common in logs: count the marks in several logs before you
/// move one (the contract is `make bench ONLY=scan`).
const SHAPES: &[Shape] = &[
    (0, word(b"err")),
    (0, word(b"ftl")),
    (0, word(b"crt")),
    (0, word(b"fel:")),
    (0, word(b"ceba")),               // Tra(ceba)ck
    (0, [b"\n", b"{", b"\n\r", ANY]), // an object's { alone in its line
    (1, word(b"fail")),
    (1, word(b"fata")),
    (1, word(b"fatl")),
    (1, word(b"fehl")),
    (1, word(b"hata")),
    (1, word(b"schw")),
    (1, word(b"kata")),
    (1, word(b"seve")),
    (1, word(b"pani")),
    (2, word(b"eror")),
    (2, word(b"e-du")),                // cor(e-du)mp
    (2, [b"l", b"o", b"g", b"01234"]), // stunnel
    (2, word(b"exce")),
    (2, word(b": ki")),                           // memory: Ki(lled)
    (3, [b"\"", b"0123456789efcax", b"\"", ANY]), // "3", "E"
    (3, [b"[", b"efcax ", b" ", ANY]),            // Tornado's [E 2
    (3, [b"[", b"efca", b"]", ANY]),              // Gitea's [E]
    (3, [b"-", b"0123", b"-", ANY]),              // Cisco's LINK-3-U
    (3, word(b"(0x")),                            // sssd's (0x0
    (4, word(b"crit")),
    (4, word(b"grav")),
    (4, [b"lyor", b"\"", b":", DIGIT]), // a key before a number: l":5
    (4, [b"lyor", b"\"", b" ", b":"]),  // y" :
    (4, [b"lyor", b"\\", b"\"", b":"]), // escaped: l\":
    (4, [b"\\", b"\"", b" ", b":"]),    // \" :
    (4, [b"\\", b"u", b"0", DIGIT]),    // an escaped character: \u003c
    (4, word(b"dump")),                 // dump(ed core)
    (4, word(b"bug:")),
    (4, word(b"t===")), // (=CRASH REPOR)T====
    (5, word(b"emer")),
    (5, word(b"allv")),
    (5, word(b"aler")),
    (5, [b"\"", DIGIT, DIGIT, b"\"\\"]),           // "50"
    (5, [b"\"", b"0123456789efca", b"\\", b"\""]), // "3\"
    (6, [START, b"efcax", b" \t", ANY]),           // cups' E [, ESP-IDF's E (, WebSphere's E
    (6, [START, b"efca", DIGIT, ANY]),             // glog
    (6, [START, b"efca", b",/", ANY]),             // Ruby, Android
    (6, [b"[", b"efca", b":", b"o"]),              // ONNX Runtime's [E:o
    (6, [b"[", b"efca", DIGIT, DIGIT]),            // PyTorch's [E1128
    (6, [START, b"efcax", b"[", ANY]),             // CometBFT's E[
    (7, word(b",  0")),                            // Samba's ,  0
    (7, word(b"0 -1")),                            // Ceph's 0 -1
    // 5678 E Tag, .123 # msg, ] E [, Z E!, .123: E tensorflow
    (7, [b"0123456789z]:", b" ", b"efcam#", b" !"]),
    (7, [b"[", b" ", b"efcax", b" "]), // Passenger's [ E 2
    (7, [b"]", b":", b"efca", DIGIT]), // PyTorch's ]:E1
    (7, [b"\"", b":", b" ", DIGIT]),   // ": 5
];

/// The shapes that join for a warning.
const WARNINGS: &[Shape] = &[
    (0, word(b"wrn")),
    (3, [b"\"", b"w", b"\"", ANY]),
    (3, [b"[", b"w", b" ", ANY]),
    (3, [b"[", b"w", b"]", ANY]),
    (5, word(b"warn")),
    (5, [b"\"", b"w", b"\\", b"\""]),
    (3, [b"-", b"4", b"-", ANY]),
    (6, [b"[", b"w", b":", b"o"]),
    (6, [START, b"w", b" \t", ANY]),
    (6, [b"[", b"w", DIGIT, DIGIT]),
    (7, [b"]", b":", b"w", DIGIT]),
    (6, [START, b"w", DIGIT, ANY]),
    (6, [START, b"w", b",/[", ANY]),
    (7, [b"0123456789z]:", b" ", b"w", b" !"]),
    (7, [b"[", b" ", b"w", b" "]),
];

/// Returns the places of three or four bytes as they are.
const fn word(text: &'static [u8]) -> [&'static [u8]; 4] {
    let (first, rest) = text.split_at(1);
    let (second, rest) = rest.split_at(1);
    let (third, last) = rest.split_at(1);
    [first, second, third, last]
}

/// For each place the buckets of the 16 low and of the 16 high halves of a byte.
type Halves = [[[u8; 16]; 2]; 4];

static HALVES: [Halves; 2] = [halves(&[SHAPES]), halves(&[SHAPES, WARNINGS])];

const fn halves(shapes: &[&[Shape]]) -> Halves {
    let mut halves = [[[0; 16]; 2]; 4];
    let mut list = 0;
    while list < shapes.len() {
        let mut shape = 0;
        while shape < shapes[list].len() {
            let (bucket, places) = shapes[list][shape];
            let mut place = 0;
            while place < 4 {
                add(&mut halves[place], 1 << bucket, places[place]);
                place += 1;
            }
            shape += 1;
        }
        list += 1;
    }
    halves
}

const fn add([low, high]: &mut [[u8; 16]; 2], bit: u8, bytes: &[u8]) {
    let mut at = 0;
    while at < bytes.len() || bytes.is_empty() && at < 16 {
        let (byte, capital) = match bytes.is_empty() {
            true => (at as u8 * 17, at as u8 * 17),
            false => (bytes[at], bytes[at].to_ascii_uppercase()),
        };
        low[(byte & 15) as usize] |= bit;
        high[(byte >> 4) as usize] |= bit;
        high[(capital >> 4) as usize] |= bit;
        at += 1;
    }
}

/// Returns true where four bytes make a mark, as the vectors find it: for them no byte beyond ASCII
/// stands in the first three places.
fn is_mark(halves: &Halves, text: &[u8], at: usize) -> bool {
    let in_place = |place: usize| {
        let byte = *text.get(at + place).unwrap_or(&BLANK);
        let [low, high] = halves[place];
        match place < REACH && !byte.is_ascii() {
            true => 0,
            false => low[usize::from(byte & 15)] & high[usize::from(byte >> 4)],
        }
    };
    in_place(0) & in_place(1) & in_place(2) & in_place(REACH) != 0 || text[at] == b'<' || text[at] >= LETTER
}

/// The first byte of a letter beyond ASCII, or a higher one: a severity of another language may
/// have it.
const LETTER: u8 = 0xC0;

/// Returns the first mark of `text` from `at` on that counts.
pub fn find(warn: bool, text: &[u8], mut at: usize, mut counts: impl FnMut(usize) -> bool) -> Option<usize> {
    let halves = &HALVES[usize::from(warn)];
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the instructions.
        match unsafe { avx2::find(halves, text, at, &mut counts) } {
            Ok(mark) => return Some(mark),
            Err(end) => at = end,
        }
    }
    (at..text.len()).find(|&at| is_mark(halves, text, at) && counts(at))
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Halves, LETTER, REACH};

    const VECTOR: usize = 32;

    /// Returns the first mark that counts; Err: from there on the text is too short for vectors.
    #[target_feature(enable = "avx2")]
    pub fn find(
        halves: &Halves,
        text: &[u8],
        mut at: usize,
        counts: &mut impl FnMut(usize) -> bool,
    ) -> Result<usize, usize> {
        let tables = halves.map(|[low, high]| [wide(low), wide(high)]);
        let less_than = _mm256_set1_epi8(b'<'.cast_signed());
        let letter = _mm256_set1_epi8(LETTER.cast_signed());
        while let Some(window) = text.get(at..at + VECTOR + REACH) {
            let [bytes, second, third, last] =
                [load(window, 0), load(window, 1), load(window, 2), load(window, 3)];
            // A shuffle gives 0 for bytes beyond ASCII, which may stand in the last place.
            let low_last = _mm256_and_si256(last, _mm256_set1_epi8(15));
            let first_two = _mm256_and_si256(
                in_place(tables[0], bytes, bytes),
                in_place(tables[1], second, second),
            );
            let last_two = _mm256_and_si256(
                in_place(tables[2], third, third),
                in_place(tables[REACH], last, low_last),
            );
            let alone = _mm256_or_si256(
                _mm256_cmpeq_epi8(bytes, less_than),
                _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, letter), bytes),
            );
            let marks = _mm256_or_si256(_mm256_and_si256(first_two, last_two), alone);
            let mut bits =
                !_mm256_movemask_epi8(_mm256_cmpeq_epi8(marks, _mm256_setzero_si256())).cast_unsigned();
            while bits != 0 {
                let mark = at + bits.trailing_zeros() as usize;
                if counts(mark) {
                    return Ok(mark);
                }
                bits &= bits - 1;
            }
            at += VECTOR;
        }
        Err(at)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn wide(half: [u8; 16]) -> __m256i {
        // SAFETY: 16 bytes are there to be read.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(half.as_ptr().cast()) })
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(window: &[u8], place: usize) -> __m256i {
        let bytes = &window[place..place + VECTOR];
        // SAFETY: 32 bytes are there to be read.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// Returns the buckets in which each byte may stand in this place.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn in_place([low, high]: [__m256i; 2], bytes: __m256i, low_half: __m256i) -> __m256i {
        let high_half = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), _mm256_set1_epi8(15));
        _mm256_and_si256(
            _mm256_shuffle_epi8(low, low_half),
            _mm256_shuffle_epi8(high, high_half),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(warn: bool, text: &[u8]) -> Vec<usize> {
        let mut marks = Vec::new();
        find(warn, text, 0, |mark| {
            marks.push(mark);
            false
        });
        marks
    }

    #[test]
    fn vectors_mark_what_the_plain_search_marks() {
        let noise = (0..40_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
        let text: Vec<u8> = noise.chain(*b" an error; \"level\":50 <3>").collect();
        for warn in [false, true] {
            let plain: Vec<usize> = (0..text.len())
                .filter(|&at| is_mark(&HALVES[usize::from(warn)], &text, at))
                .collect();
            assert!(plain.len() > 1000);
            assert_eq!(marks(warn, &text), plain);
        }
    }

    #[test]
    fn the_end_of_a_text_is_searched_too() {
        let text = [&b"x".repeat(300)[..], b" error"].concat();
        for from in 0..300 {
            let text = &text[from..];
            assert_eq!(find(false, text, 0, |_| true), Some(text.len() - 5));
        }
    }

    #[test]
    fn few_places_of_a_usual_log_are_marks() {
        let text = include_str!("../../../../tests/corpus/daemons.tsv");
        let marks = marks(false, text.as_bytes()).len();
        assert!(marks * 20 < text.len(), "{marks} of {}", text.len());
    }
}
