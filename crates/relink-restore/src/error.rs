//! Why a restore could not be done. What is wrong with the data is no error but a finding.

use std::{io, path::PathBuf, sync::Arc};

use relink_db::DbError;
use relink_export::ExportError;
use relink_model::{RelationName, config::ConfigError};
use thiserror::Error as ThisError;

/// An error of the restore engine.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The export could not be read.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The database failed or refused.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The schema script failed.
    #[error("the schema script {name} failed: {error}")]
    Schema {
        /// The script.
        name: String,
        /// What the database said.
        #[source]
        error: Box<DbError>,
    },
    /// The temporary file failed that holds what the caches have beyond their memory.
    #[error("a temporary file in {} failed, which holds what exceeds the memory budget: {source}", directory.display())]
    Spill {
        /// The directory for temporary files.
        directory: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The journal of an unfinished restore stands in the way, or does not fit.
    #[error("{0}")]
    Journal(String),
    /// The table of the journal could not be made.
    #[error("the table relink_journal, which --commit-every needs, cannot be made: {0}")]
    JournalTable(#[source] Box<DbError>),
    /// The restore ended on its way; what was committed stays, and can be gone on with.
    #[error("{0}; what was committed stays, and --resume goes on from there")]
    Stopped(#[source] Box<Error>),
    /// A hook failed.
    #[error("the hook [hooks] {which} failed: {error}")]
    Hook {
        /// `before` or `after`, and which of them, from 1.
        which: String,
        /// What the database said.
        #[source]
        error: Box<DbError>,
    },
    /// A hook changed what the pre-scan had looked at.
    #[error(
        "the hooks [hooks] before added or deleted rows of {relation}, which is restored: what was found out about its rows is not true any more; \
         change them before the restore"
    )]
    HookMovedRows {
        /// The relation.
        relation: RelationName,
    },
    /// Rows that were to be cleared first stay.
    #[error(
        "the rows of {relation} cannot be cleared: {error}; a reference that is ON DELETE RESTRICT, or a trigger, keeps them: \
         delete them yourself, or use --mode upsert"
    )]
    Clear {
        /// The relation.
        relation: RelationName,
        /// What the database said.
        #[source]
        error: Box<DbError>,
    },
    /// The id map does not fit the database.
    #[error("the id map, entry {entry}: {why}")]
    IdMap {
        /// Which, from 1.
        entry: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Rights that reading the target takes.
    #[error("rights are missing to look at what the target holds: {}", .0.join("; "))]
    MissingRights(Vec<String>),
    /// Only the bulk path was to be taken, and it cannot load the relation.
    #[error("--strategy bulk cannot load {relation}: {error}; --strategy auto goes on with inserts")]
    Bulk {
        /// The relation.
        relation: RelationName,
        /// What the database said.
        #[source]
        error: Box<DbError>,
    },
    /// The caller asked for an end.
    #[error("interrupted")]
    Interrupted,
    /// The configuration does not fit the database.
    #[error("the configuration does not fit the database")]
    Config(Vec<ConfigError>),
    /// The connection broke while the commit was on its way.
    #[error("the connection broke during the commit, so whether the rows are there is not known: {0}")]
    CommitUnknown(#[source] Box<DbError>),
    /// The schema that a script had made could not be removed again.
    #[error("{error}; and the tables that the schema script made could not be removed again: {undo}")]
    LeftBehind {
        /// Why the restore failed.
        error: Box<Error>,
        /// Why the tables are still there.
        #[source]
        undo: Box<DbError>,
    },
    /// The database did not do what it said: rows written and rows counted differ.
    #[error(
        "{relation}: {expected} rows were to be written, and the database reports {found}; a trigger or a rule may keep rows out"
    )]
    Accounting {
        /// The relation.
        relation: RelationName,
        /// Rows that should be there.
        expected: u64,
        /// Rows that the database reports.
        found: u64,
    },
    /// A reference that the pre-scan had settled is not settled: the export changed while it was read.
    #[error(
        "{relation}: a reference that was settled before is not settled any more: did the export change meanwhile?"
    )]
    Unsettled {
        /// The relation.
        relation: RelationName,
    },
}
