//! Rows found and deleted by key, in lists of keys.
//!
//! A column is compared with plain parameters, so its own collation decides and its index serves.

use std::collections::HashSet;

use relink_model::{Column, Relation, Value};
use sqlx::mysql::MySqlArguments;

use super::{MySqlDatabase, error::is_illegal_collation_mix, write::Binder};
use crate::{
    DbError, Dialect, Lookup, ResultRow,
    null_pattern::{NullPattern, group_by_null_pattern},
    statement::{columns, enclosed, key_columns},
};

/// Keys of one column in one list.
const KEYS_MAX: usize = 4000;
/// Keys of several columns in one list, where the index that serves is known and forced.
const COMPOSITE_KEYS_MAX: usize = 2000;
/// The same where none is known. With several indexes to weigh, the time that MariaDB's optimizer takes grows with the square
/// of the list.
const UNFORCED_KEYS_MAX: usize = 100;
/// Bytes of keys in one list, so that long texts stay well below the packet limit.
const LIST_BYTES_MAX: usize = 512 * 1024;

impl MySqlDatabase {
    /// See [`crate::Connection::lookup`].
    pub(super) async fn look_up(
        &mut self,
        lookup: &Lookup<'_>,
        keys: &[Vec<Value>],
    ) -> Result<Vec<ResultRow>, DbError> {
        let relation = lookup.relation;
        let parts = match lookup.match_expressions {
            Some(expressions) => expressions.iter().map(|expression| Part::expression(expression)).collect(),
            None => self.parts(&columns(relation, lookup.match_columns)?),
        };
        let selected = columns(relation, lookup.select)?;
        let selected = selected.iter().map(|column| self.dialect.read_expression("t", column));
        let list: Vec<String> = parts.iter().map(|part| part.read.clone()).chain(selected).collect();
        let (hint, keys_max) = match (lookup.match_expressions, lookup.predicate) {
            (None, None) => self.plan(relation, lookup.match_columns),
            _ => (String::new(), if parts.len() > 1 { UNFORCED_KEYS_MAX } else { KEYS_MAX }),
        };
        let head = format!(
            "SELECT {} FROM {} t{hint} WHERE {}",
            if list.is_empty() { "1".to_owned() } else { list.join(", ") },
            self.dialect.quote_relation(&relation.name),
            lookup.predicate.map(|predicate| format!("{} AND ", enclosed(predicate))).unwrap_or_default()
        );

        let mut found = Found::default();
        for pattern in group_by_null_pattern(keys) {
            let mut lists = key_lists(&pattern, keys_max);
            while let Some(list) = lists.pop() {
                let sql = format!("{head}{}", condition(&parts, &pattern, list.len()));
                let arguments = arguments(&parts, &pattern, list)?;
                match self.session.fetch(sql, arguments).await {
                    Ok(rows) => found.add(rows),
                    Err(error) => split(&mut lists, list, error)?,
                }
            }
        }
        Ok(found.rows)
    }

    /// See [`crate::Connection::delete_by_key`].
    pub(super) async fn delete_rows(
        &mut self,
        relation: &Relation,
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        let parts = self.parts(&key_columns(relation, key)?);
        let (hint, keys_max) = self.plan(relation, key);
        // The form for several tables, for the other takes no hint.
        let head = format!("DELETE t FROM {} t{hint} WHERE ", self.dialect.quote_relation(&relation.name));
        let mut deleted = 0;
        for pattern in group_by_null_pattern(rows) {
            let mut lists = key_lists(&pattern, keys_max);
            while let Some(list) = lists.pop() {
                let sql = format!("{head}{}", condition(&parts, &pattern, list.len()));
                let arguments = arguments(&parts, &pattern, list)?;
                match self.session.execute(sql, arguments).await {
                    Ok(rows) => deleted += rows,
                    Err(error) => split(&mut lists, list, error)?,
                }
            }
        }
        Ok(deleted)
    }

    /// The hint that makes the index serve that does, and how many keys one list takes.
    fn plan(&self, relation: &Relation, columns: &[String]) -> (String, usize) {
        let index = if columns.len() > 1 { serving_index(relation, columns) } else { None };
        let keys_max = match (columns.len(), index) {
            (..=1, _) => KEYS_MAX,
            (_, Some(_)) => COMPOSITE_KEYS_MAX,
            (_, None) => UNFORCED_KEYS_MAX,
        };
        (index.map(|index| format!(" FORCE INDEX ({})", self.dialect.quote(index))).unwrap_or_default(), keys_max)
    }

    fn parts<'a>(&self, columns: &[&'a Column]) -> Vec<Part<'a>> {
        let part = |column: &&'a Column| Part {
            compared: format!("t.{}", self.dialect.quote(&column.name)),
            placeholder: self.dialect.comparing_placeholder(&column.data_type),
            read: self.dialect.read_expression("t", column),
            binder: Binder::of(&column.name, &column.data_type),
        };
        columns.iter().map(part).collect()
    }
}

/// A part of a key: what is compared with what, and how it is read.
struct Part<'a> {
    compared: String,
    placeholder: String,
    read: String,
    binder: Binder<'a>,
}

impl<'a> Part<'a> {
    fn expression(expression: &'a str) -> Self {
        let enclosed = enclosed(expression);
        let binder = Binder::natural(expression);
        Self { compared: enclosed.clone(), placeholder: "?".to_owned(), read: enclosed, binder }
    }
}

/// The condition of a list of keys that are NULL in the same parts. Without any part to match, one key finds every row, as SQL would.
fn condition(parts: &[Part<'_>], pattern: &NullPattern<'_>, keys: usize) -> String {
    let mut conditions: Vec<String> =
        pattern.null.iter().map(|&part| format!("{} IS NULL", parts[part].compared)).collect();
    if !pattern.present.is_empty() {
        let present = || pattern.present.iter().map(|&part| &parts[part]);
        let compared: Vec<&str> = present().map(|part| part.compared.as_str()).collect();
        let placeholders: Vec<&str> = present().map(|part| part.placeholder.as_str()).collect();
        let one = format!("({})", placeholders.join(", "));
        conditions.push(format!("({}) IN ({})", compared.join(", "), vec![one; keys].join(", ")));
    }
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}

/// The key that an index scan for these columns can use whole or from its start.
fn serving_index<'a>(relation: &'a Relation, columns: &[String]) -> Option<&'a str> {
    let serves = |key: &[String]| key.iter().take(columns.len()).all(|part| columns.contains(part));
    if relation.primary_key.as_ref().is_some_and(|key| serves(&key.columns)) {
        return Some("PRIMARY");
    }
    let mut plain = relation.unique_keys.iter().filter(|key| key.is_plain());
    plain.find(|key| serves(&key.columns)).map(|key| key.name.0.as_str())
}

/// Rows found so far.
#[derive(Default)]
struct Found {
    rows: Vec<ResultRow>,
    seen: HashSet<String>,
}

impl Found {
    /// Adds the rows of one list. Under a collation one row may answer keys of two lists (`a` and `A`); whatever rows
    /// look like an earlier list's are that list's, since equal rows always come together.
    fn add(&mut self, rows: Vec<ResultRow>) {
        if rows.is_empty() {
            return;
        }
        let shown: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        for (row, shown) in rows.into_iter().zip(&shown) {
            if !self.seen.contains(shown) {
                self.rows.push(row);
            }
        }
        self.seen.extend(shown);
    }
}

/// The keys in lists that keep the limits of count and bytes, as a stack. Where no part is compared, all of them are the same.
fn key_lists<'a, 'v>(pattern: &'a NullPattern<'v>, keys_max: usize) -> Vec<&'a [&'v [Value]]> {
    if pattern.present.is_empty() {
        return vec![&pattern.keys];
    }
    let mut lists: Vec<_> = lists(&pattern.keys, keys_max).collect();
    lists.reverse();
    lists
}

fn lists<'a, 'v>(keys: &'a [&'v [Value]], keys_max: usize) -> impl Iterator<Item = &'a [&'v [Value]]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        rest.first()?;
        let mut bytes = 0;
        let fitting = rest.iter().take(keys_max).take_while(|key| {
            bytes += key.iter().map(super::write::value_bytes).sum::<usize>();
            bytes <= LIST_BYTES_MAX
        });
        let (list, remaining) = rest.split_at(fitting.count().max(1));
        rest = remaining;
        Some(list)
    })
}

/// Puts a list that the server refuses back as two halves. A single key that the column's character set cannot hold matches no row.
fn split<'a, 'v>(lists: &mut Vec<&'a [&'v [Value]]>, list: &'a [&'v [Value]], error: DbError) -> Result<(), DbError> {
    if !is_illegal_collation_mix(&error) {
        return Err(error);
    }
    if list.len() > 1 {
        let (left, right) = list.split_at(list.len() / 2);
        lists.extend([right, left]);
    }
    Ok(())
}

/// The parameters of a statement with a list of keys.
fn arguments(parts: &[Part<'_>], pattern: &NullPattern<'_>, list: &[&[Value]]) -> Result<MySqlArguments, DbError> {
    let mut arguments = MySqlArguments::default();
    for (key, part) in list.iter().flat_map(|key| pattern.present.iter().map(move |&part| (key, part))) {
        parts[part].binder.add(&mut arguments, &key[part])?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use relink_model::{ConstraintName, Deferrability, PrimaryKey, UniqueKey};

    use super::*;

    #[test]
    fn lists_keep_both_limits_and_lose_no_key() {
        let (small, large) = (Value::Int(1), Value::Text("x".repeat(LIST_BYTES_MAX)));
        let (small, large) = ([small], [large]);
        let mut keys: Vec<&[Value]> = vec![&small; 11];
        keys.push(&large);
        keys.push(&small);
        assert_eq!(lists(&keys, 10).map(<[_]>::len).collect::<Vec<_>>(), [10, 1, 1, 1]);
    }

    #[test]
    fn an_index_serves_whole_or_from_its_start() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let relation = Relation {
            primary_key: Some(PrimaryKey { name: None, columns: names(&["id"]) }),
            unique_keys: vec![UniqueKey {
                name: ConstraintName("a_b_c".into()),
                columns: names(&["a", "b", "c"]),
                expressions: None,
                predicate: None,
                nulls_not_distinct: false,
                deferrability: Deferrability::NotDeferrable,
                valid: true,
            }],
            ..Relation::default()
        };
        assert_eq!(serving_index(&relation, &names(&["b", "a"])), Some("a_b_c"));
        assert_eq!(serving_index(&relation, &names(&["a", "x", "b", "c"])), Some("a_b_c"));
        assert_eq!(serving_index(&relation, &names(&["x", "id"])), Some("PRIMARY"));
        assert_eq!(serving_index(&relation, &names(&["a", "c"])), None);
    }

    #[test]
    fn a_row_that_answers_two_lists_is_found_once_and_equal_rows_of_one_list_stay() {
        let row = || vec![Value::Text("a".into())];
        let mut found = Found::default();
        found.add(vec![row(), row()]);
        found.add(vec![row(), row()]);
        assert_eq!(found.rows, [row(), row()]);
    }
}
