//! The ladder: batches go down whole by the fastest path; where the database refuses one, the halves of it are tried under savepoints until the
//! rows to blame stand alone, each with its own error.

use std::sync::Arc;

use relink_db::{DbError, DbErrorKind, InsertColumn, InsertTarget};
use relink_model::{Deferrability, Enforcement, ForeignKey, Outcome, Relation, RelationId, Strategy, Value};

use super::Loader;
use crate::{Error, decode::Shape, report::Rungs, settled::Origin};

/// Rows handed to the database at once; the connection splits them further where its limits ask for it.
const BATCH_ROWS: usize = 4_096;
/// Bytes of the export's text whose rows are handed to the database at once, as soon as there are so many.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches that wait to be filled at a time.
const BATCHES_OPEN_MAX: usize = 16;
pub(super) const SAVEPOINT: &str = "relink_batch";

/// How rows of one shape are inserted.
#[derive(Clone)]
pub(super) struct Insertion {
    pub(super) target: Arc<InsertTarget>,
    /// The slot of each column of the target.
    order: Arc<[usize]>,
}

impl Insertion {
    /// Values by slot in the order of the target's columns.
    pub(super) fn arrange(&self, mut values: Vec<Value>) -> Vec<Value> {
        self.order.iter().map(|slot| std::mem::replace(&mut values[*slot], Value::Null)).collect()
    }
}

/// Rows waiting to be inserted, by target.
pub(super) struct Batches {
    open: Vec<Batch>,
    /// One batch at a time, in the order in which rows come.
    ordered: bool,
}

impl Batches {
    pub(super) fn new(ordered: bool) -> Self {
        Self { open: Vec::new(), ordered }
    }
}

/// Rows of one relation and shape, waiting to be inserted.
struct Batch {
    relation: RelationId,
    target: Arc<InsertTarget>,
    rows: Vec<Vec<Value>>,
    origins: Vec<Origin>,
    bytes: usize,
    /// Rows that fill it.
    rows_max: usize,
}

/// A row that was refused while rows that exist still had to change: they may make way for it.
pub(super) struct HeldInsert {
    relation: RelationId,
    target: Arc<InsertTarget>,
    row: Vec<Value>,
    origin: Origin,
}

/// How foreign keys are put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until the constraints are made to fire.
    Deferred,
    /// Their enforcement is off until it is switched on again.
    Suspended,
}

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    Bulk,
    Insert,
    Row,
    Raw,
}

impl Rungs {
    fn add(&mut self, rung: Rung, rows: u64) {
        *match rung {
            Rung::Bulk => &mut self.bulk,
            Rung::Insert => &mut self.insert,
            Rung::Row => &mut self.row,
            Rung::Raw => &mut self.raw,
        } += rows;
    }
}

impl Loader<'_, '_> {
    pub(super) async fn push(
        &mut self,
        batches: &mut Batches,
        relation: RelationId,
        target: &Arc<InsertTarget>,
        values: Vec<Value>,
        origin: Origin,
    ) -> Result<(), Error> {
        let mut at = batches.open.iter().position(|batch| Arc::ptr_eq(&batch.target, target));
        let full = |batch: &Batch| batch.rows.len() >= batch.rows_max || batch.bytes >= BATCH_BYTES;
        if let Some(open) = at.filter(|at| full(&batches.open[*at])) {
            self.flush(batches.open.swap_remove(open)).await?;
            at = None;
        }
        if at.is_none() {
            if batches.ordered || batches.open.len() >= BATCHES_OPEN_MAX {
                self.flush_all(batches).await?;
            }
            // One statement for each batch, where that spares the savepoint.
            let rows_max = self.connection.rows_inserted_whole(target).unwrap_or(BATCH_ROWS).min(BATCH_ROWS);
            let target = Arc::clone(target);
            batches.open.push(Batch { relation, target, rows: Vec::new(), origins: Vec::new(), bytes: 0, rows_max });
            at = Some(batches.open.len() - 1);
        }
        let batch = &mut batches.open[at.expect("found or just made")];
        batch.bytes += origin.bytes;
        batch.rows.push(values);
        batch.origins.push(origin);
        Ok(())
    }

    pub(super) async fn flush_all(&mut self, batches: &mut Batches) -> Result<(), Error> {
        for batch in std::mem::take(&mut batches.open) {
            self.flush(batch).await?;
        }
        Ok(())
    }

    /// The rung that a batch starts from.
    fn first_rung(&self, relation: RelationId) -> Rung {
        let bulk = self.connection.dialect().capabilities().bulk_load && !self.no_bulk.contains(&relation);
        match self.request.options.strategy {
            Strategy::Auto if bulk => Rung::Bulk,
            Strategy::Auto | Strategy::Insert => Rung::Insert,
            Strategy::Bulk => Rung::Bulk,
            Strategy::Row => Rung::Row,
            Strategy::Raw => Rung::Raw,
        }
    }

    /// The rung below, where the strategy allows one.
    fn next_rung(&self, rung: Rung) -> Rung {
        match (self.request.options.strategy, rung) {
            (Strategy::Auto, Rung::Bulk) => Rung::Insert,
            (Strategy::Auto, Rung::Insert) => Rung::Row,
            _ => rung,
        }
    }

    /// Inserts a batch whole, or what of it the database takes.
    async fn flush(&mut self, batch: Batch) -> Result<(), Error> {
        // What is still to be tried; the whole batch first.
        let mut parts: Vec<(std::ops::Range<usize>, Rung)> =
            vec![(0..batch.rows.len(), self.first_rung(batch.relation))];
        while let Some((part, rung)) = parts.pop() {
            if part.is_empty() || self.has_enough() {
                continue;
            }
            let whole = part.len() == batch.rows.len();
            let rows = &batch.rows[part.clone()];
            match self.try_insert(batch.relation, &batch.target, rows, rung).await? {
                Ok(()) => {
                    self.count_inserted(batch.relation, rung, rows.len() as u64);
                }
                Err(error) if rung == Rung::Bulk && error.kind == DbErrorKind::Unsupported => {
                    if self.next_rung(rung) == rung {
                        return Err(Error::Bulk { relation: batch.target.relation.clone(), error: Box::new(error) });
                    }
                    // No other batch of the relation would go in so.
                    self.no_bulk.insert(batch.relation);
                    parts.push((part, self.next_rung(rung)));
                }
                Err(_) if whole && self.next_rung(rung) != rung && rung == Rung::Bulk => {
                    parts.push((part, self.next_rung(rung)));
                }
                Err(error) if part.len() == 1 => {
                    let at = part.start;
                    self.last_resort(batch.relation, &batch.target, &batch.rows[at], batch.origins[at], error).await?;
                }
                Err(_) => {
                    let middle = part.start + part.len() / 2;
                    let rung = self.next_rung(rung);
                    parts.push((middle..part.end, rung));
                    parts.push((part.start..middle, rung));
                }
            }
        }
        Ok(())
    }

    /// What becomes of a row that stands alone and is refused: it waits for rows that make way, or is tried out of order.
    async fn last_resort(
        &mut self,
        relation: RelationId,
        target: &Arc<InsertTarget>,
        row: &[Value],
        origin: Origin,
        error: DbError,
    ) -> Result<(), Error> {
        if self.changes(relation) {
            let target = Arc::clone(target);
            self.held.push(HeldInsert { relation, target, row: row.to_vec(), origin });
            return Ok(());
        }
        self.insert_unordered(relation, target, row, origin, error).await
    }

    /// The lowest rung: a row that a foreign key refuses goes in as literal SQL, as only the order of rows may be in its way; any other is refused
    /// for good.
    async fn insert_unordered(
        &mut self,
        relation: RelationId,
        target: &InsertTarget,
        row: &[Value],
        origin: Origin,
        error: DbError,
    ) -> Result<(), Error> {
        let out_of_order = error.kind == DbErrorKind::ForeignKeyViolation && self.pins(Strategy::Auto);
        if out_of_order && self.try_unordered(relation, target, row).await? {
            self.count_inserted(relation, Rung::Raw, 1);
            return Ok(());
        }
        self.refuse(relation, origin, error)
    }

    /// Tries the rows again that were refused before the updates.
    pub(super) async fn insert_held(&mut self) -> Result<(), Error> {
        for HeldInsert { relation, target, row, origin } in std::mem::take(&mut self.held) {
            match self.try_insert(relation, &target, std::slice::from_ref(&row), Rung::Row).await? {
                Ok(()) => {
                    self.count_inserted(relation, Rung::Row, 1);
                }
                Err(error) => self.insert_unordered(relation, &target, &row, origin, error).await?,
            }
        }
        Ok(())
    }

    fn count_inserted(&mut self, relation: RelationId, rung: Rung, rows: u64) {
        let loaded = self.standing.loaded.entry(relation).or_default();
        loaded.counts.add(Outcome::Inserted, rows);
        loaded.rungs.add(rung, rows);
    }

    /// Inserts under a savepoint. The inner error blames a row; the outer one ends the restore.
    async fn try_insert(
        &mut self,
        relation: RelationId,
        target: &InsertTarget,
        rows: &[Vec<Value>],
        rung: Rung,
    ) -> Result<Result<(), DbError>, Error> {
        // A trigger may raise an error that ends the whole transaction; the missing savepoint then tells.
        let triggers = !self.decoder.catalog.relation(relation).triggers.is_empty();
        let one_by_one = matches!(rung, Rung::Row | Rung::Raw) && rows.len() > 1;
        let whole = self.connection.rows_inserted_whole(target).is_some_and(|whole| !triggers && rows.len() <= whole);
        let whole = whole && !one_by_one && rung != Rung::Bulk;
        if !whole {
            self.connection.savepoint(SAVEPOINT).await?;
        }
        let written = match rung {
            Rung::Bulk => self.connection.insert_bulk(target, rows).await,
            Rung::Insert | Rung::Row if !self.pins(Strategy::Row) => self.connection.insert(target, rows).await,
            Rung::Insert | Rung::Row => self.insert_each(target, rows).await,
            Rung::Raw => self.insert_each_raw(target, rows).await,
        };
        match written {
            Ok(affected) if affected == rows.len() as u64 => {
                if !whole {
                    self.connection.release(SAVEPOINT).await?;
                }
                Ok(Ok(()))
            }
            Ok(affected) => Err(Error::Accounting {
                relation: target.relation.clone(),
                expected: rows.len() as u64,
                found: affected,
            }),
            Err(error) if error.blames_rows() || rung == Rung::Bulk && error.kind == DbErrorKind::Unsupported => {
                if !whole {
                    self.connection.rollback_to(SAVEPOINT).await?;
                    self.connection.release(SAVEPOINT).await?;
                }
                Ok(Err(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn pins(&self, strategy: Strategy) -> bool {
        self.request.options.strategy == strategy
    }

    async fn insert_each(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        let mut written = 0;
        for row in rows {
            written += self.connection.insert(target, std::slice::from_ref(row)).await?;
        }
        Ok(written)
    }

    async fn insert_each_raw(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        let mut written = 0;
        for row in rows {
            written += self.connection.insert_raw(target, row).await?;
        }
        Ok(written)
    }

    /// Inserts a row as literal SQL with the relation's foreign keys put off, which are checked again before the commit. Whether it went in.
    async fn try_unordered(
        &mut self,
        relation: RelationId,
        target: &InsertTarget,
        row: &[Value],
    ) -> Result<bool, Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let definition = catalog.relation(relation);
        let enforced = |key: &&ForeignKey| key.enforcement == Enforcement::Enforced;
        let keys: Vec<_> = definition.foreign_keys.iter().filter(enforced).map(|key| (definition, key)).collect();
        let Some(waits) = self.wait_for(&keys) else { return Ok(false) };
        let defers = waits == Wait::Deferred;
        self.connection.savepoint(SAVEPOINT).await?;
        let put_off = if defers { self.connection.defer(&keys).await } else { self.connection.suspend(&keys).await };
        let written = match put_off {
            Ok(()) => self.connection.insert_raw(target, row).await,
            Err(error) => Err(error),
        };
        if !defers {
            self.connection.resume().await?;
        }
        match written {
            Ok(1) => {
                self.connection.release(SAVEPOINT).await?;
                self.unordered.insert(relation);
                Ok(true)
            }
            Ok(affected) => Err(Error::Accounting { relation: target.relation.clone(), expected: 1, found: affected }),
            // Keys that cannot be put off leave the row where it is: refused, for the reason that it was.
            Err(error) if error.blames_rows() || is_out_of_reach(error.kind) => {
                self.connection.rollback_to(SAVEPOINT).await?;
                self.connection.release(SAVEPOINT).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How these keys can be put off; `None`: not at all.
    pub(super) fn wait_for(&self, keys: &[(&Relation, &ForeignKey)]) -> Option<Wait> {
        let capabilities = self.connection.dialect().capabilities();
        let declared = keys.iter().all(|(_, key)| key.deferrability != Deferrability::NotDeferrable);
        let owned = keys.iter().all(|(relation, _)| relation.owned);
        if capabilities.defers_any_foreign_key
            || capabilities.defers_declared && declared
            || capabilities.owner_can_make_deferrable && owned
        {
            return Some(Wait::Deferred);
        }
        (capabilities.can_suspend_foreign_keys && !capabilities.suspending_needs_owner).then_some(Wait::Suspended)
    }

    /// Where rows of this shape go: the columns in the table's order, whatever the order of the fields, so that all rows with the same
    /// columns go together.
    pub(super) fn insertion(&mut self, shape: &Arc<Shape>) -> Insertion {
        let catalog = Arc::clone(&self.decoder.catalog);
        let targets = &mut self.targets;
        let made = self.insertions.entry(Arc::as_ptr(shape) as usize).or_insert_with(|| {
            let mut order: Vec<usize> = (0..shape.columns.len()).collect();
            order.sort_unstable_by_key(|slot| shape.columns[*slot]);
            let columns: Vec<usize> = order.iter().map(|slot| shape.columns[*slot]).collect();
            let relation = catalog.relation(shape.relation);
            let target = targets
                .entry((shape.relation, columns))
                .or_insert_with_key(|(_, columns)| Arc::new(insert_target(relation, columns)));
            Insertion { target: Arc::clone(target), order: order.into() }
        });
        made.clone()
    }
}

/// Whether the database cannot, or the role may not, put a key off.
fn is_out_of_reach(kind: DbErrorKind) -> bool {
    matches!(kind, DbErrorKind::Unsupported | DbErrorKind::PermissionDenied | DbErrorKind::Other)
}

/// Where rows with these columns go.
pub(super) fn insert_target(relation: &Relation, columns: &[usize]) -> InsertTarget {
    let columns: Vec<_> = columns.iter().map(|column| &relation.columns[*column]).collect();
    InsertTarget {
        relation: relation.name.clone(),
        overrides_identity: columns.iter().any(|column| column.identity == Some(relink_model::Identity::Always)),
        columns: columns.into_iter().map(InsertColumn::from).collect(),
    }
}
