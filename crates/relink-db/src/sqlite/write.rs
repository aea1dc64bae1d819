//! Inserts, updates and savepoints.
//!
//! Before a text goes into a column whose affinity would turn it into a number, it is checked that nothing is lost: a UUID of
//! digits, or a decimal with more digits than a double holds, would otherwise be changed without a word.

use relink_model::{ColumnType, Relation, TypeKind, Value};
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};

use super::{
    dialect::{SqliteDialect, quote},
    error::statement_error,
    read,
    types::{Affinity, affinity},
};
use crate::{
    DbError, DbErrorKind, Dialect as _, Exactness, InsertTarget,
    statement::{SqlBuilder, Statement, StatementCache, no_column, rows_per_statement, update_statement},
};

/// Rows of one statement at most; the parameter limit is nearly always reached first. The fewer statements, the fewer
/// trips to the driver's worker thread, which cost more than SQLite's own work.
const ROWS_PER_STATEMENT_MAX: usize = 8_192;

/// Inserts the rows.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    statements: &mut StatementCache,
    target: &InsertTarget,
    rows: &[Vec<Value>],
) -> Result<u64, DbError> {
    let guards: Vec<Guard> = target.columns.iter().map(|column| Guard::of(&column.data_type)).collect();
    let columns = target.columns.len();
    let chunk = chunk_rows(dialect, target);
    let mut affected = 0;
    for rows in rows.chunks(chunk) {
        let statement = statements.insert(dialect, target, rows.len());
        let mut arguments = SqliteArguments::default();
        arguments.reserve(columns * rows.len(), 0);
        for row in rows {
            debug_assert_eq!(row.len(), columns, "one value per column");
            for ((value, guard), column) in row.iter().zip(&guards).zip(&target.columns) {
                guard.check(value, || (target.relation.to_string(), column.name.clone()))?;
                read::add(&mut arguments, value)?;
            }
        }
        affected += run(connection, &statement, arguments).await?;
    }
    Ok(affected)
}

/// Updates rows named by key.
pub(super) async fn update_by_key(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    relation: &Relation,
    set: &[String],
    key: &[String],
    rows: &[Vec<Value>],
) -> Result<u64, DbError> {
    let statement = update_statement(SqlBuilder::Sqlite, dialect, relation, set, key)?;
    let guards = set
        .iter()
        .map(|name| match relation.column(name) {
            Some((_, column)) => Ok((name, Guard::of(&column.data_type))),
            None => Err(no_column(relation, name)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut affected = 0;
    for row in rows {
        for (value, (name, guard)) in row.iter().zip(&guards) {
            guard.check(value, || (relation.name.to_string(), (*name).clone()))?;
        }
        affected += run(connection, &statement, read::arguments(row.iter())?).await?;
    }
    Ok(affected)
}

async fn run(
    connection: &mut SqliteConnection,
    statement: &Statement,
    arguments: SqliteArguments,
) -> Result<u64, DbError> {
    let query = sqlx::query_with(AssertSqlSafe(statement.sql.clone()), arguments).persistent(true);
    let done = query.execute(connection).await.map_err(statement_error)?;
    Ok(done.rows_affected())
}

/// `SAVEPOINT`, `ROLLBACK TO` or `RELEASE` of a savepoint.
pub(super) async fn savepoint(connection: &mut SqliteConnection, verb: &str, name: &str) -> Result<(), DbError> {
    let sql = format!("{verb} {}", quote(name));
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    query.execute(connection).await.map(|_| ()).map_err(statement_error)
}

/// See [`crate::Dialect::exactness`].
pub(super) fn exactness(data_type: &ColumnType) -> Option<Exactness> {
    fn changed(guard: Guard, value: &Value) -> Option<&'static str> {
        let Value::Text(text) = value else { return None };
        (!guard.survives(text))
            .then_some("would be changed by SQLite, which keeps values of this column as binary numbers")
    }
    match Guard::of(data_type) {
        Guard::None => None,
        Guard::Number => Some(|value| changed(Guard::Number, value)),
        Guard::Characters => Some(|value| changed(Guard::Characters, value)),
    }
}

/// Rows of one statement. `INSERT OR ABORT` takes back what a failing statement has written, and no more.
pub(super) fn chunk_rows(dialect: &SqliteDialect, target: &InsertTarget) -> usize {
    rows_per_statement(target.columns.len(), dialect.capabilities().parameters_max, ROWS_PER_STATEMENT_MAX)
}

/// What must hold for a text to come back as it went in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// The column keeps text as text.
    None,
    /// Numeric affinity, and the value is a number by meaning (a decimal, JSON): the number must not change.
    Number,
    /// Numeric affinity, and the value is text by meaning: its characters must not change.
    Characters,
}

impl Guard {
    fn of(data_type: &ColumnType) -> Self {
        match (affinity(&data_type.declared), &data_type.kind) {
            (Affinity::Text | Affinity::Blob, _) => Self::None,
            (_, TypeKind::Decimal { .. } | TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Json) => {
                Self::Number
            }
            _ => Self::Characters,
        }
    }

    fn check(self, value: &Value, place: impl FnOnce() -> (String, String)) -> Result<(), DbError> {
        let Value::Text(text) = value else { return Ok(()) };
        if self == Self::None || self.survives(text) {
            return Ok(());
        }
        let (relation, column) = place();
        let mut error = DbError::new(
            DbErrorKind::InvalidValue,
            format!("SQLite would change {text:?} in {relation}.{column}, whose type has numeric affinity"),
        );
        error.relation = Some(relation);
        error.column = Some(column);
        Err(error)
    }

    fn survives(self, text: &str) -> bool {
        // A double keeps fifteen digits, whichever they are.
        if self == Self::Number
            && text.len() <= 15
            && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
        {
            return true;
        }
        let number = text.trim_matches(|c: char| c.is_ascii_whitespace());
        // SQLite reads neither "inf" nor "nan" nor hexadecimal as numbers.
        if !number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
            return true;
        }
        let Ok(float) = number.parse::<f64>() else { return true };
        match self {
            Self::None => true,
            Self::Number => number.parse::<i64>().is_ok() || significant(number) == significant(&format!("{float:e}")),
            Self::Characters => {
                number.parse::<i64>().is_ok_and(|integer| integer.to_string() == text)
                    || (float.fract() != 0.0 && float.to_string() == text)
            }
        }
    }
}

/// A decimal literal's value as sign, significant digits and exponent, so that `1.50` and `15e-1` are equal.
fn significant(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().unwrap_or(i64::MAX / 2)),
        None => (number, 0),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.trim_start_matches(['+', '-']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let trimmed = digits.trim_end_matches('0');
    let scale = exponent - fraction.len() as i64 + (digits.len() - trimmed.len()) as i64;
    let trimmed = trimmed.trim_start_matches('0');
    if trimmed.is_empty() { (false, String::new(), 0) } else { (negative, trimmed.to_owned(), scale) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::types::column_type;

    fn survives(declared: &str, text: &str) -> bool {
        let guard = Guard::of(&column_type(declared));
        guard.check(&Value::Text(text.into()), || ("t".into(), "c".into())).is_ok()
    }

    #[test]
    fn text_columns_keep_every_text() {
        assert!(survives("varchar(10)", "007"));
        assert!(survives("", "007"));
    }

    #[test]
    fn text_by_meaning_must_not_become_another_number() {
        assert!(!survives("uuid", "00000000000000000000000000000123"));
        assert!(!survives("uuid", "12345678901234567890123456789012"));
        assert!(survives("uuid", "6f1ed002-ab59-5c3a-8f0e-3a1b2c3d4e5f"));
        assert!(!survives("STRING", "007"));
        assert!(!survives("STRING", "1.50"));
        assert!(!survives("STRING", " 7"));
        assert!(survives("STRING", "7"));
        assert!(survives("date", "2020-01-31"));
    }

    #[test]
    fn decimals_may_lose_their_trailing_zeros_and_nothing_else() {
        assert!(survives("decimal(10,2)", "12.30"));
        assert!(survives("decimal", "-0.5e3"));
        assert!(survives("decimal", "9223372036854775807"));
        assert!(!survives("decimal", "9223372036854775808.5"));
        assert!(!survives("decimal(20,10)", "1234567890.0123456789"));
        assert!(survives("decimal", "0.000"));
        assert!(survives("json", "{\"a\": 1}"));
        assert!(!survives("json", "1234567890.0123456789"));
    }
}
