//! Why something is not mended.

use relink_model::{RelationName, config::ConfigError};
use thiserror::Error;

/// Why nothing is mended. The transaction must be rolled back.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No check has this id.
    #[error("there is no check {id}{}", relink_model::config::suggestion(.nearest.as_deref()))]
    UnknownCheck {
        /// As asked for.
        id: String,
        /// The nearest id.
        nearest: Option<String>,
    },
    /// A cure for findings of another kind.
    #[error("{option} mends {mends}, and {id} is about something else")]
    WrongCure {
        /// The check.
        id: String,
        /// The option.
        option: &'static str,
        /// What it is for.
        mends: &'static str,
    },
    /// A condition with a cure that it cannot restrict.
    #[error("--where says which findings are mended one by one, and {option} mends a check as a whole")]
    NoCondition {
        /// The option.
        option: &'static str,
    },
    /// A column that the relation does not have.
    #[error("{relation} has no column {column}{}", relink_model::config::suggestion(.nearest.as_deref()))]
    UnknownColumn {
        /// The relation.
        relation: RelationName,
        /// As asked for.
        column: String,
        /// The nearest column.
        nearest: Option<String>,
    },
    /// The check could not be made.
    #[error("{id} could not be measured: {why}")]
    NotMeasured {
        /// The check.
        id: String,
        /// Why.
        why: String,
    },
    /// More rows than statements are made for.
    #[error("{id} fails on {found} rows, more than are mended at once: choose some of them with --where")]
    TooMany {
        /// The check.
        id: String,
        /// Rows that fail it.
        found: u64,
    },
    /// A storage engine that rolls nothing back.
    #[error("{relation} is kept by a storage engine without transactions: a mending of it could not be undone")]
    NotTransactional {
        /// The relation.
        relation: RelationName,
    },
    /// Nothing names a row.
    #[error(
        "the rows of {relation} have nothing that names one of them for certain: no primary key, no unique key without NULLs"
    )]
    NoRowName {
        /// The relation.
        relation: RelationName,
    },
    /// A value that cannot be written as SQL.
    #[error("{relation} has a row whose {column} cannot be written as SQL")]
    Unwritable {
        /// The relation.
        relation: RelationName,
        /// The column.
        column: String,
    },
    /// `--null` where NULL is not allowed.
    #[error(
        "{relation}.{column} is NOT NULL: the reference cannot become NULL; delete the rows (--delete), or bring back what they refer to (relink heal)"
    )]
    NotNull {
        /// The relation.
        relation: RelationName,
        /// The column.
        column: String,
    },
    /// A column that the database computes.
    #[error("{relation}.{column} is computed by the database, and cannot be written")]
    Generated {
        /// The relation.
        relation: RelationName,
        /// The column.
        column: String,
    },
    /// Rows that are to be deleted or changed are referred to.
    #[error("{rows} rows of {referencing} ({key}) refer to rows of {relation} that would be {how}: mend these first")]
    Referenced {
        /// Where rows would be deleted.
        relation: RelationName,
        /// What refers to them.
        referencing: RelationName,
        /// By which columns.
        key: String,
        /// How many.
        rows: u64,
        /// What would become of what they refer to.
        how: &'static str,
    },
    /// Something else came or went along.
    #[error("{relation} would have {after} {what}, and {before} are what the statements leave: something goes along")]
    TakenAlong {
        /// The relation.
        relation: RelationName,
        /// Rows, or references that they hold.
        what: &'static str,
        /// What there would be without that.
        before: u64,
        /// What there is.
        after: u64,
    },
    /// A sum that its column would change.
    #[error("the row {row} of {relation}: the sum of its lines is {sum}, and {column} {why}")]
    DoesNotFit {
        /// The relation.
        relation: RelationName,
        /// The row.
        row: String,
        /// The column.
        column: String,
        /// The sum.
        sum: String,
        /// What would become of it.
        why: String,
    },
    /// A total without a sum.
    #[error("the row {row} of {relation}: {why}, so there is no sum to take")]
    NoSum {
        /// The relation.
        relation: RelationName,
        /// The row.
        row: String,
        /// Why.
        why: String,
    },
    /// Which row comes first cannot be told.
    #[error("rows {rows} of {relation} share {column}, too: which one is to be kept cannot be told by it")]
    Tie {
        /// The relation.
        relation: RelationName,
        /// The rows.
        rows: String,
        /// The column.
        column: String,
    },
    /// The rows share their primary key.
    #[error(
        "rows of {relation} share their primary key, so that none is the first by it: name a column with --keep COLUMN asc|desc"
    )]
    NoOrder {
        /// The relation.
        relation: RelationName,
    },
    /// The kept row has no value that could be referred to.
    #[error("the row {row} of {relation} would be kept, but has no {columns}, to which rows of {referencing} refer")]
    NoTarget {
        /// The relation.
        relation: RelationName,
        /// The row.
        row: String,
        /// The referenced columns.
        columns: String,
        /// What refers to it.
        referencing: RelationName,
    },
    /// Repointing makes duplicates elsewhere.
    #[error(
        "pointing {referencing}.{key} at the row that is kept collides with a unique key of {referencing}: {message}"
    )]
    Collision {
        /// The relation that refers.
        referencing: RelationName,
        /// By which columns.
        key: String,
        /// The database's words, which name the key.
        message: String,
    },
    /// A relation without a counter.
    #[error("{relation} has no counter of its own: its next number is always past the highest")]
    NoCounter {
        /// The relation.
        relation: RelationName,
    },
    /// The condition is no SQL of this database.
    #[error("--where {condition:?}: {message}")]
    Condition {
        /// The condition.
        condition: String,
        /// The database's words.
        message: String,
    },
    /// The database refused a statement.
    #[error("the database refused {sql}: {message}")]
    Statement {
        /// The statement.
        sql: String,
        /// The database's words.
        message: String,
    },
    /// What was deferred does not hold.
    #[error("the database refused the outcome: {message}")]
    Deferred {
        /// The database's words.
        message: String,
    },
    /// A statement touched other rows than the check found.
    #[error("{sql} touched {touched} rows, and the check found {expected}")]
    OtherRows {
        /// The statement.
        sql: String,
        /// The rows found.
        expected: u64,
        /// The rows touched.
        touched: u64,
    },
    /// Findings are left.
    #[error("{id} still fails on {remaining} rows after the mending, and {expected} were expected")]
    Remains {
        /// The check.
        id: String,
        /// Rows that fail it.
        remaining: u64,
        /// Rows that were left out on purpose.
        expected: u64,
    },
    /// Another check fails because of the mending.
    #[error(
        "after the mending {id} fails on {after} rows; before, on {before}{}",
        if .new.is_empty() { String::new() } else { format!("; new: {new}") }
    )]
    Worse {
        /// The check.
        id: String,
        /// Rows that failed it.
        before: u64,
        /// Rows that fail it.
        after: u64,
        /// The first of those that did not fail it before, where that can be told.
        new: String,
    },
    /// Others are at work on the same rows.
    #[error("others are changing the same tables: {message}")]
    Contended {
        /// The database's words.
        message: String,
    },
    /// The schema has changed meanwhile.
    #[error("the schema was changed since it was read")]
    OtherSchema,
    /// An allowance that makes no sense.
    #[error("{error}")]
    Allowance {
        /// What is wrong with it.
        error: ConfigError,
    },
}

impl Refusal {
    /// Whether what was asked for makes no sense, whatever the rows hold.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::UnknownCheck { .. }
                | Self::WrongCure { .. }
                | Self::NoCondition { .. }
                | Self::UnknownColumn { .. }
                | Self::Condition { .. }
                | Self::Allowance { .. }
        )
    }
}
