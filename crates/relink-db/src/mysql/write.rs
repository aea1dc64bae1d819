//! Writing rows: multi-row inserts and updates by key, with the values checked that the server would change silently even in
//! strict mode. What the server refuses by itself is left to it.

use std::sync::Arc;

use relink_model::{ColumnType, Relation, TypeKind, Value};
use sqlx::{Arguments, mysql::MySqlArguments};

use super::MySqlDatabase;
use crate::{
    DbError, DbErrorKind, Dialect, InsertTarget,
    statement::{BindClass, no_column, rows_per_statement},
};

/// Rows of one insert at most. More rows per statement were measured slower, not faster.
const ROWS_MAX: usize = 1000;
/// Bytes of one insert of several rows at most; a single row may take a whole packet.
const STATEMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a statement takes besides its values.
const HEADER_BYTES: usize = 64;
/// What a parameter takes besides its value: its type, its NULL bit and the value's length.
const PARAMETER_BYTES: usize = 12;

impl MySqlDatabase {
    /// See [`crate::Connection::insert`].
    pub(super) async fn insert_rows(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        let binders: Vec<Binder<'_>> =
            target.columns.iter().map(|column| Binder::of(&column.name, &column.data_type)).collect();
        let parameters_max = self.dialect.capabilities().parameters_max;
        let rows_max = rows_per_statement(target.columns.len(), parameters_max, ROWS_MAX);
        let bytes_max = STATEMENT_BYTES_MAX.min(self.packet_bytes_max.saturating_sub(HEADER_BYTES));
        let mut inserted = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take(rows_max).take_while(|row| {
                bytes += row_bytes(row);
                bytes <= bytes_max
            });
            let (batch, remaining) = rest.split_at(fitting.count().max(1));
            rest = remaining;
            if let [row] = batch {
                self.require_packet(&target.relation.to_string(), &binders, row)?;
            }
            let mut arguments = MySqlArguments::default();
            arguments.reserve(batch.len() * binders.len(), bytes.min(bytes_max));
            for (binder, value) in batch.iter().flat_map(|row| binders.iter().zip(row)) {
                binder.add(&mut arguments, value)?;
            }
            let statement = self.statements.insert(&self.dialect, target, batch.len());
            inserted += self.session.execute(statement.sql, arguments).await?;
        }
        Ok(inserted)
    }

    /// See [`crate::Connection::update_by_key`]. The driver asks for the rows found rather than those changed.
    pub(super) async fn update_rows(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        let column =
            |name: &String| relation.column(name).map(|(_, column)| column).ok_or_else(|| no_column(relation, name));
        let mut binders = Vec::with_capacity(set.len() + key.len());
        let mut assignments = Vec::with_capacity(set.len());
        for name in set {
            let column = column(name)?;
            binders.push(Binder::of(&column.name, &column.data_type));
            assignments.push(format!(
                "{} = {}",
                self.dialect.quote(name),
                self.dialect.placeholder(0, &column.data_type)
            ));
        }
        let mut conditions = Vec::with_capacity(key.len());
        for name in key {
            let column = column(name)?;
            binders.push(Binder::of(&column.name, &column.data_type));
            let placeholder = self.dialect.comparing_placeholder(&column.data_type);
            conditions.push(format!("{} <=> {placeholder}", self.dialect.quote(name)));
        }
        // Written here rather than through the builder: what is compared needs another cast than what is assigned.
        let sql: Arc<str> = format!(
            "UPDATE {} SET {} WHERE {}",
            self.dialect.quote_relation(&relation.name),
            assignments.join(", "),
            conditions.join(" AND ")
        )
        .into();
        let mut matched = 0;
        for row in rows {
            self.require_packet(&relation.name.to_string(), &binders, row)?;
            let mut arguments = MySqlArguments::default();
            for (binder, value) in binders.iter().zip(row) {
                binder.add(&mut arguments, value)?;
            }
            matched += self.session.execute(Arc::clone(&sql), arguments).await?;
        }
        Ok(matched)
    }

    /// Refuses a row that no packet can carry: the server would answer it by closing the connection.
    fn require_packet(&self, relation: &str, binders: &[Binder<'_>], row: &[Value]) -> Result<(), DbError> {
        let bytes = HEADER_BYTES + row_bytes(row);
        if bytes <= self.packet_bytes_max {
            return Ok(());
        }
        let largest = binders.iter().zip(row).max_by_key(|(_, value)| value_bytes(value));
        let mut error = DbError::new(
            DbErrorKind::InvalidValue,
            format!(
                "a row of {bytes} bytes exceeds the server's max_allowed_packet of {} bytes",
                self.packet_bytes_max
            ),
        );
        error.relation = Some(relation.to_owned());
        error.column = largest.map(|(binder, _)| binder.column.to_owned());
        Err(error)
    }
}

/// How many bytes a value takes as a parameter, about.
pub(super) fn value_bytes(value: &Value) -> usize {
    PARAMETER_BYTES
        + match value {
            Value::Null => 0,
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        }
}

fn row_bytes(row: &[Value]) -> usize {
    row.iter().map(value_bytes).sum()
}

/// Binds the values of one column.
pub(super) struct Binder<'a> {
    column: &'a str,
    class: BindClass,
    trap: Trap<'a>,
}

/// What the server would do to some values of a column without an error.
enum Trap<'a> {
    None,
    /// `TIMESTAMP`: MariaDB does not read an offset. The session is in UTC, so `+00:00` may be left out.
    Instant,
    /// `YEAR`: two digits become a year of this or the last century.
    Year,
    /// `ENUM` and `SET`: digits that are no label are taken for the position of one.
    Labels(&'a [String]),
    /// `FLOAT` and `DOUBLE`: NaN and the infinities become NULL or an end of the range.
    Finite,
}

impl<'a> Binder<'a> {
    /// The binder of a column.
    pub(super) fn of(column: &'a str, data_type: &'a ColumnType) -> Self {
        let trap = match &data_type.kind {
            TypeKind::Timestamp { zoned: true, .. } => Trap::Instant,
            TypeKind::Integer { .. } if data_type.declared.to_ascii_lowercase().starts_with("year") => Trap::Year,
            TypeKind::Enum { labels } | TypeKind::Set { labels } => Trap::Labels(labels),
            TypeKind::Float { .. } => Trap::Finite,
            _ => Trap::None,
        };
        Self { column, class: BindClass::of(data_type), trap }
    }

    /// Adds a value as the next parameter.
    pub(super) fn add(&self, arguments: &mut MySqlArguments, value: &Value) -> Result<(), DbError> {
        match (&self.trap, value) {
            (Trap::Instant, Value::Text(text)) => {
                bind(arguments, text.strip_suffix("+00:00").unwrap_or(text));
                return Ok(());
            }
            (Trap::Year, Value::Int(1..=99)) => return Err(self.refuse(value, "a year of one or two digits")),
            (Trap::Year, Value::Text(text)) if text.trim().len() < 4 => {
                return Err(self.refuse(value, "a year of less than four digits"));
            }
            (Trap::Labels(_), Value::Int(_)) => return Err(self.refuse(value, "a number instead of a label")),
            (Trap::Labels(labels), Value::Text(text))
                if text.trim().parse::<f64>().is_ok() && !labels.iter().any(|label| label == text) =>
            {
                return Err(self.refuse(value, "no label of this type"));
            }
            (Trap::Finite, Value::Float(number)) if !number.is_finite() => {
                return Err(self.refuse(value, "not a finite number"));
            }
            _ => {}
        }
        match (self.class, value) {
            // NULL goes with its column's type, so that the server keeps the statement as it was prepared.
            (BindClass::Boolean | BindClass::Integer, Value::Null) => bind(arguments, None::<i64>),
            (BindClass::Float, Value::Null) => bind(arguments, None::<f64>),
            (BindClass::Bytes, Value::Null) => bind(arguments, None::<&[u8]>),
            // As a text it would be compared as a double.
            (BindClass::Integer, Value::Text(text)) => match text.parse::<u64>() {
                Ok(number) => bind(arguments, number),
                Err(_) => bind(arguments, text.as_str()),
            },
            // Compared with text, a number would be compared as a double.
            (BindClass::Text, Value::Int(number)) => bind(arguments, number.to_string().as_str()),
            (_, value) => bind_value(arguments, value),
        }
        Ok(())
    }

    fn refuse(&self, value: &Value, why: &str) -> DbError {
        let mut error = DbError::new(DbErrorKind::InvalidValue, format!("{value} for column {}: {why}", self.column));
        error.column = Some(self.column.to_owned());
        error
    }
}

/// Parameters of which only the values are known.
pub(super) fn arguments(parameters: &[Value]) -> MySqlArguments {
    let mut arguments = MySqlArguments::default();
    for value in parameters {
        bind_value(&mut arguments, value);
    }
    arguments
}

fn bind_value(arguments: &mut MySqlArguments, value: &Value) {
    match value {
        Value::Null => bind(arguments, None::<&str>),
        Value::Bool(truth) => bind(arguments, i64::from(*truth)),
        Value::Int(number) => bind(arguments, *number),
        Value::Float(number) => bind(arguments, *number),
        Value::Text(text) => bind(arguments, text.as_str()),
        Value::Bytes(bytes) => bind(arguments, bytes.as_slice()),
    }
}

fn bind<'v, T: sqlx::Encode<'v, sqlx::MySql> + sqlx::Type<sqlx::MySql>>(arguments: &mut MySqlArguments, value: T) {
    arguments.add(value).expect("numbers, text and bytes are encoded by copying them");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysql::types::column_type;

    fn accepts(declared: &str, value: &Value) -> Result<(), DbError> {
        let data_type = column_type(declared, false);
        Binder::of("x", &data_type).add(&mut MySqlArguments::default(), value)
    }

    #[test]
    fn what_strict_mode_would_change_silently_is_refused() {
        let text = |text: &str| Value::Text(text.into());
        for (declared, value) in [
            ("year(4)", Value::Int(5)),
            ("year(4)", text("05")),
            ("enum('a','b')", Value::Int(1)),
            ("enum('a','b')", text("2")),
            ("set('a','b')", text("3")),
            ("double", Value::Float(f64::NAN)),
            ("float", Value::Float(f64::INFINITY)),
        ] {
            let error = accepts(declared, &value).expect_err(declared);
            assert_eq!((error.kind, error.column.as_deref()), (DbErrorKind::InvalidValue, Some("x")), "{declared}");
            assert!(error.blames_rows());
        }
        for (declared, value) in [
            ("year(4)", Value::Int(2024)),
            ("year(4)", Value::Int(0)),
            ("enum('1','2')", text("2")),
            ("enum('a','b')", text("b")),
            ("set('a','b')", text("a,b")),
            ("double", Value::Float(-0.0)),
            ("bigint(20) unsigned", text("18446744073709551615")),
        ] {
            accepts(declared, &value).expect(declared);
        }
    }
}
