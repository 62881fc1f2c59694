//! The bytes of an open file, plain, compressed or UTF-16, by their offset in the plain text.
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

use super::compression::{Compressed, Compression};
use super::identity::Sample;
use super::inputs::{Inode, Seen};
use super::utf16::{self, Utf16};

/// Where a tar archive's header has its magic.
const TAR: (usize, &[u8]) = (257, b"ustar");

pub enum Bytes {
    Plain(File),
    Compressed(Box<Compressed>),
    Utf16(Box<Utf16>),
}

impl Bytes {
    pub fn open(path: &Path) -> io::Result<Bytes> {
        let file = File::open(path)?;
        let mut magic = [0; 6];
        let mut filled = 0;
        while let count @ 1.. = file.read_at(&mut magic[filled..], filled as u64)? {
            filled += count;
        }
        let mut content = match Compression::of(&magic[..filled]) {
            Some(kind) => Bytes::Compressed(Box::new(Compressed::new(file, kind)?)),
            None => Bytes::Plain(file),
        };
        // A compressed file that is damaged at its very start says so when it is read.
        let _ = content.heed_mark();
        Ok(content)
    }

    /// Decodes the file from now on if it starts with the mark of UTF-16. To be called again for a
    /// file that was empty.
    pub fn heed_mark(&mut self) -> io::Result<()> {
        let mut mark = [0; 2];
        if matches!(self, Bytes::Utf16(_)) || !self.fill_at(0, &mut mark)? {
            return Ok(());
        }
        if let Some(order) = utf16::Order::of(mark) {
            let raw = match self {
                Bytes::Plain(file) => Bytes::Plain(file.try_clone()?),
                Bytes::Compressed(compressed) => Bytes::Compressed(Box::new(compressed.again()?)),
                Bytes::Utf16(_) => return Ok(()),
            };
            *self = Bytes::Utf16(Box::new(Utf16::new(raw, order)));
        }
        Ok(())
    }

    /// Returns what the file is when it is an archive, which is never read as a log.
    pub fn archive(&mut self) -> Option<&'static str> {
        let mut start = [0; TAR.0 + TAR.1.len()];
        if self.fill_at(0, &mut start).unwrap_or(false) && start[TAR.0..] == *TAR.1 {
            return Some("a tar archive");
        }
        let mut magic = [0; 4];
        if matches!(self, Bytes::Plain(_)) && self.fill_at(0, &mut magic).unwrap_or(false) {
            return match &magic {
                b"PK\x03\x04" | b"PK\x05\x06" => Some("a zip archive"),
                b"7z\xbc\xaf" => Some("a 7z archive"),
                b"Rar!" => Some("a rar archive"),
                b"\x04\x22\x4d\x18" => Some("compressed by lz4"),
                [0x1f, 0x9d, ..] => Some("compressed by compress"),
                _ => None,
            };
        }
        None
    }

    /// Opens the file that was seen at the path, not one that took its name meanwhile.
    pub fn open_seen(seen: &Seen) -> io::Result<Bytes> {
        let content = Bytes::open(&seen.path)?;
        if Inode::of(&content.metadata()?) != seen.inode {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "renamed while it was looked at",
            ));
        }
        Ok(content)
    }

    pub fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Bytes::Plain(file) => file.metadata(),
            Bytes::Compressed(compressed) => compressed.metadata(),
            Bytes::Utf16(text) => text.raw.metadata(),
        }
    }

    pub fn is_compressed(&self) -> bool {
        match self {
            Bytes::Plain(_) => false,
            Bytes::Compressed(_) => true,
            Bytes::Utf16(text) => text.raw.is_compressed(),
        }
    }

    /// True when the bytes on disk are the bytes of the text.
    pub fn is_plain(&self) -> bool {
        matches!(self, Bytes::Plain(_))
    }

    /// Reads what is there at `offset`, as `read` does: 0 is the end of the file.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Bytes::Plain(file) => file.read_at(buffer, offset),
            Bytes::Compressed(compressed) => compressed.read_at(offset, buffer),
            Bytes::Utf16(text) => text.read_at(offset, buffer),
        }
    }

    /// Fills the buffer from `offset`; false when the file ends before.
    pub fn fill_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        fill(|from, rest| self.read_at(from, rest), offset, buffer)
    }

    /// The number of bytes that the file has on disk.
    pub fn size(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    /// The number of bytes of the plain text.
    pub fn plain_size(&mut self) -> io::Result<u64> {
        match self {
            Bytes::Plain(file) => Ok(file.metadata()?.len()),
            Bytes::Compressed(compressed) => compressed.skip_to_end(),
            Bytes::Utf16(text) => text.length(),
        }
    }

    /// Returns true when a compressed file says itself that its plain text has this length. A no is
    /// not sure.
    pub fn says_length(&self, length: u64) -> bool {
        match self {
            Bytes::Compressed(compressed) => compressed.says_length(length),
            Bytes::Plain(_) | Bytes::Utf16(_) => false,
        }
    }

    /// Reads a compressed file to its end, which holds a checksum: an error means that it is
    /// damaged or still being written.
    pub fn check_to_end(&mut self) -> io::Result<()> {
        match self {
            Bytes::Plain(_) => Ok(()),
            Bytes::Compressed(compressed) => compressed.skip_to_end().map(|_| ()),
            Bytes::Utf16(text) => text.raw.check_to_end(),
        }
    }

    /// The offset of the first byte from `offset` on that is not NUL; None when there are only NULs
    /// up to the end. Holes are not read.
    pub fn end_of_nuls(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        const BLOCK: usize = 256 * 1024;
        let nuls = vec![0; BLOCK];
        let mut buffer = vec![0; BLOCK];
        loop {
            if let Bytes::Plain(file) = self {
                match data_after(file, offset) {
                    Some(data) => offset = data,
                    None => return Ok(None),
                }
            }
            let count = self.read_at(offset, &mut buffer)?;
            if count == 0 {
                return Ok(None);
            }
            // Comparing blocks is quick even where nothing is optimised.
            if buffer[..count] != nuls[..count]
                && let Some(at) = buffer[..count].iter().position(|&byte| byte != 0)
            {
                return Ok(Some(offset + at as u64));
            }
            offset += count as u64;
        }
    }
}

impl Sample for Bytes {
    fn fill_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        Bytes::fill_at(self, offset, buffer)
    }

    fn plain_size(&mut self) -> io::Result<u64> {
        Bytes::plain_size(self)
    }

    fn is_compressed(&self) -> bool {
        Bytes::is_compressed(self)
    }

    fn says_length(&self, length: u64) -> bool {
        Bytes::says_length(self, length)
    }

    fn archive(&mut self) -> Option<&'static str> {
        Bytes::archive(self)
    }
}

fn fill(
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(offset + filled as u64, &mut buffer[filled..]) {
            Ok(0) => return Ok(false),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
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
            assert!(content.check_to_end().is_err());
            assert_eq!(content.read_at(0, &mut [0; 2000]).unwrap(), 1000);
            assert!(content.read_at(1000, &mut [0; 10]).is_err());
            assert!(content.fill_at(0, &mut [0; 1000]).unwrap());
        }
        file.write_all(&whole[whole.len() - 4..]).unwrap();
        content.check_to_end().unwrap();
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
