//! The load as a whole: what exists is cleared where it must be, hooks run, rows go in, and where refused records are rejected, what was loaded is
//! taken back and loaded again without them. With a journal it commits on its way.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relink_db::{Connection, TransactionKind};
use relink_graph::LoadOrder;
use relink_model::{Catalog, OnError, Relation, RelationId, TriggerPolicy};

use crate::{
    Error, Event, Request,
    apply::{Checkpoints, Loaded, Loader, Start},
    clear,
    engine::Course,
    findings::Findings,
    journal::{self, Cursor, Identity, Keeper, Resumed},
    key::Ordinal,
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
        let catalog = Arc::clone(&self.closing.decoder.catalog);
        let mut keeper = self.resumed.map(Keeper::resume);
        let mut start = match self.resumed {
            Some(resumed) => Start { cursor: resumed.cursor, loaded: resumed.loaded.clone() },
            None => self.begin(connection, &catalog, state, course, &mut keeper).await?,
        };
        let mut kept = self.resumed.map(|resumed| resumed.loaded.clone());
        prepare(connection, self.request, state, &catalog).await?;
        loop {
            let mut reached: Option<(Cursor, HashMap<RelationId, Loaded>)> = None;
            let checkpoints = self.request.options.commit_every.zip(keeper.as_mut()).map(|(every, keeper)| {
                Checkpoints { every, before: self.before, keeper, any: &mut course.committed, committed: &mut reached }
            });
            let decoder = Arc::clone(self.closing.decoder);
            let (runs, joins) = (self.closing.runs, self.closing.joins);
            let mut loader = Loader::new(
                connection,
                decoder,
                self.request,
                runs,
                joins,
                state,
                findings,
                start.clone(),
                checkpoints,
            );
            let outcome = loader.run(self.steps, events).await;
            let (loaded, refusals) = (loader.loaded, loader.refusals);
            outcome?;
            if let Some((cursor, loaded)) = reached {
                kept = Some(loaded.clone());
                start = Start { cursor, loaded };
            }
            if refusals.is_empty() {
                if self.rejects() {
                    connection.release(SAVEPOINT).await?;
                }
                return Ok(Done { loaded, kept, keeper });
            }
            connection.rollback_to(SAVEPOINT).await?;
            let known: Vec<Verdicts> = catalog.iter().map(|(id, _)| Verdicts::of(state, id)).collect();
            rejects::take_refusals(self.closing.decoder, state, refusals, findings)?;
            self.closing.close(state, findings).await?;
            self.check_reach(&catalog, state, &known, start.cursor)?;
            if self.identity.is_some() {
                journal::replace_decisions(connection, &catalog, state).await?;
                connection.release(SAVEPOINT).await?;
                connection.savepoint(SAVEPOINT).await?;
            }
        }
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
    ) -> Result<Start, Error> {
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
        hooks(connection, "before", &self.request.config.hooks.before).await?;
        // What deletes rows fires triggers, too.
        silence(connection, state, catalog).await?;
        let mut loaded: HashMap<RelationId, Loaded> = HashMap::new();
        for (id, rows) in clear::clear(connection, catalog, self.order, self.cleared).await? {
            loaded.entry(id).or_default().deleted += rows;
        }
        if let Some(identity) = self.identity {
            // Last: where a hook commits by itself, no journal may say that what follows it was done.
            let plan = journal::fingerprint(self.steps, self.closing.decoder, state);
            let begun = Keeper::begin(connection, identity, catalog, state, plan, &loaded, self.before).await?;
            *keeper = Some(begun);
        }
        Ok(Start { cursor: Cursor::default(), loaded })
    }

    /// Records that are already committed can neither be rejected any more nor lose a reference.
    fn check_reach(&self, catalog: &Catalog, state: &State, known: &[Verdicts], reached: Cursor) -> Result<(), Error> {
        for (id, relation) in catalog.iter() {
            let fresh = Verdicts::of(state, id).since(&known[id.index()]);
            if fresh.into_iter().any(|ordinal| self.is_committed(state, reached, id, ordinal)) {
                return Err(Error::Journal(format!(
                    "records of {} that are committed already refer to one that the database refuses: they cannot be rejected any more; \
                     restore without --commit-every, or mend the record",
                    relation.name
                )));
            }
        }
        Ok(())
    }

    /// Whether a record's row is in, or changed, as of a cursor.
    fn is_committed(&self, state: &State, reached: Cursor, id: RelationId, ordinal: Ordinal) -> bool {
        let Some(at) = self.steps.iter().position(|step| step.relations.contains(&id)) else { return false };
        if at != reached.step {
            return at < reached.step;
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
                    let place = rows.iter().position(|(other, _)| *other == ordinal);
                    place.map(|place| rows[..place].iter().filter(|(other, _)| is_read(*other)).count())
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

/// What holds for one transaction only: triggers that are off, and the point to which a load is taken back.
pub(crate) async fn prepare(
    connection: &mut dyn Connection,
    request: &Request<'_>,
    state: &State,
    catalog: &Catalog,
) -> Result<(), Error> {
    silence(connection, state, catalog).await?;
    if request.options.on_error == OnError::Reject {
        connection.savepoint(SAVEPOINT).await?;
    }
    Ok(())
}

/// Switches off the triggers that are not to fire; those that are off already stay so.
async fn silence(connection: &mut dyn Connection, state: &State, catalog: &Catalog) -> Result<(), Error> {
    let silenced: Vec<&Relation> =
        catalog.iter().filter(|(id, _)| silences(state, catalog, *id)).map(|(_, relation)| relation).collect();
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
