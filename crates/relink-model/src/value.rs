//! A value on its way between an export and a database.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A database value. Whatever has no native carrier here (decimals, dates, UUIDs, JSON, arrays, enums, network
/// addresses ...) travels as [`Value::Text`] in the database's own input syntax: text is exact, and the column's
/// type decides how the server reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number that fits 64 bits with sign.
    Int(i64),
    /// An IEEE 754 double.
    Float(f64),
    /// Text, or any other type in the database's input syntax.
    Text(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// Whether this is SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl fmt::Display for Value {
    /// For messages: text as it is, bytes as `x'..'`, NULL as `NULL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => f.write_str(value),
            Self::Bytes(bytes) => {
                f.write_str("x'")?;
                for byte in bytes.iter().take(32) {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str(if bytes.len() > 32 { "...'" } else { "'" })
            }
        }
    }
}
