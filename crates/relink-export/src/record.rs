//! Records, read again after the export has been indexed: split into their fields, values left as text.

use std::borrow::Cow;

use crate::{
    ExportError, LabelId, RawJson, Run, Source,
    cursor::{Cursor, Fault},
    scan::{Member, Scanner, Stop},
    source::Format,
    unescape::unescape,
    window::{CHUNK_BYTES, Dry, Window},
};

/// The members of one scanned record.
#[derive(Debug, Default)]
pub(crate) struct Split {
    /// A Django record's own members; empty for a row of a table.
    pub(crate) outer: Vec<Member>,
    /// The fields.
    pub(crate) fields: Vec<Member>,
}

impl Split {
    /// Scans the object at the start, and splits it as `format` has it.
    pub(crate) fn scan(&mut self, scanner: &mut Scanner<'_>, format: Format) -> Result<usize, Stop> {
        let Self { outer, fields } = self;
        outer.clear();
        fields.clear();
        if format == Format::TableMap {
            return scanner.members(0, fields);
        }
        scanner.object(0, |scanner, key, value_at| {
            let bytes = scanner.bytes();
            let end = if bytes[value_at] == b'{' && is_named(bytes, &key, "fields") {
                scanner.members(value_at, fields)?
            } else {
                scanner.value(value_at)?
            };
            outer.push(Member { key, value: value_at..end });
            Ok(end)
        })
    }

    /// A Django record's own member of this name.
    pub(crate) fn member(&self, bytes: &[u8], name: &str) -> Option<&Member> {
        self.outer.iter().find(|member| is_named(bytes, &member.key, name))
    }
}

/// Whether the name at `key` is `name`, its escapes resolved.
pub(crate) fn is_named(bytes: &[u8], key: &std::ops::Range<usize>, name: &str) -> bool {
    let key = &bytes[key.clone()];
    key == name.as_bytes()
        || (key.contains(&b'\\')
            && std::str::from_utf8(key).is_ok_and(|key| unescape(key, 0).is_ok_and(|plain| plain == name)))
}

/// A record as it stands in the export.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    source: &'a Source,
    text: &'a str,
    split: &'a Split,
    /// Which model or table.
    pub label: LabelId,
    /// Its number in the export, from 0.
    pub ordinal: u64,
    /// Bytes from the start of the export's text to its `{`.
    pub offset: u64,
}

impl<'a> Record<'a> {
    /// The record's text from `{` to `}`.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The record's text as bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The record's key and fields.
    pub fn fields(&self) -> Result<Fields<'a>, ExportError> {
        let mut fields = Fields::default();
        self.read_fields(&mut fields)?;
        Ok(fields)
    }

    /// The record's key and fields, into a value whose allocation is reused.
    pub fn read_fields(&self, into: &mut Fields<'a>) -> Result<(), ExportError> {
        into.fields.clear();
        into.pk = self.split.member(self.bytes(), "pk").map(|pk| self.raw(pk)).filter(|pk| !pk.is_null());
        for member in &self.split.fields {
            let key = &self.text[member.key.clone()];
            let key = unescape(key, self.offset + member.key.start as u64)
                .map_err(|error| self.source.text_error(error, self.label, self.ordinal))?;
            into.fields.push((key, self.raw(member)));
        }
        Ok(())
    }

    /// The JSON pointer of the record, or of one of its fields.
    pub fn pointer(&self, field: Option<&str>) -> String {
        self.source.pointer(self.label, self.ordinal, field)
    }

    fn raw(&self, member: &Member) -> RawJson<'a> {
        RawJson::scanned(&self.text[member.value.clone()], self.offset + member.value.start as u64)
    }
}

/// A record that does not borrow its text. See [`Source::record_at`].
#[derive(Debug)]
pub struct OwnedRecord {
    source: Source,
    text: String,
    split: Split,
    label: LabelId,
    ordinal: u64,
    offset: u64,
}

impl OwnedRecord {
    /// The record.
    pub fn record(&self) -> Record<'_> {
        Record {
            source: &self.source,
            text: &self.text,
            split: &self.split,
            label: self.label,
            ordinal: self.ordinal,
            offset: self.offset,
        }
    }

    /// See [`Record::fields`].
    pub fn fields(&self) -> Result<Fields<'_>, ExportError> {
        self.record().fields()
    }

    /// See [`Record::pointer`].
    pub fn pointer(&self, field: Option<&str>) -> String {
        self.record().pointer(field)
    }
}

/// A record's key and fields, in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    /// A Django record's `pk`; `None` where it is absent or null, and for a row of a table.
    pub pk: Option<RawJson<'a>>,
    /// Names, escapes resolved, with their values.
    pub fields: Vec<(Cow<'a, str>, RawJson<'a>)>,
}

impl<'a> Fields<'a> {
    /// The value of the field of exactly this name.
    pub fn get(&self, name: &str) -> Option<RawJson<'a>> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// Empties it for another record, which may live elsewhere; the allocation is kept.
    pub fn recycle<'b>(mut self) -> Fields<'b> {
        self.fields.clear();
        // Collecting an emptied vector keeps its allocation; no element of the old lifetime is left to be confused.
        let fields = self.fields.into_iter().map(|_| (Cow::Borrowed(""), RawJson::scanned("", 0))).collect();
        Fields { pk: None, fields }
    }
}

/// Streams the records of one [`Run`]. See [`Source::records`].
pub struct RecordReader<'s> {
    source: &'s Source,
    cursor: Cursor<'s>,
    split: Split,
    run: Run,
    /// Records given so far.
    given: u64,
    /// The length of the record that was given last and is consumed by the next call.
    pending: usize,
}

impl<'s> RecordReader<'s> {
    pub(crate) fn new(source: &'s Source, run: &Run) -> Self {
        let window = Window::new(source.text(), run.start..run.end, source.chunk_bytes());
        let cursor = source.cursor(window);
        Self { source, cursor, split: Split::default(), run: run.clone(), given: 0, pending: 0 }
    }

    /// The next record; it borrows the reader's buffer. After an error there is none.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its buffer")]
    pub fn next(&mut self) -> Option<Result<Record<'_>, ExportError>> {
        if self.given == self.run.records {
            return None;
        }
        match self.advance() {
            Ok(()) => {}
            Err(fault) => {
                self.given = self.run.records;
                return Some(Err(self.source.changed_or_io(fault)));
            }
        }
        let bytes = &self.cursor.window.bytes()[..self.pending];
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.given = self.run.records;
            return Some(Err(self.source.changed()));
        };
        let ordinal = self.run.first_ordinal + self.given;
        self.given += 1;
        Some(Ok(Record {
            source: self.source,
            text,
            split: &self.split,
            label: self.run.label,
            ordinal,
            offset: self.cursor.window.offset(),
        }))
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.cursor.window.consume(std::mem::take(&mut self.pending));
        let mut found = self.cursor.significant()?;
        if found == Some(b',') {
            self.cursor.window.consume(1);
            found = self.cursor.significant()?;
        }
        // Indexing found a record here; anything else means that the file is another one now.
        if found != Some(b'{') {
            return Err(Fault::Dry(Dry::Changed));
        }
        let format = self.source.format();
        self.pending = self.cursor.scan(|scanner| self.split.scan(scanner, format))?;
        Ok(())
    }
}

/// Reads the one record at `offset`.
pub(crate) fn read_one(source: &Source, label: LabelId, ordinal: u64, offset: u64) -> Result<OwnedRecord, ExportError> {
    /// Most records are short; the window grows where one is not.
    const FIRST_READ_BYTES: usize = 4096;
    let chunk = source.chunk_bytes().min(FIRST_READ_BYTES).min(CHUNK_BYTES);
    let range = offset.min(source.text_bytes())..source.text_bytes();
    let mut cursor = source.cursor(Window::new(source.text(), range, chunk));
    let mut split = Split::default();
    let format = source.format();
    let found = cursor.significant().map_err(|fault| source.changed_or_io(fault))?;
    if found != Some(b'{') || cursor.window.offset() != offset {
        return Err(source.changed());
    }
    let length = cursor.scan(|scanner| split.scan(scanner, format)).map_err(|fault| source.changed_or_io(fault))?;
    let text = std::str::from_utf8(&cursor.window.bytes()[..length]).map_err(|_| source.changed())?.to_owned();
    Ok(OwnedRecord { source: source.clone(), text, split, label, ordinal, offset })
}
