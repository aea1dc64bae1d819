//! MySQL and MariaDB, through sqlx's driver for them.
//!
//! One module per concern, under the same names as in the other dialects; what they share is [`MySqlDatabase`]. How the two
//! products differ is asked of [`dialect::MySqlDialect`] alone.

mod connect;
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
mod session;
mod types;
mod write;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use relink_model::{Catalog, ForeignKey, Relation, ServerInfo, Value};

use self::{dialect::MySqlDialect, script::Routine, session::Session};
use crate::{
    Access, Connection, DatabaseUrl, DbError, Dialect, InsertTarget, Intent, Lookup, NumberingState, ResultRow,
    TransactionKind, statement::StatementCache,
};

/// See [`crate::dialect_of`].
pub(crate) fn dialect(version: &str) -> Box<dyn Dialect> {
    Box::new(MySqlDialect::new(version, ""))
}

/// Connects.
pub(crate) async fn connect(url: &DatabaseUrl, access: Access) -> Result<Box<dyn Connection>, DbError> {
    Ok(Box::new(connect::connect(url, access).await?))
}

/// A connection to one database of a server.
struct MySqlDatabase {
    session: Session,
    dialect: MySqlDialect,
    server: ServerInfo,
    url: DatabaseUrl,
    access: Access,
    /// The server's `max_allowed_packet`.
    packet_bytes_max: usize,
    statements: StatementCache,
    /// Whether foreign keys are switched off.
    suspended: bool,
    /// The routines that were there when the database was found empty of relations.
    routines_before: Option<BTreeSet<Routine>>,
}

#[async_trait]
impl Connection for MySqlDatabase {
    fn dialect(&self) -> &dyn Dialect {
        &self.dialect
    }

    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn introspect(&mut self) -> Result<Catalog, DbError> {
        self.read_catalog().await
    }

    async fn referenced_from_outside(&mut self, relation: &Relation) -> Result<Vec<(Relation, ForeignKey)>, DbError> {
        self.read_references_from_outside(relation).await
    }

    async fn missing_privileges(&mut self, intent: &Intent<'_>) -> Result<Vec<String>, DbError> {
        self.privileges_missing(intent).await
    }

    async fn begin(&mut self, kind: TransactionKind) -> Result<(), DbError> {
        let sql = match kind {
            TransactionKind::Write => "START TRANSACTION",
            TransactionKind::Snapshot => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        };
        self.session.begin(sql).await
    }

    async fn begin_alone(&mut self, _relations: &[&Relation]) -> Result<(), DbError> {
        // Of the next transaction only.
        self.session.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").await?;
        self.begin(TransactionKind::Write).await
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        self.session.commit().await?;
        self.resume_foreign_keys().await
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        self.session.rollback().await?;
        self.resume_foreign_keys().await
    }

    async fn savepoint(&mut self, name: &str) -> Result<(), DbError> {
        self.session.run(&format!("SAVEPOINT {}", self.dialect.quote(name))).await.map(drop)
    }

    async fn rollback_to(&mut self, name: &str) -> Result<(), DbError> {
        self.session.run(&format!("ROLLBACK TO SAVEPOINT {}", self.dialect.quote(name))).await.map(drop)
    }

    async fn release(&mut self, name: &str) -> Result<(), DbError> {
        self.session.run(&format!("RELEASE SAVEPOINT {}", self.dialect.quote(name))).await.map(drop)
    }

    async fn set_statement_timeout(&mut self, limit: Option<Duration>) -> Result<(), DbError> {
        let statement = self.dialect.statement_timeout(limit);
        self.session.run(&statement).await.map(drop)
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
        if parameters.is_empty() {
            return self.session.run(sql).await;
        }
        self.session.execute(sql, write::arguments(parameters)).await
    }

    async fn execute_script(&mut self, sql: &str) -> Result<(), DbError> {
        self.run_script(sql).await
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<ResultRow>, DbError> {
        self.session.query(sql, parameters).await
    }

    async fn result_columns(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        self.session.result_columns(sql).await
    }

    async fn insert(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        self.insert_rows(target, rows).await
    }

    async fn insert_bulk(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        self.insert_rows(target, rows).await
    }

    async fn insert_raw(&mut self, target: &InsertTarget, row: &[Value]) -> Result<u64, DbError> {
        self.insert_literals(target, row).await
    }

    fn rows_inserted_whole(&self, _: &InsertTarget) -> Option<usize> {
        // Rows past max_allowed_packet go in several statements, whatever their number.
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
        self.look_up(lookup, keys).await
    }

    async fn defer(&mut self, _keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        Err(Self::cannot_defer())
    }

    async fn check_deferred(&mut self) -> Result<(), DbError> {
        // Nothing was deferred, so nothing is left to be checked.
        Ok(())
    }

    async fn suspend(&mut self, _keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        self.suspend_foreign_keys().await
    }

    async fn resume(&mut self) -> Result<(), DbError> {
        self.resume_foreign_keys().await
    }

    async fn disable_triggers(&mut self, relations: &[&Relation]) -> Result<(), DbError> {
        Self::refuse_triggers(relations)
    }

    async fn enable_triggers(&mut self) -> Result<(), DbError> {
        // None was disabled.
        Ok(())
    }

    async fn numbering(&mut self, relation: &Relation) -> Result<NumberingState, DbError> {
        self.counter(relation).await
    }

    async fn advance_numbering(&mut self, relation: &Relation, _rehearsal: bool) -> Result<NumberingState, DbError> {
        self.counter_past_highest(relation).await
    }

    async fn restore_numbering(&mut self, relation: &Relation, state: &NumberingState) -> Result<(), DbError> {
        self.counter_back(relation, state).await
    }

    async fn is_empty(&mut self) -> Result<bool, DbError> {
        self.holds_nothing().await
    }

    async fn drop_everything(&mut self) -> Result<(), DbError> {
        self.drop_all().await
    }

    async fn another(&mut self) -> Result<Option<Box<dyn Connection>>, DbError> {
        Ok(Some(connect(&self.url, self.access).await?))
    }

    async fn close(self: Box<Self>) -> Result<(), DbError> {
        connect::close(*self).await
    }

    async fn discard_created(self: Box<Self>) -> Result<(), DbError> {
        // Databases are never created here.
        connect::close(*self).await
    }
}
