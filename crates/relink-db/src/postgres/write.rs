//! Writing rows: multi-row inserts and updates by key, through prepared statements that are reused.

use relink_model::{Relation, Value};
use sqlx::{AssertSqlSafe, postgres::PgArguments};

use super::{PostgresConnection, bind, dialect::only};
use crate::{
    DbError, Dialect, InsertTarget,
    statement::{SqlBuilder, Statement, rows_per_statement, update_statement},
};

/// More rows per statement gain nothing (measured: 100, 1,000 and 10,000 rows are within a few percent), and a failing
/// statement is bisected by the caller.
const ROWS_MAX: usize = 1_000;

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

    /// Updates the rows, one statement each.
    pub(super) async fn update_rows(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        let mut statement = update_statement(SqlBuilder::Postgres, &self.dialect, relation, set, key)?;
        // The key is the relation's own: children that inherit from it may hold the same values.
        let own_rows = format!("UPDATE {}", only(relation));
        statement.sql = statement.sql.replacen("UPDATE ", &own_rows, 1).into();
        let mut changed = 0;
        for row in rows {
            let arguments = arguments(&statement, std::slice::from_ref(row), |index| {
                let name = set.iter().chain(key).nth(index).cloned().unwrap_or_default();
                (relation.name.to_string(), name)
            })?;
            changed += self.run_prepared(&statement, arguments).await?;
        }
        Ok(changed)
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

/// How many of the next rows go into one statement. Where they are too big, halves of the usual number, so that few
/// different statements are prepared.
fn batch_size(rows: &[Vec<Value>], rows_max: usize) -> usize {
    let mut size = rows.len().min(rows_max);
    let bytes = |rows: &[Vec<Value>]| rows.iter().flatten().map(bind::size).sum::<usize>();
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
