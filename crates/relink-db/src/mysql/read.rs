//! Decoding rows into [`Value`]s.
//!
//! Nothing here turns a value into another type's form: that is `Dialect::read_expression`.

use relink_model::Value;
use sqlx::{
    Column as _, Decode, MySql, Row, Type, TypeInfo, ValueRef,
    mysql::{MySqlRow, MySqlTypeInfo, MySqlValueRef},
};

use crate::{DbError, DbErrorKind, ResultRow};

/// A text out of a catalog query. Some servers declare catalog columns as binary.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(i64::from(*truth).to_string()),
        Value::Float(_) | Value::Null => None,
    }
}

/// The values of a row that came in the binary protocol.
pub(super) fn decode_row(row: &MySqlRow) -> Result<ResultRow, DbError> {
    let value = |index: usize| {
        let raw = row.try_get_raw(index)?;
        let column = row.column(index).type_info();
        decode_value(raw, column)
    };
    (0..row.len())
        .map(|index| {
            value(index).map_err(|source| {
                let name = row.column(index).name().to_owned();
                let mut error = DbError::new(DbErrorKind::Other, format!("cannot decode the result column {name}"));
                error.source = Some(source);
                error.column = Some(name);
                error
            })
        })
        .collect()
}

fn decode_value(raw: MySqlValueRef<'_>, declared: &MySqlTypeInfo) -> Result<Value, sqlx::error::BoxDynError> {
    let name = declared.name();
    if matches!(name, "DATE" | "DATETIME" | "TIMESTAMP" | "TIME") {
        // The driver calls a zero date NULL, so the bytes themselves must tell.
        return Ok(decode::<&[u8]>(raw).map_or(Value::Null, |bytes| Value::Text(temporal(name, bytes))));
    }
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match name {
        // tinyint(1) may hold any small number; what is neither 0 nor 1 is not to be mistaken for true.
        "BOOLEAN" => match decode::<i64>(raw)? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            number => Value::Int(number),
        },
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Value::Int(decode::<i64>(raw)?),
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED" | "BIGINT UNSIGNED"
        | "YEAR" => {
            let number = decode::<u64>(raw)?;
            i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Int)
        }
        "FLOAT" | "DOUBLE" => Value::Float(decode::<f64>(raw)?),
        "BIT" => match decode::<&[u8]>(raw)? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            bytes => Value::Bytes(bytes.to_vec()),
        },
        "DECIMAL" | "JSON" | "SET" => Value::Text(decode::<String>(raw)?),
        // Text and bytes share their type codes; the collation tells them apart.
        _ if <str as Type<MySql>>::compatible(declared) => Value::Text(decode::<String>(raw)?),
        _ => Value::Bytes(decode::<&[u8]>(raw)?.to_vec()),
    })
}

fn decode<'r, T: Decode<'r, MySql>>(raw: MySqlValueRef<'r>) -> Result<T, sqlx::error::BoxDynError> {
    T::decode(raw)
}

/// The text of a date or time in the binary protocol: a length byte, then as many fields as are not zero.
fn temporal(name: &str, bytes: &[u8]) -> String {
    let byte = |index: usize| bytes.get(index).copied().map_or(0, u32::from);
    let number = |from: usize| (0..4).fold(0, |number, index| number | byte(from + index) << (8 * index));
    let fraction = |micros: u32| if micros == 0 { String::new() } else { format!(".{micros:06}") };
    if name == "TIME" {
        let sign = if byte(1) == 1 { "-" } else { "" };
        let hours = number(2) * 24 + byte(6);
        return format!("{sign}{hours:02}:{:02}:{:02}{}", byte(7), byte(8), fraction(number(9)));
    }
    let date = format!("{:04}-{:02}-{:02}", byte(1) | byte(2) << 8, byte(3), byte(4));
    if name == "DATE" {
        return date;
    }
    format!("{date} {:02}:{:02}:{:02}{}", byte(5), byte(6), byte(7), fraction(number(8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporal_fields_that_are_left_out_are_zero() {
        assert_eq!(temporal("DATE", &[0]), "0000-00-00");
        assert_eq!(temporal("DATE", &[4, 0xe8, 0x07, 2, 29]), "2024-02-29");
        assert_eq!(temporal("DATETIME", &[4, 0xe8, 0x07, 2, 29]), "2024-02-29 00:00:00");
        assert_eq!(
            temporal("TIMESTAMP", &[11, 0xe8, 0x07, 2, 29, 23, 59, 58, 0xd2, 0x04, 0, 0]),
            "2024-02-29 23:59:58.001234"
        );
        assert_eq!(temporal("TIME", &[8, 1, 1, 0, 0, 0, 2, 3, 4]), "-26:03:04");
        assert_eq!(temporal("TIME", &[0]), "00:00:00");
    }
}
