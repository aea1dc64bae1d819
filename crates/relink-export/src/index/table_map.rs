//! Indexing table maps. An array of objects, or an empty one, is a table; an object is looked into, however deep it
//! is; anything else is metadata. So the tables may stand at the top, under `data`, or wherever a script put them.

use super::{Halted, Indexer, LabelId, METADATA_BYTES_MAX, METADATA_MAX, Table};
use crate::{ExportError, JsonKind, RawJson, SyntaxProblem, TextProblem, cursor::Fault, place::push_segment};

impl Indexer<'_> {
    /// The object whose `{` is next.
    pub(super) fn table_map(&mut self) -> Result<(), Halted> {
        let top = self.cursor.window.offset();
        let errors_before = self.errors.len();
        let read_before = (self.index.metadata.len(), self.index.ignored.len());
        // The length of `path` outside of each open object. Kept here, not on the call stack: depth is the input's.
        let mut open: Vec<usize> = Vec::new();
        let mut empty_object = false;
        self.open_object(&mut open, 0)?;
        let mut first = true;
        while let Some(&outside) = open.last() {
            let inside = self.path.len();
            let next = self.expect_more()?;
            let comma = self.cursor.window.offset();
            match next {
                b'}' => {
                    empty_object |= first;
                    self.cursor.window.consume(1);
                    self.path.truncate(outside);
                    open.pop();
                    first = false;
                    continue;
                }
                b',' if !first => self.cursor.window.consume(1),
                _ if first => {}
                _ => return Err(self.unexpected(|found| SyntaxProblem::ExpectedComma { found, closer: '}' })),
            }
            match self.expect_more()? {
                b'"' => {}
                b'}' => return Err(self.fault(Fault::Syntax(comma, SyntaxProblem::TrailingComma))),
                _ => return Err(self.unexpected(SyntaxProblem::ExpectedKey)),
            }
            let key_offset = self.cursor.window.offset();
            let name = self.name()?;
            if self.expect_more()? != b':' {
                return Err(self.unexpected(SyntaxProblem::ExpectedColon));
            }
            self.cursor.window.consume(1);
            push_segment(&mut self.path, &name);
            first = false;
            match self.expect_more()? {
                b'{' => {
                    self.open_object(&mut open, inside)?;
                    first = true;
                    continue;
                }
                b'[' => self.array(&name, key_offset)?,
                _ => self.scalar()?,
            }
            self.tick();
            self.path.truncate(inside);
        }
        self.finish()?;
        let read = (self.index.metadata.len(), self.index.ignored.len());
        let no_table = self.tables.last().is_none_or(|table| table.part != self.number);
        if no_table && !empty_object && self.errors.len() == errors_before && read != read_before {
            let place = self.place(top, String::new())?;
            return Err(self.halt(ExportError::NoTables { place }));
        }
        Ok(())
    }

    fn open_object(&mut self, open: &mut Vec<usize>, outside: usize) -> Result<(), Halted> {
        if open.len() >= self.source.depth_max() {
            return Err(self.fault(Fault::Syntax(self.cursor.window.offset(), SyntaxProblem::TooDeep)));
        }
        open.push(outside);
        self.cursor.window.consume(1);
        Ok(())
    }

    /// The member's name that is next, consumed.
    fn name(&mut self) -> Result<String, Halted> {
        let offset = self.cursor.window.offset();
        let length = self.value()?;
        let text = String::from_utf8_lossy(&self.cursor.window.bytes()[..length]).into_owned();
        match RawJson::scanned(&text, offset).as_str() {
            Ok(name) => {
                self.cursor.window.consume(length);
                Ok(name.into_owned())
            }
            Err(error) => {
                let place = self.place(error.offset, self.path.clone())?;
                Err(self.halt(match error.problem {
                    TextProblem::LoneSurrogate(unit) => ExportError::LoneSurrogate { place, unit },
                    TextProblem::NotAString => self.changed(),
                }))
            }
        }
    }

    /// A scalar member: metadata.
    fn scalar(&mut self) -> Result<(), Halted> {
        let length = self.value()?;
        if length <= METADATA_BYTES_MAX && self.index.metadata.len() < METADATA_MAX {
            let text = String::from_utf8_lossy(&self.cursor.window.bytes()[..length]).into_owned();
            self.index.metadata.push((self.path.clone(), text));
        }
        self.cursor.window.consume(length);
        Ok(())
    }

    /// The array whose `[` is next: a table if it is empty or its first element is an object.
    fn array(&mut self, name: &str, key_offset: u64) -> Result<(), Halted> {
        let mut first = true;
        let mut table = None;
        self.elements(|indexer, byte| {
            if first && byte == b'{' {
                table = Some(indexer.table(name, key_offset)?);
            }
            first = false;
            match (table, byte) {
                (Some(label), b'{') => indexer.row(label),
                (Some(_), _) => indexer.refuse_element("a row (an object)"),
                (None, b'{') => {
                    // Passing over it as metadata would lose rows without a word.
                    let place = indexer.place_here()?;
                    let length = indexer.value()?;
                    indexer.cursor.window.consume(length);
                    let expected = "no objects in an array that begins with another value";
                    indexer.report(ExportError::NotAnObject { place, expected, found: JsonKind::Object })
                }
                (None, _) => {
                    let length = indexer.value()?;
                    indexer.cursor.window.consume(length);
                    Ok(())
                }
            }
        })?;
        if first {
            self.table(name, key_offset)?;
        } else if table.is_none() && self.index.ignored.len() < METADATA_MAX {
            self.index.ignored.push(self.path.clone());
        }
        Ok(())
    }

    /// Begins a table. Its rows would be mixed up with those of another of the same name.
    pub(super) fn table(&mut self, name: &str, key_offset: u64) -> Result<LabelId, Halted> {
        let known = self.index.labels.len();
        let label = self.label(name);
        if label.index() < known {
            let first = Box::new(self.table_place(label)?);
            let place = self.place(key_offset, self.path.clone())?;
            self.report(ExportError::DuplicateTable { place, first, table: name.to_owned() })?;
        } else {
            let first_ordinal = self.index.records;
            let part = self.number;
            let name = name.to_owned();
            self.tables.push(Table { name, pointer: self.path.clone(), first_ordinal, part, key_offset });
        }
        Ok(label)
    }
}
