//! What hangs on the rows of a relation through foreign keys: rows that a change of these would take along, and how many rows there are. Pure, save for
//! counting.

use std::collections::HashMap;

use relink_db::{Connection, DbError, Dialect};
use relink_model::{Catalog, ForeignKey, Relation, RelationId};

use super::Refusal;
use crate::live::{counts, qualified};

/// Which of a relation's columns a statement changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    /// The rows go.
    Rows,
    /// These columns get other values.
    Columns(&'a [String]),
}

impl Change<'_> {
    /// Whether it can concern what refers by this key.
    pub(super) fn moves(self, key: &ForeignKey) -> bool {
        match self {
            Self::Rows => true,
            Self::Columns(columns) => key.referenced_columns.iter().any(|name| columns.contains(name)),
        }
    }
}

/// The foreign keys through which rows of a relation are referred to.
pub(super) fn referring(catalog: &Catalog, id: RelationId) -> Vec<(&Relation, &ForeignKey)> {
    let relation = catalog.relation(id);
    let names_columns = |key: &ForeignKey| {
        key.columns.len() == key.referenced_columns.len()
            && key.referenced_columns.iter().all(|name| relation.column(name).is_some())
    };
    let mut found: Vec<(&Relation, &ForeignKey)> = Vec::new();
    for (from, key) in catalog.referencing(id).filter(|(_, key)| names_columns(key)) {
        let from = catalog.relation(from);
        let twice = |(other, known): &(&Relation, &ForeignKey)| {
            other.name == from.name
                && (&known.columns, &known.referenced_columns) == (&key.columns, &key.referenced_columns)
                && (known.on_delete, known.on_update) == (key.on_delete, key.on_update)
        };
        if !found.iter().any(twice) {
            found.push((from, key));
        }
    }
    found
}

/// The relations that a change can reach through foreign keys: those that refer to what changes, and those that refer to them in turn.
pub(super) fn reach(catalog: &Catalog, id: RelationId, change: Change<'_>) -> Vec<RelationId> {
    let mut reached: Vec<RelationId> = Vec::new();
    let first = catalog.referencing(id).filter(|(_, key)| change.moves(key)).map(|(from, _)| from);
    let mut open: Vec<RelationId> = first.collect();
    while let Some(next) = open.pop() {
        if !reached.contains(&next) {
            reached.push(next);
            open.extend(catalog.referencing(next).map(|(from, _)| from));
        }
    }
    reached
}

/// `FROM ... WHERE ...`: rows of `referencing` (aliased `c`) that refer to such rows of `relation` (aliased `p`) as `condition` is true of, compared as
/// the constraint compares.
pub(super) fn references(
    dialect: &dyn Dialect,
    referencing: &Relation,
    key: &ForeignKey,
    relation: &Relation,
    condition: &str,
) -> String {
    format!(
        "FROM {} AS c JOIN {} AS p ON {} WHERE {condition}",
        dialect.own_rows(referencing),
        dialect.own_rows(relation),
        dialect.refers(referencing, key, relation)
    )
}

/// How many rows relations have, and how many of these refer to something, by each foreign key's columns.
pub(super) type Tally = HashMap<RelationId, Vec<u64>>;

/// Counts.
pub(super) async fn tally(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    relations: &[RelationId],
) -> Result<Tally, DbError> {
    let mut tally = Tally::new();
    for id in relations {
        let (relation, dialect) = (catalog.relation(*id), connection.dialect());
        let columns = relation.foreign_keys.iter().flat_map(|key| &key.columns);
        let columns = columns.filter(|name| relation.column(name).is_some());
        let counted: Vec<String> = ["COUNT(*)".to_owned()]
            .into_iter()
            .chain(columns.map(|name| format!("COUNT({})", qualified(dialect, "", name))))
            .collect();
        let sql = format!("SELECT {} FROM {}", counted.join(", "), dialect.own_rows(relation));
        tally.insert(*id, counts(connection, &sql).await?);
    }
    Ok(tally)
}

/// Refuses where rows or references have come or gone that no statement named. Of `changed` so many rows went, and its references are what the statements
/// were about.
pub(super) fn compare(
    catalog: &Catalog,
    before: &Tally,
    after: &Tally,
    changed: RelationId,
    gone: u64,
) -> Result<(), Refusal> {
    for (id, before) in before {
        let Some(after) = after.get(id) else { continue };
        let relation = || catalog.relation(*id).name.clone();
        let (rows, gone) = (before[0], if *id == changed { gone } else { 0 });
        if after[0] + gone != rows {
            return Err(Refusal::TakenAlong {
                relation: relation(),
                what: "rows",
                before: rows - gone,
                after: after[0],
            });
        }
        let moved = before.iter().zip(after).skip(1).find(|(before, after)| before != after);
        if let Some((before, after)) = moved.filter(|_| *id != changed) {
            return Err(Refusal::TakenAlong {
                relation: relation(),
                what: "references",
                before: *before,
                after: *after,
            });
        }
    }
    Ok(())
}
