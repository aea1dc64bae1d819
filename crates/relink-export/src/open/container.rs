//! Compressed files and archives, told by their first bytes, never by their names.

use std::{
    fs::File,
    io::{self, BufReader},
    sync::Arc,
};

use flate2::bufread::MultiGzDecoder;
use zip::{ZipArchive, result::ZipError};

use super::spool::{Packed, Spool};
use crate::{ExportError, place::Text};

/// The file endings of a member that is meant to be the export, where an archive holds other files too.
const EXPORT_ENDINGS: [&str; 3] = [".json", ".jsonl", ".ndjson"];

/// The compressed forms that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Gzip,
    Zstd,
    Zip,
}

impl Container {
    /// What a file that begins with `head` is packed in.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            // A frame, or a skippable one before it.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
            // A member, the directory of an empty archive, or the first part of a split one.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Some(Self::Zip),
            _ => None,
        }
    }

    /// Unpacks and decodes `packed`.
    pub(super) fn unpack(self, packed: &Text, spool: &mut Spool<'_>) -> Result<(Text, u64), ExportError> {
        let size = packed.bytes;
        match self {
            Self::Gzip => {
                let mut reader = MultiGzDecoder::new(BufReader::new(&packed.file));
                spool.text(&mut reader, Some(Packed { container: "gzip", bytes: size }))
            }
            Self::Zstd => {
                let mut reader = zstd::stream::read::Decoder::new(&packed.file)
                    .map_err(|source| ExportError::Io { file: Arc::clone(&packed.name), source })?;
                spool.text(&mut reader, Some(Packed { container: "zstd", bytes: size }))
            }
            Self::Zip => unzip(packed, spool),
        }
    }
}

/// Refuses what is known and not read, with better words than "expected [ or {".
pub(super) fn refuse_foreign(name: &Arc<str>, head: &[u8]) -> Result<(), ExportError> {
    let decompress = "decompress it first; gzip, zstd and zip are read as they are";
    let (found, remedy) = match head {
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => ("an xz file", decompress),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => ("a bzip2 file", decompress),
        [b'7', b'z', 0xBC, 0xAF, 0x27, 0x1C, ..] => ("a 7-Zip archive", decompress),
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => {
            ("an SQLite database, not an export of one", "export it as JSON first")
        }
        [b'P', b'G', b'D', b'M', b'P', ..] => {
            ("a PostgreSQL dump in pg_dump's own format", "restore it with pg_restore, or export JSON")
        }
        _ if head.get(257..262) == Some(b"ustar") => ("a tar archive", "unpack it first"),
        _ => return Ok(()),
    };
    Err(ExportError::Unsupported { file: Arc::clone(name), found, remedy })
}

fn unzip(packed: &Text, spool: &mut Spool<'_>) -> Result<(Text, u64), ExportError> {
    let name = &packed.name;
    let mut archive = ZipArchive::new(BufReader::new(&packed.file)).map_err(|error| damaged(name, error, true))?;
    let member = the_export(&mut archive, name)?;
    let mut reader = archive.by_index(member).map_err(|error| damaged(name, error, false))?;
    spool.name = format!("{name}!{}", String::from_utf8_lossy(reader.name_raw())).into();
    let bytes = reader.compressed_size();
    spool.text(&mut reader, Some(Packed { container: "zip", bytes }))
}

/// The index of the one member that is the export. Every member is looked at: an archive with a path that leads out
/// of it was not made by an honest tool, whichever member is meant.
fn the_export(archive: &mut ZipArchive<BufReader<&File>>, name: &Arc<str>) -> Result<usize, ExportError> {
    let refused =
        |member: &str, reason| ExportError::RefusedMember { file: Arc::clone(name), member: member.to_owned(), reason };
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(|error| damaged(name, error, false))?;
        // As it is in the archive, whatever its encoding: it is looked at and shown, never opened.
        let path = String::from_utf8_lossy(member.name_raw()).into_owned();
        if leads_out(&path) {
            return Err(refused(&path, "named by a path that leads out of the archive"));
        }
        if member.is_symlink() {
            return Err(refused(&path, "a link"));
        }
        // What macOS adds for its own use is nobody's export.
        if member.is_file() && !path.starts_with("__MACOSX/") {
            files.push((index, path, member.encrypted()));
        }
    }
    let is_export = |path: &str| EXPORT_ENDINGS.iter().any(|ending| path.to_ascii_lowercase().ends_with(ending));
    if files.len() > 1 && files.iter().any(|(_, path, _)| is_export(path)) {
        files.retain(|(_, path, _)| is_export(path));
    }
    match files.as_slice() {
        [(_, path, true)] => Err(refused(path, "encrypted")),
        [(index, _, false)] => Ok(*index),
        _ => Err(ExportError::ArchiveMembers {
            file: Arc::clone(name),
            members: files.into_iter().map(|(_, path, _)| path).collect(),
        }),
    }
}

/// Whether a member's path is absolute (on any system) or has `..` in it.
fn leads_out(path: &str) -> bool {
    let has_drive = path.as_bytes().get(1) == Some(&b':');
    path.starts_with(['/', '\\'])
        || has_drive
        || path.contains('\0')
        || path.split(['/', '\\']).any(|part| part == "..")
}

/// An archive that cannot be read; without its directory, which stands at the end, it most likely ends early.
fn damaged(name: &Arc<str>, error: ZipError, at_directory: bool) -> ExportError {
    match error {
        ZipError::InvalidArchive(_) if at_directory => {
            ExportError::TruncatedContainer { file: Arc::clone(name), container: "zip", text_bytes: 0 }
        }
        ZipError::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            ExportError::TruncatedContainer { file: Arc::clone(name), container: "zip", text_bytes: 0 }
        }
        ZipError::Io(source) => ExportError::Io { file: Arc::clone(name), source },
        other => ExportError::Damaged {
            file: Arc::clone(name),
            container: "zip",
            text_bytes: 0,
            source: io::Error::new(io::ErrorKind::InvalidData, other),
        },
    }
}
