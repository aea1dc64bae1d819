//! Inserts, updates and savepoints.
//!
//! Before a text goes into a column whose affinity would turn it into a number, it is checked that nothing is lost: a UUID of
//! digits, or a decimal with more digits than a double holds, would otherwise be changed without a word.

use std::fmt::Write as _;

use relink_model::{Column, ColumnType, Relation, TypeKind, Value};
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};

use super::{
    dialect::{SqliteDialect, quote},
    error::statement_error,
    lookup::repeated,
    read,
    types::{Affinity, affinity},
};
use crate::{
    DbError, DbErrorKind, Dialect as _, Exactness, InsertTarget,
    null_pattern::{NullPattern, group_rows_by_null_pattern},
    statement::{Statement, StatementCache, columns, hex, key_columns, literal_insert, rows_per_statement},
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

/// Inserts one row as a statement of literals.
pub(super) async fn insert_literals(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    statements: &mut StatementCache,
    target: &InsertTarget,
    row: &[Value],
) -> Result<u64, DbError> {
    if target.columns.is_empty() {
        return insert(connection, dialect, statements, target, &[row.to_vec()]).await;
    }
    let mut literals = Vec::with_capacity(row.len());
    for (column, value) in target.columns.iter().zip(row) {
        Guard::of(&column.data_type).check(value, || (target.relation.to_string(), column.name.clone()))?;
        literals.push(literal(value)?);
    }
    let sql = literal_insert(dialect, "INSERT OR ABORT INTO", target, &literals);
    run_once(connection, &sql, SqliteArguments::default()).await
}

/// A value as a literal of its own storage class.
fn literal(value: &Value) -> Result<String, DbError> {
    Ok(match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => i64::from(*value).to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => return Err(read::no_nan()),
        Value::Float(value) if value.is_infinite() => (if *value > 0.0 { "9e999" } else { "-9e999" }).to_owned(),
        Value::Float(value) => real(*value),
        // U+0000 would end the statement.
        Value::Text(text) if text.contains('\0') => format!("CAST(x'{}' AS TEXT)", hex(text.as_bytes())),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Bytes(bytes) => format!("x'{}'", hex(bytes)),
    })
}

/// A finite number as an expression with exactly this value. SQLite reads long digits, and far exponents, as one of the doubles
/// nearby, so that such a number is spelt as a whole number times powers of two, where nothing is rounded.
fn real(number: f64) -> String {
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').expect("the form has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    if digits.bytes().filter(u8::is_ascii_digit).count() <= 15 && exponent.abs() <= 22 {
        // With a point or an exponent in any case.
        return format!("{number:?}");
    }
    let bits = number.to_bits();
    let (fraction, biased) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
    let (whole, mut power) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
    let sign = if number < 0.0 { "-" } else { "" };
    let mut expression = format!("CAST({sign}{whole} AS REAL)");
    while power != 0 {
        let step = power.clamp(-62, 62);
        let operator = if step > 0 { '*' } else { '/' };
        write!(expression, " {operator} CAST({} AS REAL)", 1_u64 << step.abs()).expect("a String takes everything");
        power -= step;
    }
    format!("({expression})")
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
    let (set, key) = (columns(relation, set)?, key_columns(relation, key)?);
    if set.is_empty() {
        return Ok(0);
    }
    let guards: Vec<Guard> = set.iter().map(|column| Guard::of(&column.data_type)).collect();
    let mut affected = 0;
    for group in group_rows_by_null_pattern(rows, set.len()) {
        let given: Vec<usize> = (0..set.len()).chain(group.present.iter().copied()).collect();
        let parameters_max = dialect.capabilities().parameters_max;
        for rows in group.keys.chunks(rows_per_statement(given.len(), parameters_max, ROWS_PER_STATEMENT_MAX)) {
            let sql = update_statement(dialect, relation, &set, &key, &group, rows.len());
            let mut arguments = SqliteArguments::default();
            arguments.reserve(given.len() * rows.len(), 0);
            for row in rows {
                for ((value, guard), column) in row.iter().zip(&guards).zip(&set) {
                    guard.check(value, || (relation.name.to_string(), column.name.clone()))?;
                }
                for &index in &given {
                    read::add(&mut arguments, &row[index])?;
                }
            }
            affected += run_once(connection, &sql, arguments).await?;
        }
    }
    Ok(affected)
}

/// The `UPDATE` of this many rows, whose keys are NULL in the same parts. A column of `VALUES` has neither affinity nor collation, so
/// that the relation's own column decides how its key is compared, and its index serves.
fn update_statement(
    dialect: &SqliteDialect,
    relation: &Relation,
    set: &[&Column],
    key: &[&Column],
    group: &NullPattern<'_>,
    rows: usize,
) -> String {
    let assignments = set.iter().enumerate().map(|(index, c)| format!("{} = v.column{}", quote(&c.name), index + 1));
    let compared = group.present.iter().enumerate().map(|(place, &index)| {
        format!("t.{} = v.column{}", quote(&key[index - set.len()].name), set.len() + place + 1)
    });
    let missing = group.null.iter().map(|&index| format!("t.{} IS NULL", quote(&key[index - set.len()].name)));
    let row = format!("({})", repeated("?", set.len() + group.present.len()));
    format!(
        "UPDATE OR ABORT {} AS t SET {} FROM (VALUES {}) AS v WHERE {}",
        dialect.quote_relation(&relation.name),
        assignments.collect::<Vec<_>>().join(", "),
        repeated(&row, rows),
        compared.chain(missing).collect::<Vec<_>>().join(" AND ")
    )
}

/// Deletes every row.
pub(super) async fn delete_all(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    relation: &Relation,
) -> Result<u64, DbError> {
    let sql = format!("DELETE FROM {}", dialect.quote_relation(&relation.name));
    run_once(connection, &sql, SqliteArguments::default()).await
}

/// Makes columns NULL.
pub(super) async fn set_null(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    relation: &Relation,
    names: &[String],
) -> Result<u64, DbError> {
    let columns = columns(relation, names)?;
    if columns.is_empty() {
        return Ok(0);
    }
    let each = |form: &str| columns.iter().map(|c| quote(&c.name) + form).collect::<Vec<_>>();
    let sql = format!(
        "UPDATE OR ABORT {} SET {} WHERE {}",
        dialect.quote_relation(&relation.name),
        each(" = NULL").join(", "),
        each(" IS NOT NULL").join(" OR ")
    );
    run_once(connection, &sql, SqliteArguments::default()).await
}

/// Runs a statement that is not kept; returns the rows affected.
pub(super) async fn run_once(
    connection: &mut SqliteConnection,
    sql: &str,
    arguments: SqliteArguments,
) -> Result<u64, DbError> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false);
    query.execute(connection).await.map(|done| done.rows_affected()).map_err(statement_error)
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
    fn numbers_with_few_digits_are_spelt_in_them_and_others_in_powers_of_two() {
        assert_eq!(real(0.1), "0.1");
        assert_eq!(real(-3.0), "-3.0");
        assert_eq!(real(0.1 + 0.2), "(CAST(5404319552844596 AS REAL) / CAST(18014398509481984 AS REAL))");
        assert!(real(5e-324).starts_with("(CAST(1 AS REAL) / CAST(4611686018427387904 AS REAL)"));
        assert!(real(f64::MIN).starts_with("(CAST(-9007199254740991 AS REAL) * CAST("));
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
