//! Indexing Django dumps: one array of records, or one record a line.

use super::{
    Halted, Indexer, LabelId,
    shape::{ShapeFault, check_django},
};
use crate::{ExportError, RawJson, TextProblem};

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
        self.lines("the '{' of a record", Self::django_record)
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
        let nothing_like_it = self.index.records == self.parts[self.number].first_ordinal
            && problems.iter().any(|problem| matches!(problem.fault, ShapeFault::NotDjango));
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
                    return Err(self.changed());
                };
                let pointer = [&self.pointer(), "/model"].concat();
                match self.place(error.offset, pointer) {
                    Ok(place) => Err(ExportError::LoneSurrogate { place, unit }),
                    Err(Halted) => Err(self.changed()),
                }
            }
        }
    }
}
