//! A connection that fails at the nth call, and is otherwise the one that it wraps.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use relink_db::{
    Connection, DbError, DbErrorKind, Dialect, InsertTarget, Intent, Lookup, NumberingState, ResultRow, TransactionKind,
};
use relink_model::{Catalog, ForeignKey, Relation, ServerInfo, Value};

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing reached the database.
    Before,
    /// The database did what was asked, and the answer was lost. A commit is left out: nobody can know what became of it.
    After,
}

/// Which call fails, and how often anything was called.
#[derive(Clone, Debug)]
pub struct Faults {
    fails_at: u64,
    moment: Moment,
    calls: Arc<AtomicU64>,
}

impl Faults {
    /// The `fails_at`th call (from 1) fails.
    pub fn at(fails_at: u64, moment: Moment) -> Self {
        Self { fails_at, moment, calls: Arc::default() }
    }

    /// Whether the call that was to fail was made.
    pub fn fired(&self) -> bool {
        self.calls() >= self.fails_at
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Wraps a connection.
    pub fn wrap(&self, inner: Box<dyn Connection>) -> Box<dyn Connection> {
        Box::new(Faulty { inner, faults: self.clone() })
    }

    /// Counts a call. Whether this is the one, and of this moment.
    fn call(&self) -> Call {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if number == self.fails_at { Call::Fails(self.moment) } else { Call::Passes }
    }
}

enum Call {
    Passes,
    Fails(Moment),
}

struct Faulty {
    inner: Box<dyn Connection>,
    faults: Faults,
}

fn fault() -> DbError {
    DbError::new(DbErrorKind::ConnectionLost, "a fault of the test's making")
}

/// Makes the call, unless this is the one that fails.
macro_rules! through {
    ($self:ident, $call:expr) => {
        match $self.faults.call() {
            Call::Passes => $call.await,
            Call::Fails(Moment::Before) => Err(fault()),
            Call::Fails(Moment::After) => {
                $call.await?;
                Err(fault())
            }
        }
    };
}

#[async_trait]
impl Connection for Faulty {
    fn dialect(&self) -> &dyn Dialect {
        self.inner.dialect()
    }

    fn server(&self) -> &ServerInfo {
        self.inner.server()
    }

    async fn introspect(&mut self) -> Result<Catalog, DbError> {
        through!(self, self.inner.introspect())
    }

    async fn referenced_from_outside(&mut self, relation: &Relation) -> Result<Vec<(Relation, ForeignKey)>, DbError> {
        through!(self, self.inner.referenced_from_outside(relation))
    }

    async fn missing_privileges(&mut self, intent: &Intent<'_>) -> Result<Vec<String>, DbError> {
        through!(self, self.inner.missing_privileges(intent))
    }

    async fn begin(&mut self, kind: TransactionKind) -> Result<(), DbError> {
        through!(self, self.inner.begin(kind))
    }

    async fn begin_alone(&mut self, relations: &[&Relation]) -> Result<(), DbError> {
        through!(self, self.inner.begin_alone(relations))
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        match self.faults.call() {
            Call::Fails(Moment::Before) => Err(fault()),
            _ => self.inner.commit().await,
        }
    }

    /// Never fails here: after a failure it is what puts things right, as the loss of the connection would.
    async fn rollback(&mut self) -> Result<(), DbError> {
        self.inner.rollback().await
    }

    async fn savepoint(&mut self, name: &str) -> Result<(), DbError> {
        through!(self, self.inner.savepoint(name))
    }

    async fn rollback_to(&mut self, name: &str) -> Result<(), DbError> {
        through!(self, self.inner.rollback_to(name))
    }

    async fn release(&mut self, name: &str) -> Result<(), DbError> {
        through!(self, self.inner.release(name))
    }

    async fn set_statement_timeout(&mut self, limit: Option<std::time::Duration>) -> Result<(), DbError> {
        through!(self, self.inner.set_statement_timeout(limit))
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
        through!(self, self.inner.execute(sql, parameters))
    }

    async fn execute_script(&mut self, sql: &str) -> Result<(), DbError> {
        through!(self, self.inner.execute_script(sql))
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<ResultRow>, DbError> {
        through!(self, self.inner.query(sql, parameters))
    }

    async fn set_lock_timeout(&mut self, limit: std::time::Duration) -> Result<(), DbError> {
        through!(self, self.inner.set_lock_timeout(limit))
    }

    async fn result_columns(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        through!(self, self.inner.result_columns(sql))
    }

    async fn insert(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        through!(self, self.inner.insert(target, rows))
    }

    async fn insert_bulk(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        through!(self, self.inner.insert_bulk(target, rows))
    }

    async fn insert_raw(&mut self, target: &InsertTarget, row: &[Value]) -> Result<u64, DbError> {
        through!(self, self.inner.insert_raw(target, row))
    }

    fn rows_inserted_whole(&self, target: &InsertTarget) -> Option<usize> {
        self.inner.rows_inserted_whole(target)
    }

    async fn update_by_key(
        &mut self,
        relation: &Relation,
        set: &[String],
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        through!(self, self.inner.update_by_key(relation, set, key, rows))
    }

    async fn delete_by_key(
        &mut self,
        relation: &Relation,
        key: &[String],
        rows: &[Vec<Value>],
    ) -> Result<u64, DbError> {
        through!(self, self.inner.delete_by_key(relation, key, rows))
    }

    async fn delete_all(&mut self, relation: &Relation) -> Result<u64, DbError> {
        through!(self, self.inner.delete_all(relation))
    }

    async fn set_null(&mut self, relation: &Relation, columns: &[String]) -> Result<u64, DbError> {
        through!(self, self.inner.set_null(relation, columns))
    }

    async fn evaluate(
        &mut self,
        relation: &Relation,
        columns: &[String],
        rows: &[Vec<Value>],
        expressions: &[String],
    ) -> Result<Vec<ResultRow>, DbError> {
        through!(self, self.inner.evaluate(relation, columns, rows, expressions))
    }

    async fn lookup(&mut self, lookup: &Lookup<'_>, keys: &[Vec<Value>]) -> Result<Vec<ResultRow>, DbError> {
        through!(self, self.inner.lookup(lookup, keys))
    }

    async fn defer(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        through!(self, self.inner.defer(keys))
    }

    async fn check_deferred(&mut self) -> Result<(), DbError> {
        through!(self, self.inner.check_deferred())
    }

    async fn suspend(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        through!(self, self.inner.suspend(keys))
    }

    async fn resume(&mut self) -> Result<(), DbError> {
        through!(self, self.inner.resume())
    }

    async fn disable_triggers(&mut self, relations: &[&Relation]) -> Result<(), DbError> {
        through!(self, self.inner.disable_triggers(relations))
    }

    async fn enable_triggers(&mut self) -> Result<(), DbError> {
        through!(self, self.inner.enable_triggers())
    }

    async fn numbering(&mut self, relation: &Relation) -> Result<NumberingState, DbError> {
        through!(self, self.inner.numbering(relation))
    }

    async fn advance_numbering(&mut self, relation: &Relation, rehearsal: bool) -> Result<NumberingState, DbError> {
        through!(self, self.inner.advance_numbering(relation, rehearsal))
    }

    /// Never fails here: see [`Self::rollback`].
    async fn restore_numbering(&mut self, relation: &Relation, state: &NumberingState) -> Result<(), DbError> {
        self.inner.restore_numbering(relation, state).await
    }

    async fn is_empty(&mut self) -> Result<bool, DbError> {
        through!(self, self.inner.is_empty())
    }

    /// Never fails here: see [`Self::rollback`].
    async fn drop_everything(&mut self) -> Result<(), DbError> {
        self.inner.drop_everything().await
    }

    async fn another(&mut self) -> Result<Option<Box<dyn Connection>>, DbError> {
        let another = match self.faults.call() {
            Call::Fails(_) => return Err(fault()),
            Call::Passes => self.inner.another().await?,
        };
        Ok(another.map(|inner| self.faults.wrap(inner)))
    }

    async fn close(self: Box<Self>) -> Result<(), DbError> {
        self.inner.close().await
    }

    async fn discard_created(self: Box<Self>) -> Result<(), DbError> {
        self.inner.discard_created().await
    }
}
