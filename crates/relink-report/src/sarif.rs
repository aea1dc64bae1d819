//! SARIF 2.1.0 (OASIS): what code scanning takes.
//!
//! Every check is a rule, also one that found nothing: an alert closes only where its rule was run. A check that failed is one result, whose place is
//! where its rule stands, else the first failing row's place in the export; the rows are related locations. What is allowed is a result with a suppression,
//! since a viewer that is not told would call it fixed.

use relink_model::Severity;
use relink_validate::{BaselineState, CheckResult, Report, Status};
use serde_json::{Map, Value, json};

use crate::{
    Options,
    location::{self, Location},
    rows, visible, words,
};

/// The schema, as SARIF names it.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Failing rows of a result that are listed with their places, at most.
const ROWS_MAX: usize = 20;

/// Characters of a value in their description at most.
const CELL_CHARS_MAX: usize = 80;

/// What a path that is no URI of its own is relative to. The name is the one that viewers know.
const ROOT: &str = "%SRCROOT%";

/// Renders the report as one run.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    // With a baseline every result says how it stands to it.
    let with_baseline = report.checks.iter().any(|check| check.baseline.is_some());
    let results: Vec<Value> = report
        .checks
        .iter()
        .enumerate()
        .filter(|(_, check)| match check.status {
            Status::Fail | Status::Allowed => true,
            Status::Pass => check.baseline == Some(BaselineState::Absent),
            Status::Error => false,
        })
        .map(|(index, check)| result(report, check, index, options, with_baseline))
        .collect();
    crate::pretty(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": visible::line(&report.run.tool),
                "version": visible::line(&report.run.tool_version),
                "rules": rules(report),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation(report)],
            "results": results,
            "properties": {
                "target": words::target(report),
                "now": visible::line(&report.run.now),
                "relations": report.run.relations,
                "rows": report.run.rows,
                "checked": words::checked(report),
            },
        }],
    }))
}

fn rules(report: &Report) -> Vec<Value> {
    let rule = |(index, check): (usize, &CheckResult)| {
        let kind = words::kind(check.kind);
        let mut rule = json!({
            "id": words::id(check),
            "name": kind,
            "shortDescription": { "text": words::message(check) },
            "defaultConfiguration": { "level": level(check.severity) },
            // Two rules may not be equal; the index is what a hand-made report with one id twice differs by.
            "properties": { "tags": [kind], "relation": visible::line(&check.relation.to_string()), "index": index },
        });
        let help: Vec<String> =
            [&check.why, &check.help].into_iter().flatten().map(|text| visible::line(text)).collect();
        if !help.is_empty() {
            rule["help"] = json!({ "text": help.join("\n") });
        }
        if let Some(owner) = &check.owner {
            rule["properties"]["owner"] = json!(visible::line(owner));
        }
        rule
    };
    report.checks.iter().enumerate().map(rule).collect()
}

fn result(report: &Report, check: &CheckResult, index: usize, options: &Options, with_baseline: bool) -> Value {
    let place = location::of_or_else(check, report, options);
    let fails = check.status != Status::Pass;
    let mut result = json!({
        "ruleId": words::id(check),
        "ruleIndex": index,
        "kind": if fails { "fail" } else { "pass" },
        "level": if fails { level(check.severity) } else { "none" },
        "message": { "text": message(check) },
        "locations": [{ "physicalLocation": physical(&place), "logicalLocations": logical(check) }],
        "partialFingerprints": { "relinkCheck/v1": words::sentence(&check.fingerprint) },
    });
    if check.counts.failed > 0 {
        // Viewers read this into 32 bits.
        result["occurrenceCount"] = json!(check.counts.failed.min(i32::MAX as u64));
    }
    let related = related(check);
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    if check.status == Status::Allowed {
        result["suppressions"] = json!(suppressions(check));
    }
    if with_baseline {
        result["baselineState"] = json!(match check.baseline {
            Some(BaselineState::New) | None => "new",
            Some(BaselineState::Unchanged) => "unchanged",
            Some(BaselineState::Fewer) => "updated",
            Some(BaselineState::Absent) => "absent",
        });
    }
    result["properties"] = properties(report, check);
    result
}

fn message(check: &CheckResult) -> String {
    let counts = words::counts(check);
    let told = words::told(check);
    match (check.status, counts.is_empty()) {
        (Status::Pass, _) => format!("{}: nothing found any more", words::id(check)),
        (_, true) => format!("{}: {told}", words::id(check)),
        (_, false) => format!("{}: {counts}: {told}", words::id(check)),
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn physical(place: &Location) -> Value {
    let mut region = json!({ "startLine": place.line.min(i32::MAX as u64) });
    if let Some(column) = place.column {
        region["startColumn"] = json!(column.min(i32::MAX as u64));
    }
    let mut artifact = json!({ "uri": place.uri() });
    if place.is_relative() {
        artifact["uriBaseId"] = json!(ROOT);
    }
    json!({ "artifactLocation": artifact, "region": region })
}

/// The table, or its columns.
fn logical(check: &CheckResult) -> Vec<Value> {
    let relation = visible::line(&check.relation.to_string());
    if check.columns.is_empty() {
        return vec![json!({ "name": relation, "fullyQualifiedName": relation, "kind": "table" })];
    }
    let mut columns: Vec<String> = check.columns.iter().map(|column| visible::line(column)).collect();
    let mut seen = std::collections::HashSet::new();
    columns.retain(|column| seen.insert(column.clone()));
    let column =
        |name: &String| json!({ "name": name, "fullyQualifiedName": format!("{relation}.{name}"), "kind": "column" });
    columns.iter().map(column).collect()
}

/// Failing rows of an export with their places.
fn related(check: &CheckResult) -> Vec<Value> {
    let table = rows::of(check, ROWS_MAX, CELL_CHARS_MAX);
    let columns = table.header.len() - usize::from(table.placed);
    let described = |cells: &[String]| {
        table
            .header
            .iter()
            .zip(cells)
            .take(columns)
            .map(|(name, cell)| format!("{name} {cell}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let placed = check.samples.iter().zip(&table.lines).enumerate();
    placed
        .filter_map(|(index, (sample, cells))| {
            let place = sample.place.as_ref()?;
            Some(json!({
                "id": index + 1,
                "physicalLocation": physical(&location::of_place(place)),
                "logicalLocations": [{ "fullyQualifiedName": visible::line(&place.pointer), "kind": "member" }],
                "message": { "text": words::sentence(&described(cells)) },
            }))
        })
        .collect()
}

fn suppressions(check: &CheckResult) -> Vec<Value> {
    let mut suppressions: Vec<Value> = check
        .allowances
        .iter()
        .map(|allowance| {
            json!({
                "kind": "external",
                "status": "accepted",
                "justification": visible::line(&allowance.why),
                "properties": {
                    "until": allowance.until.as_deref().map(visible::line),
                    "daysLeft": allowance.days_left,
                    "rows": allowance.rows,
                },
            })
        })
        .collect();
    if suppressions.is_empty() {
        let why = words::why_allowed(check);
        suppressions.push(json!({ "kind": "external", "status": "accepted", "justification": why }));
    }
    // No two may be equal.
    let mut seen: Vec<Value> = Vec::new();
    suppressions.retain(|one| {
        !seen.contains(one) && {
            seen.push(one.clone());
            true
        }
    });
    suppressions
}

/// What SARIF has no name for: counts, details and SQL in the words of the text report.
fn properties(report: &Report, check: &CheckResult) -> Value {
    let counts = check.counts;
    let mut properties = Map::new();
    properties.insert(
        "counts".to_owned(),
        json!({
            "judged": counts.judged, "notJudged": counts.not_judged, "failed": counts.failed,
            "failedDistinct": counts.failed_distinct, "allowed": counts.allowed, "total": counts.total,
        }),
    );
    let details: Vec<String> =
        words::details(report, check).into_iter().map(|(word, text)| format!("{word}: {text}")).collect();
    properties.insert("details".to_owned(), json!(details));
    if let Some(keys) = rows::keys(check, ROWS_MAX, CELL_CHARS_MAX) {
        properties.insert("keys".to_owned(), json!(keys));
    }
    if let Some(difference) = &check.difference {
        properties.insert("difference".to_owned(), json!(visible::line(difference)));
    }
    if let Some(sql) = &check.sql {
        properties.insert("sql".to_owned(), json!(visible::block(sql)));
    }
    Value::Object(properties)
}

/// The run: it did not succeed where a check could not be run, which SARIF says apart from what was found.
fn invocation(report: &Report) -> Value {
    let mut invocation =
        json!({ "executionSuccessful": report.checks.iter().all(|check| check.status != Status::Error) });
    if report.run.started.parse::<jiff::Timestamp>().is_ok() && report.run.started.ends_with('Z') {
        invocation["startTimeUtc"] = json!(report.run.started);
    }
    let not_run = report.checks.iter().enumerate().filter(|(_, check)| check.status == Status::Error);
    let mut execution: Vec<Value> = not_run
        .map(|(index, check)| {
            let why = words::why_not_run(check);
            json!({
                "level": "error",
                "message": { "text": format!("{} could not be run: {why}", words::id(check)) },
                "associatedRule": { "id": words::id(check), "index": index },
            })
        })
        .collect();
    execution.extend(report.not_checked.iter().map(
        |what| json!({ "level": "warning", "message": { "text": format!("not checked: {}", visible::line(what)) } }),
    ));
    invocation["toolExecutionNotifications"] = json!(execution);
    let warnings: Vec<Value> = report
        .warnings
        .iter()
        .map(|warning| json!({ "level": "warning", "message": { "text": words::sentence(warning) } }))
        .collect();
    invocation["toolConfigurationNotifications"] = json!(warnings);
    invocation
}
