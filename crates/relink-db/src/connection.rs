//! One connection with at most one open transaction, as the engines see it.

use std::time::Duration;

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
    /// An SQL condition that rows must meet as well, over the relation's unqualified columns: a partial index's predicate. It is given to the
    /// server as it stands.
    pub predicate: Option<&'a str>,
    /// SQL expressions over the relation's unqualified columns that are compared, and returned, in place of `match_columns`: the parts of
    /// an expression index, each under its own type and collation. Keys are what [`Connection::evaluate`] gives for them.
    pub match_expressions: Option<&'a [String]>,
}

impl<'a> Lookup<'a> {
    /// A lookup by columns, of rows of every kind.
    pub fn new(relation: &'a Relation, match_columns: &'a [String], select: &'a [String]) -> Self {
        Self { relation, match_columns, select, predicate: None, match_expressions: None }
    }
}

/// What is to be done to relations. One relation may stand in several lists.
#[derive(Clone, Copy, Debug, Default)]
pub struct Intent<'a> {
    /// Rows are read, and no more.
    pub read: &'a [&'a Relation],
    /// Rows are inserted.
    pub inserted: &'a [&'a Relation],
    /// Rows are updated, in any column.
    pub updated: &'a [&'a Relation],
    /// Rows are deleted.
    pub deleted: &'a [&'a Relation],
}

impl<'a> Intent<'a> {
    /// Every relation concerned, once, in the order of the lists, with the rights that it takes beside SELECT, in the order INSERT, UPDATE, DELETE.
    pub(crate) fn needed(&self) -> Vec<(&'a Relation, Vec<&'static str>)> {
        let mut needed: Vec<(&Relation, Vec<&str>)> = Vec::new();
        let lists = [
            (self.read, None),
            (self.inserted, Some("INSERT")),
            (self.updated, Some("UPDATE")),
            (self.deleted, Some("DELETE")),
        ];
        for (relations, right) in lists {
            for relation in relations {
                match needed.iter_mut().find(|(other, _)| other.name == relation.name) {
                    Some((_, rights)) => rights.extend(right.filter(|right| !rights.contains(right))),
                    None => needed.push((relation, right.into_iter().collect())),
                }
            }
        }
        needed
    }
}

/// The name of the table in which relink keeps the journal of a load that commits in parts. Whatever bears a name that begins so is relink's own
/// and no relation of the catalog's.
pub const JOURNAL: &str = "relink_journal";

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

    /// The foreign keys through which tables that [`Self::introspect`] leaves out refer to this relation: tables of other databases of the server (MySQL),
    /// as far as the role may know of them.
    async fn referenced_from_outside(&mut self, relation: &Relation) -> Result<Vec<(Relation, ForeignKey)>, DbError>;

    /// The rights that are missing for what is intended, one readable line each (`no INSERT on auth_user for role app`), those to set the counters
    /// of relations inserted into among them; empty where nothing is missing or the database cannot tell. Every relation named is also read.
    async fn missing_privileges(&mut self, intent: &Intent<'_>) -> Result<Vec<String>, DbError>;

    /// Opens a transaction. Session settings that exactness needs (strict mode, UTC, foreign keys on, ...) are in force.
    async fn begin(&mut self, kind: TransactionKind) -> Result<(), DbError>;
    /// Opens a transaction for writes in which what was read stays true until the end: nobody else changes rows of these relations from the first read
    /// on, and what others were changing before is waited for. Ends with [`DbErrorKind::Contention`](crate::DbErrorKind::Contention), there or at a later
    /// statement, where that cannot be had. Policies that would hide rows make a query fail.
    ///
    /// PostgreSQL locks the relations (`SHARE ROW EXCLUSIVE`) before its snapshot. InnoDB's `SERIALIZABLE` locks whatever is read, the relations or others,
    /// so that a read waits where another transaction has written. SQLite has one writer at a time.
    async fn begin_alone(&mut self, relations: &[&Relation]) -> Result<(), DbError>;
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

    /// Ends every statement that takes longer than this, until another limit is set; `None`: statements may take as long as they need. Ends with the
    /// transaction at the latest.
    async fn set_statement_timeout(&mut self, limit: Option<Duration>) -> Result<(), DbError>;

    /// Ends statements that wait longer than this for another session's lock, until the end of the transaction. Of use where whoever alters a table locks it
    /// against readers, too (PostgreSQL); elsewhere it does nothing.
    async fn set_lock_timeout(&mut self, limit: Duration) -> Result<(), DbError> {
        let _ = limit;
        Ok(())
    }

    /// Runs one statement with parameters (placeholders from [`Dialect::placeholder`]); returns the rows affected.
    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DbError>;

    /// Runs a script of several statements without parameters.
    async fn execute_script(&mut self, sql: &str) -> Result<(), DbError>;

    /// Runs a query. Every result column must be of a type with a native [`Value`] (boolean, integers, floats, text,
    /// bytes); wrap others in [`Dialect::read_expression`].
    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<ResultRow>, DbError>;

    /// The names of the columns that a query answers, without running it.
    async fn result_columns(&mut self, sql: &str) -> Result<Vec<String>, DbError>;

    /// Inserts rows with as few multi-row statements as the parameter limit allows. When one fails, the
    /// rows of earlier statements of this call may have been written: callers set a savepoint.
    async fn insert(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError>;

    /// Inserts rows the fastest way that the database has: PostgreSQL's `COPY`, which fires triggers and checks constraints as an insert does;
    /// [`Self::insert`] where [`Capabilities::bulk_load`](crate::Capabilities::bulk_load) is false. The stored values are those that `insert` stores, and explicit values go
    /// into identity columns either way. When it fails, callers go back to a savepoint, as for `insert`. [`DbErrorKind::Unsupported`](crate::DbErrorKind::Unsupported): the
    /// relation cannot be loaded so (row-level security; a rule on INSERT, which COPY would pass by), though `insert` may.
    async fn insert_bulk(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError>;

    /// Inserts one row with a statement of its own, its values written as SQL literals with their types: what is left to try when a row is
    /// refused by a prepared statement. Values that [`Self::insert`] would refuse are refused.
    async fn insert_raw(&mut self, target: &InsertTarget, row: &[Value]) -> Result<u64, DbError>;

    /// How many rows one call of [`Self::insert`] writes whole or not at all, where a call that fails leaves the transaction as it was before: no
    /// savepoint is needed around so many. `None` where one always is.
    fn rows_inserted_whole(&self, target: &InsertTarget) -> Option<usize>;

    /// Sets columns of rows named by key: each of `rows` holds the values of `set`, then those of `key`, whose NULL parts match
    /// NULL. Few statements, however many rows; no row of a relation that inherits from this one is touched. Values are read
    /// and refused as [`Self::insert`] does. When one fails, the rows of earlier statements of this call may have been changed: callers set a
    /// savepoint. No two of `rows` may name the same row: which of them wins is not settled, and the row counts once.
    /// Returns the rows that matched, changed or not.
    async fn update_by_key(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError>;

    /// Deletes the rows named by key, a NULL part matching NULL, in few statements; rows that inherit from the relation stay. A failure leaves what
    /// it leaves in [`Self::update_by_key`]. Returns the rows deleted, without those that a foreign key's `ON DELETE CASCADE` took along.
    async fn delete_by_key(&mut self, relation: &Relation, key: &[String], rows: &[Vec<Value>])
    -> Result<u64, DbError>;

    /// Deletes every row of the relation's own with one `DELETE`, which rolls back, fires triggers and keeps foreign keys. Returns the rows deleted.
    async fn delete_all(&mut self, relation: &Relation) -> Result<u64, DbError>;

    /// Makes these columns NULL in every row of the relation's own. Returns the rows in which one of them was not.
    async fn set_null(&mut self, relation: &Relation, columns: &[String]) -> Result<u64, DbError>;

    /// Evaluates SQL expressions (an index's predicate or parts, a condition) over rows that need not be in the relation: each of `rows`
    /// holds the values of `columns`, and every other column of the relation is NULL, generated ones among them. An expression sees columns of the relation's own types and
    /// collations, and its answer is the one that the relation's index would go by.
    ///
    /// One result row for each row, in order, with the value of each expression: booleans as [`Value::Bool`] or [`Value::Int`], numbers, text and bytes as
    /// themselves, and everything else as text. An expression that is wrong is an error, and ends the transaction where errors do; the expressions run on the server as
    /// they stand. The values are to be such as the columns hold: what becomes of others is left to the database (an error, or NULL).
    async fn evaluate(
        &mut self,
        relation: &Relation,
        columns: &[String],
        rows: &[Vec<Value>],
        expressions: &[String],
    ) -> Result<Vec<ResultRow>, DbError>;

    /// The rows that match the keys: match columns or expressions first, then the selected columns. A handful of queries, however many keys.
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

    /// Keeps the triggers of these relations from firing, those of their partitions and rewrite rules included, until
    /// [`Self::enable_triggers`], the end of the transaction, or the way back to an earlier savepoint. PostgreSQL disables them, which the owner may, and not
    /// while deferred constraints wait on the relation; SQLite drops them. Inside a write transaction only.
    async fn disable_triggers(&mut self, relations: &[&Relation]) -> Result<(), DbError>;

    /// Puts back the triggers that [`Self::disable_triggers`] switched off, each in the state in which it was. On PostgreSQL deferred constraints
    /// fire first, for triggers cannot change while some wait. A commit does this if it was not done before.
    async fn enable_triggers(&mut self) -> Result<(), DbError>;

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

    /// Another connection to the same database, with the same access; `None` where a database takes one writer at a time (SQLite).
    async fn another(&mut self) -> Result<Option<Box<dyn Connection>>, DbError>;

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

/// The dialect of the server from which a catalog was read, away from any connection; `None` where that was no server.
pub fn dialect_of(server: &ServerInfo) -> Option<Box<dyn Dialect>> {
    match server.product.as_str() {
        "SQLite" => Some(crate::sqlite::dialect()),
        "PostgreSQL" => Some(crate::postgres::dialect()),
        "MariaDB" | "MySQL" => Some(crate::mysql::dialect(&server.version)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_needs_the_rights_of_every_list_that_it_stands_in() {
        let relation = |name: &str| Relation { name: RelationName::new(name), ..Relation::default() };
        let (a, b) = (relation("a"), relation("b"));
        let intent = Intent { read: &[], inserted: &[&a, &a], updated: &[&b, &a], deleted: &[&b] };
        let needed: Vec<_> =
            intent.needed().into_iter().map(|(relation, rights)| (&relation.name.name, rights)).collect();
        assert_eq!(needed, [(&a.name.name, vec!["INSERT", "UPDATE"]), (&b.name.name, vec!["UPDATE", "DELETE"])]);
    }
}
