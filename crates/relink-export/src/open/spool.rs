//! Streams decompressed, decoded text into a temporary file without a name, within bounds.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Write},
    sync::Arc,
};

use encoding_rs::{Decoder, DecoderResult};

use super::{
    HEAD_BYTES,
    container::{self, Container},
    encoding::{ByteOrderMark, Decoding},
};
use crate::{
    ExportError,
    place::{self, Text},
};

/// How much is moved at once.
const BLOCK_BYTES: usize = 128 * 1024;

/// Below this size no expansion is called suspicious: a short run of equal rows compresses very well.
const EXPANSION_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// Compressed data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    /// `gzip`, `zstd` or `zip`.
    pub(super) container: &'static str,
    /// Its size.
    pub(super) bytes: u64,
}

/// See the module's documentation.
pub(super) struct Spool<'a> {
    pub(super) name: Arc<str>,
    pub(super) decoding: &'a Decoding,
    pub(super) ratio_max: u64,
    pub(super) progress: &'a mut dyn FnMut(u64),
}

impl Spool<'_> {
    /// Keeps the bytes of a stream as they are.
    pub(super) fn copy(&mut self, reader: &mut dyn Read) -> Result<(File, u64), ExportError> {
        let mut sink = Sink::new(&self.name)?;
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let read = self.read(reader, &mut block, None, sink.bytes)?;
            if read == 0 {
                return Ok((sink.file, sink.bytes));
            }
            sink.write(&block[..read])?;
            (self.progress)(sink.bytes);
        }
    }

    /// The UTF-8 text of a stream, and where the document in it begins.
    pub(super) fn text(&mut self, reader: &mut dyn Read, packed: Option<Packed>) -> Result<(Text, u64), ExportError> {
        let mut block = vec![0; BLOCK_BYTES];
        let mut filled = 0;
        while filled < HEAD_BYTES {
            match self.read(reader, &mut block[filled..], packed, filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        let head = &block[..filled];
        if packed.is_some() {
            if Container::of(head).is_some() {
                return Err(ExportError::Unsupported {
                    file: Arc::clone(&self.name),
                    found: "compressed twice",
                    remedy: "decompress it once",
                });
            }
            container::refuse_foreign(&self.name, head)?;
        }
        let start = ByteOrderMark::utf8_bytes(head);
        let conversion = self.decoding.plan(head, &self.name)?;
        let mut sink = Sink::new(&self.name)?;
        let mut input_bytes = filled as u64;
        let mut pending = 0;
        let mut converter = conversion.map(|conversion| {
            pending = conversion.skip;
            Converter::new(conversion.encoding.new_decoder_without_bom_handling(), conversion.skip as u64)
        });
        loop {
            let fresh = &block[pending.min(filled)..filled];
            match &mut converter {
                None => sink.write(fresh)?,
                Some(converter) => converter.convert(fresh, false, &mut sink)?,
            }
            (self.progress)(sink.bytes);
            if let Some(packed) = packed
                && input_bytes > EXPANSION_FREE_BYTES.max(packed.bytes.saturating_mul(self.ratio_max))
            {
                return Err(ExportError::Expansion { file: Arc::clone(&self.name), ratio_max: self.ratio_max });
            }
            pending = 0;
            filled = self.read(reader, &mut block, packed, sink.bytes)?;
            input_bytes += filled as u64;
            if filled == 0 {
                break;
            }
        }
        if let Some(converter) = &mut converter {
            converter.convert(&[], true, &mut sink)?;
        }
        let text = Text { file: sink.file, bytes: sink.bytes, name: Arc::clone(&self.name) };
        Ok((text, if converter.is_some() { 0 } else { start }))
    }

    fn read(
        &self,
        reader: &mut dyn Read,
        block: &mut [u8],
        packed: Option<Packed>,
        text_bytes: u64,
    ) -> Result<usize, ExportError> {
        let file = || Arc::clone(&self.name);
        loop {
            match (reader.read(block), packed) {
                (Ok(read), _) => return Ok(read),
                (Err(error), _) if error.kind() == ErrorKind::Interrupted => {}
                (Err(error), Some(Packed { container, .. })) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(ExportError::TruncatedContainer { file: file(), container, text_bytes });
                }
                // The decoders speak of damage in these kinds; anything else comes from the file below them.
                (Err(source), Some(Packed { container, .. })) if source.raw_os_error().is_none() => {
                    return Err(ExportError::Damaged { file: file(), container, text_bytes, source });
                }
                (Err(source), _) => return Err(ExportError::Io { file: file(), source }),
            }
        }
    }
}

/// A temporary file that is gone when it is closed.
struct Sink {
    file: File,
    bytes: u64,
    name: Arc<str>,
    /// Line and column so far, for an error in the middle.
    here: place::Mark,
}

impl Sink {
    fn new(name: &Arc<str>) -> Result<Self, ExportError> {
        let file = tempfile::tempfile().map_err(|source| temporary(name, source))?;
        Ok(Self { file, bytes: 0, name: Arc::clone(name), here: place::Mark::default() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.file.write_all(bytes).map_err(|source| temporary(&self.name, source))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn temporary(name: &Arc<str>, source: io::Error) -> ExportError {
    let directory = std::env::temp_dir().display().to_string();
    ExportError::TemporaryFile { file: Arc::clone(name), directory, source }
}

/// Converts one encoding to UTF-8, refusing what is malformed.
struct Converter {
    decoder: Decoder,
    output: Vec<u8>,
    /// Bytes of the input that went into the decoder, the mark before them included.
    input_bytes: u64,
}

impl Converter {
    fn new(decoder: Decoder, skipped: u64) -> Self {
        Self { decoder, output: vec![0; BLOCK_BYTES], input_bytes: skipped }
    }

    fn convert(&mut self, input: &[u8], last: bool, sink: &mut Sink) -> Result<(), ExportError> {
        let mut rest = input;
        loop {
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(rest, &mut self.output, last);
            rest = &rest[read..];
            self.input_bytes += read as u64;
            sink.here.advance(&self.output[..written]);
            sink.write(&self.output[..written])?;
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    return Err(ExportError::MalformedText {
                        place: sink.here.place(&sink.name, String::new()),
                        encoding: self.decoder.encoding().name(),
                        input_offset: self.input_bytes - u64::from(length) - u64::from(after),
                    });
                }
            }
        }
    }
}
