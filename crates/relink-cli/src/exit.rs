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
    /// Findings, or rejected records.
    Findings = 1,
    /// Usage or configuration.
    Usage = 2,
    /// Database unreachable or refused; or a check could not be run.
    Database = 3,
    /// Export unreadable or corrupt.
    Export = 4,
    /// Restore refused or rolled back; nothing changed.
    Refused = 5,
    /// Restore stopped part-way; it can be resumed.
    Stopped = 6,
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
    /// Something failed after rows had been committed on the way.
    #[error("{0}; what was committed stays, and --resume goes on from there")]
    Stopped(#[source] Box<Failure>),
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
    /// A profile's name that another one has.
    #[error("{}: there is a profile {name:?} already: give yours another name, and name the other one in [profiles] off", path.display())]
    ProfileTwice {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A profile that does not exist.
    #[error("there is no profile {name:?}{}; `relink profile` lists them", relink_model::config::suggestion(.nearest.as_deref()))]
    NoProfile {
        /// As asked for.
        name: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// `--rejects` where nothing rejects.
    #[error(
        "--rejects says where rejected records go, but none would be: add --on-error reject or --on-dangling reject"
    )]
    RejectsUnused,
    /// The file of `--id-map` is none.
    #[error("{}:{line}: this is no line of an id map: {reason}", path.display())]
    IdMap {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// A file for rejected records that exists.
    #[error("{} exists, and what was rejected earlier is never written over: move it away, or name another file with --rejects", path.display())]
    RejectsExist {
        /// The file or folder.
        path: PathBuf,
    },
    /// No folder for rejected records.
    #[error("rejected records cannot go to {}, which is no folder: name another file with --rejects", folder.display())]
    RejectsNowhere {
        /// The folder.
        folder: PathBuf,
    },
    /// Rejected records could not be kept, so nothing was.
    #[error("the restore was rolled back: the rejected records could not be written to {}: {reason}", path.display())]
    RejectsUnwritten {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The commit's outcome is not known, so the rejected records stay.
    #[error("{failure}; the rejected records are in {}", path.display())]
    RejectsKept {
        /// What failed.
        #[source]
        failure: Box<Failure>,
        /// The file or folder.
        path: PathBuf,
    },
    /// `--only` leaves no check.
    #[error("--only {pattern}: there is no such check; `relink rules expand` lists them{}", relink_model::config::suggestion(.nearest.as_deref()))]
    NoCheck {
        /// As written.
        pattern: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// `--since` where no relation says when its rows were made.
    #[error(
        "--since: no relation that is checked has a column that says when its rows were made; name it in [table.x] since"
    )]
    NoSince,
    /// Options about exports, of a database.
    #[error("--schema, --from and --encoding are about exports, and this is a database")]
    ForExports,
    /// A schema that cannot be had from a file.
    #[error("{}: no schema can be had from it: {why}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file of relink's own that is none.
    #[error("{}: this is no {what}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Words of the command line that make no sense together.
    #[error("{0}")]
    Usage(String),
    /// The database refused to commit.
    #[error("nothing was changed, since the database refused to commit: {0}")]
    Rollback(#[source] Box<DbError>),
    /// The commit was sent, and no answer came.
    #[error("the connection was lost at the commit, so that it is not known whether the changes were kept: {0}")]
    CommitUnknown(#[source] Box<DbError>),
    /// An instant of the configuration that is none.
    #[error("now = {0:?} is no instant (RFC 3339, e.g. 2026-11-20T00:00:00Z)")]
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
            | Self::ProfileTwice { .. }
            | Self::NoProfile { .. }
            | Self::RejectsUnused
            | Self::IdMap { .. }
            | Self::RejectsExist { .. }
            | Self::RejectsNowhere { .. }
            | Self::NoCheck { .. }
            | Self::NoSince
            | Self::ForExports
            | Self::Schema { .. }
            | Self::Unreadable { .. }
            | Self::Write { .. }
            | Self::Usage(_)
            | Self::Now(_) => Exit::Usage,
            Self::RejectsUnwritten { .. } => Exit::Refused,
            Self::Stopped(_) => Exit::Stopped,
            Self::RejectsKept { failure, .. } => failure.exit(),
            Self::Connect { .. } | Self::Database(_) | Self::CommitUnknown(_) => Exit::Database,
            // An encoding that nobody knows is a mistake of the command line.
            Self::Export { errors, .. } if errors.iter().all(|error| error.code() == "export::unknown-encoding") => {
                Exit::Usage
            }
            Self::Export { .. } => Exit::Export,
            Self::Restore(error) => restore_exit(error),
            Self::Rollback(error) => database_exit(error),
        }
    }
}

fn restore_exit(error: &RestoreError) -> Exit {
    match error {
        RestoreError::Export(_) => Exit::Export,
        RestoreError::Config(_) | RestoreError::IdMap { .. } => Exit::Usage,
        RestoreError::Db(error) => database_exit(error),
        RestoreError::JournalTable(error) => database_exit(error),
        RestoreError::CommitUnknown(_) | RestoreError::MissingRights(_) => Exit::Database,
        RestoreError::LeftBehind { error, .. } => restore_exit(error),
        RestoreError::Schema { .. }
        | RestoreError::Accounting { .. }
        | RestoreError::Unsettled { .. }
        | RestoreError::Spill { .. }
        | RestoreError::Journal(_)
        | RestoreError::Hook { .. }
        | RestoreError::HookMovedRows { .. }
        | RestoreError::Clear { .. }
        | RestoreError::Bulk { .. }
        | RestoreError::Interrupted => Exit::Refused,
        RestoreError::Stopped(_) => Exit::Stopped,
    }
}

/// What can be said of the target after a failure.
fn unchanged(error: &RestoreError) -> &'static str {
    match error {
        RestoreError::CommitUnknown(_) | RestoreError::LeftBehind { .. } | RestoreError::Stopped(_) => "",
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
