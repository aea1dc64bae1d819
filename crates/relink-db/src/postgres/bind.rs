//! Binding values: with the type that a column's class asks for, or as they are.

use std::borrow::Cow;

use relink_model::Value;
use sqlx::{
    Arguments as _, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, types::Oid},
};

use crate::{DbError, DbErrorKind, statement::BindClass};

/// NULL of no particular type: the server infers it from where the parameter stands.
struct UntypedNull;

impl Type<Postgres> for UntypedNull {
    fn type_info() -> PgTypeInfo {
        // Zero is the protocol's word for "unspecified".
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for UntypedNull {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

/// The parameters of a statement that is not kept, each bound as what it is.
pub(super) fn arguments(values: &[Value]) -> Result<PgArguments, DbError> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Null => arguments.add(UntypedNull),
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::Float(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value.as_str()),
            Value::Bytes(value) => arguments.add(value.as_slice()),
        }
        .map_err(too_large)?;
    }
    Ok(arguments)
}

/// Adds one parameter of a prepared statement. Its type is the class's, whatever the value.
pub(super) fn add(arguments: &mut PgArguments, class: BindClass, value: &Value) -> Result<(), DbError> {
    match class {
        BindClass::Boolean => arguments.add(optional(value, boolean)?),
        BindClass::Integer => arguments.add(optional(value, integer)?),
        BindClass::Float => arguments.add(optional(value, float)?),
        BindClass::Bytes => arguments.add(optional(value, bytes)?),
        BindClass::Text | BindClass::Dynamic => arguments.add(optional(value, text)?.as_deref()),
    }
    .map_err(too_large)
}

/// Adds one parameter that holds a column of values as an array.
pub(super) fn add_array<'a>(
    arguments: &mut PgArguments,
    class: BindClass,
    values: impl Iterator<Item = &'a Value>,
) -> Result<(), DbError> {
    match class {
        BindClass::Boolean => arguments.add(array(values, boolean)?),
        BindClass::Integer => arguments.add(array(values, integer)?),
        BindClass::Float => arguments.add(array(values, float)?),
        BindClass::Bytes => arguments.add(array(values, bytes)?),
        BindClass::Text | BindClass::Dynamic => {
            let texts = array(values, text)?;
            arguments.add(texts.iter().map(Option::as_deref).collect::<Vec<Option<&str>>>())
        }
    }
    .map_err(too_large)
}

/// The element type of the arrays that a class is bound as.
pub(super) fn array_element(class: BindClass) -> &'static str {
    match class {
        BindClass::Boolean => "bool",
        BindClass::Integer => "int8",
        BindClass::Float => "float8",
        BindClass::Bytes => "bytea",
        BindClass::Text | BindClass::Dynamic => "text",
    }
}

/// Roughly how many bytes a value takes in a message.
pub(super) fn size(value: &Value) -> usize {
    4 + match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 8,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    }
}

fn optional<'a, T>(value: &'a Value, read: impl Fn(&'a Value) -> Result<T, DbError>) -> Result<Option<T>, DbError> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

fn array<'a, T>(
    values: impl Iterator<Item = &'a Value>,
    read: impl Fn(&'a Value) -> Result<T, DbError>,
) -> Result<Vec<Option<T>>, DbError> {
    values.map(|value| optional(value, &read)).collect()
}

pub(super) fn boolean(value: &Value) -> Result<bool, DbError> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        _ => Err(unfit(value, "boolean")),
    }
}

pub(super) fn integer(value: &Value) -> Result<i64, DbError> {
    match value {
        Value::Int(value) => Ok(*value),
        Value::Text(text) => text.parse().map_err(|_| unfit(value, "bigint")),
        _ => Err(unfit(value, "bigint")),
    }
}

pub(super) fn float(value: &Value) -> Result<f64, DbError> {
    match value {
        Value::Float(value) => Ok(*value),
        // Up to 2^53 every whole number has a double of its own.
        Value::Int(whole) if whole.unsigned_abs() <= 1 << 53 => Ok(*whole as f64),
        Value::Text(text) => text.parse().map_err(|_| unfit(value, "double precision")),
        _ => Err(unfit(value, "double precision")),
    }
}

pub(super) fn bytes(value: &Value) -> Result<&[u8], DbError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(unfit(value, "bytea")),
    }
}

/// Text is also how every type without a native value travels.
pub(super) fn text(value: &Value) -> Result<Cow<'_, str>, DbError> {
    match value {
        Value::Text(text) => Ok(Cow::Borrowed(text)),
        Value::Bool(value) => Ok(Cow::Borrowed(if *value { "true" } else { "false" })),
        Value::Int(value) => Ok(Cow::Owned(value.to_string())),
        // The shortest digits that read back as the same double; `inf` and `NaN` are input that numeric understands.
        Value::Float(value) => Ok(Cow::Owned(value.to_string())),
        Value::Bytes(_) | Value::Null => Err(unfit(value, "text")),
    }
}

fn unfit(value: &Value, data_type: &str) -> DbError {
    let mut shown: String = value.to_string().chars().take(60).collect();
    if shown.len() < value.to_string().len() {
        shown.push_str("...");
    }
    DbError::new(DbErrorKind::InvalidValue, format!("{shown} cannot be bound as {data_type}"))
}

fn too_large(error: BoxDynError) -> DbError {
    super::error::convert(sqlx::Error::Encode(error), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_do_not_fit_their_class_are_refused_not_converted() {
        assert!(integer(&Value::Float(1.0)).is_err());
        assert!(integer(&Value::Text("9223372036854775808".into())).is_err());
        assert!(boolean(&Value::Int(2)).is_err());
        assert!(float(&Value::Int((1 << 53) + 1)).is_err());
        assert!(bytes(&Value::Text("x".into())).is_err());
        assert_eq!(text(&Value::Int(-5)).expect("digits"), "-5");
        assert_eq!(text(&Value::Float(0.1)).expect("digits"), "0.1");
    }

    #[test]
    fn messages_show_the_start_of_a_long_value_only() {
        let error = unfit(&Value::Text("x".repeat(1000)), "bigint");
        assert!(error.message.len() < 120, "{}", error.message);
        assert_eq!(error.kind, DbErrorKind::InvalidValue);
    }
}
