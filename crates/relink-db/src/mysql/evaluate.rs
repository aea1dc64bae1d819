//! Expressions over rows that are in no relation: a union of typed rows under the relation's name.

use relink_model::{Column, Relation, Value};

use super::{MySqlDatabase, write::Binder};
use crate::{
    DbError, Dialect, ResultRow,
    statement::{columns, enclosed, free_name, one_for_each, rows_per_statement},
};

/// Rows of one statement at most: each is a SELECT of its own.
const ROWS_MAX: usize = 500;

impl MySqlDatabase {
    /// See [`crate::Connection::evaluate`].
    pub(super) async fn evaluate_rows(
        &mut self,
        relation: &Relation,
        given: &[String],
        rows: &[Vec<Value>],
        expressions: &[String],
    ) -> Result<Vec<ResultRow>, DbError> {
        let given = columns(relation, given)?;
        if expressions.is_empty() {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        // In the order of the relation's columns, as the parameters of a row stand.
        let order: Vec<Option<usize>> =
            relation.columns.iter().map(|column| given.iter().position(|given| given.name == column.name)).collect();
        let binders: Vec<Binder<'_>> = order.iter().flatten().map(|&index| binder(given[index])).collect();
        let place = self.dialect.quote(&free_name(relation, "place"));
        let columns: Vec<String> = relation
            .columns
            .iter()
            .zip(&order)
            .map(|(column, index)| {
                let value = index.map_or_else(|| "NULL".to_owned(), |_| self.dialect.stored_placeholder(column));
                format!("{value} AS {}", self.dialect.quote(&column.name))
            })
            .collect();
        let columns = columns.join(", ");
        let read: Vec<String> = expressions.iter().map(|expression| enclosed(expression)).collect();
        let name = self.dialect.quote(&relation.name.name);
        let rows: Vec<Vec<&Value>> =
            rows.iter().map(|row| order.iter().flatten().map(|&index| &row[index]).collect()).collect();
        let rows_max = rows_per_statement(binders.len().max(1), self.dialect.capabilities().parameters_max, ROWS_MAX);
        let mut evaluated = Vec::with_capacity(rows.len());
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (batch, remaining) = rest.split_at(self.batch_size(rest, rows_max));
            rest = remaining;
            let source: Vec<String> =
                (0..batch.len()).map(|row| format!("SELECT {row} AS {place}, {columns}")).collect();
            let sql = format!(
                "SELECT {} FROM ({}) AS {name} ORDER BY {name}.{place}",
                read.join(", "),
                source.join(" UNION ALL ")
            );
            let arguments = self.batch_arguments(&relation.name, &binders, batch)?;
            evaluated.extend(one_for_each(self.session.fetch(sql, arguments).await?, batch.len())?);
        }
        Ok(evaluated)
    }
}

fn binder(column: &Column) -> Binder<'_> {
    Binder::of(&column.name, &column.data_type)
}
