//! Which keys to take out of a component so that what is left has no cycle.

use crate::graph::{Edge, components, topological};

/// A small set of `candidates` whose removal leaves `fixed` and the other candidates without a cycle, in the
/// candidates' own order. Self-references are the caller's business: none may be given.
///
/// The smallest such set is a minimum feedback arc set, which is NP-hard to find, and schemas do not need it: nearly
/// every cycle that occurs falls to one key. So a single key is tried first, in order. Where none is enough, all
/// candidates are taken out and then put back one by one, last first, unless that closes a cycle again. What is then
/// still out is minimal: each of its keys is needed. Both depend on nothing but the order of the candidates, so the
/// choice is never arbitrary: earlier candidates are taken out rather than later ones.
///
/// # Errors
/// The edges of a cycle of `fixed` alone, where even all candidates together are not enough.
pub(crate) fn breaking_set(count: usize, fixed: &[Edge], candidates: &[Edge]) -> Result<Vec<Edge>, Vec<Edge>> {
    debug_assert!(
        fixed.iter().chain(candidates).all(|edge| !edge.is_self_reference()),
        "self-references are not broken here"
    );
    if !is_acyclic(count, fixed) {
        return Err(some_cycle(count, fixed));
    }
    let mut kept: Vec<Edge> = fixed.iter().chain(candidates).copied().collect();
    if is_acyclic(count, &kept) {
        return Ok(Vec::new());
    }
    for index in 0..candidates.len() {
        let removed = kept.remove(fixed.len() + index);
        if is_acyclic(count, &kept) {
            return Ok(vec![removed]);
        }
        kept.insert(fixed.len() + index, removed);
    }
    kept.truncate(fixed.len());
    let mut taken_out = Vec::new();
    for candidate in candidates.iter().rev() {
        kept.push(*candidate);
        if !is_acyclic(count, &kept) {
            kept.pop();
            taken_out.push(*candidate);
        }
    }
    taken_out.reverse();
    Ok(taken_out)
}

fn is_acyclic(count: usize, edges: &[Edge]) -> bool {
    let pairs: Vec<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    topological(count, &pairs).is_some()
}

/// One cycle, as the edges along it, starting at its smallest node: the example that a refusal names. Walks inside
/// the first component with more than one node, always along the first edge, until a node comes again.
fn some_cycle(count: usize, edges: &[Edge]) -> Vec<Edge> {
    let members = components(count, edges.iter().map(|edge| (edge.from, edge.to)))
        .into_iter()
        .find(|component| component.len() > 1)
        .expect("edges without self-references that have no topological order have a component of several nodes");
    let mut path: Vec<Edge> = Vec::new();
    let mut node = members[0];
    loop {
        if let Some(start) = path.iter().position(|edge| edge.from == node) {
            let mut cycle = path.split_off(start);
            let smallest = (0..cycle.len()).min_by_key(|index| cycle[*index].from).unwrap_or(0);
            cycle.rotate_left(smallest);
            return cycle;
        }
        let next = edges
            .iter()
            .find(|edge| edge.from == node && members.binary_search(&edge.to).is_ok())
            .expect("every node of a strongly connected component has an edge inside it");
        path.push(*next);
        node = next.to;
    }
}

#[cfg(test)]
mod tests {
    use relink_model::RelationId;

    use super::*;
    use crate::EdgeRef;

    fn edges(pairs: &[(usize, usize)]) -> Vec<Edge> {
        pairs
            .iter()
            .enumerate()
            .map(|(key, (from, to))| Edge {
                from: *from,
                to: *to,
                key: EdgeRef { referencing: RelationId(*from as u32), key },
                enforced: true,
            })
            .collect()
    }

    fn pairs(edges: &[Edge]) -> Vec<(usize, usize)> {
        edges.iter().map(|edge| (edge.from, edge.to)).collect()
    }

    #[test]
    fn one_key_is_enough_for_two_cycles_that_share_it() {
        // 0 -> 1 -> 2 -> 0 and 1 -> 2 -> 3 -> 1: both go through 1 -> 2.
        let candidates = edges(&[(0, 1), (1, 2), (2, 0), (2, 3), (3, 1)]);
        assert_eq!(pairs(&breaking_set(4, &[], &candidates).expect("breakable")), [(1, 2)]);
    }

    #[test]
    fn cycles_that_share_only_a_node_need_a_key_each() {
        let candidates = edges(&[(0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(pairs(&breaking_set(3, &[], &candidates).expect("breakable")), [(0, 1), (1, 2)]);
    }

    #[test]
    fn what_cannot_be_broken_names_its_cycle() {
        let fixed = edges(&[(2, 0), (0, 1), (1, 2), (1, 3)]);
        let cycle = breaking_set(4, &fixed, &edges(&[(3, 1)])).expect_err("the fixed edges form a cycle");
        assert_eq!(pairs(&cycle), [(0, 1), (1, 2), (2, 0)]);
    }

    #[test]
    fn two_keys_between_the_same_relations_go_together() {
        let candidates = edges(&[(0, 1), (0, 1)]);
        assert_eq!(breaking_set(2, &edges(&[(1, 0)]), &candidates).expect("breakable").len(), 2);
    }
}
