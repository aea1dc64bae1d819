//! SQLite, embedded: one file, one writer, foreign keys per connection, types by affinity.

mod connect;
mod ddl;
mod dialect;
mod enforcement;
mod error;
mod evaluate;
mod inspect;
mod lookup;
mod numbering;
mod read;
mod script;
mod tokens;
mod triggers;
mod types;
mod write;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use relink_model::{Catalog, ForeignKey, Relation, ServerInfo, Value};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Executor as _, SqlSafeStr as _, SqliteConnection, Statement as _,
};

use self::{dialect::SqliteDialect, enforcement::Deferral, error::statement_error, triggers::Silenced};
use crate::{
    Access, Connection, DatabaseUrl, DbError, DbErrorKind, Dialect, InsertTarget, Intent, Lookup, NumberingState,
    ResultRow, TransactionKind,
    statement::{SqlBuilder, StatementCache},
};

/// See [`crate::dialect_of`].
pub(crate) fn dialect() -> Box<dyn Dialect> {
    Box::new(SqliteDialect::new())
}

/// Opens a SQLite file.
pub(crate) async fn connect(url: &DatabaseUrl, access: Access) -> Result<Box<dyn Connection>, DbError> {
    let DatabaseUrl::Sqlite { path } = url else {
        return Err(DbError::new(DbErrorKind::Unsupported, format!("{url} is not a SQLite URL")));
    };
    let opened = connect::open(path, access).await?;
    Ok(Box::new(SqliteFile {
        connection: opened.connection,
        dialect: SqliteDialect::new(),
        server: opened.server,
        statements: StatementCache::new(SqlBuilder::Sqlite),
        access,
        created: opened.created.map(Created),
        transaction: None,
        deferral: None,
        silenced: Silenced::default(),
        limit: None,
        until: Arc::default(),
    }))
}

/// A connection to a SQLite file.
struct SqliteFile {
    connection: SqliteConnection,
    dialect: SqliteDialect,
    server: ServerInfo,
    statements: StatementCache,
    access: Access,
    created: Option<Created>,
    transaction: Option<TransactionKind>,
    /// In a write transaction.
    deferral: Option<Deferral>,
    silenced: Silenced,
    /// How long a query may take.
    limit: Option<Duration>,
    /// When the one that runs has to be done: SQLite asks now and then whether to go on.
    until: Arc<Mutex<Option<Instant>>>,
}

/// Steps of SQLite's machine after which it asks whether to go on: some milliseconds.
const PROGRESS_OPERATIONS: i32 = 100_000;

/// A file that this connection created. Unless something is kept in it, it goes when the connection does, also where that is dropped
/// because the program was interrupted.
struct Created(PathBuf);

impl Drop for Created {
    fn drop(&mut self) {
        // There is nobody left to tell; an empty file is all that stays.
        let _ = connect::remove(&self.0);
    }
}

impl SqliteFile {
    fn keep_created(&mut self) {
        // Forgotten, not dropped: the file stays.
        std::mem::forget(self.created.take());
    }

    /// Runs one or several statements without parameters.
    async fn run(&mut self, sql: &str) -> Result<(), DbError> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map(|_| ()).map_err(statement_error)
    }

    /// After the transaction ended: SQLite has ended deferral by itself, writing is ours to allow again.
    async fn ended(&mut self) -> Result<(), DbError> {
        self.deferral = None;
        self.silenced = Silenced::default();
        if self.transaction.take() == Some(TransactionKind::Snapshot) && self.access != Access::ReadOnly {
            self.run("PRAGMA query_only = OFF").await?;
        }
        Ok(())
    }

    /// `PRAGMA foreign_keys` does nothing inside a transaction and a script may have switched it off, so it is set right before each
    /// transaction, and read back.
    async fn enforce_foreign_keys(&mut self) -> Result<(), DbError> {
        self.run("PRAGMA foreign_keys = ON").await?;
        match read::query_one(&mut self.connection, "PRAGMA foreign_keys", &[]).await? {
            Some(Value::Int(1)) => Ok(()),
            _ => Err(DbError::new(DbErrorKind::Unsupported, "SQLite does not enforce foreign keys on this connection")),
        }
    }
}

#[async_trait]
impl Connection for SqliteFile {
    fn dialect(&self) -> &dyn Dialect {
        &self.dialect
    }

    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn introspect(&mut self) -> Result<Catalog, DbError> {
        inspect::introspect(&mut self.connection, &self.server).await
    }

    async fn referenced_from_outside(&mut self, _: &Relation) -> Result<Vec<(Relation, ForeignKey)>, DbError> {
        Ok(Vec::new())
    }

    async fn missing_privileges(&mut self, _: &Intent<'_>) -> Result<Vec<String>, DbError> {
        // Whoever may write the file may do everything; connecting has checked that.
        Ok(Vec::new())
    }

    async fn begin(&mut self, kind: TransactionKind) -> Result<(), DbError> {
        match kind {
            TransactionKind::Write => {
                if self.access == Access::ReadOnly {
                    let message = format!("{} is open for reading only", self.server.database);
                    return Err(DbError::new(DbErrorKind::ReadOnly, message));
                }
                self.enforce_foreign_keys().await?;
                self.run("BEGIN IMMEDIATE").await?;
            }
            TransactionKind::Snapshot => self.run("BEGIN").await?,
        }
        let begun = match kind {
            TransactionKind::Write => match Deferral::begin(&mut self.connection).await {
                Ok(deferral) => {
                    self.deferral = Some(deferral);
                    Ok(())
                }
                Err(error) => Err(error),
            },
            // A deferred transaction has no snapshot until its first read.
            TransactionKind::Snapshot => self.run("SELECT 1 FROM sqlite_schema LIMIT 1; PRAGMA query_only = ON").await,
        };
        if begun.is_ok() {
            self.transaction = Some(kind);
        } else {
            // The error at hand says more than one of the way back would.
            let _ = self.run("ROLLBACK").await;
        }
        begun
    }

    async fn begin_alone(&mut self, _relations: &[&Relation]) -> Result<(), DbError> {
        self.begin(TransactionKind::Write).await
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        self.enable_triggers().await?;
        self.run("COMMIT").await?;
        self.keep_created();
        self.ended().await
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        self.run("ROLLBACK").await?;
        self.ended().await
    }

    async fn savepoint(&mut self, name: &str) -> Result<(), DbError> {
        write::savepoint(&mut self.connection, "SAVEPOINT", name).await?;
        self.silenced.savepoint(name);
        Ok(())
    }

    async fn rollback_to(&mut self, name: &str) -> Result<(), DbError> {
        write::savepoint(&mut self.connection, "ROLLBACK TO", name).await?;
        self.silenced.rolled_back_to(name);
        Ok(())
    }

    async fn release(&mut self, name: &str) -> Result<(), DbError> {
        write::savepoint(&mut self.connection, "RELEASE", name).await?;
        self.silenced.released(name);
        Ok(())
    }

    async fn set_statement_timeout(&mut self, limit: Option<Duration>) -> Result<(), DbError> {
        self.limit = limit;
        let mut handle = self.connection.lock_handle().await.map_err(statement_error)?;
        match limit {
            Some(_) => {
                let until = Arc::clone(&self.until);
                let goes_on = move || until.lock().is_ok_and(|until| until.is_none_or(|until| Instant::now() < until));
                handle.set_progress_handler(PROGRESS_OPERATIONS, goes_on);
            }
            None => handle.remove_progress_handler(),
        }
        Ok(())
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
        let query = sqlx::query_with(AssertSqlSafe(sql), read::arguments(parameters.iter())?).persistent(false);
        let done = query.execute(&mut self.connection).await.map_err(statement_error)?;
        Ok(done.rows_affected())
    }

    async fn execute_script(&mut self, sql: &str) -> Result<(), DbError> {
        if self.deferral.is_none() {
            // No transaction is open that a script's own could end.
            return self.run(sql).await;
        }
        for script::Statement { sql, line } in script::statements(sql)? {
            self.run(sql).await.map_err(|mut error| {
                error.detail = Some(format!("the statement begins at line {line} of the script"));
                error
            })?;
        }
        Ok(())
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<ResultRow>, DbError> {
        let Some(limit) = self.limit else {
            return read::query(&mut self.connection, sql, read::arguments(parameters.iter())?).await;
        };
        if let Ok(mut until) = self.until.lock() {
            *until = Some(Instant::now() + limit);
        }
        let result = read::query(&mut self.connection, sql, read::arguments(parameters.iter())?).await;
        let ended = if let Ok(mut until) = self.until.lock() { until.take() } else { None };
        // SQLite only says that it was interrupted.
        match (result, ended) {
            (Err(error), Some(until)) if Instant::now() >= until => {
                Err(DbError::new(error.kind, format!("the statement took longer than {limit:?}")))
            }
            (result, _) => result,
        }
    }

    async fn result_columns(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        let prepared = (&mut self.connection).prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
        let prepared = prepared.map_err(statement_error)?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    async fn insert(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        write::insert(&mut self.connection, &self.dialect, &mut self.statements, target, rows).await
    }

    async fn insert_bulk(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        self.insert(target, rows).await
    }

    async fn insert_raw(&mut self, target: &InsertTarget, row: &[Value]) -> Result<u64, DbError> {
        write::insert_literals(&mut self.connection, &self.dialect, &mut self.statements, target, row).await
    }

    fn rows_inserted_whole(&self, target: &InsertTarget) -> Option<usize> {
        Some(write::chunk_rows(&self.dialect, target))
    }

    async fn update_by_key(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        write::update_by_key(&mut self.connection, &self.dialect, relation, set, key, rows).await
    }

    async fn delete_by_key(
        &mut self,
        relation: &Relation,
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        lookup::delete(&mut self.connection, &self.dialect, relation, key, rows).await
    }

    async fn delete_all(&mut self, relation: &Relation) -> Result<u64, DbError> {
        write::delete_all(&mut self.connection, &self.dialect, relation).await
    }

    async fn set_null(&mut self, relation: &Relation, columns: &[String]) -> Result<u64, DbError> {
        write::set_null(&mut self.connection, &self.dialect, relation, columns).await
    }

    async fn evaluate(
        &mut self,
        relation: &Relation,
        columns: &[String],
        rows: &[Vec<Value>],
        expressions: &[String],
    ) -> Result<Vec<ResultRow>, DbError> {
        evaluate::evaluate(&mut self.connection, &self.dialect, relation, columns, rows, expressions).await
    }

    async fn lookup(&mut self, lookup: &Lookup<'_>, keys: &[Vec<Value>]) -> Result<Vec<ResultRow>, DbError> {
        lookup::lookup(&mut self.connection, &self.dialect, lookup, keys).await
    }

    async fn defer(&mut self, _keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        // The pragma knows all keys or none, and nothing outside a transaction.
        match &mut self.deferral {
            Some(deferral) => deferral.defer(&mut self.connection).await,
            None => Err(DbError::new(DbErrorKind::Unsupported, "foreign keys are deferred inside a transaction only")),
        }
    }

    async fn check_deferred(&mut self) -> Result<(), DbError> {
        match &mut self.deferral {
            Some(deferral) => deferral.check(&mut self.connection).await,
            None => Ok(()),
        }
    }

    async fn suspend(&mut self, _keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        Err(enforcement::cannot_suspend())
    }

    async fn resume(&mut self) -> Result<(), DbError> {
        Err(enforcement::cannot_suspend())
    }

    async fn disable_triggers(&mut self, relations: &[&Relation]) -> Result<(), DbError> {
        if self.transaction != Some(TransactionKind::Write) {
            let message = "triggers are disabled inside a write transaction only";
            return Err(DbError::new(DbErrorKind::Unsupported, message));
        }
        self.silenced.drop_triggers(&mut self.connection, relations).await
    }

    async fn enable_triggers(&mut self) -> Result<(), DbError> {
        self.silenced.create_triggers(&mut self.connection).await
    }

    async fn numbering(&mut self, relation: &Relation) -> Result<NumberingState, DbError> {
        numbering::state(&mut self.connection, relation).await
    }

    async fn advance_numbering(&mut self, relation: &Relation, _rehearsal: bool) -> Result<NumberingState, DbError> {
        numbering::advance(&mut self.connection, relation).await
    }

    async fn restore_numbering(&mut self, _relation: &Relation, _state: &NumberingState) -> Result<(), DbError> {
        // `sqlite_sequence` is a table, and rolled back with the rest.
        Ok(())
    }

    async fn is_empty(&mut self) -> Result<bool, DbError> {
        inspect::is_empty(&mut self.connection).await
    }

    async fn drop_everything(&mut self) -> Result<(), DbError> {
        // Dropping a referenced table deletes its rows first, which would violate the keys of tables that are to go next.
        self.run("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE").await?;
        let dropped = match inspect::drop_statements(&mut self.connection).await {
            Ok(statements) => self.run(&statements.join(";")).await,
            Err(error) => Err(error),
        };
        let ended = self.run(if dropped.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
        self.run("PRAGMA foreign_keys = ON").await?;
        dropped.and(ended)
    }

    async fn another(&mut self) -> Result<Option<Box<dyn Connection>>, DbError> {
        Ok(None)
    }

    async fn close(mut self: Box<Self>) -> Result<(), DbError> {
        self.keep_created();
        self.connection.close().await.map_err(statement_error)
    }

    async fn discard_created(self: Box<Self>) -> Result<(), DbError> {
        let Self { connection, created, .. } = *self;
        connection.close().await.map_err(statement_error)?;
        created.map_or(Ok(()), |created| connect::remove(&created.0))
    }
}
