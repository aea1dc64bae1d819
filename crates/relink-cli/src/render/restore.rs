//! A restore report as text for people: what is wrong first, each with its place and what to do; then the rows by table, the way
//! cycles were broken, and what validation found.

use std::fmt::Write as _;

use relink_export::Source;
use relink_model::{Counts, Finding, Severity};
use relink_restore::{FindingGroup, Report, Status};

use crate::{
    diagnostics::{self, Excerpt, Shown},
    render::validation,
};

/// Findings shown of each cause; the JSON report holds more.
const SHOWN_MAX: usize = 5;

/// Renders the report; `source` gives the lines around each place.
pub(crate) fn render(
    report: &Report,
    validated: Option<&relink_validate::Report>,
    stood_before: &[String],
    source: &Source,
    colour: bool,
) -> String {
    let mut text = String::new();
    for group in &report.findings {
        group_text(&mut text, group, source, colour);
    }
    if !report.relations.is_empty() {
        rows(&mut text, report);
    }
    if report.status != Status::Refused {
        plan(&mut text, report);
    }
    if let Some(validated) = validated {
        text.push_str(&validation::render(validated, colour));
    }
    if !stood_before.is_empty() {
        let _ = writeln!(text, "not this restore's doing, it stood there before: {}", stood_before.join(", "));
    }
    verdict(&mut text, report, stood_before.is_empty());
    text
}

fn group_text(text: &mut String, group: &FindingGroup, source: &Source, colour: bool) {
    for finding in group.findings.iter().take(SHOWN_MAX) {
        text.push_str(&diagnostics::render(&shown(finding, source), colour));
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

fn shown(finding: &Finding, source: &Source) -> Shown {
    let relation = finding.relation.as_ref().map(|relation| format!("{relation}: ")).unwrap_or_default();
    let message = match &finding.place {
        Some(place) => format!("{place}: {relation}{}", finding.message),
        None => format!("{relation}{}", finding.message),
    };
    let mut help = finding.help.clone();
    if let Some(other) = &finding.other_place {
        let first = format!("the other one stands at {other}");
        help = Some(help.map_or_else(|| first.clone(), |help| format!("{first}\n{help}")));
    }
    Shown {
        message,
        code: Some(finding.code.to_string()),
        help,
        excerpt: finding.place.as_ref().and_then(|place| Excerpt::of(source, place)),
        warning: finding.severity != Severity::Error,
    }
}

/// Reads one outcome's count.
type Outcome = fn(&Counts) -> u64;

/// The accounting: a line for each table, only the outcomes that occurred.
fn rows(text: &mut String, report: &Report) {
    let columns: Vec<(&str, Outcome)> = [
        ("read", (|counts| counts.read) as Outcome),
        ("inserted", |counts| counts.inserted),
        ("updated", |counts| counts.updated),
        ("unchanged", |counts| counts.unchanged),
        ("skipped", |counts| counts.skipped),
        ("rejected", |counts| counts.rejected),
    ]
    .into_iter()
    .filter(|(name, value)| matches!(*name, "read" | "inserted") || value(&report.totals) > 0)
    .collect();
    let width = report.relations.iter().map(|row| row.relation.to_string().chars().count()).max().unwrap_or(0).max(5);
    let mut line = |name: &str, counts: Option<&Counts>| {
        let _ = write!(text, "{name:width$}");
        for (column, value) in &columns {
            let _ = match counts {
                Some(counts) => write!(text, "  {:>9}", value(counts)),
                None => write!(text, "  {column:>9}"),
            };
        }
        text.push('\n');
    };
    line("table", None);
    for row in &report.relations {
        line(&row.relation.to_string(), Some(&row.counts));
    }
    line("total", Some(&report.totals));
    text.push('\n');
}

/// Cycles, the rungs below the usual one, and what was left out.
fn plan(text: &mut String, report: &Report) {
    let before = text.len();
    for step in &report.plan.steps {
        if let Some(cycle) = &step.cycle {
            let names: Vec<String> = step.relations.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "cycle {}: {}", names.join(", "), cycle.explanation);
        }
    }
    for row in &report.relations {
        if row.rungs.row > 0 {
            let _ = writeln!(text, "{}: {} rows were inserted in smaller batches", row.relation, row.rungs.row);
        }
        if row.patched > 0 {
            let _ = writeln!(text, "{}: {} references were set after loading", row.relation, row.patched);
        }
    }
    for ignored in &report.ignored {
        let _ = writeln!(text, "left out by configuration: {} ({} records)", ignored.label, ignored.records);
    }
    if let Some(schema) = &report.schema {
        let _ = writeln!(text, "schema: {schema}");
    }
    if text.len() > before {
        text.push('\n');
    }
}

fn verdict(text: &mut String, report: &Report, all_sound: bool) {
    let name = &report.export.name;
    let server = format!("{} {}", report.server.product, report.server.version);
    let totals = &report.totals;
    let _ = match (report.status, report.dry_run) {
        (Status::Refused, _) => {
            let errors = report.findings.iter().filter(|group| group.severity == Severity::Error);
            let causes = counted(errors.clone().count() as u64, "kind");
            let problems = counted(errors.map(|group| group.count).sum(), "problem");
            writeln!(text, "{name} was not restored: {problems} of {causes}. Nothing was changed.")
        }
        (Status::Invalid, _) => {
            writeln!(
                text,
                "{name} was not restored: the validation found errors, so all was rolled back. Nothing was changed."
            )
        }
        (Status::Restored, true) => writeln!(
            text,
            "dry run: {} of {} would be restored into {server}. Nothing was changed.",
            totals.inserted,
            counted(totals.read, "row")
        ),
        (Status::Restored, false) => writeln!(
            text,
            "{name}: {} of {} restored into {server}, {} skipped; {}.",
            totals.inserted,
            counted(totals.read, "row"),
            totals.skipped,
            if all_sound { "every foreign key holds" } else { "what was restored holds" }
        ),
    };
}

/// `1 row`, `2 rows`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
