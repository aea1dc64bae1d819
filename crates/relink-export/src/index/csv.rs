//! Indexing CSV files: a header, then records of as many cells. The table is named by the file.

use super::{Halted, Indexer};
use crate::{
    CsvProblem, ExportError,
    csv::{Cell, Extent, Header},
};

impl Indexer<'_> {
    /// The text, which begins with the header.
    pub(super) fn csv(&mut self) -> Result<(), Halted> {
        let label = self.file_table()?;
        let mut cells = Vec::new();
        let Some(extent) = self.csv_record(&mut cells)? else {
            let place = self.place_here()?;
            return Err(self.halt(ExportError::Empty { place }));
        };
        let header = self.csv_header(extent, &cells)?;
        while let Some(extent) = self.csv_record(&mut cells)? {
            if header.is_blank(extent) {
                self.cursor.window.consume(extent.line);
                continue;
            }
            if cells.len() == header.columns() {
                // With the line break: a record of one column may be nothing else.
                self.count_record(label, extent.line);
            } else {
                let problem = CsvProblem::Cells { expected: header.columns(), found: cells.len() };
                let place = self.place_here()?;
                self.pass_record(extent.line);
                self.report(ExportError::Csv { place, problem })?;
            }
            self.tick();
        }
        self.parts[self.number].header = header;
        Ok(())
    }

    fn csv_record(&mut self, cells: &mut Vec<Cell>) -> Result<Option<Extent>, Halted> {
        self.cursor.csv_record(cells).map_err(|fault| self.fault(fault))
    }

    fn csv_header(&mut self, extent: Extent, cells: &[Cell]) -> Result<Header, Halted> {
        let line = String::from_utf8_lossy(&self.cursor.window.bytes()[..extent.line]).into_owned();
        match Header::read(&line[..extent.record], &line, cells) {
            Ok(header) => {
                self.cursor.window.consume(extent.line);
                Ok(header)
            }
            Err(problems) => {
                let start = self.cursor.window.offset();
                for (at, problem) in problems {
                    let place = self.place(start + at as u64, String::new())?;
                    self.report(ExportError::Csv { place, problem })?;
                }
                Err(Halted)
            }
        }
    }
}
