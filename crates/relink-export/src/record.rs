//! Records, read again after the export has been indexed: split into their fields, values left as text.

use std::borrow::Cow;

use crate::{
    ExportError, LabelId, RawJson, Run, Source,
    csv::{Cell, Extent, Header},
    cursor::{Cursor, Fault},
    part::{Form, Part},
    scan::{Member, Scanner, Stop},
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
    /// The object that stands for a record of a CSV file, and where in the record its cells begin. The members' ranges
    /// count in it.
    pub(crate) row: String,
    pub(crate) cells: Vec<usize>,
}

impl Split {
    /// Scans the object at the start, and splits it as a Django record or as a row.
    pub(crate) fn scan(&mut self, scanner: &mut Scanner<'_>, django: bool) -> Result<usize, Stop> {
        let Self { outer, fields, .. } = self;
        outer.clear();
        fields.clear();
        if !django {
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
    csv: bool,
    /// Which model or table.
    pub label: LabelId,
    /// Its number in the export, from 0.
    pub ordinal: u64,
    /// The export's offset of its first byte; see [`Source::place`].
    pub offset: u64,
}

impl<'a> Record<'a> {
    /// The record's text from `{` to `}`; for a record of a CSV file, the object that stands for it.
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
        for (position, member) in self.split.fields.iter().enumerate() {
            let key = &self.text[member.key.clone()];
            let key = unescape(key, self.offset + member.key.start as u64)
                .map_err(|error| self.source.text_error(error, self.label, self.ordinal))?;
            let value = if self.csv {
                let offset = self.offset + self.split.cells[position] as u64;
                RawJson::cell(&self.text[member.value.clone()], offset)
            } else {
                self.raw(member)
            };
            into.fields.push((key, value));
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
    csv: bool,
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
            csv: self.csv,
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
    scan: PartScan<'s>,
    run: Run,
    /// Records given so far.
    given: u64,
}

impl<'s> RecordReader<'s> {
    pub(crate) fn new(source: &'s Source, run: &Run) -> Self {
        let part = source.part_at(run.start);
        let scan = PartScan::new(source, part, run.start..run.end, source.chunk_bytes());
        Self { source, scan, run: run.clone(), given: 0 }
    }

    /// The next record; it borrows the reader's buffer. After an error there is none.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its buffer")]
    pub fn next(&mut self) -> Option<Result<Record<'_>, ExportError>> {
        if self.given == self.run.records {
            return None;
        }
        if let Err(fault) = self.scan.advance() {
            self.given = self.run.records;
            return Some(Err(ExportError::changed_or_io(self.scan.part, fault)));
        }
        let Some(text) = self.scan.text() else {
            self.given = self.run.records;
            return Some(Err(ExportError::changed(self.scan.part)));
        };
        let ordinal = self.run.first_ordinal + self.given;
        self.given += 1;
        Some(Ok(Record {
            source: self.source,
            text,
            split: &self.scan.split,
            csv: self.scan.is_csv(),
            label: self.run.label,
            ordinal,
            offset: self.scan.offset(),
        }))
    }
}

/// Reads records of one part, one after the other, in text that indexing has passed.
pub(crate) struct PartScan<'s> {
    part: &'s Part,
    cursor: Cursor<'s>,
    header: &'s Header,
    split: Split,
    cells: Vec<Cell>,
    /// The length of the record that was read last.
    record: usize,
    /// What the next call consumes: that record, and the line break of a CSV record.
    pending: usize,
}

impl<'s> PartScan<'s> {
    /// `range` counts in the export.
    pub(crate) fn new(source: &'s Source, number: usize, range: std::ops::Range<u64>, chunk: usize) -> Self {
        let part = source.part(number);
        let within = |offset: u64| offset.saturating_sub(part.base).min(part.text.bytes);
        let window = Window::new(&part.text, within(range.start)..within(range.end), chunk);
        Self {
            part,
            cursor: source.cursor(window),
            header: source.header(number),
            split: Split::default(),
            cells: Vec::new(),
            record: 0,
            pending: 0,
        }
    }

    fn is_csv(&self) -> bool {
        self.part.form == Form::Csv
    }

    /// The export's offset of the record that was read last.
    pub(crate) fn offset(&self) -> u64 {
        self.part.base + self.cursor.window.offset()
    }

    /// The record that was read last, byte for byte, without the line break of a CSV record.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.cursor.window.bytes()[..self.record]
    }

    /// The text of the record that was read last, in which its members' ranges count; `None` where it is no UTF-8.
    fn text(&self) -> Option<&str> {
        if self.is_csv() { Some(&self.split.row) } else { std::str::from_utf8(self.bytes()).ok() }
    }

    /// Reads the next record. Indexing found one; anything else means that the file is another one now.
    pub(crate) fn advance(&mut self) -> Result<(), Fault> {
        let changed = Fault::Dry(Dry::Changed);
        self.cursor.window.consume(std::mem::take(&mut self.pending));
        if self.is_csv() {
            let extent = self.csv_extent()?;
            if self.cells.len() != self.header.columns() {
                return Err(changed);
            }
            let record = &self.cursor.window.bytes()[..extent.record];
            let Ok(record) = std::str::from_utf8(record) else { return Err(changed) };
            self.header.split(record, &self.cells, &mut self.split);
            (self.record, self.pending) = (extent.record, extent.line);
            return Ok(());
        }
        let mut found = self.cursor.significant()?;
        if found == Some(b',') {
            self.cursor.window.consume(1);
            found = self.cursor.significant()?;
        }
        if found != Some(b'{') {
            return Err(changed);
        }
        let django = self.part.form.family() == crate::FormatFamily::Django;
        self.record = self.cursor.scan(|scanner| self.split.scan(scanner, django))?;
        self.pending = self.record;
        Ok(())
    }

    /// The next record of a CSV file, blank lines passed over.
    fn csv_extent(&mut self) -> Result<Extent, Fault> {
        loop {
            match self.cursor.csv_record(&mut self.cells)? {
                None => return Err(Fault::Dry(Dry::Changed)),
                Some(extent) if self.header.is_blank(extent) => self.cursor.window.consume(extent.line),
                Some(extent) => return Ok(extent),
            }
        }
    }
}

/// How much is read at first for a single record: most are short, and the window grows where one is not.
const ONE_RECORD_BYTES: usize = 4096;

/// Reads the one record at `offset`.
pub(crate) fn read_one(source: &Source, label: LabelId, ordinal: u64, offset: u64) -> Result<OwnedRecord, ExportError> {
    let scan = scan_one(source, offset)?;
    let text = scan.text().ok_or_else(|| ExportError::changed(scan.part))?.to_owned();
    let csv = scan.is_csv();
    Ok(OwnedRecord { source: source.clone(), text, split: scan.split, csv, label, ordinal, offset })
}

/// Finds the one record at `offset`.
pub(crate) fn scan_one(source: &Source, offset: u64) -> Result<PartScan<'_>, ExportError> {
    let chunk = source.chunk_bytes().min(ONE_RECORD_BYTES).min(CHUNK_BYTES);
    let mut scan = PartScan::new(source, source.part_at(offset), offset..u64::MAX, chunk);
    scan.advance().map_err(|fault| ExportError::changed_or_io(scan.part, fault))?;
    if scan.offset() == offset { Ok(scan) } else { Err(ExportError::changed(scan.part)) }
}
