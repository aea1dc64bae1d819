//! Carries checks out inside the caller's transaction. Whether a check could be run and what it found are two things: one
//! that could not is reported as such, and the others go on.

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use jiff::Timestamp;
use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{Catalog, Relation, RelationId, Value};

use crate::checks::judge::JudgeProbe;
use crate::checks::{duplicates, judge, orphans, past, scan, total};
use crate::plan::{Check, Probe};
use crate::report::{
    CheckResult, Frequent, REPORT_VERSION, Report, RowCounts, RunFacts, Sample, Status, Summary, Target,
};
use crate::sql::{Part, Shown};

/// Conditions counted by one scan at most; every database takes far more result columns than twice this.
const CONDITIONS_MAX: usize = 200;

/// Characters of a sampled value at most.
const VALUE_CHARS_MAX: usize = 500;

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
    /// What shows the failing rows, where that is only known now.
    pub(crate) sql: Option<String>,
}

/// What the shared scan counted for one check.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    total: u64,
    not_judged: u64,
    failed: u64,
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
    let wanted = |check: &Check| {
        options.only.as_ref().is_none_or(|only| catalog.id(&check.relation).is_some_and(|id| only.contains(&id)))
    };
    let checks: Vec<&Check> = checks.iter().filter(|check| wanted(check)).collect();
    events(Event::Planned { checks: checks.len() });
    let mut results = Vec::with_capacity(checks.len());
    let (mut relations, mut rows) = (0, 0);
    for of_relation in checks.chunk_by(|one, other| one.relation == other.relation) {
        let mut largest = 0;
        for batch in of_relation.chunks(CONDITIONS_MAX) {
            let scanned = Instant::now();
            let counted = census(connection, catalog, batch).await?;
            let mut judged = judge_all(connection, catalog, batch, options).await?;
            let share = scanned.elapsed() / u32::try_from(batch.len()).unwrap_or(u32::MAX);
            for (at, (check, counted)) in batch.iter().zip(counted).enumerate() {
                events(Event::Started { id: check.id.clone() });
                let counted = counted.and_then(|counted| Ok((counted, judged.remove(&at).transpose()?)));
                let result = one(connection, catalog, check, counted, options, share).await?;
                events(Event::Finished { id: result.id.clone(), status: result.status, failed: result.counts.failed });
                largest = largest.max(result.counts.total);
                results.push(result);
            }
        }
        relations += 1;
        rows += largest;
    }
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
    })
}

/// One scan of a relation for all its checks. Where the scan fails, each check is counted alone, so that only the one to blame fails.
async fn census(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    checks: &[&Check],
) -> Result<Vec<Result<Counted, DbError>>, DbError> {
    if checks.iter().all(|check| matches!(check.probe, Probe::Stated)) {
        return Ok(checks.iter().map(|_| Ok(Counted::default())).collect());
    }
    let Some(relation) = checks.first().and_then(|check| catalog.id(&check.relation)).map(|id| catalog.relation(id))
    else {
        return Ok(checks.iter().map(|check| Err(gone(check))).collect());
    };
    let together = guarded_census(connection, relation, checks).await?;
    match together {
        Ok(counted) => Ok(counted.into_iter().map(Ok).collect()),
        Err(error) if checks.len() == 1 => Ok(vec![Err(error)]),
        Err(_) => {
            let mut alone = Vec::with_capacity(checks.len());
            for check in checks {
                let counted = guarded_census(connection, relation, std::slice::from_ref(check)).await?;
                alone.push(counted.map(|counted| counted.first().copied().unwrap_or_default()));
            }
            Ok(alone)
        }
    }
}

async fn guarded_census(
    connection: &mut dyn Connection,
    relation: &Relation,
    checks: &[&Check],
) -> Result<Result<Vec<Counted>, DbError>, DbError> {
    let guarded = guard(connection).await?;
    let outcome = count_conditions(connection, relation, checks).await;
    settle(connection, guarded, outcome).await
}

async fn count_conditions(
    connection: &mut dyn Connection,
    relation: &Relation,
    checks: &[&Check],
) -> Result<Vec<Counted>, DbError> {
    let mut sql = "SELECT COUNT(*)".to_owned();
    for condition in checks.iter().flat_map(|check| [&check.census.not_judged, &check.census.failed]).flatten() {
        let _ = write!(sql, ", COUNT(CASE WHEN {condition} THEN 1 END)");
    }
    let _ = write!(sql, " FROM {}", connection.dialect().own_rows(relation));
    let mut counts = counts(connection, &sql).await?.into_iter();
    let total = counts.next().unwrap_or_default();
    let mut next = |condition: &Option<String>| condition.as_ref().and_then(|_| counts.next()).unwrap_or_default();
    let counted = |check: &&Check| Counted {
        total,
        not_judged: next(&check.census.not_judged),
        failed: next(&check.census.failed),
    };
    Ok(checks.iter().map(counted).collect())
}

/// One pass over a relation's rows for all conditions that are judged here. Where it fails, each is judged alone, so that only the one to blame
/// fails.
async fn judge_all(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    checks: &[&Check],
    options: &Options,
) -> Result<HashMap<usize, Result<Found, DbError>>, DbError> {
    let probe = |(at, check): (usize, &&Check)| match &check.probe {
        Probe::Judge(probe) => Some((at, probe.as_ref().clone())),
        _ => None,
    };
    let probes: Vec<(usize, JudgeProbe)> = checks.iter().enumerate().filter_map(probe).collect();
    let relation = checks.first().and_then(|check| catalog.id(&check.relation)).map(|id| catalog.relation(id));
    let (Some(relation), false) = (relation, probes.is_empty()) else { return Ok(HashMap::new()) };
    let all: Vec<&JudgeProbe> = probes.iter().map(|(_, probe)| probe).collect();
    let guarded = guard(connection).await?;
    let together = judge::run(connection, relation, &all, options).await;
    match settle(connection, guarded, together).await? {
        Ok(found) => Ok(probes.iter().zip(found).map(|((at, _), found)| (*at, Ok(found))).collect()),
        Err(error) if probes.len() == 1 => Ok(HashMap::from([(probes[0].0, Err(error))])),
        Err(_) => {
            let mut alone = HashMap::new();
            for (at, probe) in &probes {
                let guarded = guard(connection).await?;
                let found = judge::run(connection, relation, &[probe], options).await;
                let found = settle(connection, guarded, found).await?;
                alone.insert(*at, found.map(|mut found| found.pop().unwrap_or_default()));
            }
            Ok(alone)
        }
    }
}

/// Makes one check; `counted` is what the passes that it shares with others have found.
async fn one(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    check: &Check,
    counted: Result<(Counted, Option<Found>), DbError>,
    options: &Options,
    share: Duration,
) -> Result<CheckResult, DbError> {
    let begun = Instant::now();
    let outcome = match counted {
        Ok((counted, Some(found))) => Ok((counted, found)),
        Ok((counted, None)) if settled_by_census(check, counted) => Ok((counted, Found::default())),
        Ok((counted, None)) => {
            let guarded = guard(connection).await?;
            let found = probe(connection, catalog, check, counted, options).await;
            settle(connection, guarded, found).await?.map(|found| (counted, found))
        }
        Err(error) => Err(error),
    };
    Ok(result(check, outcome, milliseconds(share + begun.elapsed())))
}

/// Whether nothing more has to be asked, which spares most checks of a clean database two round trips for a savepoint.
fn settled_by_census(check: &Check, counted: Counted) -> bool {
    match check.probe {
        Probe::Stated => true,
        Probe::Rows(_) => counted.failed == 0,
        _ => false,
    }
}

async fn probe(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    check: &Check,
    counted: Counted,
    options: &Options,
) -> Result<Found, DbError> {
    match &check.probe {
        Probe::Stated => Ok(Found::default()),
        Probe::Rows(shown) => {
            let relation = catalog.id(&check.relation).map(|id| catalog.relation(id)).ok_or_else(|| gone(check))?;
            let condition = check.census.failed.as_deref().expect("a row check has a condition");
            let from = connection.dialect().own_rows(relation);
            // A planner may refute a condition from the very constraint that does not hold (PostgreSQL `constraint_exclusion`); not inside CASE.
            let sql = format!(
                "SELECT {} FROM {from} WHERE CASE WHEN {condition} THEN 1 ELSE 0 END = 1 ORDER BY {}",
                shown.select(),
                shown.order()
            );
            Ok(Found {
                failed: counted.failed,
                failed_distinct: counted.failed,
                samples: samples(connection, shown, &sql, &[], options.samples_max).await?,
                ..Found::default()
            })
        }
        Probe::Orphans(probe) => orphans::run(connection, probe, options.samples_max).await,
        Probe::Duplicates(probe) => duplicates::run(connection, probe, options.samples_max).await,
        Probe::Past(probe) => past::run(connection, probe, options).await,
        Probe::Scan(probe) => scan::run(connection, probe, options).await,
        Probe::Total(probe) => total::run(connection, probe, options.samples_max).await,
        // That is done before, together with the others of its relation.
        Probe::Judge(_) => Err(DbError::new(DbErrorKind::Other, "its rows have not been judged")),
    }
}

fn result(check: &Check, outcome: Result<(Counted, Found), DbError>, duration_ms: u64) -> CheckResult {
    let mut result = CheckResult {
        columns: check.columns.clone(),
        status: Status::Error,
        message: check.message.clone(),
        sql: check.sql.clone(),
        duration_ms,
        ..CheckResult::new(&check.id, check.kind, check.relation.clone(), check.severity)
    };
    let (counted, found) = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            "could not be checked".clone_into(&mut result.message);
            result.why = Some(error.to_string());
            return result;
        }
    };
    let total = found.total.unwrap_or(counted.total);
    let not_judged = counted.not_judged + found.not_judged;
    result.counts = RowCounts {
        judged: total.saturating_sub(not_judged),
        not_judged,
        failed: found.failed,
        failed_distinct: found.failed_distinct,
        allowed: 0,
        total,
    };
    let fails = found.failed > 0 || matches!(check.probe, Probe::Stated);
    result.status = if fails { Status::Fail } else { Status::Pass };
    if fails {
        result.why.clone_from(&check.why);
        result.help.clone_from(&check.help);
    }
    if found.sql.is_some() {
        result.sql = found.sql;
    }
    result.truncated = (found.samples.len() as u64) < found.failed;
    result.problems = found.problems;
    result.frequent = found.frequent;
    result.samples = found.samples;
    result.notes = found.notes;
    result
}

fn gone(check: &Check) -> DbError {
    DbError::new(DbErrorKind::Other, format!("the catalog has no relation {}", check.relation))
}

fn milliseconds(duration: Duration) -> u64 {
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

/// A row that `shown` selected.
pub(crate) fn sample(shown: &Shown, mut row: Vec<Value>) -> Sample {
    let values = row.split_off(shown.key.len().min(row.len()));
    let named = |parts: &[Part], values: Vec<Value>| {
        parts.iter().zip(values).map(|(part, value)| (part.name.clone(), text(&value))).collect()
    };
    Sample { key: named(&shown.key, row), values: named(&shown.values, values), ..Sample::default() }
}

/// Columns with their values as the report writes them.
pub(crate) fn texts(names: &[String], values: &[Value]) -> IndexMap<String, Option<String>> {
    names.iter().cloned().zip(values.iter().map(text)).collect()
}

/// A value as the report writes it: exact, but cut where it is very long.
pub(crate) fn text(value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let text = value.to_string();
    let chars = text.chars().count();
    if chars <= VALUE_CHARS_MAX {
        return Some(text);
    }
    let start: String = text.chars().take(VALUE_CHARS_MAX).collect();
    Some(format!("{start}... ({chars} characters)"))
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
