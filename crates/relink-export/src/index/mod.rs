//! Indexing: one pass over the whole text that proves it well-formed and finds where the records of each label
//! stand. Nothing of a record is kept, so memory grows with the runs of labels, not with the records.

mod django;
mod keys;
mod shape;
mod table_map;

use std::{collections::HashMap, sync::Arc};

use relink_model::Place;

use self::{keys::KeyLayout, shape::Problem};
use crate::{
    ExportError, JsonKind, Source, SyntaxProblem,
    cursor::{Cursor, Fault},
    place::{Mark, Marker, push_segment},
    record::Split,
    scan::{first_char, misplaced},
    source::Format,
    window::{Dry, Window},
};

/// How many errors are collected before indexing gives up.
const ERRORS_MAX: usize = 100;

/// How many metadata values are kept, and how long they may be: enough to describe an export.
const METADATA_MAX: usize = 1000;
const METADATA_BYTES_MAX: usize = 4096;

/// The index of a label in [`Index::labels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u32);

impl LabelId {
    /// As an index into [`Index::labels`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an export holds, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Django models (`app.model`) or table names as the export spells them, in the order of their first
    /// appearance. An empty table has a label and no run.
    pub labels: Vec<String>,
    /// Where the records stand, in the order of the text.
    pub runs: Vec<Run>,
    /// Records in all.
    pub records: u64,
    /// Scalar members beside the tables of a table map: JSON pointer and raw JSON. The first thousand, as far as
    /// they are short.
    pub metadata: Vec<(String, String)>,
    /// Arrays in a table map that are no tables, because they do not hold objects, by JSON pointer. The
    /// first thousand.
    pub ignored: Vec<String>,
}

impl Index {
    /// The label of this id.
    pub fn label(&self, id: LabelId) -> &str {
        &self.labels[id.index()]
    }
}

/// Consecutive records of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which label.
    pub label: LabelId,
    /// Bytes from the start of the text to the first record's `{`.
    pub start: u64,
    /// Bytes from the start of the text to the end of the last record.
    pub end: u64,
    /// The first record's number in the export, from 0.
    pub first_ordinal: u64,
    /// How many there are.
    pub records: u64,
}

/// What indexing leaves behind so that places can be told later.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) marks: Vec<Mark>,
    /// By label, for a table map.
    pub(crate) tables: Vec<Table>,
}

/// A table of a table map.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) pointer: String,
    pub(crate) first_ordinal: u64,
    /// Where its name stands.
    key_offset: u64,
}

/// Indexing has ended: the last error says why.
struct Halted;

/// See the module's documentation.
pub(crate) struct Indexer<'s> {
    source: &'s Source,
    cursor: Cursor<'s>,
    progress: &'s mut dyn FnMut(u64),
    reported: u64,
    errors: Vec<ExportError>,
    index: Index,
    ids: HashMap<String, LabelId>,
    tables: Vec<Table>,
    split: Split,
    outer_keys: KeyLayout,
    field_keys: KeyLayout,
    /// The JSON pointer of the array or object that is being read.
    path: String,
    /// The number of the element in it, where it is an array.
    element: Option<u64>,
}

impl<'s> Indexer<'s> {
    pub(crate) fn new(source: &'s Source, progress: &'s mut dyn FnMut(u64)) -> Self {
        Self {
            source,
            cursor: source.cursor(Window::surveying(source.text(), source.chunk_bytes())),
            progress,
            reported: 0,
            errors: Vec::new(),
            index: Index::default(),
            ids: HashMap::new(),
            tables: Vec::new(),
            split: Split::default(),
            outer_keys: KeyLayout::default(),
            field_keys: KeyLayout::default(),
            path: String::new(),
            element: None,
        }
    }

    pub(crate) fn run(mut self) -> Result<(Index, Layout), Vec<ExportError>> {
        // Halted or not, the errors say how it went.
        let _ = self.document();
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        (self.progress)(self.source.text_bytes());
        let marks = self.cursor.window.into_marker().map_or_else(Vec::new, Marker::into_marks);
        Ok((self.index, Layout { marks, tables: self.tables }))
    }

    fn document(&mut self) -> Result<(), Halted> {
        self.skip_byte_order_mark()?;
        let Some(first) = self.significant()? else {
            let place = self.place_here()?;
            return Err(self.halt(ExportError::Empty { place }));
        };
        let expected = match (self.source.format(), first) {
            (Format::DjangoArray, b'[') => return self.django_array(),
            (Format::DjangoLines, b'{') => return self.django_lines(),
            (Format::TableMap, b'{') => return self.table_map(),
            (Format::TableMap, b'[') => "the '{' of a table map",
            _ => "'[' or '{'",
        };
        let found = self.first_char();
        let place = self.place_here()?;
        Err(self.halt(match misplaced(found, SyntaxProblem::ExpectedKey) {
            problem @ (SyntaxProblem::Comment | SyntaxProblem::SingleQuotes) => ExportError::Syntax { place, problem },
            _ => ExportError::TopLevel { place, expected, found },
        }))
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), Halted> {
        let mark = self.source.start() as usize;
        while self.cursor.window.bytes().len() < mark {
            if let Err(dry) = self.cursor.window.more() {
                return Err(self.fault(Fault::Dry(dry)));
            }
        }
        self.cursor.window.consume(mark);
        Ok(())
    }

    /// Reads the elements of the array whose `[` is next; `each` gets the first byte of each and consumes it.
    fn elements(&mut self, mut each: impl FnMut(&mut Self, u8) -> Result<(), Halted>) -> Result<(), Halted> {
        self.cursor.window.consume(1);
        self.element = Some(0);
        let mut next = self.expect_more()?;
        while next != b']' {
            each(self, next)?;
            self.tick();
            match self.expect_more()? {
                b']' => break,
                b',' => {
                    let comma = self.cursor.window.offset();
                    self.element = self.element.map(|element| element + 1);
                    self.cursor.window.consume(1);
                    next = self.expect_more()?;
                    if next == b']' {
                        return Err(self.fault(Fault::Syntax(comma, SyntaxProblem::TrailingComma)));
                    }
                }
                _ => {
                    self.element = None;
                    return Err(self.unexpected(|found| SyntaxProblem::ExpectedComma { found, closer: ']' }));
                }
            }
        }
        self.element = None;
        self.cursor.window.consume(1);
        Ok(())
    }

    /// Reads the record whose `{` is next: splits and checks it. Its length; it is not consumed yet.
    fn scan_record(&mut self) -> Result<usize, Fault> {
        let Self { cursor, split, source, .. } = self;
        let format = source.format();
        cursor.scan(|scanner| split.scan(scanner, format))
    }

    /// Counts the record of this length that is next, and consumes it.
    fn count_record(&mut self, label: LabelId, length: usize) {
        let start = self.cursor.window.offset();
        let end = start + length as u64;
        let first_ordinal = self.index.records;
        match self.index.runs.last_mut() {
            Some(run) if run.label == label => {
                run.end = end;
                run.records += 1;
            }
            _ => self.index.runs.push(Run { label, start, end, first_ordinal, records: 1 }),
        }
        self.pass_record(length);
    }

    /// Consumes the record of this length that is next; one that is wrong has a number too.
    fn pass_record(&mut self, length: usize) {
        self.index.records += 1;
        self.cursor.window.consume(length);
    }

    /// Passes over a value that is no record, though one is expected.
    fn refuse_element(&mut self, expected: &'static str) -> Result<(), Halted> {
        let place = self.place_here()?;
        let length = self.value()?;
        let found = JsonKind::of(&self.cursor.window.bytes()[..length]);
        self.pass_record(length);
        self.report(ExportError::NotAnObject { place, expected, found })
    }

    /// The id of a label, new or not.
    fn label(&mut self, name: &str) -> LabelId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = LabelId(self.index.labels.len() as u32);
        self.index.labels.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    fn tick(&mut self) {
        let read = self.cursor.window.read_to();
        if read != self.reported {
            self.reported = read;
            (self.progress)(self.cursor.window.offset());
        }
    }

    fn significant(&mut self) -> Result<Option<u8>, Halted> {
        self.cursor.significant().map_err(|fault| self.fault(fault))
    }

    /// The next byte that is no white space, where the document cannot end.
    fn expect_more(&mut self) -> Result<u8, Halted> {
        match self.significant()? {
            Some(byte) => Ok(byte),
            None => Err(self.fault(Fault::Dry(Dry::End))),
        }
    }

    fn value(&mut self) -> Result<usize, Halted> {
        self.cursor.value().map_err(|fault| self.fault(fault))
    }

    /// Nothing may follow the document.
    fn finish(&mut self) -> Result<(), Halted> {
        if self.significant()?.is_none() {
            return Ok(());
        }
        self.path.clear();
        self.element = None;
        let found = self.first_char();
        let place = self.place_here()?;
        Err(self.halt(ExportError::TrailingText { place, after: "the document", found }))
    }

    /// The first character that is next; a surveying window never ends inside one.
    fn first_char(&self) -> char {
        first_char(self.cursor.window.bytes())
    }

    fn unexpected(&mut self, expected: impl FnOnce(char) -> SyntaxProblem) -> Halted {
        let problem = misplaced(self.first_char(), expected);
        self.fault(Fault::Syntax(self.cursor.window.offset(), problem))
    }

    /// The JSON pointer of what is being read.
    fn pointer(&self) -> String {
        let mut pointer = self.path.clone();
        if let Some(element) = self.element {
            push_segment(&mut pointer, &element.to_string());
        }
        pointer
    }

    fn place(&mut self, offset: u64, pointer: String) -> Result<Place, Halted> {
        let marks = self.cursor.window.marker().map_or(&[][..], Marker::marks);
        self.source.text().place(marks, offset, pointer).map_err(|error| self.fault(Fault::Dry(Dry::Io(error))))
    }

    /// The place of what is being read.
    fn place_here(&mut self) -> Result<Place, Halted> {
        self.place(self.cursor.window.offset(), self.pointer())
    }

    /// Records an error that ends the indexing.
    fn halt(&mut self, error: ExportError) -> Halted {
        self.errors.push(error);
        Halted
    }

    /// Records an error after which reading goes on, unless there are too many.
    fn report(&mut self, error: ExportError) -> Result<(), Halted> {
        self.errors.push(error);
        if self.errors.len() < ERRORS_MAX {
            return Ok(());
        }
        let file = Arc::clone(self.source.name());
        Err(self.halt(ExportError::TooMany { file, shown: ERRORS_MAX }))
    }

    fn fault(&mut self, fault: Fault) -> Halted {
        match self.fault_error(fault) {
            Ok(error) => self.halt(error),
            Err(halted) => halted,
        }
    }

    fn fault_error(&mut self, fault: Fault) -> Result<ExportError, Halted> {
        let pointer = self.pointer();
        Ok(match fault {
            Fault::Dry(Dry::Io(source)) => ExportError::Io { file: Arc::clone(self.source.name()), source },
            Fault::Dry(Dry::Changed) => self.source.changed(),
            Fault::Dry(Dry::End) => ExportError::Truncated { place: self.place(self.source.text_bytes(), pointer)? },
            Fault::Dry(Dry::NotUtf8(offset)) => self.not_utf8(offset, pointer)?,
            Fault::Syntax(offset, SyntaxProblem::TooDeep) => {
                ExportError::TooDeep { place: self.place(offset, pointer)?, limit: self.source.depth_max() }
            }
            Fault::Syntax(offset, problem) => ExportError::Syntax { place: self.place(offset, pointer)?, problem },
            Fault::TooLarge(offset) => ExportError::RecordTooLarge {
                place: self.place(offset, pointer)?,
                limit: self.source.record_bytes_max(),
            },
        })
    }

    fn not_utf8(&mut self, offset: u64, pointer: String) -> Result<ExportError, Halted> {
        let place = self.place(offset, pointer)?;
        // The neighbours tell what kind of text it is.
        let before = offset.min(1);
        let mut bytes = [0; 5];
        let read = match self.source.text().read_at(&mut bytes, offset - before) {
            Ok(read) => read,
            Err(error) => return Err(self.fault(Fault::Dry(Dry::Io(error)))),
        };
        let (before, broken) = bytes[..read].split_at((before as usize).min(read));
        let cut =
            std::str::from_utf8(broken).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
        if broken.is_empty() || (cut && offset + broken.len() as u64 == self.source.text_bytes()) {
            return Ok(ExportError::Truncated { place });
        }
        // In a code page, accented letters stand alone or in pairs between plain ones.
        let plain_before = before.iter().all(u8::is_ascii);
        let high = broken.iter().take_while(|byte| !byte.is_ascii()).count();
        let undefined = matches!(broken[0], 0x81 | 0x8D | 0x8F | 0x90 | 0x9D);
        Ok(ExportError::NotUtf8 { place, byte: broken[0], code_page: plain_before && high <= 2 && !undefined })
    }

    /// Reports what is wrong with the shape of the record that is next. The record's number is not yet counted.
    fn report_problems(&mut self, problems: Vec<Problem>) -> Result<(), Halted> {
        let base = self.cursor.window.offset();
        let record = self.pointer();
        for problem in problems {
            let place = self.place(base + problem.at as u64, [record.as_str(), &problem.pointer].concat())?;
            let first = match problem.first {
                Some(at) => Some(self.place(base + at as u64, place.pointer.clone())?),
                None => None,
            };
            self.report(problem.fault.into_error(place, first))?;
        }
        Ok(())
    }
}
