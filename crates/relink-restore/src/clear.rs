//! `--mode replace`: the rows of the tables concerned are deleted first, children before parents. Nothing is deleted by cascade in tables that
//! are not restored: where rows of those refer to rows that would go, the restore is refused.

use std::collections::{HashMap, HashSet};

use relink_db::{Connection, DbError};
use relink_graph::{LoadOrder, LoadStep};
use relink_model::{Catalog, Deferrability, Enforcement, ForeignKey, ReferentialAction, Relation, RelationId, Value};

use crate::{
    Error, code,
    findings::{Findings, finding},
};

/// Reports the rows of other tables that reference tables which are to be cleared.
pub(crate) async fn check_outside(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    cleared: &HashSet<RelationId>,
    findings: &mut Findings,
) -> Result<(), Error> {
    for (from, relation) in catalog.iter().filter(|(from, _)| !cleared.contains(from)) {
        // Also those that nobody enforces: what they refer to would be gone all the same.
        for key in &relation.foreign_keys {
            let Some(target) = catalog.id(&key.referenced).filter(|target| cleared.contains(target)) else { continue };
            let dialect = connection.dialect();
            let refers: Vec<String> =
                key.columns.iter().map(|column| format!("{} IS NOT NULL", dialect.quote(column))).collect();
            let sql = format!(
                "SELECT count(*) FROM {} WHERE {}",
                dialect.quote_relation(&catalog.relation(from).name),
                refers.join(" AND ")
            );
            let rows = connection.query(&sql, &[]).await?;
            let Some([Value::Int(rows @ 1..)]) = rows.first().map(Vec::as_slice) else { continue };
            let target = &catalog.relation(target).name;
            let message =
                format!("{rows} rows reference {target}, which is to be cleared, and are not restored themselves");
            let mut found = finding(code::REFERENCED_FROM_OUTSIDE, &relation.name, message);
            found.constraint = Some(key.describe(&relation.name));
            found.help = Some(format!(
                "restore {} as well, or use --mode upsert, which deletes no row that is referenced",
                relation.name
            ));
            findings.add(found, None, None)?;
        }
    }
    Ok(())
}

/// Deletes all rows of these relations; how many of each.
pub(crate) async fn clear(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    order: &LoadOrder,
    cleared: &HashSet<RelationId>,
    before: &HashMap<RelationId, i64>,
) -> Result<HashMap<RelationId, u64>, Error> {
    let mut deleted = HashMap::new();
    for step in order.steps.iter().rev() {
        let relations: Vec<RelationId> =
            step.relations.iter().rev().copied().filter(|id| cleared.contains(id)).collect();
        if relations.is_empty() {
            continue;
        }
        let suspended =
            if step.cycle.is_some() { open_cycle(connection, catalog, step, cleared).await? } else { false };
        for id in relations {
            let relation = catalog.relation(id);
            let rows = connection.delete_all(relation).await.map_err(|error| refused(relation, error))?;
            // Rows that `ON DELETE CASCADE` took along inside the cycle are not among those that the database reports.
            let there = before.get(&id).and_then(|rows| u64::try_from(*rows).ok()).unwrap_or(0);
            deleted.insert(id, if step.cycle.is_some() { rows.max(there) } else { rows });
        }
        if suspended {
            connection.resume().await?;
        }
        if step.cycle.is_some() {
            connection.check_deferred().await?;
        }
    }
    Ok(deleted)
}

/// What a database that will not delete the rows is told about.
fn refused(relation: &Relation, error: DbError) -> Error {
    if error.blames_rows() {
        return Error::Clear { relation: relation.name.clone(), error: Box::new(error) };
    }
    error.into()
}

/// Makes the rows of a cycle free to be deleted: references that can be NULL become so, the others are put off. Whether enforcement is off.
async fn open_cycle(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    step: &LoadStep,
    cleared: &HashSet<RelationId>,
) -> Result<bool, Error> {
    let inside = |key: &ForeignKey| {
        catalog.id(&key.referenced).is_some_and(|target| step.relations.contains(&target) && cleared.contains(&target))
    };
    let mut rest: Vec<(&Relation, &ForeignKey)> = Vec::new();
    for id in step.relations.iter().filter(|id| cleared.contains(id)) {
        let relation = catalog.relation(*id);
        for key in relation.foreign_keys.iter().filter(|key| is_enforced(key) && inside(key)) {
            let nullable: Vec<String> =
                key.columns.iter().filter(|name| can_be_null(relation, name)).cloned().collect();
            if nullable.is_empty() {
                rest.push((relation, key));
            } else {
                connection.set_null(relation, &nullable).await?;
            }
        }
    }
    if rest.is_empty() {
        return Ok(false);
    }
    let capabilities = connection.dialect().capabilities().clone();
    let declared = |(_, key): &(_, &ForeignKey)| key.deferrability != Deferrability::NotDeferrable;
    // RESTRICT is checked at once, whatever is deferred.
    let waits = rest.iter().all(|(_, key)| key.on_delete != ReferentialAction::Restrict);
    let defers = capabilities.defers_any_foreign_key
        || capabilities.defers_declared && rest.iter().all(declared)
        || capabilities.owner_can_make_deferrable && rest.iter().all(|(relation, _)| relation.owned);
    if waits && defers {
        connection.defer(&rest).await?;
        return Ok(false);
    }
    if capabilities.can_suspend_foreign_keys {
        connection.suspend(&rest).await?;
        return Ok(true);
    }
    Ok(false)
}

fn can_be_null(relation: &Relation, name: &String) -> bool {
    relation.column(name).is_some_and(|(_, column)| column.nullable) && !relation.primary_key_columns().contains(name)
}

fn is_enforced(key: &ForeignKey) -> bool {
    matches!(key.enforcement, Enforcement::Enforced | Enforcement::NotValidated)
}
