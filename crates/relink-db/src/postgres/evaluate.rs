//! Expressions over rows that are in no relation: the rows go over as arrays, and stand under the relation's name in columns of
//! its types and collations.

use relink_model::{Column, Relation, Value};
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _, Statement as _, postgres::PgArguments};

use super::{
    PostgresConnection, bind,
    bind::array_element,
    dialect::quote,
    lookup::{at_column, cast},
    read,
    types::stored_type,
    write::batch_size,
};
use crate::{
    DbError, ResultRow,
    statement::{BindClass, columns, enclosed, free_name, one_for_each},
};

/// Rows of one statement at most.
const ROWS_MAX: usize = 10_000;

/// The type of an expression.
pub(super) struct ExpressionType {
    /// Its number in `pg_type`.
    pub(super) oid: u32,
    /// As `format_type` prints it, without modifiers.
    pub(super) name: String,
}

impl ExpressionType {
    /// The expression, such that its result has a native value.
    pub(super) fn read(&self, expression: &str) -> String {
        if read::is_native(self.oid) { expression.to_owned() } else { format!("{expression}::text") }
    }

    /// How a value of it is bound.
    pub(super) fn class(&self) -> BindClass {
        match self.oid {
            16 => BindClass::Boolean,
            17 => BindClass::Bytes,
            20 | 21 | 23 | 26 => BindClass::Integer,
            700 | 701 => BindClass::Float,
            _ => BindClass::Text,
        }
    }
}

impl PostgresConnection {
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
        let place = free_name(relation, "place");
        let (name, quoted_place) = (quote(&relation.name.name), quote(&place));
        let enclosed: Vec<String> = expressions.iter().map(|expression| enclosed(expression)).collect();
        // Every column is there, NULL or not, so the types are always the same; this statement is prepared once and never runs.
        let nulls = row_of(relation, &[]);
        let types = self.expression_types(&enclosed, &format!("(SELECT {nulls}) AS {name}")).await?;
        let read = types.iter().zip(&enclosed).map(|(data_type, expression)| data_type.read(expression));
        let read: Vec<String> = read.collect();
        let arrays = given
            .iter()
            .enumerate()
            .map(|(index, column)| format!("${}::{}[]", index + 2, array_element(BindClass::of(&column.data_type))));
        let names = (0..given.len()).map(|index| format!("c{index}"));
        let sql = format!(
            "SELECT {} FROM (SELECT {}, v.place AS {quoted_place} FROM unnest({}) AS v ({})) AS {name} ORDER BY {name}.{quoted_place}",
            read.join(", "),
            row_of(relation, &given),
            ["$1::int8[]".to_owned()].into_iter().chain(arrays).collect::<Vec<_>>().join(", "),
            ["place".to_owned()].into_iter().chain(names).collect::<Vec<_>>().join(", "),
        );
        let mut evaluated = Vec::with_capacity(rows.len());
        let mut rest = rows;
        while !rest.is_empty() {
            let (batch, tail) = rest.split_at(batch_size(rest, ROWS_MAX));
            rest = tail;
            let mut arguments = PgArguments::default();
            let places: Vec<Value> = (0..batch.len()).map(|place| Value::Int(place as i64)).collect();
            bind::add_array(&mut arguments, BindClass::Integer, places.iter())?;
            for (index, column) in given.iter().enumerate() {
                let class = BindClass::of(&column.data_type);
                bind::add_array(&mut arguments, class, batch.iter().map(|row| &row[index]))
                    .map_err(|error| at_column(error, relation, &column.name))?;
            }
            let result = self.fetch(AssertSqlSafe(sql.clone()), arguments).await?;
            evaluated.extend(one_for_each(result, batch.len())?);
        }
        Ok(evaluated)
    }

    /// The types of expressions over what stands behind `FROM`.
    pub(super) async fn expression_types(
        &mut self,
        expressions: &[String],
        from: &str,
    ) -> Result<Vec<ExpressionType>, DbError> {
        // A list without a type would be no statement.
        if expressions.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT {} FROM {from}", expressions.join(", "));
        let prepared = (&mut self.connection).prepare(AssertSqlSafe(sql).into_sql_str()).await;
        let prepared = prepared.map_err(|error| self.fail(error))?;
        let oids: Vec<u32> = prepared
            .columns()
            .iter()
            .map(|column| sqlx::Column::type_info(column).oid().map_or(0, |oid| oid.0))
            .collect();
        let names: Vec<String> = oids.iter().map(|oid| format!("pg_catalog.format_type({oid}, NULL)")).collect();
        let names = self.fetch(AssertSqlSafe(format!("SELECT {}", names.join(", "))), PgArguments::default()).await?;
        let typed = oids.into_iter().zip(names.into_iter().flatten());
        Ok(typed.map(|(oid, name)| ExpressionType { oid, name: name.to_string() }).collect())
    }
}

/// Every column of the relation as it would be stored: those that are given from `v`, the others NULL.
fn row_of(relation: &Relation, given: &[&Column]) -> String {
    let column = |column: &Column| {
        let index = given.iter().position(|given| given.name == column.name);
        let value = index.map_or_else(|| "NULL".to_owned(), |index| format!("v.c{index}"));
        let data_type = stored_type(&column.data_type, column.case_insensitive);
        let value = cast(&value, Some(&data_type));
        let collation = column.collation.as_ref().map(|name| format!(" COLLATE {}", quote(name))).unwrap_or_default();
        format!("{value}{collation} AS {}", quote(&column.name))
    };
    relation.columns.iter().map(column).collect::<Vec<_>>().join(", ")
}
