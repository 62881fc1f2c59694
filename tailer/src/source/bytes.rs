//! The bytes of an input – a file, plain, compressed or UTF-16, or a stream – by their offset in
//! the plain text.
//!
//! A rotated log is often compressed: its records have the same offsets as before, so the rest of
//! it can be read from there. A UTF-16 file reads as UTF-8 without its byte order mark, and its
//! offsets are those of that text. Nothing here writes, and nothing here decides which file it is.

#![allow(
    unsafe_code,
    reason = "lseek(SEEK_DATA) finds the end of a hole; it touches no memory"
)]

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use super::compression::{Compressed, Compression};
use super::identity::{Sample, fill};
use super::inputs::{Inode, Mark, Seen, mark};
use super::stream::Stream;
use super::utf16::{self, Utf16};

/// Where a tar archive's header has its magic.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// The bytes as they are on disk, or were before they were compressed.
enum Raw {
    Plain(File),
    Compressed(Box<Compressed>),
    /// Closed to save handles: each read opens the file anew.
    Closed(Box<Closed>),
    Stream(Box<Stream>),
}

struct Closed {
    seen: Seen,
    is_compressed: bool,
    is_plain: bool,
}

impl Raw {
    fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Raw::Plain(file) => file.metadata(),
            Raw::Compressed(compressed) => compressed.metadata(),
            Raw::Closed(closed) => Bytes::open_seen(&closed.seen)?.metadata(),
            Raw::Stream(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Raw::Plain(file) => file.read_at(buffer, offset),
            Raw::Compressed(compressed) => compressed.read_at(offset, buffer),
            Raw::Closed(closed) => Bytes::open_seen(&closed.seen)?.read_at(offset, buffer),
            Raw::Stream(stream) => Ok(stream.read_at(offset, buffer)),
        }
    }
}

pub struct Bytes {
    raw: Raw,
    utf16: Option<Utf16>,
}

impl From<Stream> for Bytes {
    fn from(stream: Stream) -> Bytes {
        Bytes {
            raw: Raw::Stream(Box::new(stream)),
            utf16: None,
        }
    }
}

impl Bytes {
    pub fn open(path: &Path) -> io::Result<Bytes> {
        let file = File::open(path)?;
        let mut magic = [0; 6];
        let filled = fill(&mut magic, |at, rest| file.read_at(rest, at))?;
        let raw = match Compression::of(&magic[..filled]) {
            Some(kind) => Raw::Compressed(Box::new(Compressed::new(file, kind)?)),
            None => Raw::Plain(file),
        };
        let mut bytes = Bytes { raw, utf16: None };
        // A compressed file that is damaged at its very start says so when it is read.
        let _ = bytes.heed_mark();
        Ok(bytes)
    }

    /// Opens the file that was seen at the path, not one that took its name meanwhile.
    pub fn open_seen(seen: &Seen) -> io::Result<Bytes> {
        let bytes = Bytes::open(&seen.path)?;
        if Inode::of(&bytes.metadata()?) != seen.inode {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "renamed while it was looked at",
            ));
        }
        Ok(bytes)
    }

    /// Decodes the file from now on if it starts with the mark of UTF-16. To be called again for a
    /// file that was empty.
    pub fn heed_mark(&mut self) -> io::Result<()> {
        let mut mark = [0; 2];
        if self.utf16.is_none() && !self.is_stream() && self.fill_at(0, &mut mark)? {
            self.utf16 = utf16::Order::of(mark).map(Utf16::new);
        }
        Ok(())
    }

    pub fn metadata(&self) -> io::Result<Metadata> {
        self.raw.metadata()
    }

    /// Returns what stays the same while nothing is written.
    pub fn mark(&self) -> io::Result<Mark> {
        match &self.raw {
            Raw::Stream(stream) => Ok((stream.end(), SystemTime::UNIX_EPOCH)),
            raw => Ok(mark(&raw.metadata()?)),
        }
    }

    pub fn stream(&mut self) -> Option<&mut Stream> {
        match &mut self.raw {
            Raw::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    /// Returns the journal's cursor at the offset.
    pub fn cursor_at(&self, offset: u64) -> Option<&str> {
        match &self.raw {
            Raw::Stream(stream) => stream.cursor_at(offset),
            _ => None,
        }
    }

    pub fn is_stream(&self) -> bool {
        matches!(self.raw, Raw::Stream(_))
    }

    /// Returns true when nobody can change what was read.
    pub fn is_fixed(&self) -> bool {
        self.is_compressed() || self.is_stream()
    }

    /// True when the bytes that came are the bytes of the text.
    pub fn is_plain(&self) -> bool {
        match &self.raw {
            Raw::Plain(_) => self.utf16.is_none(),
            Raw::Stream(_) => true,
            Raw::Compressed(_) => false,
            Raw::Closed(closed) => closed.is_plain,
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.raw, Raw::Closed(_))
    }

    /// Opens a closed file for good.
    pub fn open_again(&mut self) -> io::Result<()> {
        if let Raw::Closed(closed) = &self.raw {
            *self = Bytes::open_seen(&closed.seen)?;
        }
        Ok(())
    }

    /// Reads what is there at `offset`, as `read` does: 0 is the end of the file.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.utf16 {
            Some(utf16) => utf16.read_at(|at, raw| self.raw.read_at(at, raw), offset, buffer),
            None => self.raw.read_at(offset, buffer),
        }
    }

    /// The offset of the first byte from `offset` on that is not NUL; None when there are only NULs
    /// up to the end, which may be space that is filled later. Holes are not read.
    pub fn end_of_nuls(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        const BLOCK: usize = 256 * 1024;
        let nuls = vec![0; BLOCK];
        let mut buffer = vec![0; BLOCK];
        loop {
            if let (Raw::Plain(file), None) = (&self.raw, &self.utf16) {
                match data_after(file, offset) {
                    Some(data) => offset = data,
                    None => return Ok(None),
                }
            }
            let count = self.read_at(offset, &mut buffer)?;
            if count == 0 {
                return Ok(self.is_stream().then_some(offset));
            }
            // Comparing blocks is quick even where nothing is optimised.
            if buffer[..count] != nuls[..count] {
                let at = buffer[..count].iter().position(|byte| *byte != 0);
                return Ok(at.map(|at| offset + at as u64));
            }
            offset += count as u64;
        }
    }
}

impl Sample for Bytes {
    fn fill_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let filled = fill(buffer, |at, rest| self.read_at(offset + at, rest))?;
        Ok(filled == buffer.len())
    }

    fn plain_size(&mut self) -> io::Result<u64> {
        match (&mut self.utf16, &mut self.raw) {
            (Some(utf16), raw) => utf16.length(|at, buffer| raw.read_at(at, buffer)),
            (None, Raw::Plain(file)) => Ok(file.metadata()?.len()),
            (None, Raw::Compressed(compressed)) => compressed.skip_to_end(),
            (None, Raw::Closed(closed)) => Bytes::open_seen(&closed.seen)?.plain_size(),
            (None, Raw::Stream(stream)) => Ok(stream.end()),
        }
    }

    fn is_compressed(&self) -> bool {
        match &self.raw {
            Raw::Plain(_) | Raw::Stream(_) => false,
            Raw::Compressed(_) => true,
            Raw::Closed(closed) => closed.is_compressed,
        }
    }

    fn says_length(&self, length: u64) -> bool {
        match (&self.utf16, &self.raw) {
            (None, Raw::Compressed(file)) => file.says_length(length),
            (None, Raw::Closed(closed)) => {
                Bytes::open_seen(&closed.seen).is_ok_and(|bytes| bytes.says_length(length))
            }
            _ => false,
        }
    }

    fn close(&mut self, seen: &Seen) {
        let (is_compressed, is_plain) = (self.is_compressed(), self.is_plain());
        let seen = seen.clone();
        *self = Bytes {
            raw: Raw::Closed(Box::new(Closed {
                seen,
                is_compressed,
                is_plain,
            })),
            utf16: None,
        };
    }

    fn archive(&mut self) -> Option<&'static str> {
        let mut start = [0; TAR.0 + TAR.1.len()];
        if self.fill_at(0, &mut start).unwrap_or(false) && start[TAR.0..] == *TAR.1 {
            return Some("a tar archive");
        }
        let mut magic = [0; 4];
        if !self.is_plain() || !self.fill_at(0, &mut magic).unwrap_or(false) {
            return None;
        }
        match &magic {
            b"PK\x03\x04" | b"PK\x05\x06" => Some("a zip archive"),
            b"7z\xbc\xaf" => Some("a 7z archive"),
            b"Rar!" => Some("a rar archive"),
            b"\x04\x22\x4d\x18" => Some("compressed by lz4"),
            [0x1f, 0x9d, ..] => Some("compressed by compress"),
            _ => None,
        }
    }
}

/// The next offset that holds data; None when only a hole is left. A file system that knows no
/// holes says that all is data.
fn data_after(file: &File, offset: u64) -> Option<u64> {
    use std::os::fd::AsRawFd;
    let from = libc::off_t::try_from(offset).ok()?;
    // SAFETY: lseek on a descriptor that `file` keeps open; it touches no memory, and nobody uses
    // the descriptor's own position.
    let data = unsafe { libc::lseek(file.as_raw_fd(), from, libc::SEEK_DATA) };
    if data < 0 {
        (io::Error::last_os_error().raw_os_error() != Some(libc::ENXIO)).then_some(offset)
    } else {
        u64::try_from(data).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn a_compressed_file_reads_like_the_plain_one() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let (first, second) = text.split_at(70_000);
        for part in [first, second] {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(part).unwrap();
            file.write_all(&encoder.finish().unwrap()).unwrap();
        }
        let mut content = Bytes::open(file.path()).unwrap();
        assert!(content.is_compressed());
        let mut buffer = [0; 1000];
        for offset in [100_000, 69_500, 0, text.len() - 1000] {
            assert!(content.fill_at(offset as u64, &mut buffer).unwrap());
            assert_eq!(buffer, text[offset..offset + 1000]);
        }
        assert!(!content.fill_at(text.len() as u64 - 999, &mut buffer).unwrap());
    }

    #[test]
    fn a_damaged_file_never_seems_to_end() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[b'x'; 1000]).unwrap();
        let whole = encoder.finish().unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&whole[..whole.len() - 4]).unwrap();
        let mut content = Bytes::open(file.path()).unwrap();
        for _ in 0..3 {
            assert!(content.plain_size().is_err());
            assert_eq!(content.read_at(0, &mut [0; 2000]).unwrap(), 1000);
            assert!(content.read_at(1000, &mut [0; 10]).is_err());
            assert!(content.fill_at(0, &mut [0; 1000]).unwrap());
        }
        file.write_all(&whole[whole.len() - 4..]).unwrap();
        content.plain_size().unwrap();
        assert_eq!(content.read_at(1000, &mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn holes_are_not_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"a\n").unwrap();
        file.as_file().set_len(8 << 30).unwrap();
        let mut content = Bytes::open(file.path()).unwrap();
        assert_eq!(content.end_of_nuls(2).unwrap(), None);
        file.as_file().write_at(b"b\n", (8 << 30) - 1).unwrap();
        assert_eq!(content.end_of_nuls(2).unwrap(), Some((8 << 30) - 1));
    }
}
