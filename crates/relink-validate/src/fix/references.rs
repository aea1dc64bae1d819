//! Orphans: rows that are deleted, or references that become NULL. Pure.

use relink_db::Dialect;
use relink_model::{Column, Relation};
use relink_rules::Part;

use super::{
    Refusal,
    rows::{Key, ROWS_MAX, RowNames},
};
use crate::plan::test::{Matching, ReferenceTest};

/// A statement to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// The statement.
    pub(super) sql: String,
    /// The rows that it has to touch, where that is known.
    pub(super) rows: Option<u64>,
}

/// Deletes these rows.
pub(super) fn delete(dialect: &dyn Dialect, relation: &Relation, keys: &[Key]) -> Result<Vec<Draft>, Refusal> {
    each(dialect, relation, keys, |condition| format!("DELETE FROM {} WHERE {condition}", dialect.own_rows(relation)))
}

/// Makes the reference of these rows NULL.
pub(super) fn null(
    dialect: &dyn Dialect,
    relation: &Relation,
    test: &ReferenceTest,
    keys: &[Key],
) -> Result<Vec<Draft>, Refusal> {
    let columns = nullable(relation, test)?;
    let set: Vec<String> = columns.iter().map(|column| format!("{} = NULL", dialect.quote(&column.name))).collect();
    let set = set.join(", ");
    each(dialect, relation, keys, |condition| {
        format!("UPDATE {} SET {set} WHERE {condition}", dialect.own_rows(relation))
    })
}

/// The columns that become NULL. Of a composite key under MATCH SIMPLE one NULL is enough, so that a part which has to stay may.
fn nullable<'a>(relation: &'a Relation, test: &ReferenceTest) -> Result<Vec<&'a Column>, Refusal> {
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
    match columns.iter().find(|column| column.generated.is_some()) {
        Some(column) => Err(Refusal::Generated { relation: relation.name.clone(), column: column.name.clone() }),
        None => Ok(columns),
    }
}

/// A statement for so many rows at a time.
fn each(
    dialect: &dyn Dialect,
    relation: &Relation,
    keys: &[Key],
    statement: impl Fn(&str) -> String,
) -> Result<Vec<Draft>, Refusal> {
    let Some(first) = keys.first() else { return Ok(Vec::new()) };
    let names = RowNames::of(dialect, relation, first)?;
    let one = |keys: &[Key]| Ok(Draft { sql: statement(&names.condition(keys)?), rows: Some(keys.len() as u64) });
    keys.chunks(ROWS_MAX).map(one).collect()
}
