//! Ids inside values: JSON documents, and arrays in PostgreSQL's syntax.

use std::{borrow::Cow, ops::Range};

use relink_export::{JsonKind, RawJson};
use relink_model::Value;
use serde_json_path::JsonPath;

use super::Embedded;

/// How deep documents may nest in which ids are found.
const DEPTH_MAX: usize = 512;

impl Embedded {
    /// The ids inside a value of the column, with their places in its text.
    pub fn ids(&self, text: &str) -> Vec<(Range<usize>, Value)> {
        if self.is_array { array_elements(text) } else { json_ids(text, self.path.as_ref()) }
    }

    /// Whether a value looks like a document and cannot be read as one, so that nobody knows which ids it holds.
    pub fn is_unreadable(&self, text: &str) -> bool {
        !self.is_array && is_unreadable(text)
    }
}

/// A document as paths look at it. What has no place in it (a number past every float, half a surrogate) stands there as what comes closest: nothing is
/// read from it but where ids are.
fn document(raw: RawJson<'_>) -> serde_json::Value {
    match raw.kind() {
        JsonKind::Null | JsonKind::NonFinite => serde_json::Value::Null,
        JsonKind::True => true.into(),
        JsonKind::False => false.into(),
        JsonKind::Number => raw.text().parse::<serde_json::Number>().map_or(serde_json::Value::Null, Into::into),
        JsonKind::String => raw.as_str().map_or_else(|_| raw.text().into(), Into::into),
        JsonKind::Array => raw.elements().map(document).collect(),
        // Of a name that stands twice the last counts, as it does to every parser.
        JsonKind::Object => raw.entries().map(|(key, value)| (member(key).into_owned(), document(value))).collect(),
    }
}

/// The name of a member: what it says, or how it is written where that is no text.
fn member(name: RawJson<'_>) -> Cow<'_, str> {
    name.as_str().unwrap_or_else(|_| Cow::Borrowed(name.text()))
}

fn is_unreadable(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && RawJson::parse(text, DEPTH_MAX).is_err()
}

/// The scalars of a document that a path selects, with their places in the text; without a path every element of an array.
fn json_ids(text: &str, path: Option<&JsonPath>) -> Vec<(Range<usize>, Value)> {
    let Ok(raw) = RawJson::parse(text, DEPTH_MAX) else { return Vec::new() };
    let scalar = |raw: RawJson<'_>| {
        let value = match raw.kind() {
            JsonKind::Number => raw.text().parse().ok().map(Value::Int)?,
            JsonKind::String => Value::Text(raw.as_str().ok()?.into_owned()),
            _ => return None,
        };
        let start = raw.offset() as usize;
        Some((start..start + raw.text().len(), value))
    };
    let Some(path) = path else { return raw.elements().filter_map(scalar).collect() };
    let document = document(raw);
    let located = path.query_located(&document);
    let spans = located.iter().filter_map(|node| {
        let at = node.location().iter().try_fold(raw, |raw, element| match element {
            serde_json_path::PathElement::Index(index) => raw.elements().nth(*index),
            // Of a name that stands twice the last counts, as it does to every parser.
            serde_json_path::PathElement::Name(name) => {
                raw.entries().filter(|(key, _)| member(*key) == *name).last().map(|(_, value)| value)
            }
        })?;
        scalar(at)
    });
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|(span, _)| span.start);
    spans.dedup_by_key(|(span, _)| span.start);
    spans
}

/// The elements of an array in PostgreSQL's syntax that are numbers or plain words, with their places.
fn array_elements(text: &str) -> Vec<(Range<usize>, Value)> {
    let mut elements = Vec::new();
    let mut start = None;
    for (at, character) in text.char_indices() {
        if matches!(character, '{' | '}' | ',' | '"') {
            if let Some(from) = start.take() {
                let word: &str = &text[from..at];
                if !word.eq_ignore_ascii_case("null") {
                    let value = word.parse().map_or_else(|_| Value::Text(word.to_owned()), Value::Int);
                    elements.push((from..at, value));
                }
            }
        } else if start.is_none() && !character.is_whitespace() {
            start = Some(at);
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str, path: &str) -> Vec<String> {
        let path = JsonPath::parse(path).expect("a path");
        json_ids(text, Some(&path)).into_iter().map(|(span, id)| format!("{} {id}", &text[span])).collect()
    }

    #[test]
    fn a_document_that_common_parsers_refuse_is_followed_all_the_same() {
        let text = r#"{"big": 1e400, "half": "\ud800", "\ud800": 1, "id": 7, "\udc00": {"id": "8"}}"#;
        assert_eq!(ids(text, "$..id"), ["7 7", "\"8\" 8"]);
        let deep = format!("{}{{\"id\": 9}}{}", "[".repeat(300), "]".repeat(300));
        assert_eq!(ids(&deep, "$..id"), ["9 9"]);
        assert!(!is_unreadable(text) && !is_unreadable(&deep) && !is_unreadable("plain") && !is_unreadable(""));
        assert!(is_unreadable(&"[".repeat(600)) && is_unreadable("{\"id\": }"));
    }

    #[test]
    fn a_path_selects_ids_by_what_stands_beside_them() {
        let text =
            r#"[{"type": "image", "value": 5}, {"type": "page", "value": "6"}, {"type": "image", "value": {"id": 7}}]"#;
        assert_eq!(ids(text, "$[?@.type == 'image'].value"), ["5 5"]);
        assert_eq!(ids(text, "$..id"), ["7 7"]);
        assert_eq!(ids(text, "$[?@.type == 'page'].value"), ["\"6\" 6"]);
    }

    #[test]
    fn elements_of_arrays_are_ids_and_null_is_none() {
        let found: Vec<String> = array_elements("{1,NULL, 23,{4}}").into_iter().map(|(_, id)| id.to_string()).collect();
        assert_eq!(found, ["1", "23", "4"]);
        let text = "[1, 2, null]";
        assert_eq!(json_ids(text, None).len(), 2);
    }
}
