//! Which file is this? Device and inode are a hint; the bytes before the offset are the proof.
//!
//! An inode is given to the next file at once (ext4 did so twenty times in twenty), and a truncated
//! file may grow past the old offset. So what was read is remembered by two hashes – of the file's
//! first bytes and of those right before the offset – and compared before anything more is read.
//! One mechanism settles inode reuse, truncation, restored files and compressed siblings.

use std::io;

use xxhash_rust::xxh3::xxh3_64;

use super::inputs::Seen;

/// The most bytes of the head and of the tail that are hashed.
pub const HEAD: usize = 1024;
pub const TAIL: usize = 256;

/// Bytes by their offset in the plain text: of a file, or of a model of one.
pub trait Sample {
    /// Fills the buffer from `offset`; false when the bytes end before.
    fn fill_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<bool>;
    /// Returns the number of bytes of the plain text. Reads all of a compressed file.
    fn plain_size(&mut self) -> io::Result<u64>;
    fn is_compressed(&self) -> bool;
    /// Returns true when a compressed file says itself that it has this length. A no is not sure.
    fn says_length(&self, length: u64) -> bool;
    /// Returns what it is when it is an archive, which is never read as a log.
    fn archive(&mut self) -> Option<&'static str>;
    /// Closes the file that was seen there; each read opens it anew.
    fn close(&mut self, _seen: &Seen) {}
}

/// Fills the buffer as far as the file goes, and returns how far. `read` gets the place in the
/// buffer.
pub(super) fn fill(
    buffer: &mut [u8],
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(filled as u64, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The proof of a file at an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The offset: all bytes before it have been dealt with.
    pub offset: u64,
    pub head_bytes: usize,
    pub head_hash: i64,
    pub tail_bytes: usize,
    pub tail_hash: i64,
}

impl Proof {
    /// The proof at `offset`: `head` holds the file's first bytes (at least `HEAD` of them or all
    /// before the offset), `tail` the bytes that end at the offset.
    pub fn of(offset: u64, head: &[u8], tail: &[u8]) -> Proof {
        let head = &head[..head.len().min(HEAD).min(usize::try_from(offset).unwrap_or(HEAD))];
        let tail = &tail[tail.len().saturating_sub(TAIL)..];
        Proof {
            offset,
            head_bytes: head.len(),
            head_hash: hash(head),
            tail_bytes: tail.len(),
            tail_hash: hash(tail),
        }
    }

    /// The file's bytes that the proof speaks of, if it is the same file; None when it is another,
    /// or shorter.
    pub fn check(&self, content: &mut impl Sample) -> io::Result<Option<Proven>> {
        let Some(tail_from) = self.offset.checked_sub(self.tail_bytes as u64) else {
            return Ok(None);
        };
        let mut head = vec![0; self.head_bytes.min(HEAD)];
        let mut tail = vec![0; self.tail_bytes.min(TAIL)];
        if !content.fill_at(0, &mut head)? || !head.is_empty() && hash(&head) != self.head_hash {
            return Ok(None);
        }
        if !content.fill_at(tail_from, &mut tail)? || !tail.is_empty() && hash(&tail) != self.tail_hash {
            return Ok(None);
        }
        Ok(Some(Proven { head, tail }))
    }

    /// A weaker proof of the same file at an earlier offset.
    pub fn head_only(&self, offset: u64) -> Proof {
        let (head_bytes, head_hash) = if self.head_bytes as u64 <= offset {
            (self.head_bytes, self.head_hash)
        } else {
            (0, hash(&[]))
        };
        Proof {
            offset,
            head_bytes,
            head_hash,
            tail_bytes: 0,
            tail_hash: hash(&[]),
        }
    }

    /// Returns those of a file's first bytes that the proof speaks of; nothing when they are
    /// others.
    pub fn head_of(&self, mut head: Vec<u8>) -> Vec<u8> {
        if self.is_headed(&head) {
            head.truncate(self.head_bytes);
        } else {
            head.clear();
        }
        head
    }

    /// Returns true when a file that begins with these bytes has the same head.
    pub fn is_headed(&self, start: &[u8]) -> bool {
        start
            .get(..self.head_bytes)
            .is_some_and(|head| head.is_empty() || hash(head) == self.head_hash)
    }

    /// True when there is something that a file can be recognised by.
    pub fn says_something(&self) -> bool {
        self.offset > 0 && self.head_bytes + self.tail_bytes > 0
    }
}

/// The bytes that a proof was about.
#[derive(Default)]
pub struct Proven {
    pub head: Vec<u8>,
    pub tail: Vec<u8>,
}

/// True when the first `size` bytes of both are the same, as far as their beginning and their end
/// say.
pub fn are_same(a: &mut impl Sample, b: &mut impl Sample, size: u64) -> bool {
    let length = |most: usize| usize::try_from(size).unwrap_or(most).min(most);
    let (head, tail) = (length(HEAD), length(TAIL));
    let mut same = |from: u64, length: usize| {
        let (mut of_a, mut of_b) = (vec![0; length], vec![0; length]);
        a.fill_at(from, &mut of_a).unwrap_or(false)
            && b.fill_at(from, &mut of_b).unwrap_or(false)
            && of_a == of_b
    };
    size > 0 && same(0, head) && same(size - tail as u64, tail)
}

/// Returns the proof at `offset` and the bytes that it is about; `None` when the file ends before.
pub fn proof_at(content: &mut impl Sample, offset: u64) -> io::Result<Option<(Proof, Proven)>> {
    let length = |most: usize| usize::try_from(offset).unwrap_or(most).min(most);
    let (mut head, mut tail) = (vec![0; length(HEAD)], vec![0; length(TAIL)]);
    let filled = content.fill_at(0, &mut head)? && content.fill_at(offset - tail.len() as u64, &mut tail)?;
    Ok(filled.then(|| (Proof::of(offset, &head, &tail), Proven { head, tail })))
}

/// Returns the hash as the database stores it.
pub fn hash(bytes: &[u8]) -> i64 {
    xxh3_64(bytes).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    use crate::source::bytes::Bytes;

    fn file(bytes: &[u8]) -> Bytes {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Bytes::open(file.path()).unwrap()
    }

    fn proof(bytes: &[u8]) -> Proof {
        Proof::of(bytes.len() as u64, bytes, bytes)
    }

    fn is_same(proof: &Proof, bytes: &[u8]) -> bool {
        proof.check(&mut file(bytes)).unwrap().is_some()
    }

    #[test]
    fn the_same_bytes_are_the_same_file_and_may_have_grown() {
        for length in [1, 100, 256, 1024, 5000] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            assert!(is_same(&proof(&bytes), &bytes), "{length}");
            let grown = [&bytes[..], b"more"].concat();
            assert!(is_same(&proof(&bytes), &grown), "{length}");
        }
    }

    #[test]
    fn shorter_files_other_heads_and_other_tails_are_other_files() {
        let bytes = vec![b'x'; 5000];
        let proof = proof(&bytes);
        assert!(!is_same(&proof, &bytes[1..]));
        for at in [0, 1023, 4744, 4999] {
            let mut other = bytes.clone();
            other[at] = b'y';
            assert!(!is_same(&proof, &other), "{at}");
        }
    }

    #[test]
    fn a_copy_has_the_same_beginning_and_the_same_end() {
        let bytes: Vec<u8> = (0..5000).map(|n: u32| (n % 251) as u8).collect();
        let same = |copy: &[u8], size: u64| are_same(&mut file(&bytes), &mut file(copy), size);
        for size in [1, 100, 1500, 5000] {
            assert!(same(&bytes[..size], size as u64), "{size}");
        }
        assert!(!same(b"", 0), "nothing is no copy");
        assert!(!same(&bytes, 5001), "shorter than asked for");
        let mut other = bytes.clone();
        other[4999] = 0;
        assert!(!same(&other, 5000));
    }

    #[test]
    fn of_a_head_only_what_was_proved_is_kept() {
        let proof = proof(b"ERROR first\n");
        assert_eq!(
            proof.head_of(b"ERROR first\nERROR second\n".to_vec()),
            b"ERROR first\n"
        );
        for other in ["", "ERROR", "ERROR other\n"] {
            assert_eq!(proof.head_of(other.as_bytes().to_vec()), b"", "{other:?}");
        }
    }

    #[test]
    fn nothing_read_proves_nothing() {
        assert!(!Proof::of(0, b"", b"").says_something());
        assert!(is_same(&Proof::default(), b"anything"));
        assert!(proof(b"x").says_something());
    }
}
