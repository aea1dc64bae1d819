//! What a restore remembers of every record and of every row that it looked up: keys, positions, final values. Each of these grows with the
//! export, so each can move its data to a temporary file and go on from there, where the caller has set a [`Budget`].
//!
//! In memory and in the file the data has one layout, in pages that stand in the one place or the other. What is in the file is read and
//! written there in place, a page or less at a time: the system's page cache is the cache, so that memory stays bounded without one
//! of our own, and reading needs no lock. Which of the structures spill is decided between two chunks of records by
//! [`keep_within`]: the largest first. Between two decisions they grow by what one chunk holds.
//!
//! An error of the temporary file is kept in the budget, and from then on whatever was in the file is unknown. Whoever has asked must
//! [check](Budget::check) before anything follows from the answers.
//!
//! Embedded stores (redb, fjall) were measured instead: ADR 8.

mod budget;
mod column;
mod external;
mod key_map;
mod log;
mod ordinals;
mod packed;
mod positions;
mod table;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use budget::Budget;
pub(crate) use column::ColumnValues;
pub(crate) use external::ExternalRows;
pub(crate) use key_map::{Found, KeyMap};
pub(crate) use ordinals::OrdinalSet;
pub(crate) use positions::{Position, Positions};

/// The ordinal of a record among the records of its relation, from 0.
pub(crate) type Ordinal = u32;

/// Something whose data can be in memory or in the temporary file.
pub(crate) trait Spill {
    /// Bytes of memory that [`Self::spill`] would free.
    fn resident_bytes(&self) -> u64;

    /// Moves the data to the file.
    fn spill(&mut self);
}

/// Where the budget is exceeded, spills the largest until a quarter of it is free again, so that the next chunk has room.
pub(crate) fn keep_within<'a>(budget: &Budget, structures: impl Iterator<Item = &'a mut dyn Spill>) {
    if !budget.is_exceeded() {
        return;
    }
    let mut structures: Vec<(u64, &mut dyn Spill)> =
        structures.map(|one| (one.resident_bytes(), one)).filter(|(bytes, _)| *bytes > 0).collect();
    // Stable: those of one size spill in the order of the schema, so that two runs spill the same.
    structures.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    for (_, structure) in structures {
        if budget.has_room() {
            return;
        }
        structure.spill();
    }
}
