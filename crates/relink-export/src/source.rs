//! An opened export. Opening has decompressed and decoded it; what its text says is looked at by indexing.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use relink_model::Place;

use crate::{
    ExportError, Index, LabelId, OpenOptions, OwnedRecord, RecordReader, Run, Snippet, TextError, TextProblem,
    csv::Header,
    cursor::Cursor,
    index::{Indexer, Layout},
    open,
    part::{Form, Part},
    place::{Mark, push_segment},
    record::read_one,
    window::Window,
};

/// How the records stand in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One array of Django records, as `dumpdata` writes it.
    DjangoArray,
    /// One Django record a line, as `dumpdata --format jsonl` writes it.
    DjangoLines,
    /// An object of tables, each an array of rows.
    TableMap,
    /// A file for each table: an array of rows, a row a line, or CSV.
    RowFiles,
}

impl Format {
    /// Which family of formats it belongs to.
    pub fn family(self) -> FormatFamily {
        match self {
            Self::DjangoArray | Self::DjangoLines => FormatFamily::Django,
            Self::TableMap => FormatFamily::TableMap,
            Self::RowFiles => FormatFamily::RowFiles,
        }
    }
}

/// What a user can ask for; the rest is seen from the content and the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormatFamily {
    /// Django dumpdata.
    Django,
    /// A table map.
    TableMap,
    /// A file for each table.
    RowFiles,
}

impl FormatFamily {
    /// For messages: `a Django dump`.
    pub fn described(self) -> &'static str {
        match self {
            Self::Django => "a Django dump",
            Self::TableMap => "a table map",
            Self::RowFiles => "rows of one table",
        }
    }
}

/// An opened export: UTF-8 text with random access, in one part or several. Cheap to clone; clones share everything.
///
/// Offsets, as records, values and runs have them, count through all parts; [`Source::place`] tells file and line.
#[derive(Clone, Debug)]
pub struct Source {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    /// At least one, in the order of their bases.
    parts: Vec<Part>,
    /// Files beside the parts that hold no records.
    ignored: Vec<String>,
    record_bytes_max: usize,
    depth_max: usize,
    chunk_bytes: usize,
    /// What indexing learned; errors of records that are read later get their places from it.
    layout: OnceLock<Layout>,
}

impl Source {
    /// Opens an export; compression, text encoding and format are seen from its content, the tables of row files from
    /// their names. `-` is standard input.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, ExportError> {
        Self::open_files(&[path], options, &mut |_| {})
    }

    /// Opens an export of several files, each of them a file, a folder or an archive: records follow each other in the
    /// order of the files. `progress` hears now and then how many bytes of text have been decompressed or decoded. A
    /// plain UTF-8 file is read in place and needs neither.
    pub fn open_files(
        paths: &[impl AsRef<Path>],
        options: &OpenOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ExportError> {
        let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
        let open::Opened { name, parts, ignored } = open::open(&paths, options, progress)?;
        let shared = Shared {
            name,
            parts,
            ignored,
            record_bytes_max: options.record_bytes_max,
            depth_max: options.depth_max,
            chunk_bytes: options.chunk_bytes,
            layout: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How the records stand in the (first) text. A guess where the text begins as no format does; indexing then says so.
    pub fn format(&self) -> Format {
        match self.shared.parts[0].form {
            Form::DjangoArray => Format::DjangoArray,
            Form::DjangoLines => Format::DjangoLines,
            Form::TableMap => Format::TableMap,
            Form::RowArray | Form::RowLines | Form::Csv => Format::RowFiles,
        }
    }

    /// The file or folder as the user named it, `archive.zip!member` for the only member of an archive; of several files
    /// the first, and how many more there are.
    pub fn name(&self) -> &Arc<str> {
        &self.shared.name
    }

    /// The length of the decoded text, all parts together.
    pub fn text_bytes(&self) -> u64 {
        self.shared.parts.iter().map(|part| part.text.bytes).sum()
    }

    /// Whether all these runs stand in one text: between texts, the order of records is the order in which the files were
    /// named.
    pub fn in_one_text(&self, runs: &[Run]) -> bool {
        runs.windows(2).all(|pair| self.part_at(pair[0].start) == self.part_at(pair[1].start))
    }

    /// Reads the whole text once and proves that it is well-formed: UTF-8, JSON or CSV, the format's own shape, no name
    /// twice in a record. `progress` hears now and then how many bytes are done.
    ///
    /// All errors from which reading can go on are collected, up to a limit; the first other one ends the list of its
    /// file.
    pub fn index(&self, progress: &mut dyn FnMut(u64)) -> Result<Index, Vec<ExportError>> {
        let (index, layout) = Indexer::new(self, progress).run()?;
        // Indexed before: the same text gives the same layout.
        let _ = self.shared.layout.set(layout);
        Ok(index)
    }

    /// Streams the records of a run, reading its part of the text in order.
    pub fn records(&self, run: &Run) -> RecordReader<'_> {
        RecordReader::new(self, run)
    }

    /// Reads one record again. `label` and `ordinal` are given back with it; `offset` says where it begins.
    pub fn record_at(&self, label: LabelId, ordinal: u64, offset: u64) -> Result<OwnedRecord, ExportError> {
        read_one(self, label, ordinal, offset)
    }

    /// The place of an offset: its file, and where it stands there. `pointer` is a whole JSON pointer as
    /// [`Source::pointer`] gives it; where it is empty, the record's own is used.
    pub fn place(
        &self,
        record_ordinal: u64,
        label: LabelId,
        offset: u64,
        pointer: String,
    ) -> Result<Place, ExportError> {
        let pointer = if pointer.is_empty() { self.pointer(label, record_ordinal, None) } else { pointer };
        let number = self.part_at(offset);
        let part = self.part(number);
        part.text
            .place(self.marks(number), offset - part.base, pointer)
            .map_err(|source| ExportError::Io { file: Arc::clone(&part.text.name), source })
    }

    /// The JSON pointer of a record, or of one of its fields: from the top of the record's file, for JSON Lines and CSV
    /// from the record itself (a field of a CSV record is its column's name).
    pub fn pointer(&self, label: LabelId, record_ordinal: u64, field: Option<&str>) -> String {
        let mut pointer = String::new();
        let layout = self.shared.layout.get();
        let number = layout.map_or(0, |layout| {
            layout.parts.partition_point(|part| part.first_ordinal <= record_ordinal).saturating_sub(1)
        });
        let form = self.part(number).form;
        match form {
            Form::DjangoArray => {
                let first = layout.map_or(0, |layout| layout.parts[number].first_ordinal);
                push_segment(&mut pointer, &record_ordinal.saturating_sub(first).to_string());
            }
            Form::DjangoLines | Form::RowLines | Form::Csv => {}
            Form::TableMap | Form::RowArray => {
                if let Some(table) = layout.and_then(|layout| layout.tables.get(label.index())) {
                    pointer.push_str(&table.pointer);
                    push_segment(&mut pointer, &record_ordinal.saturating_sub(table.first_ordinal).to_string());
                }
            }
        }
        if let Some(field) = field {
            if form.family() == FormatFamily::Django {
                pointer.push_str("/fields");
            }
            push_segment(&mut pointer, field);
        }
        pointer
    }

    /// The text around a place, cut to a bounded length, for a diagnostic.
    pub fn snippet(&self, place: &Place) -> Result<Snippet, ExportError> {
        let named = self.shared.parts.iter().find(|part| part.text.name == place.file);
        let part = named.unwrap_or(&self.shared.parts[0]);
        part.text.snippet(place).map_err(|source| ExportError::Io { file: Arc::clone(&part.text.name), source })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.shared.parts
    }

    pub(crate) fn part(&self, number: usize) -> &Part {
        &self.shared.parts[number]
    }

    /// The number of the part that an offset is in.
    pub(crate) fn part_at(&self, offset: u64) -> usize {
        self.shared.parts.partition_point(|part| part.base <= offset).saturating_sub(1)
    }

    pub(crate) fn ignored(&self) -> &[String] {
        &self.shared.ignored
    }

    pub(crate) fn chunk_bytes(&self) -> usize {
        self.shared.chunk_bytes
    }

    pub(crate) fn depth_max(&self) -> usize {
        self.shared.depth_max
    }

    pub(crate) fn record_bytes_max(&self) -> usize {
        self.shared.record_bytes_max
    }

    pub(crate) fn cursor<'s>(&'s self, window: Window<'s>) -> Cursor<'s> {
        Cursor::new(window, self.shared.depth_max, self.shared.record_bytes_max)
    }

    /// What indexing learned.
    pub(crate) fn layout(&self) -> Option<&Layout> {
        self.shared.layout.get()
    }

    /// The header of a part that is CSV; without columns for any other, and before indexing.
    pub(crate) fn header(&self, number: usize) -> &Header {
        static NONE: Header = Header::none();
        self.layout().map_or(&NONE, |layout| &layout.parts[number].header)
    }

    pub(crate) fn text_error(&self, error: TextError, label: LabelId, ordinal: u64) -> ExportError {
        let TextProblem::LoneSurrogate(unit) = error.problem else {
            return ExportError::changed(self.part(self.part_at(error.offset)));
        };
        match self.place(ordinal, label, error.offset, String::new()) {
            Ok(place) => ExportError::LoneSurrogate { place, unit },
            Err(error) => error,
        }
    }

    fn marks(&self, number: usize) -> &[Mark] {
        self.layout().map_or(&[], |layout| &layout.parts[number].marks)
    }
}
