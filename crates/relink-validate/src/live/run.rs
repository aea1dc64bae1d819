//! Carries checks out inside the caller's transaction. Whether a check could be run and what it found are two things: one
//! that could not is reported as such, and the others go on.

use std::{
    fmt::Write as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use jiff::{Timestamp, tz::TimeZone};
use relink_db::{Connection, DbError, DbErrorKind, Dialect};
use relink_model::{Catalog, Column, Relation, RelationId, TypeKind, Value};
use relink_rules::{dates, expression::Moment};

use super::compile::{Census, Compiled, Compiler, Probe};
use super::reader::{Limit, LiveRows};
use super::sql::{Shown, sample};
use super::texts::{cut, text};
use super::{duplicates, orphans, own_sql, total};
use crate::accept::ROWS_MAX;
use crate::judge::{self, Memory, Named, Outcome, RowSource, Setting};
use crate::plan::test::{RowTest, Test, zone};
use crate::plan::{Check, fits};
use crate::report::{
    CheckResult, Frequent, Occurred, REPORT_VERSION, Report, RowCounts, RunFacts, Sample, Status, Summary, Target,
};

/// Conditions counted by one scan at most; every database takes far more result columns than twice this.
const CONDITIONS_MAX: usize = 200;

/// The savepoint that a failed statement rolls back to, where it would otherwise end the transaction.
const SAVEPOINT: &str = "relink_check";

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The instant at which the run begins.
    pub started: Timestamp,
    /// The instant that counts as now.
    pub now: Timestamp,
    /// Samples per check at most.
    pub samples_max: usize,
    /// Only the checks of these relations.
    pub only: Option<Vec<RelationId>>,
    /// Patterns of the ids of those checks to make that only reading an export brings to light; empty: all of them.
    pub chosen: Vec<String>,
    /// The zone of readings without one: `[run] timezone`.
    pub timezone: Option<String>,
    /// Bytes of memory for each check that has to keep keys; what is beyond goes into temporary files.
    pub memory: usize,
    /// The folder for temporary files.
    pub temporary: PathBuf,
    /// By relation: the column that says when a row was made, by which a report tells old scars from what still happens.
    pub made: Vec<(RelationId, usize)>,
    /// Checks, by patterns of their ids, of which up to 10,000 failing rows are named: those that a baseline or a suppression tells apart.
    pub exhaustive: Vec<String>,
    /// How long each check may take.
    pub timeout: Option<Duration>,
    /// Values of failing rows are not cut where they are long: for those who work with them.
    pub whole_values: bool,
    /// Not everything is checked that could be: what is not found may be there all the same.
    pub partial: bool,
}

impl Options {
    /// With what most runs want: 20 samples a check, 64 MiB of memory.
    pub fn new(now: Timestamp, temporary: PathBuf) -> Self {
        Self {
            started: now,
            now,
            samples_max: 20,
            only: None,
            chosen: Vec::new(),
            timezone: None,
            memory: 64 << 20,
            temporary,
            made: Vec::new(),
            exhaustive: Vec::new(),
            timeout: None,
            whole_values: false,
            partial: false,
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment::of(self.now, zone(self.timezone.as_deref()))
    }

    /// The column that says when rows of a check's relation were made.
    pub(crate) fn made_of(&self, catalog: &Catalog, check: &Check) -> Option<usize> {
        let relation = catalog.id(&check.relation)?;
        self.made.iter().find(|(of, _)| *of == relation).map(|(_, column)| *column)
    }

    /// Failing rows of a check to name.
    pub(crate) fn rows_of(&self, check: &Check) -> usize {
        let all = self.exhaustive.iter().any(|pattern| fits(pattern, &check.id));
        if all { self.samples_max.max(ROWS_MAX) } else { self.samples_max }
    }

    pub(crate) fn setting(&self, check: &Check) -> Setting {
        let folder = Arc::new(self.temporary.clone());
        Setting {
            at: self.moment(),
            wrong_max: self.rows_of(check),
            memory: Memory { bytes: self.memory, folder },
            counts_keys: check.inferred.is_some(),
        }
    }
}

/// What happens, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many checks are about to be made.
    Planned {
        /// How many.
        checks: usize,
    },
    /// A check begins.
    Started {
        /// Its id.
        id: String,
    },
    /// A check has ended.
    Finished {
        /// Its id.
        id: String,
        /// What came of it.
        status: Status,
        /// Rows that fail it.
        failed: u64,
    },
}

/// What a probe found out.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) failed: u64,
    pub(crate) failed_distinct: u64,
    /// Rows that the probe itself could not judge, beyond those of the census.
    pub(crate) not_judged: u64,
    /// Rows looked at, where the probe itself counted them.
    pub(crate) total: Option<u64>,
    pub(crate) problems: IndexMap<String, u64>,
    pub(crate) frequent: Vec<Frequent>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) notes: Vec<String>,
    /// When the failing rows were made.
    pub(crate) occurred: Option<Occurred>,
    /// The sum of all differences.
    pub(crate) difference: Option<String>,
    /// Distinct keys among the rows judged.
    pub(crate) judged_distinct: Option<u64>,
}

impl Found {
    /// With failing rows as a report shows them: long values are cut.
    pub(crate) fn shortened(mut self) -> Self {
        for sample in &mut self.samples {
            let values = sample.key.values_mut().chain(sample.values.values_mut());
            values.for_each(|value| *value = value.take().map(cut));
        }
        self
    }
}

/// What the shared scan counted for one check.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    total: u64,
    not_judged: u64,
    failed: u64,
}

/// How a database carries checks out.
pub fn compile(catalog: &Catalog, checks: &[Check], options: &Options, dialect: &dyn Dialect) -> Vec<Compiled> {
    let at = options.moment();
    let compiler = Compiler { catalog, dialect, at: &at };
    checks.iter().map(|check| compiler.compile(check)).collect()
}

/// A check on its way to its result.
struct Running<'a> {
    check: &'a Check,
    compiled: Compiled,
    counted: Counted,
    outcome: Option<Result<Found, DbError>>,
    duration: Duration,
}

/// Runs the checks.
///
/// # Errors
/// Only where nothing more can be done: the connection is lost, or the transaction is over. What concerns one check alone is in the report.
pub async fn run(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    checks: &[Check],
    options: &Options,
    events: &mut dyn FnMut(Event),
) -> Result<Report, DbError> {
    let begun = Instant::now();
    let wanted = |check: &&Check| {
        options.only.as_ref().is_none_or(|only| catalog.id(&check.relation).is_some_and(|id| only.contains(&id)))
    };
    let at = options.moment();
    let start = |check| {
        let compiler = Compiler { catalog, dialect: connection.dialect(), at: &at };
        let compiled = compiler.compile(check);
        Running { check, compiled, counted: Counted::default(), outcome: None, duration: Duration::ZERO }
    };
    let mut running: Vec<Running<'_>> = checks.iter().filter(wanted).map(start).collect();
    events(Event::Planned { checks: running.len() });
    let (mut relations, mut rows) = (0, 0);
    // Without a limit of its own a run leaves the one that the server or the role has.
    if options.timeout.is_some() {
        connection.set_statement_timeout(options.timeout).await?;
    }
    for of_relation in running.chunk_by_mut(|one, other| one.check.relation == other.check.relation) {
        let mut largest = 0;
        for batch in of_relation.chunks_mut(CONDITIONS_MAX) {
            let scanned = Instant::now();
            census(connection, catalog, batch).await?;
            let share = scanned.elapsed() / u32::try_from(batch.len()).unwrap_or(u32::MAX);
            for one in batch {
                let begun = Instant::now();
                events(Event::Started { id: one.check.id.clone() });
                if one.outcome.is_none() {
                    let found = ask(connection, catalog, one, options).await?;
                    one.outcome =
                        if options.whole_values { found } else { found.map(|found| found.map(Found::shortened)) };
                }
                one.duration = share + begun.elapsed();
                largest = largest.max(one.counted.total);
                if one.outcome.is_some() {
                    events(one.finished());
                }
            }
        }
        // A query of the user's own may be about none.
        relations += u64::from(of_relation.iter().any(|one| catalog.id(&one.check.relation).is_some()));
        rows += largest;
    }
    read(connection, catalog, &mut running, options, events).await?;
    if options.timeout.is_some() {
        connection.set_statement_timeout(None).await?;
    }
    let dialect = connection.dialect();
    let results: Vec<CheckResult> = running.into_iter().map(|one| result(catalog, dialect, one)).collect();
    Ok(Report {
        version: REPORT_VERSION,
        run: RunFacts {
            tool: "relink".to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            target: Target::Database(catalog.server.clone()),
            started: options.started.to_string(),
            now: options.now.to_string(),
            samples_max: options.samples_max,
            relations,
            rows,
            duration_ms: milliseconds(begun.elapsed()),
        },
        summary: Summary::of(&results),
        checks: results,
        warnings: Vec::new(),
        not_checked: Vec::new(),
        inference: None,
    })
}

impl Running<'_> {
    fn finished(&self) -> Event {
        let failed = self.outcome.as_ref().and_then(|outcome| outcome.as_ref().ok()).map_or(0, |found| found.failed);
        let status = match &self.outcome {
            Some(Ok(_)) if failed > 0 || matches!(self.compiled.probe, Probe::Stated) => Status::Fail,
            Some(Ok(_)) => Status::Pass,
            _ => Status::Error,
        };
        Event::Finished { id: self.check.id.clone(), status, failed }
    }
}

/// Makes the checks whose rows are read. Those that read all rows of their relations share one pass over each; those that read chosen ones have a pass of
/// their own.
async fn read(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    running: &mut [Running<'_>],
    options: &Options,
    events: &mut dyn FnMut(Event),
) -> Result<(), DbError> {
    let reads = |one: &Running<'_>| match &one.compiled.probe {
        Probe::Read { rows } if one.outcome.is_none() => Some(rows.clone()),
        // What it could not tell for certain.
        Probe::Total(_) if one.outcome.is_none() => Some(None),
        _ => None,
    };
    let mut passes: Vec<(Option<String>, Vec<usize>)> = vec![(None, Vec::new())];
    for (at, one) in running.iter().enumerate() {
        match reads(one) {
            Some(None) => passes[0].1.push(at),
            Some(rows) => passes.push((rows, vec![at])),
            None => {}
        }
    }
    for (rows, members) in passes.into_iter().filter(|(_, members)| !members.is_empty()) {
        let begun = Instant::now();
        let checks: Vec<&Check> = members.iter().map(|at| running[*at].check).collect();
        let mut found = pass(connection, catalog, &checks, rows.as_deref(), options).await?;
        if members.len() > 1 && found.iter().any(Result::is_err) {
            // One relation that cannot be read must not keep the checks of others from being made.
            for (check, found) in checks.iter().zip(&mut found).filter(|(_, found)| found.is_err()) {
                let alone = pass(connection, catalog, std::slice::from_ref(check), rows.as_deref(), options).await?;
                *found = alone.into_iter().next().unwrap_or_else(|| Err(gone(check)));
            }
        }
        let share = begun.elapsed() / u32::try_from(members.len()).unwrap_or(u32::MAX);
        for (at, found) in members.into_iter().zip(found) {
            let one = &mut running[at];
            one.outcome = Some(found);
            one.duration += share;
            events(one.finished());
        }
    }
    Ok(())
}

/// One pass for several checks.
async fn pass(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    checks: &[&Check],
    rows: Option<&str>,
    options: &Options,
) -> Result<Vec<Result<Found, DbError>>, DbError> {
    let guarded = guard(connection).await?;
    let evaluator =
        |check: &&Check| judge::evaluator(&check.test, &options.setting(check)).expect("what is read is judged");
    let evaluators: Vec<_> = checks.iter().map(evaluator).collect();
    let feeds: Vec<Vec<judge::Feed>> = evaluators.iter().map(|evaluator| evaluator.feeds()).collect();
    // One statement may take as long as a check; the pages of several checks as long as all of them.
    let limit = Limit::of(options.timeout.map(|timeout| timeout.saturating_mul(checks.len() as u32)));
    let mut source = LiveRows { connection: &mut *connection, catalog, rows, limit };
    let outcomes = judge::run(&mut source, evaluators).await;
    let mut found = Vec::with_capacity(checks.len());
    for ((check, outcome), feeds) in checks.iter().zip(outcomes).zip(&feeds) {
        let shown = match outcome {
            Ok(outcome) => show(&mut source, catalog, check, outcome, feeds, options).await,
            Err(trouble) => Err(trouble),
        };
        let shown = if options.whole_values { shown } else { shown.map(Found::shortened) };
        found.push(shown.map_err(DbError::from));
    }
    let settled: Result<(), DbError> = match found.iter().find_map(|found| found.as_ref().err()) {
        Some(error) => Err(DbError::new(error.kind, error.to_string())),
        None => Ok(()),
    };
    drop(settle(connection, guarded, settled).await?);
    Ok(found)
}

/// Rows that fail as the report shows them.
pub(crate) async fn show<S: RowSource>(
    source: &mut S,
    catalog: &Catalog,
    check: &Check,
    outcome: Outcome,
    feeds: &[judge::Feed],
    options: &Options,
) -> Result<Found, S::Trouble> {
    let (made, at) = (options.made_of(catalog, check), &options.moment());
    let all_named = outcome.wrong.len() as u64 == outcome.failed;
    let mut found = Found {
        failed: outcome.failed,
        failed_distinct: outcome.failed_distinct,
        not_judged: outcome.not_judged,
        total: Some(outcome.total),
        problems: outcome.problems,
        notes: outcome.notes,
        difference: outcome.difference,
        judged_distinct: outcome.judged_distinct,
        ..Found::default()
    };
    let mut samples: Vec<(usize, Sample)> = Vec::new();
    for (number, feed) in feeds.iter().enumerate() {
        let relation = catalog.relation(feed.relation);
        let columns = judge::columns_shown(check, relation, number);
        let of_feed = |(_, wrong): &(usize, &judge::Wrong)| wrong.feed == number;
        let mut wrong: Vec<(usize, &judge::Wrong)> = outcome.wrong.iter().enumerate().filter(of_feed).collect();
        wrong.sort_by_key(|(_, wrong)| wrong.ordinal);
        let ordinals: Vec<u64> = wrong.iter().map(|(_, wrong)| wrong.ordinal).collect();
        if !ordinals.is_empty() {
            let rows = source.fetch(feed.relation, &columns, &ordinals).await?;
            for ((place, wrong), named) in wrong.into_iter().zip(rows) {
                samples.push((place, judge::sample_of(check, relation, &columns, wrong, named, at)));
            }
        }
        if let (0, Some(made), true) = (number, made.filter(|_| all_named), !ordinals.is_empty()) {
            let rows = source.fetch(feed.relation, &[made], &ordinals).await?;
            let moments = rows.iter().filter_map(|named| named.values.first()).filter(|value| !value.is_null());
            found.occurred = between(&relation.columns[made].name, moments);
        }
        if number == 0 && !outcome.frequent.is_empty() {
            let mut frequent = outcome.frequent.clone();
            frequent.sort_unstable();
            let ordinals: Vec<u64> = frequent.iter().map(|(ordinal, _)| *ordinal).collect();
            let rows = source.fetch(feed.relation, &columns, &ordinals).await?;
            let one = |(named, (_, rows)): (Named, &(u64, u64))| {
                let names = columns.iter().map(|column| relation.columns[*column].name.clone());
                Frequent { values: names.zip(named.values.iter().map(text)).collect(), rows: *rows }
            };
            found.frequent = rows.into_iter().zip(&frequent).map(one).collect();
            found.frequent.sort_by_key(|frequent| std::cmp::Reverse(frequent.rows));
            found.notes.extend(orphans::shared_value(&found.frequent, found.failed_distinct, found.failed));
        }
    }
    samples.sort_by_key(|(place, _)| *place);
    found.samples = samples.into_iter().map(|(_, sample)| sample).collect();
    Ok(found)
}

/// The first and the last of these moments; `None` where one of them is no date, or sorts otherwise in a database than in time: a text with the year first does
/// not, and numbers do not among themselves.
fn between<'v>(column: &str, moments: impl Iterator<Item = &'v Value>) -> Option<Occurred> {
    let moments: Vec<&Value> = moments.collect();
    let texts = moments.iter().all(|value| matches!(value, Value::Text(text) if text.as_bytes().get(4) == Some(&b'-')));
    let numbers = moments.iter().all(|value| matches!(value, Value::Int(_) | Value::Float(_)));
    if !texts && !numbers {
        return None;
    }
    let read = |value: &&Value| dates::read(value).instant(&TimeZone::UTC).map(|instant| (instant, value.to_string()));
    let read: Vec<_> = moments.iter().map(read).collect::<Option<_>>()?;
    let (first, last) = (read.iter().min()?.1.clone(), read.iter().max()?.1.clone());
    Some(Occurred { column: column.to_owned(), first, last })
}

/// When the rows were made that a query selects: its first and its last by a column of dates.
async fn occurred(
    connection: &mut dyn Connection,
    column: &Column,
    alias: &str,
    from: &str,
    condition: &str,
) -> Result<Option<Occurred>, DbError> {
    if !matches!(column.data_type.kind, TypeKind::Date | TypeKind::Timestamp { .. }) {
        return Ok(None);
    }
    let name = super::sql::qualified(connection.dialect(), alias, &column.name);
    let read = connection.dialect().read_expression(alias, column);
    let mut ends = Vec::new();
    for direction in ["ASC", "DESC"] {
        let sql = format!(
            "SELECT {read} {from} WHERE ({condition}) AND {name} IS NOT NULL ORDER BY {name} {direction} LIMIT 1"
        );
        ends.extend(connection.query(&sql, &[]).await?.into_iter().flatten());
    }
    Ok(between(&column.name, ends.iter()))
}

/// One scan of a relation for all its checks. Where the scan fails, each check is counted alone, so that only the one to blame fails.
async fn census(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    running: &mut [Running<'_>],
) -> Result<(), DbError> {
    let asks = |one: &Running<'_>| !matches!(one.compiled.probe, Probe::Stated | Probe::Sql(_) | Probe::Nowhere(_));
    if !running.iter().any(asks) {
        return Ok(());
    }
    let relation = running.first().and_then(|one| catalog.id(&one.check.relation)).map(|id| catalog.relation(id));
    let Some(relation) = relation else {
        for one in running {
            one.outcome = Some(Err(gone(one.check)));
        }
        return Ok(());
    };
    let all: Vec<&Census> = running.iter().map(|one| &one.compiled.census).collect();
    match guarded_census(connection, relation, &all).await? {
        Ok(counted) => running.iter_mut().zip(counted).for_each(|(one, counted)| one.counted = counted),
        Err(error) if running.len() == 1 => running[0].outcome = Some(Err(error)),
        Err(_) => {
            for one in running {
                match guarded_census(connection, relation, &[&one.compiled.census]).await? {
                    Ok(counted) => one.counted = counted.first().copied().unwrap_or_default(),
                    Err(error) => one.outcome = Some(Err(error)),
                }
            }
        }
    }
    Ok(())
}

async fn guarded_census(
    connection: &mut dyn Connection,
    relation: &Relation,
    censuses: &[&Census],
) -> Result<Result<Vec<Counted>, DbError>, DbError> {
    let guarded = guard(connection).await?;
    let outcome = count_conditions(connection, relation, censuses).await;
    settle(connection, guarded, outcome).await
}

async fn count_conditions(
    connection: &mut dyn Connection,
    relation: &Relation,
    censuses: &[&Census],
) -> Result<Vec<Counted>, DbError> {
    let mut sql = "SELECT COUNT(*)".to_owned();
    for condition in censuses.iter().flat_map(|census| [&census.not_judged, &census.failed]).flatten() {
        let _ = write!(sql, ", COUNT(CASE WHEN {condition} THEN 1 END)");
    }
    let _ = write!(sql, " FROM {}", connection.dialect().own_rows(relation));
    let mut counts = counts(connection, &sql).await?.into_iter();
    let total = counts.next().unwrap_or_default();
    let mut next = |condition: &Option<String>| condition.as_ref().and_then(|_| counts.next()).unwrap_or_default();
    let counted =
        |census: &&Census| Counted { total, not_judged: next(&census.not_judged), failed: next(&census.failed) };
    Ok(censuses.iter().map(counted).collect())
}

/// Asks a check's own questions; `None` where rows have to be read for it. A failed statement is that check's alone.
async fn ask(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    one: &Running<'_>,
    options: &Options,
) -> Result<Option<Result<Found, DbError>>, DbError> {
    let (check, counted) = (one.check, one.counted);
    match &one.compiled.probe {
        Probe::Stated => return Ok(Some(Ok(Found::default()))),
        Probe::Read { .. } => return Ok(None),
        Probe::Nowhere(why) => return Ok(Some(Err(DbError::new(DbErrorKind::Unsupported, why.clone())))),
        // Nothing more has to be asked, which spares most checks of a clean database two round trips for a savepoint.
        Probe::Rows(_) if counted.failed == 0 => return Ok(Some(Ok(Found::default()))),
        Probe::Count => {
            let Test::Count(test) = &check.test else { return Ok(Some(Err(gone(check)))) };
            let outcome = test.outcome(counted.total, counted.total - counted.not_judged);
            let Outcome { failed, failed_distinct, problems, notes, .. } = outcome;
            return Ok(Some(Ok(Found { failed, failed_distinct, problems, notes, ..Found::default() })));
        }
        _ => {}
    }
    let guarded = guard(connection).await?;
    let found = probe(connection, catalog, one, options).await;
    Ok(settle(connection, guarded, found).await?.transpose())
}

async fn probe(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    one: &Running<'_>,
    options: &Options,
) -> Result<Option<Found>, DbError> {
    let (check, counted) = (one.check, one.counted);
    let found = match &one.compiled.probe {
        Probe::Rows(shown) => {
            let relation = catalog.id(&check.relation).map(|id| catalog.relation(id)).ok_or_else(|| gone(check))?;
            let condition = one.compiled.census.failed.as_deref().expect("a row check has a condition");
            let from = connection.dialect().own_rows(relation);
            // A planner may refute a condition from the very constraint that does not hold (PostgreSQL `constraint_exclusion`); not inside CASE.
            let fails = format!("CASE WHEN {condition} THEN 1 ELSE 0 END = 1");
            let sql = format!("SELECT {} FROM {from} WHERE {fails} ORDER BY {}", shown.select(), shown.order());
            let mut failed_distinct = counted.failed;
            if let (Test::Row(RowTest { counts_values: true, .. }), [column]) = (&check.test, check.columns.as_slice())
            {
                let column = connection.dialect().quote(column);
                let distinct = format!("SELECT COUNT(DISTINCT {column}) FROM {from} WHERE {fails}");
                failed_distinct = count(connection, &distinct, &[]).await?;
            }
            let made = options.made_of(catalog, check).map(|made| &relation.columns[made]);
            let occurred = match made {
                Some(column) => occurred(connection, column, "", &format!("FROM {from}"), &fails).await?,
                None => None,
            };
            Found {
                occurred,
                failed: counted.failed,
                failed_distinct,
                samples: samples(connection, shown, &sql, &[], options.rows_of(check)).await?,
                ..Found::default()
            }
        }
        Probe::Orphans(probe) => {
            let mut found = orphans::run(connection, probe, options.rows_of(check)).await?;
            let made = options.made_of(catalog, check).zip(catalog.id(&check.relation));
            if let (Some((made, relation)), true) = (made, found.failed > 0) {
                let column = &catalog.relation(relation).columns[made];
                let from = format!("FROM {}", probe.orphans.from);
                found.occurred = occurred(connection, column, "c", &from, &probe.orphans.condition).await?;
            }
            found
        }
        Probe::Duplicates(probe) => duplicates::run(connection, probe, options.rows_of(check)).await?,
        Probe::Total(probe) => return total::run(connection, probe, options.rows_of(check)).await,
        Probe::Sql(sql) => own_sql::run(connection, check, sql, options.rows_of(check)).await?,
        Probe::Stated | Probe::Count | Probe::Read { .. } | Probe::Nowhere(_) => {
            return Err(DbError::new(DbErrorKind::Other, "there is nothing to ask"));
        }
    };
    Ok(Some(found))
}

/// A check as the report begins with it.
pub(crate) fn begun(check: &Check) -> CheckResult {
    CheckResult {
        columns: check.columns.clone(),
        message: check.message.clone(),
        threshold: check.threshold.clone(),
        owner: check.owner.clone(),
        inferred: check.inferred.is_some(),
        ..CheckResult::new(&check.id, check.kind, check.relation.clone(), check.severity)
    }
}

fn result(catalog: &Catalog, dialect: &dyn Dialect, one: Running<'_>) -> CheckResult {
    let Running { check, compiled, counted, outcome, duration } = one;
    let mut result = CheckResult { sql: compiled.sql, duration_ms: milliseconds(duration), ..begun(check) };
    let found = match outcome {
        Some(Ok(found)) => found,
        Some(Err(error)) => {
            not_run(&mut result, &error.to_string());
            return result;
        }
        None => {
            not_run(&mut result, "it was not made");
            return result;
        }
    };
    let reads_some = matches!(compiled.probe, Probe::Read { rows: Some(_) });
    let total = found.total.filter(|_| !reads_some).unwrap_or(counted.total);
    let not_judged = match compiled.probe {
        // What is not judged was counted by whoever read all the rows.
        Probe::Read { rows: None } => found.not_judged,
        _ => counted.not_judged + found.not_judged,
    };
    finish(&mut result, check, found, total, not_judged, matches!(compiled.probe, Probe::Stated));
    // Of two relations' rows none can be told from the other by its key alone.
    let of_one = match &check.test {
        Test::Same(_) => false,
        Test::Sums(test) => test.right.is_none() || !test.left.summed,
        _ => true,
    };
    if result.sql.is_none()
        && of_one
        && let Some(id) = catalog.id(&check.relation)
    {
        result.sql = super::sql::named_rows(dialect, catalog.relation(id), &result.samples);
    }
    result
}

/// A check that could not be made.
pub(crate) fn not_run(result: &mut CheckResult, why: &str) {
    result.status = Status::Error;
    "could not be checked".clone_into(&mut result.message);
    result.why = Some(why.to_owned());
}

/// What was found, as the report has it.
pub(crate) fn finish(result: &mut CheckResult, check: &Check, found: Found, total: u64, not_judged: u64, stated: bool) {
    result.counts = RowCounts {
        judged: total.saturating_sub(not_judged),
        not_judged,
        failed: found.failed,
        failed_distinct: found.failed_distinct,
        allowed: 0,
        total,
    };
    let fails = found.failed > 0 || stated;
    result.status = if fails { Status::Fail } else { Status::Pass };
    if fails {
        result.why.clone_from(&check.why);
        result.help.clone_from(&check.help);
    }
    result.problems = found.problems;
    result.truncated = !result.is_answer() && (found.samples.len() as u64) < found.failed;
    result.frequent = found.frequent;
    result.samples = found.samples;
    result.notes = found.notes;
    result.difference = found.difference;
    result.occurred = found.occurred;
    result.judged_distinct = found.judged_distinct;
}

pub(crate) fn gone(check: &Check) -> DbError {
    DbError::new(DbErrorKind::Other, format!("the catalog has no relation {}", check.relation))
}

/// As reports give a duration.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Sets a savepoint where a failed statement would end the transaction.
async fn guard(connection: &mut dyn Connection) -> Result<bool, DbError> {
    let needed = !connection.dialect().capabilities().statement_failure_keeps_transaction;
    if needed {
        connection.savepoint(SAVEPOINT).await?;
    }
    Ok(needed)
}

/// Ends what [`guard`] began. The outer error is one that leaves nothing more to be done.
async fn settle<T>(
    connection: &mut dyn Connection,
    guarded: bool,
    outcome: Result<T, DbError>,
) -> Result<Result<T, DbError>, DbError> {
    match outcome {
        Err(error) if matches!(error.kind, DbErrorKind::ConnectionLost | DbErrorKind::Contention) => return Err(error),
        Err(_) if guarded => connection.rollback_to(SAVEPOINT).await?,
        _ => {}
    }
    if guarded {
        connection.release(SAVEPOINT).await?;
    }
    Ok(outcome)
}

/// The single number that a query answers.
pub(crate) async fn count(connection: &mut dyn Connection, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
    let rows = connection.query(sql, parameters).await?;
    rows.first().and_then(|row| row.first()).map_or_else(|| Err(no_count()), whole)
}

/// The one row of counts that a query answers.
pub(crate) async fn counts(connection: &mut dyn Connection, sql: &str) -> Result<Vec<u64>, DbError> {
    let row = connection.query(sql, &[]).await?.pop().ok_or_else(no_count)?;
    row.iter().map(whole).collect()
}

/// The first rows of a query that selects what `shown` says.
pub(crate) async fn samples(
    connection: &mut dyn Connection,
    shown: &Shown,
    sql: &str,
    parameters: &[Value],
    samples_max: usize,
) -> Result<Vec<Sample>, DbError> {
    if samples_max == 0 {
        return Ok(Vec::new());
    }
    let rows = connection.query(&format!("{sql} LIMIT {samples_max}"), parameters).await?;
    Ok(rows.into_iter().map(|row| sample(shown, row)).collect())
}

/// A count out of a result. What is no count is an error: taken for nothing it would pass.
pub(crate) fn whole(value: &Value) -> Result<u64, DbError> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| no_count()),
        _ => Err(no_count()),
    }
}

fn no_count() -> DbError {
    DbError::new(DbErrorKind::Other, "the database answered something other than a count")
}
