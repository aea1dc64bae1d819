//! Statements on the wire: prepared ones, which everything with parameters or results goes through, and plain text for
//! the rest.

use std::sync::Arc;

use futures_util::TryStreamExt;
use relink_model::Value;
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Executor as _, SqlSafeStr as _, Statement as _,
    mysql::{MySqlArguments, MySqlConnection},
};

use super::{
    error::{from_connecting, from_sqlx},
    read, write,
};
use crate::{DbError, DbErrorKind, ResultRow};

/// Prepared statements kept open at most.
const STATEMENTS_MAX: usize = 200;
/// Parameters of all prepared statements together at most: the server keeps some hundred bytes for each.
const PARAMETERS_MAX: usize = 200_000;

/// A connection and its prepared statements.
///
/// The driver sends the closing of a statement on its own, unanswered, and without `TCP_NODELAY`: the packet after it waits
/// for the server's delayed acknowledgement, some 40 ms. So statements are not closed one by one as the driver would, but
/// all at once, when they have become many.
pub(super) struct Session {
    connection: MySqlConnection,
    parameters: usize,
    transaction: Transaction,
}

/// What this side knows of the transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// The server rolled it back after a deadlock or a lock that was not had in time. It says so once; a statement sent after
    /// that would be a transaction of its own, and commit.
    Gone,
}

impl Session {
    /// Connects.
    pub(super) async fn connect(options: &sqlx::mysql::MySqlConnectOptions) -> Result<Self, DbError> {
        // Far above what is kept, so that the driver never closes one itself.
        let options = options.clone().statement_cache_capacity(STATEMENTS_MAX * 4);
        let connection = MySqlConnection::connect_with(&options).await.map_err(from_connecting)?;
        Ok(Self { connection, parameters: 0, transaction: Transaction::None })
    }

    /// Closes the connection.
    pub(super) async fn close(self) -> Result<(), DbError> {
        self.connection.close().await.map_err(from_sqlx)
    }

    /// Begins a transaction with this statement.
    pub(super) async fn begin(&mut self, sql: &str) -> Result<(), DbError> {
        self.run(sql).await?;
        self.transaction = Transaction::Open;
        Ok(())
    }

    /// Whether a transaction was begun and not ended.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.transaction != Transaction::None
    }

    /// Commits.
    pub(super) async fn commit(&mut self) -> Result<(), DbError> {
        self.run("COMMIT").await?;
        self.transaction = Transaction::None;
        Ok(())
    }

    /// Rolls back, be it what the server has rolled back already.
    pub(super) async fn rollback(&mut self) -> Result<(), DbError> {
        self.transaction = Transaction::None;
        self.run("ROLLBACK").await.map(drop)
    }

    /// Runs one or more statements without parameters, and returns the rows affected. They are not prepared: some that concern
    /// transactions cannot be.
    pub(super) async fn run(&mut self, sql: &str) -> Result<u64, DbError> {
        self.require_transaction()?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection).await;
        Ok(done.map_err(|error| self.failed(error))?.rows_affected())
    }

    /// Runs a statement with parameters and returns the rows affected.
    pub(super) async fn execute(
        &mut self,
        sql: impl Into<Arc<str>>,
        arguments: MySqlArguments,
    ) -> Result<u64, DbError> {
        let parameters = sqlx::Arguments::len(&arguments);
        let before = self.make_room(parameters).await?;
        let query = sqlx::query_with(AssertSqlSafe(sql.into()), arguments);
        let done = query.execute(&mut self.connection).await;
        self.count(before, parameters);
        Ok(done.map_err(|error| self.failed(error))?.rows_affected())
    }

    /// Runs a query. It is prepared even without parameters: in the text protocol a FLOAT is printed with six digits, which
    /// is not what it holds.
    pub(super) async fn fetch(
        &mut self,
        sql: impl Into<Arc<str>>,
        arguments: MySqlArguments,
    ) -> Result<Vec<ResultRow>, DbError> {
        let parameters = sqlx::Arguments::len(&arguments);
        let before = self.make_room(parameters).await?;
        let query = sqlx::query_with(AssertSqlSafe(sql.into()), arguments);
        let mut rows = query.fetch(&mut self.connection);
        let mut decoded = Vec::new();
        let result = loop {
            match rows.try_next().await {
                Ok(Some(row)) => decoded.push(read::decode_row(&row)),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(rows);
        self.count(before, parameters);
        result.map_err(|error| self.failed(error))?;
        decoded.into_iter().collect()
    }

    /// Runs a query with values of which only themselves are known.
    pub(super) async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<ResultRow>, DbError> {
        self.fetch(sql, write::arguments(parameters)).await
    }

    /// The names of the columns that a query answers.
    pub(super) async fn result_columns(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        let before = self.make_room(0).await?;
        let prepared = (&mut self.connection).prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
        self.count(before, 0);
        let prepared = prepared.map_err(|error| self.failed(error))?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    /// Refuses a statement that would no longer belong to the transaction that it is meant for.
    fn require_transaction(&self) -> Result<(), DbError> {
        if self.transaction == Transaction::Gone {
            return Err(DbError::new(DbErrorKind::Contention, "the server has rolled the transaction back"));
        }
        Ok(())
    }

    fn failed(&mut self, error: sqlx::Error) -> DbError {
        let error = from_sqlx(error);
        // A lock wait timeout takes the whole transaction along only where the server is set so; it is not worth telling apart.
        if error.kind == DbErrorKind::Contention && self.transaction == Transaction::Open {
            self.transaction = Transaction::Gone;
        }
        error
    }

    /// Before a prepared statement: closes all that are open if one more might be too many; returns how many are open.
    async fn make_room(&mut self, parameters: usize) -> Result<usize, DbError> {
        self.require_transaction()?;
        let open = self.connection.cached_statements_size();
        if open < STATEMENTS_MAX && self.parameters + parameters <= PARAMETERS_MAX {
            return Ok(open);
        }
        self.connection.clear_cached_statements().await.map_err(from_sqlx)?;
        self.parameters = 0;
        Ok(0)
    }

    /// Counts the parameters of a statement that was prepared just now.
    fn count(&mut self, open_before: usize, parameters: usize) {
        if self.connection.cached_statements_size() > open_before {
            self.parameters += parameters;
        }
    }
}
