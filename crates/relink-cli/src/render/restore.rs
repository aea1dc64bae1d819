//! A restore report as text for people: how the export and the schema differ, then what is wrong, each with its place and what to do; then
//! the rows by table, the way cycles were broken, what was rejected, and what validation found.

use std::fmt::Write as _;

use bytesize::ByteSize;
use relink_export::Source;
use relink_model::{Counts, Finding, Ids, Severity, Verify};
use relink_restore::{
    Drift, DriftItem, FindingGroup, Handling, LeftOutBy, RelationReport, Report, Rungs, Status, Verification,
};

use crate::{
    diagnostics::{self, Excerpt, Shown},
    rejects::Rejects,
    render::rejects,
};

/// Findings shown of each cause; the JSON report holds more.
const SHOWN_MAX: usize = 5;

/// Errors, and warnings, of drift that are shown; the JSON report holds more.
const DRIFT_ITEMS_MAX: usize = 20;
/// Harmless differences that are shown.
const DRIFT_INFOS_MAX: usize = 5;

/// What is to be rendered.
pub(crate) struct Facts<'a> {
    /// What the engine did.
    pub(crate) report: &'a Report,
    /// What the validation found.
    pub(crate) validation: Option<&'a relink_validate::Report>,
    /// `--skip-validation`.
    pub(crate) validation_skipped: bool,
    /// Checks that failed before, too.
    pub(crate) stood_before: &'a [String],
    /// What was rejected.
    pub(crate) rejects: Option<&'a Rejects>,
    /// The command that restores it once it is mended.
    pub(crate) again: &'a str,
    /// Tables that the configuration itself has cleared by every restore.
    pub(crate) clearing: &'a [String],
}

/// Renders the report; `source` gives the lines around each place.
pub(crate) fn render(facts: &Facts<'_>, source: &Source, colour: bool) -> String {
    let Facts { report, validation, stood_before, .. } = *facts;
    let mut text = String::new();
    drift(&mut text, &report.drift);
    for group in &report.findings {
        group_text(&mut text, group, source, colour);
    }
    if !report.relations.is_empty() {
        rows(&mut text, report);
    }
    if report.status != Status::Refused {
        plan(&mut text, report);
    }
    if let Some(rejected) = facts.rejects {
        text.push_str(&rejects::render(rejected, report, facts.again, facts.clearing));
        text.push('\n');
    }
    if let Some(validated) = validation {
        let options = relink_report::Options { colour, ..relink_report::Options::default() };
        text.push_str(&relink_report::render(validated, relink_report::Format::Text, &options));
    }
    if !stood_before.is_empty() {
        let _ = writeln!(text, "not this restore's doing, it stood there before: {}", stood_before.join(", "));
    }
    verdict(&mut text, facts);
    text
}

/// The differences, the gravest first; of those that do no harm only a few.
fn drift(text: &mut String, drift: &Drift) {
    if drift.items.is_empty() {
        return;
    }
    text.push_str("drift: the export and the schema differ\n");
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let items = drift.items.iter().filter(|item| item.severity == severity);
        let shown_max = if severity == Severity::Info { DRIFT_INFOS_MAX } else { DRIFT_ITEMS_MAX };
        for item in items.clone().take(shown_max) {
            drift_item(text, item);
        }
        let more = items.count().saturating_sub(shown_max);
        if more > 0 {
            let _ = writeln!(text, "  {:7} ... and {more} more (--format json lists more)", severity.to_string());
        }
    }
    if drift.unlisted > 0 {
        let _ = writeln!(text, "  ... and {} that are not listed", drift.unlisted);
    }
    text.push('\n');
}

fn drift_item(text: &mut String, item: &DriftItem) {
    let subject = item.relation.as_ref().map_or_else(|| item.label.clone(), ToString::to_string);
    let records = if item.records == item.of {
        format!("all {}", counted(item.records, "record"))
    } else {
        format!("{} of {}", item.records, counted(item.of, "record"))
    };
    let place = item.place.as_ref().map(|place| format!(", first at {place}")).unwrap_or_default();
    let severity = item.severity.to_string();
    let _ = writeln!(text, "  {severity:7} {subject}: {} ({records}{place})", item.message);
    for missing in item.labels.iter().take(SHOWN_MAX) {
        let nearest = missing.nearest.as_ref().map(|label| format!("; the nearest label is {label:?}"));
        let (label, records) = (&missing.label, counted(missing.records, "record"));
        let _ = writeln!(text, "            {label:?} in {records}{}", nearest.unwrap_or_default());
    }
    if let Some(suggestion) = &item.suggestion {
        let _ = writeln!(text, "          perhaps: {}", suggestion.line);
    }
}

pub(crate) fn group_text(text: &mut String, group: &FindingGroup, source: &Source, colour: bool) {
    for finding in group.findings.iter().take(SHOWN_MAX) {
        text.push_str(&diagnostics::render(&shown(finding, group.handling, source), colour));
    }
    let more = group.count.saturating_sub(SHOWN_MAX as u64);
    if more > 0 {
        let place = match (&group.relation, &group.field) {
            (Some(relation), Some(field)) => format!(" in {relation}.{field}"),
            (Some(relation), None) => format!(" in {relation}"),
            _ => String::new(),
        };
        let _ = writeln!(text, "  ... and {more} more of {}{place} (--format json lists more)\n", group.code);
    }
}

fn shown(finding: &Finding, handling: Handling, source: &Source) -> Shown {
    let relation = finding.relation.as_ref().map(|relation| format!("{relation}: ")).unwrap_or_default();
    let message = match &finding.place {
        Some(place) => format!("{place}: {relation}{}", finding.message),
        None => format!("{relation}{}", finding.message),
    };
    let mut help = finding.help.clone();
    if let Some(other) = &finding.other_place {
        let which =
            if finding.code == relink_restore::code::FOLLOWS_REJECTED { "that record" } else { "the other one" };
        let first = format!("{which} stands at {other}");
        help = Some(help.map_or_else(|| first.clone(), |help| format!("{first}\n{help}")));
    }
    let code = match handling {
        Handling::Stops | Handling::Notes => finding.code.to_string(),
        Handling::Rejects => format!("{} (the record is rejected)", finding.code),
        Handling::Nulls => format!("{} (the reference is left out)", finding.code),
    };
    Shown {
        message,
        code: Some(code),
        help,
        excerpt: finding.place.as_ref().and_then(|place| Excerpt::of(source, place)),
        warning: handling != Handling::Stops,
    }
}

/// Reads one outcome's count of a table.
type Outcome = fn(&Counts, u64) -> u64;

/// The accounting: a line for each table, only the outcomes that occurred.
fn rows(text: &mut String, report: &Report) {
    let deleted = deleted(report);
    let columns: Vec<(&str, Outcome)> = [
        ("read", (|counts, _| counts.read) as Outcome),
        ("inserted", |counts, _| counts.inserted),
        ("updated", |counts, _| counts.updated),
        ("unchanged", |counts, _| counts.unchanged),
        ("skipped", |counts, _| counts.skipped),
        ("rejected", |counts, _| counts.rejected),
        ("deleted", |_, deleted| deleted),
    ]
    .into_iter()
    .filter(|(name, value)| matches!(*name, "read" | "inserted") || value(&report.totals, deleted) > 0)
    .collect();
    let width = report.relations.iter().map(|row| row.relation.to_string().chars().count()).max().unwrap_or(0).max(5);
    let mut line = |name: &str, counts: Option<(&Counts, u64)>| {
        let _ = write!(text, "{name:width$}");
        for (column, value) in &columns {
            let _ = match counts {
                Some((counts, deleted)) => write!(text, "  {:>9}", value(counts, deleted)),
                None => write!(text, "  {column:>9}"),
            };
        }
        text.push('\n');
    };
    line("table", None);
    for row in &report.relations {
        line(&row.relation.to_string(), Some((&row.counts, row.deleted)));
    }
    line("total", Some((&report.totals, deleted)));
    text.push('\n');
}

fn deleted(report: &Report) -> u64 {
    report.relations.iter().map(|row| row.deleted).sum()
}

/// Ids that are not the export's, cycles, the rungs of the ladder, what was left out, what was read back, and the caches.
fn plan(text: &mut String, report: &Report) {
    let before = text.len();
    text.push_str(match report.ids {
        Ids::Keep => "",
        Ids::Remap => "ids: the export's, or new ones where other rows have them; references follow\n",
        Ids::New => "ids: new ones; references follow\n",
    });
    for step in &report.plan.steps {
        if let Some(cycle) = &step.cycle {
            let names: Vec<String> = step.relations.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "cycle {}: {}", names.join(", "), cycle.explanation);
        }
        for note in &step.notes {
            let _ = writeln!(text, "{note}");
        }
    }
    rungs(text, &report.relations);
    for row in &report.relations {
        if row.patched > 0 {
            let _ = writeln!(text, "{}: {} references were set after loading", row.relation, row.patched);
        }
    }
    for ignored in &report.ignored {
        let why = match ignored.by {
            LeftOutBy::Configuration => "by configuration",
            LeftOutBy::Selection => "by --only, --exclude or --where",
            LeftOutBy::Drift => "for want of a table",
        };
        let _ = writeln!(text, "left out {why}: {} ({})", ignored.label, counted(ignored.records, "record"));
    }
    for transformed in &report.drift.transformed {
        let (relation, column) = (&transformed.relation, &transformed.column);
        let values = counted(transformed.values, "value");
        let _ = writeln!(text, "{relation}.{column}: {values} by `{}` of the configuration", transformed.by);
    }
    if let Some(verification) = &report.verification {
        read_back(text, verification);
    }
    if report.connections > 1 {
        let _ = writeln!(text, "loaded side by side over {} connections", report.connections);
    }
    if let Some(budget) = report.memory.budget {
        let [budget, spilled] = [budget, report.memory.spilled_bytes].map(|bytes| ByteSize(bytes).display().iec());
        let _ = writeln!(text, "memory: {budget} for the caches, {spilled} spilled to a temporary file");
    }
    if let Some(schema) = &report.schema {
        let _ = writeln!(text, "schema: {schema}");
    }
    if text.len() > before {
        text.push('\n');
    }
}

/// How rows went in, where they did not all go in the same way: in all, and the tables of which some had to go alone.
fn rungs(text: &mut String, relations: &[RelationReport]) {
    let by_rung = |rungs: &Rungs| {
        [
            (rungs.bulk, "through the bulk path"),
            (rungs.insert, "in statements of many rows"),
            (rungs.row, "in parts of batches that had failed, or alone"),
            (rungs.raw, "as literal SQL"),
        ]
    };
    let described = |rungs: &Rungs| {
        let parts = by_rung(rungs).into_iter().filter(|(rows, _)| *rows > 0);
        parts.map(|(rows, how)| format!("{} {how}", counted(rows, "row"))).collect::<Vec<_>>().join(", ")
    };
    let mut total = Rungs::default();
    for Rungs { bulk, insert, row, raw } in relations.iter().map(|row| row.rungs) {
        total = Rungs {
            bulk: total.bulk + bulk,
            insert: total.insert + insert,
            row: total.row + row,
            raw: total.raw + raw,
        };
    }
    if by_rung(&total).iter().filter(|(rows, _)| *rows > 0).count() < 2 {
        return;
    }
    let _ = writeln!(text, "inserted: {}", described(&total));
    for row in relations.iter().filter(|row| row.rungs.row + row.rungs.raw > 0) {
        let _ = writeln!(text, "  {}: {}", row.relation, described(&row.rungs));
    }
}

/// What was read back after loading, and what of it is not as it was written.
fn read_back(text: &mut String, verification: &Verification) {
    let sum = |value: fn(&relink_restore::RelationVerification) -> u64| verification.relations.iter().map(value).sum();
    let [rows, values, references]: [u64; 3] =
        [sum(|table| table.rows), sum(|table| table.values), sum(|table| table.references)];
    let [missing, different]: [u64; 2] = [sum(|table| table.missing), sum(|table| table.different)];
    if rows + references == 0 {
        return;
    }
    let depth = match verification.mode {
        Verify::References => "references",
        Verify::Full => "full",
    };
    let found = if missing + different == 0 {
        "all as written".to_owned()
    } else {
        format!("{} not there, {} differ", counted(missing, "row"), counted(different, "value"))
    };
    let _ = writeln!(
        text,
        "verified ({depth}): {} with {} read back, {} by natural key looked up again: {found}",
        counted(rows, "row"),
        counted(values, "value"),
        counted(references, "reference"),
    );
}

fn verdict(text: &mut String, facts: &Facts<'_>) {
    let report = facts.report;
    let name = &report.export.name;
    let allowed = facts.validation.is_some_and(|report| report.summary.allowed > 0);
    let holds = match () {
        () if facts.validation_skipped => "not validated (--skip-validation)",
        () if allowed => "what is wrong with it is allowed",
        () if facts.stood_before.is_empty() => "every foreign key holds",
        () => "what was restored holds",
    };
    let _ = match (report.status, report.dry_run) {
        (Status::Refused, _) => {
            writeln!(text, "{name} was not restored: {}. Nothing was changed.", problems(report))
        }
        (Status::Invalid, _) => {
            writeln!(
                text,
                "{name} was not restored: the validation found errors, so all was rolled back. Nothing was changed."
            )
        }
        (Status::Stopped, _) => {
            let why = if facts.validation.is_some() {
                "the validation found errors, so what came after the last commit was rolled back".to_owned()
            } else {
                problems(report)
            };
            writeln!(
                text,
                "{name} was restored in part: {why}. What was committed stays, and --resume goes on from there."
            )
        }
        (Status::Restored, true) => {
            writeln!(text, "dry run: {}; {holds}. Nothing was changed.", inserted(report, "would be inserted"))
        }
        (Status::Restored, false) => writeln!(text, "{name}: {}; {holds}.", inserted(report, "inserted")),
    };
}

/// `3 problems of 2 kinds`: those that stop the restore.
fn problems(report: &Report) -> String {
    let stops = report.findings.iter().filter(|group| group.handling == Handling::Stops);
    let causes = counted(stops.clone().count() as u64, "kind");
    format!("{} of {causes}", counted(stops.map(|group| group.count).sum(), "problem"))
}

/// `3 of 4 rows inserted into SQLite 3.51.3, 1 updated`.
fn inserted(report: &Report, done: &str) -> String {
    let Counts { read, inserted, updated, unchanged, skipped, rejected } = report.totals;
    let server = &report.server;
    let mut text = format!("{inserted} of {} {done} into {} {}", counted(read, "row"), server.product, server.version);
    let others = [
        (updated, "updated"),
        (unchanged, "unchanged"),
        (skipped, "skipped"),
        (rejected, "rejected"),
        (deleted(report), "deleted"),
    ];
    for (rows, outcome) in others.iter().filter(|(rows, _)| *rows > 0) {
        let _ = write!(text, ", {rows} {outcome}");
    }
    text
}

/// `1 row`, `2 rows`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use relink_model::RelationName;
    use relink_restore::{Basis, DriftKind, RelationVerification, RemovedLabel, Suggestion};

    use super::*;

    fn item(severity: Severity, column: &str) -> DriftItem {
        DriftItem {
            kind: DriftKind::MissingColumn,
            severity,
            label: "shop.order".to_owned(),
            relation: Some(RelationName::new("orders")),
            field: None,
            column: Some(column.to_owned()),
            records: 2,
            of: 3,
            place: None,
            message: format!("something about {column}"),
            labels: Vec::new(),
            suggestion: None,
        }
    }

    #[test]
    fn drift_is_shown_with_counts_labels_and_suggestions_and_harmless_items_are_few() {
        let mut items = vec![DriftItem {
            records: 3,
            labels: vec![RemovedLabel { label: "old".to_owned(), records: 1, nearest: Some("sold".to_owned()) }],
            suggestion: Some(Suggestion { line: "[table.orders] ...".to_owned(), basis: Basis::Name }),
            ..item(Severity::Error, "state")
        }];
        items.extend((0..=DRIFT_INFOS_MAX).map(|at| item(Severity::Info, &format!("c{at}"))));
        let mut text = String::new();
        drift(&mut text, &Drift { items, unlisted: 4, transformed: Vec::new() });
        let expected = "drift: the export and the schema differ
  error   orders: something about state (all 3 records)
            \"old\" in 1 record; the nearest label is \"sold\"
          perhaps: [table.orders] ...
  info    orders: something about c0 (2 of 3 records)
  info    orders: something about c1 (2 of 3 records)
  info    orders: something about c2 (2 of 3 records)
  info    orders: something about c3 (2 of 3 records)
  info    orders: something about c4 (2 of 3 records)
  info    ... and 1 more (--format json lists more)
  ... and 4 that are not listed

";
        assert_eq!(text, expected);
        let mut nothing = String::new();
        drift(&mut nothing, &Drift::default());
        assert_eq!(nothing, "");
    }

    fn relation(name: &str, rungs: Rungs) -> RelationReport {
        RelationReport {
            relation: RelationName::new(name),
            counts: Counts::default(),
            rungs,
            patched: 0,
            deleted: 0,
            next_number: None,
        }
    }

    #[test]
    fn rungs_are_told_only_where_rows_went_in_by_several() {
        let shown = |relations: &[RelationReport]| {
            let mut text = String::new();
            rungs(&mut text, relations);
            text
        };
        let bulk = |rows| Rungs { bulk: rows, ..Rungs::default() };
        assert_eq!(shown(&[relation("a", bulk(7)), relation("b", bulk(1))]), "");
        let mixed = [
            relation("a", bulk(7)),
            relation("b", Rungs { bulk: 0, insert: 5, row: 1, raw: 2 }),
            relation("c", Rungs { insert: 3, ..Rungs::default() }),
        ];
        let expected = "inserted: 7 rows through the bulk path, 8 rows in statements of many rows, \
                        1 row in parts of batches that had failed, or alone, 2 rows as literal SQL
  b: 5 rows in statements of many rows, 1 row in parts of batches that had failed, or alone, 2 rows as literal SQL
";
        assert_eq!(shown(&mixed), expected);
    }

    #[test]
    fn what_was_read_back_is_told_with_what_differs() {
        let shown = |missing, different| {
            let table = RelationVerification {
                relation: RelationName::new("a"),
                rows: 3,
                missing,
                values: 9,
                different,
                references: 1,
            };
            let mut text = String::new();
            read_back(&mut text, &Verification { mode: Verify::Full, relations: vec![table.clone(), table] });
            text
        };
        let fixed = "verified (full): 6 rows with 18 values read back, 2 references by natural key looked up again: ";
        assert_eq!(shown(0, 0), format!("{fixed}all as written\n"));
        assert_eq!(shown(0, 1), format!("{fixed}0 rows not there, 2 values differ\n"));
        let mut nothing = String::new();
        read_back(&mut nothing, &Verification { mode: Verify::References, relations: Vec::new() });
        assert_eq!(nothing, "");
    }
}
