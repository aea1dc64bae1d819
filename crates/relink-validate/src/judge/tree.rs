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

/// Follows parents until they end, or come back. Takes 40 bytes for each row that has a parent.
pub(super) struct Tree {
    test: TreeTest,
    setting: Setting,
    links: HashMap<u128, (u128, u64)>,
    outcome: Outcome,
}

impl Tree {
    pub(super) fn new(test: TreeTest, setting: Setting) -> Self {
        let outcome = Outcome::new(&setting);
        Self { test, setting, links: HashMap::new(), outcome }
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
                self.links.insert(link.own, (link.parent, link.ordinal));
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { links, mut outcome, .. } = *self;
        // By row: the walk that came by it.
        let mut seen: HashMap<u128, u32> = HashMap::with_capacity(links.len());
        let mut starts: Vec<(u64, u128)> = links.iter().map(|(own, (_, ordinal))| (*ordinal, *own)).collect();
        starts.sort_unstable();
        let mut cycles: Vec<Vec<u64>> = Vec::new();
        for ((_, start), walk) in starts.into_iter().zip(1..) {
            let mut at = start;
            while let Some((parent, _)) = links.get(&at) {
                match seen.get(&at) {
                    None => {
                        seen.insert(at, walk);
                        at = *parent;
                    }
                    // Back where this walk has been: what lies between is a cycle.
                    Some(earlier) if *earlier == walk => {
                        let (mut cycle, end) = (Vec::new(), at);
                        while let Some((parent, ordinal)) = links.get(&at) {
                            cycle.push(*ordinal);
                            at = *parent;
                            if at == end {
                                break;
                            }
                        }
                        cycle.sort_unstable();
                        cycles.push(cycle);
                        break;
                    }
                    Some(_) => break,
                }
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
