//! Writes the rows as a Node backup script would: `{"meta": {...}, "data": {"table": [rows]}}`, tables by name (and so
//! often before those that they reference), columns under their own names, what `JSON.stringify` makes of decimals, big
//! integers, dates and buffers.

use std::io::{self, Write};

use super::Stocktake;
use super::cell::{Cell, push_cents, push_date, push_timestamp, push_uuid};
use super::json::{JsonWriter, Layout};
use super::schema::Table;

/// The largest whole number up to which a double holds every one; beyond it scripts write text.
const SAFE_INTEGER_MAX: i64 = 9_007_199_254_740_991;

/// Writes the table map; `indent` as in `JSON.stringify(backup, null, indent)`.
pub fn write(stocktake: &Stocktake, out: &mut impl Write, indent: usize) -> io::Result<()> {
    let mut tables = Table::ALL;
    tables.sort_by_key(|table| table.spec().name);
    let mut json = JsonWriter::new(&mut *out, Layout::javascript(indent));
    json.open(b'{')?;
    json.key("meta")?;
    json.open(b'{')?;
    for (key, value) in [("application", "stocktake"), ("createdAt", "2026-06-01T02:00:00.000Z"), ("version", "2.4.0")]
    {
        json.key(key)?;
        json.string(value)?;
    }
    json.key("counts")?;
    json.open(b'{')?;
    for table in tables {
        json.key(table.spec().name)?;
        json.int(stocktake.count(table) as i64)?;
    }
    json.close(b'}')?;
    json.close(b'}')?;
    json.key("data")?;
    json.open(b'{')?;
    let mut text = String::new();
    for table in tables {
        json.key(table.spec().name)?;
        json.open(b'[')?;
        stocktake.for_each(table, |row| {
            json.open(b'{')?;
            for (column, cell) in table.spec().columns.iter().zip(row) {
                json.key(column.name)?;
                write_cell(&mut json, cell, &mut text)?;
            }
            json.close(b'}')
        })?;
        json.close(b']')?;
    }
    json.close(b'}')?;
    json.close(b'}')?;
    out.write_all(b"\n")
}

fn write_cell<W: Write>(json: &mut JsonWriter<W>, cell: &Cell, text: &mut String) -> io::Result<()> {
    text.clear();
    match cell {
        Cell::Null => return json.bare("null"),
        Cell::Bool(value) => return json.bare(if *value { "true" } else { "false" }),
        Cell::Int(value) if value.abs() > SAFE_INTEGER_MAX => return json.string(&value.to_string()),
        Cell::Int(value) => return json.int(*value),
        Cell::Float(value) => return json.value(&(*value).into()),
        Cell::Text(text) => return json.string(text),
        Cell::Json(value) => return json.value(value),
        Cell::Bytes(bytes) => return write_buffer(json, bytes),
        Cell::Cents(cents) => push_cents(text, *cents),
        Cell::Date(days) => push_date(text, *days),
        Cell::Timestamp(micros) => {
            push_timestamp(text, *micros, 'T');
            text.push('Z');
        }
        Cell::Uuid(uuid) => push_uuid(text, *uuid),
    }
    json.string(text)
}

/// `{"type":"Buffer","data":[...]}`: a Node `Buffer`.
fn write_buffer<W: Write>(json: &mut JsonWriter<W>, bytes: &[u8]) -> io::Result<()> {
    json.open(b'{')?;
    json.key("type")?;
    json.string("Buffer")?;
    json.key("data")?;
    json.open(b'[')?;
    for byte in bytes {
        json.int(i64::from(*byte))?;
    }
    json.close(b']')?;
    json.close(b'}')
}
