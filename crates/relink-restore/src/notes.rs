//! What a step of the plan does beside plain inserts, in words.

use relink_db::Capabilities;
use relink_graph::{EdgeRef, WayKind};
use relink_model::{Catalog, Deferrability, Enforcement, Identity, Mode, Relation, RelationId};

use crate::{load, plan::Step, state::State};

/// The facts about the relations of a step, in the order in which they are loaded.
pub(crate) fn of(catalog: &Catalog, state: &State, step: &Step, capabilities: &Capabilities) -> Vec<String> {
    let mut notes = Vec::new();
    for id in &step.relations {
        let relation = catalog.relation(*id);
        let facts = [
            triggers(catalog, state, *id),
            identity(relation),
            computed(relation),
            deferred(relation, *id, step, capabilities),
            row_security(relation),
        ];
        notes.extend(facts.into_iter().flatten().map(|fact| format!("{}: {fact}", relation.name)));
    }
    notes
}

/// Triggers that fire, or are switched off.
fn triggers(catalog: &Catalog, state: &State, id: RelationId) -> Option<String> {
    let silenced = load::silences(state, catalog, id);
    let (known, mode) = (state.relation(id), state.policies.of(id).mode);
    let updates = matches!(mode, Mode::Upsert | Mode::Merge) && !known.existing.is_empty();
    let happens = |timing: &str| {
        timing.contains("INSERT")
            || updates && timing.contains("UPDATE")
            || (known.cleared || updates) && timing.contains("DELETE")
    };
    let relation = catalog.relation(id);
    let concerned =
        relation.triggers.iter().filter(|trigger| trigger.enabled && (silenced || happens(&trigger.timing)));
    let names: Vec<String> = concerned.map(|trigger| format!("{} ({})", trigger.name, trigger.timing)).collect();
    if names.is_empty() {
        return None;
    }
    let what = if silenced { "triggers are switched off for the load" } else { "triggers fire" };
    Some(format!("{what}: {}", names.join(", ")))
}

fn identity(relation: &Relation) -> Option<String> {
    let always = relation.columns.iter().find(|column| column.identity == Some(Identity::Always))?;
    Some(format!("{} is GENERATED ALWAYS AS IDENTITY: rows go in OVERRIDING SYSTEM VALUE", always.name))
}

fn computed(relation: &Relation) -> Option<String> {
    let computed = relation.columns.iter().filter(|column| column.generated.is_some());
    let names: Vec<&str> = computed.map(|column| column.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("the database computes {}", names.join(", ")))
}

/// Constraints that are checked only once all rows are in.
fn deferred(relation: &Relation, id: RelationId, step: &Step, capabilities: &Capabilities) -> Option<String> {
    let by_step = step.way.as_ref().filter(|way| way.kind() == WayKind::Defer).map_or(&[][..], |way| way.keys());
    let keys = relation.foreign_keys.iter().enumerate().filter(|(key, definition)| {
        let declared = definition.deferrability == Deferrability::InitiallyDeferred
            && definition.enforcement != Enforcement::Virtual
            && (capabilities.defers_declared || capabilities.defers_any_foreign_key);
        declared || by_step.contains(&EdgeRef { referencing: id, key: *key })
    });
    let named = |name: Option<String>, columns: String| name.unwrap_or(columns);
    let keys = keys.map(|(_, key)| named(key.name.as_ref().map(ToString::to_string), key.describe(&relation.name)));
    let unique = relation.unique_keys.iter().filter(|key| key.deferrability == Deferrability::InitiallyDeferred);
    let names: Vec<String> = keys.chain(unique.map(|key| key.name.to_string())).collect();
    (!names.is_empty()).then(|| format!("checked after the last row: {}", names.join(", ")))
}

fn row_security(relation: &Relation) -> Option<String> {
    relation.row_security.then(|| "row-level security hides rows from this role".to_owned())
}
