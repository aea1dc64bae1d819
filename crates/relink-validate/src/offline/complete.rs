//! Whether an export is whole: tables that are not in it, labels and fields that nothing takes, counts that its own metadata states, fields that say a
//! thing twice or are no lists, numbers that common readers would round.
//!
//! Most of it shows only when the records have been read. What is found is a check like any other then: chosen, graded and allowed by its id.

use relink_model::config::{Config, ConfigError};
use relink_model::{RelationId, RelationName, Severity};
use relink_records::LabelTarget;

use super::records::{Records, Seen, Trouble};
use crate::live::{Found, Options, begun, finish, not_run};
use crate::plan::test::Test;
use crate::plan::{Check, CheckKind, fits, ids, settings};
use crate::report::{CheckResult, Report, Sample};

/// What stands before the ids of these checks.
pub(super) const PREFIX: &str = "complete:";

/// The check of an export in which nothing of the schema is.
const NOTHING: &str = "complete:export";

/// The check that names the tables that are not in the export, and to which nothing in it refers.
const RELATIONS: &str = "complete:relations";

/// One check, and what it comes to.
struct Finding {
    check: Check,
    found: Found,
    total: u64,
    /// It fails although no row does.
    stated: bool,
}

impl Finding {
    /// One that passes so far.
    fn new(id: String, relation: RelationName, severity: Severity, message: String, total: u64) -> Self {
        let mut check = Check::about(id, CheckKind::Complete, relation, Test::Stated);
        (check.severity, check.message) = (severity, message);
        Self { check, found: Found::default(), total, stated: false }
    }

    fn help(mut self, help: &str) -> Self {
        self.check.help = Some(help.to_owned());
        self
    }

    fn failing(mut self, failed: u64) -> Self {
        (self.found.failed, self.found.failed_distinct) = (failed, failed);
        self
    }

    /// As often as something was seen, with the first place.
    fn seen(self, records: &Records<'_>, seen: &Seen, field: Option<&str>, options: &Options) -> Self {
        let mut finding = self.failing(seen.times);
        let pointer = records.export.source.pointer(seen.label, seen.ordinal, field);
        let place = records.export.source.place(seen.ordinal, seen.label, seen.offset, pointer).ok();
        let sample = place.filter(|_| options.samples_max > 0);
        finding.found.samples.extend(sample.map(|place| Sample { place: Some(place), ..Sample::default() }));
        finding
    }
}

/// Whether a check of this id is asked for.
fn is_chosen(options: &Options, id: &str) -> bool {
    options.chosen.is_empty() || options.chosen.iter().any(|pattern| fits(pattern, id))
}

/// Whether any of these checks may be asked for.
pub(super) fn is_wanted(options: &Options) -> bool {
    let reaches = |pattern: &String| {
        let fixed = pattern.split('*').next().unwrap_or_default();
        PREFIX.starts_with(fixed) || fixed.starts_with(PREFIX)
    };
    options.chosen.is_empty() || options.chosen.iter().any(reaches)
}

/// Of a relation whose records could not be read.
pub(super) fn unread(relation: &RelationName, trouble: &Trouble) -> CheckResult {
    let id = format!("{PREFIX}{relation}");
    let mut result = begun(&Check::about(id, CheckKind::Complete, relation.clone(), Test::Stated));
    not_run(&mut result, &trouble.to_string());
    result
}

pub(super) fn check(
    records: &Records<'_>,
    config: &Config,
    options: &Options,
    report: &mut Report,
) -> Result<(), Vec<ConfigError>> {
    let empty = records.relations() == 0;
    if empty {
        // Whatever was asked for: what holds nothing is no pass.
        let check = Check::about(NOTHING.to_owned(), CheckKind::Complete, RelationName::new(""), Test::Stated);
        let mut result = begun(&check);
        not_run(&mut result, "the export holds no table of the schema: nothing was checked");
        report.checks.push(result);
    }
    let mut findings = Vec::new();
    if !empty {
        missing_relations(records, &mut findings);
    }
    unknown_labels(records, &mut findings);
    counts(records, &mut findings);
    noticed(records, options, &mut findings);
    let (mut checks, outcomes): (Vec<Check>, Vec<_>) =
        findings.into_iter().map(|finding| (finding.check, (finding.found, finding.total, finding.stated))).unzip();
    ids::tell_apart(&mut checks);
    let mut outcomes: Vec<_> = checks.iter().map(|check| check.id.clone()).zip(outcomes).collect();
    // Whoever asks for other checks alone is told all the same why these could not be made.
    let untold = |check: &&Check| check.id == RELATIONS && !is_chosen(options, RELATIONS);
    report.not_checked.extend(checks.iter().find(untold).map(|check| check.message.clone()));
    checks.retain(|check| is_chosen(options, &check.id));
    settings::apply_late(config, &mut checks)?;
    for check in &checks {
        let Some(at) = outcomes.iter().position(|(id, _)| *id == check.id) else { continue };
        let (_, (found, total, stated)) = outcomes.swap_remove(at);
        let mut result = begun(check);
        finish(&mut result, check, found, total, 0, stated);
        report.checks.push(result);
    }
    Ok(())
}

/// Relations of the schema that are not in the export: each to which something in it refers, and the others together.
fn missing_relations(records: &Records<'_>, findings: &mut Vec<Finding>) {
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
        let id = format!("{PREFIX}{}", relation.name);
        let finding = Finding::new(id, relation.name.clone(), Severity::Warning, message, 0)
            .help("export it, too; without it these references cannot be judged");
        findings.push(Finding { stated: true, ..finding });
    }
    if !absent.is_empty() {
        let (failed, total) = (absent.len() as u64, records.catalog.relations.len() as u64);
        let message = format!("not in the export: {}", absent.join(", "));
        let finding = Finding::new(RELATIONS.to_owned(), RelationName::new(""), Severity::Warning, message, total)
            .failing(failed);
        findings.push(finding.help("export them, too, or say in [severity] that they are not meant to be there"));
    }
}

/// Labels that no relation takes.
fn unknown_labels(records: &Records<'_>, findings: &mut Vec<Finding>) {
    for (label, target) in records.export.index.labels.iter().zip(records.mapping.targets()) {
        let LabelTarget::Unknown { expected, nearest } = target else { continue };
        let found = records.count(|other, _| other == label);
        let hint = relink_model::config::suggestion(nearest.as_deref());
        let message = format!("the schema has no relation {expected} for the records of {label}{hint}");
        let id = format!("{PREFIX}{label}");
        let finding = Finding::new(id, RelationName::new(expected.as_str()), Severity::Warning, message, found)
            .failing(found)
            .help("say in [table.x] models which table they belong to, or list them in ignore_models");
        findings.push(Finding { stated: true, ..finding });
    }
}

/// Whether the words of a name say that what stands under it are numbers of records: `counts`, `rowCounts`, `records_per_table`.
fn counts_records(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut joined = false;
    for c in name.chars() {
        let apart = !c.is_alphanumeric();
        if apart || c.is_uppercase() && words.last().is_some_and(|word| !word.ends_with(char::is_uppercase)) {
            joined = false;
        }
        if !apart {
            if !joined {
                words.push(String::new());
                joined = true;
            }
            words.last_mut().expect("one has been begun").push(c);
        }
    }
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let counts = ["count", "counts", "records", "rows", "total", "totals"];
    let beside = ["by", "each", "label", "model", "number", "of", "per", "record", "row", "table", "tables", "the"];
    words.iter().any(|word| counts.contains(&word.as_str()))
        && words.iter().all(|word| counts.contains(&word.as_str()) || beside.contains(&word.as_str()))
}

/// Counts that the export's own metadata states: `{"counts": {"users": 12}}`.
fn counts(records: &Records<'_>, findings: &mut Vec<Finding>) {
    for (pointer, raw) in &records.export.index.metadata {
        let Ok(stated) = raw.parse::<u64>() else { continue };
        let segments: Vec<String> =
            pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        let Some((name, above)) = segments.split_last() else { continue };
        if !above.iter().any(|segment| counts_records(segment)) {
            continue;
        }
        let of_label = records.export.index.labels.contains(name).then(|| records.count(|label, _| label == name));
        // A table that was lost whole has no label: it is known by the schema alone.
        let of_relation = || {
            let id = records.catalog.find(name)?;
            Some(records.count(|_, relation| relation == Some(id)))
        };
        let Some(found) = of_label.or_else(of_relation) else { continue };
        let id = format!("{PREFIX}count:{name}");
        let message = format!("the export states {stated} records of {name}, and holds {found}");
        let finding = Finding::new(id, RelationName::new(name.as_str()), Severity::Error, message, found)
            .failing(stated.abs_diff(found))
            .help("the export was cut, or changed after it was written");
        findings.push(finding);
    }
}

/// What was noticed while the records were read.
fn noticed(records: &Records<'_>, options: &Options, findings: &mut Vec<Finding>) {
    let noticed = records.noticed();
    let name = |relation: RelationId| records.catalog.relation(relation).name.clone();
    for ((relation, field), seen) in &noticed.unknown {
        let relation = name(*relation);
        let message = format!("{relation} has no column for the field {field}");
        let id = format!("{PREFIX}{relation}.{field}");
        let finding = Finding::new(id, relation, Severity::Warning, message, seen.times);
        let help = "its values are not judged: name its column in [table.x] fields, or leave it out with \"\"";
        findings.push(finding.help(help).seen(records, seen, Some(field), options));
    }
    for ((relation, field), seen) in &noticed.no_lists {
        let relation = name(*relation);
        let message = format!("{field} of {relation} holds rows of a join table, and is no list");
        let id = format!("{PREFIX}list:{relation}.{field}");
        let finding = Finding::new(id, relation, Severity::Error, message, seen.times);
        let help = "write a list, empty where there are none: what stands there names no row";
        findings.push(finding.help(help).seen(records, seen, Some(field), options));
    }
    let mut of_column =
        |what: &str, relation: RelationId, column: usize, seen: &Seen, finding: (Severity, String, &str)| {
            let definition = records.catalog.relation(relation);
            let column = definition.columns[column].name.clone();
            let id = format!("{PREFIX}{what}:{}.{column}", definition.name);
            let (severity, message, help) = finding;
            let finding =
                Finding::new(id, definition.name.clone(), severity, format!("{column} {message}"), seen.times);
            let mut finding = finding.help(help).seen(records, seen, None, options);
            finding.check.columns = vec![column];
            findings.push(finding);
        };
    for ((relation, column), seen) in &noticed.twice {
        let message = "is given by several fields of one record: which of them counts cannot be told".to_owned();
        let help = "leave one of them out with [table.x] fields, or write the record once";
        of_column("twice", *relation, *column, seen, (Severity::Error, message, help));
    }
    for ((relation, column), seen) in &noticed.rounds {
        let message = "holds numbers that readers of JSON round which keep them as floating point".to_owned();
        let help = "relink reads them exactly; others may not: write them as text";
        of_column("exact", *relation, *column, seen, (Severity::Info, message, help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_say_what_counts_records() {
        for name in
            ["counts", "count", "rowCounts", "row_counts", "RECORDS", "records per table", "totals", "TotalRows"]
        {
            assert!(counts_records(name), "{name}");
        }
        for name in
            ["accounts", "discounts", "total_amounts", "totalAmounts", "tomorrows", "subtotals", "per table", ""]
        {
            assert!(!counts_records(name), "{name}");
        }
    }
}
