//! The pre-scan: reads every record once, before anything is written, in load order. It fits each value to its column, files
//! each key, resolves each reference in the export or in the target, finds the rows that exist already, and reports every problem
//! together. It writes nothing; its lookups run in the restore's own transaction.

mod conditions;
mod identity;
pub(crate) mod joins;
mod nameless;
mod polymorphic;
mod references;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexMap;
use relink_db::Connection;
use relink_export::{Run, Source};
use relink_graph::{LoadOrder, LoadStep};
use relink_model::{Catalog, Finding, Ids, Mode, OnDangling, OnError, RelationId, Severity, Value};
use relink_records::{JoinField, Key, Mapping};

pub(crate) use self::references::nullable_slots;
use crate::{
    Error, Event, Phase, Request,
    chosen::Chosen,
    code,
    decode::{Cell, Decoder, Problem, Row},
    findings::{Findings, Handling, Spot, finding},
    id_map::IdMap,
    index::{IndexId, IndexRegistry, Roles},
    journal::Decisions,
    memory::{Budget, Ordinal},
    options::Policies,
    per_relation,
    polymorphic::GenericSlot,
    privileges,
    rows::RowEdges,
    shape::ReferenceSlot,
    state::{self, External, Fresh, Reject, State},
    stream::{self, Order},
};

/// What the pre-scan found out.
pub(crate) struct Survey {
    pub(crate) state: State,
    pub(crate) findings: Findings,
    /// References between rows of one component, by step of the load order.
    pub(crate) edges: Vec<RowEdges>,
    /// The many-to-many fields that fill each join table.
    pub(crate) joins: HashMap<RelationId, Vec<(RelationId, JoinField)>>,
}

/// What the pre-scan works on.
pub(crate) struct Scanner<'a> {
    pub(crate) connection: &'a mut dyn Connection,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) registry: Arc<IndexRegistry>,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) decoder: Arc<Decoder>,
    pub(crate) source: Source,
    /// The runs of each relation's records.
    pub(crate) runs: Vec<Vec<Run>>,
    pub(crate) policies: Arc<Policies>,
    on_error: OnError,
    on_dangling: OnDangling,
    /// Relations that labels of the export name, those of empty tables included.
    present: HashSet<RelationId>,
    interrupted: &'a AtomicBool,
    /// What an earlier run decided, where this one goes on with it.
    pub(crate) decisions: Option<&'a Decisions>,
    /// The records that are restored, where they were chosen one by one.
    pub(crate) chosen: Option<&'a Chosen>,
    pub(crate) state: State,
    pub(crate) findings: Findings,
    /// Relations of which it is known whether they hold rows.
    asked: HashSet<RelationId>,
    /// Row edges of the component at hand.
    edges: RowEdges,
    component: Vec<RelationId>,
    /// Rows of the component whose keys may lead through records not read yet.
    pending: Vec<Work>,
    /// Records of the component of which nothing is left but references to records not read yet: by relation and by what of them is settled.
    waiting: BTreeMap<(RelationId, Vec<bool>), Vec<Ordinal>>,
    joins: HashMap<RelationId, Vec<(RelationId, JoinField)>>,
}

/// A row on its way through the pre-scan.
struct Work {
    row: Row,
    /// By reference of the shape: settled.
    settled: Vec<bool>,
    /// By index of the shape: filed.
    filed: Vec<bool>,
    identified: bool,
}

impl Work {
    /// Whether nothing is left to find out.
    fn is_done(&self) -> bool {
        self.identified && !self.settled.contains(&false)
    }

    /// Whether the references that fill these slots have been followed.
    fn is_ready(&self, slots: &[usize]) -> bool {
        let (references, generics) = self.settled.split_at(self.row.shape.references.len());
        // What one reference has made of a column stays, whatever other references share it.
        let followed = |slot: &usize| {
            let mut others = self.row.shape.references.iter().zip(references);
            others.any(|(other, settled)| *settled && other.slots.contains(slot))
        };
        let waits = |(reference, settled): (&ReferenceSlot, &bool)| {
            !settled && reference.slots.iter().any(|slot| slots.contains(slot) && !followed(slot))
        };
        let follows = |(slot, settled): (&GenericSlot, &bool)| !settled && slots.contains(&slot.id_slot);
        !self.settled.contains(&false)
            || !self.row.shape.references.iter().zip(references).any(waits)
                && !self.row.shape.generics.iter().zip(generics).any(follows)
    }
}

/// In the order in which they came up, so that two runs ask, and spill, the same.
type Needs = BTreeMap<IndexId, IndexMap<Key, Vec<Value>>>;

impl<'a> Scanner<'a> {
    pub(crate) fn new(
        connection: &'a mut dyn Connection,
        decoder: Arc<Decoder>,
        runs: Vec<Vec<Run>>,
        request: &Request<'a>,
        policies: Arc<Policies>,
        present: HashSet<RelationId>,
        findings: Findings,
    ) -> Self {
        let budget = Budget::new(request.options.memory_bytes);
        let state = State::new(&decoder.catalog, &decoder.registry, &decoder.mapping, Arc::clone(&policies), &budget);
        Self {
            connection,
            catalog: Arc::clone(&decoder.catalog),
            registry: Arc::clone(&decoder.registry),
            mapping: Arc::clone(&decoder.mapping),
            decoder,
            findings,
            asked: HashSet::new(),
            source: request.source.clone(),
            runs,
            policies,
            on_error: request.options.on_error,
            on_dangling: request.options.on_dangling,
            present,
            interrupted: request.interrupted,
            decisions: None,
            chosen: None,
            state,
            edges: RowEdges::default(),
            component: Vec::new(),
            pending: Vec::new(),
            waiting: BTreeMap::new(),
            joins: HashMap::new(),
        }
    }

    /// Takes in under which ids rows stand that no record of the export is.
    pub(crate) fn know_moved(&mut self, map: IdMap) {
        for relation in map.relations(&self.registry).collect::<Vec<_>>() {
            self.state.relation_mut(relation).moved = true;
        }
        self.state.id_map = map;
    }

    /// Reads everything in load order.
    pub(crate) async fn run(mut self, order: &LoadOrder, events: &mut dyn FnMut(Event)) -> Result<Survey, Error> {
        for id in self.present.clone() {
            self.state.relation_mut(id).cleared = self.policies.of(id).mode == Mode::Replace;
        }
        self.state.rejects = self.on_error != OnError::Fail || self.on_dangling != OnDangling::Fail;
        let looked_at = self.looked_at();
        let catalog = Arc::clone(&self.catalog);
        privileges::check_reading(self.connection, &catalog, &looked_at).await?;
        self.find_rows(looked_at.into_iter()).await?;
        for id in self.present.clone() {
            let ids = self.policies.of(id).ids;
            let state = self.state.relation_mut(id);
            // In an empty table every id is free.
            state.allots = state.fresh.is_some() && (ids == Ids::New || ids == Ids::Remap && state.has_rows);
            state.moved |= state.allots;
        }
        for (id, _) in self.catalog.clone().iter() {
            // Relations without records are complete from the start: what they lack, only the target can have.
            self.state.relation_mut(id).scanned = self.runs[id.index()].is_empty();
            self.state.relation_mut(id).settled = self.runs[id.index()].is_empty();
            if self.runs[id.index()].is_empty() {
                self.file_tree(id).await?;
            }
        }
        let mut edges = Vec::with_capacity(order.steps.len());
        let mut done = 0;
        for step in &order.steps {
            edges.push(self.step(step, &mut done, events).await?);
        }
        self.check_polymorphic().await?;
        Ok(Survey { state: self.state, findings: self.findings, edges, joins: self.joins })
    }

    async fn step(
        &mut self,
        step: &LoadStep,
        done: &mut u64,
        events: &mut dyn FnMut(Event),
    ) -> Result<RowEdges, Error> {
        self.component.clone_from(&step.relations);
        for relation in &step.relations {
            self.relation(*relation, done, events).await?;
        }
        for relation in &step.relations {
            self.state.relation_mut(*relation).scanned = true;
        }
        let mut pending = std::mem::take(&mut self.pending);
        loop {
            let before = progress(&pending);
            self.settle(&mut pending).await?;
            let mut allotted = false;
            for relation in &step.relations {
                allotted |= self.allot(*relation).await?;
            }
            if pending.iter().all(Work::is_done) || progress(&pending) == before && !allotted {
                break;
            }
        }
        self.conclude(&mut pending).await?;
        self.conclude_waiting().await?;
        for relation in &step.relations {
            self.allot(*relation).await?;
            self.state.relation_mut(*relation).settled = true;
        }
        self.state.keep_within_budget()?;
        for relation in &step.relations {
            if let Some(fields) = self.joins.get(relation).cloned() {
                self.join_rows(*relation, &fields).await?;
            }
        }
        Ok(std::mem::take(&mut self.edges))
    }

    /// Asks which of these relations hold rows, where that is not known yet: a statement for a few hundred of them. Relations that the
    /// restore does not look at are never asked for: the role may not read them.
    async fn find_rows(&mut self, ids: impl Iterator<Item = RelationId>) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let unknown: BTreeSet<RelationId> = ids.filter(|id| self.asked.insert(*id)).collect();
        let unknown: Vec<RelationId> = unknown.into_iter().collect();
        let question = |name: &str| format!("CASE WHEN EXISTS (SELECT 1 FROM {name}) THEN 1 ELSE 0 END AS found");
        for (id, found) in per_relation::ask(self.connection, &catalog, &unknown, question).await? {
            let state = self.state.relation_mut(id);
            state.has_rows = found == 1 && !state.cleared;
        }
        Ok(())
    }

    /// The relations that hold records of the export, those that they reference, and those that natural keys go through.
    fn looked_at(&self) -> Vec<RelationId> {
        let mut found = Vec::new();
        for (id, relation) in self.catalog.iter().filter(|(id, _)| !self.runs[id.index()].is_empty()) {
            found.push(id);
            for key in &relation.foreign_keys {
                if let Some(target) = self.catalog.id(&key.referenced) {
                    found.push(target);
                    self.mapping.behind_natural_keys(target, &mut found);
                }
            }
        }
        found
    }

    async fn relation(&mut self, id: RelationId, done: &mut u64, events: &mut dyn FnMut(Event)) -> Result<(), Error> {
        let runs = self.runs[id.index()].clone();
        if runs.is_empty() {
            return Ok(());
        }
        let mut rows = stream::rows(&self.source, &self.decoder, Order::File(runs));
        while let Some(chunk) = rows.recv().await {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let chunk = chunk?;
            *done += chunk.len() as u64;
            for (row, _) in &chunk {
                self.state.relation_mut(id).positions.push(row.position());
            }
            let chunk = self.ask_conditions(id, chunk).await?;
            let mut works = Vec::with_capacity(chunk.len());
            for (row, problems) in chunk {
                works.push(self.enter(row, problems)?);
            }
            self.settle(&mut works).await?;
            for work in works.into_iter().filter(|work| !work.is_done()) {
                if self.is_read_again(&work) {
                    let records = self.waiting.entry((id, work.settled)).or_default();
                    records.push(work.row.ordinal);
                } else {
                    self.pending.push(work);
                }
            }
            self.state.keep_within_budget()?;
            events(Event::Progress { phase: Phase::PreScan, done: *done });
        }
        self.recover_ids(id).await?;
        self.allot(id).await?;
        self.state.keep_within_budget()?;
        self.file_tree(id).await?;
        self.state.keep_within_budget()
    }

    /// Takes a row in: its position, its problems, and its own keys.
    fn enter(&mut self, mut row: Row, problems: Vec<Problem>) -> Result<Work, Error> {
        self.findings.drift.record(&mut row);
        let id = row.shape.relation;
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(id).name;
        for problem in problems {
            let spot = Spot {
                label: row.label,
                file_ordinal: row.file_ordinal,
                offset: problem.offset.unwrap_or(row.offset),
                field: problem.field.as_deref().filter(|_| problem.offset.is_some()),
            };
            let mut found = finding(problem.code, name, problem.message);
            found.field.clone_from(&problem.field);
            found.help = problem.help;
            if problem.code == code::JSON_IN_TEXT {
                found.severity = Severity::Warning;
            }
            self.fault(&row, found, Some(spot), None)?;
        }
        let state = self.state.relation_mut(id);
        if row.cells.contains(&Cell::Allotted) {
            state.nameless.insert(row.ordinal);
        }
        let mut work = Work {
            settled: vec![false; row.shape.references.len() + row.shape.generics.len()],
            filed: vec![false; row.shape.indexes.len()],
            identified: false,
            row,
        };
        let numbered = match self.state.relation(id).fresh {
            Some(Fresh::Number(column)) => Some(column),
            _ => self.state.relation(id).numbered,
        };
        let slot = numbered.and_then(|numbered| work.row.shape.slot_of(numbered));
        if let Some(Value::Int(given)) = slot.and_then(|slot| work.row.cells[slot].value()) {
            let state = self.state.relation_mut(id);
            state.highest_given = state.highest_given.max(Some(*given));
        }
        for (_, join) in &work.row.shape.joins {
            let fields = self.joins.entry(join.join).or_default();
            if !fields.iter().any(|(source, field)| *source == id && field == join) {
                fields.push((id, join.clone()));
            }
        }
        self.file(&mut work, true)?;
        Ok(work)
    }

    /// Files the row under the keys whose values are settled; `original`: those that go by the export's own values.
    fn file(&mut self, work: &mut Work, original: bool) -> Result<(), Error> {
        let registry = Arc::clone(&self.registry);
        let shape = Arc::clone(&work.row.shape);
        for (at, (index, slots)) in shape.indexes.iter().enumerate() {
            let spec = registry.spec(*index);
            let by_original = spec.files_original_values();
            let outside = work.row.outside.contains(index);
            if work.filed[at] || outside || original && !by_original || !original && !work.is_ready(slots) {
                continue;
            }
            let values = if by_original { work.row.given_values(slots) } else { work.row.values(slots) };
            let Some(values) = values else { continue };
            work.filed[at] = true;
            let parts = values.iter().copied().zip(&spec.comparisons);
            let key = match Key::of(parts.clone()) {
                Some(key) => key,
                None if spec.roles.identity || spec.roles.nulls_not_distinct => Key::with_nulls(parts),
                None => continue,
            };
            let has_null = values.iter().any(|value| value.is_null());
            let first = self.state.indexes[index.0].records.insert(&key, work.row.ordinal);
            if let Some(first) = first {
                let alike = unique_name(&spec.roles, has_null).or_else(|| {
                    // Without a primary key of its own a record is what its natural key says: twice the same is one too many.
                    let nameless = spec.roles.identity && work.row.cells.contains(&Cell::Allotted);
                    nameless.then(|| "natural key".to_owned())
                });
                if let Some(constraint) = alike {
                    let shown: Vec<String> =
                        spec.names.iter().zip(&values).map(|(name, value)| format!("{name} = {value}")).collect();
                    self.duplicate(&work.row, &constraint, &shown.join(", "), slots, first)?;
                }
            }
        }
        let state = &mut self.state.relations[shape.relation.index()];
        if state.exists(work.row.ordinal) {
            // What becomes of the row that exists was settled when it was found.
            return Ok(());
        }
        let allotted = state.allots.then_some(state.fresh).flatten().map(Fresh::column);
        for (slot, column) in shape.columns.iter().enumerate() {
            if let (Cell::Value(value), true) = (&work.row.cells[slot], allotted != Some(*column)) {
                state.set_final(*column, work.row.ordinal, value);
            }
        }
        Ok(())
    }

    fn duplicate(
        &mut self,
        row: &Row,
        constraint: &str,
        shown: &str,
        slots: &[usize],
        first: Ordinal,
    ) -> Result<(), Error> {
        let catalog = Arc::clone(&self.catalog);
        let name = &catalog.relation(row.shape.relation).name;
        let position = self.state.relation(row.shape.relation).positions.get(first);
        let mut found = finding(code::DUPLICATE_KEY, name, format!("{shown} stands in another record already"));
        found.constraint = Some(constraint.to_owned());
        found.help = Some("remove one of the two records, or give one of them another key".to_owned());
        let field = slots.first().and_then(|slot| row.shape.field_of(*slot)).map(str::to_owned);
        found.field.clone_from(&field);
        let offset = self.value_offset(row, field.as_deref())?;
        let spot = Spot { label: row.label, file_ordinal: row.file_ordinal, offset, field: field.as_deref() };
        let other =
            Spot { label: position.label, file_ordinal: position.file_ordinal, offset: position.offset, field: None };
        self.fault(row, found, Some(spot), Some(other))
    }

    /// Resolves the references of these rows, files them, and finds those that exist, as far as that can be done by now: rows that may refer to
    /// records not read yet have to wait for the end of the component.
    async fn settle(&mut self, works: &mut [Work]) -> Result<(), Error> {
        // A row that is settled may be what the natural key of another goes through, so this repeats until nothing changes any more.
        loop {
            let before = progress(works);
            self.resolve_all(works, false).await?;
            for work in works.iter_mut() {
                self.file(work, false)?;
            }
            self.identify(works).await?;
            if works.iter().all(Work::is_done) || progress(works) == before {
                return Ok(());
            }
        }
    }

    /// Reports what is wrong with a record: it stops the restore, or the record is rejected.
    fn fault(
        &mut self,
        row: &Row,
        found: Finding,
        spot: Option<Spot<'_>>,
        other: Option<Spot<'_>>,
    ) -> Result<(), Error> {
        if found.severity == Severity::Error && self.on_error == OnError::Reject && found.code != code::UNKNOWN_FIELD {
            self.reject(row, &found);
            return Ok(self.findings.add_handled(found, Handling::Rejects, spot, other)?);
        }
        Ok(self.findings.add(found, spot, other)?)
    }

    fn reject(&mut self, row: &Row, found: &Finding) {
        let reject = Reject {
            code: found.code,
            field: found.field.clone(),
            message: found.message.clone(),
            position: row.position(),
            because_of: None,
        };
        self.state.relation_mut(row.shape.relation).rejected.entry(row.ordinal).or_insert(reject);
    }

    /// Where a field's value stands; the record's start where there is no field.
    fn value_offset(&self, row: &Row, field: Option<&str>) -> Result<u64, Error> {
        let Some(field) = field else { return Ok(row.offset) };
        let record = self.findings.source().record_at(row.label, row.file_ordinal, row.offset)?;
        let fields = record.fields()?;
        Ok(fields.get(field).map_or(row.offset, |value| value.offset()))
    }

    /// Looks up what is needed, in the target, and remembers it.
    async fn fetch(&mut self, needs: Needs) -> Result<(), Error> {
        for (index, keys) in needs {
            let keys: Vec<Vec<Value>> = keys.into_values().collect();
            for (key, external) in self.look_up(index, &keys).await? {
                self.state.indexes[index.0].external.insert(&key, &external);
            }
        }
        Ok(())
    }

    async fn look_up(&mut self, index: IndexId, keys: &[Vec<Value>]) -> Result<Vec<(Key, External)>, Error> {
        let state = self.state.relation(self.registry.spec(index).relation);
        let columns: Vec<usize> = state.payload.iter().chain(&state.identity).copied().collect();
        Ok(state::look_up(self.connection, &self.catalog, &self.registry, &columns, index, keys).await?)
    }
}

/// How much of these rows is settled and filed.
fn progress(works: &[Work]) -> usize {
    let count = |done: &[bool]| done.iter().filter(|done| **done).count();
    works.iter().map(|work| count(&work.settled) + count(&work.filed) + usize::from(work.identified)).sum()
}

/// The unique key that two records with equal values break.
fn unique_name(roles: &Roles, has_null: bool) -> Option<String> {
    if roles.primary {
        return Some("primary key".to_owned());
    }
    roles.unique.clone().filter(|_| !has_null || roles.nulls_not_distinct)
}
