//! Databases behind one set of traits: introspection, reading, writing, and the SQL shapes that differ.
//!
//! This is the only crate that names a driver, a SQL builder or a system catalog. Above it nobody asks which
//! database this is: engines ask for a [`Capabilities`] field, or let a [`Dialect`] write the SQL.
//! It knows nothing of exports.

mod connection;
mod dialect;
mod error;
mod null_pattern;
mod statement;
mod url;

mod mysql;
mod postgres;
mod sqlite;

pub use connection::{
    Access, Connection, InsertColumn, InsertTarget, Intent, JOURNAL, Lookup, NumberingState, ResultRow,
    TransactionKind, connect, dialect_of,
};
pub use dialect::{AntiJoin, Capabilities, Dialect, Exactness};
pub use error::{DbError, DbErrorKind};
pub use url::{DatabaseUrl, UrlError};
