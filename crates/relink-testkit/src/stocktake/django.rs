//! Writes the rows as `manage.py dumpdata` would: one array of `{"model", "pk", "fields"}`, many-to-many lists within
//! their owner's record, foreign keys as natural keys (`--natural-foreign`) or as ids.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Stocktake;
use super::cell::{Cell, push_cents, push_date, push_timestamp, push_uuid};
use super::json::{JsonWriter, Layout};
use super::schema::{Table, TableSpec};

/// How the dump is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Foreign keys as natural keys, where the referenced model has one.
    pub natural_foreign: bool,
    /// `--indent`; 0 stands for leaving it out: everything on one line.
    pub indent: usize,
}

/// Writes the dump.
pub fn write(stocktake: &Stocktake, out: &mut impl Write, options: Options) -> io::Result<()> {
    out.write_all(b"[")?;
    let mut writer = Dump { stocktake, natural_foreign: options.natural_foreign, text: String::new() };
    let mut first = true;
    for table in Table::ALL.into_iter().filter(|table| !table.is_join()) {
        stocktake.for_each(table, |row| {
            separate_record(out, options.indent, &mut first)?;
            let mut json = JsonWriter::new(&mut *out, Layout::python(options.indent));
            writer.record(&mut json, table.spec(), row)
        })?;
    }
    finish(out, options.indent)
}

/// What Django's serializer writes between the records. The records themselves are not indented by the array.
pub(super) fn separate_record(out: &mut impl Write, indent: usize, first: &mut bool) -> io::Result<()> {
    let separator: &[u8] = match (std::mem::take(first), indent) {
        (true, 0) => b"",
        (true, _) => b"\n",
        (false, 0) => b", ",
        (false, _) => b",\n",
    };
    out.write_all(separator)
}

/// What Django's serializer writes after the last record, and the newline that `dumpdata` adds.
pub(super) fn finish(out: &mut impl Write, indent: usize) -> io::Result<()> {
    out.write_all(if indent == 0 { b"]\n" } else { b"\n]\n" })
}

struct Dump<'a> {
    stocktake: &'a Stocktake,
    natural_foreign: bool,
    /// Reused for each text form.
    text: String,
}

impl Dump<'_> {
    fn record<W: Write>(&mut self, json: &mut JsonWriter<W>, spec: &TableSpec, row: &[Cell]) -> io::Result<()> {
        let Cell::Int(id) = row[0] else { unreachable!("every primary key is a whole number") };
        json.open(b'{')?;
        json.key("model")?;
        json.string(spec.model.expect("only models are dumped"))?;
        json.key("pk")?;
        json.int(id)?;
        json.key("fields")?;
        json.open(b'{')?;
        for (column, cell) in spec.columns.iter().zip(row).skip(1) {
            json.key(column.field())?;
            match (column.references, cell) {
                (Some(target), Cell::Int(id)) => self.reference(json, target, *id)?,
                _ => self.cell(json, cell)?,
            }
        }
        for field in spec.many_to_many {
            json.key(field.field)?;
            json.open(b'[')?;
            for member in self.stocktake.members(field.join, id) {
                self.reference(json, field.target, member)?;
            }
            json.close(b']')?;
        }
        json.close(b'}')?;
        json.close(b'}')
    }

    fn reference<W: Write>(&self, json: &mut JsonWriter<W>, target: Table, id: i64) -> io::Result<()> {
        if self.natural_foreign && target.spec().natural_key {
            json.strings(&self.stocktake.natural_key(target, id))
        } else {
            json.int(id)
        }
    }

    fn cell<W: Write>(&mut self, json: &mut JsonWriter<W>, cell: &Cell) -> io::Result<()> {
        self.text.clear();
        match cell {
            Cell::Null => return json.bare("null"),
            Cell::Bool(value) => return json.bare(if *value { "true" } else { "false" }),
            Cell::Int(value) => return json.int(*value),
            Cell::Float(value) => return json.value(&(*value).into()),
            Cell::Text(text) => return json.string(text),
            Cell::Json(value) => return json.value(value),
            Cell::Cents(cents) => push_cents(&mut self.text, *cents),
            Cell::Date(days) => push_date(&mut self.text, *days),
            Cell::Timestamp(micros) => {
                push_timestamp(&mut self.text, *micros, 'T');
                self.text.push('Z');
            }
            Cell::Uuid(uuid) => push_uuid(&mut self.text, *uuid),
            Cell::Bytes(bytes) => STANDARD.encode_string(bytes, &mut self.text),
        }
        json.string(&self.text)
    }
}
