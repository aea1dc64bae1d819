//! Line and column of an offset, and the text around a place.
//!
//! Lines are counted while the export is indexed; a [`Mark`] is kept every so many bytes, so that a place costs one
//! short read, and the marks cost next to no memory.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt,
    sync::Arc,
};

use relink_model::Place;

/// How far apart marks stand at least.
const MARK_EVERY_BYTES: u64 = 256 * 1024;

/// How much of the text a [`Snippet`] shows before and after its place, at most.
const SNIPPET_SIDE_BYTES: u64 = 160;

/// UTF-8 text of an export (or bytes that claim to be it), readable from any offset.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) file: Arc<File>,
    /// Where in the file it begins: texts that were unpacked share one.
    pub(crate) origin: u64,
    pub(crate) bytes: u64,
    /// The file as the user named it, with `!member` for a member of an archive.
    pub(crate) name: Arc<str>,
}

impl Text {
    /// Fills `buffer` from `offset`; less only at the end of the text.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX));
        let mut filled = 0;
        while filled < wanted {
            match self.file.read_at(&mut buffer[filled..wanted], self.origin + offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn read_range(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let read = self.read_at(&mut bytes, range.start)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Reads it from its start.
    pub(crate) fn reader(&self) -> TextReader<'_> {
        TextReader { text: self, at: 0 }
    }

    /// The place of `offset`, its line and column counted from the nearest of `marks`.
    pub(crate) fn place(&self, marks: &[Mark], offset: u64, pointer: String) -> io::Result<Place> {
        let offset = offset.min(self.bytes);
        let nearest = marks.partition_point(|mark| mark.offset <= offset).checked_sub(1);
        let mut mark = nearest.map_or_else(Mark::default, |index| marks[index]);
        while mark.offset < offset {
            let end = offset.min(mark.offset + MARK_EVERY_BYTES);
            let bytes = self.read_range(mark.offset..end)?;
            if bytes.is_empty() {
                break;
            }
            mark.advance(&bytes);
        }
        Ok(mark.place(&self.name, pointer))
    }

    /// The text around a place, cut to a bounded length.
    pub(crate) fn snippet(&self, place: &Place) -> io::Result<Snippet> {
        let at = place.offset.min(self.bytes);
        let from = at.saturating_sub(SNIPPET_SIDE_BYTES);
        let to = (at + SNIPPET_SIDE_BYTES).min(self.bytes);
        let bytes = self.read_range(from..to)?;
        let (before, after) = bytes.split_at(bytes.len().min((at - from) as usize));

        // The place's own line and one on each side, as far as they are whole; else the line is cut.
        let mut starts = memchr::memrchr_iter(b'\n', before).map(|newline| newline + 1);
        let (start, cut_before) = match (starts.next(), starts.next()) {
            (_, Some(previous)) => (previous, false),
            _ if from == 0 => (0, false),
            (Some(own), None) => (own, false),
            (None, None) => (before.iter().take_while(|byte| is_continuation(**byte)).count(), true),
        };
        let mut ends = memchr::memchr_iter(b'\n', after);
        let (end, cut_after) = match (ends.next(), ends.next()) {
            (_, Some(next)) => (next, false),
            _ if to == self.bytes => (after.len(), false),
            (Some(own), None) => (own, false),
            (None, None) => (whole_characters(after), true),
        };

        let before = String::from_utf8_lossy(&before[start..]);
        let (token, rest) = after[..end].split_at(token_bytes(&after[..end]));
        let (token, rest) = (String::from_utf8_lossy(token), String::from_utf8_lossy(rest));
        let lines_before = memchr::memchr_iter(b'\n', before.as_bytes()).count() as u64;
        Ok(Snippet {
            line: place.line.saturating_sub(lines_before),
            span: before.len()..before.len() + token.len(),
            text: [before.as_ref(), token.as_ref(), rest.as_ref()].concat(),
            cut_before,
            cut_after,
        })
    }
}

/// Reads a text in order. It does not move the file's own position, which others may use.
#[derive(Debug)]
pub(crate) struct TextReader<'t> {
    text: &'t Text,
    at: u64,
}

impl Read for TextReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for TextReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.text.bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Some lines of an export around a place, for a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The text; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// The bytes of `text` that stand at the place: the value that begins there, as far as it is shown.
    pub span: Range<usize>,
    /// The line of the export on which `text` begins, from 1.
    pub line: u64,
    /// Whether `text` begins in the middle of a line.
    pub cut_before: bool,
    /// Whether `text` ends in the middle of a line.
    pub cut_after: bool,
}

/// Where counting stands: an offset with its line and the characters before it on that line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    offset: u64,
    line: u64,
    characters: u64,
}

impl Default for Mark {
    fn default() -> Self {
        Self { offset: 0, line: 1, characters: 0 }
    }
}

impl Mark {
    /// Counts the bytes that follow.
    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let on_last_line = match memchr::memrchr(b'\n', bytes) {
            None => bytes,
            Some(last) => {
                self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
                self.characters = 0;
                &bytes[last + 1..]
            }
        };
        self.characters += characters(on_last_line);
    }

    /// The place at which counting stands.
    pub(crate) fn place(&self, name: &Arc<str>, pointer: String) -> Place {
        Place { file: Arc::clone(name), offset: self.offset, line: self.line, column: self.characters + 1, pointer }
    }
}

/// Leaves a [`Mark`] every so many bytes of a text that passes by from its start.
#[derive(Debug, Default)]
pub(crate) struct Marker {
    marks: Vec<Mark>,
    here: Mark,
}

impl Marker {
    /// Counts the bytes that follow.
    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let until_mark = MARK_EVERY_BYTES - self.here.offset % MARK_EVERY_BYTES;
            let (now, later) = rest.split_at(rest.len().min(until_mark as usize));
            self.here.advance(now);
            if now.len() as u64 == until_mark {
                self.marks.push(self.here);
            }
            rest = later;
        }
    }

    /// The marks so far, in the order of their offsets.
    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// All marks.
    pub(crate) fn into_marks(self) -> Vec<Mark> {
        self.marks
    }
}

/// Appends one segment to a JSON pointer (RFC 6901).
pub(crate) fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for character in segment.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// How many characters begin in `bytes`. Summed up in bytes, in blocks too short to overflow one: that is what the
/// compiler turns into vector instructions, and a dump without line breaks is counted through to its end.
fn characters(bytes: &[u8]) -> u64 {
    const BLOCK_BYTES: usize = 192;
    let in_block = |block: &[u8]| block.iter().map(|byte| u8::from(!is_continuation(*byte))).sum::<u8>();
    bytes.chunks(BLOCK_BYTES).map(|block| u64::from(in_block(block))).sum()
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The length of `bytes` without a character that is cut at its end.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

/// How many bytes the JSON token at the start of `bytes` takes: a string to its closing quote, a number or word to
/// its end, anything else one character; brackets only themselves.
fn token_bytes(bytes: &[u8]) -> usize {
    match bytes.first() {
        None | Some(b'\n') => 0,
        Some(b'"') => {
            let line = &bytes[..memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())];
            let mut pos = 1;
            while let Some(byte) = line.get(pos) {
                match byte {
                    b'"' => return pos + 1,
                    b'\\' => pos += 2,
                    _ => pos += 1,
                }
            }
            line.len()
        }
        Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'-' => {
            let in_token = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_');
            bytes.iter().take_while(in_token).count()
        }
        Some(_) => 1 + bytes[1..].iter().take_while(|byte| is_continuation(**byte)).count(),
    }
}
