//! Looking rows up, and deleting them, by many keys at once.
//!
//! Keys go in as parameters of `IN` lists, in their native types: a list applies the column's affinity and collation to each
//! key as a plain comparison would (a join with `json_each` would lose bytes and the difference between `1` and `1.0`), seeks
//! where the columns have an index, and scans the table once where they have none.

use relink_model::{Relation, Value};
use sqlx::{SqliteConnection, sqlite::SqliteArguments};

use super::{
    dialect::{SqliteDialect, quote},
    read, write,
};
use crate::{
    DbError, Dialect as _, Lookup, ResultRow,
    null_pattern::{NullPattern, group_by_null_pattern},
    statement::{columns, enclosed, key_columns},
};

/// The rows that match the keys.
pub(super) async fn lookup(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    lookup: &Lookup<'_>,
    keys: &[Vec<Value>],
) -> Result<Vec<ResultRow>, DbError> {
    // SQLite takes a quoted name without a column behind it for a text, so the names are checked here.
    let matched = match lookup.match_expressions {
        Some(expressions) => expressions.iter().map(|expression| enclosed(expression)).collect(),
        None => quoted(lookup.relation, lookup.match_columns)?,
    };
    let selected = quoted(lookup.relation, lookup.select)?;
    let read: Vec<&str> = matched.iter().chain(&selected).map(String::as_str).collect();
    let predicate = lookup.predicate.map(|predicate| format!("{} AND ", enclosed(predicate))).unwrap_or_default();
    let from = dialect.quote_relation(&lookup.relation.name);
    let head = format!("SELECT {} FROM {from} WHERE {predicate}", read.join(", "));
    let mut found = Vec::new();
    for group in group_by_null_pattern(keys) {
        for chunk in group.keys.chunks(keys_per_statement(dialect, &group)) {
            let sql = format!("{head}{}", condition(&matched, &group, chunk.len()));
            let rows = read::query(connection, &sql, arguments(&group, chunk)?).await?;
            found.extend(rows);
        }
    }
    Ok(found)
}

/// Deletes the rows that match the keys.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    relation: &Relation,
    key: &[String],
    rows: &[Vec<Value>],
) -> Result<u64, DbError> {
    let key: Vec<String> = key_columns(relation, key)?.iter().map(|column| quote(&column.name)).collect();
    let head = format!("DELETE FROM {} WHERE ", dialect.quote_relation(&relation.name));
    let mut deleted = 0;
    for group in group_by_null_pattern(rows) {
        for chunk in group.keys.chunks(keys_per_statement(dialect, &group)) {
            let sql = format!("{head}{}", condition(&key, &group, chunk.len()));
            deleted += write::run_once(connection, &sql, arguments(&group, chunk)?).await?;
        }
    }
    Ok(deleted)
}

/// How many keys go into one statement. Where no part is compared, all of them are the same.
fn keys_per_statement(dialect: &SqliteDialect, group: &NullPattern<'_>) -> usize {
    match group.present.len() {
        0 => group.keys.len(),
        parts => dialect.capabilities().parameters_max / parts,
    }
}

/// The parameters of a statement with [`condition`].
fn arguments(group: &NullPattern<'_>, keys: &[&[Value]]) -> Result<SqliteArguments, DbError> {
    let values: Vec<&Value> = keys.iter().flat_map(|key| group.present.iter().map(|&part| &key[part])).collect();
    read::arguments(values.into_iter())
}

/// The columns of these names, quoted.
fn quoted(relation: &Relation, names: &[String]) -> Result<Vec<String>, DbError> {
    Ok(columns(relation, names)?.iter().map(|column| quote(&column.name)).collect())
}

/// The condition of so many keys that are NULL in the same of these parts.
fn condition(parts: &[String], group: &NullPattern<'_>, keys: usize) -> String {
    let mut conditions: Vec<String> = group.null.iter().map(|&part| format!("{} IS NULL", parts[part])).collect();
    match group.present.as_slice() {
        [] => {}
        [part] => conditions.push(format!("{} IN ({})", parts[*part], repeated("?", keys))),
        present => {
            let compared: Vec<&str> = present.iter().map(|&part| parts[part].as_str()).collect();
            let key = format!("({})", repeated("?", present.len()));
            conditions.push(format!("({}) IN (VALUES {})", compared.join(", "), repeated(&key, keys)));
        }
    }
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}

/// An item this many times, with commas between.
pub(super) fn repeated(item: &str, times: usize) -> String {
    let mut text = String::with_capacity((item.len() + 1) * times);
    for index in 0..times {
        if index > 0 {
            text.push(',');
        }
        text.push_str(item);
    }
    text
}
