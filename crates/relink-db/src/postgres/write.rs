//! Writing rows: multi-row inserts through prepared statements that are reused, and updates by key, for which the rows go
//! over as one array for each column.

use relink_model::{Column, ColumnType, Relation, Value};
use sqlx::{AssertSqlSafe, postgres::PgArguments};

use super::{
    PostgresConnection, PostgresDialect, bind,
    bind::array_element,
    dialect::{literal, quote},
    lookup::{at_column, cast},
    types::{cast_for_assignment, cast_for_comparison},
};
use crate::{
    DbError, DbErrorKind, Dialect, InsertTarget,
    null_pattern::{NullPattern, group_rows_by_null_pattern},
    statement::{BindClass, Statement, columns, hex, key_columns, literal_insert, rows_per_statement},
};

/// More rows per statement gain nothing (measured: 100, 1,000 and 10,000 rows are within a few percent), and a failing
/// statement is bisected by the caller.
const ROWS_MAX: usize = 1_000;

/// Rows of one update at most: few enough for a failing one to be bisected, and enough for what a statement costs besides.
const UPDATED_ROWS_MAX: usize = 10_000;

/// Bytes of parameters in one statement, so that wide rows stay far from the protocol's limit of 1 GB per message.
const BYTES_MAX: usize = 32 << 20;

impl PostgresConnection {
    /// Inserts the rows.
    pub(super) async fn insert_rows(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        let rows_max = rows_per_statement(target.columns.len(), self.dialect.capabilities().parameters_max, ROWS_MAX);
        let mut written = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let (batch, tail) = rest.split_at(batch_size(rest, rows_max));
            let statement = self.statements.insert(&self.dialect, target, batch.len());
            let arguments = arguments(&statement, batch, |index| {
                (target.relation.to_string(), target.columns[index].name.clone())
            })?;
            written += self.run_prepared(&statement, arguments).await?;
            rest = tail;
        }
        Ok(written)
    }

    /// Inserts one row as a statement of literals.
    pub(super) async fn insert_literals(&mut self, target: &InsertTarget, row: &[Value]) -> Result<u64, DbError> {
        if target.columns.is_empty() {
            return self.insert_rows(target, &[row.to_vec()]).await;
        }
        let literals = target.columns.iter().zip(row).map(|(column, value)| {
            typed_literal(value, &column.data_type).map_err(|mut error| {
                error.relation = Some(target.relation.to_string());
                error.column = Some(column.name.clone());
                error
            })
        });
        let literals: Vec<String> = literals.collect::<Result<_, _>>()?;
        let sql = literal_insert(&self.dialect, "INSERT INTO", target, &literals);
        self.run_once(&sql, PgArguments::default()).await
    }

    /// Updates the relation's own rows by key.
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
        let mut matched = 0;
        for group in group_rows_by_null_pattern(rows, set.len()) {
            let (sql, given) = update_statement(&self.dialect, relation, &set, &key, &group);
            let mut rest = group.keys.as_slice();
            while !rest.is_empty() {
                let (batch, tail) = rest.split_at(batch_size(rest, UPDATED_ROWS_MAX));
                rest = tail;
                let mut arguments = PgArguments::default();
                for (index, column) in &given {
                    let class = BindClass::of(&column.data_type);
                    bind::add_array(&mut arguments, class, batch.iter().map(|row| &row[*index]))
                        .map_err(|error| at_column(error, relation, &column.name))?;
                }
                matched += self.run_once(&sql, arguments).await?;
            }
        }
        Ok(matched)
    }

    /// Deletes every row of the relation's own.
    pub(super) async fn delete_all_rows(&mut self, relation: &Relation) -> Result<u64, DbError> {
        let from = self.dialect.own_rows(relation);
        self.run_once(&format!("DELETE FROM {from}"), PgArguments::default()).await
    }

    /// Makes columns NULL.
    pub(super) async fn set_columns_null(&mut self, relation: &Relation, names: &[String]) -> Result<u64, DbError> {
        let columns = columns(relation, names)?;
        if columns.is_empty() {
            return Ok(0);
        }
        let each = |form: &str| columns.iter().map(|c| quote(&c.name) + form).collect::<Vec<_>>();
        let sql = format!(
            "UPDATE {} SET {} WHERE {}",
            self.dialect.own_rows(relation),
            each(" = NULL").join(", "),
            each(" IS NOT NULL").join(" OR ")
        );
        self.run_once(&sql, PgArguments::default()).await
    }

    /// Runs a statement that is not kept: with the parameters known, it is planned for them.
    pub(super) async fn run_once(&mut self, sql: &str, arguments: PgArguments) -> Result<u64, DbError> {
        sqlx::query_with(AssertSqlSafe(sql), arguments)
            .persistent(false)
            .execute(&mut self.connection)
            .await
            .map(|result| result.rows_affected())
            .map_err(|error| self.fail(error))
    }

    async fn run_prepared(&mut self, statement: &Statement, arguments: PgArguments) -> Result<u64, DbError> {
        // The parameters' types follow from the columns alone, so that the statement that the driver keeps under this
        // text fits every row.
        sqlx::query_with(AssertSqlSafe(statement.sql.clone()), arguments)
            .persistent(true)
            .execute(&mut self.connection)
            .await
            .map(|result| result.rows_affected())
            .map_err(|error| self.fail(error))
    }
}

/// A value as a literal of the type that its parameter would have, with the cast that it would have.
fn typed_literal(value: &Value, data_type: &ColumnType) -> Result<String, DbError> {
    if value.is_null() {
        return Ok("NULL".to_owned());
    }
    let of = |text: &str, to: &str| format!("CAST({} AS {to})", literal(text));
    Ok(match BindClass::of(data_type) {
        BindClass::Boolean => bind::boolean(value)?.to_string(),
        BindClass::Integer => of(&bind::integer(value)?.to_string(), "bigint"),
        BindClass::Float => of(&bind::float(value)?.to_string(), "double precision"),
        BindClass::Bytes => of(&format!("\\x{}", hex(bind::bytes(value)?)), "bytea"),
        BindClass::Text | BindClass::Dynamic => {
            let text = bind::text(value)?;
            if text.contains('\0') {
                // It would end the statement.
                return Err(DbError::new(DbErrorKind::InvalidValue, "PostgreSQL cannot hold U+0000 in a text"));
            }
            of(&text, cast_for_assignment(data_type).as_deref().unwrap_or("text"))
        }
    })
}

/// The `UPDATE` of rows whose keys are NULL in the same parts, and the columns that go over as arrays, each with its place in a
/// row. A key's part is compared as in a lookup, a value is read as in an insert.
fn update_statement<'a>(
    dialect: &PostgresDialect,
    relation: &Relation,
    set: &[&'a Column],
    key: &[&'a Column],
    group: &NullPattern<'_>,
) -> (String, Vec<(usize, &'a Column)>) {
    let columns: Vec<&Column> = set.iter().chain(key).copied().collect();
    let given: Vec<usize> = (0..set.len()).chain(group.present.iter().copied()).collect();
    let (mut arrays, mut names) = (Vec::new(), Vec::new());
    for (ordinal, &index) in given.iter().enumerate() {
        let element = array_element(BindClass::of(&columns[index].data_type));
        arrays.push(format!("${}::{element}[]", ordinal + 1));
        names.push(format!("c{index}"));
    }
    let assignments = set.iter().enumerate().map(|(index, column)| {
        let value = cast(&format!("v.c{index}"), cast_for_assignment(&column.data_type).as_deref());
        format!("{} = {value}", quote(&column.name))
    });
    let compared = group.present.iter().map(|&index| {
        let column = columns[index];
        let to = cast_for_comparison(&column.data_type, column.case_insensitive);
        format!("t.{} = {}", quote(&column.name), cast(&format!("v.c{index}"), to.as_deref()))
    });
    let missing = group.null.iter().map(|&index| format!("t.{} IS NULL", quote(&columns[index].name)));
    let sql = format!(
        "UPDATE {} AS t SET {} FROM unnest({}) AS v ({}) WHERE {}",
        dialect.own_rows(relation),
        assignments.collect::<Vec<_>>().join(", "),
        arrays.join(", "),
        names.join(", "),
        compared.chain(missing).collect::<Vec<_>>().join(" AND ")
    );
    (sql, given.into_iter().map(|index| (index, columns[index])).collect())
}

/// How many of the next rows go into one statement. Where they are too big, halves of the usual number, so that few
/// different statements are prepared.
pub(super) fn batch_size<R: AsRef<[Value]>>(rows: &[R], rows_max: usize) -> usize {
    let mut size = rows.len().min(rows_max);
    let bytes = |rows: &[R]| rows.iter().flat_map(AsRef::as_ref).map(bind::size).sum::<usize>();
    while size > 1 && bytes(&rows[..size]) > BYTES_MAX {
        size /= 2;
    }
    size
}

/// The parameters of a statement; `name` gives the relation and column of a parameter's position within its row.
fn arguments(
    statement: &Statement,
    rows: &[Vec<Value>],
    name: impl Fn(usize) -> (String, String),
) -> Result<PgArguments, DbError> {
    let mut arguments = PgArguments::default();
    for row in rows {
        debug_assert_eq!(row.len(), statement.binds.len(), "a row holds one value per parameter");
        for (index, (value, class)) in row.iter().zip(statement.binds.iter()).enumerate() {
            bind::add(&mut arguments, *class, value).map_err(|mut error| {
                let (relation, column) = name(index);
                error.relation = Some(relation);
                error.column = Some(column);
                error
            })?;
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_rows_go_in_smaller_statements() {
        let narrow = vec![vec![Value::Int(1)]; 2_500];
        assert_eq!(batch_size(&narrow, ROWS_MAX), 1_000);
        let wide = vec![vec![Value::Bytes(vec![0; 10 << 20])]; 8];
        assert_eq!(batch_size(&wide, ROWS_MAX), 2);
        let huge = vec![vec![Value::Bytes(vec![0; BYTES_MAX + 1])]; 2];
        assert_eq!(batch_size(&huge, ROWS_MAX), 1);
    }
}
