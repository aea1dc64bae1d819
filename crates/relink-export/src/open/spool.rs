//! Streams decompressed, decoded text into a temporary file without a name. All texts of an export share one, so that an
//! archive of thousands of members takes one open file.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    sync::Arc,
};

use encoding_rs::{Decoder, DecoderResult};

use super::{
    HEAD_BYTES,
    encoding::{ByteOrderMark, Decoding},
};
use crate::{
    ExportError,
    place::{self, Text},
};

/// How much is moved at once.
const BLOCK_BYTES: usize = 128 * 1024;

/// See the module's documentation.
pub(super) struct Spool<'a> {
    pub(super) decoding: &'a Decoding,
    pub(super) progress: &'a mut dyn FnMut(u64),
    shared: Option<Sink>,
}

impl<'a> Spool<'a> {
    pub(super) fn new(decoding: &'a Decoding, progress: &'a mut dyn FnMut(u64)) -> Self {
        Self { decoding, progress, shared: None }
    }

    /// Keeps the bytes of a stream as they are, in a file of their own.
    pub(super) fn copy(&mut self, name: &Arc<str>, reader: &mut dyn Read) -> Result<Text, ExportError> {
        let mut sink = Sink::new(name)?;
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let read = read(name, reader, &mut block)?;
            if read == 0 {
                return Ok(Text { file: sink.file, origin: 0, bytes: sink.bytes, name: Arc::clone(name) });
            }
            sink.write(name, &block[..read])?;
            (self.progress)(sink.bytes);
        }
    }

    /// The UTF-8 text of a stream that begins with `head`, and where the document in it begins.
    pub(super) fn text(
        &mut self,
        name: &Arc<str>,
        head: &[u8],
        reader: &mut dyn Read,
    ) -> Result<(Text, u64), ExportError> {
        let start = ByteOrderMark::utf8_bytes(head);
        let conversion = self.decoding.plan(head, name)?;
        let mut sink = match self.shared.take() {
            Some(sink) => sink,
            None => Sink::new(name)?,
        };
        let origin = sink.bytes;
        let mut fresh = head;
        let mut converter = conversion.map(|conversion| {
            fresh = &head[conversion.skip..];
            Converter::new(conversion.encoding.new_decoder_without_bom_handling(), conversion.skip as u64)
        });
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            match &mut converter {
                None => sink.write(name, fresh)?,
                Some(converter) => converter.convert(name, fresh, false, &mut sink)?,
            }
            (self.progress)(sink.bytes);
            let filled = read(name, reader, &mut block)?;
            if filled == 0 {
                break;
            }
            fresh = &block[..filled];
        }
        if let Some(converter) = &mut converter {
            converter.convert(name, &[], true, &mut sink)?;
        }
        let text = Text { file: Arc::clone(&sink.file), origin, bytes: sink.bytes - origin, name: Arc::clone(name) };
        self.shared = Some(sink);
        Ok((text, if converter.is_some() { 0 } else { start }))
    }
}

/// Reads the start of a stream: what decides what it is.
pub(super) fn read_head(name: &Arc<str>, reader: &mut dyn Read) -> Result<Vec<u8>, ExportError> {
    let mut head = vec![0; HEAD_BYTES];
    let mut filled = 0;
    while filled < HEAD_BYTES {
        match read(name, reader, &mut head[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// Reads some bytes. An error that is an [`ExportError`] already comes out as it is.
pub(super) fn read(name: &Arc<str>, reader: &mut dyn Read, block: &mut [u8]) -> Result<usize, ExportError> {
    loop {
        match reader.read(block) {
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(match error.downcast::<ExportError>() {
                    Ok(error) => error,
                    Err(source) => ExportError::Io { file: Arc::clone(name), source },
                });
            }
        }
    }
}

/// A temporary file that is gone when it is closed.
struct Sink {
    file: Arc<File>,
    bytes: u64,
}

impl Sink {
    fn new(name: &Arc<str>) -> Result<Self, ExportError> {
        let file = tempfile::tempfile().map_err(|source| temporary(name, source))?;
        Ok(Self { file: Arc::new(file), bytes: 0 })
    }

    fn write(&mut self, name: &Arc<str>, bytes: &[u8]) -> Result<(), ExportError> {
        (&*self.file).write_all(bytes).map_err(|source| temporary(name, source))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn temporary(name: &Arc<str>, source: std::io::Error) -> ExportError {
    let directory = std::env::temp_dir().display().to_string();
    ExportError::TemporaryFile { file: Arc::clone(name), directory, source }
}

/// Converts one encoding to UTF-8, refusing what is malformed.
struct Converter {
    decoder: Decoder,
    output: Vec<u8>,
    /// Bytes of the input that went into the decoder, the mark before them included.
    input_bytes: u64,
    /// Line and column so far, for an error in the middle.
    here: place::Mark,
}

impl Converter {
    fn new(decoder: Decoder, skipped: u64) -> Self {
        Self { decoder, output: vec![0; BLOCK_BYTES], input_bytes: skipped, here: place::Mark::default() }
    }

    fn convert(&mut self, name: &Arc<str>, input: &[u8], last: bool, sink: &mut Sink) -> Result<(), ExportError> {
        let mut rest = input;
        loop {
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(rest, &mut self.output, last);
            rest = &rest[read..];
            self.input_bytes += read as u64;
            self.here.advance(&self.output[..written]);
            sink.write(name, &self.output[..written])?;
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, after) => {
                    return Err(ExportError::MalformedText {
                        place: self.here.place(name, String::new()),
                        encoding: self.decoder.encoding().name(),
                        input_offset: self.input_bytes - u64::from(length) - u64::from(after),
                    });
                }
            }
        }
    }
}
