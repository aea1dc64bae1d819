//! Compressed files, told by their first bytes, never by their names; and what a decoder gives, counted and with its
//! errors put into words.

use std::{
    cell::Cell,
    io::{self, BufRead, ErrorKind, Read},
    sync::Arc,
};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

use crate::ExportError;

/// What an xz file may ask for, in KiB: `xz -9` asks for 64 MiB, and a header may ask for anything.
const XZ_MEMORY_KIB_MAX: u32 = 512 * 1024;

/// Below this size no expansion is called suspicious: a short run of equal rows compresses very well.
const EXPANSION_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// A compressed stream of one text, or of one archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

/// What a file is packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Compressed(Compression),
    Zip,
    Tar,
}

impl Container {
    /// What a file that begins with `head` is packed in.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Self::Compressed(Compression::Gzip)),
            // A frame, or a skippable one before it.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => {
                Some(Self::Compressed(Compression::Zstd))
            }
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Compressed(Compression::Xz)),
            // A block, or the end of a stream without any.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Some(Self::Compressed(Compression::Bzip2)),
            // A member, the directory of an empty archive, or the first part of a split one.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Some(Self::Zip),
            _ if head.get(257..262) == Some(b"ustar") => Some(Self::Tar),
            _ => None,
        }
    }
}

impl Compression {
    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// Decompresses `packed`, all its streams.
    pub(super) fn decoder<'r>(self, packed: impl BufRead + 'r) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
            Self::Xz => Box::new(XzReader::new_mem_limit(packed, true, XZ_MEMORY_KIB_MAX)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
        })
    }
}

/// A file that unpacks to more than it holds.
#[derive(Debug)]
pub(super) struct Packed {
    /// The file as the user named it.
    pub(super) name: Arc<str>,
    /// `gzip`, `zip`, ...
    pub(super) container: &'static str,
    /// Its size.
    pub(super) bytes: u64,
    pub(super) ratio_max: u64,
    /// What came out of it so far, all members together.
    unpacked: Cell<u64>,
}

impl Packed {
    pub(super) fn new(name: &Arc<str>, container: &'static str, bytes: u64, ratio_max: u64) -> Self {
        Self { name: Arc::clone(name), container, bytes, ratio_max, unpacked: Cell::new(0) }
    }

    /// Counts what a decoder gives, and puts its errors into words.
    pub(super) fn unpacking<R: Read>(&self, decoder: R) -> Unpacking<'_, R> {
        Unpacking { packed: self, decoder }
    }

    /// A decoder's error in words, unless it is in words already.
    pub(super) fn error(&self, error: io::Error) -> ExportError {
        let error = match error.downcast::<ExportError>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        let (file, container, unpacked_bytes) = (Arc::clone(&self.name), self.container, self.unpacked.get());
        match error.kind() {
            ErrorKind::UnexpectedEof => ExportError::TruncatedContainer { file, container, unpacked_bytes },
            ErrorKind::OutOfMemory => ExportError::Unsupported {
                file,
                found: "compressed so that it takes more memory to decompress than is allowed",
                remedy: "decompress it first",
            },
            // The decoders speak of damage in many kinds; what has a number comes from the system below them.
            _ if error.raw_os_error().is_none() => {
                ExportError::Damaged { file, container, unpacked_bytes, source: error }
            }
            _ => ExportError::Io { file, source: error },
        }
    }
}

/// What a decoder gives. Its errors carry an [`ExportError`].
pub(super) struct Unpacking<'p, R> {
    packed: &'p Packed,
    decoder: R,
}

impl<R: Read> Read for Unpacking<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let packed = self.packed;
        match self.decoder.read(buffer) {
            Ok(read) => {
                let unpacked = packed.unpacked.get() + read as u64;
                packed.unpacked.set(unpacked);
                if unpacked > EXPANSION_FREE_BYTES.max(packed.bytes.saturating_mul(packed.ratio_max)) {
                    let (file, ratio_max) = (Arc::clone(&packed.name), packed.ratio_max);
                    return Err(io::Error::other(ExportError::Expansion { file, ratio_max }));
                }
                Ok(read)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::other(packed.error(error))),
        }
    }
}

/// Refuses what is known and not read, with better words than "expected [ or {".
pub(super) fn refuse_foreign(name: &Arc<str>, head: &[u8]) -> Result<(), ExportError> {
    let (found, remedy) = match head {
        [b'7', b'z', 0xBC, 0xAF, 0x27, 0x1C, ..] => {
            ("a 7-Zip archive", "unpack it first; gzip, zstd, xz, bzip2, zip and tar are read as they are")
        }
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => {
            ("an SQLite database, not an export of one", "export it as JSON first")
        }
        [b'P', b'G', b'D', b'M', b'P', ..] => {
            ("a PostgreSQL dump in pg_dump's own format", "restore it with pg_restore, or export JSON")
        }
        _ => return Ok(()),
    };
    Err(ExportError::Unsupported { file: Arc::clone(name), found, remedy })
}
