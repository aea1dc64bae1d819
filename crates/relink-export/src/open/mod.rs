//! Opening: from a file as people have it to UTF-8 text that can be read from any offset.
//!
//! A plain UTF-8 file is used as it is. Anything else is decompressed and decoded once, streaming, into a temporary
//! file without a name. Which compression, encoding and format it is, is seen from the content alone.

mod container;
mod encoding;
mod format;
mod spool;

use std::{fs::File, io, path::Path, sync::Arc};

pub(crate) use self::format::detect_format;
use self::{
    container::Container,
    encoding::{ByteOrderMark, Decoding},
    spool::Spool,
};
use crate::{ExportError, FormatFamily, place::Text, window::CHUNK_BYTES};

/// How many bytes at the start of a file or stream decide what it is.
const HEAD_BYTES: usize = 512;

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

/// The text of the file at `path`, and where the document in it begins.
pub(crate) fn open(
    path: &Path,
    options: &OpenOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(Text, u64), ExportError> {
    let name: Arc<str> = path.display().to_string().into();
    let failed = |source| ExportError::Io { file: Arc::clone(&name), source };
    // The encoding's name is checked first: it is wrong whatever the file holds.
    let decoding = Decoding::named(options.encoding.as_deref())?;
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(ExportError::Directory { file: name });
    }
    let mut spool =
        Spool { name: Arc::clone(&name), decoding: &decoding, ratio_max: options.expansion_ratio_max, progress };
    // A pipe cannot be read twice: its bytes are kept first.
    let (file, bytes) =
        if metadata.is_file() { (file, metadata.len()) } else { spool.copy(&mut io::BufReader::new(file))? };

    let mut head = [0; HEAD_BYTES];
    let text = Text { file, bytes, name };
    let read = text.read_at(&mut head, 0).map_err(|source| ExportError::Io { file: Arc::clone(&text.name), source })?;
    let head = &head[..read];
    if let Some(container) = Container::of(head) {
        return container.unpack(&text, &mut spool);
    }
    container::refuse_foreign(&text.name, head)?;
    if decoding.plan(head, &text.name)?.is_some() {
        return spool.text(&mut io::BufReader::new(&text.file), None);
    }
    let start = ByteOrderMark::utf8_bytes(head);
    Ok((text, start))
}
