//! Rows by key, in lists of keys.
//!
//! A column is compared with plain parameters, so its own collation decides and its index serves.

use std::collections::HashSet;

use relink_model::{Column, Relation, Value};
use sqlx::mysql::MySqlArguments;

use super::{MySqlDatabase, error::is_illegal_collation_mix, write::Binder};
use crate::{DbError, Dialect, Lookup, ResultRow, null_pattern::group_by_null_pattern, statement::no_column};

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
        let column =
            |name: &String| relation.column(name).map(|(_, column)| column).ok_or_else(|| no_column(relation, name));
        let matched: Vec<&Column> = lookup.match_columns.iter().map(column).collect::<Result<_, _>>()?;
        let selected: Vec<&Column> = lookup.select.iter().map(column).collect::<Result<_, _>>()?;
        let list: Vec<_> =
            matched.iter().chain(&selected).map(|column| self.dialect.read_expression("t", column)).collect();
        let index = if matched.len() > 1 { serving_index(relation, lookup.match_columns) } else { None };
        let keys_max = match (matched.len(), index) {
            (..=1, _) => KEYS_MAX,
            (_, Some(_)) => COMPOSITE_KEYS_MAX,
            (_, None) => UNFORCED_KEYS_MAX,
        };
        let head = format!(
            "SELECT {} FROM {} t{} WHERE ",
            if list.is_empty() { "1".to_owned() } else { list.join(", ") },
            self.dialect.quote_relation(&relation.name),
            index.map(|index| format!(" FORCE INDEX ({})", self.dialect.quote(index))).unwrap_or_default()
        );

        let mut found = Found::default();
        for pattern in group_by_null_pattern(keys) {
            let present: Vec<&Column> = pattern.present.iter().map(|&part| matched[part]).collect();
            let nulls =
                pattern.null.iter().map(|&part| format!("t.{} IS NULL", self.dialect.quote(&matched[part].name)));
            let mut conditions: Vec<String> = nulls.collect();
            if present.is_empty() {
                // Without any column to match, one key finds every row, as SQL would.
                let condition = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
                found.add(self.session.query(&format!("{head}{condition}"), &[]).await?);
                continue;
            }
            let binders: Vec<_> = present.iter().map(|column| Binder::of(&column.name, &column.data_type)).collect();
            let keys: Vec<Vec<&Value>> =
                pattern.keys.iter().map(|key| pattern.present.iter().map(|&part| &key[part]).collect()).collect();
            conditions.push(String::new());
            // A stack of lists still to be asked for; a list that the server refuses goes back as two halves.
            let mut lists: Vec<&[Vec<&Value>]> = lists(&keys, keys_max).collect();
            lists.reverse();
            while let Some(list) = lists.pop() {
                *conditions.last_mut().expect("one was pushed above") = self.key_condition(&present, list.len());
                let sql = format!("{head}{}", conditions.join(" AND "));
                let mut arguments = MySqlArguments::default();
                for (binder, value) in list.iter().flat_map(|key| binders.iter().zip(key)) {
                    binder.add(&mut arguments, value)?;
                }
                match self.session.fetch(sql, arguments).await {
                    Ok(rows) => found.add(rows),
                    // A key that the column's character set cannot hold matches no row.
                    Err(error) if is_illegal_collation_mix(&error) => {
                        if list.len() > 1 {
                            let (left, right) = list.split_at(list.len() / 2);
                            lists.extend([right, left]);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found.rows)
    }

    fn key_condition(&self, columns: &[&Column], keys: usize) -> String {
        let names: Vec<_> = columns.iter().map(|column| format!("t.{}", self.dialect.quote(&column.name))).collect();
        let one: Vec<_> = columns.iter().map(|column| self.dialect.comparing_placeholder(&column.data_type)).collect();
        let one = format!("({})", one.join(", "));
        format!("({}) IN ({})", names.join(", "), vec![one; keys].join(", "))
    }
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

/// The keys in lists that keep the limits of count and bytes.
fn lists<'a, 'v>(keys: &'a [Vec<&'v Value>], keys_max: usize) -> impl Iterator<Item = &'a [Vec<&'v Value>]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        rest.first()?;
        let mut bytes = 0;
        let fitting = rest.iter().take(keys_max).take_while(|key| {
            bytes += key.iter().map(|value| super::write::value_bytes(value)).sum::<usize>();
            bytes <= LIST_BYTES_MAX
        });
        let (list, remaining) = rest.split_at(fitting.count().max(1));
        rest = remaining;
        Some(list)
    })
}

#[cfg(test)]
mod tests {
    use relink_model::{ConstraintName, Deferrability, PrimaryKey, UniqueKey};

    use super::*;

    #[test]
    fn lists_keep_both_limits_and_lose_no_key() {
        let (small, large) = (Value::Int(1), Value::Text("x".repeat(LIST_BYTES_MAX)));
        let mut keys = vec![vec![&small]; 11];
        keys.push(vec![&large]);
        keys.push(vec![&small]);
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
