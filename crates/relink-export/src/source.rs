//! An opened export. Opening has decompressed and decoded it; what its text says is looked at by indexing.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use relink_model::Place;

use crate::{
    ExportError, Index, LabelId, OpenOptions, OwnedRecord, RecordReader, Run, Snippet, TextError, TextProblem,
    cursor::{Cursor, Fault},
    index::{Indexer, Layout},
    open,
    place::{Mark, Text, push_segment},
    record::read_one,
    window::{Dry, Window},
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
}

impl Format {
    /// Which family of formats it belongs to.
    pub fn family(self) -> FormatFamily {
        match self {
            Self::DjangoArray | Self::DjangoLines => FormatFamily::Django,
            Self::TableMap => FormatFamily::TableMap,
        }
    }
}

/// What a user can ask for; the rest is seen from the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormatFamily {
    /// Django dumpdata.
    Django,
    /// A table map.
    TableMap,
}

/// An opened export: UTF-8 text with random access. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Source {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    text: Text,
    /// Where the document begins: after a byte order mark.
    start: u64,
    format: Format,
    record_bytes_max: usize,
    depth_max: usize,
    chunk_bytes: usize,
    /// What indexing learned; errors of records that are read later get their places from it.
    layout: OnceLock<Layout>,
}

impl Source {
    /// Opens an export; compression, text encoding and format are seen from its content.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, ExportError> {
        Self::open_with_progress(path, options, &mut |_| {})
    }

    /// Like [`Source::open`]; `progress` hears now and then how many bytes of text have been decompressed or
    /// decoded. A plain UTF-8 file is read in place and needs neither.
    pub fn open_with_progress(
        path: &Path,
        options: &OpenOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ExportError> {
        let (text, start) = open::open(path, options, progress)?;
        let mut shared = Shared {
            text,
            start,
            format: Format::DjangoArray,
            record_bytes_max: options.record_bytes_max,
            depth_max: options.depth_max,
            chunk_bytes: options.chunk_bytes,
            layout: OnceLock::new(),
        };
        shared.format = open::detect_format(&shared.text, start, options)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How the records stand in the text. A guess where the text begins as no format does; indexing then says so.
    pub fn format(&self) -> Format {
        self.shared.format
    }

    /// The file as the user named it; `archive.zip!member` for a member of an archive.
    pub fn name(&self) -> &Arc<str> {
        &self.shared.text.name
    }

    /// The length of the decoded text.
    pub fn text_bytes(&self) -> u64 {
        self.shared.text.bytes
    }

    /// Reads the whole text once and proves that it is well-formed: UTF-8, JSON, the format's own shape, no name
    /// twice in a record. `progress` hears now and then how many bytes are done.
    ///
    /// All errors from which reading can go on are collected, up to a limit; the first other one ends the list.
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

    /// The place of an offset. `pointer` is a whole JSON pointer as [`Source::pointer`] gives it; where it is empty,
    /// the record's own is used.
    pub fn place(
        &self,
        record_ordinal: u64,
        label: LabelId,
        offset: u64,
        pointer: String,
    ) -> Result<Place, ExportError> {
        let pointer = if pointer.is_empty() { self.pointer(label, record_ordinal, None) } else { pointer };
        self.shared
            .text
            .place(self.marks(), offset, pointer)
            .map_err(|source| ExportError::Io { file: Arc::clone(self.name()), source })
    }

    /// The JSON pointer of a record, or of one of its fields: from the top of the document, for JSON Lines from the
    /// top of the line.
    pub fn pointer(&self, label: LabelId, record_ordinal: u64, field: Option<&str>) -> String {
        let mut pointer = String::new();
        match self.format() {
            Format::DjangoArray => push_segment(&mut pointer, &record_ordinal.to_string()),
            Format::DjangoLines => {}
            Format::TableMap => {
                if let Some(table) = self.shared.layout.get().and_then(|layout| layout.tables.get(label.index())) {
                    pointer.push_str(&table.pointer);
                    push_segment(&mut pointer, &record_ordinal.saturating_sub(table.first_ordinal).to_string());
                }
            }
        }
        if let Some(field) = field {
            if self.format().family() == FormatFamily::Django {
                pointer.push_str("/fields");
            }
            push_segment(&mut pointer, field);
        }
        pointer
    }

    /// The text around a place, cut to a bounded length, for a diagnostic.
    pub fn snippet(&self, place: &Place) -> Result<Snippet, ExportError> {
        self.shared.text.snippet(place).map_err(|source| ExportError::Io { file: Arc::clone(self.name()), source })
    }

    pub(crate) fn text(&self) -> &Text {
        &self.shared.text
    }

    pub(crate) fn start(&self) -> u64 {
        self.shared.start
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

    pub(crate) fn changed(&self) -> ExportError {
        ExportError::Changed { file: Arc::clone(self.name()) }
    }

    /// A fault in text that indexing has passed: reading failed, or the file is another one now.
    pub(crate) fn changed_or_io(&self, fault: Fault) -> ExportError {
        match fault {
            Fault::Dry(Dry::Io(source)) => ExportError::Io { file: Arc::clone(self.name()), source },
            _ => self.changed(),
        }
    }

    pub(crate) fn text_error(&self, error: TextError, label: LabelId, ordinal: u64) -> ExportError {
        let TextProblem::LoneSurrogate(unit) = error.problem else {
            return self.changed();
        };
        match self.place(ordinal, label, error.offset, String::new()) {
            Ok(place) => ExportError::LoneSurrogate { place, unit },
            Err(error) => error,
        }
    }

    fn marks(&self) -> &[Mark] {
        self.shared.layout.get().map_or(&[], |layout| &layout.marks)
    }
}
