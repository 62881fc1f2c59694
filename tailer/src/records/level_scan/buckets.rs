//! The vector half of the search: where four bytes in a row may begin something to look at.
//!
//! The method is the one of Hyperscan's "Teddy". The shapes are put into eight buckets; for each of
//! the four places a table says in which buckets a byte may stand there, by its low and by its high
//! half. Two shuffles look up 32 bytes at once, and a bit that is left in all four places is a
//! mark. A bucket that holds several shapes takes their mixtures too (`frit` for `fail` and
//! `crit`), and so do the halves of bytes: marks are hints, to be settled by `Candidates`.

#![allow(
    unsafe_code,
    reason = "vector instructions: asked for before they are used, and all loads end within a slice that was cut for them"
)]

/// A mark is made by a byte and the three after it.
const REACH: usize = 3;
/// The value of a missing byte behind the text.
const BLANK: u8 = b' ';

/// The bytes that may stand in one place; small letters mean capitals too. None: any byte.
type Set = Option<&'static [u8]>;

/// The buckets, without and with the shapes of a warning. What each shape is stands at
/// `Candidates`. They were put together so that few mixtures are common in logs: count marks before
/// you change one.
const fn buckets(warn: bool) -> [[Set; 4]; 8] {
    [
        // err, error, erro; ftl; wrn.
        if warn {
            [Some(b"efw"), Some(b"rt"), Some(b"rln"), None]
        } else {
            [Some(b"ef"), Some(b"rt"), Some(b"rl"), None]
        },
        // fail, fata(l), crit, eror, emer(g), FEHL(ER), FEL:, GRAV(E), HATA, SCHW(ERWIEGEND),
        // ALLV(ARLIG), KATA(STROFALNY); Tra(ceba)ck, cor(e-du)mp; LOG3.
        [
            Some(b"fceghslak"),
            Some(b"armec-lo"),
            Some(b"iteobdhalg"),
            Some(b"latruvw:01234"),
        ],
        // aler(t), seve(re), pani(c), exce(ption); warn.
        if warn {
            [Some(b"aspwe"), Some(b"leax"), Some(b"evnrc"), Some(b"rein")]
        } else {
            [Some(b"aspe"), Some(b"leax"), Some(b"evnc"), Some(b"rei")]
        },
        // A digit or a letter as a string, whatever follows: "3", "E"; Tornado's [E 2; cups' E [ at
        // the start of a line; sssd's (0x0; Gitea's [E]; an object's { alone in its line.
        [
            Some(b"\"[\n("),
            if warn {
                Some(b"0123456789efcaxw{")
            } else {
                Some(b"0123456789efcax{")
            },
            Some(b"\" x]\n\r"),
            None,
        ],
        // The end of a key before a number: l":5, y" :, o\":, \" :; an escaped character: \u003c;
        // Samba's ,  0; memory: Ki(lled); Ceph's 0 -1.
        [
            Some(b"lyor\\,:0"),
            Some(b"\"\\u "),
            Some(b": \"0k-"),
            Some(b"0123456789:i"),
        ],
        // A number of two digits as a string: "50"; one, or a letter, that ends escaped: "3\",
        // "E\". (dump)ed core; BUG:.
        [
            Some(b"\"db"),
            if warn {
                Some(b"0123456789efcauw")
            } else {
                Some(b"0123456789efcau")
            },
            Some(b"0123456789\\mg"),
            Some(b"\"\\p:"),
        ],
        // A letter at the start of a line, perhaps behind a hole of NULs: E0102, E, [ and E/Tag(.
        [
            Some(b"\n\t \"\0"),
            if warn { Some(b"efcaw") } else { Some(b"efca") },
            Some(b"0123456789,/"),
            None,
        ],
        // A lone letter after a number or a time: 5678 E Tag, .123 # msg, ] E [, Z E!; Passenger's
        // [ E 2; a key's quote before a number: ": 5.
        [
            Some(b"0123456789z\"]["),
            Some(b" :"),
            if warn { Some(b"efcamw# ") } else { Some(b"efcam# ") },
            Some(b"0123456789 !"),
        ],
    ]
}

/// Which buckets each byte may be in, by place.
type Table = [[u8; 256]; 4];

const fn table(warn: bool) -> Table {
    let buckets = buckets(warn);
    let mut table = [[0; 256]; 4];
    let mut bucket = 0;
    while bucket < 8 {
        let mut place = 0;
        while place < 4 {
            match buckets[bucket][place] {
                None => {
                    let mut byte = 0;
                    while byte < 256 {
                        table[place][byte] |= 1 << bucket;
                        byte += 1;
                    }
                }
                Some(bytes) => {
                    let mut i = 0;
                    while i < bytes.len() {
                        table[place][bytes[i] as usize] |= 1 << bucket;
                        table[place][bytes[i].to_ascii_uppercase() as usize] |= 1 << bucket;
                        i += 1;
                    }
                }
            }
            place += 1;
        }
        bucket += 1;
    }
    table
}

static TABLES: [Table; 2] = [table(false), table(true)];

/// The first mark of `text` from `at` on that counts.
pub fn find(warn: bool, text: &[u8], mut at: usize, mut counts: impl FnMut(usize) -> bool) -> Option<usize> {
    let table = &TABLES[usize::from(warn)];
    let is_mark = |at: usize| {
        let in_place = |place: usize| table[place][usize::from(*text.get(at + place).unwrap_or(&BLANK))];
        in_place(0) & in_place(1) & in_place(2) & in_place(REACH) != 0
            || text[at] == b'<'
            || begins_letter(text[at])
    };
    let mut counts = |at: usize| is_mark(at) && counts(at);
    #[cfg(target_arch = "x86_64")]
    {
        let found = if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the instructions.
            unsafe { avx2::find(&HALVES[usize::from(warn)], text, at, &mut counts) }
        } else {
            Err(at)
        };
        match found {
            Ok(mark) => return Some(mark),
            Err(end) => at = end,
        }
    }
    (at..text.len()).find(|&at| counts(at))
}

/// Returns true for the first byte of a letter beyond ASCII: a severity of another language may
/// have it.
fn begins_letter(byte: u8) -> bool {
    byte >= 0xC0
}

/// The table by half bytes: for each place the buckets of the 16 low and of the 16 high halves.
#[cfg(target_arch = "x86_64")]
type Halves = [[[u8; 16]; 2]; 4];

#[cfg(target_arch = "x86_64")]
const fn halves(table: &Table) -> Halves {
    let mut halves = [[[0; 16]; 2]; 4];
    let mut place = 0;
    while place < 4 {
        let mut byte = 0;
        while byte < 256 {
            halves[place][0][byte & 15] |= table[place][byte];
            halves[place][1][byte >> 4] |= table[place][byte];
            byte += 1;
        }
        place += 1;
    }
    halves
}

#[cfg(target_arch = "x86_64")]
static HALVES: [Halves; 2] = [halves(&table(false)), halves(&table(true))];

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Halves, REACH};

    const VECTOR: usize = 32;
    const STEP: usize = 2 * VECTOR;

    /// The first mark that counts; Err: from there on the text is too short for vectors.
    #[target_feature(enable = "avx2")]
    pub fn find(
        halves: &Halves,
        text: &[u8],
        mut at: usize,
        mut counts: impl FnMut(usize) -> bool,
    ) -> Result<usize, usize> {
        let wide = |half: &[u8; 16]| {
            // SAFETY: 16 bytes are there to be read.
            _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(half.as_ptr().cast()) })
        };
        let low = halves.map(|[low, _]| wide(&low));
        let high = halves.map(|[_, high]| wide(&high));
        let nibble = _mm256_set1_epi8(15);
        let less_than = _mm256_set1_epi8(b'<'.cast_signed());
        let below_letters = _mm256_set1_epi8(-65);
        let zero = _mm256_setzero_si256();
        while let Some(window) = text.get(at..at + STEP + REACH) {
            // Zero where there is no mark.
            let marks = |from: usize| {
                let in_place = |place: usize| {
                    // SAFETY: `from` is at most VECTOR and `place` at most REACH, so the 32 bytes
                    // end within the window.
                    let bytes = unsafe { _mm256_loadu_si256(window.as_ptr().add(from + place).cast()) };
                    // A shuffle looks at the low half only, and gives 0 for bytes beyond ASCII.
                    // Such bytes are in the last place at most.
                    let index = if place == REACH {
                        _mm256_and_si256(bytes, nibble)
                    } else {
                        bytes
                    };
                    let low = _mm256_shuffle_epi8(low[place], index);
                    let high = _mm256_shuffle_epi8(
                        high[place],
                        _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble),
                    );
                    (bytes, _mm256_and_si256(low, high))
                };
                let (bytes, first) = in_place(0);
                let both = _mm256_and_si256(first, in_place(1).1);
                let all = _mm256_and_si256(both, _mm256_and_si256(in_place(2).1, in_place(REACH).1));
                (_mm256_or_si256(all, _mm256_cmpeq_epi8(bytes, less_than)), bytes)
            };
            let ((first, low_bytes), (second, high_bytes)) = (marks(0), marks(VECTOR));
            let either = _mm256_or_si256(first, second);
            let beyond = _mm256_movemask_epi8(_mm256_or_si256(low_bytes, high_bytes)) != 0;
            if beyond || _mm256_testz_si256(either, either) == 0 {
                let bits = |marks| !_mm256_movemask_epi8(_mm256_cmpeq_epi8(marks, zero)).cast_unsigned();
                let mut bits = u64::from(bits(second)) << VECTOR | u64::from(bits(first));
                if beyond {
                    // 0xC0 to 0xFF are -64 to -1.
                    let begins = |bytes| {
                        let begins = _mm256_and_si256(bytes, _mm256_cmpgt_epi8(bytes, below_letters));
                        u64::from(_mm256_movemask_epi8(begins).cast_unsigned())
                    };
                    bits |= begins(high_bytes) << VECTOR | begins(low_bytes);
                }
                while bits != 0 {
                    let mark = at + bits.trailing_zeros() as usize;
                    if counts(mark) {
                        return Ok(mark);
                    }
                    bits &= bits - 1;
                }
            }
            at += STEP;
        }
        Err(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place and the marks of a text, as one of the searches gives them.
    type Search = fn(bool, &[u8], &mut dyn FnMut(usize) -> bool) -> Option<usize>;

    /// The searches that this processor can do.
    fn searches() -> Vec<(&'static str, Search)> {
        let mut searches: Vec<(&str, Search)> =
            vec![("what is chosen", |warn, text, counts| find(warn, text, 0, counts))];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the instructions.
            searches.push(("AVX2", |warn, text, counts| unsafe {
                avx2::find(&HALVES[usize::from(warn)], text, 0, counts).ok()
            }));
        }
        searches
    }

    fn is_mark(warn: bool, text: &[u8], at: usize) -> bool {
        let byte = |place: usize| usize::from(*text.get(at + place).unwrap_or(&BLANK));
        let table = &TABLES[usize::from(warn)];
        (0..4).fold(255, |bits, place| bits & table[place][byte(place)]) != 0
            || text[at] == b'<'
            || begins_letter(text[at])
    }

    #[test]
    fn vectors_mark_all_that_the_plain_table_marks() {
        let text: Vec<u8> = (0..40_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        // As far as the vectors of any of them go.
        let end = text.len() - 200;
        for warn in [false, true] {
            for (name, search) in searches() {
                let mut marked = vec![false; text.len()];
                let mut note = |mark: usize| {
                    marked[mark] = true;
                    false
                };
                assert_eq!(search(warn, &text, &mut note), None);
                for (at, &marked) in marked.iter().enumerate().take(end) {
                    let exact = name == "what is chosen";
                    assert!(marked || !is_mark(warn, &text, at), "{name} {at}");
                    assert!(!exact || !marked || is_mark(warn, &text, at), "{name} {at}");
                }
            }
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
}
