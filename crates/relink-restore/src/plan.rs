//! What a restore will do, as a plain value: which relations in which order, how each cycle is broken, and why.

use std::collections::{BTreeSet, HashMap, HashSet};

use relink_db::Capabilities;
use relink_export::Run;
use relink_graph::{Cycle, EdgeRef, LoadOrder, Way, WayKind};
use relink_model::{Catalog, RelationId, RelationName};
use relink_records::{JoinField, Mapping};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    load,
    memory::Ordinal,
    notes,
    rows::{self, RowEdges, RowId, RowOrder},
    selection::LeftOut,
    state::State,
};

/// The plan as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// In the order in which they are carried out; relations that the export does not touch are left out.
    pub steps: Vec<PlanStep>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlanStep {
    /// The relations loaded; several where they form a cycle.
    pub relations: Vec<RelationName>,
    /// Why now.
    pub reason: String,
    /// Records of the export, those of many-to-many lists included.
    pub records: u64,
    /// Records whose rows exist already.
    pub existing: u64,
    /// How the cycle is broken, where there is one.
    pub cycle: Option<CyclePlan>,
    /// What happens beside plain inserts: triggers that fire or are switched off, identities that are overridden, columns that the database
    /// computes, constraints that are checked at the end, row-level security. Each begins with its relation's name.
    pub notes: Vec<String>,
}

/// How a cycle is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CyclePlan {
    /// The way chosen.
    pub way: WayKind,
    /// What that means here.
    pub explanation: String,
}

/// A step with all that carrying it out needs.
#[derive(Debug)]
pub(crate) struct Step {
    /// In the order in which they are loaded.
    pub(crate) relations: Vec<RelationId>,
    /// The order of the rows, where it is not relation by relation in file order.
    pub(crate) sequence: Option<Vec<RowId>>,
    /// The way a cycle is broken.
    pub(crate) way: Option<Way>,
    /// Rows must be inserted in just the order in which they come, as they may reference each other.
    pub(crate) ordered: bool,
    /// Of keys whose references are inserted as NULL: the columns that are.
    pub(crate) nulls: HashMap<EdgeRef, Vec<String>>,
}

impl Step {
    /// The keys whose references are inserted as NULL and updated after.
    pub(crate) fn nulled(&self) -> &[EdgeRef] {
        match &self.way {
            Some(Way::NullThenUpdate { keys, .. }) => keys,
            _ => &[],
        }
    }

    /// What the step consists of, in order, save for what comes once at its end.
    pub(crate) fn parts(
        &self,
        state: &State,
        runs: &[Vec<Run>],
        joins: &HashMap<RelationId, Vec<(RelationId, JoinField)>>,
    ) -> Vec<Part> {
        let records: Vec<Part> = if self.sequence.is_some() {
            self.stretches().into_iter().map(|(relation, rows)| Part::Stretch(relation, rows)).collect()
        } else {
            let with_records = self.relations.iter().filter(|id| !runs[id.index()].is_empty());
            with_records.map(|id| Part::Records(*id)).collect()
        };
        let lists = self.relations.iter().filter(|id| joins.contains_key(id)).map(|id| Part::Lists(*id));
        let updates = self.relations.iter().filter(|id| state.changes(**id)).map(|id| Part::Updates(*id));
        records.into_iter().chain(lists).chain(updates).collect()
    }

    /// The rows of the sequence in stretches of one relation.
    fn stretches(&self) -> Vec<(RelationId, Vec<Ordinal>)> {
        let mut stretches: Vec<(RelationId, Vec<Ordinal>)> = Vec::new();
        for (relation, ordinal) in self.sequence.iter().flatten() {
            match stretches.last_mut() {
                Some((last, rows)) if last == relation => rows.push(*ordinal),
                _ => stretches.push((*relation, vec![*ordinal])),
            }
        }
        stretches
    }
}

/// A part of a step.
#[derive(Debug)]
pub(crate) enum Part {
    /// The new records of a relation, in the order of the export.
    Records(RelationId),
    /// New records of one relation that come together in the order of a cycle's rows.
    Stretch(RelationId, Vec<Ordinal>),
    /// The rows that lists make in a join table.
    Lists(RelationId),
    /// The records of a relation whose rows exist, and change.
    Updates(RelationId),
}

/// A cycle that nothing breaks.
#[derive(Debug)]
pub(crate) struct Unbreakable {
    pub(crate) relations: Vec<RelationId>,
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

/// Settles the plan from the load order and what the rows themselves allow.
pub(crate) fn make(
    catalog: &Catalog,
    order: &LoadOrder,
    state: &State,
    edges: &[RowEdges],
    left_out: &LeftOut,
    capabilities: &Capabilities,
) -> Result<(Plan, Vec<Step>), Vec<Unbreakable>> {
    let mut plan = Plan::default();
    let mut steps = Vec::new();
    let mut unbreakable = Vec::new();
    for (step, edges) in order.steps.iter().zip(edges) {
        let records =
            |id: &RelationId| state.relation(*id).records() - left_out.count(*id) + state.relation(*id).join_rows;
        if !step.relations.iter().any(|id| records(id) > 0 || state.relation(*id).unlists) {
            continue;
        }
        let (made, cycle) = match &step.cycle {
            None => {
                let relations = step.relations.clone();
                (Step { relations, sequence: None, way: None, ordered: false, nulls: HashMap::new() }, None)
            }
            Some(cycle) => match break_cycle(catalog, &step.relations, cycle, state, edges) {
                Ok((made, plan)) => (made, plan),
                Err(error) => {
                    unbreakable.push(error);
                    continue;
                }
            },
        };
        plan.steps.push(PlanStep {
            relations: step.relations.iter().map(|id| catalog.relation(*id).name.clone()).collect(),
            reason: step.reason.clone(),
            records: step.relations.iter().map(records).sum(),
            existing: step.relations.iter().map(|id| state.relation(*id).existing.len() as u64).sum(),
            cycle,
            notes: notes::of(catalog, state, &made, capabilities),
        });
        steps.push(made);
    }
    if unbreakable.is_empty() { Ok((plan, steps)) } else { Err(unbreakable) }
}

/// The earlier steps that each step has to wait for, where steps are carried out side by side: those with relations that it refers to or that refer
/// to it. A step whose triggers fire, or that changes constraints, is carried out alone; one with polymorphic references may refer to any relation.
pub(crate) fn prerequisites(catalog: &Catalog, mapping: &Mapping, steps: &[Step], state: &State) -> Vec<Vec<usize>> {
    let of_relations = steps.iter().enumerate().flat_map(|(at, step)| step.relations.iter().map(move |id| (*id, at)));
    let step_of: HashMap<RelationId, usize> = of_relations.collect();
    let fires = |id: &RelationId| {
        let triggers = &catalog.relation(*id).triggers;
        triggers.iter().any(|trigger| trigger.enabled) && !load::silences(state, catalog, *id)
    };
    let alone = |step: &Step| step.way.is_some() || step.relations.iter().any(fires);
    let mut waits: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); steps.len()];
    let mut last_alone = None;
    for (at, step) in steps.iter().enumerate() {
        waits[at].extend(last_alone);
        let is_polymorphic = step.relations.iter().any(|id| mapping.polymorphic(*id).is_some());
        if alone(step) || is_polymorphic {
            waits[at].extend(0..at);
        }
        if alone(step) {
            last_alone = Some(at);
        }
        for key in step.relations.iter().flat_map(|id| &catalog.relation(*id).foreign_keys) {
            let other = catalog.id(&key.referenced).and_then(|id| step_of.get(&id).copied());
            if let Some(other) = other.filter(|other| *other != at) {
                waits[at.max(other)].insert(at.min(other));
            }
        }
    }
    waits.into_iter().map(|others| others.into_iter().collect()).collect()
}

/// The first way that the rows allow.
fn break_cycle(
    catalog: &Catalog,
    relations: &[RelationId],
    cycle: &Cycle,
    state: &State,
    edges: &RowEdges,
) -> Result<(Step, Option<CyclePlan>), Unbreakable> {
    // Rows that exist are not loaded, so nothing waits for them.
    let existing = |row: RowId| state.relation(row.0).existing.contains(&row.1);
    let edges = edges.iter().filter(|edge| !existing(edge.from) && !existing(edge.to));
    let mut refused = None;
    for way in &cycle.ways {
        let order = match way {
            Way::RowOrder => relations,
            Way::Defer { order, .. } | Way::NullThenUpdate { order, .. } | Way::Suspend { order, .. } => order,
            Way::Refuse { reason, remedy } => {
                refused = Some((reason.clone(), remedy.clone()));
                continue;
            }
        };
        let released: HashSet<EdgeRef> = way.keys().iter().copied().collect();
        let counted: Vec<(RelationId, u64)> = order.iter().map(|id| (*id, state.relation(*id).records())).collect();
        let waiting = edges.clone().filter(|edge| !released.contains(&edge.edge));
        let sequence = match rows::order(&counted, waiting) {
            RowOrder::Cyclic => continue,
            RowOrder::File => None,
            RowOrder::Sequence(sequence) => Some(sequence),
        };
        let needed = sequence.is_some() || *way != Way::RowOrder;
        let plan = needed.then(|| CyclePlan { way: way.kind(), explanation: way.describe(catalog) });
        let way = Some(way.clone()).filter(|way| *way != Way::RowOrder);
        let nulls = cycle.edges.iter().map(|edge| (edge.edge(), edge.nulls.clone())).collect();
        return Ok((Step { relations: order.to_vec(), sequence, way, ordered: true, nulls }, plan));
    }
    let names: Vec<String> = relations.iter().map(|id| catalog.relation(*id).name.to_string()).collect();
    let (reason, remedy) = refused.unwrap_or_else(|| {
        (
            format!("the rows of {} reference each other in a circle, and nothing breaks it", names.join(", ")),
            "make one of the foreign keys deferrable or one of the columns nullable".to_owned(),
        )
    });
    Err(Unbreakable { relations: relations.to_vec(), reason, remedy })
}
