//! From a JSON value to a database value, by the column's type: exact, or refused with the reason (promise P3).
//! Nothing here rounds, truncates, shifts to another zone silently, or turns a value into NULL.

mod content;
mod number;
mod temporal;

use jiff::tz::TimeZone;
use relink_db::{Capabilities, Exactness};
use relink_export::{JsonKind, RawJson};
use relink_model::{
    Column, ColumnType, Config, TypeKind, Value,
    config::{ConfigError, Reading},
};

pub use content::{from_hexadecimal, uuid};
pub use number::equal_numbers;
pub(crate) use number::scaled;
pub use temporal::{parse_offset, split_offset};

/// What decides beside the column's type.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What the database enforces and can hold.
    pub capabilities: Capabilities,
    /// The export is a Django dump, so Django's conventions apply: base64 for bytes, ISO 8601 durations as microseconds in integer
    /// columns, UUIDs without hyphens in `char(32)`, UTC date-times stored without zone.
    pub django: bool,
    /// The zone of timestamps without one, where the column wants an instant.
    pub timezone: Option<TimeZone>,
}

impl Rules {
    /// The rules for a database with these capabilities. Fails where the configuration names a zone that is not known.
    pub fn new(capabilities: Capabilities, django: bool, config: &Config) -> Result<Self, ConfigError> {
        let zone = |name: &String| TimeZone::get(name).map_err(|_| ConfigError::TimeZone { name: name.clone() });
        let timezone = config.run.timezone.as_ref().map(zone).transpose()?;
        Ok(Self { capabilities, django, timezone })
    }
}

/// What is particular to one column, beside its type.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// How its values are read, where that is configured.
    pub reading: Option<Reading>,
    /// Whether the database would change a value.
    pub exactness: Option<Exactness>,
}

/// Why a value does not fit its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What is wrong, as a sentence fragment after the value: `is not a date`.
    pub why: String,
    /// What to do, where there is advice.
    pub help: Option<String>,
}

impl Unfit {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: None }
    }

    fn with_help(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self { why: why.into(), help: Some(help.into()) }
    }
}

/// Whether a JSON column gets a string that holds a JSON array or object: nothing tells whether the string is meant or what it holds.
pub fn is_json_in_text(json: &RawJson<'_>, column: &Column, rules: &Rules) -> bool {
    rules.django
        && column.data_type.kind == TypeKind::Json
        && json.kind() == JsonKind::String
        && json.as_str().is_ok_and(|text| text.starts_with(['[', '{']) && content::is_json(&text))
}

/// Reads a JSON value as a value of this column, in the way configured where there is one.
pub fn coerce(json: &RawJson<'_>, column: &Column, how: How, rules: &Rules) -> Result<Value, Unfit> {
    let reading = how.reading;
    if reading == Some(Reading::JsonText) && json.kind() == JsonKind::String {
        let text = string(json, "JSON")?;
        return if content::is_json(&text) { Ok(Value::Text(text)) } else { Err(Unfit::new("holds no JSON text")) };
    }
    let empty = reading == Some(Reading::EmptyIsNull) && json.text() == "\"\"";
    if empty || json.kind() == JsonKind::Null {
        // A JSON column that takes no SQL NULL holds JSON's own null (Django writes both as `null`).
        let json_null = !column.nullable && column.data_type.kind == TypeKind::Json;
        return Ok(if json_null { Value::Text("null".to_owned()) } else { Value::Null });
    }
    let value = typed(json, &column.data_type, how, rules)?;
    match how.exactness.and_then(|changes| changes(&value)) {
        None => Ok(value),
        Some(why) => Err(Unfit::new(why)),
    }
}

fn typed(json: &RawJson<'_>, data_type: &ColumnType, how: How, rules: &Rules) -> Result<Value, Unfit> {
    match &data_type.kind {
        // MySQL's boolean is a small number, and rows may hold others; to Django it is a boolean.
        TypeKind::Boolean
            if !rules.django && json.kind() == JsonKind::Number && data_type.declared.starts_with("tinyint") =>
        {
            number::integer(json, 8, data_type.declared.contains("unsigned"), rules)
        }
        TypeKind::Boolean if json.is_cell() && data_type.declared.starts_with("tinyint") => {
            number::boolean(json).or_else(|_| number::integer(json, 8, data_type.declared.contains("unsigned"), rules))
        }
        TypeKind::Boolean => number::boolean(json),
        TypeKind::Integer { bits, unsigned } => number::integer(json, *bits, *unsigned, rules),
        TypeKind::Float { bits } => number::float(json, *bits, rules),
        TypeKind::Decimal { precision, scale, special, unsigned } => {
            number::decimal(json, *precision, *scale, *special, *unsigned, rules)
        }
        TypeKind::Text { max_chars, max_bytes, .. } => content::text(json, *max_chars, *max_bytes, rules),
        TypeKind::Bytes { max_bytes } => content::bytes(json, *max_bytes, how, rules),
        TypeKind::Date => temporal::date(&string(json, "a date")?, rules).map(Value::Text),
        TypeKind::Time { zoned, precision } => {
            temporal::time(&string(json, "a time of day")?, *zoned, *precision, rules).map(Value::Text)
        }
        TypeKind::Timestamp { zoned, precision } => {
            if rules.capabilities.stores_temporals_as_text && !rules.django {
                return content::stored_timestamp(json, rules);
            }
            temporal::timestamp(&string(json, "a date and time")?, *zoned, *precision, rules).map(Value::Text)
        }
        TypeKind::Interval => content::interval(json),
        TypeKind::Uuid => content::uuid(&string(json, "a UUID")?).map(Value::Text),
        TypeKind::Json => content::json(json, rules),
        TypeKind::Enum { labels } => content::label(json, labels, rules),
        TypeKind::Set { labels } => content::label_set(json, labels),
        TypeKind::Array { element } => content::array(json, element, rules),
        TypeKind::Other => content::other(json, &data_type.declared, rules),
        TypeKind::Dynamic => content::dynamic(json),
    }
}

/// The text of a JSON string, or an error that says what was expected instead.
fn string(json: &RawJson<'_>, expected: &str) -> Result<String, Unfit> {
    if json.kind() != JsonKind::String {
        return Err(Unfit::new(format!("is {}, not {expected}", describe(json.kind()))));
    }
    json.as_str().map(std::borrow::Cow::into_owned).map_err(|error| Unfit::new(error.to_string()))
}

/// A JSON kind in words.
pub fn describe(kind: JsonKind) -> &'static str {
    match kind {
        JsonKind::Null => "null",
        JsonKind::True | JsonKind::False => "a boolean",
        JsonKind::Number => "a number",
        JsonKind::NonFinite => "a number that is not finite",
        JsonKind::String => "a string",
        JsonKind::Array => "an array",
        JsonKind::Object => "an object",
    }
}

#[cfg(test)]
mod tests;
