//! Whether a value that relink wrote into a column equals what the database gives back from it. Values come back in the form of
//! [`relink_db::Dialect::read_expression`]; databases keep them in forms of their own, so they are compared by what they mean to
//! the column's type: numbers by value, instants as instants, JSON by content. What was rounded, cut or shifted is different.
//!
//! Nothing here asks the database: where only the server knows whether two texts are one value, the answer is [`Verdict::Unsure`].

mod array;
mod interval;
mod json;
mod number;
mod temporal;

use std::collections::HashSet;

use relink_model::{Column, ColumnType, TypeKind, Value};

/// What a comparison of two values came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The same value, whatever its form.
    Same,
    /// Only the server can tell: the texts differ, and the type is one that it reads and prints by rules of its own.
    Unsure,
    /// Another value.
    Different,
}

impl Verdict {
    fn of(same: bool) -> Self {
        if same { Self::Same } else { Self::Different }
    }
}

/// Compares a value that was written into this column, or would be, with the one that is read from it.
pub(crate) fn same(column: &Column, written: &Value, read: &Value) -> Verdict {
    of_type(&column.data_type, written, read)
}

fn of_type(data_type: &ColumnType, written: &Value, read: &Value) -> Verdict {
    match (written, read) {
        (Value::Null, Value::Null) => return Verdict::Same,
        (Value::Null, _) | (_, Value::Null) => return Verdict::Different,
        // Floats have a sign of zero and a NaN, which plain equality does not see.
        (Value::Float(_), _) | (_, Value::Float(_)) => {}
        _ if written == read => return Verdict::Same,
        _ => {}
    }
    match &data_type.kind {
        TypeKind::Boolean | TypeKind::Integer { .. } | TypeKind::Decimal { .. } => {
            Verdict::of(number::is_same(written, read))
        }
        TypeKind::Float { bits } => Verdict::of(number::is_same_float(written, read, *bits)),
        TypeKind::Text { fixed: true, .. } => {
            texts(written, read, |a, b| Verdict::of(a.trim_end_matches(' ') == b.trim_end_matches(' ')))
        }
        TypeKind::Bytes { .. } => Verdict::of(is_same_bytes(&data_type.declared, written, read)),
        TypeKind::Date | TypeKind::Timestamp { .. } => {
            texts(written, read, |a, b| Verdict::of(temporal::is_same_moment(a, b)))
        }
        TypeKind::Time { .. } => texts(written, read, |a, b| Verdict::of(temporal::is_same_time(a, b))),
        TypeKind::Interval => texts(written, read, interval::compare),
        TypeKind::Uuid => texts(written, read, |a, b| Verdict::of(uuid(a) == uuid(b))),
        TypeKind::Json => json::compare(written, read),
        TypeKind::Set { .. } => texts(written, read, |a, b| Verdict::of(members(a) == members(b))),
        TypeKind::Array { element } => texts(written, read, |a, b| array::compare(element, a, b)),
        TypeKind::Other => texts(written, read, |_, _| Verdict::Unsure),
        TypeKind::Text { .. } | TypeKind::Enum { .. } | TypeKind::Dynamic => {
            Verdict::of(is_same_content(written, read))
        }
    }
}

/// Compares two texts; values of another kind than text have no other form than their own.
fn texts(written: &Value, read: &Value, compare: impl FnOnce(&str, &str) -> Verdict) -> Verdict {
    match (written, read) {
        (Value::Text(written), Value::Text(read)) => compare(written, read),
        _ => Verdict::of(is_same_content(written, read)),
    }
}

/// Text is compared to the letter. A database whose types are only hints (SQLite) may turn a text of digits into the number and back.
fn is_same_content(written: &Value, read: &Value) -> bool {
    match (written, read) {
        (Value::Bytes(_), _) | (_, Value::Bytes(_)) | (Value::Text(_), Value::Text(_)) => written == read,
        (Value::Text(text), number) | (number, Value::Text(text)) => match number {
            // Display shows a float as Rust source, `2.0`; SQLite keeps a whole number as an integer anyway.
            Value::Float(number) => number.to_string() == *text,
            Value::Bool(truth) => i64::from(*truth).to_string() == *text,
            number => number.to_string() == *text,
        },
        _ => number::is_same(written, read),
    }
}

/// Bytes to the bit, save for what fixed lengths add: `binary(n)` is filled up with zeros behind, `bit(n)` with zeros before.
fn is_same_bytes(declared: &str, written: &Value, read: &Value) -> bool {
    let (Value::Bytes(written), Value::Bytes(read)) = (written, read) else { return written == read };
    let zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let declared = declared.to_ascii_lowercase();
    if declared.starts_with("binary") {
        return read.strip_prefix(written.as_slice()).is_some_and(zeros);
    }
    if declared.starts_with("bit") {
        let (short, long) = if written.len() < read.len() { (written, read) } else { (read, written) };
        return long.strip_suffix(short.as_slice()).is_some_and(zeros);
    }
    written == read
}

/// A UUID's digits, however it is written.
fn uuid(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    if digits.len() == 32 { digits.to_ascii_lowercase() } else { text.to_owned() }
}

/// The members of a MySQL SET, which keeps the order of its declaration.
fn members(text: &str) -> HashSet<&str> {
    text.split(',').filter(|member| !member.is_empty()).collect()
}

#[cfg(test)]
mod tests;
