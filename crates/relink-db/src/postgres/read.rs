//! Decoding query results by the type of each column, from the wire's binary format.
//!
//! Only types with a native [`Value`] are decoded. Everything else is wrapped in
//! [`crate::Dialect::read_expression`] by the caller, which gives text in one documented form.

use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _, postgres::PgRow};

use crate::{DbError, DbErrorKind, ResultRow};
use relink_model::Value;

/// How a column is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decoder {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Text,
    Char,
    Bytes,
}

impl Decoder {
    /// The decoder for a type of the system catalog; these numbers never change.
    fn of(oid: u32) -> Option<Self> {
        Some(match oid {
            16 => Self::Bool,
            17 => Self::Bytes,
            18 => Self::Char,
            20 => Self::Int8,
            21 => Self::Int2,
            23 => Self::Int4,
            26 => Self::Oid,
            700 => Self::Float4,
            701 => Self::Float8,
            // name, text, unknown, bpchar, varchar
            19 | 25 | 705 | 1042 | 1043 => Self::Text,
            _ => return None,
        })
    }

    fn decode(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Self::Bool => Value::Bool(bytes.first()? != &0),
            Self::Int2 => Value::Int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
            Self::Int4 => Value::Int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
            Self::Int8 => Value::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
            Self::Oid => Value::Int(u32::from_be_bytes(bytes.try_into().ok()?).into()),
            Self::Float4 => Value::Float(f32::from_be_bytes(bytes.try_into().ok()?).into()),
            Self::Float8 => Value::Float(f64::from_be_bytes(bytes.try_into().ok()?)),
            Self::Text => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
            // The one-byte type; its zero byte prints as nothing.
            Self::Char => match bytes {
                [0] | [] => Value::Text(String::new()),
                [byte] if byte.is_ascii() => Value::Text(char::from(*byte).to_string()),
                _ => return None,
            },
            Self::Bytes => Value::Bytes(bytes.to_vec()),
        })
    }
}

/// Whether results of this type have a native value.
pub(super) fn is_native(oid: u32) -> bool {
    Decoder::of(oid).is_some()
}

/// Decodes the rows of one result.
pub(super) fn decode_rows(rows: &[PgRow]) -> Result<Vec<ResultRow>, DbError> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let mut decoders = Vec::with_capacity(first.columns().len());
    for column in first.columns() {
        let oid = column.type_info().oid().map_or(0, |oid| oid.0);
        let decoder = Decoder::of(oid).ok_or_else(|| {
            let name = column.type_info().name().to_lowercase();
            let message = format!(
                "column {} of the query is of type {name}, which has no native value: read it through the dialect's read expression",
                column.name()
            );
            DbError::new(DbErrorKind::Unsupported, message)
        })?;
        decoders.push(decoder);
    }
    rows.iter().map(|row| decode_row(row, &decoders)).collect()
}

fn decode_row(row: &PgRow, decoders: &[Decoder]) -> Result<ResultRow, DbError> {
    let undecodable = |index: usize| {
        let name = row.column(index).name();
        DbError::new(
            DbErrorKind::InvalidValue,
            format!(
                "column {name} of the query holds bytes that are not valid for its type (is the database's encoding SQL_ASCII?)"
            ),
        )
    };
    decoders
        .iter()
        .enumerate()
        .map(|(index, decoder)| {
            let raw = row.try_get_raw(index).map_err(|error| super::error::convert(error, None))?;
            if raw.is_null() {
                return Ok(Value::Null);
            }
            raw.as_bytes().ok().and_then(|bytes| decoder.decode(bytes)).ok_or_else(|| undecodable(index))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_are_exact() {
        assert_eq!(Decoder::Int2.decode(&(-2i16).to_be_bytes()), Some(Value::Int(-2)));
        assert_eq!(Decoder::Int8.decode(&i64::MIN.to_be_bytes()), Some(Value::Int(i64::MIN)));
        assert_eq!(Decoder::Oid.decode(&u32::MAX.to_be_bytes()), Some(Value::Int(4_294_967_295)));
        let negative_zero = Decoder::Float8.decode(&(-0.0f64).to_be_bytes());
        assert!(matches!(negative_zero, Some(Value::Float(zero)) if zero.is_sign_negative()));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(Decoder::Text.decode(b"caf\xe9"), None);
        assert_eq!(Decoder::Text.decode("café".as_bytes()), Some(Value::Text("café".into())));
        assert_eq!(Decoder::Char.decode(b"r"), Some(Value::Text("r".into())));
    }

    #[test]
    fn numeric_has_no_native_value() {
        assert_eq!(Decoder::of(1700), None);
    }
}
