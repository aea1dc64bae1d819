//! The course of a restore, from the request to the loaded transaction.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use relink_db::{Capabilities, Connection, DbError, DbErrorKind, Dialect, JOURNAL, NumberingState, TransactionKind};
use relink_export::{Format, FormatFamily, Index, Source};
use relink_graph::{Abilities, LoadOrder};
use relink_model::{Catalog, ColumnType, Config, Counts, RelationId, ServerInfo, Strategy, config::ConfigError};
use relink_records::{
    Mapping, Reader,
    coerce::Rules,
    profile::{Profile, Profiles},
};

use crate::{
    Error, Event, Options, Phase, Selection, account,
    apply::Loaded,
    chosen::{self, Chosen, ChosenRecord, WantedKeys},
    clear, code,
    decode::Decoder,
    drift::Drift,
    findings::{Findings, finding},
    id_map::{self, IdMap, MovedId},
    index::IndexRegistry,
    journal::{self, Identity, Resumed},
    labels::{self, Assigned},
    load::{self, Load},
    options::Policies,
    plan::{self, Plan, Step},
    polymorphic,
    prescan::{Scanner, Survey},
    privileges,
    rejects::{self, Closing, Rejected},
    report::{ExportFacts, IgnoredLabel, LeftOutBy, NaturalKeyFact, REPORT_VERSION, RelationReport, Report, Status},
    selection::Selected,
    state::State,
    verify::Pass,
};

/// A script that makes the schema.
#[derive(Clone, Debug)]
pub struct SchemaScript {
    /// Its name, for messages.
    pub name: String,
    /// Its SQL.
    pub sql: String,
}

/// See [`Request::precheck`].
pub type Precheck<'a> = &'a dyn Fn(&Catalog, &dyn Dialect) -> Result<(), Vec<ConfigError>>;

/// What is to be restored, and how.
pub struct Request<'a> {
    /// The export.
    pub source: Source,
    /// Its index.
    pub index: Index,
    /// The configuration.
    pub config: &'a Config,
    /// The user's own profiles: what the files of `[profiles]` say.
    pub profiles: &'a [Profile],
    /// How it is to go.
    pub options: &'a Options,
    /// Under which ids rows stand to which the export refers and which it does not hold.
    pub id_map: &'a [MovedId],
    /// Everything will be rolled back.
    pub dry_run: bool,
    /// Run first when the target holds no relation.
    pub schema: Option<SchemaScript>,
    /// Set from outside to end the restore: it rolls back at the next chunk of rows.
    pub interrupted: &'a AtomicBool,
    /// Looks at the catalog before anything else happens, so that mistakes in rules that are checked after loading show at once.
    pub precheck: Precheck<'a>,
}

/// A restore that has been carried out in a transaction which is still open; or that was refused, and then has left nothing behind.
pub struct Applied {
    connection: Box<dyn Connection>,
    report: Report,
    catalog: Catalog,
    touched: Vec<RelationId>,
    rejected: Vec<Rejected>,
    moved: Vec<MovedId>,
    chosen: Chosen,
    open: bool,
    /// Counters as they were, of the relations that were loaded.
    numbering: Vec<(RelationId, NumberingState)>,
    /// The schema script ran outside the transaction on an empty database: undoing means dropping.
    drop_schema: bool,
    /// The journal's table was made outside the transaction.
    journal_outside: bool,
    /// Some of the rows were committed on the way.
    committed: bool,
}

impl std::fmt::Debug for Applied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applied").field("report", &self.report).field("open", &self.open).finish_non_exhaustive()
    }
}

impl Applied {
    /// What was done.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Whether the rows are in the open transaction.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether some of the rows were committed on the way: a rollback leaves them, and the journal.
    pub fn is_committed(&self) -> bool {
        self.committed
    }

    /// The catalog that the restore went by, virtual references included.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The relations that were loaded.
    pub fn touched(&self) -> &[RelationId] {
        &self.touched
    }

    /// The records that were not restored, in the order of the export.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// The rows to which rejected records refer by ids under which they do not stand.
    pub fn moved_ids(&self) -> &[MovedId] {
        &self.moved
    }

    /// The records that were chosen since their rows are missing, in the order of the export: see [`crate::Wanted`].
    pub fn chosen(&self) -> &[ChosenRecord] {
        &self.chosen.records
    }

    /// The keys without a row that no record of the export has.
    pub fn unfound(&self) -> &[WantedKeys] {
        &self.chosen.unfound
    }

    /// The connection with its open transaction, for validation.
    pub fn connection(&mut self) -> &mut dyn Connection {
        self.connection.as_mut()
    }

    /// Commits, and closes the connection.
    pub async fn commit(mut self) -> Result<Report, Error> {
        if let Err(error) = self.connection.commit().await {
            // The first error is the one to report; whatever fails now fails because of it.
            let lost = error.kind == DbErrorKind::ConnectionLost;
            let _ = self.connection.rollback().await;
            if self.committed {
                let _ = self.connection.close().await;
                let error = if lost { Error::CommitUnknown(Box::new(error)) } else { error.into() };
                return Err(Error::Stopped(Box::new(error)));
            }
            if self.journal_outside {
                let _ = journal::remove(self.connection.as_mut()).await;
            }
            let undone = undo(self.connection, &self.catalog, &self.numbering, self.drop_schema).await;
            return Err(match undone {
                _ if lost => Error::CommitUnknown(Box::new(error)),
                Err(undo) if self.drop_schema => {
                    Error::LeftBehind { error: Box::new(error.into()), undo: Box::new(undo) }
                }
                _ => error.into(),
            });
        }
        // The rows are in; a connection that does not part well changes nothing of that, nor does a finished journal that stays.
        if self.journal_outside {
            let _ = journal::remove(self.connection.as_mut()).await;
        }
        let _ = self.connection.close().await;
        Ok(self.report)
    }

    /// Rolls back since the validation found errors in what was loaded.
    pub async fn roll_back_invalid(mut self) -> Result<Report, Error> {
        self.report.status = if self.committed { Status::Stopped } else { Status::Invalid };
        self.roll_back().await
    }

    /// Rolls back, so that nothing of the restore remains: no rows, no moved counter, no schema, no new file.
    pub async fn roll_back(mut self) -> Result<Report, Error> {
        if self.open {
            self.connection.rollback().await?;
        }
        if self.committed {
            self.connection.close().await?;
            return Ok(self.report);
        }
        if self.journal_outside {
            journal::remove(self.connection.as_mut()).await?;
        }
        undo(self.connection, &self.catalog, &self.numbering, self.drop_schema).await?;
        Ok(self.report)
    }
}

/// What a rollback does not undo by itself.
async fn undo(
    mut connection: Box<dyn Connection>,
    catalog: &Catalog,
    numbering: &[(RelationId, NumberingState)],
    drop_schema: bool,
) -> Result<(), DbError> {
    if drop_schema {
        connection.drop_everything().await?;
    } else {
        for (id, state) in numbering {
            connection.restore_numbering(catalog.relation(*id), state).await?;
        }
    }
    connection.discard_created().await
}

/// Restores an export. On an error, and where the pre-scan refuses, nothing has changed.
pub async fn restore(
    mut connection: Box<dyn Connection>,
    request: Request<'_>,
    events: &mut dyn FnMut(Event),
) -> Result<Applied, Error> {
    let mut course = Course {
        drop_schema: false,
        begun: false,
        journal_outside: false,
        committed: AtomicBool::new(false),
        catalog: Catalog::default(),
        numbering: Vec::new(),
    };
    match run(connection.as_mut(), &request, &mut course, events).await {
        Ok(Outcome { report, touched, rejected, moved, chosen }) => {
            let open = report.status == Status::Restored;
            let Course { catalog, numbering, drop_schema, journal_outside, committed, .. } = course;
            Ok(Applied {
                connection,
                report,
                catalog,
                touched,
                rejected,
                moved,
                chosen,
                open,
                numbering,
                drop_schema,
                journal_outside,
                committed: committed.into_inner(),
            })
        }
        Err(error) => {
            // The first error is the one to report; whatever fails now fails because of it (a lost connection rolls back by itself).
            if course.begun {
                let _ = connection.rollback().await;
            }
            if course.committed.load(Ordering::Relaxed) {
                let _ = connection.close().await;
                return Err(Error::Stopped(Box::new(error)));
            }
            if course.journal_outside {
                let _ = journal::remove(connection.as_mut()).await;
            }
            match undo(connection, &course.catalog, &course.numbering, course.drop_schema).await {
                Err(undo) if course.drop_schema => {
                    Err(Error::LeftBehind { error: Box::new(error), undo: Box::new(undo) })
                }
                _ => Err(error),
            }
        }
    }
}

/// What must be undone if something fails from here on.
pub(crate) struct Course {
    /// A transaction is open.
    pub(crate) begun: bool,
    /// The journal's table was made outside the transaction.
    pub(crate) journal_outside: bool,
    /// Some of the rows are committed: there is no way back, only one on.
    pub(crate) committed: AtomicBool,
    drop_schema: bool,
    catalog: Catalog,
    numbering: Vec<(RelationId, NumberingState)>,
}

async fn run(
    connection: &mut dyn Connection,
    request: &Request<'_>,
    course: &mut Course,
    events: &mut dyn FnMut(Event),
) -> Result<Outcome, Error> {
    if request.options.strategy == Strategy::Bulk && !connection.dialect().capabilities().bulk_load {
        let product = connection.server().product.clone();
        return Err(Error::Config(vec![ConfigError::NoBulkLoad { product }]));
    }
    if request.options.resume {
        journal::settle(connection).await?;
    }
    let schema = open(connection, request, course).await?;
    let made_here = schema.as_ref().is_some_and(|(_, made)| *made);
    let schema = schema.map(|(what, _)| what);
    let mut catalog = connection.introspect().await?;
    request.config.add_virtual_references(&mut catalog).map_err(Error::Config)?;
    (request.precheck)(&catalog, connection.dialect()).map_err(Error::Config)?;
    course.catalog = catalog.clone();
    let catalog = Arc::new(catalog);

    let django = request.source.format().family() == FormatFamily::Django;
    let profiles = Profiles::new(request.profiles, &request.config.profiles, &catalog).map_err(Error::Config)?;
    let labels = &request.index.labels;
    let mapping = Mapping::new(&catalog, request.config, &profiles, labels, django).map_err(Error::Config)?;
    let mapping = Arc::new(mapping);
    let mut registry = IndexRegistry::of(&catalog);
    registry.add_mapping(&catalog, &mapping);
    let dialect = connection.dialect();
    let rules = Rules::new(dialect.capabilities().clone(), django, request.config)
        .map_err(|error| Error::Config(vec![error]))?;
    let exactness = |data_type: &ColumnType| dialect.exactness(data_type);
    let reader = Reader::new(Arc::clone(&catalog), Arc::clone(&mapping), request.config, rules, exactness)
        .map_err(Error::Config)?;
    let selected = Selected::new(&request.options.selection, &catalog, labels, &mapping).map_err(Error::Config)?;
    selected.check(connection, &catalog).await?;
    let allow_drift = request.options.allow_drift;
    let decoder =
        Arc::new(Decoder::new(Arc::clone(&catalog), Arc::new(registry), mapping, reader, selected, allow_drift));
    let Assigned { mut runs, mut ignored, findings: early, mut present } = labels::assign(&decoder, request)?;
    let tables = request.config.resolve_tables(&catalog).map_err(Error::Config)?;
    let policies = Arc::new(Policies::new(request.options, catalog.relations.len(), &tables));

    let abilities = abilities(connection.dialect().capabilities());
    let order = relink_graph::load_order(&catalog, abilities, None);
    let polymorphic = |id: RelationId| decoder.mapping.polymorphic(id).is_some();
    let order = polymorphic::postpone(&catalog, order, &polymorphic);
    let chosen = match &request.options.selection.wanted {
        Some(wanted) => Some(chosen::find(connection, &decoder, &request.source, &runs, &order, wanted).await?),
        None => None,
    };
    if let Some(chosen) = &chosen {
        for (id, _) in catalog.iter().filter(|(id, _)| !chosen.has_any(*id)) {
            present.remove(&id);
            for run in std::mem::take(&mut runs[id.index()]) {
                labels::ignore(&mut ignored, &labels[run.label.index()], run.records, LeftOutBy::Selection);
            }
        }
    }
    let records: u64 = runs.iter().flatten().map(|run| run.records).sum();
    events(Event::Started { phase: Phase::PreScan, total: records });
    let journal = journal(connection, request, &catalog, course).await?;
    let decisions = journal.resumed.as_ref().map(|resumed| &resumed.decisions);
    let mut scanner = Scanner::new(connection, Arc::clone(&decoder), runs.clone(), request, policies, present, early);
    scanner.decisions = decisions;
    scanner.chosen = chosen.as_ref();
    scanner.know_moved(IdMap::new(request.id_map, &catalog, &decoder.registry)?);
    let Survey { mut state, mut findings, edges, joins } = scanner.run(&order, events).await?;
    if let Some(decisions) = decisions {
        decisions.apply(&catalog, &mut state);
    }
    let on_dangling = request.options.on_dangling;
    let closing = Closing { source: &request.source, decoder: &decoder, runs: &runs, joins: &joins, on_dangling };
    closing.close(&mut state, &mut findings).await?;
    state.note_lists(&joins);
    let cleared: HashSet<RelationId> =
        catalog.iter().map(|(id, _)| id).filter(|id| state.relation(*id).cleared).collect();
    if decisions.is_none() {
        clear::check_outside(connection, &catalog, &cleared, &mut findings).await?;
    }
    let drift = findings.conclude_drift(&decoder, &request.index.labels)?;
    let (plan, steps) = make_plan(&decoder, connection, &order, &state, &edges, &mut findings)?;
    privileges::check(connection, &catalog, &state, &steps, &mut findings).await?;
    let mut touched: Vec<RelationId> = steps.iter().flat_map(|step| step.relations.iter().copied()).collect();
    let loaded_too: HashSet<RelationId> = touched.iter().copied().collect();
    let mut emptied: Vec<RelationId> = cleared.iter().copied().filter(|id| !loaded_too.contains(id)).collect();
    emptied.sort_unstable();
    touched.extend(emptied);
    if let Some(resumed) = &journal.resumed {
        resumed.check_plan(&steps, &decoder, &state)?;
    }
    let mut loaded = HashMap::new();
    let mut kept = None;
    let mut connections = 1;
    let mut numbers = HashMap::new();
    let mut verification = None;
    if !findings.has_errors() {
        // Counters of a schema that this transaction made go with it.
        // Triggers and hooks may draw numbers from any other.
        let hooks = &request.config.hooks;
        let any = !hooks.before.is_empty()
            || !hooks.after.is_empty()
            || touched.iter().any(|id| !catalog.relation(*id).triggers.is_empty());
        let moves = |id: RelationId| !made_here && (any || touched.contains(&id));
        for (id, relation) in catalog.iter().filter(|(id, relation)| moves(*id) && relation.numbered_column().is_some())
        {
            course.numbering.push((id, connection.numbering(relation).await?));
        }
        let before = match &journal.resumed {
            Some(resumed) => resumed.before.clone(),
            None => account::count(connection, &catalog, &touched).await?,
        };
        events(Event::Started { phase: Phase::Load, total: records });
        let load = Load {
            closing: &closing,
            request,
            order: &order,
            steps: &steps,
            cleared: &cleared,
            before: &before,
            identity: journal.identity.as_ref(),
            resumed: journal.resumed.as_ref(),
        };
        let finished = journal.resumed.as_ref().filter(|resumed| resumed.finished);
        let mut keeper = None;
        if let Some(finished) = finished {
            loaded.clone_from(&finished.loaded);
        } else {
            let done = load.run(connection, course, &mut state, &mut findings, events).await?;
            (loaded, kept, keeper, connections) = (done.loaded, done.kept, done.keeper, done.connections);
        }
        // The loader resolved references by what the caches say: nothing of that may stay if they failed.
        state.budget.check()?;
        if finished.is_none() && !findings.has_errors() {
            events(Event::Started { phase: Phase::Finish, total: 0 });
            connection.enable_triggers().await?;
            numbers = account::advance(connection, &catalog, &touched, &loaded, request.dry_run).await?;
            account::balance(connection, &decoder, &touched, &state, &runs, &loaded, &before).await?;
            let (decoder, runs, joins) = (&decoder, &runs, &joins);
            let pass = Pass { request, decoder, runs, joins, state: &state, touched: &touched };
            verification = Some(pass.run(connection, &mut findings).await?);
            load::hooks(connection, "after", &request.config.hooks.after).await?;
            load::fire_deferred(connection).await?;
            if let Some(keeper) = keeper.filter(|_| !findings.has_errors()) {
                keeper.finish(connection).await?;
            }
        }
    }
    let refused = findings.has_errors();
    if refused {
        connection.rollback().await?;
        course.begun = false;
    }
    for (id, relation) in catalog.iter().filter(|(id, _)| decoder.left_out.count(*id) > 0) {
        let (label, records) = (relation.name.to_string(), decoder.left_out.count(id));
        ignored.push(IgnoredLabel { label, records, by: LeftOutBy::Selection });
    }
    let rejected = if refused { Vec::new() } else { rejects::list(&decoder, &state) };
    let moved = if rejected.is_empty() {
        Vec::new()
    } else {
        id_map::of_rejected(&request.source, &decoder, &runs, &state).await?
    };
    let status = match (refused, course.committed.load(Ordering::Relaxed) || journal.resumed.is_some()) {
        (false, _) => Status::Restored,
        (true, false) => Status::Refused,
        (true, true) => Status::Stopped,
    };
    if status == Status::Stopped {
        loaded =
            kept.unwrap_or_else(|| journal.resumed.as_ref().map(|resumed| resumed.loaded.clone()).unwrap_or_default());
    }
    let facts = Facts { request, server: connection.server().clone(), schema, ignored, drift, status };
    let mut report = facts.report(&decoder, plan, &touched, &state, &loaded, &numbers, findings);
    report.verification = verification;
    report.connections = connections;
    Ok(Outcome { report, touched, rejected, moved, chosen: chosen.unwrap_or_default() })
}

/// What came of a run.
struct Outcome {
    report: Report,
    touched: Vec<RelationId>,
    rejected: Vec<Rejected>,
    moved: Vec<MovedId>,
    chosen: Chosen,
}

/// The journal that a restore keeps, and the one that it goes on from.
struct Journaling {
    identity: Option<Identity>,
    resumed: Option<Resumed>,
}

/// Finds out about journals: that of an unfinished restore stands in every other's way.
async fn journal(
    connection: &mut dyn Connection,
    request: &Request<'_>,
    catalog: &Catalog,
    course: &mut Course,
) -> Result<Journaling, Error> {
    let options = request.options;
    if !options.resume {
        if journal::find(connection).await?.is_some() {
            let message = format!(
                "the target holds the journal of a restore that has not come to its end: --resume goes on with it; \
                 to abandon it: DROP TABLE {JOURNAL}"
            );
            return Err(Error::Journal(message));
        }
        if request.dry_run || options.commit_every.is_none() {
            return Ok(Journaling { identity: None, resumed: None });
        }
    }
    if request.dry_run {
        return Err(Error::Journal("a dry run resumes nothing: it would have to commit".to_owned()));
    }
    let identity = Identity::new(request.source.fingerprint()?, catalog, asked(request));
    let resumed = if options.resume { Some(journal::resume(connection, catalog, &identity).await?) } else { None };
    // Where it had come to its end, the journal is all that is left to do.
    course.journal_outside = resumed.as_ref().is_some_and(|resumed: &Resumed| resumed.finished)
        || resumed.is_some() && !connection.dialect().capabilities().transactional_ddl;
    course.committed = AtomicBool::new(resumed.is_some());
    Ok(Journaling { identity: Some(identity), resumed })
}

/// What decides about rows; how often to commit, over how many connections, what the caches may take, and by which rung rows go in, does not.
fn asked(request: &Request<'_>) -> BTreeMap<String, String> {
    let Options { mode, ids, external_refs, on_dangling, on_error, allow_drift, triggers, verify, selection, .. } =
        request.options;
    let Selection { only, exclude, conditions, wanted } = selection;
    let texts = [
        ("--mode", format!("{mode:?}")),
        ("--ids", format!("{ids:?}")),
        ("--external-refs", format!("{external_refs:?}")),
        ("--on-dangling", format!("{on_dangling:?}")),
        ("--on-error", format!("{on_error:?}")),
        ("--allow-drift", format!("{allow_drift:?}")),
        ("--triggers", format!("{triggers:?}")),
        ("--verify", format!("{verify:?}")),
        ("--only", format!("{only:?}")),
        ("--exclude", format!("{exclude:?}")),
        ("--where", format!("{conditions:?}")),
        ("the rows that are missing", format!("{wanted:?}")),
        ("the configuration", serde_json::to_string(request.config).unwrap_or_default()),
        ("--id-map", serde_json::to_string(request.id_map).unwrap_or_default()),
        ("the profiles", serde_json::to_string(request.profiles).unwrap_or_default()),
    ];
    texts.into_iter().map(|(name, text)| (name.to_owned(), journal::short_digest(&text))).collect()
}

/// Opens the transaction; before it or in it, runs the schema script on an empty target. What became of the script, and whether it made the schema.
async fn open(
    connection: &mut dyn Connection,
    request: &Request<'_>,
    course: &mut Course,
) -> Result<Option<(String, bool)>, Error> {
    let Some(script) = &request.schema else {
        connection.begin(TransactionKind::Write).await?;
        course.begun = true;
        return Ok(None);
    };
    let failed = |error| Error::Schema { name: script.name.clone(), error: Box::new(error) };
    let transactional = connection.dialect().capabilities().transactional_ddl;
    if transactional {
        connection.begin(TransactionKind::Write).await?;
        course.begun = true;
    }
    let empty = connection.is_empty().await?;
    if empty {
        // Where DDL commits by itself, an empty database is one that can be emptied again.
        course.drop_schema = !transactional;
        connection.execute_script(&script.sql).await.map_err(failed)?;
    }
    if !transactional {
        connection.begin(TransactionKind::Write).await?;
        course.begun = true;
    }
    let what = if empty { "made by" } else { "there already, so not made by" };
    Ok(Some((format!("{what} {}", script.name), empty)))
}

/// What the foreign-key graph needs to know of a database.
pub fn abilities(capabilities: &Capabilities) -> Abilities {
    Abilities {
        defers_any_foreign_key: capabilities.defers_any_foreign_key,
        defers_declared: capabilities.defers_declared,
        owner_can_make_deferrable: capabilities.owner_can_make_deferrable,
        can_suspend_foreign_keys: capabilities.can_suspend_foreign_keys,
        suspending_needs_owner: capabilities.suspending_needs_owner,
        checks_each_row: capabilities.checks_each_row,
    }
}

fn make_plan(
    decoder: &Decoder,
    connection: &dyn Connection,
    order: &LoadOrder,
    state: &State,
    edges: &[crate::rows::RowEdges],
    findings: &mut Findings,
) -> Result<(Plan, Vec<Step>), Error> {
    let catalog = &decoder.catalog;
    match plan::make(catalog, order, state, edges, &decoder.left_out, connection.dialect().capabilities()) {
        Ok(made) => Ok(made),
        Err(cycles) => {
            for cycle in cycles {
                let mut found =
                    finding(code::UNBREAKABLE_CYCLE, &catalog.relation(cycle.relations[0]).name, cycle.reason);
                found.help = Some(cycle.remedy);
                findings.add(found, None, None)?;
            }
            Ok((Plan::default(), Vec::new()))
        }
    }
}

/// The format's name in the report.
fn format_name(format: Format) -> &'static str {
    match format {
        Format::DjangoArray => "Django dump",
        Format::DjangoLines => "Django dump, JSON Lines",
        Format::TableMap => "table map",
        Format::RowFiles => "row files",
    }
}

/// What the report says beside rows and findings.
struct Facts<'a> {
    request: &'a Request<'a>,
    server: ServerInfo,
    schema: Option<String>,
    ignored: Vec<IgnoredLabel>,
    drift: Drift,
    status: Status,
}

impl Facts<'_> {
    #[expect(clippy::too_many_arguments, reason = "the report is put together from all of them, in one place")]
    fn report(
        self,
        decoder: &Decoder,
        plan: Plan,
        touched: &[RelationId],
        state: &State,
        loaded: &HashMap<RelationId, Loaded>,
        numbers: &HashMap<RelationId, Option<i64>>,
        findings: Findings,
    ) -> Report {
        let catalog = &decoder.catalog;
        let mut totals = Counts::default();
        let mut relations = Vec::new();
        for id in touched {
            let known = state.relation(*id);
            let read = known.records() - decoder.left_out.count(*id) + known.join_rows;
            let mut loaded = loaded.get(id).cloned().unwrap_or_default();
            if read == 0 && !known.cleared && loaded.deleted == 0 {
                continue;
            }
            if self.status == Status::Refused {
                // Nothing was kept: every record that was read counts as rejected.
                loaded = Loaded { counts: Counts { read, rejected: read, ..Counts::default() }, ..Loaded::default() };
            }
            if self.status == Status::Stopped {
                // What was read and awaits its update is not done with.
                let Counts { inserted, updated, unchanged, skipped, rejected, .. } = loaded.counts;
                loaded.counts.read = inserted + updated + unchanged + skipped + rejected;
            }
            totals += loaded.counts;
            relations.push(RelationReport {
                relation: catalog.relation(*id).name.clone(),
                counts: loaded.counts,
                rungs: loaded.rungs,
                patched: loaded.patched,
                deleted: loaded.deleted,
                next_number: numbers.get(id).copied().flatten(),
            });
        }
        let mut natural_keys: Vec<NaturalKeyFact> = catalog
            .iter()
            .filter(|(id, _)| state.relation(*id).records() > 0)
            .filter_map(|(id, relation)| {
                let key = decoder.mapping.identity(id)?;
                let columns = key.describe(catalog);
                Some(NaturalKeyFact { relation: relation.name.clone(), columns, source: key.source.clone() })
            })
            .collect();
        natural_keys.sort_by(|a, b| a.relation.cmp(&b.relation));
        Report {
            version: REPORT_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            status: self.status,
            dry_run: self.request.dry_run,
            mode: self.request.options.mode,
            ids: self.request.options.ids,
            export: ExportFacts {
                name: self.request.source.name().to_string(),
                format: format_name(self.request.source.format()).to_owned(),
                records: self.request.index.records,
            },
            server: self.server,
            schema: self.schema,
            memory: state.budget.facts(),
            connections: 1,
            natural_keys,
            plan,
            relations,
            totals,
            verification: None,
            ignored: self.ignored,
            drift: self.drift,
            findings: findings.into_groups(),
        }
    }
}
