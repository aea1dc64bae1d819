//! Indexing: one pass over the whole text that proves it well-formed and finds where the records of each label
//! stand. Nothing of a record is kept, so memory grows with the runs of labels, not with the records. The parts of an
//! export are read one after the other; what ends one of them early does not keep the others from being read.

mod csv;
mod django;
mod keys;
mod rows;
mod shape;
mod table_map;

use std::{collections::HashMap, sync::Arc};

use relink_model::Place;

use self::{keys::KeyLayout, shape::Problem};
use crate::{
    ExportError, FormatFamily, JsonKind, Source, SyntaxProblem,
    csv::Header,
    cursor::{Cursor, Fault},
    part::{Form, Part},
    place::{Mark, Marker, push_segment},
    record::Split,
    scan::{first_char, misplaced},
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
    /// Where the records stand, in the order of the text. No run goes on from one file to the next.
    pub runs: Vec<Run>,
    /// Records in all.
    pub records: u64,
    /// Scalar members beside the tables of a table map: JSON pointer and raw JSON. The first thousand, as far as
    /// they are short.
    pub metadata: Vec<(String, String)>,
    /// Arrays in a table map that are no tables, because they do not hold objects, by JSON pointer: the first thousand.
    /// And the files of a folder or an archive that hold no records, by name.
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
    /// The export's offset of the first record's first byte; see [`Source::place`].
    pub start: u64,
    /// The export's offset of the end of the last record; for CSV, of its line.
    pub end: u64,
    /// The first record's number in the export, from 0.
    pub first_ordinal: u64,
    /// How many there are.
    pub records: u64,
    /// Whether `[` stands in one of them: without it no field holds a list.
    pub lists: bool,
    /// Where every so-many-th record begins, [`STOP_RECORDS`] apart: by these a run can be read in pieces, side by side.
    pub stops: Vec<u64>,
}

/// Records from one stop of a run to the next.
pub const STOP_RECORDS: u64 = 8_192;

impl Run {
    /// The same records in pieces of [`STOP_RECORDS`] at most.
    pub fn pieces(&self) -> Vec<Self> {
        let starts: Vec<u64> = std::iter::once(self.start).chain(self.stops.iter().copied()).collect();
        let piece = |(number, start): (usize, &u64)| {
            let before = number as u64 * STOP_RECORDS;
            Self {
                label: self.label,
                start: *start,
                end: starts.get(number + 1).copied().unwrap_or(self.end),
                first_ordinal: self.first_ordinal + before,
                records: (self.records - before).min(STOP_RECORDS),
                lists: self.lists,
                stops: Vec::new(),
            }
        };
        starts.iter().enumerate().map(piece).collect()
    }
}

/// What indexing leaves behind so that places can be told later.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) parts: Vec<PartLayout>,
    /// By label, for table maps and row files.
    pub(crate) tables: Vec<Table>,
}

/// What indexing learned of one part.
#[derive(Debug)]
pub(crate) struct PartLayout {
    pub(crate) marks: Vec<Mark>,
    pub(crate) first_ordinal: u64,
    pub(crate) header: Header,
}

/// A table of a table map, or of a row file.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) pointer: String,
    pub(crate) first_ordinal: u64,
    /// The number of its part.
    pub(crate) part: usize,
    /// Where in the part its name stands.
    key_offset: u64,
}

/// Indexing has ended: the last error says why.
struct Halted;

/// See the module's documentation.
pub(crate) struct Indexer<'s> {
    source: &'s Source,
    /// The part that is being read, and its number.
    part: &'s Part,
    number: usize,
    cursor: Cursor<'s>,
    progress: &'s mut dyn FnMut(u64),
    /// Bytes of the parts before.
    bytes_before: u64,
    reported: u64,
    /// The parts that have been read, and the one that is being read.
    parts: Vec<PartLayout>,
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
        let part = source.part(0);
        Self {
            source,
            part,
            number: 0,
            cursor: surveying(source, part),
            progress,
            bytes_before: 0,
            reported: 0,
            parts: Vec::new(),
            errors: Vec::new(),
            index: Index { ignored: source.ignored().to_vec(), ..Index::default() },
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
        for (number, part) in self.source.parts().iter().enumerate() {
            if self.errors.len() >= ERRORS_MAX {
                if !matches!(self.errors.last(), Some(ExportError::TooMany { .. })) {
                    let file = Arc::clone(self.source.name());
                    self.errors.push(ExportError::TooMany { file, shown: ERRORS_MAX });
                }
                break;
            }
            self.begin(number, part);
            // Halted or not, the errors say how it went.
            let _ = self.document();
            let read = std::mem::replace(&mut self.cursor, surveying(self.source, part));
            self.parts[number].marks = read.window.into_marker().map_or_else(Vec::new, Marker::into_marks);
            self.bytes_before += part.text.bytes;
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        (self.progress)(self.source.text_bytes());
        Ok((self.index, Layout { parts: self.parts, tables: self.tables }))
    }

    fn begin(&mut self, number: usize, part: &'s Part) {
        (self.part, self.number) = (part, number);
        self.cursor = surveying(self.source, part);
        self.path.clear();
        self.element = None;
        self.reported = 0;
        let first_ordinal = self.index.records;
        self.parts.push(PartLayout { marks: Vec::new(), first_ordinal, header: Header::none() });
    }

    fn document(&mut self) -> Result<(), Halted> {
        self.skip_byte_order_mark()?;
        if self.part.form == Form::Csv {
            return self.csv();
        }
        let first = self.significant()?;
        let Some(first) = first else {
            if self.part.form == Form::RowLines {
                return self.row_lines();
            }
            let place = self.place_here()?;
            return Err(self.halt(ExportError::Empty { place }));
        };
        let expected = match (self.part.form, first) {
            (Form::DjangoArray, b'[') => return self.django_array(),
            (Form::DjangoLines, b'{') => return self.django_lines(),
            (Form::TableMap, b'{') => return self.table_map(),
            (Form::RowArray, b'[') => return self.row_array(),
            (Form::RowLines, b'{') => return self.row_lines(),
            (Form::TableMap, b'[') => "the '{' of a table map",
            (Form::RowArray, _) => "the '[' of an array of rows",
            (Form::RowLines, _) => "the '{' of a row",
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
        let mark = self.part.start as usize;
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
        let Self { cursor, split, part, .. } = self;
        let django = part.form.family() == FormatFamily::Django;
        cursor.scan(|scanner| split.scan(scanner, django))
    }

    /// Counts the record of this length that is next, and consumes it.
    fn count_record(&mut self, label: LabelId, length: usize) {
        let start = self.part.base + self.cursor.window.offset();
        let end = start + length as u64;
        let first_ordinal = self.index.records;
        let has_list = |bytes: &[u8]| memchr::memchr(b'[', &bytes[..length]).is_some();
        let bytes = self.cursor.window.bytes();
        match self.index.runs.last_mut() {
            Some(run) if run.label == label && run.start >= self.part.base => {
                if run.records % STOP_RECORDS == 0 {
                    run.stops.push(start);
                }
                run.end = end;
                run.records += 1;
                run.lists = run.lists || has_list(bytes);
            }
            _ => {
                let lists = has_list(bytes);
                self.index.runs.push(Run { label, start, end, first_ordinal, records: 1, lists, stops: Vec::new() });
            }
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
            (self.progress)(self.bytes_before + self.cursor.window.offset());
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
        self.part.text.place(marks, offset, pointer).map_err(|error| self.fault(Fault::Dry(Dry::Io(error))))
    }

    /// The place of a table's name, in whichever part it stands.
    fn table_place(&mut self, label: LabelId) -> Result<Place, Halted> {
        let Table { part: number, key_offset, ref pointer, .. } = self.tables[label.index()];
        let pointer = pointer.clone();
        if number == self.number {
            return self.place(key_offset, pointer);
        }
        let place = self.source.part(number).text.place(&self.parts[number].marks, key_offset, pointer);
        place.map_err(|error| self.fault(Fault::Dry(Dry::Io(error))))
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
        let file = Arc::clone(&self.part.text.name);
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
            Fault::Dry(Dry::Io(source)) => ExportError::Io { file: Arc::clone(&self.part.text.name), source },
            Fault::Dry(Dry::Changed) => self.changed(),
            Fault::Dry(Dry::End) => ExportError::Truncated { place: self.place(self.part.text.bytes, pointer)? },
            Fault::Dry(Dry::NotUtf8(offset)) => self.not_utf8(offset, pointer)?,
            Fault::Syntax(offset, SyntaxProblem::TooDeep) => {
                ExportError::TooDeep { place: self.place(offset, pointer)?, limit: self.source.depth_max() }
            }
            Fault::Syntax(offset, problem) => ExportError::Syntax { place: self.place(offset, pointer)?, problem },
            Fault::Csv(offset, problem) => ExportError::Csv { place: self.place(offset, pointer)?, problem },
            Fault::TooLarge(offset) => ExportError::RecordTooLarge {
                place: self.place(offset, pointer)?,
                limit: self.source.record_bytes_max(),
            },
        })
    }

    fn changed(&self) -> ExportError {
        ExportError::changed(self.part)
    }

    fn not_utf8(&mut self, offset: u64, pointer: String) -> Result<ExportError, Halted> {
        let place = self.place(offset, pointer)?;
        // The neighbours tell what kind of text it is.
        let before = offset.min(1);
        let mut bytes = [0; 5];
        let read = match self.part.text.read_at(&mut bytes, offset - before) {
            Ok(read) => read,
            Err(error) => return Err(self.fault(Fault::Dry(Dry::Io(error)))),
        };
        let (before, broken) = bytes[..read].split_at((before as usize).min(read));
        let cut =
            std::str::from_utf8(broken).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
        if broken.is_empty() || (cut && offset + broken.len() as u64 == self.part.text.bytes) {
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

/// A cursor over the whole of a part.
fn surveying<'s>(source: &'s Source, part: &'s Part) -> Cursor<'s> {
    source.cursor(Window::surveying(&part.text, source.chunk_bytes()))
}
