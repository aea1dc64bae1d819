//! PostgreSQL, from version 12 on.
//!
//! One file per concern, with the same names as in the other dialects' folders: [`connect`](self::connect) opens a
//! session, `inspect` reads the catalog, `types` classifies types, `read` and `write` carry rows, `lookup` finds them
//! by key, `numbering` keeps sequences, `enforcement` defers and suspends foreign keys, `triggers` silences triggers, `error` reads SQLSTATEs,
//! `dialect` writes SQL; `copy` is the bulk path. Here they are put together.

mod bind;
mod catalog_queries;
mod connect;
mod copy;
mod dialect;
mod enforcement;
mod error;
mod evaluate;
mod inspect;
mod lookup;
mod numbering;
mod privileges;
mod read;
mod script;
mod triggers;
mod types;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use relink_model::{Catalog, ForeignKey, Relation, RelationKind, ServerInfo, Value};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Executor as _, PgConnection, SqlSafeStr, Statement as _,
    postgres::PgArguments,
};

pub(crate) use self::connect::connect;
use self::{
    dialect::{PostgresDialect, quote},
    enforcement::EnforcementState,
};
use crate::{
    Access, Connection, DatabaseUrl, DbError, Dialect, InsertTarget, Intent, Lookup, NumberingState, ResultRow,
    TransactionKind, statement::StatementCache,
};

/// See [`crate::dialect_of`].
pub(crate) fn dialect() -> Box<dyn Dialect> {
    Box::new(PostgresDialect::new())
}

/// A PostgreSQL connection.
pub(crate) struct PostgresConnection {
    connection: PgConnection,
    url: DatabaseUrl,
    access: Access,
    dialect: PostgresDialect,
    server: ServerInfo,
    /// `server_version_num`.
    version: i32,
    role: String,
    /// `current_schema()`: relations in it go without their namespace.
    default_namespace: Option<String>,
    transaction: Option<TransactionKind>,
    statements: StatementCache,
    enforcement: EnforcementState,
    /// Savepoints with the state of enforcement at each, which going back to one brings back.
    savepoints: Vec<(String, EnforcementState)>,
}

impl PostgresConnection {
    /// Runs commands without parameters or results, through the simple protocol.
    async fn run(&mut self, sql: impl AsRef<str> + Send) -> Result<(), DbError> {
        let result = sqlx::raw_sql(AssertSqlSafe(sql.as_ref())).execute(&mut self.connection).await;
        result.map(drop).map_err(|error| self.fail(error))
    }

    /// Runs a query that is not kept, and decodes its rows.
    async fn fetch(&mut self, sql: impl SqlSafeStr, arguments: PgArguments) -> Result<Vec<ResultRow>, DbError> {
        let rows = sqlx::query_with(sql, arguments).persistent(false).fetch_all(&mut self.connection).await;
        read::decode_rows(&rows.map_err(|error| self.fail(error))?)
    }

    fn fail(&self, error: sqlx::Error) -> DbError {
        error::convert(error, self.default_namespace.as_deref())
    }

    fn end_transaction(&mut self) {
        self.transaction = None;
        self.enforcement = EnforcementState::default();
        self.savepoints.clear();
    }
}

#[async_trait]
impl Connection for PostgresConnection {
    fn dialect(&self) -> &dyn Dialect {
        &self.dialect
    }

    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn introspect(&mut self) -> Result<Catalog, DbError> {
        self.read_catalog().await
    }

    async fn referenced_from_outside(&mut self, _: &Relation) -> Result<Vec<(Relation, ForeignKey)>, DbError> {
        Ok(Vec::new())
    }

    async fn missing_privileges(&mut self, intent: &Intent<'_>) -> Result<Vec<String>, DbError> {
        self.read_missing_privileges(intent).await
    }

    async fn begin(&mut self, kind: TransactionKind) -> Result<(), DbError> {
        match kind {
            TransactionKind::Write => self.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await?,
            // A policy that filters rows would make orphans of rows whose targets it hides; switched off, such a query
            // fails instead.
            TransactionKind::Snapshot => {
                self.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL row_security = off").await?;
            }
        }
        self.transaction = Some(kind);
        Ok(())
    }

    async fn begin_alone(&mut self, relations: &[&Relation]) -> Result<(), DbError> {
        self.begin(TransactionKind::Write).await?;
        // No query comes before the locks, so that the snapshot is taken when they are held. A foreign table cannot be locked.
        let local = relations.iter().filter(|relation| relation.kind != RelationKind::Foreign);
        let names: Vec<String> = local.map(|relation| self.dialect.quote_relation(&relation.name)).collect();
        let mut script = "SET LOCAL row_security = off".to_owned();
        if !names.is_empty() {
            script = format!("{script}; LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", names.join(", "));
        }
        let locked = self.run(script).await;
        if locked.is_err() {
            // The error at hand says more than one of the way back would.
            let _ = self.rollback().await;
        }
        locked.map_err(|mut error| {
            error.message = format!("the tables concerned cannot be locked: {}", error.message);
            error
        })
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        if self.transaction == Some(TransactionKind::Write) {
            // Also an answer to a transaction that failed before: COMMIT would roll it back and report success.
            self.settle_enforcement().await?;
        }
        self.run("COMMIT").await?;
        self.end_transaction();
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        self.end_transaction();
        self.run("ROLLBACK").await
    }

    async fn savepoint(&mut self, name: &str) -> Result<(), DbError> {
        self.run(format!("SAVEPOINT {}", quote(name))).await?;
        self.savepoints.push((name.to_owned(), self.enforcement.clone()));
        Ok(())
    }

    async fn rollback_to(&mut self, name: &str) -> Result<(), DbError> {
        self.run(format!("ROLLBACK TO SAVEPOINT {}", quote(name))).await?;
        if let Some(index) = self.savepoints.iter().rposition(|(set, _)| set == name) {
            self.savepoints.truncate(index + 1);
            self.enforcement = self.savepoints[index].1.clone();
        }
        Ok(())
    }

    async fn release(&mut self, name: &str) -> Result<(), DbError> {
        self.run(format!("RELEASE SAVEPOINT {}", quote(name))).await?;
        if let Some(index) = self.savepoints.iter().rposition(|(set, _)| set == name) {
            self.savepoints.truncate(index);
        }
        Ok(())
    }

    async fn set_statement_timeout(&mut self, limit: Option<Duration>) -> Result<(), DbError> {
        let milliseconds = limit.map_or(0, |limit| limit.as_millis().max(1));
        self.run(format!("SET LOCAL statement_timeout = {milliseconds}")).await
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
        let result = sqlx::query_with(AssertSqlSafe(sql), bind::arguments(parameters)?)
            .persistent(false)
            .execute(&mut self.connection)
            .await;
        result.map(|result| result.rows_affected()).map_err(|error| self.fail(error))
    }

    async fn execute_script(&mut self, sql: &str) -> Result<(), DbError> {
        self.run_script(sql).await
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<ResultRow>, DbError> {
        self.fetch(AssertSqlSafe(sql), bind::arguments(parameters)?).await
    }

    async fn set_lock_timeout(&mut self, limit: Duration) -> Result<(), DbError> {
        self.run(format!("SET LOCAL lock_timeout = '{}ms'", limit.as_millis().max(1))).await
    }

    async fn result_columns(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        let prepared = (&mut self.connection).prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
        let prepared = prepared.map_err(|error| self.fail(error))?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    async fn insert(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        self.insert_rows(target, rows).await
    }

    async fn insert_bulk(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        self.copy_rows(target, rows).await
    }

    async fn insert_raw(&mut self, target: &InsertTarget, row: &[Value]) -> Result<u64, DbError> {
        self.insert_literals(target, row).await
    }

    fn rows_inserted_whole(&self, _: &InsertTarget) -> Option<usize> {
        // A statement that fails ends the transaction.
        None
    }

    async fn update_by_key(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        self.update_rows(relation, set, key, rows).await
    }

    async fn delete_by_key(
        &mut self,
        relation: &Relation,
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        self.delete_rows(relation, key, rows).await
    }

    async fn delete_all(&mut self, relation: &Relation) -> Result<u64, DbError> {
        self.delete_all_rows(relation).await
    }

    async fn set_null(&mut self, relation: &Relation, columns: &[String]) -> Result<u64, DbError> {
        self.set_columns_null(relation, columns).await
    }

    async fn evaluate(
        &mut self,
        relation: &Relation,
        columns: &[String],
        rows: &[Vec<Value>],
        expressions: &[String],
    ) -> Result<Vec<ResultRow>, DbError> {
        self.evaluate_rows(relation, columns, rows, expressions).await
    }

    async fn lookup(&mut self, lookup: &Lookup<'_>, keys: &[Vec<Value>]) -> Result<Vec<ResultRow>, DbError> {
        self.lookup_rows(lookup, keys).await
    }

    async fn defer(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        self.defer_keys(keys).await
    }

    async fn check_deferred(&mut self) -> Result<(), DbError> {
        self.fire_deferred().await
    }

    async fn suspend(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        self.suspend_keys(keys).await
    }

    async fn resume(&mut self) -> Result<(), DbError> {
        self.resume_keys().await
    }

    async fn disable_triggers(&mut self, relations: &[&Relation]) -> Result<(), DbError> {
        self.silence_triggers(relations).await
    }

    async fn enable_triggers(&mut self) -> Result<(), DbError> {
        self.restore_triggers().await
    }

    async fn numbering(&mut self, relation: &Relation) -> Result<NumberingState, DbError> {
        self.read_numbering(relation).await
    }

    async fn advance_numbering(&mut self, relation: &Relation, rehearsal: bool) -> Result<NumberingState, DbError> {
        self.advance(relation, rehearsal).await
    }

    async fn restore_numbering(&mut self, relation: &Relation, state: &NumberingState) -> Result<(), DbError> {
        self.put_numbering_back(relation, state).await
    }

    async fn is_empty(&mut self) -> Result<bool, DbError> {
        let rows = self.fetch(AssertSqlSafe(catalog_queries::any_relation()), PgArguments::default()).await?;
        Ok(rows == [[Value::Bool(false)]])
    }

    async fn drop_everything(&mut self) -> Result<(), DbError> {
        let rows = self.fetch(AssertSqlSafe(catalog_queries::drop_statements()), PgArguments::default()).await?;
        for statement in rows.iter().flatten() {
            // IF EXISTS: an earlier CASCADE may have taken it along.
            self.run(statement.to_string()).await?;
        }
        Ok(())
    }

    async fn another(&mut self) -> Result<Option<Box<dyn Connection>>, DbError> {
        Ok(Some(connect(&self.url, self.access).await?))
    }

    async fn close(self: Box<Self>) -> Result<(), DbError> {
        let Self { connection, default_namespace, .. } = *self;
        connection.close().await.map_err(|error| error::convert(error, default_namespace.as_deref()))
    }

    /// A database is never created by connecting to it, so there is nothing to discard.
    async fn discard_created(self: Box<Self>) -> Result<(), DbError> {
        self.close().await
    }
}
