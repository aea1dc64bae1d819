//! What the role may not do, found before anything is written.

use std::collections::BTreeSet;

use relink_db::{Connection, Intent};
use relink_model::{Catalog, Mode, Relation, RelationId};

use crate::{
    Error, code,
    findings::{Findings, finding},
    load,
    plan::Step,
    state::State,
};

/// Fails where the role may not even read these relations, of which the pre-scan asks what they hold: all of them at once.
pub(crate) async fn check_reading(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    relations: &[RelationId],
) -> Result<(), Error> {
    let read: BTreeSet<RelationId> = relations.iter().copied().collect();
    let read: Vec<&Relation> = read.into_iter().map(|id| catalog.relation(id)).collect();
    let missing = connection.missing_privileges(&Intent { read: &read, ..Intent::default() }).await?;
    if missing.is_empty() { Ok(()) } else { Err(Error::MissingRights(missing)) }
}

/// Reports every right that is missing for what the steps do.
pub(crate) async fn check(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    state: &State,
    steps: &[Step],
    findings: &mut Findings,
) -> Result<(), Error> {
    let touched = |id: RelationId| state.relation(id).records() + state.relation(id).join_rows > 0;
    let cleared = |id: RelationId| state.relation(id).cleared;
    let changed = |id: RelationId| {
        let updates = matches!(state.policies.of(id).mode, Mode::Upsert | Mode::Merge);
        updates && !state.relation(id).existing.is_empty()
    };
    let inserted: Vec<_> = catalog.iter().filter(|(id, _)| touched(*id)).map(|(_, relation)| relation).collect();
    for relation in inserted.iter().filter(|relation| !relation.is_transactional()) {
        let engine = relation.storage_engine.as_deref().unwrap_or_default();
        let message =
            format!("its storage engine {engine} knows no transactions: what is written there cannot be undone");
        let mut found = finding(code::NOT_TRANSACTIONAL, &relation.name, message);
        found.help = Some(format!("ALTER TABLE {} ENGINE = InnoDB", relation.name));
        findings.add(found, None, None)?;
    }
    check_triggers(connection, catalog, state, findings)?;
    let mut hidden: Vec<&Relation> = inserted.clone();
    let referenced =
        inserted.iter().flat_map(|relation| &relation.foreign_keys).filter_map(|key| catalog.id(&key.referenced));
    hidden.extend(referenced.map(|id| catalog.relation(id)));
    hidden.retain(|relation| relation.row_security);
    hidden.sort_by(|a, b| a.name.cmp(&b.name));
    hidden.dedup_by(|a, b| a.name == b.name);
    for relation in hidden {
        let message =
            "row-level security hides rows of it from this role: what exists and what is referenced cannot be told";
        let mut found = finding(code::MISSING_PRIVILEGE, &relation.name, message);
        found.help = Some("connect as the owner, or as a role with BYPASSRLS".to_owned());
        findings.add(found, None, None)?;
    }
    let nulled = steps.iter().flat_map(Step::nulled).map(|key| key.referencing);
    let updated: BTreeSet<RelationId> =
        nulled.chain(catalog.iter().map(|(id, _)| id).filter(|id| changed(*id))).collect();
    let updated: Vec<_> = updated.into_iter().map(|id| catalog.relation(id)).collect();
    let loses_rows = |id: &RelationId| cleared(*id) || state.relation(*id).unlists;
    let deleted: BTreeSet<RelationId> = catalog.iter().map(|(id, _)| id).filter(loses_rows).collect();
    let deleted: Vec<_> = deleted.into_iter().map(|id| catalog.relation(id)).collect();
    let intent = Intent { read: &[], inserted: &inserted, updated: &updated, deleted: &deleted };
    for missing in connection.missing_privileges(&intent).await? {
        let mut found = finding(code::MISSING_PRIVILEGE, &relink_model::RelationName::default(), missing);
        found.relation = None;
        found.help = Some("grant it, or connect as a role that has it".to_owned());
        findings.add(found, None, None)?;
    }
    Ok(())
}

/// Reports triggers that are to be switched off where the database, or the role, cannot.
fn check_triggers(
    connection: &dyn Connection,
    catalog: &Catalog,
    state: &State,
    findings: &mut Findings,
) -> Result<(), Error> {
    let disables = connection.dialect().capabilities().disables_triggers;
    for (_, relation) in catalog.iter().filter(|(id, _)| load::silences(state, catalog, *id)) {
        let (why, remedy) = match () {
            () if !disables => (format!("{} has no way to do that", connection.server().product), "drop them before"),
            () if !relation.owned => ("the role does not own the table".to_owned(), "connect as its owner"),
            () => continue,
        };
        let enabled = relation.triggers.iter().filter(|trigger| trigger.enabled);
        let names: Vec<&str> = enabled.map(|trigger| trigger.name.as_str()).collect();
        let message = format!("its triggers are to be switched off ({}), and cannot be: {why}", names.join(", "));
        let mut found = finding(code::TRIGGERS_STAY, &relation.name, message);
        found.help = Some(format!("{remedy}, or let them fire: [table.{}] triggers = \"fire\"", relation.name));
        findings.add(found, None, None)?;
    }
    Ok(())
}
