//! Indexing the files of one table each: an array of rows, or one row a line. The table is named by the file.

use super::{Halted, Indexer, LabelId, shape::check_row};
use crate::{ExportError, cursor::Fault, window::Dry};

impl Indexer<'_> {
    /// The array whose `[` is next.
    pub(super) fn row_array(&mut self) -> Result<(), Halted> {
        let label = self.file_table()?;
        self.elements(|indexer, first| match first {
            b'{' => indexer.row(label),
            _ => indexer.refuse_element("a row (an object)"),
        })?;
        self.finish()
    }

    /// The lines, the first of which begins here; there may be none.
    pub(super) fn row_lines(&mut self) -> Result<(), Halted> {
        let label = self.file_table()?;
        self.lines("the '{' of a row", |indexer, length| indexer.scanned_row(label, length))
    }

    /// Begins the table that the file is named after.
    pub(super) fn file_table(&mut self) -> Result<LabelId, Halted> {
        let part = self.part;
        let name = part.naming.table.as_deref().expect("a text becomes a row file only if its name tells the table");
        self.table(name, part.start)
    }

    /// The row whose `{` is next.
    pub(super) fn row(&mut self, label: LabelId) -> Result<(), Halted> {
        match self.scan_record() {
            Ok(length) => self.scanned_row(label, length),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    /// The row of this length that is next and has been scanned.
    fn scanned_row(&mut self, label: LabelId, length: usize) -> Result<(), Halted> {
        let bytes = &self.cursor.window.bytes()[..length];
        let problems = check_row(bytes, &self.split, &mut self.field_keys);
        if problems.is_empty() {
            self.count_record(label, length);
            return Ok(());
        }
        self.report_problems(problems)?;
        self.pass_record(length);
        Ok(())
    }

    /// The lines, the first of which begins here, each a record; `each` consumes it.
    pub(super) fn lines(
        &mut self,
        expected: &'static str,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), Halted>,
    ) -> Result<(), Halted> {
        while let Some(first) = self.significant()? {
            if first != b'{' {
                let found = self.first_char();
                let place = self.place_here()?;
                self.report(ExportError::TopLevel { place, expected, found })?;
                self.next_line(0, false)?;
                continue;
            }
            let start = self.cursor.window.offset();
            match self.scan_record() {
                Ok(length) => each(self, length)?,
                Err(fault @ Fault::Syntax(offset, _)) => {
                    let error = self.fault_error(fault)?;
                    self.report(error)?;
                    // The fault may be the first byte of the next record, where this one was cut.
                    self.next_line((offset - start).saturating_sub(1) as usize, true)?;
                    continue;
                }
                Err(fault) => return Err(self.fault(fault)),
            }
            self.end_of_line()?;
            self.tick();
        }
        Ok(())
    }

    /// Nothing may follow a record on its line.
    fn end_of_line(&mut self) -> Result<(), Halted> {
        loop {
            let bytes = self.cursor.window.bytes();
            let blank = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
            let found = bytes.get(blank).copied();
            self.cursor.window.consume(blank);
            match found {
                Some(b'\n') => return Ok(()),
                Some(_) => {
                    let found = self.first_char();
                    let place = self.place_here()?;
                    self.report(ExportError::TrailingText { place, after: "the record on this line", found })?;
                    return self.next_line(0, false);
                }
                None => match self.cursor.window.more() {
                    Ok(()) => {}
                    Err(Dry::End) => return Ok(()),
                    Err(dry) => return Err(self.fault(Fault::Dry(dry))),
                },
            }
        }
    }

    /// After an error: on to the next line, `skip` bytes on at the earliest. Inside a broken record it is the next
    /// line that begins with a record: what stands between belongs to the broken one, and the export is refused
    /// already.
    fn next_line(&mut self, skip: usize, in_record: bool) -> Result<(), Halted> {
        self.cursor.window.consume(skip);
        let mut line_begins = false;
        loop {
            let bytes = self.cursor.window.bytes();
            match bytes.first() {
                Some(byte) if line_begins && (!in_record || *byte == b'{') => return Ok(()),
                Some(_) => {
                    let newline = memchr::memchr(b'\n', bytes);
                    let passed = newline.map_or(bytes.len(), |newline| newline + 1);
                    line_begins = newline.is_some();
                    self.cursor.window.consume(passed);
                }
                None => match self.cursor.window.more() {
                    Ok(()) => {}
                    Err(Dry::End) => return Ok(()),
                    Err(dry) => return Err(self.fault(Fault::Dry(dry))),
                },
            }
        }
    }
}
