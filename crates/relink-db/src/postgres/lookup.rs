//! Finding and deleting rows by key: the keys go over as arrays, so that any number of them is a handful of statements.

use relink_model::{Column, Relation, Value};
use sqlx::{AssertSqlSafe, postgres::PgArguments};

use super::{
    PostgresConnection, PostgresDialect, bind,
    bind::array_element,
    dialect::quote,
    evaluate::ExpressionType,
    types::{cast_for_comparison, without_modifiers},
};
use crate::{
    DbError, Dialect, Lookup, ResultRow,
    null_pattern::{NullPattern, group_by_null_pattern},
    statement::{BindClass, columns, enclosed, key_columns},
};

/// Keys of one statement at most: arrays of some megabytes.
const KEYS_MAX: usize = 50_000;

impl PostgresConnection {
    /// The rows that match the keys.
    pub(super) async fn lookup_rows(
        &mut self,
        lookup: &Lookup<'_>,
        keys: &[Vec<Value>],
    ) -> Result<Vec<ResultRow>, DbError> {
        let parts = self.parts(lookup).await?;
        let selected = columns(lookup.relation, lookup.select)?;
        let head = query_head(&self.dialect, lookup, &parts, &selected);
        let mut found = Vec::new();
        for group in group_by_null_pattern(keys) {
            let sql = format!("{head}{}", condition(&parts, &group));
            for chunk in chunks(&group) {
                let arguments = arguments(lookup.relation, &parts, &group, chunk)?;
                found.extend(self.fetch(AssertSqlSafe(sql.clone()), arguments).await?);
            }
        }
        Ok(found)
    }

    /// What a lookup compares.
    async fn parts(&mut self, lookup: &Lookup<'_>) -> Result<Vec<Part>, DbError> {
        let Some(expressions) = lookup.match_expressions else {
            let matched = columns(lookup.relation, lookup.match_columns)?;
            return Ok(matched.into_iter().map(|column| Part::column(&self.dialect, column)).collect());
        };
        let enclosed: Vec<String> = expressions.iter().map(|expression| enclosed(expression)).collect();
        let from = format!("{} AS t", self.dialect.own_rows(lookup.relation));
        let types = self.expression_types(&enclosed, &from).await?;
        Ok(enclosed
            .into_iter()
            .zip(types)
            .map(|(expression, data_type)| Part::expression(expression, &data_type))
            .collect())
    }

    /// Deletes the relation's own rows that match the keys.
    pub(super) async fn delete_rows(
        &mut self,
        relation: &Relation,
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        let key = key_columns(relation, key)?;
        let parts: Vec<Part> = key.into_iter().map(|column| Part::column(&self.dialect, column)).collect();
        let mut deleted = 0;
        for group in group_by_null_pattern(rows) {
            let from = self.dialect.own_rows(relation);
            let sql = format!("DELETE FROM {from} AS t WHERE {}", condition(&parts, &group));
            for chunk in chunks(&group) {
                let arguments = arguments(relation, &parts, &group, chunk)?;
                deleted += self.run_once(&sql, arguments).await?;
            }
        }
        Ok(deleted)
    }
}

/// A part of a key: what is compared, and as what a given value is.
pub(super) struct Part {
    /// The column's name or the expression, for errors.
    name: String,
    /// What is compared, of the relation `t`.
    compared: String,
    /// The type that a given value is cast to.
    cast: Option<String>,
    /// How it is bound.
    class: BindClass,
    /// How it is read.
    read: String,
}

impl Part {
    /// A column.
    pub(super) fn column(dialect: &PostgresDialect, column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            compared: format!("t.{}", quote(&column.name)),
            cast: cast_for_comparison(&column.data_type, column.case_insensitive),
            class: BindClass::of(&column.data_type),
            read: dialect.read_expression("t", column),
        }
    }

    /// An expression over the columns of `t`. What is compared with it has its type, so that an index over it serves.
    fn expression(expression: String, data_type: &ExpressionType) -> Self {
        let class = data_type.class();
        let as_bound = matches!(class, BindClass::Boolean | BindClass::Bytes | BindClass::Integer)
            || matches!(data_type.name.as_str(), "double precision" | "text" | "character varying");
        Self {
            read: data_type.read(&expression),
            cast: (!as_bound).then(|| without_modifiers(&data_type.name)),
            name: expression.clone(),
            compared: expression,
            class,
        }
    }

    /// A given value, which stands in this column of an `unnest`, as it is compared.
    fn given(&self, name: &str) -> String {
        cast(name, self.cast.as_deref())
    }
}

/// A value cast to a type, if one is named.
pub(super) fn cast(expression: &str, to: Option<&str>) -> String {
    to.map_or_else(|| expression.to_owned(), |to| format!("CAST({expression} AS {to})"))
}

/// The keys of a group in arrays of a bearable size. Where no part is compared, all of them are the same.
fn chunks<'a, 'v>(group: &'a NullPattern<'v>) -> impl Iterator<Item = &'a [&'v [Value]]> {
    group.keys.chunks(if group.present.is_empty() { group.keys.len() } else { KEYS_MAX })
}

/// The arrays of a statement with [`condition`].
fn arguments(
    relation: &Relation,
    parts: &[Part],
    group: &NullPattern<'_>,
    keys: &[&[Value]],
) -> Result<PgArguments, DbError> {
    let mut arguments = PgArguments::default();
    for &part in &group.present {
        let Part { name, class, .. } = &parts[part];
        bind::add_array(&mut arguments, *class, keys.iter().map(|key| &key[part]))
            .map_err(|error| at_column(error, relation, name))?;
    }
    Ok(arguments)
}

/// The error with its place.
pub(super) fn at_column(mut error: DbError, relation: &Relation, column: &str) -> DbError {
    error.relation = Some(relation.name.to_string());
    error.column = Some(column.to_owned());
    error
}

/// A lookup's query up to the condition of its keys.
fn query_head(dialect: &PostgresDialect, lookup: &Lookup<'_>, parts: &[Part], selected: &[&Column]) -> String {
    let selected = selected.iter().map(|column| dialect.read_expression("t", column));
    let read: Vec<String> = parts.iter().map(|part| part.read.clone()).chain(selected).collect();
    let predicate = lookup.predicate.map(|predicate| format!("{} AND ", enclosed(predicate))).unwrap_or_default();
    format!("SELECT {} FROM {} AS t WHERE {predicate}", read.join(", "), dialect.own_rows(lookup.relation))
}

/// The condition of keys that are NULL in the same parts. `IN` gives each row once, however often its key was asked for,
/// and is planned as a join either way round.
fn condition(parts: &[Part], group: &NullPattern<'_>) -> String {
    let mut conditions: Vec<String> =
        group.null.iter().map(|&part| format!("{} IS NULL", parts[part].compared)).collect();
    if !group.present.is_empty() {
        let (mut compared, mut keys, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (ordinal, &part) in group.present.iter().enumerate() {
            let (part, ordinal) = (&parts[part], ordinal + 1);
            compared.push(part.compared.clone());
            keys.push(part.given(&format!("k.k{ordinal}")));
            arrays.push(format!("${ordinal}::{}[]", array_element(part.class)));
            names.push(format!("k{ordinal}"));
        }
        // Only the unqualified name takes several arrays: it is syntax then, not a function.
        conditions.push(format!(
            "({}) IN (SELECT {} FROM unnest({}) AS k ({}))",
            compared.join(", "),
            keys.join(", "),
            arrays.join(", "),
            names.join(", ")
        ));
    }
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
}

#[cfg(test)]
mod tests {
    use relink_model::{ColumnType, RelationName, TypeKind};

    use super::*;

    #[test]
    fn keys_are_joined_as_arrays_and_null_parts_stand_outside() {
        let column = |name: &str, declared: &str, kind| Column {
            name: name.into(),
            data_type: ColumnType { declared: declared.into(), kind },
            ..Column::default()
        };
        let integer = TypeKind::Integer { bits: 32, unsigned: false };
        let relation = Relation {
            name: RelationName::new("t"),
            columns: vec![
                column("id", "integer", integer),
                column("code", "uuid", TypeKind::Uuid),
                column("flag", "boolean", TypeKind::Boolean),
            ],
            ..Relation::default()
        };
        let match_columns = ["code".to_owned(), "flag".to_owned()];
        let select = ["id".to_owned()];
        let lookup = Lookup::new(&relation, &match_columns, &select);
        let dialect = PostgresDialect::new();
        let matched = columns(&relation, lookup.match_columns).expect("both exist");
        let selected = columns(&relation, lookup.select).expect("it exists");
        let parts: Vec<Part> = matched.into_iter().map(|column| Part::column(&dialect, column)).collect();
        let keys = [vec![Value::Text("x".into()), Value::Bool(true)], vec![Value::Text("y".into()), Value::Null]];
        let groups = group_by_null_pattern(&keys);
        let head = query_head(&dialect, &lookup, &parts, &selected);
        let sql = |group| format!("{head}{}", condition(&parts, group));
        insta::assert_snapshot!(sql(&groups[0]), @r#"SELECT t."code"::text, t."flag", t."id" FROM ONLY "t" AS t WHERE (t."code", t."flag") IN (SELECT CAST(k.k1 AS uuid), k.k2 FROM unnest($1::text[], $2::bool[]) AS k (k1, k2))"#);
        insta::assert_snapshot!(sql(&groups[1]), @r#"SELECT t."code"::text, t."flag", t."id" FROM ONLY "t" AS t WHERE t."flag" IS NULL AND (t."code") IN (SELECT CAST(k.k1 AS uuid) FROM unnest($1::text[]) AS k (k1))"#);
    }
}
