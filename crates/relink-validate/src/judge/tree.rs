//! Rows of a tree that are their own ancestors.

use std::{collections::HashMap, io};

use super::{Evaluator, Feed, KeyOf, Notes, Outcome, Setting, View, Wrong, key_of};
use crate::plan::test::TreeTest;

/// A row and its parent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    own: u128,
    parent: u128,
    ordinal: u64,
}

/// What is known of a row.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u128,
    ordinal: u64,
    /// The walk that came by it; 0: none so far.
    walk: u32,
}

/// Follows parents until they end, or come back. Takes about 100 bytes for each row that has a parent.
pub(super) struct Tree {
    test: TreeTest,
    setting: Setting,
    nodes: HashMap<u128, Node>,
    outcome: Outcome,
}

impl Tree {
    pub(super) fn new(test: TreeTest, setting: Setting) -> Self {
        let outcome = Outcome::new(&setting);
        Self { test, setting, nodes: HashMap::new(), outcome }
    }
}

impl Evaluator for Tree {
    fn feeds(&self) -> Vec<Feed> {
        vec![Feed::new(self.test.relation, &[&self.test.own, &self.test.parent], &[])]
    }

    fn look(&self, _: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let key = |parts| match key_of(parts, row, &self.setting.at) {
            Ok(KeyOf::Whole(hash)) => Some(hash),
            _ => None,
        };
        match (key(&self.test.own), key(&self.test.parent)) {
            (Some(own), Some(parent)) => notes.links.push(Link { own, parent, ordinal }),
            _ => notes.not_judged += 1,
        }
    }

    fn absorb(&mut self, _: usize, notes: Notes) -> io::Result<()> {
        self.outcome.total += notes.total;
        self.outcome.not_judged += notes.not_judged;
        for link in notes.links {
            // A row that names itself is its own root, as many trees have it.
            if link.own != link.parent {
                self.nodes.insert(link.own, Node { parent: link.parent, ordinal: link.ordinal, walk: 0 });
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { mut nodes, mut outcome, .. } = *self;
        let starts: Vec<u128> = nodes.keys().copied().collect();
        let mut cycles: Vec<Vec<u64>> = Vec::new();
        for (start, walk) in starts.into_iter().zip(1..) {
            let mut at = start;
            while let Some(node) = nodes.get_mut(&at) {
                if node.walk == 0 {
                    node.walk = walk;
                    at = node.parent;
                    continue;
                }
                // Back where this walk has been: what lies between is a cycle.
                if node.walk == walk {
                    cycles.push(cycle(&nodes, at));
                }
                break;
            }
        }
        cycles.sort_unstable();
        outcome.failed_distinct = cycles.len() as u64;
        for (cycle, number) in cycles.into_iter().zip(1..) {
            for ordinal in cycle {
                outcome.fail(Wrong { ordinal, group: Some(number), ..Wrong::default() });
            }
        }
        Ok(outcome)
    }
}

/// The rows of a cycle, in their order.
fn cycle(nodes: &HashMap<u128, Node>, end: u128) -> Vec<u64> {
    let (mut rows, mut at) = (Vec::new(), end);
    while let Some(node) = nodes.get(&at) {
        rows.push(node.ordinal);
        at = node.parent;
        if at == end {
            break;
        }
    }
    rows.sort_unstable();
    rows
}
