//! Values as text: whole, or as a report writes them.

use indexmap::IndexMap;
use relink_model::Value;

/// Characters of a value at most, in a report.
pub(crate) const VALUE_CHARS_MAX: usize = 500;

/// Columns with their values as the report writes them.
pub(crate) fn texts(names: &[String], values: &[Value]) -> IndexMap<String, Option<String>> {
    names.iter().cloned().zip(values.iter().map(text)).collect()
}

/// A value as the report writes it: exact, but cut where it is very long.
pub(crate) fn text(value: &Value) -> Option<String> {
    exact(value).map(cut)
}

/// A value as text; `None` for NULL.
pub(crate) fn exact(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// A text as the report writes it.
pub(crate) fn cut(text: String) -> String {
    let chars = text.chars().count();
    if chars <= VALUE_CHARS_MAX {
        return text;
    }
    let start: String = text.chars().take(VALUE_CHARS_MAX).collect();
    format!("{start}... ({chars} characters)")
}
