//! Sets of records.

use std::sync::Arc;

use super::{Ordinal, Spill, budget::Budget, packed::PackedInts};

/// Records of one relation: a bit each.
#[derive(Debug, Default)]
pub(crate) struct OrdinalSet {
    /// All the same, so that they take no byte.
    members: PackedInts,
    count: usize,
}

impl OrdinalSet {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { members: PackedInts::new(budget), count: 0 }
    }

    /// Adds a record; whether it was not there.
    pub(crate) fn insert(&mut self, ordinal: Ordinal) -> bool {
        let new = !self.contains(&ordinal);
        if new {
            self.members.set(ordinal as usize, 0);
            self.count += 1;
        }
        new
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as the sets of the standard library have it")]
    pub(crate) fn contains(&self, ordinal: &Ordinal) -> bool {
        self.members.get(*ordinal as usize).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// In file order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Ordinal> + '_ {
        self.members.iter().map(|(at, _)| at as Ordinal)
    }

    /// What can spill by itself.
    pub(crate) fn parts(&mut self) -> [&mut dyn Spill; 1] {
        [&mut self.members]
    }
}

impl Extend<Ordinal> for OrdinalSet {
    fn extend<T: IntoIterator<Item = Ordinal>>(&mut self, ordinals: T) {
        for ordinal in ordinals {
            self.insert(ordinal);
        }
    }
}
