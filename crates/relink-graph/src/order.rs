//! The load order: referenced relations before referencing ones, cycles as one step, each step with its reason.

use std::collections::BTreeSet;

use relink_model::{Catalog, RelationId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Abilities, Cycle,
    graph::{Edge, ForeignKeyGraph, components, topological},
    ways::Component,
};
use reason::reason;

mod reason;

/// The order in which relations are loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoadOrder {
    /// First to last.
    pub steps: Vec<LoadStep>,
}

impl LoadOrder {
    /// Every relation, in the order of the steps.
    pub fn relations(&self) -> impl Iterator<Item = RelationId> {
        self.steps.iter().flat_map(|step| step.relations.iter().copied())
    }
}

/// One step of the load order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LoadStep {
    /// One relation, or those of a cycle in name order.
    pub relations: Vec<RelationId>,
    /// Why it comes here, for people.
    pub reason: String,
    /// Present where the relations reference each other, or the one itself, through keys that the database enforces.
    pub cycle: Option<Cycle>,
}

/// The load order of a catalog's relations, or of `only` some of them.
///
/// Every foreign key between them counts, virtual and unenforced ones as well, so that a row finds its target wherever that
/// can be had. Where such a key closes a cycle, it gives way: nobody enforces it, so nothing needs to be broken.
pub fn load_order(catalog: &Catalog, abilities: Abilities, only: Option<&BTreeSet<RelationId>>) -> LoadOrder {
    let graph = ForeignKeyGraph::new(catalog, only);
    let all: Vec<usize> = (0..graph.nodes.len()).collect();
    let edges: Vec<&Edge> = graph.edges.iter().collect();
    let mut steps = Vec::new();
    for members in in_order(&all, &edges) {
        if let [alone] = members.as_slice() {
            steps.push(step(&graph, vec![*alone], &members, abilities));
            continue;
        }
        let enforced: Vec<&Edge> = graph.edges_from(&members).filter(|edge| edge.enforced).collect();
        for part in in_order(&members, &enforced) {
            steps.push(step(&graph, part, &members, abilities));
        }
    }
    LoadOrder { steps }
}

/// The strongly connected components of these ranks in topological order, ties broken by their first name. Edges that
/// leave the ranks do not count.
fn in_order(ranks: &[usize], edges: &[&Edge]) -> Vec<Vec<usize>> {
    let local = |rank: usize| ranks.binary_search(&rank).ok();
    let pairs: Vec<(usize, usize)> =
        edges.iter().filter_map(|edge| Some((local(edge.from)?, local(edge.to)?))).collect();
    let components = components(ranks.len(), pairs.iter().copied());
    let mut component_of = vec![0; ranks.len()];
    for (index, members) in components.iter().enumerate() {
        for member in members {
            component_of[*member] = index;
        }
    }
    let mut condensed: Vec<(usize, usize)> = pairs
        .iter()
        .map(|(from, to)| (component_of[*from], component_of[*to]))
        .filter(|(from, to)| from != to)
        .collect();
    condensed.sort_unstable();
    condensed.dedup();
    let order = topological(components.len(), &condensed).expect("a condensation has no cycle");
    order.into_iter().map(|index| components[index].iter().map(|member| ranks[*member]).collect()).collect()
}

/// The step that loads `members`, which are all or some of the component that they form with unenforced keys.
fn step(graph: &ForeignKeyGraph<'_>, members: Vec<usize>, with_unenforced: &[usize], abilities: Abilities) -> LoadStep {
    let enforced_inside: Vec<Edge> =
        graph.edges_from(&members).filter(|edge| edge.enforced && inside(&members, edge)).copied().collect();
    let reason = reason(graph, &members, with_unenforced, abilities);
    let relations = members.iter().map(|rank| graph.nodes[*rank]).collect();
    let cycle =
        (!enforced_inside.is_empty()).then(|| Component::new(graph, members, &enforced_inside).into_cycle(abilities));
    LoadStep { relations, reason, cycle }
}

/// Whether both ends of the edge are among these ranks.
fn inside(ranks: &[usize], edge: &Edge) -> bool {
    ranks.binary_search(&edge.from).is_ok() && ranks.binary_search(&edge.to).is_ok()
}
