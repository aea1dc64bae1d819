//! Looking rows up by key: the keys go over as arrays, so that any number of them is a handful of statements.

use relink_model::Column;
use sqlx::{AssertSqlSafe, postgres::PgArguments};

use super::{PostgresConnection, PostgresDialect, bind, dialect::quote, types::cast_for_comparison};
use crate::{
    DbError, Dialect, Lookup, ResultRow,
    null_pattern::{NullPattern, group_by_null_pattern},
    statement::{BindClass, no_column},
};
use relink_model::Value;

/// Keys of one statement at most: arrays of some megabytes.
const KEYS_MAX: usize = 50_000;

impl PostgresConnection {
    /// The rows that match the keys.
    pub(super) async fn lookup_rows(
        &mut self,
        lookup: &Lookup<'_>,
        keys: &[Vec<Value>],
    ) -> Result<Vec<ResultRow>, DbError> {
        let matched = columns(lookup, lookup.match_columns)?;
        let mut found = Vec::new();
        for group in group_by_null_pattern(keys) {
            let sql = statement(&self.dialect, lookup, &matched, &group)?;
            // Without a part to compare, the keys of the group are all the same.
            let chunk_size = if group.present.is_empty() { group.keys.len() } else { KEYS_MAX };
            for chunk in group.keys.chunks(chunk_size) {
                let mut arguments = PgArguments::default();
                for &part in &group.present {
                    let class = BindClass::of(&matched[part].data_type);
                    bind::add_array(&mut arguments, class, chunk.iter().map(|key| &key[part])).map_err(
                        |mut error| {
                            error.relation = Some(lookup.relation.name.to_string());
                            error.column = Some(matched[part].name.clone());
                            error
                        },
                    )?;
                }
                found.extend(self.fetch(AssertSqlSafe(sql.clone()), arguments).await?);
            }
        }
        Ok(found)
    }
}

fn columns<'a>(lookup: &Lookup<'a>, names: &[String]) -> Result<Vec<&'a Column>, DbError> {
    let column =
        |name: &String| lookup.relation.column(name).map(|(_, c)| c).ok_or_else(|| no_column(lookup.relation, name));
    names.iter().map(column).collect()
}

/// The query for keys that are NULL in the same parts. `IN` gives each row once, however often its key was asked for,
/// and is planned as a join either way round.
fn statement(
    dialect: &PostgresDialect,
    lookup: &Lookup<'_>,
    matched: &[&Column],
    group: &NullPattern<'_>,
) -> Result<String, DbError> {
    let selected = columns(lookup, lookup.select)?;
    let read: Vec<String> =
        matched.iter().chain(&selected).map(|column| dialect.read_expression("t", column)).collect();
    let mut conditions: Vec<String> =
        group.null.iter().map(|&part| format!("t.{} IS NULL", quote(&matched[part].name))).collect();
    if !group.present.is_empty() {
        let (mut compared, mut keys, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (ordinal, &part) in group.present.iter().enumerate() {
            let column = matched[part];
            let ordinal = ordinal + 1;
            compared.push(format!("t.{}", quote(&column.name)));
            keys.push(match cast_for_comparison(&column.data_type, column.case_insensitive) {
                Some(cast) => format!("CAST(k.k{ordinal} AS {cast})"),
                None => format!("k.k{ordinal}"),
            });
            arrays.push(format!("${ordinal}::{}[]", array_element(BindClass::of(&column.data_type))));
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
    Ok(format!(
        "SELECT {} FROM {} AS t WHERE {}",
        read.join(", "),
        dialect.own_rows(lookup.relation),
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    ))
}

fn array_element(class: BindClass) -> &'static str {
    match class {
        BindClass::Boolean => "bool",
        BindClass::Integer => "int8",
        BindClass::Float => "float8",
        BindClass::Bytes => "bytea",
        BindClass::Text | BindClass::Dynamic => "text",
    }
}

#[cfg(test)]
mod tests {
    use relink_model::{ColumnType, Relation, RelationName, TypeKind};

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
        let lookup = Lookup { relation: &relation, match_columns: &match_columns, select: &select };
        let matched = columns(&lookup, lookup.match_columns).expect("both exist");
        let keys = [vec![Value::Text("x".into()), Value::Bool(true)], vec![Value::Text("y".into()), Value::Null]];
        let groups = group_by_null_pattern(&keys);
        let sql = |group| statement(&PostgresDialect::new(), &lookup, &matched, group).expect("every column exists");
        insta::assert_snapshot!(sql(&groups[0]), @r#"SELECT t."code"::text, t."flag", t."id" FROM ONLY "t" AS t WHERE (t."code", t."flag") IN (SELECT CAST(k.k1 AS uuid), k.k2 FROM unnest($1::text[], $2::bool[]) AS k (k1, k2))"#);
        insta::assert_snapshot!(sql(&groups[1]), @r#"SELECT t."code"::text, t."flag", t."id" FROM ONLY "t" AS t WHERE t."flag" IS NULL AND (t."code") IN (SELECT CAST(k.k1 AS uuid) FROM unnest($1::text[]) AS k (k1))"#);
    }
}
