//! Database errors by kind. Kinds come from the driver's codes, never from message text.

use std::error::Error;

use thiserror::Error as ThisError;

/// What kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DbErrorKind {
    /// The server or file could not be reached or opened.
    Connect,
    /// The server refused the credentials or the database.
    Refused,
    /// A privilege is missing.
    PermissionDenied,
    /// The database, file or transaction is read-only.
    ReadOnly,
    /// The connection broke.
    ConnectionLost,
    /// Another session holds a lock, or a deadlock or serialization failure ended the transaction.
    Contention,
    /// A unique or primary key.
    UniqueViolation,
    /// A foreign key.
    ForeignKeyViolation,
    /// NOT NULL.
    NotNullViolation,
    /// CHECK.
    CheckViolation,
    /// An exclusion constraint.
    ExclusionViolation,
    /// A value that its column's type refuses.
    InvalidValue,
    /// A trigger or function raised an error.
    Raised,
    /// Something this database cannot do.
    Unsupported,
    /// Anything else.
    Other,
}

/// An error from a database. The message never holds a password.
#[derive(Debug, ThisError)]
#[error("{message}")]
pub struct DbError {
    /// What kind.
    pub kind: DbErrorKind,
    /// The server's own words, on one line.
    pub message: String,
    /// The server's code (SQLSTATE, MySQL error number, SQLite extended code).
    pub code: Option<String>,
    /// The constraint concerned, where the server names one.
    pub constraint: Option<String>,
    /// The relation concerned, where the server names one.
    pub relation: Option<String>,
    /// The column concerned, where the server names one.
    pub column: Option<String>,
    /// Detail and hint, where the server gives them.
    pub detail: Option<String>,
    /// What the driver said.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl DbError {
    /// An error of our own making.
    pub fn new(kind: DbErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            constraint: None,
            relation: None,
            column: None,
            detail: None,
            source: None,
        }
    }

    /// Whether a single row is to blame, so that bisection can find it.
    pub fn blames_rows(&self) -> bool {
        matches!(
            self.kind,
            DbErrorKind::UniqueViolation
                | DbErrorKind::ForeignKeyViolation
                | DbErrorKind::NotNullViolation
                | DbErrorKind::CheckViolation
                | DbErrorKind::ExclusionViolation
                | DbErrorKind::InvalidValue
                | DbErrorKind::Raised
        )
    }
}
