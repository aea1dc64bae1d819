//! Where the records of a relation stand in the export.

use std::sync::Arc;

use relink_export::LabelId;

use super::{Ordinal, Spill, budget::Budget, packed::PackedInts};

/// Where a record stands in the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    pub(crate) file_ordinal: u64,
    pub(crate) label: LabelId,
}

/// Positions by ordinal: four bytes each where records of one label follow one another.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    offsets: PackedInts,
    /// How much further on a record is in the file than among its relation's: the same for records that follow one another.
    ahead: PackedInts,
    labels: PackedInts,
    count: usize,
}

impl Positions {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        let ints = || PackedInts::new(budget);
        Self { offsets: ints(), ahead: ints(), labels: ints(), count: 0 }
    }

    /// The next record's.
    pub(crate) fn push(&mut self, position: Position) {
        let at = self.count;
        self.offsets.set(at, position.offset as i64);
        self.ahead.set(at, position.file_ordinal as i64 - at as i64);
        self.labels.set(at, position.label.index() as i64);
        self.count += 1;
    }

    /// A record's. Only to be asked of records that are there; where the temporary file failed, it means nothing.
    pub(crate) fn get(&self, ordinal: Ordinal) -> Position {
        let at = ordinal as usize;
        debug_assert!(at < self.count, "a record of the relation");
        let value = |ints: &PackedInts| ints.get(at).unwrap_or_default();
        Position {
            offset: value(&self.offsets) as u64,
            file_ordinal: (value(&self.ahead) + at as i64) as u64,
            label: LabelId(value(&self.labels) as u32),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// What can spill by itself.
    pub(crate) fn parts(&mut self) -> [&mut dyn Spill; 3] {
        [&mut self.offsets, &mut self.ahead, &mut self.labels]
    }
}
