//! Promise P1: every row is accounted for.

use std::ops::AddAssign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A new row.
    Inserted,
    /// An existing row took the record's values.
    Updated,
    /// An existing row already had the record's values.
    Unchanged,
    /// An existing row was left as it is, by `--mode skip`.
    Skipped,
    /// Not restored; the reason stands beside it.
    Rejected,
}

/// Rows of one relation by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Rows that the export holds for this relation.
    pub read: u64,
    /// See [`Outcome::Inserted`].
    pub inserted: u64,
    /// See [`Outcome::Updated`].
    pub updated: u64,
    /// See [`Outcome::Unchanged`].
    pub unchanged: u64,
    /// See [`Outcome::Skipped`].
    pub skipped: u64,
    /// See [`Outcome::Rejected`].
    pub rejected: u64,
}

impl Counts {
    /// Whether read = inserted + updated + unchanged + skipped + rejected.
    pub fn balances(&self) -> bool {
        self.read == self.inserted + self.updated + self.unchanged + self.skipped + self.rejected
    }

    /// Counts `rows` more of `outcome`.
    pub fn add(&mut self, outcome: Outcome, rows: u64) {
        *match outcome {
            Outcome::Inserted => &mut self.inserted,
            Outcome::Updated => &mut self.updated,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Rejected => &mut self.rejected,
        } += rows;
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.rejected += other.rejected;
    }
}
