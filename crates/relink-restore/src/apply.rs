//! Carries a plan out: inserts in load order, in batches; where a batch is refused, halves of it under savepoints until the rows to blame
//! stand alone, each with its own error. Runs inside the transaction that the caller opened, and neither commits nor rolls it back.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use relink_db::{Connection, DbError, InsertColumn, InsertTarget};
use relink_export::Run;
use relink_graph::{EdgeRef, Way};
use relink_model::{Counts, Outcome, RelationId, Value};

use crate::{
    Error, Event, Phase, Request, code,
    decode::{Cell, Decoder, Row, Shape},
    findings::{Findings, Spot, finding},
    key::Ordinal,
    mapping::JoinField,
    plan::Step,
    prescan::joins::{self, Context, Element, Joining},
    report::Rungs,
    state::{Resolution, State},
    stream::{self, Order},
};

/// Rows handed to the database at once; the connection splits them further where its limits ask for it.
const BATCH_ROWS: usize = 4_096;
/// After so many refused rows nobody learns more from the next one.
const REFUSED_ROWS_MAX: u64 = 1_000;
/// Bytes of the export's text whose rows are handed to the database at once, as soon as there are so many.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches that wait to be filled at a time.
const BATCHES_OPEN_MAX: usize = 16;
const SAVEPOINT: &str = "relink_batch";

/// What was loaded into one relation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) counts: Counts,
    pub(crate) rungs: Rungs,
    pub(crate) patched: u64,
}

/// Where a row of a batch comes from.
#[derive(Clone, Copy, Debug)]
struct Origin {
    label: relink_export::LabelId,
    file_ordinal: u64,
    offset: u64,
    bytes: usize,
    /// The record, where the row is one (rows of many-to-many lists are none).
    record: Option<Ordinal>,
}

/// How rows of one shape are inserted.
#[derive(Clone)]
struct Insertion {
    target: Arc<InsertTarget>,
    /// The slot of each column of the target.
    order: Arc<[usize]>,
}

/// Rows waiting to be inserted, by target.
#[derive(Default)]
struct Batches {
    open: Vec<Batch>,
    /// One batch at a time, in the order in which rows come.
    ordered: bool,
}

impl Origin {
    fn of(row: &Row, bytes: usize) -> Self {
        Self { label: row.label, file_ordinal: row.file_ordinal, offset: row.offset, bytes, record: None }
    }

    fn spot(self) -> Spot<'static> {
        Spot { label: self.label, file_ordinal: self.file_ordinal, offset: self.offset, field: None }
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

/// References to be set once the rows of the cycle are in: relation and columns set, then the values with those of the primary key.
type Patches = HashMap<EdgeRef, Vec<Vec<Value>>>;

/// Carries out the steps.
pub(crate) struct Loader<'a> {
    pub(crate) connection: &'a mut dyn Connection,
    pub(crate) decoder: Arc<Decoder>,
    request: &'a Request<'a>,
    pub(crate) runs: &'a [Vec<Run>],
    pub(crate) joins: &'a HashMap<RelationId, Vec<(RelationId, JoinField)>>,
    pub(crate) state: &'a State,
    pub(crate) findings: &'a mut Findings,
    pub(crate) loaded: HashMap<RelationId, Loaded>,
    targets: HashMap<(RelationId, Vec<usize>), Arc<InsertTarget>>,
    /// By address of the shape; shapes live as long as the decoder.
    insertions: HashMap<usize, Insertion>,
    patches: Patches,
    done: u64,
    refused: u64,
    /// Records that the database refused: what references them is not tried.
    refused_rows: HashSet<(RelationId, Ordinal)>,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(
        connection: &'a mut dyn Connection,
        decoder: Arc<Decoder>,
        request: &'a Request<'a>,
        runs: &'a [Vec<Run>],
        joins: &'a HashMap<RelationId, Vec<(RelationId, JoinField)>>,
        state: &'a State,
        findings: &'a mut Findings,
    ) -> Self {
        Self {
            connection,
            decoder,
            request,
            runs,
            joins,
            state,
            findings,
            loaded: HashMap::new(),
            targets: HashMap::new(),
            insertions: HashMap::new(),
            patches: HashMap::new(),
            done: 0,
            refused: 0,
            refused_rows: HashSet::new(),
        }
    }

    /// Carries out all steps, then makes deferred constraints fire. Whether rows were refused stands in the findings.
    pub(crate) async fn run(&mut self, steps: &[Step], events: &mut dyn FnMut(Event)) -> Result<(), Error> {
        for step in steps {
            self.step(step, events).await?;
            if self.refused >= REFUSED_ROWS_MAX {
                return Ok(());
            }
        }
        if self.refused == 0 {
            self.fire_deferred().await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, events: &mut dyn FnMut(Event)) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let keys_of = |keys: &[EdgeRef]| -> Vec<_> {
            keys.iter().map(|key| (catalog.relation(key.referencing), key.foreign_key(&catalog))).collect()
        };
        match &step.way {
            Some(Way::Defer { keys, .. }) => self.connection.defer(&keys_of(keys)).await?,
            Some(Way::Suspend { keys, .. }) => self.connection.suspend(&keys_of(keys)).await?,
            _ => {}
        }
        if step.sequence.is_some() {
            for (relation, rows) in step.stretches(self.state) {
                self.records(relation, step, Order::Rows(rows), events).await?;
            }
        } else {
            for relation in &step.relations {
                let runs = self.runs[relation.index()].clone();
                if !runs.is_empty() {
                    self.records(*relation, step, Order::File(runs), events).await?;
                }
            }
        }
        for relation in &step.relations {
            if let Some(fields) = self.joins.get(relation) {
                self.lists(*relation, fields, events).await?;
            }
        }
        if self.refused > 0 {
            return Ok(());
        }
        self.patch(&step.nulls).await?;
        if let Some(Way::Suspend { keys, .. }) = &step.way {
            if let Err(error) = self.connection.resume().await {
                return self.broken_constraint(error);
            }
            self.revalidate(keys).await?;
        }
        Ok(())
    }

    /// Inserts the records of a relation in the order given.
    async fn records(
        &mut self,
        id: RelationId,
        step: &Step,
        order: Order,
        events: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let mut rows = stream::rows(&self.request.source, &self.decoder, order);
        let mut batches = Batches { ordered: step.ordered, ..Batches::default() };
        while let Some(chunk) = rows.recv().await {
            if self.request.interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let chunk = chunk?;
            let read = chunk.len() as u64;
            self.loaded.entry(id).or_default().counts.read += read;
            for (row, _) in chunk {
                if self.state.relation(id).existing.contains(&row.ordinal) {
                    self.loaded.entry(id).or_default().counts.add(Outcome::Skipped, 1);
                    continue;
                }
                let insertion = self.insertion(&row.shape);
                let origin = Origin { record: Some(row.ordinal), ..Origin::of(&row, row.bytes) };
                let Some(values) = self.values(row, step, &insertion.order)? else {
                    self.follows_refused(id, origin)?;
                    continue;
                };
                self.push(&mut batches, id, &insertion.target, values, origin).await?;
            }
            self.done += read;
            events(Event::Progress { phase: Phase::Load, done: self.done });
            if self.refused >= REFUSED_ROWS_MAX {
                break;
            }
        }
        self.flush_all(&mut batches).await
    }

    /// Inserts the rows of a join table that come from many-to-many lists.
    async fn lists(
        &mut self,
        join: RelationId,
        fields: &[(RelationId, JoinField)],
        events: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let relation = catalog.relation(join);
        let state = self.state.relation(join);
        let numbered = state.numbered;
        let mut number = state.first_join_number;
        let mut ordinal = state.records() as Ordinal;
        for (source, field) in fields {
            let columns: Vec<usize> = numbered.into_iter().chain([field.source_column, field.target_column]).collect();
            let target = Arc::new(insert_target(relation, &columns));
            let joining = Joining::new(&self.decoder.registry, field, state.records());
            let runs = self.runs[source.index()].clone();
            let mut rows = stream::rows(&self.request.source, &self.decoder, Order::File(runs));
            let mut batches = Batches::default();
            while let Some(chunk) = rows.recv().await {
                for (row, _) in chunk? {
                    let decoder = Arc::clone(&self.decoder);
                    let context = Context {
                        state: self.state,
                        registry: &decoder.registry,
                        mapping: &decoder.mapping,
                        catalog: &decoder.catalog,
                    };
                    for (_, element) in joins::elements(&context, &joining, &row) {
                        let Element::Row(made) = element else { continue };
                        let loaded = self.loaded.entry(join).or_default();
                        loaded.counts.read += 1;
                        let exists = state.existing.contains(&ordinal);
                        ordinal += 1;
                        if exists {
                            loaded.counts.add(Outcome::Skipped, 1);
                            continue;
                        }
                        let mut values = Vec::with_capacity(3);
                        if numbered.is_some() {
                            values.push(Value::Int(number));
                            number += 1;
                        }
                        values.extend([made.source, made.target]);
                        let origin = Origin::of(&row, 0);
                        self.push(&mut batches, join, &target, values, origin).await?;
                    }
                }
                events(Event::Progress { phase: Phase::Load, done: self.done });
            }
            self.flush_all(&mut batches).await?;
        }
        Ok(())
    }

    async fn push(
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

    async fn flush_all(&mut self, batches: &mut Batches) -> Result<(), Error> {
        for batch in std::mem::take(&mut batches.open) {
            self.flush(batch).await?;
        }
        Ok(())
    }

    /// Inserts a batch whole, or what of it the database takes.
    async fn flush(&mut self, batch: Batch) -> Result<(), Error> {
        // Halves still to be tried; the whole batch first.
        let mut parts: Vec<std::ops::Range<usize>> = Vec::new();
        parts.push(0..batch.rows.len());
        while let Some(part) = parts.pop() {
            if part.is_empty() || self.refused >= REFUSED_ROWS_MAX {
                continue;
            }
            let whole = part.len() == batch.rows.len();
            let rows = &batch.rows[part.clone()];
            match self.try_insert(batch.relation, &batch.target, rows).await? {
                Ok(()) => {
                    let loaded = self.loaded.entry(batch.relation).or_default();
                    let count = rows.len() as u64;
                    loaded.counts.add(Outcome::Inserted, count);
                    *if whole { &mut loaded.rungs.insert } else { &mut loaded.rungs.row } += count;
                }
                Err(error) if part.len() == 1 => self.refuse(batch.relation, batch.origins[part.start], error)?,
                Err(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
            }
        }
        Ok(())
    }

    /// Inserts under a savepoint. The inner error blames a row; the outer one ends the restore.
    async fn try_insert(
        &mut self,
        relation: RelationId,
        target: &InsertTarget,
        rows: &[Vec<Value>],
    ) -> Result<Result<(), DbError>, Error> {
        // A trigger may raise an error that ends the whole transaction; the missing savepoint then tells.
        let triggers = !self.decoder.catalog.relation(relation).triggers.is_empty();
        let whole = self.connection.rows_inserted_whole(target).is_some_and(|whole| !triggers && rows.len() <= whole);
        if !whole {
            self.connection.savepoint(SAVEPOINT).await?;
        }
        match self.connection.insert(target, rows).await {
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
            Err(error) if error.blames_rows() => {
                if !whole {
                    self.connection.rollback_to(SAVEPOINT).await?;
                    self.connection.release(SAVEPOINT).await?;
                }
                Ok(Err(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A row whose reference leads to a refused one: a consequence, not a cause.
    fn follows_refused(&mut self, relation: RelationId, origin: Origin) -> Result<(), Error> {
        self.refused_rows.extend(origin.record.map(|ordinal| (relation, ordinal)));
        self.loaded.entry(relation).or_default().counts.add(Outcome::Rejected, 1);
        let catalog = Arc::clone(&self.decoder.catalog);
        let message = "references a record that was refused, directly or through others";
        let found = finding(code::FOLLOWS_REFUSED, &catalog.relation(relation).name, message);
        Ok(self.findings.add(found, Some(origin.spot()), None)?)
    }

    fn refuse(&mut self, relation: RelationId, origin: Origin, error: DbError) -> Result<(), Error> {
        self.refused += 1;
        self.refused_rows.extend(origin.record.map(|ordinal| (relation, ordinal)));
        self.loaded.entry(relation).or_default().counts.add(Outcome::Rejected, 1);
        let catalog = Arc::clone(&self.decoder.catalog);
        let mut found = finding(code::REFUSED_ROW, &catalog.relation(relation).name, error.message);
        found.constraint = error.constraint;
        found.field = error.column;
        found.help = error.detail;
        Ok(self.findings.add(found, Some(origin.spot()), None)?)
    }

    /// Where rows of this shape go: the columns in the table's order, whatever the order of the fields, so that all rows with the same
    /// columns go together.
    fn insertion(&mut self, shape: &Arc<Shape>) -> Insertion {
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

    /// The row's values with every reference followed. References inside the cycle that are to be set later become NULL now.
    fn values(&mut self, mut row: Row, step: &Step, order: &[usize]) -> Result<Option<Vec<Value>>, Error> {
        let decoder = Arc::clone(&self.decoder);
        let shape = Arc::clone(&row.shape);
        let mut later = Vec::new();
        for reference in &shape.references {
            let (resolution, natural) =
                if let ([_], Cell::Natural(natural)) = (&reference.slots[..], &row.cells[reference.slots[0]]) {
                    let wanted = decoder.registry.spec(reference.index).columns[0];
                    let (registry, mapping) = (&decoder.registry, &decoder.mapping);
                    (self.state.by_natural_key(registry, mapping, reference.target, wanted, natural), true)
                } else {
                    // A key stays as it is, unless the row it names ends up under another or is loaded later.
                    let plain = step.nulled().is_empty() && self.refused_rows.is_empty();
                    if plain && !self.state.relation(reference.target).moved {
                        continue;
                    }
                    let Some(values) = row.given_values(&reference.slots) else { continue };
                    if values.iter().any(|value| value.is_null()) {
                        continue;
                    }
                    (self.state.by_key(&decoder.registry, reference.target, reference.index, &values), false)
                };
            let (record, value) = match resolution {
                Resolution::Record(ordinal, value) => (Some(ordinal), value),
                Resolution::Target(value) => (None, value),
                // Only a key that nobody enforces gets here unresolved: it was reported as a warning and stays as it is.
                _ if !natural => continue,
                _ => return Err(Error::Unsettled { relation: decoder.catalog.relation(shape.relation).name.clone() }),
            };
            if record.is_some_and(|ordinal| self.refused_rows.contains(&(reference.target, ordinal))) {
                return Ok(None);
            }
            for (slot, value) in reference.slots.iter().zip(value.into_iter().flatten()) {
                row.follow(*slot, value);
            }
            let edge = EdgeRef { referencing: shape.relation, key: reference.key };
            let itself = reference.target == shape.relation && record == Some(row.ordinal);
            let loaded_before =
                record.is_none_or(|ordinal| self.state.relation(reference.target).existing.contains(&ordinal));
            if step.nulled().contains(&edge) && !itself && !loaded_before {
                later.push(edge);
            }
        }
        let relation = decoder.catalog.relation(shape.relation);
        let mut values: Vec<Value> = Vec::with_capacity(row.cells.len());
        for (cell, column) in row.cells.into_iter().zip(&shape.columns) {
            values.push(match cell {
                Cell::Value(value) => value,
                Cell::Allotted => {
                    let allotted = self.state.relation(shape.relation).final_value(*column, row.ordinal);
                    allotted.ok_or_else(|| Error::Unsettled { relation: relation.name.clone() })?
                }
                Cell::Natural(_) | Cell::Bad => return Err(Error::Unsettled { relation: relation.name.clone() }),
            });
        }
        // All patches are taken before anything is nulled: two keys may share a column.
        let key: Vec<usize> =
            relation.primary_key_columns().iter().filter_map(|name| shape.slot_of(relation.column(name)?.0)).collect();
        let mut nulled = Vec::new();
        for edge in later {
            let columns = step.nulls.get(&edge).map_or(&[][..], Vec::as_slice);
            let slots: Vec<usize> = columns.iter().filter_map(|name| shape.slot_of(relation.column(name)?.0)).collect();
            let patch: Vec<Value> = slots.iter().chain(&key).map(|slot| values[*slot].clone()).collect();
            self.patches.entry(edge).or_default().push(patch);
            nulled.extend(slots);
        }
        for slot in nulled {
            values[slot] = Value::Null;
        }
        Ok(Some(order.iter().map(|slot| std::mem::replace(&mut values[*slot], Value::Null)).collect()))
    }

    /// Sets the references that were inserted as NULL: one UPDATE for each row.
    async fn patch(&mut self, nulls: &HashMap<EdgeRef, Vec<String>>) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let mut patches: Vec<_> = std::mem::take(&mut self.patches).into_iter().collect();
        patches.sort_by_key(|(edge, _)| *edge);
        for (edge, rows) in patches {
            let relation = catalog.relation(edge.referencing);
            let key = relation.primary_key_columns().to_vec();
            let set = nulls.get(&edge).cloned().unwrap_or_default();
            let affected = self.connection.update_by_key(relation, &set, &key, &rows).await?;
            if affected != rows.len() as u64 {
                let relation = relation.name.clone();
                return Err(Error::Accounting { relation, expected: rows.len() as u64, found: affected });
            }
            self.loaded.entry(edge.referencing).or_default().patched += affected;
        }
        Ok(())
    }

    /// Counts the rows that break keys whose enforcement was off.
    async fn revalidate(&mut self, keys: &[EdgeRef]) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        for key in keys {
            let relation = catalog.relation(key.referencing);
            let foreign_key = key.foreign_key(&catalog);
            let Some(referenced) = catalog.id(&foreign_key.referenced) else { continue };
            let orphans = self.connection.dialect().orphans(relation, foreign_key, catalog.relation(referenced));
            let rows = self.connection.query(&format!("SELECT count(*) {orphans}"), &[]).await?;
            let Some([Value::Int(count)]) = rows.first().map(Vec::as_slice) else { continue };
            if *count > 0 {
                let message = format!("{count} rows have no target in {}", foreign_key.referenced);
                let mut found = finding(code::VALIDATION, &relation.name, message);
                found.constraint = Some(foreign_key.describe(&relation.name));
                self.findings.add(found, None, None)?;
            }
        }
        Ok(())
    }

    async fn fire_deferred(&mut self) -> Result<(), Error> {
        match self.connection.check_deferred().await {
            Ok(()) => Ok(()),
            Err(error) => self.broken_constraint(error),
        }
    }

    /// A constraint that does not hold once the rows are in.
    fn broken_constraint(&mut self, error: DbError) -> Result<(), Error> {
        if !error.blames_rows() {
            return Err(error.into());
        }
        self.refused += 1;
        let name = relink_model::RelationName::new(error.relation.clone().unwrap_or_default());
        let mut found = finding(code::VALIDATION, &name, error.message);
        found.constraint = error.constraint;
        found.help = error.detail;
        Ok(self.findings.add(found, None, None)?)
    }
}

fn insert_target(relation: &relink_model::Relation, columns: &[usize]) -> InsertTarget {
    let columns: Vec<_> = columns.iter().map(|column| &relation.columns[*column]).collect();
    InsertTarget {
        relation: relation.name.clone(),
        overrides_identity: columns.iter().any(|column| column.identity == Some(relink_model::Identity::Always)),
        columns: columns.into_iter().map(InsertColumn::from).collect(),
    }
}
