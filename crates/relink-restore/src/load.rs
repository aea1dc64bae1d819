//! The load as a whole: what exists is cleared where it must be, hooks run, rows go in, and where refused records are rejected, what was loaded is
//! taken back and loaded again without them. With a journal it commits on its way.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use relink_db::{Connection, DbErrorKind, JOURNAL, TransactionKind};
use relink_graph::LoadOrder;
use relink_model::{Catalog, OnError, Relation, RelationId, TriggerPolicy};

use crate::{
    Error, Event, Request, account,
    apply::{Checkpoints, Job, Loaded, Loader, Refusal, Standing},
    clear,
    engine::Course,
    findings::Findings,
    journal::{self, Identity, Keeper, Reached, Resumed},
    lanes,
    memory::Ordinal,
    plan::{Part, Step},
    rejects::{self, Closing},
    state::State,
};

const SAVEPOINT: &str = "relink_load";

/// A load to be.
pub(crate) struct Load<'a> {
    pub(crate) closing: &'a Closing<'a>,
    pub(crate) request: &'a Request<'a>,
    pub(crate) order: &'a LoadOrder,
    pub(crate) steps: &'a [Step],
    pub(crate) cleared: &'a HashSet<RelationId>,
    /// Rows of each relation before the restore began.
    pub(crate) before: &'a HashMap<RelationId, i64>,
    /// What a journal of this load says it belongs to, where one is kept.
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) resumed: Option<&'a Resumed>,
}

impl Load<'_> {
    /// Carries it out.
    pub(crate) async fn run(
        &self,
        connection: &mut dyn Connection,
        course: &mut Course,
        state: &mut State,
        findings: &mut Findings,
        events: &mut dyn FnMut(Event),
    ) -> Result<Done, Error> {
        let mut others = self.connect(connection).await;
        let outcome = self.run_over(connection, &mut others, course, state, findings, events).await;
        for other in others {
            // What it did is committed or rolled back; it has no more to say.
            let _ = other.close().await;
        }
        outcome
    }

    /// The connections beside the first, where steps are to be loaded side by side.
    async fn connect(&self, connection: &mut dyn Connection) -> Vec<Box<dyn Connection>> {
        let options = self.request.options;
        let mut others = Vec::new();
        if options.commit_every.is_none() || self.identity.is_none() {
            return others;
        }
        for _ in 1..options.jobs.unwrap_or(1).min(self.steps.len()) {
            match connection.another().await {
                Ok(Some(other)) => others.push(other),
                // A server that takes no more: it goes over those that there are, and the report says how many they were.
                Ok(None) | Err(_) => break,
            }
        }
        others
    }

    async fn run_over(
        &self,
        connection: &mut dyn Connection,
        others: &mut [Box<dyn Connection>],
        course: &mut Course,
        state: &mut State,
        findings: &mut Findings,
        events: &mut dyn FnMut(Event),
    ) -> Result<Done, Error> {
        let catalog = Arc::clone(&self.closing.decoder.catalog);
        let mut keeper = self.resumed.map(Keeper::resume);
        let mut standing = match self.resumed {
            Some(resumed) => Standing { reached: resumed.reached.clone(), loaded: resumed.loaded.clone() },
            None => self.begin(connection, &catalog, state, course, &mut keeper).await?,
        };
        let mut kept = self.resumed.map(|_| standing.loaded.clone());
        let side_by_side = !others.is_empty();
        if side_by_side {
            // The others see what is committed.
            commit(connection, &course.committed).await?;
            course.begun = false;
            kept = Some(standing.loaded.clone());
        } else {
            prepare(connection, self.request, state, &catalog, &self.all()).await?;
        }
        let mut connections = 1;
        loop {
            let every = self.request.options.commit_every;
            let checkpoints =
                every.zip(keeper.as_ref()).map(|(every, keeper)| Checkpoints { every, keeper, any: &course.committed });
            let shared = Mutex::new(&mut *findings);
            let job = Job {
                decoder: self.closing.decoder,
                request: self.request,
                runs: self.closing.runs,
                joins: self.closing.joins,
                state,
                steps: self.steps,
                findings: &shared,
                checkpoints,
                stopped: &AtomicBool::new(false),
            };
            let round = if side_by_side {
                lanes::run(connection, others, job, standing.clone(), events).await?
            } else {
                let mut loader = Loader::new(connection, job, 0..self.steps.len(), standing.clone());
                loader.run(events).await?;
                if loader.is_sound() {
                    loader.note().await?;
                }
                Round {
                    loaded: loader.standing.loaded,
                    committed: loader.committed,
                    refusals: loader.refusals,
                    connections: 1,
                }
            };
            connections = connections.max(round.connections);
            if let Some(committed) = round.committed {
                kept = Some(committed.loaded.clone());
                standing = committed;
            }
            if side_by_side {
                connection.begin(TransactionKind::Write).await?;
                course.begun = true;
            }
            if round.refusals.is_empty() {
                if self.rejects() && !side_by_side {
                    connection.release(SAVEPOINT).await?;
                }
                return Ok(Done { loaded: round.loaded, kept, keeper, connections });
            }
            if !side_by_side {
                connection.rollback_to(SAVEPOINT).await?;
            }
            let known: Vec<Verdicts> = catalog.iter().map(|(id, _)| Verdicts::of(state, id)).collect();
            rejects::take_refusals(self.closing.decoder, state, round.refusals, findings)?;
            self.closing.close(state, findings).await?;
            self.check_reach(&catalog, state, &known, &standing.reached)?;
            if self.identity.is_some() {
                journal::replace_decisions(connection, &catalog, state).await?;
            }
            if let (true, Some(keeper)) = (side_by_side, &keeper) {
                keeper.fence(connection, &catalog, self.steps, &standing.reached, &standing.loaded).await?;
                commit(connection, &course.committed).await?;
                course.begun = false;
            } else if self.identity.is_some() {
                connection.release(SAVEPOINT).await?;
                connection.savepoint(SAVEPOINT).await?;
            }
        }
    }

    /// Every relation that is loaded or cleared.
    fn all(&self) -> Vec<RelationId> {
        self.closing.decoder.catalog.iter().map(|(id, _)| id).collect()
    }

    fn rejects(&self) -> bool {
        self.request.options.on_error == OnError::Reject
    }

    /// What comes before the first row, once.
    async fn begin(
        &self,
        connection: &mut dyn Connection,
        catalog: &Catalog,
        state: &State,
        course: &mut Course,
        keeper: &mut Option<Keeper>,
    ) -> Result<Standing, Error> {
        if self.identity.is_some() {
            if connection.dialect().capabilities().transactional_ddl {
                journal::make_table(connection).await?;
            } else {
                // Making a table commits, so that is done while there is nothing to commit.
                connection.commit().await?;
                course.begun = false;
                course.journal_outside = true;
                journal::make_table(connection).await?;
                connection.begin(TransactionKind::Write).await?;
                course.begun = true;
            }
        }
        self.run_hooks_before(connection, catalog).await?;
        // What deletes rows fires triggers, too.
        silence(connection, state, catalog, &self.all()).await?;
        let mut loaded: HashMap<RelationId, Loaded> = HashMap::new();
        for (id, rows) in clear::clear(connection, catalog, self.order, self.cleared, self.before).await? {
            loaded.entry(id).or_default().deleted += rows;
        }
        if let Some(identity) = self.identity {
            // Last: where a hook commits by itself, no journal may say that what follows it was done.
            let plan = journal::fingerprint(self.steps, self.closing.decoder, state);
            let steps = self.steps;
            let begun = Keeper::begin(connection, identity, catalog, state, steps, plan, &loaded, self.before).await?;
            *keeper = Some(begun);
        }
        Ok(Standing { reached: vec![Reached::default(); self.steps.len()], loaded })
    }

    /// Runs the hooks that come before the load, which the pre-scan has not seen: rows that they add or delete would make its findings untrue.
    async fn run_hooks_before(&self, connection: &mut dyn Connection, catalog: &Catalog) -> Result<(), Error> {
        let scripts = &self.request.config.hooks.before;
        if scripts.is_empty() {
            return Ok(());
        }
        hooks(connection, "before", scripts).await?;
        let mut touched: Vec<RelationId> = self.before.keys().copied().collect();
        touched.sort_unstable();
        let after = account::count(connection, catalog, &touched).await?;
        match touched.into_iter().find(|id| after.get(id) != self.before.get(id)) {
            Some(id) => Err(Error::HookMovedRows { relation: catalog.relation(id).name.clone() }),
            None => Ok(()),
        }
    }

    /// Records that are already committed can neither be rejected any more nor lose a reference.
    fn check_reach(
        &self,
        catalog: &Catalog,
        state: &State,
        known: &[Verdicts],
        reached: &[Reached],
    ) -> Result<(), Error> {
        for (id, relation) in catalog.iter() {
            let fresh = Verdicts::of(state, id).since(&known[id.index()]);
            if fresh.into_iter().any(|ordinal| self.is_committed(state, reached, id, ordinal)) {
                return Err(Error::Journal(format!(
                    "records of {} that are committed already refer to one that the database refuses: they cannot be rejected any more. \
                     Make the database take the row and go on with --resume; or abandon the journal (DROP TABLE {JOURNAL}) \
                     and restore again with --mode upsert and without --commit-every",
                    relation.name
                )));
            }
        }
        Ok(())
    }

    /// Whether a record's row is in, or changed, where the steps have come so far.
    fn is_committed(&self, state: &State, reached: &[Reached], id: RelationId, ordinal: Ordinal) -> bool {
        let Some(at) = self.steps.iter().position(|step| step.relations.contains(&id)) else { return false };
        let reached = reached[at];
        if reached.finished {
            return true;
        }
        let decoder = self.closing.decoder;
        let is_read = |other: Ordinal| !decoder.left_out.holds(id, other);
        let updates = state.relation(id).exists(ordinal) && state.changes(id);
        let parts = self.steps[at].parts(state, self.closing.runs, self.closing.joins);
        parts.into_iter().enumerate().take(reached.part + 1).any(|(part, what)| {
            // How many records of the part come before this one, which must be one of it.
            let before = match what {
                Part::Records(relation) | Part::Updates(relation)
                    if relation == id && updates == matches!(what, Part::Updates(_)) =>
                {
                    Some((0..ordinal).filter(|other| is_read(*other)).count())
                }
                Part::Stretch(relation, rows) if relation == id && !updates => {
                    let place = rows.iter().position(|other| *other == ordinal);
                    place.map(|place| rows[..place].iter().filter(|other| is_read(**other)).count())
                }
                _ => None,
            };
            before.is_some_and(|before| part < reached.part || (before as u64) < reached.done)
        })
    }
}

/// What a load has come to.
pub(crate) struct Done {
    pub(crate) loaded: HashMap<RelationId, Loaded>,
    /// As of the last commit, where there was one.
    pub(crate) kept: Option<HashMap<RelationId, Loaded>>,
    pub(crate) keeper: Option<Keeper>,
    /// Over so many connections.
    pub(crate) connections: usize,
}

/// What an attempt at the load has come to.
pub(crate) struct Round {
    pub(crate) loaded: HashMap<RelationId, Loaded>,
    /// As of the last commit, where there was one.
    pub(crate) committed: Option<Standing>,
    pub(crate) refusals: Vec<Refusal>,
    /// How many connections were at work at one time.
    pub(crate) connections: usize,
}

/// Commits. With a connection that breaks meanwhile nobody knows what became of it: the rows may be there.
pub(crate) async fn commit(connection: &mut dyn Connection, any: &AtomicBool) -> Result<(), Error> {
    match connection.commit().await {
        Ok(()) => {
            any.store(true, Ordering::Relaxed);
            Ok(())
        }
        Err(error) if error.kind == DbErrorKind::ConnectionLost => {
            any.store(true, Ordering::Relaxed);
            Err(Error::CommitUnknown(Box::new(error)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Which records of a relation are rejected, and which lose a reference.
struct Verdicts {
    rejected: HashSet<Ordinal>,
    nulled: HashSet<(Ordinal, usize)>,
}

impl Verdicts {
    fn of(state: &State, id: RelationId) -> Self {
        let state = state.relation(id);
        Self { rejected: state.rejected.keys().copied().collect(), nulled: state.nulled.clone() }
    }

    /// The records of which more is said than before.
    fn since(self, known: &Self) -> Vec<Ordinal> {
        let rejected = self.rejected.difference(&known.rejected).copied();
        rejected.chain(self.nulled.difference(&known.nulled).map(|(ordinal, _)| *ordinal)).collect()
    }
}

/// What holds for one transaction only: triggers of these relations that are off, and the point to which a load is taken back.
pub(crate) async fn prepare(
    connection: &mut dyn Connection,
    request: &Request<'_>,
    state: &State,
    catalog: &Catalog,
    relations: &[RelationId],
) -> Result<(), Error> {
    silence(connection, state, catalog, relations).await?;
    if request.options.on_error == OnError::Reject {
        connection.savepoint(SAVEPOINT).await?;
    }
    Ok(())
}

/// Switches off the triggers that are not to fire; those that are off already stay so.
async fn silence(
    connection: &mut dyn Connection,
    state: &State,
    catalog: &Catalog,
    relations: &[RelationId],
) -> Result<(), Error> {
    let silenced = relations.iter().filter(|id| silences(state, catalog, **id));
    let silenced: Vec<&Relation> = silenced.map(|id| catalog.relation(*id)).collect();
    if !silenced.is_empty() {
        connection.disable_triggers(&silenced).await?;
    }
    Ok(())
}

/// Whether the triggers of this relation are switched off while it is loaded.
pub(crate) fn silences(state: &State, catalog: &Catalog, id: RelationId) -> bool {
    let relation = state.relation(id);
    let touched = relation.is_loaded() || relation.cleared;
    let fires = catalog.relation(id).triggers.iter().any(|trigger| trigger.enabled);
    touched && fires && state.policies.of(id).triggers == TriggerPolicy::Disable
}

/// Makes the constraints fire that the hooks after the load left for later, so that a dry run sees what a commit would.
pub(crate) async fn fire_deferred(connection: &mut dyn Connection) -> Result<(), Error> {
    connection.check_deferred().await.map_err(|error| {
        if !error.blames_rows() {
            return Error::Db(error);
        }
        Error::Hook { which: "after, which left a constraint broken,".to_owned(), error: Box::new(error) }
    })
}

/// Runs the scripts of one kind of hook.
pub(crate) async fn hooks(connection: &mut dyn Connection, which: &str, scripts: &[String]) -> Result<(), Error> {
    for (at, script) in scripts.iter().enumerate() {
        let failed = |error| Error::Hook { which: format!("{which}, script {}", at + 1), error: Box::new(error) };
        connection.execute_script(script).await.map_err(failed)?;
    }
    Ok(())
}
