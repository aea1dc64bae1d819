//! Looking rows up by many keys at once.
//!
//! Keys go in as parameters of `IN` lists, in their native types: a list applies the column's affinity and collation to each
//! key as a plain comparison would (a join with `json_each` would lose bytes and the difference between `1` and `1.0`), seeks
//! where the columns have an index, and scans the table once where they have none.

use relink_model::Value;
use sqlx::SqliteConnection;

use super::{
    dialect::{SqliteDialect, quote},
    read,
};
use crate::{
    DbError, Dialect as _, Lookup, ResultRow,
    null_pattern::{NullPattern, group_by_null_pattern},
    statement::no_column,
};

/// The rows that match the keys.
pub(super) async fn lookup(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    lookup: &Lookup<'_>,
    keys: &[Vec<Value>],
) -> Result<Vec<ResultRow>, DbError> {
    // SQLite takes a quoted name without a column behind it for a text, so the names are checked here.
    for name in lookup.match_columns.iter().chain(lookup.select) {
        lookup.relation.column(name).ok_or_else(|| no_column(lookup.relation, name))?;
    }
    let columns: Vec<String> = lookup.match_columns.iter().chain(lookup.select).map(|name| quote(name)).collect();
    let head = format!("SELECT {} FROM {} WHERE ", columns.join(", "), dialect.quote_relation(&lookup.relation.name));
    let mut found = Vec::new();
    for group in group_by_null_pattern(keys) {
        let per_query = match group.present.len() {
            0 => group.keys.len(),
            parts => dialect.capabilities().parameters_max / parts,
        };
        for chunk in group.keys.chunks(per_query) {
            let sql = format!("{head}{}", condition(lookup.match_columns, &group, chunk.len()));
            let values: Vec<&Value> =
                chunk.iter().flat_map(|key| group.present.iter().map(|&part| &key[part])).collect();
            let rows = read::query(connection, &sql, read::arguments(values.into_iter())?).await?;
            found.extend(rows);
        }
    }
    Ok(found)
}

fn condition(columns: &[String], group: &NullPattern<'_>, keys: usize) -> String {
    let mut conditions: Vec<String> =
        group.null.iter().map(|&part| format!("{} IS NULL", quote(&columns[part]))).collect();
    match group.present.as_slice() {
        [] => {}
        [part] => conditions.push(format!("{} IN ({})", quote(&columns[*part]), repeated("?", keys))),
        parts => {
            let names: Vec<String> = parts.iter().map(|&part| quote(&columns[part])).collect();
            let key = format!("({})", repeated("?", parts.len()));
            conditions.push(format!("({}) IN (VALUES {})", names.join(", "), repeated(&key, keys)));
        }
    }
    conditions.join(" AND ")
}

fn repeated(item: &str, times: usize) -> String {
    let mut text = String::with_capacity((item.len() + 1) * times);
    for index in 0..times {
        if index > 0 {
            text.push(',');
        }
        text.push_str(item);
    }
    text
}
