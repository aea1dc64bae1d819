//! Opening: from files as people have them to UTF-8 text that can be read from any offset.
//!
//! A plain UTF-8 file is used as it is. Anything else is decompressed and decoded once, streaming, into a temporary
//! file without a name. Which compression and encoding it is, is seen from the content alone; the format too, save that
//! the files of row files are named after their tables.

mod archive;
mod container;
mod encoding;
mod format;
mod spool;

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use self::{
    archive::limit_files,
    container::{Compression, Container, Packed},
    encoding::{ByteOrderMark, Decoding},
    spool::{Spool, read_head},
};
use crate::{
    ExportError, FormatFamily,
    part::{Naming, Part},
    place::Text,
    window::CHUNK_BYTES,
};

/// How many bytes at the start of a file or stream decide what it is.
const HEAD_BYTES: usize = 512;

/// How many files a folder or an archive may hold.
const FILES_MAX: usize = 20_000;

/// How many files are kept open; of more, the text is copied.
const FILES_OPEN_MAX: usize = 100;

/// What names standard input.
const STANDARD_INPUT: &str = "-";

/// How to open an export, and its limits.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Which family of formats it is; `None`: seen from the content.
    pub format: Option<FormatFamily>,
    /// The text encoding, by a label of the WHATWG Encoding Standard; `None`: UTF-8, or what a byte order mark says.
    pub encoding: Option<String>,
    /// The largest record that is read; memory is bounded by about twice as much.
    pub record_bytes_max: usize,
    /// How deep the brackets of a record may nest.
    pub depth_max: usize,
    /// How many times its own size a compressed export may expand to.
    pub expansion_ratio_max: u64,
    /// How many bytes are read at once; smaller in tests, so that every boundary is crossed.
    pub(crate) chunk_bytes: usize,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            format: None,
            encoding: None,
            record_bytes_max: 64 * 1024 * 1024,
            depth_max: 512,
            expansion_ratio_max: 250,
            chunk_bytes: CHUNK_BYTES,
        }
    }
}

/// An export whose texts can be read.
pub(crate) struct Opened {
    pub(crate) name: Arc<str>,
    pub(crate) parts: Vec<Part>,
    /// Files that hold no records.
    pub(crate) ignored: Vec<String>,
}

/// Opens the files, folders and archives of one export.
pub(crate) fn open(
    paths: &[&Path],
    options: &OpenOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Opened, ExportError> {
    // The encoding's name is checked first: it is wrong whatever the files hold.
    let decoding = Decoding::named(options.encoding.as_deref())?;
    let mut opener = Opener {
        options,
        spool: Spool::new(&decoding, progress),
        found: Vec::new(),
        ignored: Vec::new(),
        unread: Vec::new(),
        packages: 0,
        kept_open: 0,
    };
    for path in paths {
        opener.argument(path)?;
    }
    let Opener { found, ignored, unread, packages, .. } = opener;
    let name = match (paths, found.as_slice()) {
        ([], _) => return Err(ExportError::NoFile),
        ([_], [only]) if packages == 0 => Arc::clone(&only.text.name),
        ([only], _) => argument_name(only),
        ([first, ..], _) => format!("{} and {} more", argument_name(first), paths.len() - 1).into(),
    };
    let parts = format::settle(found, packages > 0, &unread, options)?;
    Ok(Opened { name, parts, ignored })
}

/// A text, before its format is known.
struct Found {
    text: Text,
    /// Where the document begins: after a byte order mark.
    start: u64,
    naming: Naming,
}

/// See the module's documentation.
struct Opener<'a> {
    options: &'a OpenOptions,
    spool: Spool<'a>,
    found: Vec<Found>,
    ignored: Vec<String>,
    /// Those of the ignored files that are data in a form that is not read.
    unread: Vec<Arc<str>>,
    /// How many folders were named.
    packages: usize,
    kept_open: usize,
}

impl Opener<'_> {
    fn argument(&mut self, path: &Path) -> Result<(), ExportError> {
        if path.as_os_str() == STANDARD_INPUT {
            let text = self.spool.copy(&argument_name(path), &mut io::stdin().lock())?;
            return self.file(text, Naming::default(), true);
        }
        if path.is_dir() {
            self.packages += 1;
            return self.folder(path);
        }
        self.path(path, true)
    }

    /// Opens a file. `archives`: whether it may be one.
    fn path(&mut self, path: &Path, archives: bool) -> Result<(), ExportError> {
        let name = displayed(path);
        let failed = |source| ExportError::Io { file: Arc::clone(&name), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // A pipe cannot be read twice: its bytes are kept first.
        let text = if metadata.is_file() {
            Text { file: Arc::new(file), origin: 0, bytes: metadata.len(), name: Arc::clone(&name) }
        } else {
            self.spool.copy(&name, &mut BufReader::new(file))?
        };
        self.file(text, Naming::of(&name), archives)
    }

    /// The files of a folder and of the folders in it, in the order of their names. What begins with a dot is hidden.
    fn folder(&mut self, top: &Path) -> Result<(), ExportError> {
        let name = displayed(top);
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        let mut folders = vec![(String::new(), top.to_owned())];
        let mut entries = 0;
        while let Some((prefix, folder)) = folders.pop() {
            let failed = |source| ExportError::Io { file: displayed(&folder), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let member = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let kind = entry.file_type().map_err(failed)?;
                if member[prefix.len()..].starts_with('.') {
                    continue;
                }
                entries += 1;
                limit_files(&name, entries)?;
                let refused =
                    |reason| ExportError::RefusedMember { file: Arc::clone(&name), member: member.clone(), reason };
                match () {
                    () if kind.is_symlink() => return Err(refused("a link")),
                    () if kind.is_dir() => folders.push((format!("{member}/"), entry.path())),
                    () if kind.is_file() => files.push((member, entry.path())),
                    () => return Err(refused("neither a file nor a folder")),
                }
            }
        }
        files.sort();
        let first = self.found.len();
        for (member, path) in files {
            if Naming::of(&member).ending.is_some() {
                self.path(&path, false)?;
            } else {
                self.pass_over(&displayed(&path));
            }
        }
        if self.found.len() == first { Err(ExportError::Directory { file: name }) } else { Ok(()) }
    }

    /// What a file holds: a text, or the members of an archive.
    fn file(&mut self, file: Text, naming: Naming, archives: bool) -> Result<(), ExportError> {
        let name = Arc::clone(&file.name);
        let head = read_head(&name, &mut file.reader())?;
        match Container::of(&head) {
            Some(Container::Zip | Container::Tar) if !archives => Err(nested(&name)),
            Some(Container::Zip) => self.unzip(&file),
            Some(Container::Tar) => {
                let mut reader = BufReader::new(file.reader());
                self.untar(&name, &[], &mut reader, file.bytes)
            }
            Some(Container::Compressed(compression)) => self.compressed(&file, compression, naming, archives),
            None => self.plain(file, &head, naming),
        }
    }

    fn compressed(
        &mut self,
        file: &Text,
        compression: Compression,
        naming: Naming,
        archives: bool,
    ) -> Result<(), ExportError> {
        let name = &file.name;
        let packed = Packed::new(name, compression.name(), file.bytes, self.options.expansion_ratio_max);
        let decoder = compression.decoder(BufReader::new(file.reader())).map_err(|error| packed.error(error))?;
        let mut reader = packed.unpacking(decoder);
        let head = read_head(name, &mut reader)?;
        match Container::of(&head) {
            Some(Container::Tar) if archives => self.untar(name, &head, &mut reader, file.bytes),
            Some(Container::Tar) => Err(nested(name)),
            _ => self.spool_text(name, &head, &mut reader, naming),
        }
    }

    /// A text that is not packed: read in place where it is UTF-8.
    fn plain(&mut self, text: Text, head: &[u8], naming: Naming) -> Result<(), ExportError> {
        container::refuse_foreign(&text.name, head)?;
        let convert = self.spool.decoding.plan(head, &text.name)?.is_some();
        if convert || self.kept_open >= FILES_OPEN_MAX {
            let mut reader = text.reader();
            let head = read_head(&text.name, &mut reader)?;
            let (text, start) = self.spool.text(&text.name, &head, &mut reader)?;
            self.found.push(Found { text, start, naming });
            return Ok(());
        }
        self.kept_open += 1;
        self.found.push(Found { text, start: ByteOrderMark::utf8_bytes(head), naming });
        Ok(())
    }

    /// A text that was unpacked, and begins with `head`.
    fn spool_text(
        &mut self,
        name: &Arc<str>,
        head: &[u8],
        reader: &mut dyn Read,
        naming: Naming,
    ) -> Result<(), ExportError> {
        if Container::of(head).is_some() {
            return Err(ExportError::Unsupported {
                file: Arc::clone(name),
                found: "compressed twice",
                remedy: "decompress it once",
            });
        }
        container::refuse_foreign(name, head)?;
        let (text, start) = self.spool.text(name, head, reader)?;
        self.found.push(Found { text, start, naming });
        Ok(())
    }

    /// A file beside those that hold records.
    fn pass_over(&mut self, name: &str) {
        if Naming::is_unread_data(name) {
            self.unread.push(name.into());
        }
        self.ignored.push(name.to_owned());
    }
}

fn argument_name(path: &Path) -> Arc<str> {
    if path.as_os_str() == STANDARD_INPUT { "standard input".into() } else { displayed(path) }
}

fn displayed(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

fn nested(name: &Arc<str>) -> ExportError {
    ExportError::Unsupported {
        file: Arc::clone(name),
        found: "an archive among other files",
        remedy: "unpack it, or restore it by itself",
    }
}
