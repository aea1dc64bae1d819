//! Walks an export's text token by token, reading on as needed. It knows where things end, not what they are for.

use crate::{
    CsvProblem, SyntaxProblem,
    csv::{self, Cell, Extent},
    scan::{Scanner, Stop},
    window::{Dry, Window},
};

/// Why the walk cannot go on.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The text ends, or cannot be read.
    Dry(Dry),
    /// The grammar is broken at this offset of the text.
    Syntax(u64, SyntaxProblem),
    /// The rules of CSV are broken at this offset of the text.
    Csv(u64, CsvProblem),
    /// The value that begins at this offset is larger than allowed.
    TooLarge(u64),
}

/// A window, and the state of the scanner that works on it.
pub(crate) struct Cursor<'t> {
    pub(crate) window: Window<'t>,
    open: Vec<u8>,
    depth_max: usize,
    value_bytes_max: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(window: Window<'t>, depth_max: usize, value_bytes_max: usize) -> Self {
        Self { window, open: Vec::new(), depth_max, value_bytes_max }
    }

    /// Skips white space; the byte after it, or `None` at the end of the text.
    pub(crate) fn significant(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let bytes = self.window.bytes();
            let space = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count();
            let found = bytes.get(space).copied();
            self.window.consume(space);
            if found.is_some() {
                return Ok(found);
            }
            match self.window.more() {
                Ok(()) => {}
                Err(Dry::End) => return Ok(None),
                Err(dry) => return Err(Fault::Dry(dry)),
            }
        }
    }

    /// Runs `scan` on what the window holds, on more and more of it until it finds the end of its value: the
    /// value's length. `scan` starts afresh each time.
    pub(crate) fn scan(
        &mut self,
        mut scan: impl FnMut(&mut Scanner<'_>) -> Result<usize, Stop>,
    ) -> Result<usize, Fault> {
        loop {
            let offset = self.window.offset();
            let bytes = self.window.bytes();
            match scan(&mut Scanner::new(bytes, &mut self.open, self.depth_max, false)) {
                Ok(length) if length > self.value_bytes_max => return Err(Fault::TooLarge(offset)),
                Ok(length) => return Ok(length),
                Err(Stop::Syntax(error)) => return Err(Fault::Syntax(offset + error.offset as u64, error.problem)),
                Err(Stop::More) if bytes.len() > self.value_bytes_max => return Err(Fault::TooLarge(offset)),
                Err(Stop::More) => self.window.more().map_err(Fault::Dry)?,
            }
        }
    }

    /// The extent of the CSV record at the window's start, and its cells; `None` at the end of the text.
    pub(crate) fn csv_record(&mut self, cells: &mut Vec<Cell>) -> Result<Option<Extent>, Fault> {
        let mut complete = false;
        loop {
            let offset = self.window.offset();
            let bytes = self.window.bytes();
            if complete && bytes.is_empty() {
                return Ok(None);
            }
            match csv::scan(bytes, complete, cells) {
                Ok(extent) if extent.record > self.value_bytes_max => return Err(Fault::TooLarge(offset)),
                Ok(extent) => return Ok(Some(extent)),
                Err(csv::Stop::Broken(at, problem)) => return Err(Fault::Csv(offset + at as u64, problem)),
                Err(csv::Stop::More) if bytes.len() > self.value_bytes_max => return Err(Fault::TooLarge(offset)),
                Err(csv::Stop::More) => match self.window.more() {
                    Ok(()) => {}
                    Err(Dry::End) => complete = true,
                    Err(dry) => return Err(Fault::Dry(dry)),
                },
            }
        }
    }

    /// The length of the value at the window's start.
    pub(crate) fn value(&mut self) -> Result<usize, Fault> {
        self.scan(|scanner| scanner.value(0))
    }
}
