//! Indexing Django dumps: one array of records, or one record a line.

use super::{
    Halted, Indexer, LabelId,
    shape::{ShapeFault, check_django},
};
use crate::{ExportError, RawJson, TextProblem, cursor::Fault, window::Dry};

impl Indexer<'_> {
    /// The array whose `[` is next.
    pub(super) fn django_array(&mut self) -> Result<(), Halted> {
        self.elements(|indexer, first| {
            if first != b'{' {
                return indexer.refuse_element("a Django record (an object)");
            }
            match indexer.scan_record() {
                Ok(length) => indexer.django_record(length),
                Err(fault) => Err(indexer.fault(fault)),
            }
        })?;
        self.finish()
    }

    /// The lines, the first of which begins here.
    pub(super) fn django_lines(&mut self) -> Result<(), Halted> {
        while let Some(first) = self.significant()? {
            if first != b'{' {
                let found = self.first_char();
                let place = self.place_here()?;
                self.report(ExportError::TopLevel { place, expected: "the '{' of a record", found })?;
                self.next_line(0, false)?;
                continue;
            }
            let start = self.cursor.window.offset();
            match self.scan_record() {
                Ok(length) => self.django_record(length)?,
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

    fn django_record(&mut self, length: usize) -> Result<(), Halted> {
        let bytes = &self.cursor.window.bytes()[..length];
        let problems = check_django(bytes, &self.split, &mut self.outer_keys, &mut self.field_keys);
        if problems.is_empty() {
            return match self.model(length) {
                Ok(label) => {
                    self.count_record(label, length);
                    Ok(())
                }
                Err(error) => {
                    self.pass_record(length);
                    self.report(error)
                }
            };
        }
        // When not even the first record is one, neither are the others: one error says it all.
        let nothing_like_it =
            self.index.records == 0 && problems.iter().any(|problem| matches!(problem.fault, ShapeFault::NotDjango));
        self.report_problems(problems)?;
        if nothing_like_it {
            return Err(Halted);
        }
        self.pass_record(length);
        Ok(())
    }

    /// The label of the well-shaped record that is next.
    fn model(&mut self, length: usize) -> Result<LabelId, ExportError> {
        let bytes = &self.cursor.window.bytes()[..length];
        let model = self.split.member(bytes, "model").expect("a record without problems has a model");
        let range = model.value.clone();
        let value = &bytes[range.clone()];
        let name = &value[1..value.len() - 1];
        // Nearly always the label of the record before; with escapes in it, equal bytes mean nothing.
        if let Some(run) = self.index.runs.last()
            && self.index.label(run.label).as_bytes() == name
            && !name.contains(&b'\\')
        {
            return Ok(run.label);
        }
        let offset = self.cursor.window.offset() + range.start as u64;
        let text = String::from_utf8_lossy(value).into_owned();
        match RawJson::scanned(&text, offset).as_str() {
            Ok(name) => Ok(self.label(&name)),
            Err(error) => {
                let TextProblem::LoneSurrogate(unit) = error.problem else {
                    return Err(self.source.changed());
                };
                let pointer = [&self.pointer(), "/model"].concat();
                match self.place(error.offset, pointer) {
                    Ok(place) => Err(ExportError::LoneSurrogate { place, unit }),
                    Err(Halted) => Err(self.source.changed()),
                }
            }
        }
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
