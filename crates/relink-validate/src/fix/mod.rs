//! Mends what checks find: from findings to statements, which are the same whether they are only shown or also kept.
//!
//! [`mend`] works inside the caller's transaction: it measures the checks that are to be mended, makes the statements for exactly the rows that they find
//! now, runs them, and measures again every check that the statements may bear upon. The caller then commits or rolls back. What is refused is a
//! [`Refusal`]; nothing is done that was not asked for, rows that a foreign key would take along included.
//!
//! What the caller's transaction has to be is said at [`relations`].
//!
//! The pure part (from rows to SQL) stands in `rows.rs`, `references.rs`, `order.rs`, `totals.rs` and `merge.rs`; what else a statement would reach, in
//! `bound.rs`; whether it did harm, in `compare.rs`.

mod bound;
mod compare;
mod concern;
mod merge;
mod numbering;
mod order;
mod references;
mod refusal;
mod rows;
mod run;
mod totals;

use relink_db::NumberingState;
use relink_model::{RelationId, RelationName};
use serde::Serialize;

pub use self::{
    refusal::Refusal,
    run::{mend, relations},
};

/// What is to be done about findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Orphaned rows are deleted.
    Delete,
    /// References without a target become NULL.
    Null,
    /// A counter is put past the highest number of its column.
    Renumber,
    /// Totals take the sums of their lines.
    Recompute,
    /// Of rows that share a key one is kept; what refers to the others is pointed at it, then they are deleted.
    Keep(Keep),
}

impl Cure {
    /// As the command line says it.
    pub fn option(&self) -> &'static str {
        match self {
            Self::Delete => "--delete",
            Self::Null => "--null",
            Self::Renumber => "--renumber",
            Self::Recompute => "--recompute",
            Self::Keep(_) => "--keep",
        }
    }
}

/// Which row of a group is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The one with the lowest primary key.
    First,
    /// The one with the highest primary key.
    Last,
    /// The first by a column; NULL comes last, and a tie is refused.
    By {
        /// The column.
        column: String,
        /// The highest value comes first.
        descending: bool,
    },
}

/// What is to be mended.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Ids of checks, or `numbering:TABLE.COLUMN`.
    pub ids: Vec<String>,
    /// How.
    pub cure: Cure,
    /// Only findings whose row meets this SQL condition.
    pub condition: Option<String>,
    /// Everything will be rolled back.
    pub rehearsal: bool,
}

/// A statement that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The relation that it changes.
    pub relation: RelationName,
    /// The statement, complete: no parameters.
    pub sql: String,
    /// The rows that it touched; `None` where it touches none, but a counter.
    pub rows: Option<u64>,
    /// It runs by itself, after the commit: the database cannot roll it back.
    pub after_commit: bool,
}

/// One check, mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mending {
    /// The check's id.
    pub id: String,
    /// Rows that failed it.
    pub found: u64,
    /// Those of them that `[[allow]]` lets stay: they are left out.
    pub allowed: u64,
    /// Those of the others that were to be mended: all, or those that meet the condition.
    pub chosen: u64,
    /// What was run, in this order.
    pub statements: Vec<Statement>,
    /// Rows that fail it afterwards; `None` where it did not come to measuring.
    pub remaining: Option<u64>,
}

impl Mending {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), found: 0, allowed: 0, chosen: 0, statements: Vec::new(), remaining: None }
    }
}

/// What came of mending, in a transaction that is still open.
#[derive(Debug, Default)]
pub struct Mended {
    /// Check by check.
    pub mendings: Vec<Mending>,
    /// Why the transaction must be rolled back.
    pub refusal: Option<Refusal>,
    /// Checks measured again because the statements may bear upon them, those that were mended included.
    pub measured: usize,
    /// What is to be said of the allowances that were looked at: that one has lapsed.
    pub warnings: Vec<String>,
    /// Counters that only a statement outside the transaction can move: [`relink_db::Connection::restore_numbering`] does, after the commit.
    pub counters: Vec<(RelationId, NumberingState)>,
}
