//! Carries a plan out inside the transaction that the caller opened, and neither commits nor rolls it back: each step inserts, then updates,
//! then sets what had to wait. `batch` is the ladder, `update` changes rows that exist, `lists` fills join tables, `enforce` is
//! about constraints.

mod batch;
mod enforce;
mod lists;
mod update;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use relink_db::{Connection, DbError, TransactionKind};
use relink_export::Run;
use relink_graph::{EdgeRef, Way};
use relink_model::{Counts, Finding, OnError, Outcome, RelationId, Value};
use relink_records::JoinField;

use self::batch::{Batches, HeldInsert, Insertion};
use crate::{
    Error, Event, Phase, Request, code,
    decode::Decoder,
    findings::{Findings, Spot, finding},
    journal::{Keeper, Reached},
    load,
    memory::Ordinal,
    plan::{Part, Step},
    report::Rungs,
    settled::{self, Origin},
    state::State,
    stream::{self, Order, Rows},
};

const DEFERRED: &str = "relink_deferred";
/// After so many refused rows nobody learns more from the next one.
const REFUSED_ROWS_MAX: u64 = 1_000;

/// What was loaded into one relation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) counts: Counts,
    pub(crate) rungs: Rungs,
    pub(crate) patched: u64,
    pub(crate) deleted: u64,
}

/// References to be set once the rows of the cycle are in.
type Patches = HashMap<EdgeRef, Vec<Vec<Value>>>;

/// A record that the database refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) relation: RelationId,
    pub(crate) ordinal: Ordinal,
    pub(crate) error: DbError,
}

/// What a load works on, whichever connection carries it.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) decoder: &'a Arc<Decoder>,
    pub(crate) request: &'a Request<'a>,
    pub(crate) runs: &'a [Vec<Run>],
    pub(crate) joins: &'a HashMap<RelationId, Vec<(RelationId, JoinField)>>,
    pub(crate) state: &'a State,
    pub(crate) steps: &'a [Step],
    pub(crate) findings: &'a Mutex<&'a mut Findings>,
    pub(crate) checkpoints: Option<Checkpoints<'a>>,
    /// Set when another connection failed: there is no use in going on.
    pub(crate) stopped: &'a AtomicBool,
}

/// Commits on the way.
#[derive(Clone, Copy)]
pub(crate) struct Checkpoints<'a> {
    /// After so many records.
    pub(crate) every: u64,
    pub(crate) keeper: &'a Keeper,
    /// Becomes true with the first commit of all.
    pub(crate) any: &'a AtomicBool,
}

/// How far a load has come, and what it has come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// By step of the plan.
    pub(crate) reached: Vec<Reached>,
    pub(crate) loaded: HashMap<RelationId, Loaded>,
}

impl Standing {
    /// What of it concerns one step.
    pub(crate) fn of(&self, steps: &[Step], step: usize) -> Self {
        let loaded = steps[step].relations.iter().filter_map(|id| Some((*id, self.loaded.get(id)?.clone())));
        Self { reached: self.reached.clone(), loaded: loaded.collect() }
    }
}

/// Carries out steps over one connection.
pub(crate) struct Loader<'c, 'a> {
    connection: &'c mut dyn Connection,
    job: Job<'a>,
    decoder: Arc<Decoder>,
    request: &'a Request<'a>,
    runs: &'a [Vec<Run>],
    joins: &'a HashMap<RelationId, Vec<(RelationId, JoinField)>>,
    state: &'a State,
    /// Refused records are kept apart, to be rejected.
    rejects: bool,
    /// The steps that are its own.
    range: Range<usize>,
    /// Records since the last commit.
    uncommitted: u64,
    /// The step at hand.
    at: usize,
    /// How far an earlier run had come with it.
    resumed: Reached,
    /// What the step at hand does to constraints lasts as long as its transaction.
    whole_step: bool,
    pub(crate) standing: Standing,
    /// Steps that have come further since the last commit.
    advanced: BTreeSet<usize>,
    /// As of the last commit, where there was one.
    pub(crate) committed: Option<Standing>,
    pub(crate) refusals: Vec<Refusal>,
    targets: HashMap<(RelationId, Vec<usize>), Arc<relink_db::InsertTarget>>,
    /// By address of the shape; shapes live as long as the decoder.
    insertions: HashMap<usize, Insertion>,
    patches: Patches,
    held: Vec<HeldInsert>,
    /// Relations of which rows went in while their foreign keys were put off.
    unordered: BTreeSet<RelationId>,
    /// A constraint as a whole does not hold; the transaction may take no more statements.
    broken: bool,
    /// Something is wrong with what was loaded, which stops the restore.
    unsound: bool,
    /// Relations that the bulk path cannot load.
    no_bulk: HashSet<RelationId>,
    done: u64,
    refused: u64,
    /// Records that the database refused: what references them is not tried.
    refused_rows: HashSet<(RelationId, Ordinal)>,
}

impl<'c, 'a> Loader<'c, 'a> {
    /// For these steps, in a transaction that is open and [prepared](load::prepare).
    pub(crate) fn new(
        connection: &'c mut dyn Connection,
        job: Job<'a>,
        range: Range<usize>,
        standing: Standing,
    ) -> Self {
        let Job { decoder, request, runs, joins, state, .. } = job;
        Self {
            connection,
            job,
            decoder: Arc::clone(decoder),
            request,
            runs,
            joins,
            state,
            rejects: request.options.on_error == OnError::Reject,
            at: range.start,
            range,
            uncommitted: 0,
            resumed: Reached::default(),
            whole_step: false,
            standing,
            advanced: BTreeSet::new(),
            committed: None,
            refusals: Vec::new(),
            targets: HashMap::new(),
            insertions: HashMap::new(),
            patches: HashMap::new(),
            held: Vec::new(),
            unordered: BTreeSet::new(),
            broken: false,
            unsound: false,
            no_bulk: HashSet::new(),
            done: 0,
            refused: 0,
            refused_rows: HashSet::new(),
        }
    }

    /// Carries out its steps, then makes deferred constraints fire. Whether rows were refused stands in the findings, or in `refusals`.
    pub(crate) async fn run(&mut self, events: &mut dyn FnMut(Event)) -> Result<(), Error> {
        for at in self.range.clone() {
            if self.standing.reached[at].finished {
                continue;
            }
            self.at = at;
            self.resumed = self.standing.reached[at];
            self.step(&self.job.steps[at], events).await?;
            if self.has_enough() || self.broken {
                return Ok(());
            }
            self.whole_step = false;
            self.standing.reached[at] = Reached { finished: true, ..Reached::default() };
            self.advanced.insert(at);
            self.checkpoint().await?;
        }
        if self.refused == 0 {
            self.fire_deferred().await?;
            let catalog = Arc::clone(&self.decoder.catalog);
            if self.broken {
                return Ok(());
            }
            for relation in std::mem::take(&mut self.unordered) {
                let keys = 0..catalog.relation(relation).foreign_keys.len();
                let keys: Vec<EdgeRef> = keys.map(|key| EdgeRef { referencing: relation, key }).collect();
                self.revalidate(&keys).await?;
            }
        }
        Ok(())
    }

    /// Notes that something is wrong with what was loaded.
    fn add(&mut self, found: Finding, spot: Option<Spot<'_>>) -> Result<(), Error> {
        self.unsound = true;
        Ok(self.job.findings.lock().unwrap_or_else(PoisonError::into_inner).add(found, spot, None)?)
    }

    /// Whether all that was loaded may stay.
    pub(crate) fn is_sound(&self) -> bool {
        !self.unsound && self.refusals.is_empty()
    }

    /// The relations of its steps.
    fn relations(&self) -> Vec<RelationId> {
        self.job.steps[self.range.clone()].iter().flat_map(|step| step.relations.iter().copied()).collect()
    }

    /// Whether so much went wrong that going on teaches nothing.
    fn has_enough(&self) -> bool {
        !self.rejects && self.refused >= REFUSED_ROWS_MAX
    }

    async fn step(&mut self, step: &Step, events: &mut dyn FnMut(Event)) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let keys_of = |keys: &[EdgeRef]| -> Vec<_> {
            keys.iter().map(|key| (catalog.relation(key.referencing), key.foreign_key(&catalog))).collect()
        };
        self.whole_step = step.way.is_some();
        match &step.way {
            Some(Way::Defer { keys, .. }) => self.connection.defer(&keys_of(keys)).await?,
            Some(Way::Suspend { keys, .. }) => self.connection.suspend(&keys_of(keys)).await?,
            _ => {}
        }
        for (at, part) in step.parts(self.state, self.runs, self.joins).into_iter().enumerate() {
            if self.refused > 0 && !self.rejects && matches!(part, Part::Updates(_)) {
                return Ok(());
            }
            if !self.begins(at) {
                continue;
            }
            match part {
                Part::Records(relation) => {
                    let runs = self.runs[relation.index()].clone();
                    let mut before = self.done_before();
                    self.records(relation, step, Order::File(runs), &mut before, events).await?;
                }
                Part::Stretch(relation, rows) => {
                    let mut before = self.done_before();
                    for piece in rows.chunks(stream::PIECE_ROWS) {
                        let order = self.state.relation(relation).order_of(piece);
                        self.records(relation, step, order, &mut before, events).await?;
                    }
                }
                Part::Lists(relation) => self.lists(relation, &self.joins[&relation], events).await?,
                Part::Updates(relation) => self.updates(relation, step, events).await?,
            }
        }
        if self.refused > 0 && !self.rejects {
            return Ok(());
        }
        self.insert_held().await?;
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

    /// Begins a part of the step, unless an earlier run has done with it.
    fn begins(&mut self, part: usize) -> bool {
        if part < self.resumed.part {
            return false;
        }
        let done = if part == self.resumed.part { self.resumed.done } else { 0 };
        self.standing.reached[self.at] = Reached { part, done, finished: false };
        true
    }

    /// How many of this part's records an earlier run has done with.
    fn done_before(&self) -> u64 {
        if self.standing.reached[self.at].part == self.resumed.part { self.resumed.done } else { 0 }
    }

    /// Whether a commit is due; the caller then writes what waits, and makes a [checkpoint](Self::checkpoint).
    fn is_due(&self) -> bool {
        self.job.checkpoints.is_some_and(|checkpoints| self.uncommitted >= checkpoints.every)
            && !self.whole_step
            && self.held.is_empty()
            && self.patches.is_empty()
            // What went in with its foreign keys put off is looked at again at the end.
            && self.unordered.is_empty()
            && self.refused == 0
            && self.is_sound()
    }

    /// Commits what was loaded so far together with the journal, where a commit is due, and goes on in a new transaction.
    async fn checkpoint(&mut self) -> Result<(), Error> {
        if !self.is_due() {
            return Ok(());
        }
        // What is deferred must hold by now; where it does not yet, the commit waits.
        self.connection.savepoint(DEFERRED).await?;
        if let Err(error) = self.connection.check_deferred().await {
            if !error.blames_rows() {
                return Err(error.into());
            }
            self.connection.rollback_to(DEFERRED).await?;
            return Ok(self.connection.release(DEFERRED).await?);
        }
        self.connection.release(DEFERRED).await?;
        self.commit().await?;
        self.connection.begin(TransactionKind::Write).await?;
        let relations = self.relations();
        load::prepare(self.connection, self.request, self.state, &self.decoder.catalog, &relations).await
    }

    /// Commits what was loaded so far together with the journal, if there is one.
    pub(crate) async fn commit(&mut self) -> Result<(), Error> {
        let Some(Checkpoints { any, .. }) = self.job.checkpoints else { return Ok(()) };
        // What was resolved by caches that failed must not be committed.
        self.state.budget.check()?;
        self.note().await?;
        load::commit(self.connection, any).await?;
        self.committed = Some(self.standing.clone());
        self.uncommitted = 0;
        Ok(())
    }

    /// Notes in the journal, if there is one, how far the load has come.
    pub(crate) async fn note(&mut self) -> Result<(), Error> {
        let Some(Checkpoints { keeper, .. }) = self.job.checkpoints else { return Ok(()) };
        for at in std::mem::take(&mut self.advanced) {
            let (step, reached) = (&self.job.steps[at], self.standing.reached[at]);
            let catalog = &self.decoder.catalog;
            keeper.advance(self.connection, catalog, at, step, reached, &self.standing.loaded).await?;
        }
        Ok(())
    }

    /// Whether rows of this relation that exist may change.
    fn changes(&self, relation: RelationId) -> bool {
        self.state.changes(relation)
    }

    /// Inserts the records of a relation in the order given; the first `before` of them have been dealt with.
    async fn records(
        &mut self,
        id: RelationId,
        step: &Step,
        order: Order,
        before: &mut u64,
        events: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let state = self.state;
        let mut rows = self.read(order);
        let mut batches = Batches::new(step.ordered);
        let changes = self.changes(id);
        while let Some(chunk) = rows.recv().await {
            self.check_interrupted()?;
            let chunk = chunk?;
            self.state.budget.check()?;
            let skipped = (*before).min(chunk.len() as u64);
            *before -= skipped;
            let read = chunk.len() as u64 - skipped;
            self.standing.loaded.entry(id).or_default().counts.read += read;
            for (row, _) in chunk.into_iter().skip(skipped as usize) {
                if state.relation(id).rejected.contains_key(&row.ordinal) {
                    self.count(id, Outcome::Rejected);
                    continue;
                }
                if state.relation(id).exists(row.ordinal) {
                    if !changes {
                        self.count(id, Outcome::Skipped);
                    }
                    continue;
                }
                let insertion = self.insertion(&row.shape);
                let origin = Origin::of(&row);
                let settled = settled::settle(&self.decoder, state, row, Some(step), &self.refused_rows)?;
                let Some(mut settled) = settled else {
                    self.follows_refused(id, origin)?;
                    continue;
                };
                for (edge, patch) in settled.postpone(&self.decoder, &step.nulls) {
                    self.patches.entry(edge).or_default().push(patch);
                }
                let values = insertion.arrange(settled.values);
                self.push(&mut batches, id, &insertion.target, values, origin).await?;
            }
            self.done += read + skipped;
            self.passed(read);
            if self.is_due() {
                self.flush_all(&mut batches).await?;
                self.checkpoint().await?;
            }
            events(Event::Progress { phase: Phase::Load, done: self.done });
            if self.has_enough() {
                break;
            }
        }
        self.flush_all(&mut batches).await
    }

    /// Reads records, in chunks small enough to commit as often as was asked for.
    fn read(&self, order: Order) -> Rows {
        let every = self.job.checkpoints.map_or(u64::MAX, |checkpoints| checkpoints.every);
        stream::rows_by(&self.request.source, &self.decoder, order, usize::try_from(every).unwrap_or(usize::MAX))
    }

    /// Notes records that are done with as soon as what waits is written.
    fn passed(&mut self, records: u64) {
        self.standing.reached[self.at].done += records;
        self.uncommitted += records;
        self.advanced.insert(self.at);
    }

    fn check_interrupted(&self) -> Result<(), Error> {
        let ends = self.request.interrupted.load(Ordering::Relaxed) || self.job.stopped.load(Ordering::Relaxed);
        if ends { Err(Error::Interrupted) } else { Ok(()) }
    }

    fn count(&mut self, relation: RelationId, outcome: Outcome) {
        self.standing.loaded.entry(relation).or_default().counts.add(outcome, 1);
    }

    /// A row whose reference leads to a refused one: a consequence, not a cause.
    fn follows_refused(&mut self, relation: RelationId, origin: Origin) -> Result<(), Error> {
        self.refused_rows.extend(origin.record.map(|ordinal| (relation, ordinal)));
        self.count(relation, Outcome::Rejected);
        if self.rejects {
            // Rejected with the record that it references, before the next attempt.
            return Ok(());
        }
        let catalog = Arc::clone(&self.decoder.catalog);
        let message = "references a record that was refused, directly or through others";
        let found = finding(code::FOLLOWS_REFUSED, &catalog.relation(relation).name, message);
        self.add(found, Some(origin.spot()))
    }

    /// A row that the database refuses.
    fn refuse(&mut self, relation: RelationId, origin: Origin, error: DbError) -> Result<(), Error> {
        self.refused += 1;
        self.refused_rows.extend(origin.record.map(|ordinal| (relation, ordinal)));
        self.count(relation, Outcome::Rejected);
        // A row of a list is its record's: without it the record would not be whole.
        let record = origin.record.map(|ordinal| (relation, ordinal)).or(origin.listed_by);
        if let (true, Some((relation, ordinal))) = (self.rejects, record) {
            self.refusals.push(Refusal { relation, ordinal, error });
            return Ok(());
        }
        let catalog = Arc::clone(&self.decoder.catalog);
        let found = refused_finding(&catalog.relation(relation).name, error);
        self.add(found, Some(origin.spot()))
    }
}

/// What the database said about a row.
pub(crate) fn refused_finding(relation: &relink_model::RelationName, error: DbError) -> relink_model::Finding {
    let mut found = finding(code::REFUSED_ROW, relation, error.message);
    found.constraint = error.constraint;
    found.field = error.column;
    found.help = error.detail;
    found
}
