//! GitLab's code quality report: a list of issues, which a merge request shows where they are new or gone.
//!
//! GitLab tells issues apart by their fingerprint: two of one fingerprint hide one another, and one that holds a count is new whenever the count changes.

use std::collections::HashMap;

use relink_model::Severity;
use relink_validate::{Report, Status};
use serde_json::{Value, json};

use crate::{Options, location, words};

/// Renders one issue for each check that failed or could not be run. What is allowed is no issue.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let mut fingerprints = HashMap::new();
    let issues: Vec<Value> = words::not_passed(report)
        .into_iter()
        .filter(|check| check.status != Status::Allowed)
        .map(|check| {
            let counts = words::counts(check);
            let gap = if counts.is_empty() { "" } else { " " };
            let subject = format!("{}{gap}{counts}", words::id(check));
            let told = match check.status {
                Status::Error => format!("could not be run: {}", words::why_not_run(check)),
                _ => words::told(check),
            };
            let print = words::sentence(&check.fingerprint);
            let seen = fingerprints.entry(print.clone()).or_insert(0_u64);
            *seen += 1;
            let fingerprint = if *seen == 1 { print } else { format!("{print}#{seen}") };
            let place = location::of_or_else(check, report, options);
            json!({
                "description": format!("{subject}: {told}"),
                "check_name": words::id(check),
                "fingerprint": fingerprint,
                "severity": severity(check.status, check.severity),
                "location": { "path": place.file, "lines": { "begin": place.line } },
            })
        })
        .collect();
    crate::pretty(&issues)
}

/// In GitLab's words. A check that could not be run says nothing about the data, but somebody has to look.
fn severity(status: Status, severity: Severity) -> &'static str {
    match (status, severity) {
        (Status::Error, _) => "major",
        (_, Severity::Error) => "critical",
        (_, Severity::Warning) => "minor",
        (_, Severity::Info) => "info",
    }
}
