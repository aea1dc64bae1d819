//! The relations and keys of a catalog as a graph over ranks: a relation's rank is its place in name order, so that
//! everything computed on ranks is independent of the order in which the catalog was read.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

use petgraph::{algo::kosaraju_scc, graph::DiGraph};
use relink_model::{Catalog, Enforcement, ForeignKey, Relation, RelationId, RelationName};

use crate::EdgeRef;

/// One foreign key between two relations that are loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    /// Rank of the referencing relation.
    pub(crate) from: usize,
    /// Rank of the referenced relation.
    pub(crate) to: usize,
    pub(crate) key: EdgeRef,
    /// Whether the database would refuse a row whose target is not there yet.
    pub(crate) enforced: bool,
}

impl Edge {
    pub(crate) fn is_self_reference(self) -> bool {
        self.from == self.to
    }
}

/// A foreign key whose target is not loaded: it orders nothing, but the reason names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutsideEdge {
    pub(crate) from: usize,
    pub(crate) key: EdgeRef,
    /// The target exists, and is only not among the relations that are restored.
    pub(crate) exists: bool,
}

/// The graph of the relations that are loaded.
#[derive(Debug)]
pub(crate) struct ForeignKeyGraph<'a> {
    pub(crate) catalog: &'a Catalog,
    /// In name order; the index is the rank.
    pub(crate) nodes: Vec<RelationId>,
    /// Ordered by referencing relation, then by the key itself.
    pub(crate) edges: Vec<Edge>,
    pub(crate) outside: Vec<OutsideEdge>,
}

impl<'a> ForeignKeyGraph<'a> {
    pub(crate) fn new(catalog: &'a Catalog, only: Option<&BTreeSet<RelationId>>) -> Self {
        let mut nodes: Vec<RelationId> =
            catalog.iter().map(|(id, _)| id).filter(|id| only.is_none_or(|only| only.contains(id))).collect();
        nodes.sort_by_key(|id| &catalog.relation(*id).name);
        let rank_of: HashMap<&RelationName, usize> =
            nodes.iter().enumerate().map(|(rank, id)| (&catalog.relation(*id).name, rank)).collect();
        let existing: BTreeSet<&RelationName> = catalog.relations.iter().map(|relation| &relation.name).collect();
        let mut edges = Vec::new();
        let mut outside = Vec::new();
        for (from, id) in nodes.iter().enumerate() {
            for (index, foreign_key) in in_stable_order(catalog.relation(*id)) {
                let key = EdgeRef { referencing: *id, key: index };
                match rank_of.get(&foreign_key.referenced) {
                    Some(to) => {
                        let enforced =
                            matches!(foreign_key.enforcement, Enforcement::Enforced | Enforcement::NotValidated);
                        edges.push(Edge { from, to: *to, key, enforced });
                    }
                    None => {
                        outside.push(OutsideEdge { from, key, exists: existing.contains(&foreign_key.referenced) });
                    }
                }
            }
        }
        Self { catalog, nodes, edges, outside }
    }

    /// The edges that leave these ranks or lie between them.
    pub(crate) fn edges_from(&self, ranks: &[usize]) -> impl Iterator<Item = &Edge> {
        ranks.iter().flat_map(|rank| of(&self.edges, *rank, |edge| edge.from))
    }

    /// The edges from these ranks to relations that are not loaded.
    pub(crate) fn outside_from(&self, ranks: &[usize]) -> impl Iterator<Item = &OutsideEdge> {
        ranks.iter().flat_map(|rank| of(&self.outside, *rank, |edge| edge.from))
    }

    pub(crate) fn relation(&self, rank: usize) -> &'a Relation {
        self.catalog.relation(self.nodes[rank])
    }

    pub(crate) fn name(&self, rank: usize) -> &'a RelationName {
        &self.relation(rank).name
    }
}

/// The part of a list sorted by rank that belongs to this rank.
fn of<T>(sorted: &[T], rank: usize, rank_of: impl Fn(&T) -> usize) -> &[T] {
    let start = sorted.partition_point(|item| rank_of(item) < rank);
    let end = start + sorted[start..].partition_point(|item| rank_of(item) == rank);
    &sorted[start..end]
}

/// A relation's keys in an order that depends on what they are and not on where they stand.
fn in_stable_order(relation: &Relation) -> Vec<(usize, &ForeignKey)> {
    let mut keys: Vec<(usize, &ForeignKey)> = relation.foreign_keys.iter().enumerate().collect();
    keys.sort_by(|(_, a), (_, b)| {
        (&a.name, &a.columns, &a.referenced, &a.referenced_columns).cmp(&(
            &b.name,
            &b.columns,
            &b.referenced,
            &b.referenced_columns,
        ))
    });
    keys
}

/// Strongly connected components of the nodes 0..count, each in ascending order, by their first node.
///
/// Kosaraju's algorithm, because petgraph walks it without recursion: a chain of many thousand relations must not
/// overflow the stack.
pub(crate) fn components(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut graph = DiGraph::<(), ()>::with_capacity(count, 0);
    let nodes: Vec<_> = (0..count).map(|_| graph.add_node(())).collect();
    for (from, to) in edges {
        graph.add_edge(nodes[from], nodes[to], ());
    }
    let mut components: Vec<Vec<usize>> = kosaraju_scc(&graph)
        .into_iter()
        .map(|component| {
            let mut members: Vec<usize> = component.into_iter().map(petgraph::graph::NodeIndex::index).collect();
            members.sort_unstable();
            members
        })
        .collect();
    components.sort_unstable();
    components
}

/// The nodes 0..count, referenced before referencing, the smallest first wherever there is a choice.
/// `None` where the edges form a cycle. Self-edges count as cycles.
pub(crate) fn topological(count: usize, edges: &[(usize, usize)]) -> Option<Vec<usize>> {
    let mut waits_for = vec![0_usize; count];
    let mut referencing: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (from, to) in edges {
        waits_for[*from] += 1;
        referencing[*to].push(*from);
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..count).filter(|node| waits_for[*node] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for next in &referencing[node] {
            waits_for[*next] -= 1;
            if waits_for[*next] == 0 {
                ready.push(Reverse(*next));
            }
        }
    }
    (order.len() == count).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_smallest() {
        assert_eq!(topological(4, &[(0, 3)]), Some(vec![1, 2, 3, 0]));
        assert_eq!(topological(3, &[]), Some(vec![0, 1, 2]));
        assert_eq!(topological(2, &[(0, 1), (1, 0)]), None);
        assert_eq!(topological(1, &[(0, 0)]), None);
    }

    #[test]
    fn a_cycle_with_a_tail_ends() {
        // 0 -> 1 -> 0 and 1 -> 2.
        assert_eq!(components(3, [(0, 1), (1, 0), (1, 2)]), vec![vec![0, 1], vec![2]]);
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let count = 200_000;
        assert_eq!(components(count, (1..count).map(|node| (node - 1, node))).len(), count);
    }
}
