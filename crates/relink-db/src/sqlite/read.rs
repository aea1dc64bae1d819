//! Parameters and result values.
//!
//! Results are decoded by the storage class of each value, never by the declared type of its column: a SQLite column holds what
//! was put into it.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use relink_model::Value;
use sqlx::{
    Arguments as _, AssertSqlSafe, Decode, Row as _, Sqlite, SqliteConnection, TypeInfo as _, ValueRef as _,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::error::statement_error;
use crate::{DbError, DbErrorKind, ResultRow};

/// The parameters of a statement.
pub(super) fn arguments<'a>(values: impl ExactSizeIterator<Item = &'a Value>) -> Result<SqliteArguments, DbError> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        add(&mut arguments, value)?;
    }
    Ok(arguments)
}

/// Adds one parameter as what it is; affinity does the rest.
pub(super) fn add(arguments: &mut SqliteArguments, value: &Value) -> Result<(), DbError> {
    match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Bool(value) => arguments.add(*value),
        Value::Int(value) => arguments.add(*value),
        Value::Float(value) if value.is_nan() => {
            return Err(no_nan());
        }
        Value::Float(value) => arguments.add(*value),
        // One copy, which the worker thread needs; `&str` would take two allocations.
        Value::Text(value) => arguments.add(Arc::<str>::from(value.as_str())),
        Value::Bytes(value) => arguments.add(value.as_slice()),
    }
    .map_err(|error| statement_error(sqlx::Error::Encode(error)))
}

/// The error for NaN, which would be stored as NULL, silently.
pub(super) fn no_nan() -> DbError {
    DbError::new(DbErrorKind::InvalidValue, "SQLite cannot store NaN")
}

/// Runs a query to its end.
pub(super) async fn query(
    connection: &mut SqliteConnection,
    sql: &str,
    arguments: SqliteArguments,
) -> Result<Vec<ResultRow>, DbError> {
    let mut stream = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false).fetch(connection);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await.map_err(statement_error)? {
        rows.push(decode(&row)?);
    }
    Ok(rows)
}

/// Runs a query without parameters.
pub(super) async fn query_plain(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<ResultRow>, DbError> {
    query(connection, sql, SqliteArguments::default()).await
}

/// The single value of a query's first row.
pub(super) async fn query_one(
    connection: &mut SqliteConnection,
    sql: &str,
    parameters: &[Value],
) -> Result<Option<Value>, DbError> {
    let rows = query(connection, sql, arguments(parameters.iter())?).await?;
    Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()))
}

fn decode(row: &SqliteRow) -> Result<ResultRow, DbError> {
    (0..row.columns().len()).map(|index| value(row, index)).collect()
}

fn value(row: &SqliteRow, index: usize) -> Result<Value, DbError> {
    let raw = row.try_get_raw(index).map_err(statement_error)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let class = raw.type_info();
    match class.name() {
        "INTEGER" => <i64 as Decode<'_, Sqlite>>::decode(raw).map(Value::Int),
        "REAL" => <f64 as Decode<'_, Sqlite>>::decode(raw).map(Value::Float),
        "TEXT" => <Vec<u8> as Decode<'_, Sqlite>>::decode(raw).map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => Value::Text(text),
            // SQLite does not check the encoding of what it is given; the bytes say more than an error would.
            Err(invalid) => Value::Bytes(invalid.into_bytes()),
        }),
        _ => <Vec<u8> as Decode<'_, Sqlite>>::decode(raw).map(Value::Bytes),
    }
    .map_err(|error| statement_error(sqlx::Error::Decode(error)))
}
