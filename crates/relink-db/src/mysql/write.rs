//! Writing rows: multi-row inserts and updates by key, with the values checked that the server would change silently even in
//! strict mode. What the server refuses by itself is left to it.

use std::borrow::{Borrow, Cow};

use relink_model::{Column, ColumnType, Relation, RelationName, TypeKind, Value};
use sqlx::{Arguments, mysql::MySqlArguments};

use super::{MySqlDatabase, error::is_unconvertible_key, types::is_year};
use crate::{
    DbError, DbErrorKind, Dialect, InsertTarget,
    null_pattern::{NullPattern, group_rows_by_null_pattern},
    statement::{BindClass, columns, hex, key_columns, literal_insert, rows_per_statement},
};

/// Rows of one insert at most. More rows per statement were measured slower, not faster.
const ROWS_MAX: usize = 1000;
/// Rows of one update at most: each is a SELECT of its own.
const UPDATED_ROWS_MAX: usize = 500;
/// Bytes of one statement of several rows at most; a single row may take a whole packet.
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
        let mut inserted = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let (batch, remaining) = rest.split_at(self.batch_size(rest, rows_max));
            rest = remaining;
            let arguments = self.batch_arguments(&target.relation, &binders, batch)?;
            let statement = self.statements.insert(&self.dialect, target, batch.len());
            inserted += self.session.execute(statement.sql, arguments).await?;
        }
        Ok(inserted)
    }

    /// See [`crate::Connection::insert_raw`].
    pub(super) async fn insert_literals(&mut self, target: &InsertTarget, row: &[Value]) -> Result<u64, DbError> {
        if target.columns.is_empty() {
            return self.insert_rows(target, &[row.to_vec()]).await;
        }
        let mut literals = Vec::with_capacity(row.len());
        for (column, value) in target.columns.iter().zip(row) {
            let literal = Binder::of(&column.name, &column.data_type).literal(value)?;
            literals.push(self.dialect.placeholder(0, &column.data_type).replace('?', &literal));
        }
        let sql = literal_insert(&self.dialect, "INSERT INTO", target, &literals);
        if sql.len() + HEADER_BYTES > self.packet_bytes_max {
            let binders: Vec<_> =
                target.columns.iter().map(|column| Binder::of(&column.name, &column.data_type)).collect();
            return Err(self.beyond_packet(&target.relation.to_string(), &binders, row, sql.len() + HEADER_BYTES));
        }
        self.session.run(&sql).await
    }

    /// See [`crate::Connection::update_by_key`]. The driver asks for the rows found rather than those changed.
    pub(super) async fn update_rows(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        let (set, key) = (columns(relation, set)?, key_columns(relation, key)?);
        if set.is_empty() {
            return Ok(0);
        }
        // Columns declared `ON UPDATE CURRENT_TIMESTAMP` change with every update that does not set them: they are set to what they hold.
        let kept: Vec<&Column> = relation
            .columns
            .iter()
            .filter(|column| matches!(column.data_type.kind, TypeKind::Timestamp { .. }) && column.generated.is_none())
            .filter(|column| set.iter().chain(&key).all(|given| given.name != column.name))
            .collect();
        let mut matched = 0;
        for group in group_rows_by_null_pattern(rows, set.len()) {
            let given: Vec<usize> = (0..set.len()).chain(group.present.iter().copied()).collect();
            let columns: Vec<&Column> = set.iter().chain(&key).copied().collect();
            let binders: Vec<Binder<'_>> =
                given.iter().map(|&index| Binder::of(&columns[index].name, &columns[index].data_type)).collect();
            let rows: Vec<Vec<&Value>> =
                group.keys.iter().map(|row| given.iter().map(|&index| &row[index]).collect()).collect();
            let (source, change) = self.update_statement(&set, &kept, &key, &group);
            let parameters_max = self.dialect.capabilities().parameters_max;
            let rows_max = rows_per_statement(given.len(), parameters_max, UPDATED_ROWS_MAX);
            // A stack of batches; one that holds a key beyond its column's character set goes back as two halves, until that key stands
            // alone and matches nothing.
            let mut batches = vec![rows.as_slice()];
            while let Some(rest) = batches.pop() {
                let (batch, remaining) = rest.split_at(self.batch_size(rest, rows_max));
                if !remaining.is_empty() {
                    batches.push(remaining);
                }
                let arguments = self.batch_arguments(&relation.name, &binders, batch)?;
                let sql = format!(
                    "UPDATE {} AS t JOIN ({}) AS v ON {change}",
                    self.dialect.quote_relation(&relation.name),
                    vec![source.as_str(); batch.len()].join(" UNION ALL ")
                );
                match self.session.execute(sql, arguments).await {
                    Ok(rows) => matched += rows,
                    Err(error) if is_unconvertible_key(&error) => {
                        let (left, right) = batch.split_at(batch.len() / 2);
                        if !left.is_empty() {
                            batches.extend([right, left]);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(matched)
    }

    /// The two parts of an `UPDATE`: one row of what is given, and what stands after it.
    fn update_statement(
        &self,
        set: &[&Column],
        kept: &[&Column],
        key: &[&Column],
        group: &NullPattern<'_>,
    ) -> (String, String) {
        let given = |(index, column): (usize, &&Column)| {
            format!("{} AS c{index}", self.dialect.carrying_placeholder(&column.data_type))
        };
        let part = |index: usize| key[index - set.len()];
        let source =
            set.iter().enumerate().map(given).chain(group.present.iter().map(|&index| given((index, &part(index)))));
        let compared =
            group.present.iter().map(|&index| self.dialect.equals_carried(part(index), &format!("v.c{index}")));
        let missing = group.null.iter().map(|&index| format!("t.{} IS NULL", self.dialect.quote(&part(index).name)));
        let assignments = set
            .iter()
            .enumerate()
            .map(|(index, column)| format!("t.{} = v.c{index}", self.dialect.quote(&column.name)));
        let unchanged = kept.iter().map(|column| {
            let name = self.dialect.quote(&column.name);
            format!("t.{name} = t.{name}")
        });
        let assignments = assignments.chain(unchanged);
        (
            format!("SELECT {}", source.collect::<Vec<_>>().join(", ")),
            format!(
                "{} SET {}",
                compared.chain(missing).collect::<Vec<_>>().join(" AND "),
                assignments.collect::<Vec<_>>().join(", ")
            ),
        )
    }

    /// How many of the next rows go into one statement.
    pub(super) fn batch_size<V: Borrow<Value>>(&self, rows: &[Vec<V>], rows_max: usize) -> usize {
        let bytes_max = STATEMENT_BYTES_MAX.min(self.packet_bytes_max.saturating_sub(HEADER_BYTES));
        let mut bytes = 0;
        let fitting = rows.iter().take(rows_max).take_while(|row| {
            bytes += row_bytes(row);
            bytes <= bytes_max
        });
        fitting.count().max(1)
    }

    /// The parameters of a statement of these rows.
    pub(super) fn batch_arguments<V: Borrow<Value>>(
        &self,
        relation: &RelationName,
        binders: &[Binder<'_>],
        batch: &[Vec<V>],
    ) -> Result<MySqlArguments, DbError> {
        if let [row] = batch {
            self.require_packet(&relation.to_string(), binders, row)?;
        }
        let mut arguments = MySqlArguments::default();
        arguments.reserve(batch.len() * binders.len(), batch.iter().map(|row| row_bytes(row)).sum());
        for (binder, value) in batch.iter().flat_map(|row| binders.iter().zip(row)) {
            binder.add(&mut arguments, value.borrow())?;
        }
        Ok(arguments)
    }

    /// See [`crate::Connection::delete_all`].
    pub(super) async fn delete_all_rows(&mut self, relation: &Relation) -> Result<u64, DbError> {
        self.session.run(&format!("DELETE FROM {}", self.dialect.quote_relation(&relation.name))).await
    }

    /// See [`crate::Connection::set_null`].
    pub(super) async fn set_columns_null(&mut self, relation: &Relation, names: &[String]) -> Result<u64, DbError> {
        let columns = columns(relation, names)?;
        if columns.is_empty() {
            return Ok(0);
        }
        let each = |form: &str| columns.iter().map(|c| self.dialect.quote(&c.name) + form).collect::<Vec<_>>();
        let sql = format!(
            "UPDATE {} SET {} WHERE {}",
            self.dialect.quote_relation(&relation.name),
            each(" = NULL").join(", "),
            each(" IS NOT NULL").join(" OR ")
        );
        self.session.run(&sql).await
    }

    /// Refuses a row that no packet can carry: the server would answer it by closing the connection.
    fn require_packet<V: Borrow<Value>>(
        &self,
        relation: &str,
        binders: &[Binder<'_>],
        row: &[V],
    ) -> Result<(), DbError> {
        let bytes = HEADER_BYTES + row_bytes(row);
        if bytes <= self.packet_bytes_max {
            return Ok(());
        }
        Err(self.beyond_packet(relation, binders, row, bytes))
    }

    fn beyond_packet<V: Borrow<Value>>(
        &self,
        relation: &str,
        binders: &[Binder<'_>],
        row: &[V],
        bytes: usize,
    ) -> DbError {
        let largest = binders.iter().zip(row).max_by_key(|(_, value)| value_bytes((*value).borrow()));
        let mut error = DbError::new(
            DbErrorKind::InvalidValue,
            format!(
                "a row of {bytes} bytes exceeds the server's max_allowed_packet of {} bytes",
                self.packet_bytes_max
            ),
        );
        error.relation = Some(relation.to_owned());
        error.column = largest.map(|(binder, _)| binder.column.to_owned());
        error
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

fn row_bytes<V: Borrow<Value>>(row: &[V]) -> usize {
    row.iter().map(|value| value_bytes(value.borrow())).sum()
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
            TypeKind::Integer { .. } if is_year(data_type) => Trap::Year,
            TypeKind::Enum { labels } | TypeKind::Set { labels } => Trap::Labels(labels),
            TypeKind::Float { .. } => Trap::Finite,
            _ => Trap::None,
        };
        Self { column, class: BindClass::of(data_type), trap }
    }

    /// The binder of something that is no column, and takes values as they are.
    pub(super) fn natural(what: &'a str) -> Self {
        Self { column: what, class: BindClass::Dynamic, trap: Trap::None }
    }

    /// Adds a value as the next parameter.
    pub(super) fn add(&self, arguments: &mut MySqlArguments, value: &Value) -> Result<(), DbError> {
        match self.given(value)? {
            // NULL goes with its column's type, so that the server keeps the statement as it was prepared.
            Given::Null => match self.class {
                BindClass::Boolean | BindClass::Integer => bind(arguments, None::<i64>),
                BindClass::Float => bind(arguments, None::<f64>),
                BindClass::Bytes => bind(arguments, None::<&[u8]>),
                BindClass::Text | BindClass::Dynamic => bind(arguments, None::<&str>),
            },
            Given::Signed(number) => bind(arguments, number),
            Given::Unsigned(number) => bind(arguments, number),
            Given::Float(number) => bind(arguments, number),
            Given::Text(text) => bind(arguments, text.as_ref()),
            Given::Bytes(bytes) => bind(arguments, bytes),
        }
        Ok(())
    }

    /// The value as a literal. Text is spelt in hexadecimal digits, which mean the same under every SQL mode.
    fn literal(&self, value: &Value) -> Result<String, DbError> {
        Ok(match self.given(value)? {
            Given::Null => "NULL".to_owned(),
            Given::Signed(number) => number.to_string(),
            Given::Unsigned(number) => number.to_string(),
            // With an exponent it is no decimal.
            Given::Float(number) => format!("{number:e}"),
            Given::Text(text) => format!("_utf8mb4 x'{}'", hex(text.as_bytes())),
            Given::Bytes(bytes) => format!("_binary x'{}'", hex(bytes)),
        })
    }

    /// What the server is given for a value.
    fn given<'v>(&self, value: &'v Value) -> Result<Given<'v>, DbError> {
        match (&self.trap, value) {
            (Trap::Instant, Value::Text(text)) => {
                return Ok(Given::Text(Cow::Borrowed(text.strip_suffix("+00:00").unwrap_or(text))));
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
        Ok(match (self.class, value) {
            // As a text it would be compared as a double.
            (BindClass::Integer, Value::Text(text)) => match text.parse::<u64>() {
                Ok(number) => Given::Unsigned(number),
                Err(_) => Given::Text(Cow::Borrowed(text)),
            },
            // Compared with text, a number would be compared as a double.
            (BindClass::Text, Value::Int(number)) => Given::Text(Cow::Owned(number.to_string())),
            (_, value) => Given::plain(value),
        })
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
        Binder::natural("").add(&mut arguments, value).expect("without a column nothing is refused");
    }
    arguments
}

/// A value as the server is given it.
enum Given<'v> {
    Null,
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(Cow<'v, str>),
    Bytes(&'v [u8]),
}

impl<'v> Given<'v> {
    fn plain(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Signed(i64::from(*truth)),
            Value::Int(number) => Self::Signed(*number),
            Value::Float(number) => Self::Float(*number),
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
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
