//! Archives: which members are read, and which no honest export has. No member is ever written under its own name.

use std::{
    collections::HashSet,
    io::{self, BufReader, Read},
    sync::Arc,
};

use tar::EntryType;
use zip::{ZipArchive, result::ZipError};

use super::{
    FILES_MAX, Opener,
    container::{Packed, Unpacking},
    spool::{read, read_head},
};
use crate::{
    ExportError,
    part::Naming,
    place::{Text, TextReader},
};

impl Opener<'_> {
    /// Reads the members of a zip file.
    pub(super) fn unzip(&mut self, file: &Text) -> Result<(), ExportError> {
        let name = &file.name;
        let mut archive =
            ZipArchive::new(BufReader::new(file.reader())).map_err(|error| zip_error(name, error, true))?;
        if archive.has_duplicate_names() {
            return Err(ExportError::DuplicateMember { file: Arc::clone(name), member: None });
        }
        let members = self.zip_members(&mut archive, name)?;
        let packed = Packed::new(name, "zip", file.bytes, self.options.expansion_ratio_max);
        for (index, path) in members {
            let reader = archive.by_index(index).map_err(|error| zip_error(name, error, false))?;
            self.member(name, &path, &mut packed.unpacking(reader))?;
        }
        Ok(())
    }

    /// The members to read, in the order of their names: those that end as records do, or the only one that there is.
    fn zip_members(
        &mut self,
        archive: &mut ZipArchive<BufReader<TextReader<'_>>>,
        name: &Arc<str>,
    ) -> Result<Vec<(usize, String)>, ExportError> {
        let mut files = Vec::new();
        for index in 0..archive.len() {
            let member = archive.by_index_raw(index).map_err(|error| zip_error(name, error, false))?;
            // As it is in the archive, whatever its encoding: it is looked at and shown, never opened.
            let path = String::from_utf8_lossy(member.name_raw()).into_owned();
            check_path(name, &path)?;
            if member.is_symlink() {
                return Err(refused(name, &path, "a link"));
            }
            if member.is_file() && !is_hidden(&path) {
                files.push((index, path, member.encrypted()));
            }
            limit_files(name, files.len())?;
        }
        files.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
        let only = files.len() == 1;
        let (records, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(_, path, _)| only || Naming::of(path).ending.is_some());
        let others: Vec<String> = others.into_iter().map(|(_, path, _)| path).collect();
        if records.is_empty() {
            return Err(ExportError::ArchiveMembers { file: Arc::clone(name), members: others });
        }
        for path in &others {
            self.pass_over(&format!("{name}!{path}"));
        }
        if let Some((_, path, _)) = records.iter().find(|(_, _, encrypted)| *encrypted) {
            return Err(refused(name, path, "encrypted"));
        }
        Ok(records.into_iter().map(|(index, path, _)| (index, path)).collect())
    }

    /// Reads the members of a tar file that begins with `head`. `packed`: what it is compressed in.
    pub(super) fn untar(
        &mut self,
        name: &Arc<str>,
        head: &[u8],
        reader: &mut dyn Read,
        bytes: u64,
    ) -> Result<(), ExportError> {
        let packed = Packed::new(name, "tar", bytes, u64::MAX);
        let mut tape = Tape { reader: io::Cursor::new(head).chain(reader), ended: false };
        let first = self.found.len();
        let members = match self.tar_members(name, &packed, &mut tape) {
            Ok(members) => members,
            Err(Untar::Export(error)) => return Err(error),
            Err(Untar::Tar(_)) if tape.ended => return Err(packed.error(io::ErrorKind::UnexpectedEof.into())),
            Err(Untar::Tar(error)) => return Err(packed.error(error)),
        };
        // Two blocks of zeros end an archive; the file must not end before them.
        if tape.ended {
            return Err(packed.error(io::ErrorKind::UnexpectedEof.into()));
        }
        // What follows is padding, but a checksum of what it is compressed in may follow too.
        let mut block = vec![0; 64 * 1024];
        while read(name, &mut tape, &mut block)? > 0 {}
        if self.found.len() == first {
            return Err(ExportError::ArchiveMembers { file: Arc::clone(name), members });
        }
        for path in members {
            self.pass_over(&format!("{name}!{path}"));
        }
        self.found[first..].sort_by(|a, b| a.text.name.cmp(&b.text.name));
        Ok(())
    }

    /// Reads the members that end as records do; the names of the others.
    fn tar_members(&mut self, name: &Arc<str>, packed: &Packed, tape: &mut dyn Read) -> Result<Vec<String>, Untar> {
        let mut archive = tar::Archive::new(tape);
        let mut seen = HashSet::new();
        let mut others = Vec::new();
        for entry in archive.entries().map_err(Untar::of)? {
            let mut entry = entry.map_err(Untar::of)?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            check_path(name, &path)?;
            match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {}
                EntryType::Directory | EntryType::XGlobalHeader => continue,
                EntryType::Symlink | EntryType::Link => return Err(refused(name, &path, "a link").into()),
                _ => return Err(refused(name, &path, "neither a file nor a folder").into()),
            }
            if is_hidden(&path) {
                continue;
            }
            if !seen.insert(path.clone()) {
                return Err(ExportError::DuplicateMember { file: Arc::clone(name), member: Some(path) }.into());
            }
            limit_files(name, seen.len())?;
            if Naming::of(&path).ending.is_none() {
                others.push(path);
                continue;
            }
            let mut whole = Whole { left: entry.size(), entry: &mut entry };
            let mut unpacking: Unpacking<'_, _> = packed.unpacking(&mut whole);
            self.member(name, &path, &mut unpacking)?;
        }
        others.sort();
        Ok(others)
    }

    /// Reads one member, which is not packed again.
    fn member(&mut self, name: &Arc<str>, path: &str, reader: &mut dyn Read) -> Result<(), ExportError> {
        let name: Arc<str> = format!("{name}!{path}").into();
        let head = read_head(&name, reader)?;
        self.spool_text(&name, &head, reader, Naming::of(path))
    }
}

/// Why a tar file is not read on.
enum Untar {
    /// For a reason that is in words already.
    Export(ExportError),
    /// For what the tar reader says.
    Tar(io::Error),
}

impl Untar {
    fn of(error: io::Error) -> Self {
        match error.downcast::<ExportError>() {
            Ok(error) => Self::Export(error),
            Err(error) => Self::Tar(error),
        }
    }
}

impl From<ExportError> for Untar {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

/// The bytes of a tar file, and whether they have been read to their end.
struct Tape<R> {
    reader: R,
    ended: bool,
}

impl<R: Read> Read for Tape<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.ended |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

/// A member of a tar file; one that ends before its size is cut off, which the tar reader does not say.
struct Whole<'e, R> {
    entry: &'e mut R,
    left: u64,
}

impl<R: Read> Read for Whole<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.entry.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

fn refused(archive: &Arc<str>, member: &str, reason: &'static str) -> ExportError {
    ExportError::RefusedMember { file: Arc::clone(archive), member: member.to_owned(), reason }
}

/// Every member is looked at: an archive with a path that leads out of it was not made by an honest tool, whichever
/// member is meant.
fn check_path(archive: &Arc<str>, path: &str) -> Result<(), ExportError> {
    if leads_out(path) {
        return Err(refused(archive, path, "named by a path that leads out of the archive"));
    }
    Ok(())
}

pub(super) fn limit_files(file: &Arc<str>, files: usize) -> Result<(), ExportError> {
    if files > FILES_MAX {
        return Err(ExportError::TooManyFiles { file: Arc::clone(file), limit: FILES_MAX });
    }
    Ok(())
}

/// What a system adds for its own use is nobody's export.
fn is_hidden(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    path.starts_with("__MACOSX/") || name.starts_with('.')
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
fn zip_error(name: &Arc<str>, error: ZipError, at_directory: bool) -> ExportError {
    let (file, container, unpacked_bytes) = (Arc::clone(name), "zip", 0);
    match error {
        ZipError::InvalidArchive(_) if at_directory => {
            ExportError::TruncatedContainer { file, container, unpacked_bytes }
        }
        ZipError::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            ExportError::TruncatedContainer { file, container, unpacked_bytes }
        }
        ZipError::Io(source) => ExportError::Io { file, source },
        other => {
            let source = io::Error::new(io::ErrorKind::InvalidData, other);
            ExportError::Damaged { file, container, unpacked_bytes, source }
        }
    }
}
