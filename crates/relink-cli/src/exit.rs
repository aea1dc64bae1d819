//! Exit codes, and which failure means which of them. One exhaustive match.

use std::{path::PathBuf, process::ExitCode};

use relink_db::{DbError, DbErrorKind, UrlError};
use relink_export::{ExportError, Source};
use relink_model::config::ConfigError;
use relink_restore::Error as RestoreError;
use thiserror::Error;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done and clean.
    Clean = 0,
    /// Findings.
    Findings = 1,
    /// Usage or configuration.
    Usage = 2,
    /// Database unreachable or refused; or a check could not be run.
    Database = 3,
    /// Export unreadable or corrupt.
    Export = 4,
    /// Restore refused or rolled back; nothing changed.
    Refused = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// No database was named.
    #[error("no database is named: {0}, or set RELINK_DATABASE_URL")]
    NoDatabase(&'static str),
    /// A URL that is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The database could not be reached.
    #[error("cannot open {url}: {error}")]
    Connect {
        /// Without the password.
        url: String,
        /// What the driver said.
        #[source]
        error: Box<DbError>,
    },
    /// The database failed later on.
    #[error("the database failed: {0}")]
    Database(#[source] Box<DbError>),
    /// The export could not be read; several things may be wrong with it.
    #[error("the export cannot be read")]
    Export {
        /// All that was found.
        errors: Vec<ExportError>,
        /// The export, for the lines concerned.
        source_text: Option<Source>,
    },
    /// The restore could not be done.
    #[error("the restore failed{unchanged}: {0}", unchanged = unchanged(.0))]
    Restore(#[source] Box<RestoreError>),
    /// A file of the command line could not be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A schema folder without a script for this database.
    #[error("{} holds no {name}", folder.display())]
    NoScript {
        /// The folder.
        folder: PathBuf,
        /// The file that is missing.
        name: String,
    },
    /// The configuration does not parse.
    #[error(transparent)]
    ConfigSyntax(Box<crate::config::SyntaxProblem>),
    /// The configuration does not fit the database.
    #[error("the configuration does not fit the database")]
    Config(Vec<ConfigError>),
    /// An instant of the configuration that is none.
    #[error("[run] now = {0:?} is no instant (RFC 3339, e.g. 2026-11-20T00:00:00Z)")]
    Now(String),
}

impl Failure {
    /// The exit code that says what kind of failure it is.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoDatabase(_)
            | Self::Url(_)
            | Self::File { .. }
            | Self::NoScript { .. }
            | Self::ConfigSyntax(_)
            | Self::Config(_)
            | Self::Now(_) => Exit::Usage,
            Self::Connect { .. } | Self::Database(_) => Exit::Database,
            // An encoding that nobody knows is a mistake of the command line.
            Self::Export { errors, .. } if errors.iter().all(|error| error.code() == "export::unknown-encoding") => {
                Exit::Usage
            }
            Self::Export { .. } => Exit::Export,
            Self::Restore(error) => restore_exit(error),
        }
    }
}

fn restore_exit(error: &RestoreError) -> Exit {
    match error {
        RestoreError::Export(_) => Exit::Export,
        RestoreError::Config(_) => Exit::Usage,
        RestoreError::Db(error) => database_exit(error),
        RestoreError::CommitUnknown(_) => Exit::Database,
        RestoreError::LeftBehind { error, .. } => restore_exit(error),
        RestoreError::Schema { .. }
        | RestoreError::Accounting { .. }
        | RestoreError::Unsettled { .. }
        | RestoreError::Interrupted => Exit::Refused,
    }
}

/// What can be said of the target after a failure.
fn unchanged(error: &RestoreError) -> &'static str {
    match error {
        RestoreError::CommitUnknown(_) | RestoreError::LeftBehind { .. } => "",
        _ => ", and nothing was changed",
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Database(Box::new(error))
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        Self::Restore(Box::new(error))
    }
}

/// Whether the database refused to work at all, or this restore.
fn database_exit(error: &DbError) -> Exit {
    match error.kind {
        DbErrorKind::Connect
        | DbErrorKind::Refused
        | DbErrorKind::PermissionDenied
        | DbErrorKind::ReadOnly
        | DbErrorKind::ConnectionLost
        | DbErrorKind::Contention => Exit::Database,
        DbErrorKind::UniqueViolation
        | DbErrorKind::ForeignKeyViolation
        | DbErrorKind::NotNullViolation
        | DbErrorKind::CheckViolation
        | DbErrorKind::ExclusionViolation
        | DbErrorKind::InvalidValue
        | DbErrorKind::Raised
        | DbErrorKind::Unsupported
        | DbErrorKind::Other => Exit::Refused,
    }
}
