//! Compressed files, read by the offsets of their plain text: gzip, zstd, xz and bzip2.
//!
//! Such a file can only be read forwards: going back starts again from the beginning. Memory is
//! bounded: a file whose compressor asks the reader for more than `MEMORY` cannot be read, and says
//! so.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// The most memory that a decompressor may take. xz -6 asks for 9 MiB, zstd -19 for 8, both at
/// their most for 65 and 128.
const MEMORY: u64 = 32 << 20;
const WINDOW_LOG: u32 = MEMORY.ilog2();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Compression {
    /// Returns what the first bytes of a file say.
    pub fn of(start: &[u8]) -> Option<Compression> {
        match start {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Compression::Bzip2),
            _ => None,
        }
    }

    fn decoder(self, file: File) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::new(file)?;
                decoder.window_log_max(WINDOW_LOG)?;
                Box::new(decoder)
            }
            Compression::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(MEMORY, liblzma::stream::CONCATENATED)
                        .map_err(io::Error::other)?;
                Box::new(liblzma::read::XzDecoder::new_stream(file, stream))
            }
            Compression::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(file)),
        })
    }
}

pub struct Compressed {
    kind: Compression,
    file: File,
    decoder: Box<dyn Read>,
    position: u64,
}

impl Compressed {
    pub fn new(mut file: File, kind: Compression) -> io::Result<Compressed> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Compressed {
            kind,
            decoder: kind.decoder(file.try_clone()?)?,
            file,
            position: 0,
        })
    }

    /// Returns the same file, to be read from its beginning.
    fn again(&self) -> io::Result<Compressed> {
        Compressed::new(self.file.try_clone()?, self.kind)
    }

    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Returns true when a gzip file says that its plain text has this length, modulo 4 GiB. Of
    /// several parts the last one says its own.
    pub fn says_length(&self, length: u64) -> bool {
        let mut said = [0; 4];
        self.kind == Compression::Gzip
            && self
                .file
                .metadata()
                .ok()
                .and_then(|metadata| metadata.len().checked_sub(4))
                .is_some_and(|at| self.file.read_exact_at(&mut said, at).is_ok())
            && u64::from(u32::from_le_bytes(said)) == length & u64::from(u32::MAX)
    }

    /// Returns the length of the plain text. Reads to the end, where most formats have a checksum.
    pub fn skip_to_end(&mut self) -> io::Result<u64> {
        self.read_on(0, |compressed| {
            compressed.position += io::copy(&mut compressed.decoder, &mut io::sink())?;
            Ok(compressed.position)
        })
    }

    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset < self.position {
            *self = self.again()?;
        }
        self.read_on(offset, |compressed| {
            // A decoder hands out small pieces; a full buffer means fewer windows.
            let mut count = 0;
            while count < buffer.len() && compressed.position == offset {
                match compressed.decoder.read(&mut buffer[count..]) {
                    Ok(0) => break,
                    Ok(more) => count += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if count == 0 => return Err(error),
                    // The bytes before the damage count; the next read reports it.
                    Err(_) => {
                        *compressed = compressed.again()?;
                        return Ok(count);
                    }
                }
            }
            compressed.position += count as u64;
            Ok(count)
        })
    }

    /// Reads from `offset` on if it is ahead, else from the position. After an error a decoder may
    /// say that the file ends there, so the next read begins anew: a file that is still being
    /// compressed may be whole by then.
    fn read_on<T>(
        &mut self,
        offset: u64,
        read: impl FnOnce(&mut Compressed) -> io::Result<T>,
    ) -> io::Result<T> {
        let result = self.skip_to(offset).and_then(|()| read(self));
        if result.is_err() {
            *self = self.again()?;
        }
        result
    }

    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        if let Some(ahead) = offset.checked_sub(self.position) {
            self.position += io::copy(&mut self.decoder.by_ref().take(ahead), &mut io::sink())?;
        }
        Ok(())
    }
}
