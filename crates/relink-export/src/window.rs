//! A window that slides over an export's text: what has been read and is not yet consumed. It grows only while one
//! value does not fit.

use std::{io, ops::Range};

use crate::place::{Marker, Text};

/// How many bytes are read at once.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// Why no more bytes came.
#[derive(Debug)]
pub(crate) enum Dry {
    /// The end of the range.
    End,
    /// Bytes that are no UTF-8, at this offset; only a surveying window looks.
    NotUtf8(u64),
    /// The file is shorter than when it was opened.
    Changed,
    /// Reading failed.
    Io(io::Error),
}

/// See the module's documentation.
pub(crate) struct Window<'t> {
    text: &'t Text,
    buffer: Vec<u8>,
    /// Consumed up to here.
    start: usize,
    /// Readable up to here: checked to be UTF-8, where that is asked for.
    ready: usize,
    /// Filled up to here.
    filled: usize,
    /// The text's offset of `buffer[0]`.
    base: u64,
    end: u64,
    chunk: usize,
    survey: Option<Marker>,
    not_utf8: Option<u64>,
}

impl<'t> Window<'t> {
    /// A window over a range of the text that has been indexed before.
    pub(crate) fn new(text: &'t Text, range: Range<u64>, chunk: usize) -> Self {
        let chunk = chunk.min(usize::try_from(range.end - range.start).unwrap_or(chunk)).max(1);
        Self {
            text,
            buffer: Vec::new(),
            start: 0,
            ready: 0,
            filled: 0,
            base: range.start,
            end: range.end,
            chunk,
            survey: None,
            not_utf8: None,
        }
    }

    /// A window over the whole text that checks for UTF-8 and counts lines as it reads.
    pub(crate) fn surveying(text: &'t Text, chunk: usize) -> Self {
        Self { survey: Some(Marker::default()), ..Self::new(text, 0..text.bytes, chunk) }
    }

    /// The readable bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.ready]
    }

    /// The text's offset of the first readable byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// How far the text has been read.
    pub(crate) fn read_to(&self) -> u64 {
        self.base + self.filled as u64
    }

    /// Moves past `count` readable bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.ready, "only readable bytes are consumed");
    }

    /// What the survey counted so far.
    pub(crate) fn marker(&self) -> Option<&Marker> {
        self.survey.as_ref()
    }

    /// Ends the window and gives what the survey counted.
    pub(crate) fn into_marker(self) -> Option<Marker> {
        self.survey
    }

    /// Makes at least one more byte readable. Reads as much again as is readable already, so that a value that is
    /// scanned anew after each call is scanned in linear time all the same.
    pub(crate) fn more(&mut self) -> Result<(), Dry> {
        let readable = self.ready - self.start;
        loop {
            if let Some(offset) = self.not_utf8 {
                return Err(Dry::NotUtf8(offset));
            }
            self.read(self.chunk.max(readable))?;
            self.check_utf8();
            if self.ready - self.start > readable {
                return Ok(());
            }
        }
    }

    fn read(&mut self, wanted: usize) -> Result<(), Dry> {
        let left = self.end - self.read_to();
        if left == 0 {
            return Err(Dry::End);
        }
        let wanted = wanted.min(usize::try_from(left).unwrap_or(usize::MAX));
        if self.filled + wanted > self.buffer.len() {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.base += self.start as u64;
            self.filled -= self.start;
            self.ready -= self.start;
            self.start = 0;
            if self.filled + wanted > self.buffer.len() {
                self.buffer.resize(self.filled + wanted, 0);
            }
        }
        let target = &mut self.buffer[self.filled..self.filled + wanted];
        let read = self.text.read_at(target, self.base + self.filled as u64).map_err(Dry::Io)?;
        if read < wanted {
            return Err(Dry::Changed);
        }
        self.filled += read;
        Ok(())
    }

    /// Makes readable what is UTF-8 of the bytes that were filled in.
    fn check_utf8(&mut self) {
        let Some(marker) = &mut self.survey else {
            self.ready = self.filled;
            return;
        };
        let fresh = &self.buffer[self.ready..self.filled];
        let (valid, broken) = match std::str::from_utf8(fresh) {
            Ok(_) => (fresh.len(), false),
            // A character that is cut at the end of the window is completed by the next read.
            Err(error) => {
                let cut = error.error_len().is_none() && self.base + (self.filled as u64) < self.end;
                (error.valid_up_to(), !cut)
            }
        };
        marker.advance(&fresh[..valid]);
        self.ready += valid;
        if broken {
            self.not_utf8 = Some(self.base + self.ready as u64);
        }
    }
}
