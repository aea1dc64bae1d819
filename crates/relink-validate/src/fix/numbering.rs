//! Counters behind their column. There is no check of them: a counter is no row, and its id is `numbering:TABLE.COLUMN`.

use relink_db::{Connection, DbError, NumberingState};
use relink_model::{Catalog, RelationId, Value};

use super::{Mended, Mending, Refusal, Statement};

/// How ids of counters begin.
pub(super) const PREFIX: &str = "numbering:";

/// The relation that an id means.
pub(super) fn find(catalog: &Catalog, id: &str) -> Option<RelationId> {
    let wanted = id.strip_prefix(PREFIX)?;
    let fits = |(_, relation): &(RelationId, &relink_model::Relation)| {
        relation.numbered_column().is_some_and(|column| format!("{}.{}", relation.name, column.name) == wanted)
    };
    catalog.iter().find(fits).map(|(id, _)| id)
}

/// The ids of all counters.
pub(super) fn ids(catalog: &Catalog) -> impl Iterator<Item = String> {
    let named = |relation: &relink_model::Relation| {
        relation.numbered_column().map(|column| format!("{PREFIX}{}.{}", relation.name, column.name))
    };
    catalog.relations.iter().filter_map(named)
}

/// Puts a counter past the highest number of its column.
pub(super) async fn renumber(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    relation: RelationId,
    id: &str,
    rehearsal: bool,
    mended: &mut Mended,
) -> Result<Result<(), Refusal>, DbError> {
    let wanted = relation;
    let relation = catalog.relation(relation);
    let before = connection.numbering(relation).await?;
    let (Some(next), Some(column)) = (before.next, relation.numbered_column()) else {
        return Ok(Err(Refusal::NoCounter { relation: relation.name.clone() }));
    };
    let within = connection.dialect().capabilities().transactional_ddl;
    let after = if within {
        connection.advance_numbering(relation, rehearsal).await?
    } else {
        let highest = format!(
            "SELECT MAX({}) FROM {}",
            connection.dialect().quote(&column.name),
            connection.dialect().quote_relation(&relation.name)
        );
        match connection.query(&highest, &[]).await?.first().and_then(|row| row.first()) {
            Some(Value::Int(highest)) if next <= *highest => NumberingState { next: highest.checked_add(1) },
            _ => before.clone(),
        }
    };
    let moved = after != before;
    let mut mending =
        Mending { found: u64::from(moved), chosen: u64::from(moved), remaining: Some(0), ..Mending::new(id) };
    if let (true, Some(next)) = (moved, after.next) {
        let sql = connection.dialect().numbering_statement(relation, next).unwrap_or_default();
        mending.statements.push(Statement { relation: relation.name.clone(), sql, rows: None, after_commit: !within });
        if !within {
            mended.counters.push((wanted, after));
        }
    }
    mended.mendings.push(mending);
    Ok(Ok(()))
}
