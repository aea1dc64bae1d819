//! Orphans: rows that are deleted, or references that become NULL. Pure.

use relink_db::Dialect;
use relink_model::{Column, ForeignKey, Relation};
use relink_rules::Part;

use super::{
    Refusal,
    order::levels,
    rows::{Key, ROWS_MAX, RowNames},
};
use crate::plan::test::{Matching, ReferenceTest};

/// A statement to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// The statement.
    pub(super) sql: String,
    /// The rows that it has to touch.
    pub(super) rows: u64,
}

/// Deletes these rows. `among_them` are pairs of a row and the one that it refers to, both by their place in the list: what refers goes first, so that no
/// statement leaves a reference without its target.
pub(super) fn delete(
    dialect: &dyn Dialect,
    relation: &Relation,
    keys: &[Key],
    among_them: &[(usize, usize)],
) -> Result<Vec<Draft>, Refusal> {
    let statement = |condition: &str| format!("DELETE FROM {} WHERE {condition}", dialect.own_rows(relation));
    let levels = levels(keys.len(), among_them);
    let keys = |rows: &[usize]| rows.iter().map(|row| keys[*row].clone()).collect::<Vec<Key>>();
    let mut drafts = Vec::new();
    for level in levels.groups {
        drafts.extend(each(dialect, relation, &keys(&level), ROWS_MAX, statement)?);
    }
    drafts.extend(each(dialect, relation, &keys(&levels.circular), usize::MAX, statement)?);
    Ok(drafts)
}

/// Makes these columns of these rows NULL.
pub(super) fn null(
    dialect: &dyn Dialect,
    relation: &Relation,
    columns: &[String],
    keys: &[Key],
) -> Result<Vec<Draft>, Refusal> {
    let set: Vec<String> = columns.iter().map(|column| format!("{} = NULL", dialect.quote(column))).collect();
    let set = set.join(", ");
    each(dialect, relation, keys, ROWS_MAX, |condition| {
        format!("UPDATE {} SET {set} WHERE {condition}", dialect.own_rows(relation))
    })
}

/// The columns that become NULL. Of a composite key under MATCH SIMPLE one NULL is enough, so that a part which has to stay may, and one which another
/// reference needs stays where a third does for it.
pub(super) fn nullable(relation: &Relation, test: &ReferenceTest) -> Result<Vec<String>, Refusal> {
    let mut columns: Vec<&Column> = Vec::new();
    for index in test.parts.iter().flat_map(Part::columns) {
        let column = &relation.columns[index];
        if !columns.iter().any(|other| other.name == column.name) {
            columns.push(column);
        }
    }
    let refused = |column: &Column| Refusal::NotNull { relation: relation.name.clone(), column: column.name.clone() };
    let fixed = |column: &&Column| !column.nullable || relation.primary_key_columns().contains(&column.name);
    if test.matching == Matching::Full {
        if let Some(column) = columns.iter().copied().find(fixed) {
            return Err(refused(column));
        }
    } else if let Some(column) = columns.first().copied().filter(|_| columns.iter().all(fixed)) {
        return Err(refused(column));
    }
    columns.retain(|column| !fixed(column));
    if test.matching == Matching::Simple {
        let own: Vec<usize> = test.parts.iter().flat_map(Part::columns).collect();
        let other = |key: &&ForeignKey| {
            let names = own.iter().map(|index| &relation.columns[*index].name);
            !names.eq(key.columns.iter())
        };
        let needed =
            |column: &Column| relation.foreign_keys.iter().filter(other).any(|key| key.columns.contains(&column.name));
        if columns.iter().any(|column| !needed(column)) {
            columns.retain(|column| !needed(column));
        }
    }
    match columns.iter().find(|column| column.generated.is_some()) {
        Some(column) => Err(Refusal::Generated { relation: relation.name.clone(), column: column.name.clone() }),
        None => Ok(columns.iter().map(|column| column.name.clone()).collect()),
    }
}

/// A statement for so many rows at a time.
fn each(
    dialect: &dyn Dialect,
    relation: &Relation,
    keys: &[Key],
    rows_max: usize,
    statement: impl Fn(&str) -> String,
) -> Result<Vec<Draft>, Refusal> {
    let Some(first) = keys.first() else { return Ok(Vec::new()) };
    let names = RowNames::of(dialect, "", relation, first)?;
    let one = |keys: &[Key]| Ok(Draft { sql: statement(&names.condition(keys)?), rows: keys.len() as u64 });
    keys.chunks(rows_max).map(one).collect()
}
