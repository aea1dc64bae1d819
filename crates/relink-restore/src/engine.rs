//! The course of a restore, from the request to the loaded transaction.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
};

use relink_db::{Capabilities, Connection, DbError, DbErrorKind, Dialect, NumberingState, TransactionKind};
use relink_export::{Format, FormatFamily, Index, Run, Source};
use relink_graph::{Abilities, LoadOrder};
use relink_model::{Catalog, Config, Counts, Relation, RelationId, ServerInfo, config::ConfigError};

use crate::{
    Error, Event, Mode, Phase,
    apply::{Loaded, Loader},
    code,
    coerce::{How, Rules},
    decode::Decoder,
    findings::{Findings, finding},
    index::IndexRegistry,
    mapping::{LabelTarget, Mapping},
    per_relation,
    plan::{self, Plan, Step},
    prescan::{Scanner, Survey},
    report::{ExportFacts, IgnoredLabel, NaturalKeyFact, REPORT_VERSION, RelationReport, Report, Status},
    state::State,
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
    /// How rows that exist are treated.
    pub mode: Mode,
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
    open: bool,
    /// Counters as they were, of the relations that were loaded.
    numbering: Vec<(RelationId, NumberingState)>,
    /// The schema script ran outside the transaction on an empty database: undoing means dropping.
    drop_schema: bool,
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

    /// The catalog that the restore went by, virtual references included.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The relations that were loaded.
    pub fn touched(&self) -> &[RelationId] {
        &self.touched
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
            let undone = undo(self.connection, &self.catalog, &self.numbering, self.drop_schema).await;
            return Err(match undone {
                _ if lost => Error::CommitUnknown(Box::new(error)),
                Err(undo) if self.drop_schema => {
                    Error::LeftBehind { error: Box::new(error.into()), undo: Box::new(undo) }
                }
                _ => error.into(),
            });
        }
        // The rows are in; a connection that does not part well changes nothing of that.
        let _ = self.connection.close().await;
        Ok(self.report)
    }

    /// Rolls back since the validation found errors in what was loaded.
    pub async fn roll_back_invalid(mut self) -> Result<Report, Error> {
        self.report.status = Status::Invalid;
        self.roll_back().await
    }

    /// Rolls back, so that nothing of the restore remains: no rows, no moved counter, no schema, no new file.
    pub async fn roll_back(mut self) -> Result<Report, Error> {
        if self.open {
            self.connection.rollback().await?;
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
    let mut course = Course { drop_schema: false, begun: false, catalog: Catalog::default(), numbering: Vec::new() };
    match run(connection.as_mut(), &request, &mut course, events).await {
        Ok((report, touched)) => {
            let open = report.status == Status::Restored;
            let Course { catalog, numbering, drop_schema, .. } = course;
            Ok(Applied { connection, report, catalog, touched, open, numbering, drop_schema })
        }
        Err(error) => {
            // The first error is the one to report; whatever fails now fails because of it (a lost connection rolls back by itself).
            if course.begun {
                let _ = connection.rollback().await;
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
struct Course {
    begun: bool,
    drop_schema: bool,
    catalog: Catalog,
    numbering: Vec<(RelationId, NumberingState)>,
}

async fn run(
    connection: &mut dyn Connection,
    request: &Request<'_>,
    course: &mut Course,
    events: &mut dyn FnMut(Event),
) -> Result<(Report, Vec<RelationId>), Error> {
    let schema = open(connection, request, course).await?;
    let made_here = schema.as_ref().is_some_and(|(_, made)| *made);
    let schema = schema.map(|(what, _)| what);
    let mut catalog = connection.introspect().await?;
    request.config.add_virtual_references(&mut catalog).map_err(Error::Config)?;
    (request.precheck)(&catalog, connection.dialect()).map_err(Error::Config)?;
    course.catalog = catalog.clone();
    let catalog = Arc::new(catalog);

    let django = request.source.format().family() == FormatFamily::Django;
    let mut registry = IndexRegistry::of(&catalog);
    let mapping =
        Mapping::new(&catalog, &mut registry, request.config, &request.index.labels, django).map_err(Error::Config)?;
    let rules = Rules {
        capabilities: connection.dialect().capabilities().clone(),
        django,
        timezone: time_zone(request.config)?,
    };
    let ways = ways_to_read(&catalog, &mapping, connection.dialect());
    let decoder = Arc::new(Decoder::new(Arc::clone(&catalog), Arc::new(registry), Arc::new(mapping), rules, ways));
    let (runs, ignored, early) = assign(&decoder, request)?;

    let abilities = abilities(connection.dialect().capabilities());
    let order = relink_graph::load_order(&catalog, abilities, None);
    let records: u64 = runs.iter().flatten().map(|run| run.records).sum();
    events(Event::Started { phase: Phase::PreScan, total: records });
    let scanner = Scanner::new(connection, Arc::clone(&decoder), runs.clone(), request, early);
    let Survey { state, mut findings, edges, joins } = scanner.run(&order, events).await?;
    let (plan, steps) = make_plan(&catalog, &order, &state, &edges, &mut findings)?;
    privileges(connection, &catalog, &state, &steps, &mut findings).await?;
    let touched: Vec<RelationId> = steps.iter().flat_map(|step| step.relations.iter().copied()).collect();
    let mut loaded = HashMap::new();
    let mut numbers = HashMap::new();
    if !findings.has_errors() {
        // Counters of a schema that this transaction made go with it.
        // Triggers may draw numbers from any other.
        let triggers = touched.iter().any(|id| !catalog.relation(*id).triggers.is_empty());
        let moves = |id: RelationId| !made_here && (triggers || touched.contains(&id));
        for (id, relation) in catalog.iter().filter(|(id, relation)| moves(*id) && relation.numbered_column().is_some())
        {
            course.numbering.push((id, connection.numbering(relation).await?));
        }
        let before = count(connection, &catalog, &touched).await?;
        events(Event::Started { phase: Phase::Load, total: records });
        let mut loader = Loader::new(connection, Arc::clone(&decoder), request, &runs, &joins, &state, &mut findings);
        loader.run(&steps, events).await?;
        loaded = loader.loaded;
        if !findings.has_errors() {
            events(Event::Started { phase: Phase::Finish, total: 0 });
            numbers = advance(connection, &catalog, &touched, &loaded, request.dry_run).await?;
            account(connection, &catalog, &touched, &state, &runs, &loaded, &before).await?;
        }
    }
    let refused = findings.has_errors();
    if refused {
        connection.rollback().await?;
        course.begun = false;
    }
    let facts = Facts { request, server: connection.server().clone(), schema, ignored, refused };
    Ok((facts.report(&decoder, plan, &touched, &state, &loaded, &numbers, findings), touched))
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

fn time_zone(config: &Config) -> Result<Option<jiff::tz::TimeZone>, Error> {
    let Some(name) = &config.run.timezone else { return Ok(None) };
    let unknown = |_| Error::Config(vec![ConfigError::TimeZone { name: name.clone() }]);
    jiff::tz::TimeZone::get(name).map(Some).map_err(unknown)
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

/// What is particular to each column of each relation.
fn ways_to_read(catalog: &Catalog, mapping: &Mapping, dialect: &dyn Dialect) -> Vec<Vec<How>> {
    let of_relation = |(id, relation): (RelationId, &Relation)| {
        let columns = relation.columns.iter().enumerate();
        columns
            .map(|(at, column)| How {
                reading: mapping.reading(id, at),
                exactness: dialect.exactness(&column.data_type),
            })
            .collect()
    };
    catalog.iter().map(of_relation).collect()
}

/// The runs of each relation; labels that are left out; findings about labels that are not known.
#[expect(clippy::type_complexity, reason = "three results of one walk over the labels, taken apart at once")]
fn assign(decoder: &Decoder, request: &Request<'_>) -> Result<(Vec<Vec<Run>>, Vec<IgnoredLabel>, Findings), Error> {
    let mut runs = vec![Vec::new(); decoder.catalog.relations.len()];
    let mut ignored: Vec<IgnoredLabel> = Vec::new();
    let mut findings = Findings::new(request.source.clone());
    for run in &request.index.runs {
        let label = &request.index.labels[run.label.index()];
        match &decoder.mapping.labels[run.label.index()] {
            LabelTarget::Relation(relation) => runs[relation.index()].push(run.clone()),
            LabelTarget::Ignored => match ignored.iter_mut().find(|known| &known.label == label) {
                Some(known) => known.records += run.records,
                None => ignored.push(IgnoredLabel { label: label.clone(), records: run.records }),
            },
            LabelTarget::Unknown { expected, nearest } => {
                let message = format!("{label}: the database has no table {expected} ({} records)", run.records);
                let name = relink_model::RelationName::new(expected.clone());
                let mut found = finding(code::UNKNOWN_MODEL, &name, message);
                found.help = Some(match nearest {
                    _ if decoder.catalog.relations.is_empty() => {
                        "the target holds no table at all: make them first, or give --schema".to_owned()
                    }
                    Some(nearest) => format!(
                        "if it is table {nearest}: [table.{nearest}] models = [{label:?}]; to leave it out: ignore_models = [{label:?}]"
                    ),
                    None => format!(
                        "name its table: [table.NAME] models = [{label:?}]; to leave it out: ignore_models = [{label:?}]"
                    ),
                });
                let spot = crate::findings::Spot {
                    label: run.label,
                    file_ordinal: run.first_ordinal,
                    offset: run.start,
                    field: None,
                };
                findings.add(found, Some(spot), None)?;
            }
        }
    }
    Ok((runs, ignored, findings))
}

async fn privileges(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    state: &State,
    steps: &[Step],
    findings: &mut Findings,
) -> Result<(), Error> {
    let touched = |id: RelationId| state.relation(id).records() + state.relation(id).join_rows > 0;
    let inserted: Vec<_> = catalog.iter().filter(|(id, _)| touched(*id)).map(|(_, relation)| relation).collect();
    for relation in inserted.iter().filter(|relation| !relation.is_transactional()) {
        let engine = relation.storage_engine.as_deref().unwrap_or_default();
        let message =
            format!("its storage engine {engine} knows no transactions: what is written there cannot be undone");
        let mut found = finding(code::NOT_TRANSACTIONAL, &relation.name, message);
        found.help = Some(format!("ALTER TABLE {} ENGINE = InnoDB", relation.name));
        findings.add(found, None, None)?;
    }
    let mut hidden: Vec<&Relation> = inserted.clone();
    let referenced =
        inserted.iter().flat_map(|relation| &relation.foreign_keys).filter_map(|key| catalog.id(&key.referenced));
    hidden.extend(referenced.map(|id| catalog.relation(id)));
    hidden.retain(|relation| relation.row_security);
    hidden.sort_by(|a, b| a.name.cmp(&b.name));
    hidden.dedup_by(|a, b| a.name == b.name);
    for relation in hidden {
        let message =
            "row-level security hides rows of it from this role: what exists and what is referenced cannot be told";
        let mut found = finding(code::MISSING_PRIVILEGE, &relation.name, message);
        found.help = Some("connect as the owner, or as a role with BYPASSRLS".to_owned());
        findings.add(found, None, None)?;
    }
    let nulled = steps.iter().flat_map(Step::nulled).map(|key| catalog.relation(key.referencing));
    let updated: Vec<_> = nulled.collect();
    for missing in connection.missing_privileges(&inserted, &updated).await? {
        let mut found = finding(code::MISSING_PRIVILEGE, &relink_model::RelationName::default(), missing);
        found.relation = None;
        found.help = Some("grant it, or connect as a role that has it".to_owned());
        findings.add(found, None, None)?;
    }
    Ok(())
}

fn make_plan(
    catalog: &Catalog,
    order: &LoadOrder,
    state: &State,
    edges: &[Vec<crate::rows::RowEdge>],
    findings: &mut Findings,
) -> Result<(Plan, Vec<Step>), Error> {
    match plan::make(catalog, order, state, edges) {
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

/// Rows of each relation.
async fn count(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    relations: &[RelationId],
) -> Result<HashMap<RelationId, i64>, Error> {
    let question = |name: &str| format!("count(*) AS found FROM {name}");
    Ok(per_relation::ask(connection, catalog, relations, question).await?.into_iter().collect())
}

/// Puts the counters of the loaded relations past their highest values.
async fn advance(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    touched: &[RelationId],
    loaded: &HashMap<RelationId, Loaded>,
    rehearsal: bool,
) -> Result<HashMap<RelationId, Option<i64>>, Error> {
    let mut numbers = HashMap::new();
    for id in touched {
        let relation = catalog.relation(*id);
        let inserted = loaded.get(id).is_some_and(|loaded| loaded.counts.inserted > 0);
        if inserted && relation.numbered_column().is_some() {
            numbers.insert(*id, connection.advance_numbering(relation, rehearsal).await?.next);
        }
    }
    Ok(numbers)
}

/// Promise P1: every record is accounted for, and the database holds as many rows more as were inserted.
async fn account(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    touched: &[RelationId],
    state: &State,
    runs: &[Vec<Run>],
    loaded: &HashMap<RelationId, Loaded>,
    before: &HashMap<RelationId, i64>,
) -> Result<(), Error> {
    let after = count(connection, catalog, touched).await?;
    for id in touched {
        let relation = catalog.relation(*id);
        let counts = loaded.get(id).map(|loaded| loaded.counts).unwrap_or_default();
        let indexed: u64 = runs[id.index()].iter().map(|run| run.records).sum();
        let expected = indexed + state.relation(*id).join_rows;
        if !counts.balances() || counts.read != expected {
            return Err(Error::Accounting { relation: relation.name.clone(), expected, found: counts.read });
        }
        let grown = after.get(id).copied().unwrap_or(0) - before.get(id).copied().unwrap_or(0);
        // Triggers may add rows, and a parent shows the rows of the relations that inherit from it.
        let alone = relation.triggers.is_empty()
            && !catalog.relations.iter().any(|other| other.inherits.contains(&relation.name));
        if alone && grown != counts.inserted as i64 {
            let found = u64::try_from(grown).unwrap_or(0);
            return Err(Error::Accounting { relation: relation.name.clone(), expected: counts.inserted, found });
        }
    }
    Ok(())
}

/// The format's name in the report.
fn format_name(format: Format) -> &'static str {
    match format {
        Format::DjangoArray => "Django dump",
        Format::DjangoLines => "Django dump, JSON Lines",
        Format::TableMap => "table map",
    }
}

/// What the report says beside rows and findings.
struct Facts<'a> {
    request: &'a Request<'a>,
    server: ServerInfo,
    schema: Option<String>,
    ignored: Vec<IgnoredLabel>,
    refused: bool,
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
            let read = known.records() + known.join_rows;
            if read == 0 {
                continue;
            }
            let mut loaded = loaded.get(id).cloned().unwrap_or_default();
            if self.refused {
                // Nothing was kept: every record that was read counts as rejected.
                loaded = Loaded { counts: Counts { read, rejected: read, ..Counts::default() }, ..Loaded::default() };
            }
            totals += loaded.counts;
            relations.push(RelationReport {
                relation: catalog.relation(*id).name.clone(),
                counts: loaded.counts,
                rungs: loaded.rungs,
                patched: loaded.patched,
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
            status: if self.refused { Status::Refused } else { Status::Restored },
            dry_run: self.request.dry_run,
            mode: self.request.mode,
            export: ExportFacts {
                name: self.request.source.name().to_string(),
                format: format_name(self.request.source.format()).to_owned(),
                records: self.request.index.records,
            },
            server: self.server,
            schema: self.schema,
            natural_keys,
            plan,
            relations,
            totals,
            ignored: self.ignored,
            findings: findings.into_groups(),
        }
    }
}
