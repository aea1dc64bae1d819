//! The engine for exports: the same checks under the same ids, with no database. Records are read side by side on all cores, each relation once; keys are
//! kept as hashes and go to temporary files beyond their share of memory. Findings say where in which file they stand.

mod complete;
mod inferred;
mod naturals;
mod records;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use relink_db::{Capabilities, DbError, Dialect, dialect_of};
use relink_export::{Format, Index, Source};
use relink_model::config::{Config, ConfigError};
use relink_model::{Catalog, Column, ColumnType, RelationId, TypeKind};
use relink_records::{
    FieldTarget, LabelTarget, Mapping, Reader,
    coerce::Rules,
    profile::{Profile, Profiles},
};

use relink_rules::Part;

pub use self::inferred::infer_catalog;
use self::records::{Records, Trouble};
use crate::judge::{self, Feed, Outcome, RowSource as _};
use crate::live::{Event, Found, Options, begun, finish, milliseconds, not_run, show};
use crate::plan::test::{ReferenceTest, Test};
use crate::plan::{Check, CheckKind};
use crate::report::{CheckResult, REPORT_VERSION, Report, RunFacts, Status, Summary, Target};

/// An export that is validated.
#[derive(Clone, Copy)]
pub struct Export<'a> {
    /// Its text.
    pub source: &'a Source,
    /// What it holds, and where.
    pub index: &'a Index,
    /// Where the schema comes from, in words: a file, a database, or that it was inferred.
    pub schema: &'a str,
}

impl Export<'_> {
    /// Whether it is a Django dump.
    pub fn is_django(&self) -> bool {
        matches!(self.source.format(), Format::DjangoArray | Format::DjangoLines)
    }

    fn format_name(&self) -> &'static str {
        match self.source.format() {
            Format::DjangoArray | Format::DjangoLines => "Django dump",
            Format::TableMap => "table map",
            Format::RowFiles => "row files",
        }
    }
}

/// Makes the checks over an export. `profiles` are the user's own.
///
/// # Errors
/// A configuration that does not fit the catalog. What concerns one check alone is in the report.
pub async fn run_export(
    export: Export<'_>,
    catalog: &Arc<Catalog>,
    config: &Config,
    profiles: &[Profile],
    checks: &[Check],
    options: &Options,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Report, Vec<ConfigError>> {
    let begun_at = Instant::now();
    let profiles = Profiles::new(profiles, &config.profiles, catalog)?;
    let django = export.is_django();
    let mapping = Arc::new(Mapping::new(catalog, config, &profiles, &export.index.labels, django)?);
    let dialect = dialect_of(&catalog.server);
    let rules = Rules::new(held_by(dialect.as_deref()), django, config).map_err(|error| vec![error])?;
    // A server that enforces no types keeps a value otherwise than it is declared, and its types are judged as they are declared.
    let strict = dialect.as_deref().filter(|dialect| dialect.capabilities().enforces_types);
    let exactness = |data_type: &ColumnType| strict.and_then(|dialect| dialect.exactness(data_type));
    let reader = Reader::new(Arc::clone(catalog), Arc::clone(&mapping), config, rules, exactness)?;
    let mut records = Records::new(export, Arc::clone(catalog), mapping, reader);
    let mut report = Report {
        version: REPORT_VERSION,
        run: RunFacts {
            tool: "relink".to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            target: Target::Export {
                name: export.source.name().to_string(),
                format: export.format_name().to_owned(),
                records: export.index.records,
                schema: export.schema.to_owned(),
            },
            started: options.started.to_string(),
            now: options.now.to_string(),
            samples_max: options.samples_max,
            relations: 0,
            rows: export.index.records,
            duration_ms: 0,
        },
        summary: Summary::default(),
        checks: Vec::new(),
        warnings: Vec::new(),
        not_checked: Vec::new(),
        inference: None,
    };
    let wanted = |check: &&Check| {
        options.only.as_ref().is_none_or(|only| catalog.id(&check.relation).is_some_and(|id| only.contains(&id)))
    };
    let (mut made, mut evaluators) = (Vec::new(), Vec::new());
    // What a schema gets wrong it gets wrong for an export, too; of one that was made out of the data nobody says that it is right.
    let is_stated =
        |check: &Check| check.test == Test::Stated && check.kind == CheckKind::Schema && !is_inferred(catalog);
    for check in checks.iter().filter(wanted) {
        // What is not in the export at all is told once, and not by each of its checks.
        let present = catalog.id(&check.relation).is_none_or(|id| records.holds(id));
        match (only_a_database(check, catalog), judge::evaluator(&check.test, &options.setting(check))) {
            (None, Some(evaluator)) if present => {
                made.push(check);
                evaluators.push(evaluator);
            }
            (None, None) if present && is_stated(check) => {
                let mut result = begun(check);
                finish(&mut result, check, Found::default(), 0, 0, true);
                report.checks.push(result);
            }
            (Some(why), _) if present => report.not_checked.push(format!("{}: {why}", check.id)),
            _ => {}
        }
    }
    events(Event::Planned { checks: made.len() });
    if let Err(trouble) = records.learn_natural_keys() {
        for check in made {
            let mut result = begun(check);
            not_run(&mut result, &trouble.to_string());
            report.checks.push(result);
        }
        report.summary = Summary::of(&report.checks);
        return Ok(report);
    }
    let feeds: Vec<Vec<Feed>> = evaluators.iter().map(|evaluator| evaluator.feeds()).collect();
    let outcomes = judge::run(&mut records, evaluators).await;
    let share = begun_at.elapsed() / u32::try_from(made.len().max(1)).unwrap_or(u32::MAX);
    for ((check, outcome), feeds) in made.into_iter().zip(outcomes).zip(&feeds) {
        events(Event::Started { id: check.id.clone() });
        let result = result(&mut records, catalog, check, outcome, feeds, (share, options)).await;
        events(Event::Finished { id: result.id.clone(), status: result.status, failed: result.counts.failed });
        report.checks.push(result);
    }
    let place = |result: &CheckResult| checks.iter().position(|check| check.id == result.id);
    report.checks.sort_by_cached_key(place);
    if complete::is_wanted(options) {
        for relation in records.unread() {
            let feed = Feed { relation, columns: Vec::new() };
            if let Err(trouble) = records.scan(&feed, &|_| Vec::new(), &mut |_| Ok(())).await {
                report.checks.push(complete::unread(&catalog.relation(relation).name, &trouble));
            }
        }
    }
    complete::check(&records, config, options, &mut report)?;
    report.run.relations = records.relations() as u64;
    report.summary = Summary::of(&report.checks);
    report.run.duration_ms = milliseconds(begun_at.elapsed());
    Ok(report)
}

/// The types as they are declared, with those values only that the schema's server can hold at all; where no server stated it, nothing is known of that.
fn held_by(dialect: Option<&dyn Dialect>) -> Capabilities {
    let declared = Capabilities::permissive();
    let Some(own) = dialect.map(Dialect::capabilities) else { return declared };
    Capabilities {
        floats_hold_specials: own.floats_hold_specials,
        temporals_hold_infinity: own.temporals_hold_infinity,
        text_holds_nul: own.text_holds_nul,
        years: own.years,
        ..declared
    }
}

/// Whether a catalog was made out of the data of an export.
pub(crate) fn is_inferred(catalog: &Catalog) -> bool {
    catalog.server.product == inferred::PRODUCT
}

/// Why an export cannot tell, where it cannot.
fn only_a_database(check: &Check, catalog: &Catalog) -> Option<String> {
    let key = |test: &ReferenceTest| catalog.relation(test.relation).foreign_keys.get(test.key?);
    match &check.test {
        Test::Reference(test) if key(test).is_some_and(|key| catalog.unseen.contains(&key.referenced)) => {
            Some("what it references is in another database, or could not be seen".to_owned())
        }
        Test::Expression(test) if test.condition.is_none() => {
            Some("only a database can evaluate this CHECK".to_owned())
        }
        Test::Unique(test) if test.database_only => {
            Some("only a database can evaluate the expressions of this key".to_owned())
        }
        // By the rules' word letters count; by the schema's what its type calls equal.
        Test::Unique(test) if test.key.is_some() => incomparable(catalog, test.relation, &test.parts),
        Test::Reference(test) if !test.by_letter => incomparable(catalog, test.relation, &test.parts)
            .or_else(|| incomparable(catalog, test.target?, &test.target_parts)),
        Test::Sql(_) => Some("its SQL needs a database".to_owned()),
        _ => None,
    }
}

/// Why keys of these parts cannot be compared here, where one of them is of a type that calls equal what is written otherwise.
fn incomparable(catalog: &Catalog, relation: RelationId, parts: &[Part]) -> Option<String> {
    let columns = parts.iter().filter_map(|part| match part {
        Part::Column { index, .. } => catalog.relation(relation).columns.get(*index),
        Part::Expression(_) => None,
    });
    let written_otherwise = |column: &&Column| {
        matches!(
            column.data_type.kind,
            TypeKind::Float { bits: 32 }
                | TypeKind::Time { zoned: true, .. }
                | TypeKind::Interval
                | TypeKind::Json
                | TypeKind::Set { .. }
                | TypeKind::Array { .. }
                | TypeKind::Other
        )
    };
    let column = columns.into_iter().find(written_otherwise)?;
    let declared = &column.data_type.declared;
    Some(format!("only a database can tell which values of {} ({declared}) are equal", column.name))
}

/// The relations with which a check compares rows of its own.
fn compared_with(test: &Test) -> Vec<RelationId> {
    match test {
        Test::Reference(test) => test.target.into_iter().collect(),
        Test::Sums(test) => test.right.iter().map(|side| side.relation).collect(),
        Test::Same(test) => test.sides.iter().map(|side| side.relation).collect(),
        _ => Vec::new(),
    }
}

async fn result(
    records: &mut Records<'_>,
    catalog: &Catalog,
    check: &Check,
    outcome: Result<Outcome, Trouble>,
    feeds: &[Feed],
    (share, options): (Duration, &Options),
) -> CheckResult {
    let mut result = begun(check);
    result.duration_ms = milliseconds(share);
    let absent = compared_with(&check.test).into_iter().find(|other| !records.holds(*other));
    if let (Some(target), Ok(outcome)) = (absent, &outcome) {
        // Nobody can tell whether rows are there that were not exported.
        let found = Found {
            notes: vec![format!("{} is not in the export: nothing could be compared", catalog.relation(target).name)],
            ..Found::default()
        };
        finish(&mut result, check, found, outcome.total, outcome.total, false);
        return result;
    }
    let found = match outcome {
        Ok(outcome) => show(records, catalog, check, outcome, feeds, options).await,
        Err(trouble) => Err(trouble),
    };
    match found {
        Ok(found) => {
            let found = found.shortened();
            let (total, not_judged) = (found.total.unwrap_or(0), found.not_judged);
            finish(&mut result, check, found, total, not_judged, false);
        }
        Err(trouble) => not_run(&mut result, &DbError::from(trouble).to_string()),
    }
    debug_assert!(result.status != Status::Allowed);
    result
}

/// Whether a relation's rows come from records of this target.
fn is_of(target: &LabelTarget, relation: RelationId) -> bool {
    matches!(target, LabelTarget::Relation(found) if *found == relation)
}

/// Where a field goes, as far as rows are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Column(usize),
    Elsewhere,
    Unknown,
}

impl From<&FieldTarget> for Place {
    fn from(target: &FieldTarget) -> Self {
        match target {
            FieldTarget::Column(column) | FieldTarget::Generated(column) => Self::Column(*column),
            FieldTarget::Join(_) | FieldTarget::Ignored => Self::Elsewhere,
            FieldTarget::Unknown { .. } => Self::Unknown,
        }
    }
}
