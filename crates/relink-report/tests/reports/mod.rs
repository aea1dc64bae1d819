//! Reports for the tests.

use relink_model::Place;
use relink_validate::{Allowance, Occurred, Report, RulePlace, Target, Threshold};

/// A report with everything in it: the one that the judges use, too.
pub(crate) fn shop() -> Report {
    serde_json::from_str(include_str!("../../../../testdata/reports/shop.json")).expect("a report")
}

/// The run of the week before.
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) fn earlier() -> Report {
    serde_json::from_str(include_str!("../../../../testdata/reports/shop-earlier.json")).expect("a report")
}

/// Nothing found.
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) fn clean() -> Report {
    serde_json::from_str(include_str!("../../../../testdata/reports/clean.json")).expect("a report")
}

/// The report with every text in it replaced.
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) fn with_texts(mut report: Report, next: &mut dyn FnMut() -> String) -> Report {
    let run = &mut report.run;
    run.target = match &run.target {
        Target::Export { records, .. } => {
            Target::Export { name: next(), format: next(), records: *records, schema: next() }
        }
        target @ Target::Database(_) => target.clone(),
    };
    for text in [&mut run.tool, &mut run.tool_version, &mut run.started, &mut run.now] {
        *text = next();
    }
    for text in report.warnings.iter_mut().chain(&mut report.not_checked) {
        *text = next();
    }
    for check in &mut report.checks {
        for text in [&mut check.id, &mut check.fingerprint, &mut check.message, &mut check.relation.name] {
            *text = next();
        }
        check.relation.namespace = Some(next());
        check.columns = check.columns.iter().map(|_| next()).collect();
        check.notes = vec![next()];
        for text in [&mut check.why, &mut check.help, &mut check.owner, &mut check.sql, &mut check.difference] {
            *text = Some(next());
        }
        check.rule = check.rule.as_ref().map(|rule| RulePlace { file: next(), ..rule.clone() });
        check.threshold = Some(Threshold { max: Some(1), max_percent: Some(next()) });
        check.occurred = Some(Occurred { column: next(), first: next(), last: next() });
        check.allowances = vec![Allowance { why: next(), until: Some(next()), days_left: Some(-3), rows: 1 }];
        check.problems = [(next(), 1), (next(), 2)].into_iter().collect();
        for frequent in &mut check.frequent {
            frequent.values = [(next(), Some(next())), (next(), None)].into_iter().collect();
        }
        for sample in &mut check.samples {
            sample.key = [(next(), Some(next()))].into_iter().collect();
            sample.values = [(next(), Some(next())), (next(), None)].into_iter().collect();
            sample.problem = Some(next());
            sample.place =
                sample.place.as_ref().map(|place| Place { file: next().into(), pointer: next(), ..place.clone() });
        }
    }
    report
}
