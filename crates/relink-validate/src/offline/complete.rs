//! Whether an export is whole: relations that others refer to and that are not in it, labels and fields that nothing takes, counts that its own metadata
//! states, numbers that common readers would round.

use relink_model::{RelationName, Severity};
use relink_records::LabelTarget;

use super::records::{Records, Seen};
use crate::live::Options;
use crate::plan::CheckKind;
use crate::report::{CheckResult, Report, RowCounts, Sample, Status};

pub(super) fn check(records: &Records<'_>, options: &Options, report: &mut Report) {
    missing_relations(records, report);
    unknown_labels(records, report);
    unknown_fields(records, options, report);
    counts(records, report);
    rounded(records, options, report);
}

fn finding(
    id: &str,
    relation: RelationName,
    severity: Severity,
    message: String,
    failed: u64,
    total: u64,
) -> CheckResult {
    CheckResult {
        status: Status::Fail,
        message,
        counts: RowCounts { judged: total, failed, failed_distinct: failed, total, ..RowCounts::default() },
        ..CheckResult::new(id, CheckKind::Complete, relation, severity)
    }
}

/// Relations that are referred to from within the export, and are not in it.
fn missing_relations(records: &Records<'_>, report: &mut Report) {
    let mut absent = Vec::new();
    for (id, relation) in records.catalog.iter().filter(|(id, _)| !records.holds(*id)) {
        let referring: Vec<String> = records
            .catalog
            .referencing(id)
            .filter(|(from, _)| records.holds(*from))
            .map(|(from, key)| key.describe(&records.catalog.relation(from).name))
            .collect();
        if referring.is_empty() {
            absent.push(relation.name.to_string());
            continue;
        }
        let message = format!("{} is not in the export, and {} refers to it", relation.name, referring.join(", "));
        let id = format!("complete:{}", relation.name);
        let mut result = finding(&id, relation.name.clone(), Severity::Warning, message, 0, 0);
        result.help = Some("export it, too; without it these references cannot be judged".to_owned());
        report.checks.push(result);
    }
    if !absent.is_empty() {
        report.not_checked.push(format!("not in the export: {}", absent.join(", ")));
    }
}

/// Labels that no relation takes.
fn unknown_labels(records: &Records<'_>, report: &mut Report) {
    for (label, target) in records.export.index.labels.iter().zip(records.mapping.targets()) {
        let LabelTarget::Unknown { expected, nearest } = target else { continue };
        let of_label = |run: &&relink_export::Run| records.export.index.label(run.label) == label;
        let found: u64 = records.export.index.runs.iter().filter(of_label).map(|run| run.records).sum();
        let hint = relink_model::config::suggestion(nearest.as_deref());
        let message = format!("the schema has no relation {expected} for the records of {label}{hint}");
        let id = format!("complete:{label}");
        let mut result = finding(&id, RelationName::new(expected.as_str()), Severity::Warning, message, found, found);
        result.help =
            Some("say in [table.x] models which table they belong to, or list them in ignore_models".to_owned());
        report.checks.push(result);
    }
}

/// Fields that no column takes.
fn unknown_fields(records: &Records<'_>, options: &Options, report: &mut Report) {
    let noticed = records.noticed();
    for ((label, field), seen) in &noticed.unknown {
        let label = records.export.index.label(*label);
        let relation = match records.mapping.target(seen.label) {
            LabelTarget::Relation(relation) => records.catalog.relation(*relation).name.clone(),
            _ => RelationName::new(label),
        };
        let message = format!("{relation} has no column for the field {field}");
        let id = format!("complete:{relation}.{field}");
        let mut result = finding(&id, relation, Severity::Warning, message, seen.times, seen.times);
        result.help = Some(
            "its values are not judged: name its column in [table.x] fields, or leave it out with \"\"".to_owned(),
        );
        result.samples.extend(place(records, seen, options));
        result.truncated = seen.times > result.samples.len() as u64;
        report.checks.push(result);
    }
}

/// Counts that the export's own metadata states: `{"counts": {"users": 12}}`.
fn counts(records: &Records<'_>, report: &mut Report) {
    for (pointer, raw) in &records.export.index.metadata {
        let Ok(stated) = raw.parse::<u64>() else { continue };
        let segments: Vec<String> =
            pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        let Some((name, above)) = segments.split_last() else { continue };
        let counts = |segment: &String| {
            let segment = segment.to_lowercase();
            ["count", "records", "rows", "total"].iter().any(|word| segment.contains(word))
        };
        if !above.iter().any(counts) {
            continue;
        }
        let Some(label) = records.export.index.labels.iter().find(|label| *label == name) else { continue };
        let of_label = |run: &&relink_export::Run| records.export.index.label(run.label) == label;
        let found: u64 = records.export.index.runs.iter().filter(of_label).map(|run| run.records).sum();
        let id = format!("complete:count:{label}");
        let mut result = CheckResult::new(&id, CheckKind::Complete, RelationName::new(label.as_str()), Severity::Error);
        result.counts = RowCounts { judged: found, total: found, ..RowCounts::default() };
        result.message = format!("the export states {stated} records of {label}, and holds {found}");
        if stated != found {
            result.status = Status::Fail;
            (result.counts.failed, result.counts.failed_distinct) = (stated.abs_diff(found), 1);
            result.help = Some("the export was cut, or changed after it was written".to_owned());
        }
        report.checks.push(result);
    }
}

/// Numbers that are others once they have passed through floating point.
fn rounded(records: &Records<'_>, options: &Options, report: &mut Report) {
    let noticed = records.noticed();
    for ((relation, column), seen) in &noticed.rounds {
        let definition = records.catalog.relation(*relation);
        let column = &definition.columns[*column].name;
        let message = format!("{column} holds numbers that readers of JSON round which keep them as floating point");
        let id = format!("complete:exact:{}.{column}", definition.name);
        let mut result = finding(&id, definition.name.clone(), Severity::Info, message, seen.times, seen.times);
        result.columns = vec![column.clone()];
        result.help = Some("relink reads them exactly; others may not: write them as text".to_owned());
        result.samples.extend(place(records, seen, options));
        result.truncated = seen.times > result.samples.len() as u64;
        report.checks.push(result);
    }
}

/// The first place where something was seen.
fn place(records: &Records<'_>, seen: &Seen, options: &Options) -> Option<Sample> {
    let place = records.export.source.place(seen.ordinal, seen.label, seen.offset, String::new()).ok()?;
    (options.samples_max > 0).then(|| Sample { place: Some(place), ..Sample::default() })
}
