//! The order of rows inside a cycle of relations: parents first, where the rows themselves form no cycle.

use std::collections::VecDeque;

use relink_graph::EdgeRef;
use relink_model::RelationId;

use crate::memory::Ordinal;

/// A row of a component, by relation and ordinal.
pub(crate) type RowId = (RelationId, Ordinal);

/// One row references another of the same component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowEdge {
    /// Through which foreign key.
    pub(crate) edge: EdgeRef,
    pub(crate) from: RowId,
    pub(crate) to: RowId,
}

/// The references between the rows of a component: eight bytes each.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowEdges {
    /// By foreign key, with the relation that it references.
    by_key: Vec<(EdgeRef, RelationId, Pairs)>,
}

/// Referencing and referenced records.
type Pairs = Vec<(Ordinal, Ordinal)>;

impl RowEdges {
    pub(crate) fn push(&mut self, RowEdge { edge, from, to }: RowEdge) {
        let pair = (from.1, to.1);
        match self.by_key.iter_mut().find(|(other, target, _)| (*other, *target) == (edge, to.0)) {
            Some((.., pairs)) => pairs.push(pair),
            None => self.by_key.push((edge, to.0, vec![pair])),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = RowEdge> + Clone {
        self.by_key.iter().flat_map(|(edge, target, pairs)| {
            let whole = |(from, to): &(Ordinal, Ordinal)| RowEdge {
                edge: *edge,
                from: (edge.referencing, *from),
                to: (*target, *to),
            };
            pairs.iter().map(whole)
        })
    }
}

/// How the rows of a component can be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// Relation by relation, each in file order.
    File,
    /// In this order, parents first.
    Sequence(Vec<RowId>),
    /// Not at all: rows reference each other in a circle.
    Cyclic,
}

/// Orders the rows of `relations` (in their load order, each with its number of records) so that each comes after those it references. The
/// order is the file's own as far as the references allow, and stays in one relation as long as it can, so that batches are long.
pub(crate) fn order(relations: &[(RelationId, u64)], edges: impl Iterator<Item = RowEdge> + Clone) -> RowOrder {
    let rank = |relation: RelationId| relations.iter().position(|(id, _)| *id == relation).unwrap_or(usize::MAX);
    let forward = |edge: &RowEdge| match rank(edge.to.0).cmp(&rank(edge.from.0)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => edge.to.1 < edge.from.1,
        std::cmp::Ordering::Greater => false,
    };
    let relevant = edges.filter(|edge| edge.from != edge.to);
    if relevant.clone().all(|edge| forward(&edge)) {
        return RowOrder::File;
    }
    let starts: Vec<usize> = relations
        .iter()
        .scan(0_usize, |start, (_, records)| {
            let here = *start;
            *start += *records as usize;
            Some(here)
        })
        .collect();
    let total: usize = relations.iter().map(|(_, records)| *records as usize).sum();
    let node = |row: RowId| starts[rank(row.0)] + row.1 as usize;
    let mut waiting = vec![0_u32; total];
    let mut followers: Vec<(u32, u32)> = Vec::new();
    for edge in relevant {
        waiting[node(edge.from)] += 1;
        followers.push((node(edge.to) as u32, node(edge.from) as u32));
    }
    followers.sort_unstable();
    let relation_of = |node: usize| starts.partition_point(|start| *start <= node) - 1;
    let mut ready: Vec<VecDeque<usize>> = vec![VecDeque::new(); relations.len()];
    (0..total).filter(|node| waiting[*node] == 0).for_each(|node| ready[relation_of(node)].push_back(node));
    let mut sequence = Vec::with_capacity(total);
    let mut current = 0;
    loop {
        let Some(next) = ready[current].pop_front() else {
            match ready.iter().position(|queue| !queue.is_empty()) {
                Some(other) => current = other,
                None => break,
            }
            continue;
        };
        sequence.push((relations[current].0, (next - starts[current]) as Ordinal));
        let from = followers.partition_point(|(parent, _)| (*parent as usize) < next);
        for (_, follower) in followers[from..].iter().take_while(|(parent, _)| *parent as usize == next) {
            let follower = *follower as usize;
            waiting[follower] -= 1;
            if waiting[follower] == 0 {
                ready[relation_of(follower)].push_back(follower);
            }
        }
    }
    if sequence.len() == total { RowOrder::Sequence(sequence) } else { RowOrder::Cyclic }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: RelationId = RelationId(0);
    const B: RelationId = RelationId(1);

    fn edges(pairs: &[(RowId, RowId)]) -> Vec<RowEdge> {
        let edge = EdgeRef { referencing: A, key: 0 };
        pairs.iter().map(|(from, to)| RowEdge { edge, from: *from, to: *to }).collect()
    }

    #[test]
    fn parents_that_stand_first_leave_the_file_order_alone() {
        let edges = edges(&[((A, 1), (A, 0)), ((A, 2), (A, 1)), ((A, 3), (A, 3))]);
        assert_eq!(order(&[(A, 4)], edges.into_iter()), RowOrder::File);
    }

    #[test]
    fn a_child_before_its_parent_is_moved_behind_it() {
        let edges = edges(&[((A, 0), (A, 2)), ((A, 2), (A, 1))]);
        assert_eq!(order(&[(A, 3)], edges.into_iter()), RowOrder::Sequence(vec![(A, 1), (A, 2), (A, 0)]));
    }

    #[test]
    fn rows_of_two_relations_interleave_where_they_must() {
        let edges = edges(&[((A, 1), (B, 0)), ((B, 0), (A, 0)), ((B, 1), (A, 1))]);
        assert_eq!(
            order(&[(A, 2), (B, 2)], edges.into_iter()),
            RowOrder::Sequence(vec![(A, 0), (B, 0), (A, 1), (B, 1)])
        );
    }

    #[test]
    fn a_circle_of_rows_has_no_order() {
        let edges = edges(&[((A, 0), (B, 0)), ((B, 0), (A, 0))]);
        assert_eq!(order(&[(A, 1), (B, 1)], edges.into_iter()), RowOrder::Cyclic);
    }
}
