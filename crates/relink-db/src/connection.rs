//! One connection with at most one open transaction, as the engines see it.

use async_trait::async_trait;
use relink_model::{Catalog, Column, ColumnType, ForeignKey, Relation, RelationName, ServerInfo, Value};

use crate::{DatabaseUrl, DbError, Dialect};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only; an SQLite file is opened read-only and must exist.
    ReadOnly,
    /// Reading and writing; an SQLite file must exist.
    ReadWrite,
    /// As `ReadWrite`, and a missing SQLite file is created (see [`Connection::discard_created`]).
    Create,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionKind {
    /// Reads and writes. SQLite takes the write lock at once (`BEGIN IMMEDIATE`).
    Write,
    /// One consistent snapshot for every query until the end, without any write
    /// (PostgreSQL `REPEATABLE READ READ ONLY`, InnoDB `WITH CONSISTENT SNAPSHOT, READ ONLY`, one SQLite read transaction).
    Snapshot,
}

/// One row of a query's result.
pub type ResultRow = Vec<Value>;

/// A column that an insert writes.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertColumn {
    /// The column's name.
    pub name: String,
    /// Its type; decides how the parameter is declared and cast.
    pub data_type: ColumnType,
}

impl From<&Column> for InsertColumn {
    fn from(column: &Column) -> Self {
        Self { name: column.name.clone(), data_type: column.data_type.clone() }
    }
}

/// Where an insert goes: a relation and the columns written. Statements are built once per target and number of
/// rows, then reused.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertTarget {
    /// The relation.
    pub relation: RelationName,
    /// The columns in the order of the rows' values.
    pub columns: Vec<InsertColumn>,
    /// One of the columns is `GENERATED ALWAYS AS IDENTITY`: insert `OVERRIDING SYSTEM VALUE`.
    pub overrides_identity: bool,
}

/// Which rows to look up: `select` of the rows whose `match_columns` equal one of the given keys.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The relation.
    pub relation: &'a Relation,
    /// The columns compared, under the column's own collation. A NULL in a key matches NULL.
    pub match_columns: &'a [String],
    /// The columns returned after the match columns.
    pub select: &'a [String],
}

/// The state of the counter behind a numbered column, so that it can be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberingState {
    /// The value that the database would hand out next; `None` where it keeps no counter (SQLite without AUTOINCREMENT).
    pub next: Option<i64>,
}

/// A connection. Every method is one or a few statements; none of them grows in number with the rows or relations concerned,
/// except where it says so.
#[async_trait]
pub trait Connection: Send {
    /// The dialect, settled when the connection was made (it knows MariaDB from MySQL, and the version).
    fn dialect(&self) -> &dyn Dialect;

    /// Which server answered.
    fn server(&self) -> &ServerInfo;

    /// Reads the whole catalog with a fixed number of queries. System relations, views and partitions (their roots
    /// stand for them) are left out.
    async fn introspect(&mut self) -> Result<Catalog, DbError>;

    /// The rights that are missing to insert into and read `inserted`, to update `updated` (some of them), and to set the counters of
    /// both, one readable line each (`no INSERT on auth_user for role app`); empty where nothing is missing or the database
    /// cannot tell.
    async fn missing_privileges(
        &mut self,
        inserted: &[&Relation],
        updated: &[&Relation],
    ) -> Result<Vec<String>, DbError>;

    /// Opens a transaction. Session settings that exactness needs (strict mode, UTC, foreign keys on, ...) are in force.
    async fn begin(&mut self, kind: TransactionKind) -> Result<(), DbError>;
    /// Commits the open transaction.
    async fn commit(&mut self) -> Result<(), DbError>;
    /// Rolls the open transaction back.
    async fn rollback(&mut self) -> Result<(), DbError>;
    /// Sets a savepoint.
    async fn savepoint(&mut self, name: &str) -> Result<(), DbError>;
    /// Rolls back to a savepoint, which stays set.
    async fn rollback_to(&mut self, name: &str) -> Result<(), DbError>;
    /// Forgets a savepoint.
    async fn release(&mut self, name: &str) -> Result<(), DbError>;

    /// Runs one statement with parameters (placeholders from [`Dialect::placeholder`]); returns the rows affected.
    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DbError>;

    /// Runs a script of several statements without parameters.
    async fn execute_script(&mut self, sql: &str) -> Result<(), DbError>;

    /// Runs a query. Every result column must be of a type with a native [`Value`] (boolean, integers, floats, text,
    /// bytes); wrap others in [`Dialect::read_expression`].
    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<ResultRow>, DbError>;

    /// Inserts rows with as few multi-row statements as the parameter limit allows. When one fails, the
    /// rows of earlier statements of this call may have been written: callers set a savepoint.
    async fn insert(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError>;

    /// How many rows one call of [`Self::insert`] writes whole or not at all, where a call that fails leaves the transaction as it was before: no
    /// savepoint is needed around so many. `None` where one always is.
    fn rows_inserted_whole(&self, target: &InsertTarget) -> Option<usize>;

    /// Sets columns of rows named by key: each of `rows` holds the values of `set`, then those of `key`. One statement per row.
    /// Returns the rows affected (matched) in all.
    async fn update_by_key(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError>;

    /// The rows that match the keys: match columns first, then the selected ones. A handful of queries, however many keys.
    async fn lookup(&mut self, lookup: &Lookup<'_>, keys: &[Vec<Value>]) -> Result<Vec<ResultRow>, DbError>;

    /// Defers these constraints until [`Self::check_deferred`]: `SET CONSTRAINTS`, SQLite `defer_foreign_keys`; where the owner may, a
    /// constraint that is not deferrable is made so first (PostgreSQL `ALTER CONSTRAINT`).
    async fn defer(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError>;

    /// Makes deferred constraints fire now, and puts constraints that [`Self::defer`] made deferrable back as they were.
    async fn check_deferred(&mut self) -> Result<(), DbError>;

    /// Switches enforcement of these foreign keys off for the transaction, without superuser: MySQL `foreign_key_checks`;
    /// PostgreSQL drops the constraints and keeps their exact definitions.
    async fn suspend(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError>;

    /// Ends [`Self::suspend`]; PostgreSQL adds the constraints back, which validates them. On MySQL the caller re-validates.
    async fn resume(&mut self) -> Result<(), DbError>;

    /// The counter behind a relation's numbered column.
    async fn numbering(&mut self, relation: &Relation) -> Result<NumberingState, DbError>;

    /// Puts the counter behind a relation's numbered column past the highest value in the column, never lower than it is, and returns
    /// the state read back. With `rehearsal`, whatever a rollback would not undo is left out.
    async fn advance_numbering(&mut self, relation: &Relation, rehearsal: bool) -> Result<NumberingState, DbError>;

    /// Outside a transaction, after a rollback: puts a counter back that the rolled-back inserts moved (InnoDB's
    /// `AUTO_INCREMENT`), never below the highest value in the column. Does nothing where a rollback already did.
    async fn restore_numbering(&mut self, relation: &Relation, state: &NumberingState) -> Result<(), DbError>;

    /// Whether the database holds no relation at all.
    async fn is_empty(&mut self) -> Result<bool, DbError>;

    /// Drops every relation: the way back when a schema script ran on a database that was empty and cannot be rolled back.
    async fn drop_everything(&mut self) -> Result<(), DbError>;

    /// Closes the connection.
    async fn close(self: Box<Self>) -> Result<(), DbError>;

    /// Closes the connection and removes the database file if [`Access::Create`] made it (after a dry run or a failure).
    async fn discard_created(self: Box<Self>) -> Result<(), DbError>;
}

/// Connects.
pub async fn connect(url: &DatabaseUrl, access: Access) -> Result<Box<dyn Connection>, DbError> {
    match url {
        DatabaseUrl::Sqlite { .. } => crate::sqlite::connect(url, access).await,
        DatabaseUrl::Postgres { .. } => crate::postgres::connect(url, access).await,
        DatabaseUrl::MySql { .. } => crate::mysql::connect(url, access).await,
    }
}
