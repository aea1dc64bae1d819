//! JSON by content: numbers by their exact value, strings by what they stand for, members in any order.

use std::{borrow::Cow, collections::HashMap};

use relink_export::{JsonKind, RawJson};
use relink_model::Value;

use super::{Verdict, number};

/// Documents nested deeper are compared by the server, if at all.
const NESTING_MAX: usize = 1_024;

pub(super) fn compare(written: &Value, read: &Value) -> Verdict {
    let (Some(written), Some(read)) = (document(written), document(read)) else { return Verdict::Unsure };
    match (RawJson::parse(&written, NESTING_MAX), RawJson::parse(&read, NESTING_MAX)) {
        (Ok(written), Ok(read)) => Verdict::of(is_same(&written, &read)),
        // A text column that is to hold JSON, and holds something else by now.
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => Verdict::Different,
        (Err(_), Err(_)) => Verdict::Unsure,
    }
}

/// The document's text; a column with numeric affinity (SQLite) turns a document that is a number into that number.
fn document(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Float(number) if number.is_finite() => Some(Cow::Owned(format!("{number:e}"))),
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::Bytes(_) => None,
    }
}

fn is_same(a: &RawJson<'_>, b: &RawJson<'_>) -> bool {
    if a.text() == b.text() {
        return true;
    }
    if a.kind() != b.kind() {
        return false;
    }
    match a.kind() {
        JsonKind::Number => match (number::parse(a.text()), number::parse(b.text())) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
        JsonKind::String => match (a.as_str(), b.as_str()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        },
        JsonKind::Array => {
            let (mut a, mut b) = (a.elements(), b.elements());
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if is_same(&a, &b) => {}
                    _ => return false,
                }
            }
        }
        JsonKind::Object => {
            let (a, b) = (members(a), members(b));
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        JsonKind::Null | JsonKind::True | JsonKind::False | JsonKind::NonFinite => false,
    }
}

/// Of members with one name the last counts, as in every database that keeps one of them.
fn members<'a>(object: &RawJson<'a>) -> HashMap<Cow<'a, str>, RawJson<'a>> {
    // A name that holds half a character (a lone surrogate) goes by its escapes.
    object.entries().map(|(name, value)| (name.as_str().unwrap_or(Cow::Borrowed(name.text())), value)).collect()
}
