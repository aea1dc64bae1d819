//! `relink heal`: the rows that orphans refer to, out of an export. The orphans are measured, their records restored, the orphans measured again; then it is
//! committed, or rolled back.

use std::{fmt::Write as _, sync::atomic::Ordering};

use relink_db::{Access, Connection, DatabaseUrl, TransactionKind};
use relink_export::Source;
use relink_model::{Catalog, Config, Ids, Mode, OnDangling, OnError, Place, RelationName, Value};
use relink_restore::{Applied, Options, Report, Request, Selection, Wanted, WantedKeys};
use relink_validate::{Check, CheckResult, MASKED, Mask, Missing, Status};
use serde::Serialize;

use super::{restore, validate};
use crate::{
    args::{HealArguments, ReportFormat},
    config,
    exit::{Exit, Failure},
    progress::Progress,
    render::restore::group_text,
};

/// The report of `relink heal --format json`.
#[derive(Debug, Serialize)]
struct Output<'a> {
    /// The version of this format.
    version: u32,
    /// Whether the rows were kept.
    applied: bool,
    /// The references that led nowhere.
    references: Vec<Reference>,
    /// The records whose rows are missing.
    records: Vec<Record>,
    /// Keys that no record of the export has.
    not_in_export: Vec<Absent>,
    /// Records that could not be restored.
    rejected: Vec<Rejection>,
    /// References that lead nowhere, or could not be checked, and whose rows are not looked for.
    untreated: Vec<Untreated>,
    /// Checks that fail on more rows than before: why everything was rolled back.
    broken: Vec<String>,
    /// What the restore did.
    restore: &'a Report,
}

/// A check of references, before and after.
#[derive(Debug, Serialize)]
struct Reference {
    id: String,
    /// What is referred to.
    relation: RelationName,
    /// Distinct keys without a row.
    missing_keys: usize,
    orphans_before: u64,
    /// `None` where it did not come to measuring.
    orphans_after: Option<u64>,
}

/// A record that was chosen.
#[derive(Debug, Serialize)]
struct Record {
    relation: RelationName,
    key: String,
    place: Option<Place>,
}

/// A key that no record has.
#[derive(Debug, Serialize)]
struct Absent {
    relation: RelationName,
    key: String,
}

/// A record that could not be restored.
#[derive(Debug, Serialize)]
struct Rejection {
    relation: RelationName,
    place: Option<Place>,
    reason: String,
}

/// A check of references whose missing rows are not looked for.
#[derive(Debug, Serialize)]
struct Untreated {
    id: String,
    /// Rows that fail it afterwards.
    orphans: u64,
    /// Why it could not be made.
    not_checked: Option<String>,
}

/// What was found out before anything is restored.
struct Ailments {
    missing: Vec<Missing>,
    /// The checks of references, as they failed.
    before: Vec<CheckResult>,
    /// The ids of checks of references whose missing keys are not known.
    untreated: Vec<String>,
    rows: Vec<RelationName>,
}

impl Ailments {
    fn concern(&self, id: &str) -> bool {
        self.missing.iter().any(|missing| missing.check == id) || self.untreated.iter().any(|other| other == id)
    }
}

/// What was measured once the rows were in.
#[derive(Default)]
struct Measured {
    /// The checks of references.
    references: Vec<CheckResult>,
    /// Checks of the tables concerned that fail on more rows than before.
    broken: Vec<String>,
}

pub(crate) async fn run(arguments: &HealArguments) -> Result<Exit, Failure> {
    let url = super::database_url(arguments.into.as_deref(), "name it with --into URL")?;
    let config = quiet(config::load(arguments.config.as_deref())?);
    let profiles = config::profiles(&config)?;
    let now = validate::now(&config)?;
    let validating = relink_validate::Options { samples_max: 0, ..restore::validating(now, &config) };
    let interrupted = restore::listen();
    let mut progress = Progress::new();
    let (source, index) =
        restore::read(&arguments.exports, arguments.from, arguments.encoding.as_ref(), &mut progress)?;
    let ailments = ailments(arguments, &url, &config, &validating).await?;
    let keys = |missing: &Missing| WantedKeys {
        relation: missing.relation.clone(),
        columns: missing.columns.clone(),
        keys: missing.keys.clone(),
    };
    let wanted = Wanted { keys: ailments.missing.iter().map(keys).collect(), rows: ailments.rows.clone() };
    let options = Options {
        mode: Mode::Skip,
        ids: Ids::Keep,
        // What cannot come back keeps nothing else from coming back; it is said.
        on_dangling: OnDangling::Reject,
        on_error: OnError::Reject,
        selection: Selection { wanted: Some(wanted), ..Selection::default() },
        ..Options::of(&config)
    };
    let precheck = restore::precheck(&config);
    let request = Request {
        interrupted: &interrupted,
        source: source.clone(),
        index,
        config: &config,
        profiles: &profiles,
        options: &options,
        id_map: &[],
        dry_run: !arguments.apply,
        schema: None,
        precheck: &precheck,
    };
    let connection = super::connect(&url, Access::ReadWrite).await?;
    let mut applied = relink_restore::restore(connection, request, &mut |event| progress.restore(&event)).await?;
    let measured = match after(&mut applied, &ailments, &url, &config, now, &mut progress).await {
        Ok(measured) => measured,
        Err(failure) => return Err(restore::give_up(applied, failure).await),
    };
    if interrupted.load(Ordering::Relaxed) {
        return Err(restore::give_up(applied, relink_restore::Error::Interrupted.into()).await);
    }
    progress.finish();
    let Measured { references: after, broken } = measured;
    let reference = |missing: &Missing| Reference {
        id: missing.check.clone(),
        relation: missing.relation.clone(),
        missing_keys: missing.keys.len(),
        orphans_before: failed(&ailments.before, &missing.check).unwrap_or_default(),
        orphans_after: failed(&after, &missing.check),
    };
    let references: Vec<Reference> = ailments.missing.iter().map(reference).collect();
    let found = if after.is_empty() { &ailments.before } else { &after };
    let untreated: Vec<Untreated> =
        found.iter().filter(|result| ailments.untreated.contains(&result.id)).filter_map(untreated).collect();
    let catalog = applied.catalog().clone();
    let mask = Mask::of(&config, &catalog);
    let records = applied.chosen().iter().map(|record| Record {
        relation: record.relation.clone(),
        key: shown(mask, &record.relation, record.key.iter().map(|(name, value)| (name, value))),
        place: source.place(record.file_ordinal, record.label, record.offset, String::new()).ok(),
    });
    let records: Vec<Record> = records.collect();
    let absent = |keys: &WantedKeys| -> Vec<Absent> {
        let one = |values: &Vec<Value>| Absent {
            relation: keys.relation.clone(),
            key: shown(mask, &keys.relation, keys.columns.iter().zip(values)),
        };
        keys.keys.iter().map(one).collect()
    };
    let not_in_export: Vec<Absent> = applied.unfound().iter().flat_map(absent).collect();
    let rejected: Vec<Rejection> =
        applied.rejected().iter().map(|rejected| rejection(mask, &catalog, &source, rejected)).collect();
    let keeps = arguments.apply && applied.is_open() && broken.is_empty();
    let report = if keeps {
        applied.commit().await?
    } else if broken.is_empty() {
        applied.roll_back().await?
    } else {
        applied.roll_back_invalid().await?
    };
    let output = Output {
        version: 1,
        applied: keeps,
        references,
        records,
        not_in_export,
        rejected,
        untreated,
        broken,
        restore: &report,
    };
    match arguments.format {
        ReportFormat::Json => super::print_json(&output),
        ReportFormat::Text => super::print(&render(&output, &source)),
    }
    let settled = |reference: &Reference| {
        let check = after.iter().find(|check| check.id == reference.id);
        check.is_some_and(|check| matches!(check.status, Status::Pass | Status::Allowed))
    };
    let left = !output.references.iter().all(settled) || !output.untreated.is_empty() || !output.rejected.is_empty();
    let unknown = output.untreated.iter().any(|one| one.not_checked.is_some());
    Ok(match report.status {
        // What could not be judged is no pass: it outranks what was judged.
        relink_restore::Status::Restored if unknown => Exit::Database,
        relink_restore::Status::Restored if left => Exit::Findings,
        relink_restore::Status::Restored => Exit::Clean,
        _ => Exit::Refused,
    })
}

/// The configuration without what would do more than bring rows back.
fn quiet(mut config: Config) -> Config {
    config.hooks = relink_model::config::HooksConfig::default();
    for table in config.table.values_mut() {
        (table.mode, table.ids) = (None, None);
    }
    config
}

/// Finds the references that lead nowhere, in a snapshot of its own.
async fn ailments(
    arguments: &HealArguments,
    url: &DatabaseUrl,
    config: &Config,
    options: &relink_validate::Options,
) -> Result<Ailments, Failure> {
    let mut connection = super::connect(url, Access::ReadOnly).await?;
    connection.begin(TransactionKind::Snapshot).await?;
    let mut catalog = connection.introspect().await?;
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let find = |name: &String| {
        let found = catalog.find(name).or_else(|| catalog.find_folded(name));
        found.map(|id| catalog.relation(id).name.clone()).ok_or_else(|| {
            let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
            let nearest = relink_model::suggest::nearest(name, names.iter().map(String::as_str));
            Failure::Usage(format!("the database has no table {name}{}", relink_model::config::suggestion(nearest)))
        })
    };
    let only = arguments.only.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let rows = if arguments.all_missing {
        catalog.relations.iter().map(|relation| relation.name.clone()).collect()
    } else {
        arguments.rows.iter().map(find).collect::<Result<Vec<_>, _>>()?
    };
    let mut checks = relink_validate::plan(&catalog, config, connection.dialect()).map_err(Failure::Config)?;
    checks.retain(relink_validate::is_reference);
    let mut missing = relink_validate::missing(connection.as_mut(), &catalog, &checks, options).await?;
    let concerned =
        |relation: Option<&RelationName>| only.is_empty() || relation.is_none_or(|relation| only.contains(relation));
    let is_untreated = |check: &&Check| {
        !missing.iter().any(|missing| missing.check == check.id)
            && concerned(relink_validate::referenced(check, &catalog))
    };
    let untreated = checks.iter().filter(is_untreated).map(|check| check.id.clone()).collect();
    missing.retain(|missing| !missing.keys.is_empty() && concerned(Some(&missing.relation)));
    let mut ailments = Ailments { missing, before: Vec::new(), untreated, rows };
    ailments.before = references(connection.as_mut(), &catalog, config, &ailments, &checks, options).await?;
    connection.rollback().await?;
    connection.close().await?;
    Ok(ailments)
}

/// Measures the references concerned.
async fn references(
    connection: &mut dyn Connection,
    catalog: &Catalog,
    config: &Config,
    ailments: &Ailments,
    checks: &[Check],
    options: &relink_validate::Options,
) -> Result<Vec<CheckResult>, Failure> {
    let checks: Vec<Check> = checks.iter().filter(|check| ailments.concern(&check.id)).cloned().collect();
    let mut report = relink_validate::run(connection, catalog, &checks, options, &mut |_| {}).await?;
    relink_validate::accept(&mut report, &checks, catalog, config, None, options).map_err(Failure::Config)?;
    Ok(report.checks)
}

/// The references after the restore, and the checks of the tables concerned that fail on more rows than before. Nothing where nothing was restored.
async fn after(
    applied: &mut Applied,
    ailments: &Ailments,
    url: &DatabaseUrl,
    config: &Config,
    now: jiff::Timestamp,
    progress: &mut Progress,
) -> Result<Measured, Failure> {
    if !applied.is_open() {
        return Ok(Measured::default());
    }
    let catalog = applied.catalog().clone();
    let connection = applied.connection();
    let checks = relink_validate::plan(&catalog, config, connection.dialect()).map_err(Failure::Config)?;
    let options = relink_validate::Options { samples_max: 0, ..restore::validating(now, config) };
    let references = references(connection, &catalog, config, ailments, &checks, &options).await?;
    let Some(validation) = restore::validation(applied, config, now, progress).await? else {
        return Ok(Measured { references, broken: Vec::new() });
    };
    let is_worse = |check: &&CheckResult| check.status == Status::Error || restore::is_wrong(check);
    // What was measured before the restore need not be asked again.
    let stood = |check: &&CheckResult| ailments.before.iter().any(|earlier| restore::is_no_worse(earlier, check));
    let worse: Vec<&CheckResult> = validation.checks.iter().filter(is_worse).filter(|check| !stood(check)).collect();
    let stood_before = restore::stood_before(url, config, now, &worse).await;
    let broken = worse.into_iter().map(|check| &check.id).filter(|id| !stood_before.contains(id)).cloned().collect();
    Ok(Measured { references, broken })
}

fn failed(checks: &[CheckResult], id: &str) -> Option<u64> {
    checks.iter().find(|check| check.id == id).map(|check| check.counts.failed)
}

/// What a check of references found that are not looked for; `None` where nothing is wrong with them.
fn untreated(check: &CheckResult) -> Option<Untreated> {
    let not_checked = (check.status == Status::Error).then(|| check.why.clone().unwrap_or_default());
    let wrong = check.status == Status::Fail || not_checked.is_some();
    wrong.then(|| Untreated { id: check.id.clone(), orphans: check.counts.failed - check.counts.allowed, not_checked })
}

fn rejection(mask: Mask<'_>, catalog: &Catalog, source: &Source, rejected: &relink_restore::Rejected) -> Rejection {
    let reason = |reason: &relink_restore::Reason| {
        // What is wrong quotes the values that show it.
        let hidden = match &reason.field {
            Some(field) => mask.hides(&reason.relation, field),
            None => mask.concerns(catalog, &reason.relation),
        };
        if hidden { reason.code.clone() } else { reason.message.clone() }
    };
    let reasons: Vec<String> = rejected.chain.iter().map(reason).collect();
    Rejection {
        relation: rejected.relation.clone(),
        place: source.place(rejected.file_ordinal, rejected.label, rejected.offset, String::new()).ok(),
        reason: reasons.join("; because "),
    }
}

/// `id=7`.
fn shown<'a>(mask: Mask<'_>, relation: &RelationName, key: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let part = |(name, value): (&String, &Value)| {
        if mask.hides(relation, name) { format!("{name}={MASKED}") } else { format!("{name}={value}") }
    };
    key.map(part).collect::<Vec<_>>().join(" ")
}

/// Lines shown of each list; JSON has all.
const LINES_MAX: usize = 50;

fn render(output: &Output<'_>, source: &Source) -> String {
    let mut text = String::new();
    for reference in &output.references {
        let after = reference.orphans_after.map_or_else(|| "not measured".to_owned(), |after| after.to_string());
        let Reference { id, relation, missing_keys, orphans_before, .. } = reference;
        let _ = writeln!(
            text,
            "{id}: {orphans_before} orphans that miss {missing_keys} rows of {relation}; afterwards: {after}"
        );
    }
    let at = |place: &Option<Place>| place.as_ref().map(ToString::to_string).unwrap_or_default();
    let records =
        output.records.iter().map(|record| format!("{} {}  {}", record.relation, record.key, at(&record.place)));
    list(&mut text, "records of missing rows", &records.collect::<Vec<_>>());
    let absent = output.not_in_export.iter().map(|absent| format!("{} {}", absent.relation, absent.key));
    list(&mut text, "missing rows that no record of the export is", &absent.collect::<Vec<_>>());
    let rejected = output.rejected.iter().map(|one| format!("{} {}: {}", one.relation, at(&one.place), one.reason));
    list(&mut text, "records that cannot be restored", &rejected.collect::<Vec<_>>());
    let untreated = output.untreated.iter().map(|one| match &one.not_checked {
        Some(why) => format!("{}: not checked: {why}", one.id),
        None => format!("{}: {} orphans", one.id, one.orphans),
    });
    list(&mut text, "references whose missing rows are not looked for", &untreated.collect::<Vec<_>>());
    if output.restore.status == relink_restore::Status::Refused {
        for found in &output.restore.findings {
            group_text(&mut text, found, source, false);
        }
    }
    list(&mut text, "checks that would fail on more rows than before", &output.broken);
    let restored = output.restore.totals.inserted;
    let rows = if restored == 1 { "1 row".to_owned() } else { format!("{restored} rows") };
    let _ = match (output.restore.status, output.applied) {
        (relink_restore::Status::Restored, true) => writeln!(text, "restored {rows}"),
        (relink_restore::Status::Restored, false) if output.references.is_empty() && restored == 0 => {
            let left = if output.untreated.is_empty() { "nothing to heal" } else { "nothing that can be healed" };
            writeln!(text, "{left}")
        }
        (relink_restore::Status::Restored, false) => {
            writeln!(text, "dry run: {rows} would be restored; --apply keeps them")
        }
        _ => writeln!(text, "refused: nothing was changed"),
    };
    text
}

fn list(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}: {}", lines.len());
    for line in lines.iter().take(LINES_MAX) {
        let _ = writeln!(text, "  {line}");
    }
    if lines.len() > LINES_MAX {
        let _ = writeln!(text, "  ... and {} more", lines.len() - LINES_MAX);
    }
}
